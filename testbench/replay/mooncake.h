// SPDX-License-Identifier: Apache-2.0
// Reads Mooncake's request logs (FAST'25 release): one JSON object per line.
//
//   {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 48, ...]}
//     ms since any origin  tokens of the prompt   tokens answered     one id per 512 tokens, the last one partial
//
// A bad line is counted and left out; the first ten are kept with line and reason. More than 1 % of bad lines
// (or any, if strict) ends the run: a log that is one half nonsense says nothing about a cache. Unknown
// fields are ignored but counted. Blank lines are neither. Traces: github.com/kvcache-ai/Mooncake.
// Not read: the dialects with text, sessions or string ids (they say so, line by line).
#pragma once
#include <string>

#include "replay/log.h"
#include "replay/timing.h"

namespace flashpath::replay {

/// More tokens than any request: 10 M.
inline constexpr std::uint64_t most_tokens = 10'000'000;
inline constexpr std::uint32_t mooncake_block_tokens = 512;

/// Reads a whole log and applies the timing options. Throws UserErrors.
Log read_mooncake(const std::string& path, const ReplayConfig& config = {});

}  // namespace flashpath::replay

// SPDX-License-Identifier: Apache-2.0
// A serving log, normalised: requests in order of arrival, each with the chained ids of its prompt's blocks.
//
//   requests  [arrival, input, output, first_block, blocks] ──► ids [ ... one flat array ... ]
//
// An id names a block together with everything before it (chained hash), so equal ids mean equal prefixes.
// The last id of a prompt covers its last, usually partial, block. Outputs have no ids in any public log.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/units.h"

namespace flashpath::replay {

struct Request {
  Duration arrival{};  ///< since the first stamp of the log
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens = 0;
  std::uint64_t first_block = 0;  ///< index into Log::ids
  std::uint32_t blocks = 0;
  std::uint32_t line = 0;  ///< line of the file, from 1: the request's name in every report
};

/// What the reader saw, for result.json and the user.
struct LogReport {
  std::string path;
  std::string packing;
  std::string sha256;  ///< of the file as stored
  std::uint64_t lines = 0;
  std::uint64_t blank_lines = 0;
  std::uint64_t bad_lines = 0;
  std::vector<std::string> first_bad;                   ///< the first ten, with line and reason
  std::map<std::string, std::uint64_t> ignored_fields;  ///< unknown fields and how often
  Duration grid{};                                      ///< of the stamps, if they are on one
  bool jittered = false;
};

struct Log {
  std::uint32_t block_tokens = 512;
  std::vector<Request> requests;
  std::vector<std::uint64_t> ids;
  LogReport report;

  std::span<const std::uint64_t> blocks(const Request& r) const { return std::span{ids}.subspan(r.first_block, r.blocks); }
  /// From the first arrival to the last.
  Duration span() const { return requests.empty() ? Duration{} : requests.back().arrival - requests.front().arrival; }
};

}  // namespace flashpath::replay

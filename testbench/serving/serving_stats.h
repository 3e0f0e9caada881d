// SPDX-License-Identifier: Apache-2.0
// What the serving model counts, and one line per request.
#pragma once
#include <cstdint>
#include <string>

#include "base/stats.h"
#include "base/units.h"

namespace flashpath::serving {

using stats::Counter;
using stats::Histogram;
using stats::Unit;

/// Blocks and tokens found in one tier, and bytes moved in and out of it.
struct TierStats {
  TierStats(std::string name, stats::Group& parent) : group{std::move(name), parent} {}
  stats::Group group;
  Counter blocks{group, "hit_blocks", Unit::count, "blocks of prompts that were here and used"};
  Counter tokens{group, "hit_tokens", Unit::count, "tokens of these that needed no computing"};
  Counter read{group, "read", Unit::byte, "read from here"};
  Counter written{group, "written", Unit::byte, "written to here"};
};

struct ServingStats {
  stats::Group group{"serving"};
  Counter arrived{group, "arrived", Unit::count, "requests that arrived"};
  Counter finished{group, "finished", Unit::count, "requests whose last token is out"};
  Counter blocks{group, "blocks", Unit::count, "block ids of all prompts"};
  Counter input_tokens{group, "input_tokens", Unit::count, "tokens of all prompts whose prefill is done"};
  Counter computed_tokens{group, "computed_tokens", Unit::count, "tokens of these that prefill computed"};
  Counter output_tokens{group, "output_tokens", Unit::count, "tokens answered"};
  Counter decode_segments{group, "decode_segments", Unit::count, "changes of a decode batch"};
  Counter loads_hit{group, "loads_hit", Unit::count, "objects loaded from the flash tier"};
  Counter loads_missed{group, "loads_missed", Unit::count, "objects the flash tier no longer had"};
  Counter stores_kept{group, "stores_kept", Unit::count, "objects the flash tier has kept"};
  Counter stores_refused{group, "stores_refused", Unit::count, "objects the flash tier did not keep"};
  Counter evictions{group, "evictions", Unit::count, "objects the flash tier said it dropped"};
  Counter recomputed{group, "recomputed", Unit::count, "requests that computed what a missed load should have brought"};
  stats::Busy prefill{group, "prefill", 1, "instances with a request at the head of prefill"};
  Counter load_wait{group, "load_wait", Unit::picosecond, "time that prefill stood still for loads"};
  Histogram ttft{group, "ttft", "arrival to first token"};
  Histogram tpot{group, "tpot", "mean time per token after the first, of each request"};
  Histogram e2e{group, "e2e", "arrival to last token"};
  Histogram queue{group, "queue", "arrival to head of prefill"};
  Histogram load_latency{group, "load_latency", "one object, asked to there"};
  Histogram store_latency{group, "store_latency", "one object, sent to acknowledged"};
  std::uint64_t most_loads = 0;  ///< in flight at once
  std::uint64_t most_stores = 0;
  TierStats g1{"g1", group};
  TierStats g2{"g2", group};
  TierStats g35{"g35", group};
};

/// One request, finished. ttft = queue + prefill + load_wait, exactly.
struct RequestRecord {
  std::uint32_t line = 0;  ///< of the log
  std::uint32_t instance = 0;
  Time arrival{};
  std::uint32_t input_tokens = 0, output_tokens = 0;
  std::uint64_t g1_tokens = 0, g2_tokens = 0, g35_tokens = 0;
  Duration queue{}, prefill{}, load_wait{}, ttft{}, tpot{}, e2e{};

  static std::string csv_header();
  /// Times in microseconds with six decimals: exact picoseconds.
  std::string csv() const;
};

}  // namespace flashpath::serving

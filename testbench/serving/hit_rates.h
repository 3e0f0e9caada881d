// SPDX-License-Identifier: Apache-2.0
// What one shared cache would hit, without any time: the yardstick every replay is held against.
//
//   block_level     ids already in the cache / ids
//   strict_prefix   only the leading run of them: a hole ends the hit
//   token_weighted  sum of min(block_tokens * run, input) / sum of input
//
// A request is looked up as a whole before any of its blocks is touched; then its ids are touched one by one,
// head first (prompt order) or tail first (so the head is the most recent: what free lists and radix trees
// amount to), the least recently touched leaving when the cache is over its capacity.
// Outputs are not inserted: no public log has ids for them.
#pragma once
#include <cstdint>

#include "replay/log.h"
#include "serving/lru_cache.h"

namespace flashpath::serving {

enum class TouchOrder : std::uint8_t { head_first, tail_first };

struct HitRates {
  std::uint64_t references = 0;   ///< ids of all requests
  std::uint64_t hits = 0;         ///< already in the cache
  std::uint64_t prefix_hits = 0;  ///< in the leading run
  std::uint64_t tokens = 0;
  std::uint64_t hit_tokens = 0;
  std::uint64_t requests_with_hit = 0;
  std::uint64_t full_hits = 0;  ///< requests with every id in the cache

  double block_level() const { return ratio(hits, references); }
  double strict_prefix() const { return ratio(prefix_hits, references); }
  double token_weighted() const { return ratio(hit_tokens, tokens); }

 private:
  static double ratio(std::uint64_t a, std::uint64_t b) { return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b); }
};

/// `capacity` in blocks, or LruCache<>::unlimited.
HitRates hit_rates(const replay::Log& log, std::uint64_t capacity, TouchOrder order);

}  // namespace flashpath::serving

// SPDX-License-Identifier: Apache-2.0
#include "serving/hit_rates.h"

#include <algorithm>

namespace flashpath::serving {

HitRates hit_rates(const replay::Log& log, std::uint64_t capacity, TouchOrder order) {
  HitRates result;
  LruCache<> cache{capacity};
  for (const replay::Request& request : log.requests) {
    const auto ids = log.blocks(request);
    std::uint64_t hits = 0, lead = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (!cache.contains(ids[i])) continue;
      ++hits;
      if (lead == i) ++lead;
    }
    result.references += ids.size();
    result.hits += hits;
    result.prefix_hits += lead;
    result.tokens += request.input_tokens;
    result.hit_tokens += std::min<std::uint64_t>(log.block_tokens * lead, request.input_tokens);
    result.requests_with_hit += hits > 0 ? 1U : 0U;
    result.full_hits += lead == ids.size() && !ids.empty() ? 1U : 0U;
    if (order == TouchOrder::head_first) {
      for (const std::uint64_t id : ids) cache.touch(id);
    } else {
      for (std::size_t i = ids.size(); i-- > 0;) cache.touch(ids[i]);
    }
  }
  return result;
}

}  // namespace flashpath::serving

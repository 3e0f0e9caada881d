// SPDX-License-Identifier: Apache-2.0
// Which placement handle the writes of an object carry.
//
// object   the handle that the fewest stores under way use, the next in turn among equals: with at most `handles` stores at a time a
//          reclaim unit takes objects one after the other, and objects that fill reclaim units leave them whole
// tenant   the connection's group modulo `handles`: a reclaim unit holds one tenant's objects, in the order of writing
#pragma once
#include <cstdint>
#include <vector>

#include "firmware/firmware_config.h"

namespace flashpath::firmware {

class Handles {
 public:
  static constexpr std::uint16_t none = 0xffff;
  explicit Handles(const Config& config)
      : placement_{config.placement}, connections_{config.tenant_connections}, stores_(config.placement_handles) {}

  std::uint16_t take(std::uint32_t connection) {
    if (placement_ == Placement::none) return none;
    const auto n = static_cast<std::uint32_t>(stores_.size());
    std::uint32_t best = connection / connections_ % n;
    if (placement_ == Placement::object) {
      best = next_;
      for (std::uint32_t i = 1; i < n; ++i) {
        if (const std::uint32_t h = (next_ + i) % n; stores_[h] < stores_[best]) best = h;
      }
      next_ = (best + 1) % n;
    }
    ++stores_[best];
    return static_cast<std::uint16_t>(best);
  }
  /// The store has ended.
  void give(std::uint16_t handle) {
    if (handle != none) --stores_[handle];
  }

 private:
  Placement placement_;
  std::uint32_t connections_, next_ = 0;
  std::vector<std::uint32_t> stores_;  // under way, by handle
};

}  // namespace flashpath::firmware

// SPDX-License-Identifier: Apache-2.0
// Where firmware keeps its control structures in DPU memory: queues, PRP lists, rings. Handed out once, never freed.
#pragma once
#include <cstdint>

#include "base/error.h"
#include "base/units.h"
#include "bus/address_map.h"

namespace flashpath::firmware {

class ControlMemory {
 public:
  explicit ControlMemory(std::uint64_t base = bus::control_base, std::uint64_t size = bus::control_size) : next_{base}, end_{base + size} {}

  /// The address of `size` bytes aligned to `alignment` (a power of two). Too little room is the user's error.
  std::uint64_t take(std::uint64_t size, std::uint64_t alignment) {
    const std::uint64_t at = align_up(next_, alignment);
    if (at + size > end_) throw UserErrors{"firmware: queues and rings do not fit into control memory; use fewer cores or smaller queues"};
    next_ = at + size;
    return at;
  }
  std::uint64_t next() const { return next_; }

 private:
  std::uint64_t next_, end_;
};

}  // namespace flashpath::firmware

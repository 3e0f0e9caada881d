// SPDX-License-Identifier: Apache-2.0
// Journeys of requests that pass through memory: a capsule in DPU DRAM is bytes, and bytes carry no extension. The NIC
// keeps the journey of each capsule here and writes its handle into the slot (`trace`); firmware marks it while it
// works and hands the handle back in its work requests. Observation only: nothing in the model depends on it.
#pragma once
#include <cstdint>
#include <vector>

#include "base/journey.h"

namespace flashpath::fabric {

class Journeys {
 public:
  /// A handle for a copy of `journey`; never 0.
  std::uint64_t add(const Journey& journey) {
    if (free_.empty()) {
      free_.push_back(table_.size());
      table_.emplace_back();
    }
    const std::uint64_t slot = free_.back();
    free_.pop_back();
    table_[slot] = {journey, true};
    return slot + 1;
  }
  /// The journey of a handle, or nullptr for 0 and for handles that were given back.
  Journey* find(std::uint64_t handle) {
    return handle == 0 || handle > table_.size() || !table_[handle - 1].live ? nullptr : &table_[handle - 1].journey;
  }
  /// A join: the piece that finished last is the critical path.
  void join(std::uint64_t handle, const Journey& piece) {
    if (Journey* whole = find(handle); whole != nullptr && piece.at() > whole->at()) *whole = piece;
  }
  void remove(std::uint64_t handle) {
    if (find(handle) == nullptr) return;
    table_[handle - 1].live = false;
    free_.push_back(handle - 1);
  }
  std::size_t live() const { return table_.size() - free_.size(); }

 private:
  struct Slot {
    Journey journey;
    bool live = false;
  };
  std::vector<Slot> table_;
  std::vector<std::uint64_t> free_;
};

}  // namespace flashpath::fabric

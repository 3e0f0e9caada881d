// SPDX-License-Identifier: Apache-2.0
// What the serving side believes the flash tier holds, by block: one for all instances.
//
//   (absent) ──begin──► storing ──all groups acknowledged──► stored ──evicted or load missed──► (absent)
//                          └──── one group refused or lost ────► (absent) once all have answered
//
// A block counts as there only when every layer group has been acknowledged: a partial one is worth nothing to
// a prefix. While it is storing or stored nobody stores it again.
#pragma once
#include <cstdint>
#include <unordered_map>

namespace flashpath::serving {

class Directory {
 public:
  explicit Directory(std::uint32_t groups) : groups_{groups} {}

  bool stored(std::uint64_t block) const {
    const auto it = entries_.find(block);
    return it != entries_.end() && it->second.answered == groups_;
  }
  /// True if the block is now the caller's to store.
  bool begin(std::uint64_t block) { return entries_.try_emplace(block).second; }
  void answered(std::uint64_t block, bool ok) {
    const auto it = entries_.find(block);
    if (!ok) it->second.broken = true;
    if (++it->second.answered == groups_ && it->second.broken) entries_.erase(it);
  }
  void lost(std::uint64_t block) {
    const auto it = entries_.find(block);
    if (it == entries_.end()) return;
    if (it->second.answered == groups_) entries_.erase(it);
    else it->second.broken = true;
  }
  std::uint64_t blocks() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint32_t answered = 0;
    bool broken = false;
  };
  std::uint32_t groups_;
  std::unordered_map<std::uint64_t, Entry> entries_;  // looked up, never walked
};

}  // namespace flashpath::serving

// SPDX-License-Identifier: Apache-2.0
// Who is worn how much: the free superblock to open next, and the closed one whose cold data spare it.
#pragma once
#include <algorithm>
#include <array>
#include <vector>

#include "ftl/ftl_state.h"
#include "ftl/winner_tree.h"

namespace flashpath::ftl {

/// Erases per superblock; the classes divide [least, most] into ten.
struct WearSummary {
  std::uint32_t least = 0, most = 0;
  std::uint64_t sum = 0;
  std::array<std::uint64_t, 10> classes{};
};

class Wear {
 public:
  /// All are free.
  explicit Wear(const std::vector<Superblock>& superblocks)
      : superblocks_{superblocks}, free_{superblocks.size(), Less{&superblocks}}, closed_{superblocks.size(), Less{&superblocks}} {
    for (std::uint32_t i = 0; i < superblocks.size(); ++i) free_.add(i);
  }

  void taken(std::uint32_t i) { free_.remove(i); }
  void closed(std::uint32_t i) { closed_.add(i); }
  void chosen(std::uint32_t i) { closed_.remove(i); }
  void freed(std::uint32_t i) {
    free_.add(i);
    most_ = std::max(most_, superblocks_[i].erases);
  }

  /// At time zero, free still: its erases have been set.
  void worn(std::uint32_t i) {
    free_.remove(i);
    freed(i);
  }

  /// The least worn, lowest number on ties; no_superblock: there is none.
  std::uint32_t least_free() const { return free_.best(); }
  std::uint32_t least_closed() const { return closed_.best(); }
  std::uint32_t most_free() const {
    std::uint32_t best = no_superblock;
    for (std::uint32_t i = 0; i < superblocks_.size(); ++i) {
      if (free_.has(i) && (best == no_superblock || superblocks_[i].erases > superblocks_[best].erases)) best = i;
    }
    return best;
  }
  std::uint32_t most() const { return most_; }

  WearSummary summary() const {
    WearSummary s;
    s.least = superblocks_.empty() ? 0 : superblocks_[0].erases;
    for (const Superblock& sb : superblocks_) {
      s.least = std::min(s.least, sb.erases);
      s.most = std::max(s.most, sb.erases);
      s.sum += sb.erases;
    }
    const std::uint64_t span = s.most - s.least + 1ULL;
    for (const Superblock& sb : superblocks_) ++s.classes[(sb.erases - s.least) * 10ULL / span];
    return s;
  }

 private:
  struct Less {
    const std::vector<Superblock>* superblocks;
    bool operator()(std::uint32_t a, std::uint32_t b) const {
      const std::uint32_t x = (*superblocks)[a].erases, y = (*superblocks)[b].erases;
      return x != y ? x < y : a < b;
    }
  };
  const std::vector<Superblock>& superblocks_;
  WinnerTree<Less> free_, closed_;
  std::uint32_t most_ = 0;
};

}  // namespace flashpath::ftl

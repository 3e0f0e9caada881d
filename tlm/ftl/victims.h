// SPDX-License-Identifier: Apache-2.0
// Which closed superblock is collected next. Function only; found without looking at all of them.
//
//   greedy        fewest valid units; on ties the least worn, then the lowest number. A tournament tree, brought up to date
//                 when somebody asks: O(log n) per superblock that lost units since
//   cost_benefit  largest age x (1 - v) / 2v (Kawaguchi, Nishioka, Motoda: USENIX'95), v the valid share, age the number of
//                 superblocks closed since. Compared: the oldest of each of 64 classes of v
//   d_choices     the greedy choice among d drawn at random, with repetition (Van Houdt: SIGMETRICS'13); none of them gains:
//                 the greedy choice
//   fifo          the first that was closed; one without garbage goes to the end of the line
//
// Wholly valid ones are never chosen: nothing would be gained.
#pragma once
#include <utility>
#include <vector>

#include "base/random.h"
#include "ftl/ftl_state.h"
#include "ftl/policies.h"
#include "ftl/winner_tree.h"

namespace flashpath::ftl {

class Victims {
 public:
  /// `units`: of a superblock.
  Victims(GcPolicy policy, std::uint32_t d, std::uint64_t units, const std::vector<Superblock>& superblocks);
  Victims(const Victims&) = delete;
  Victims& operator=(const Victims&) = delete;

  void add(std::uint32_t superblock);  ///< closed
  void remove(std::uint32_t superblock);
  /// It has lost valid units. Anybody's superblock may be named: only closed ones count.
  void lost(std::uint32_t superblock) {
    if (dirty_[superblock]) return;
    dirty_[superblock] = true;
    touched_.push_back(superblock);
  }
  /// visit(superblock): all, in the order they were closed.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::uint32_t i = first_; i != no_superblock; i = places_[i].after) visit(i);
  }
  /// The victim, or no_superblock; it stays until it is removed.
  std::uint32_t choose();

 private:
  struct Fewest {
    const Victims* victims;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return victims->fewer(a, b); }
  };
  struct Place {
    std::uint32_t before = no_superblock, after = no_superblock;  // in the line of closing
    std::uint32_t at = 0;                                         // in closed_
    std::uint8_t level = 0;
    bool in = false;
    std::uint64_t closed = 0;
  };
  using Aged = std::pair<std::uint64_t, std::uint32_t>;
  static constexpr std::uint64_t levels = 64;

  bool fewer(std::uint32_t a, std::uint32_t b) const;
  std::uint8_t level_of(std::uint32_t i) const { return static_cast<std::uint8_t>(superblocks_[i].valid * levels / units_); }
  void update();
  void enlist(std::uint32_t superblock);
  void link(std::uint32_t superblock);
  void unlink(std::uint32_t superblock);
  std::uint32_t scan() const;
  std::uint32_t choose_by_benefit();
  std::uint32_t choose_among_d();
  std::uint32_t choose_oldest();

  GcPolicy policy_;
  std::uint32_t d_;
  std::uint64_t units_;
  const std::vector<Superblock>& superblocks_;
  std::vector<Place> places_;
  std::vector<bool> dirty_;
  std::vector<std::uint32_t> touched_;
  WinnerTree<Fewest> tree_;
  std::vector<std::vector<Aged>> aged_;  // by level: heaps, oldest first; entries of superblocks that moved on are skipped
  std::vector<std::uint32_t> closed_;
  std::uint32_t first_ = no_superblock, last_ = no_superblock;
  std::uint64_t sequence_ = 0;
  bool nothing_ = false;  // to gain, when last asked, and nothing has changed since
  Random random_{1, "garbage collection"};
};

}  // namespace flashpath::ftl

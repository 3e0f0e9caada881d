// SPDX-License-Identifier: Apache-2.0
// The choice of victims against an oracle that looks at everything.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "base/random.h"
#include "ftl/victims.h"

using namespace flashpath;
using namespace flashpath::ftl;

namespace {
constexpr std::uint64_t units = 640;

/// Closed superblocks in the order of closing, and every policy in its plain definition.
struct Oracle {
  const std::vector<Superblock>& superblocks;
  std::vector<std::uint32_t> line{};
  std::vector<std::uint64_t> closed_at = std::vector<std::uint64_t>(superblocks.size());
  std::uint64_t sequence = 0;

  void add(std::uint32_t i) {
    line.push_back(i);
    closed_at[i] = ++sequence;
  }
  std::uint32_t greedy() const {
    std::uint32_t best = no_superblock;
    for (std::uint32_t i = 0; i < superblocks.size(); ++i) {
      if (std::ranges::find(line, i) == line.end() || superblocks[i].valid == units) continue;
      const auto key = [&](std::uint32_t k) { return std::pair{superblocks[k].valid, superblocks[k].erases}; };
      if (best == no_superblock || key(i) < key(best)) best = i;
    }
    return best;
  }
  std::uint32_t fifo() const {
    const auto it = std::ranges::find_if(line, [&](std::uint32_t i) { return superblocks[i].valid != units; });
    return it == line.end() ? no_superblock : *it;
  }
  /// The largest age x (U - v) / v among the oldest of 64 classes of v; classes are as wide as U / 64.
  double benefit(std::uint32_t i) const {
    const auto v = static_cast<double>(superblocks[i].valid);
    return static_cast<double>(sequence - closed_at[i] + 1) * (static_cast<double>(units) - v) / (v == 0 ? 1e-12 : v);
  }
  std::uint32_t cost_benefit() const {
    std::uint32_t best = no_superblock;
    for (std::uint64_t level = 0; level < 64; ++level) {
      const auto oldest = std::ranges::find_if(line, [&](std::uint32_t i) { return superblocks[i].valid * 64 / units == level; });
      if (oldest == line.end()) continue;
      if (best == no_superblock || benefit(*oldest) > benefit(best)) best = *oldest;
    }
    return best;
  }
};

void play(GcPolicy policy, std::uint32_t d, auto&& compare) {
  std::vector<Superblock> superblocks(37);
  Victims victims{policy, d, units, superblocks};
  Oracle oracle{superblocks};
  Random random{11, "victims"};
  for (int step = 0; step < 20'000; ++step) {
    const auto i = static_cast<std::uint32_t>(random.below(superblocks.size()));
    const auto in = std::ranges::find(oracle.line, i);
    switch (random.below(8)) {
      case 0:
        if (in != oracle.line.end()) break;
        superblocks[i].valid = random.below(4) == 0 ? units : random.below(units + 1);
        superblocks[i].erases = static_cast<std::uint32_t>(random.below(3));
        victims.add(i);
        oracle.add(i);
        break;
      case 1: {
        const std::uint32_t chosen = victims.choose();
        compare(oracle, chosen);
        if (chosen == no_superblock) break;
        ASSERT_NE(std::ranges::find(oracle.line, chosen), oracle.line.end());
        ASSERT_LT(superblocks[chosen].valid, units);
        victims.remove(chosen);
        std::erase(oracle.line, chosen);
        break;
      }
      default:  // also of superblocks that are not closed
        superblocks[i].valid -= std::min<std::uint64_t>(superblocks[i].valid, random.below(40));
        victims.lost(i);
        break;
    }
  }
}
}  // namespace

TEST(FtlVictims, GreedyIsTheFewestValid) {
  play(GcPolicy::greedy, 1, [](const Oracle& o, std::uint32_t chosen) { ASSERT_EQ(chosen, o.greedy()); });
}

TEST(FtlVictims, FifoIsTheFirstClosedThatHasGarbage) {
  std::uint64_t same = 0, all = 0;
  play(GcPolicy::fifo, 1, [&](const Oracle& o, std::uint32_t chosen) {
    ASSERT_EQ(chosen == no_superblock, o.fifo() == no_superblock);
    ++all;
    same += chosen == o.fifo() ? 1U : 0U;  // one that had no garbage when it was asked for lost its place
  });
  EXPECT_GT(same * 10, all * 6);
}

TEST(FtlVictims, CostBenefitIsTheBestOfTheOldest) {
  play(GcPolicy::cost_benefit, 1, [](const Oracle& o, std::uint32_t chosen) { ASSERT_EQ(chosen, o.cost_benefit()); });
}

TEST(FtlVictims, AmongAllOfThemDChoicesIsGreedy) {
  std::uint64_t equal = 0, few = 0, n = 0, m = 0;
  play(GcPolicy::d_choices, 1000, [&](const Oracle& o, std::uint32_t chosen) {
    equal += chosen == o.greedy() ? 1U : 0U;
    ++n;
  });
  EXPECT_EQ(equal, n);
  play(GcPolicy::d_choices, 2, [&](const Oracle& o, std::uint32_t chosen) {
    few += chosen == o.greedy() ? 1U : 0U;
    ++m;
  });
  EXPECT_LT(few * 4, m * 3);
}

TEST(FtlVictims, TheTreesWinnerIsTheLeast) {
  std::vector<int> values(23);
  const auto less = [&](std::uint32_t a, std::uint32_t b) { return values[a] < values[b]; };
  WinnerTree<decltype(less)> tree{values.size(), less};
  Random random{5, "tree"};
  std::vector<bool> in(values.size());
  for (int step = 0; step < 5000; ++step) {
    const auto i = static_cast<std::uint32_t>(random.below(values.size()));
    values[i] = static_cast<int>(random.below(20));
    if (random.below(3) == 0) {
      in[i] ? tree.remove(i) : tree.add(i);
      in[i] = !in[i];
    }
    tree.changed(i);
    std::uint32_t best = no_superblock;
    for (std::uint32_t k = 0; k < values.size(); ++k) {
      if (in[k] && (best == no_superblock || values[k] < values[best])) best = k;
    }
    ASSERT_EQ(tree.best(), best);
  }
}

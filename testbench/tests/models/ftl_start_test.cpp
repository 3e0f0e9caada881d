// SPDX-License-Identifier: Apache-2.0
#include "ftl/start.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

using namespace flashpath;
using namespace flashpath::ftl;

TEST(FtlStart, APermutationGoesBothWays) {
  for (const std::uint64_t size : {1U, 2U, 3U, 7U, 64U, 1000U, 4097U}) {
    const Permutation p{size};
    for (const std::uint64_t key : {0U, 1U, 77U}) {
      std::set<std::uint64_t> seen;
      for (std::uint64_t x = 0; x < size; ++x) {
        const std::uint64_t y = p(x, key);
        EXPECT_LT(y, size);
        EXPECT_TRUE(seen.insert(y).second);
        ASSERT_EQ(p.inverse(y, key), x);
      }
    }
  }
  const Permutation large{(std::uint64_t{1} << 37U) - 12'345};
  for (std::uint64_t x = 0; x < 10'000; ++x) ASSERT_EQ(large.inverse(large(x * 12'345'677, 5), 5), x * 12'345'677);
}

/// Neighbours land anywhere, evenly: chi-square over 16 x 16 cells, 255 degrees of freedom, mean 255, deviation 22.6.
TEST(FtlStart, APermutationLooksRandom) {
  const std::uint64_t size = 1'000'000;
  for (const std::uint64_t key : {1U, 2U, 3U}) {
    const Permutation p{size};
    std::array<double, 256> cells{};
    for (std::uint64_t x = 0; x + 1 < size; x += 2) ++cells[p(x, key) * 16 / size * 16 + p(x + 1, key) * 16 / size];
    double chi2 = 0;
    const double expected = static_cast<double>(size) / 2 / 256;
    for (const double n : cells) chi2 += (n - expected) * (n - expected) / expected;
    EXPECT_GT(chi2, 255 - 5 * 22.6);
    EXPECT_LT(chi2, 255 + 5 * 22.6);
  }
}

TEST(FtlStart, EveryUnitHasOnePlaceAndEveryPlaceItsUnit) {
  const std::uint64_t units = 10'000, per = 640;
  const std::uint32_t used = 18;
  const Start start{Precondition::random, units, per, used};
  std::vector<std::uint64_t> valid(used);
  std::set<Position> seen;
  for (std::uint64_t u = 0; u < units; ++u) {
    const Position p = start.at(u);
    ASSERT_LT(p, per * used);
    ASSERT_TRUE(seen.insert(p).second);
    ++valid[p / per];
    ASSERT_EQ(start.unit(static_cast<std::uint32_t>(p / per), p % per), u);
  }
  for (std::uint32_t s = 0; s < used; ++s) {
    EXPECT_EQ(valid[s], start.valid(s));
    std::uint64_t holes = 0;
    for (std::uint64_t i = 0; i < per; ++i) holes += start.unit(s, i) == Run::hole ? 1U : 0U;
    EXPECT_EQ(holes, per - valid[s]);
  }
}

/// Closed form: u = logical / raw of the closed superblocks = (p - 1) / ln p, where p is the share that is valid in a victim.
TEST(FtlStart, TheOldestSuperblockIsAsEmptyAsTheClosedFormSays) {
  for (const double utilisation : {0.5, 0.7, 0.8, 0.9, 0.95}) {
    const std::uint32_t used = 1000;
    const std::uint64_t per = 800'000;
    const auto units = static_cast<std::uint64_t>(utilisation * used * static_cast<double>(per));
    const Start start{Precondition::random, units, per, used};
    double low = 1e-9, high = 1 - 1e-9;
    while (high - low > 1e-12) {
      const double p = (low + high) / 2;
      ((p - 1) / std::log(p) < utilisation ? low : high) = p;
    }
    EXPECT_NEAR(static_cast<double>(start.valid(0)) / static_cast<double>(per), low, 0.002);
    std::uint64_t sum = 0;
    for (std::uint32_t s = 0; s < used; ++s) {
      sum += start.valid(s);
      if (s != 0) { EXPECT_GE(start.valid(s), start.valid(s - 1)); }
    }
    EXPECT_EQ(sum, units);
  }
}

TEST(FtlStart, AnAlmostFullDriveIsNoProblem) {
  for (const std::uint64_t units : {std::uint64_t{1}, std::uint64_t{6399}, std::uint64_t{6400}}) {
    const Start start{Precondition::random, units, 640, 10};
    std::uint64_t sum = 0;
    for (std::uint32_t s = 0; s < 10; ++s) sum += start.valid(s);
    EXPECT_EQ(sum, units);
    EXPECT_LT(start.at(units - 1), 6400U);
  }
}

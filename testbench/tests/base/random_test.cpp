// SPDX-License-Identifier: Apache-2.0
// Random numbers are part of every golden file: these values must never change, on any compiler.
#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

namespace flashpath {
namespace {

constexpr std::array<std::uint64_t, 4> first(std::uint64_t seed, std::string_view path) {
  Random random{seed, path};
  return {random.next(), random.next(), random.next(), random.next()};
}

static_assert(first(0, "") ==
              std::array<std::uint64_t, 4>{0x5b21f68ffa77f14cU, 0xacf0460c6cc09c67U, 0x1e3a31b219d0d222U, 0xe6d5efe738142816U});
static_assert(first(1, "drive.die0") ==
              std::array<std::uint64_t, 4>{0xcf4f9cfcb7009d24U, 0x484de0a52c230eb6U, 0x71946b143746fadfU, 0x7251e97e72bc3577U});
static_assert(first(1, "drive.die1") ==
              std::array<std::uint64_t, 4>{0xa16e841f3078bb3bU, 0x427ac54db7ed5f3bU, 0x05e58679b3f38ab7U, 0xf65a11f0e836f69cU});

static_assert(hash_text("") == 0xcbf29ce484222325U && hash_text("a") == 0xaf63dc4c8601ec8cU);  // FNV's own vectors

TEST(Random, StreamsOfDifferentPathsAndSeedsAreIndependent) {
  std::vector<Random> streams;
  for (const char* path : {"drive.die0", "drive.die1", "drive.die10", "client"}) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) streams.emplace_back(seed, path);
  }
  constexpr std::size_t draws = 4096;
  std::vector<std::vector<double>> values(streams.size());
  for (std::size_t i = 0; i < streams.size(); ++i) {
    for (std::size_t k = 0; k < draws; ++k) values[i].push_back(streams[i].unit() - 0.5);
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j) {
      double dot = 0.0;
      for (std::size_t k = 0; k < draws; ++k) dot += values[i][k] * values[j][k];
      const double correlation = dot * 12.0 / draws;
      ASSERT_LT(std::abs(correlation), 5.0 / std::sqrt(static_cast<double>(draws))) << i << " and " << j;
    }
  }
}

TEST(Random, ADrawElsewhereChangesNothingHere) {
  Random here{1, "here"};
  Random elsewhere{1, "elsewhere"};
  for (int i = 0; i < 100; ++i) elsewhere.next();
  EXPECT_EQ(here.next(), first(1, "here")[0]);
}

TEST(Random, BelowIsUniformAndStaysBelow) {
  Random random{2, "below"};
  std::array<std::uint64_t, 7> seen{};
  constexpr std::uint64_t draws = 700'000;
  for (std::uint64_t i = 0; i < draws; ++i) ++seen.at(random.below(seen.size()));
  double chi_squared = 0.0;
  for (const std::uint64_t n : seen) chi_squared += std::pow(static_cast<double>(n) - 1e5, 2) / 1e5;
  EXPECT_LT(chi_squared, 22.5);  // 6 degrees of freedom, p = 0.001
  EXPECT_EQ(random.below(1), 0U);
  EXPECT_EQ(random.below(0), 0U);
}

TEST(Random, UnitIsInsideItsInterval) {
  Random random{3, "unit"};
  double sum = 0.0;
  for (int i = 0; i < 100'000; ++i) {
    const double u = random.unit();
    ASSERT_TRUE(u >= 0.0 && u < 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 1e5, 0.5, 0.005);
}

}  // namespace
}  // namespace flashpath

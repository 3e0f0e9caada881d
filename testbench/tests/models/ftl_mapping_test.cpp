// SPDX-License-Identifier: Apache-2.0
#include "ftl/mapping.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

using namespace flashpath;
using namespace flashpath::ftl;

namespace {
constexpr Position narrow = 0xffffffffU, wide = Position{1} << 40U;
const auto nothing = [](Position, std::uint64_t) {};

void expect_equal(const Mapping& mapping, const std::map<std::uint64_t, Position>& oracle) {
  for (std::uint64_t i = 0; i < mapping.units();) {
    const auto e = mapping.find(i, mapping.units() - i);
    ASSERT_NE(e.count, 0U);
    for (std::uint64_t k = 0; k < e.count; ++k) {
      const auto it = oracle.find(i + k);
      ASSERT_EQ(e.position == nowhere ? nowhere : e.position + k, it == oracle.end() ? nowhere : it->second) << "unit " << i + k;
    }
    i += e.count;
  }
}

/// Random writes and trims of up to `longest` units, and now and then of chunks, against a map of units.
void against_oracle(Precondition start, Position positions, std::uint64_t seed, std::uint64_t longest) {
  const std::uint64_t units = 11'000;
  const Start started{start, units, 700, 20};
  Mapping mapping{units, positions, started};
  std::map<std::uint64_t, Position> oracle;
  for (std::uint64_t u = 0; u < units && start != Precondition::none; ++u) oracle[u] = started.at(u);
  expect_equal(mapping, oracle);
  Random random{seed, "mapping"};
  Position next = positions == wide ? (Position{1} << 36U) : 20'000;
  for (int step = 0; step < 3000; ++step) {
    const bool large = random.below(500) == 0;
    const std::uint64_t u = large ? random.below(3) * Mapping::chunk_units : random.below(units);
    const std::uint64_t n = std::min(units - u, large ? 4000 + random.below(5000) : 1 + random.below(longest));
    const bool unmap = random.below(5) == 0;
    std::map<Position, int> expected;
    for (std::uint64_t i = u; i < u + n; ++i) {
      if (const auto it = oracle.find(i); it != oracle.end()) ++expected[it->second];
    }
    mapping.replace(u, n, unmap ? nowhere : next, [&](Position p, std::uint64_t count) {
      for (std::uint64_t i = 0; i < count; ++i) --expected[p + i];
    });
    for (const auto& [p, k] : expected) ASSERT_EQ(k, 0) << "position " << p << " dropped wrongly at step " << step;
    for (std::uint64_t i = u; i < u + n; ++i) {
      if (unmap) oracle.erase(i);
      else oracle[i] = next + (i - u);
    }
    if (!unmap) next += n + random.below(2);
    ASSERT_EQ(mapping.mapped(), oracle.size());
    if (step % 300 == 0) expect_equal(mapping, oracle);
  }
  expect_equal(mapping, oracle);
  Mapping copy{units, positions, started};
  std::uint64_t last = 0;
  mapping.for_each_change([&](std::uint64_t unit, std::uint64_t count, Position p) {
    ASSERT_GE(unit, last);
    last = unit + count;
    copy.replace(unit, count, p, nothing);
  });
  expect_equal(copy, oracle);
}
}  // namespace

TEST(FtlMapping, AgreesWithAMapOfUnits) {
  std::uint64_t seed = 0;
  for (const Precondition start : {Precondition::none, Precondition::sequential, Precondition::random}) {
    for (const Position positions : {narrow, wide}) {
      for (const std::uint64_t longest : {1U, 3U, 300U}) against_oracle(start, positions, ++seed, longest);
    }
  }
}

TEST(FtlMapping, SequentialDataCosts24BytesPerChunk) {
  Mapping mapping{std::uint64_t{1} << 24U};  // 64 GiB of 4 KiB units
  EXPECT_LT(mapping.memory().count, 1024U);  // an empty drive: one pointer per 8 GiB
  for (std::uint64_t u = 0; u < mapping.units(); u += 64) mapping.replace(u, 64, 7 + u, nothing);
  EXPECT_LE(mapping.memory().count, 24 * mapping.units() / Mapping::chunk_units + 70'000);
  EXPECT_EQ(mapping.find(256, 1'000'000).count, 1'000'000U);
}

TEST(FtlMapping, WritersTakingTurnsCostEightBytesPerRegion) {
  Mapping mapping{std::uint64_t{1} << 22U, narrow};  // 16 GiB of 4 KiB units
  Position p = 0;
  for (std::uint64_t object = 0; object < mapping.units(); object += 512) {
    for (std::uint64_t chunk = 0; chunk < 256; chunk += 64) {  // two objects of 1 MiB, 256 KiB in turns
      mapping.replace(object + chunk, 64, p, nothing);
      mapping.replace(object + 256 + chunk, 64, p + 64, nothing);
      p += 128;
    }
  }
  EXPECT_LE(mapping.memory().count, mapping.units() / 64 * 8 + 24 * 1024 + 1'000'000);  // and a piece of each size class
}

/// A table of 4 (5) bytes per unit, and what the leaves before it took: pages of 4 KiB come back when all their items have.
TEST(FtlMapping, RandomDataCostsSixBytesPerUnit) {
  for (const Position positions : {narrow, wide}) {
    Mapping mapping{std::uint64_t{1} << 22U, positions};
    const Permutation order{mapping.units()};
    for (std::uint64_t i = 0; i < mapping.units(); ++i) mapping.replace(order(i, 1), 1, 3 * i, nothing);
    const double each = static_cast<double>(mapping.memory().count) / static_cast<double>(mapping.units());
    EXPECT_GE(each, positions == narrow ? 4.0 : 5.0);
    EXPECT_LE(each, positions == narrow ? 6.0 : 7.5);
  }
}

TEST(FtlMapping, FewUnitsOnAHugeDriveStayCheap) {
  for (const Precondition start : {Precondition::none, Precondition::sequential, Precondition::random}) {
    const std::uint64_t units = std::uint64_t{1} << 30U;  // 16 TiB of 16 KiB
    Mapping mapping{units, narrow, Start{start, units, 800'000, 1376}};
    EXPECT_LT(mapping.memory().count, 20'000U);
    const std::uint64_t count = std::uint64_t{1} << 20U;
    Random random{1, "few"};
    for (std::uint64_t i = 0; i < count; ++i) mapping.replace(random.below(units), 1, 3 * i, nothing);
    EXPECT_LE(mapping.memory().count / count, start == Precondition::none ? 20U : 45U);
  }
}

TEST(FtlMapping, GoesBackToOneExtentAfterRandomWrites) {
  Mapping mapping{std::uint64_t{1} << 16U, narrow};
  for (std::uint64_t u = 0; u < 4096; ++u) mapping.replace(u, 1, 20'000 - 2 * u, nothing);
  EXPECT_EQ(mapping.find(0, 256).count, 1U);
  const auto full = mapping.memory();
  for (std::uint64_t u = 0; u < 4096; u += 16) mapping.replace(u, 16, 20'000 + u, nothing);
  EXPECT_EQ(mapping.find(0, 4096).count, 4096U);
  for (std::uint64_t u = 4096; u < 8192; ++u) mapping.replace(u, 1, 90'000 - 2 * u, nothing);  // takes the tables given back
  EXPECT_EQ(mapping.memory(), full);
}

TEST(FtlMapping, TrimOfEverythingIsQuick) {
  const std::uint64_t units = std::uint64_t{1} << 32U;  // 16 TiB of 4 KiB
  Mapping mapping{units, wide, Start{Precondition::sequential, units, 3'145'728, 1376}};
  std::uint64_t dropped = 0, calls = 0;
  mapping.replace(0, units, nowhere, [&](Position p, std::uint64_t n) {
    EXPECT_EQ(p, dropped);
    dropped += n;
    ++calls;
  });
  EXPECT_EQ(dropped, units);
  EXPECT_EQ(calls, units / Mapping::chunk_units);
  EXPECT_EQ(mapping.mapped(), 0U);
}

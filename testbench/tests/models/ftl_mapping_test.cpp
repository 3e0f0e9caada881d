// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "ftl/mapping.h"

using namespace flashpath;
using namespace flashpath::ftl;

namespace {
void against_oracle(Bytes unit, bool identity, std::uint64_t seed, std::uint64_t longest) {
  const std::uint64_t units = 5000;
  Mapping mapping{units, unit, identity};
  std::map<std::uint64_t, Position> oracle;
  if (identity)
    for (std::uint64_t u = 0; u < units; ++u) oracle[u] = u;
  Random random{seed, "mapping"};
  Position next = units;
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t u = random.below(units);
    const std::uint64_t n = std::min(units - u, 1 + random.below(longest));
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
    if (step % 100 != 0) continue;
    for (std::uint64_t i = 0; i < units;) {
      const auto e = mapping.find(i, units - i);
      ASSERT_NE(e.count, 0U);
      for (std::uint64_t k = 0; k < e.count; ++k) {
        const auto it = oracle.find(i + k);
        ASSERT_EQ(e.position == nowhere ? nowhere : e.position + k, it == oracle.end() ? nowhere : it->second) << "unit " << i + k;
      }
      i += e.count;
    }
  }
}
}  // namespace

TEST(FtlMapping, AgreesWithAMapOfUnits) {
  against_oracle(4_KiB, false, 1, 300);
  against_oracle(4_KiB, true, 2, 8);
  against_oracle(64_KiB, false, 3, 40);
  against_oracle(256_KiB, true, 4, 3);
}

TEST(FtlMapping, SequentialDataCostsEightBytesPerMiB) {
  Mapping mapping{std::uint64_t{1} << 24U, 4_KiB, false};  // 64 GiB
  const auto nothing = [](Position, std::uint64_t) {};
  EXPECT_LT(mapping.memory().count, 1024U);  // an empty drive: one pointer per 4 GiB
  for (std::uint64_t u = 0; u < mapping.units(); u += 64) mapping.replace(u, 64, 7 + u, nothing);
  EXPECT_LE(mapping.memory().count, (8U << 16U) + 1024U);
  EXPECT_EQ(mapping.find(256, 1000).count, 256U);
}

TEST(FtlMapping, WritersTakingTurnsCostFortyBytesPerMiB) {
  Mapping mapping{std::uint64_t{1} << 22U, 4_KiB, false};  // 16 GiB
  const auto nothing = [](Position, std::uint64_t) {};
  Position p = 0;
  for (std::uint64_t object = 0; object < mapping.units(); object += 512) {
    for (std::uint64_t chunk = 0; chunk < 256; chunk += 64) {  // two objects of 1 MiB, 256 KiB in turns
      mapping.replace(object + chunk, 64, p, nothing);
      mapping.replace(object + 256 + chunk, 64, p + 64, nothing);
      p += 128;
    }
  }
  EXPECT_LE(mapping.memory().count, (40U << 14U) + 32'768U);
}

TEST(FtlMapping, GoesBackToOneExtentAfterRandomWrites) {
  Mapping mapping{std::uint64_t{1} << 16U, 4_KiB, false};
  const auto nothing = [](Position, std::uint64_t) {};
  for (std::uint64_t u = 0; u < 256; ++u) mapping.replace(u, 1, 10'000 - 2 * u, nothing);
  EXPECT_EQ(mapping.find(0, 256).count, 1U);
  const auto full = mapping.memory();
  for (std::uint64_t u = 0; u < 256; u += 16) mapping.replace(u, 16, 20'000 + u, nothing);
  EXPECT_EQ(mapping.find(0, 256).count, 256U);
  for (std::uint64_t u = 256; u < 512; ++u) mapping.replace(u, 1, 90'000 - 2 * u, nothing);  // takes the table given back

  EXPECT_LE(mapping.memory().count - full.count, 64U);
}

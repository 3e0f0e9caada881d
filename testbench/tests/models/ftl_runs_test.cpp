// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/random.h"
#include "ftl/runs.h"

using namespace flashpath;
using namespace flashpath::ftl;

namespace {
std::vector<std::uint64_t> all_of(const Runs& runs) {
  std::vector<std::uint64_t> units;
  Runs::Cursor at;
  for (Run run; runs.next(at, run);) {
    for (std::uint64_t i = 0; i < run.count; ++i) units.push_back(run.first == Run::hole ? Run::hole : run.first + i);
    EXPECT_EQ(at.index, units.size());
  }
  EXPECT_FALSE(runs.more(at));
  return units;
}
}  // namespace

TEST(FtlRuns, SayWhatWasAppended) {
  for (const std::uint64_t base : {std::uint64_t{0}, (std::uint64_t{1} << 31U) - 5, (std::uint64_t{1} << 37U) - 200}) {
    Random random{base, "runs"};
    Runs runs;
    std::vector<std::uint64_t> oracle;
    for (int i = 0; i < 2000; ++i) {
      const bool hole = random.below(10) == 0, follows = random.below(3) == 0 && !oracle.empty() && oracle.back() != Run::hole;
      const std::uint64_t n = 1 + random.below(4);
      const std::uint64_t first = hole ? Run::hole : follows ? std::min(oracle.back() + 1, base + 100) : base + random.below(100);
      runs.append(first, n);
      for (std::uint64_t k = 0; k < n; ++k) oracle.push_back(hole ? Run::hole : first + k);
    }
    ASSERT_EQ(all_of(runs), oracle);
  }
}

TEST(FtlRuns, NeighboursAreOneRunHoweverLong) {
  Runs runs;
  std::uint64_t unit = 1'000'000'000;
  for (; unit < 1'200'000'000; unit += 1'000'000) runs.append(unit, 1'000'000);
  runs.append(ftl::Run::hole, 7);
  Runs::Cursor at;
  ftl::Run run;
  std::uint64_t next = 1'000'000'000, pieces = 0;
  for (; runs.next(at, run) && run.first != ftl::Run::hole; next += run.count, ++pieces) EXPECT_EQ(run.first, next);
  EXPECT_EQ(next, unit);
  EXPECT_LE(pieces, 3U);  // 2^26 - 1 units at most in one
  EXPECT_EQ(run.count, 7U);
}

TEST(FtlRuns, ARandomUnitCostsFourBytes) {
  Runs runs;
  for (std::uint64_t i = 0; i < 100'000; ++i) runs.append(2 * i, 1);
  runs.shrink_to_fit();
  EXPECT_EQ(runs.memory(), 400'000U);
}

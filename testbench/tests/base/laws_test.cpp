// SPDX-License-Identifier: Apache-2.0
// Flows: the mean number inside is exact, and a wrong memory of when somebody came is noticed.
#include "base/laws.h"

#include <gtest/gtest.h>

#include "base/divisor.h"
#include "base/random.h"
#include "base/ring.h"

namespace flashpath {
namespace {

constexpr Time at(std::int64_t ps) { return Time{Duration{ps}}; }

TEST(Flow, MeanInsideIsTheIntegralOverTime) {
  Flow flow;
  flow.enter(at(10));
  flow.enter(at(20));
  flow.leave(at(50), at(10));
  EXPECT_DOUBLE_EQ(flow.mean_inside(at(100)), (40.0 + 80.0) / 100.0);  // one for 40, the other, still there, for 80
  flow.leave(at(100), at(20));
  EXPECT_DOUBLE_EQ(flow.mean_inside(at(100)), 1.2);
  EXPECT_DOUBLE_EQ(flow.mean_inside(at(200)), 0.6);
  Laws laws;
  flow.check(laws, "flow", at(200));
  EXPECT_TRUE(laws.broken().empty());
}

TEST(Flow, LongRunsOfManyDoNotOverflow) {
  Flow flow;
  const std::int64_t hour = 3'600'000'000'000'000;
  for (int i = 0; i < 1'000'000; ++i) flow.enter(at(hour));
  for (int i = 0; i < 1'000'000; ++i) flow.leave(at(2 * hour), at(hour));
  EXPECT_DOUBLE_EQ(flow.mean_inside(at(2 * hour)), 500'000.0);
  Laws laws;
  flow.check(laws, "flow", at(2 * hour));
  EXPECT_TRUE(laws.broken().empty());
}

TEST(Flow, AWrongMemoryOfTheEntryBreaksTheLaw) {
  for (const std::int64_t told : {9, 11}) {
    Flow flow;
    flow.enter(at(10));
    flow.leave(at(50), at(told));
    Laws laws;
    flow.check(laws, "flow", at(60));
    EXPECT_EQ(laws.broken().size(), 1U) << told;
  }
}

TEST(Flow, MoreOutThanInBreaksTheLaw) {
  Flow flow;
  flow.leave(at(50), at(10));
  Laws laws;
  flow.check(laws, "flow", at(60));
  EXPECT_FALSE(laws.broken().empty());
}

TEST(Divisor, DividesLikeTheProcessor) {
  Random random{1, "divisor"};
  const auto any = [&] { return random.next() >> random.below(64); };
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t d = std::max<std::uint64_t>(1, any()), q = any(), n = i % 2 == 0 ? any() : q * d - (i % 4 == 1 ? 1 : 0);
    const Divisor divisor{d};
    ASSERT_EQ(divisor.of(n), n / d) << n << " / " << d;
    ASSERT_EQ(divisor.rest(n), n % d) << n << " % " << d;
  }
}

TEST(Ring, KeepsItsOrderWhileItGrows) {
  Ring<int> ring;
  int in = 0, out = 0;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < round % 13 + 3; ++i) ring.push_back(in++);
    for (int i = 0; i < round % 11 && !ring.empty(); ++i, ring.pop_front()) ASSERT_EQ(ring.front(), out++);
    ASSERT_EQ(ring.size(), static_cast<std::size_t>(in - out));
  }
}

}  // namespace
}  // namespace flashpath

// SPDX-License-Identifier: Apache-2.0
// The histogram against the sorted samples it stands for.
#include "base/stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "base/random.h"

namespace flashpath::stats {
namespace {

using Draw = std::function<std::int64_t(Random&)>;

struct Shape {
  const char* name;
  Draw draw;
};

std::int64_t exponential(Random& random, double mean) { return static_cast<std::int64_t>(-mean * std::log1p(-random.unit())); }

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all{
      {"small", [](Random& r) { return static_cast<std::int64_t>(r.below(200)); }},
      {"uniform to 3 s", [](Random& r) { return static_cast<std::int64_t>(r.below(3'000'000'000'000)); }},
      {"exponential, mean 80 us", [](Random& r) { return exponential(r, 80e6); }},
      {"exponential, mean 1 s", [](Random& r) { return exponential(r, 1e12); }},
      {"bimodal, 10 us or 5 ms",
       [](Random& r) { return r.below(100) < 98 ? 10'000'000 + exponential(r, 1e6) : 5'000'000'000 + exponential(r, 1e9); }},
  };
  return all;
}

TEST(Histogram, PercentilesAreWithinOnePercentAndNeverBelow) {
  for (const Shape& shape : shapes()) {
    Random random{3, shape.name};
    Histogram histogram;
    std::vector<std::int64_t> sorted;
    Wide sum = 0;
    for (int i = 0; i < 200'000; ++i) {
      sorted.push_back(shape.draw(random));
      sum += static_cast<Wide>(sorted.back());
      histogram.add(Duration{sorted.back()});
    }
    std::sort(sorted.begin(), sorted.end());
    for (const std::uint64_t ppm : {1U, 10'000U, 250'000U, 500'000U, 900'000U, 990'000U, 999'000U, 999'900U, 1'000'000U}) {
      const std::uint64_t rank = std::max<std::uint64_t>((sorted.size() * ppm + 999'999) / 1'000'000, 1);
      const std::int64_t exact = sorted[rank - 1];
      const std::int64_t got = histogram.percentile(ppm).count();
      EXPECT_GE(got, exact) << shape.name << " at " << ppm;
      EXPECT_LE(static_cast<double>(got), static_cast<double>(exact) * 1.008) << shape.name << " at " << ppm;
    }
    EXPECT_EQ(histogram.count(), sorted.size());
    EXPECT_EQ(histogram.min().count(), sorted.front());
    EXPECT_EQ(histogram.max().count(), sorted.back());
    EXPECT_EQ(histogram.percentile(1'000'000), histogram.max());
    EXPECT_TRUE(histogram.sum() == sum);
    EXPECT_EQ(histogram.mean(), static_cast<double>(sum) / static_cast<double>(sorted.size()));
  }
}

TEST(Histogram, MergedIsTheSameAsCombined) {
  Histogram all;
  Histogram merged;
  for (const Shape& shape : shapes()) {
    Random random{4, shape.name};
    Histogram part;
    for (int i = 0; i < 5000; ++i) {
      const Duration value{shape.draw(random)};
      part.add(value);
      all.add(value);
    }
    merged.merge(part);
    merged.merge(Histogram{});  // nothing
  }
  EXPECT_EQ(merged.count(), all.count());
  EXPECT_EQ(merged.min(), all.min());
  EXPECT_EQ(merged.max(), all.max());
  EXPECT_TRUE(merged.sum() == all.sum());
  for (std::uint64_t ppm = 0; ppm <= 1'000'000; ppm += 500) ASSERT_EQ(merged.percentile(ppm), all.percentile(ppm)) << ppm;
}

TEST(Histogram, Edges) {
  Histogram histogram;
  EXPECT_EQ(histogram.percentile(500'000), Duration{});
  EXPECT_EQ(histogram.mean(), 0.0);
  histogram.add(7us, 0);  // none
  EXPECT_EQ(histogram.count(), 0U);
  histogram.add(5us);
  histogram.add(1us, 0);
  histogram.add(9us, 0);
  EXPECT_EQ(histogram.min(), 5us);
  EXPECT_EQ(histogram.max(), 5us);
  EXPECT_EQ(histogram.percentile(1), 5us);  // alone, a sample is exact: clamped
  histogram.add(5us, 9);
  EXPECT_EQ(histogram.count(), 10U);
  EXPECT_EQ(histogram.mean(), 5e6);
  histogram.add(Duration::max());
  EXPECT_EQ(histogram.percentile(1'000'000), Duration::max());
  EXPECT_EQ(histogram.percentile(500'000), histogram.percentile(900'000));
  histogram.clear();
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.max(), Duration{});
}

TEST(Stats, TheTreeFindsItsMembers) {
  Group drive{"drive"};
  Group die{"die", drive};
  Counter reads{die, "reads", Unit::count, "pages read"};
  Busy array{die, "array", 2, "sensing or programming"};
  ++reads;
  reads += 2;
  array += 30us;
  ASSERT_EQ(drive.children().size(), 1U);
  ASSERT_EQ(drive.children()[0]->counters().size(), 1U);
  EXPECT_EQ(drive.children()[0]->counters()[0]->value, 3U);
  EXPECT_TRUE(drive.counters().empty());
  EXPECT_EQ(array.utilisation(60us), 0.25);
  EXPECT_EQ(array.utilisation(Duration{}), 0.0);
}

}  // namespace
}  // namespace flashpath::stats

// SPDX-License-Identifier: Apache-2.0
// Stages partition the latency of a request, whatever happened to its pieces.
#include "base/journey.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace flashpath {
namespace {

constexpr Time at(std::int64_t ps) { return Time{Duration{ps}}; }

TEST(Journey, MarksCloseWhatWentBefore) {
  Journey journey{at(100)};
  journey.mark(Stage::fabric, at(110));
  journey.mark(Stage::sense, at(150));
  journey.mark(Stage::fabric, at(151));
  EXPECT_EQ(journey[Stage::fabric], 11_ps);
  EXPECT_EQ(journey[Stage::sense], 40_ps);
  EXPECT_EQ(journey[Stage::ecc], 0_ps);
  EXPECT_EQ(journey.begin(), at(100));
  EXPECT_EQ(journey.total(), 51_ps);
}

TEST(Journey, NeverGoesBack) {
  Journey journey{at(100)};
  journey.mark(Stage::map, at(120));
  journey.mark(Stage::ecc, at(119));
  journey.mark(Stage::ecc, at(120));
  EXPECT_EQ(journey[Stage::ecc], 0_ps);
  EXPECT_EQ(journey.at(), at(120));
  journey.mark(Stage::ecc, at(121));
  EXPECT_EQ(journey[Stage::ecc], 1_ps);
}

void wander(Journey& journey, Random& random) {
  for (std::uint64_t n = random.below(10); n != 0; --n) {
    const auto stage = static_cast<Stage>(random.below(stage_count));
    journey.mark(stage, journey.at() + Duration{static_cast<std::int64_t>(random.below(1000)) - 100});
  }
}

TEST(Journey, StagesSumToTheTotalThroughFanOutAndJoin) {
  Random random{7, "journey"};
  for (int round = 0; round < 2000; ++round) {
    Journey whole{at(static_cast<std::int64_t>(random.below(1'000'000)))};
    const Time begin = whole.begin();
    for (int fork = 0; fork < 3; ++fork) {
      wander(whole, random);
      std::vector<Journey> pieces(1 + random.below(5), whole);
      for (Journey& piece : pieces) wander(piece, random);
      whole = *std::max_element(pieces.begin(), pieces.end(), [](const Journey& a, const Journey& b) { return a.at() < b.at(); });
      ASSERT_EQ(whole.sum(), whole.total());
    }
    ASSERT_EQ(whole.begin(), begin);
    ASSERT_EQ(whole.sum(), whole.at() - begin);
  }
}

TEST(Journey, EveryStageHasItsOwnName) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < stage_count; ++i) names.insert(name_of(static_cast<Stage>(i)));
  EXPECT_EQ(names.size(), stage_count);
  EXPECT_FALSE(names.contains(""));
  EXPECT_EQ(name_of(Stage::fabric), "fabric");
  EXPECT_EQ(name_of(Stage::sense), "sense");
  EXPECT_EQ(name_of(Stage::completion), "completion");
}

}  // namespace
}  // namespace flashpath

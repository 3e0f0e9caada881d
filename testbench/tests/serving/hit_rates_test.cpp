// SPDX-License-Identifier: Apache-2.0
// The published logs against ratios computed by an independent script: equal to the last digit.
#include "serving/hit_rates.h"

#include <nlohmann/json.hpp>

#include "replay/mooncake.h"
#include "serving/support.h"

namespace flashpath::serving_test {
namespace {

using serving::hit_rates;
using serving::HitRates;
using serving::LruCache;
using serving::TouchOrder;

void compare(const std::string& name) {
  const std::string log_file = shared_file("traces/" + name + ".jsonl.zst");
  const std::string reference_file = shared_file("traces/reference_hit_rates.json");
  if (log_file.empty() || reference_file.empty())
    GTEST_SKIP() << "the published log " << name << " or its reference ratios are not on this machine (FLASHPATH_SHARED)";
  const auto log = replay::read_mooncake(log_file, {.strict = true, .jitter = false});
  const auto reference = nlohmann::json::parse(std::ifstream{reference_file}).at("traces").at(name + ".jsonl");
  EXPECT_EQ(log.requests.size(), reference.at("basic").at("requests").get<std::size_t>());
  EXPECT_EQ(log.ids.size(), reference.at("blocks").at("total_blocks").get<std::size_t>());
  int compared = 0;
  for (const auto& [rule, order] : {std::pair{"lru", TouchOrder::head_first}, {"lru_tail_first", TouchOrder::tail_first}}) {
    for (const char* capacity : {"1000", "10000", "30000", "50000", "100000", "inf"}) {
      const auto& expected = reference.at("blocks").at("policies").at(rule).at(capacity);
      const HitRates got = hit_rates(log, std::string(capacity) == "inf" ? LruCache<>::unlimited : std::stoull(capacity), order);
      EXPECT_EQ(got.block_level(), expected.at("block_level").get<double>()) << rule << " " << capacity;
      EXPECT_EQ(got.strict_prefix(), expected.at("strict_prefix").get<double>()) << rule << " " << capacity;
      EXPECT_EQ(got.token_weighted(), expected.at("token_weighted").get<double>()) << rule << " " << capacity;
      compared += 3;
    }
  }
  EXPECT_EQ(compared, 36);
}

TEST(HitRates, mooncake_conversation_to_every_digit) { compare("mooncake_conversation"); }
TEST(HitRates, mooncake_synthetic_to_every_digit) { compare("mooncake_synthetic"); }

TEST(HitRates, by_hand) {
  LogMaker maker;
  maker.add({}, 1300, 1, {1, 2, 3}).add({}, 1300, 1, {1, 2, 4}).add({}, 1300, 1, {5, 2, 3});
  const HitRates all = hit_rates(maker.log, LruCache<>::unlimited, TouchOrder::head_first);
  EXPECT_EQ(all.hits, 4U);
  EXPECT_EQ(all.prefix_hits, 2U) << "5 is new: 2 and 3 behind it do not count";
  EXPECT_EQ(all.hit_tokens, 1024U);
  // Room for two. Head first leaves {2, 3}, then {2, 4}; tail first leaves {2, 1}, then again {2, 1}.
  EXPECT_EQ(hit_rates(maker.log, 2, TouchOrder::head_first).hits, 2U);
  EXPECT_EQ(hit_rates(maker.log, 2, TouchOrder::head_first).prefix_hits, 0U);
  EXPECT_EQ(hit_rates(maker.log, 2, TouchOrder::tail_first).hits, 3U);
  EXPECT_EQ(hit_rates(maker.log, 2, TouchOrder::tail_first).prefix_hits, 2U);
}

TEST(HitRates, the_partial_last_block_counts_its_tokens) {
  LogMaker maker;
  maker.add({}, 700, 1, {1, 2}).add({}, 700, 1, {1, 2});
  EXPECT_EQ(hit_rates(maker.log, 10, TouchOrder::head_first).hit_tokens, 700U);
  EXPECT_EQ(hit_rates(maker.log, 10, TouchOrder::head_first).full_hits, 1U);
}

TEST(HitRates, the_bundled_sample_looks_like_the_published_log) {
  const auto log = replay::read_mooncake(std::string(FLASHPATH_SOURCE) + "/traces/samples/conversation_small.jsonl", {.strict = true});
  EXPECT_EQ(log.requests.size(), 300U);
  EXPECT_EQ(log.report.grid, std::chrono::seconds{3});
  const HitRates got = hit_rates(log, LruCache<>::unlimited, TouchOrder::head_first);
  EXPECT_NEAR(got.strict_prefix(), 0.3664, 0.02);
  EXPECT_NEAR(static_cast<double>(got.tokens) / 300.0, 12'035.0, 1'000.0);
}

}  // namespace
}  // namespace flashpath::serving_test

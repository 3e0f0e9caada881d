// SPDX-License-Identifier: Apache-2.0
// Whole logs: the hits are those of the cache without time, and nothing is lost on the way.
#include <algorithm>

#include "base/random.h"
#include "replay/mooncake.h"
#include "serving/cluster_support.h"
#include "serving/hit_rates.h"

namespace flashpath::serving_test {
namespace {

replay::Log sample() { return replay::read_mooncake(std::string(FLASHPATH_SOURCE) + "/traces/samples/conversation_small.jsonl"); }

/// So slow that every request has finished, and is stored, before the next.
replay::Log one_at_a_time(replay::Log log) {
  for (std::size_t i = 0; i < log.requests.size(); ++i) log.requests[i].arrival = static_cast<std::int64_t>(i) * 300s;
  return log;
}

/// Conversations of a few turns with random lengths; ids shared by turns, block 0 by all.
replay::Log random_log(std::uint64_t seed, std::size_t requests, Duration mean_gap) {
  Random random{seed, "random_log"};
  LogMaker maker;
  std::vector<std::vector<std::uint64_t>> talks;
  std::uint64_t next_id = 1;
  Duration at{};
  for (std::size_t i = 0; i < requests; ++i) {
    at += Duration{static_cast<std::int64_t>(random.below(2 * static_cast<std::uint64_t>(mean_gap.count())))};
    std::vector<std::uint64_t> ids = {0};
    if (!talks.empty() && random.below(2) == 0) ids = talks[random.below(talks.size())];
    for (std::uint64_t n = random.below(12); n > 0; --n) ids.push_back(next_id++);
    if (ids.size() > 60) ids = {0};
    talks.push_back(ids);
    const auto input = static_cast<std::uint32_t>(512 * (ids.size() - 1) + 1 + random.below(512));
    maker.add(at, input, static_cast<std::uint32_t>(random.below(300)), ids);
  }
  return std::move(maker.log);
}

TEST(ClusterHits, an_unlimited_store_hits_what_an_unlimited_cache_hits) {
  const replay::Log log = one_at_a_time(sample());
  Trial run{bare()};
  run.play(log);
  const HitRates expected = hit_rates(log, LruCache<>::unlimited, TouchOrder::tail_first);
  const ServingStats& s = run.cluster.stats();
  EXPECT_EQ(s.g35.blocks.value, expected.prefix_hits);
  EXPECT_EQ(s.g35.tokens.value, expected.hit_tokens - expected.full_hits) << "one token of a full hit is computed";
  EXPECT_EQ(s.blocks.value, expected.references);
  EXPECT_EQ(s.g35.read.value, expected.prefix_hits * run.cluster.layout().block().count);
  EXPECT_EQ(s.g35.written.value, (expected.references - expected.hits) * run.cluster.layout().block().count);
}

TEST(ClusterHits, accelerator_memory_hits_what_a_cache_of_its_size_hits) {
  const replay::Log log = one_at_a_time(sample());
  for (const std::uint64_t blocks : {100U, 1000U, 2000U}) {
    ServingConfig config = bare();
    config.g1 = blocks * 167'772'160_B;
    Trial run{config, false};
    run.play(log);
    const HitRates expected = hit_rates(log, blocks, TouchOrder::tail_first);
    EXPECT_EQ(run.cluster.stats().g1.blocks.value, expected.prefix_hits) << blocks;
  }
}

TEST(ClusterHits, tiers_together_hit_what_the_largest_does) {
  const replay::Log log = one_at_a_time(sample());
  ServingConfig config = bare();
  config.g1 = 100 * 167'772'160_B;
  config.g2 = 700 * 167'772'160_B;
  Trial run{config};
  run.play(log);
  const ServingStats& s = run.cluster.stats();
  EXPECT_EQ(s.g1.blocks.value + s.g2.blocks.value + s.g35.blocks.value,
            hit_rates(log, LruCache<>::unlimited, TouchOrder::tail_first).prefix_hits);
  EXPECT_GT(s.g1.blocks.value, 0U);
  EXPECT_GT(s.g2.blocks.value, 0U);
  EXPECT_GT(s.g35.blocks.value, 0U);
}

TEST(ClusterLaws, hold_for_random_logs) {
  for (const std::uint32_t instances : {1U, 4U}) {
    for (const bool tells : {true, false}) {
      const replay::Log log = random_log(instances, 1000, 150ms);
      ServingConfig config;
      config.instances = instances;
      config.g1 = 20 * 167'772'160_B;
      config.g2 = 60 * 167'772'160_B;
      config.max_loads = 7;
      config.max_stores = 5;
      config.max_batch = 8;
      Trial run{config,
                true,
                {.read = 20_GBps, .write = 15_GBps, .read_latency = 100us, .write_latency = 20us, .capacity = 3000, .tells = tells}};
      run.cluster.replay(log);
      for (int i = 1; i < 20; ++i) {
        run.agenda.run_until(Time{i * 8s});
        EXPECT_EQ(run.broken(), "") << "in the middle, after " << i * 8 << " s";
      }
      run.agenda.run();
      EXPECT_TRUE(run.cluster.done());
      EXPECT_EQ(run.broken(), "");
      EXPECT_EQ(run.records.size(), 1000U);
      const ServingStats& s = run.cluster.stats();
      EXPECT_GT(s.loads_hit.value, 1000U);
      EXPECT_EQ(s.evictions.value > 0, tells);
      EXPECT_LE(s.most_stores, 5U * instances);
      EXPECT_EQ(run.store.read_bytes().count, s.g35.read.value);
      EXPECT_EQ(run.store.written_bytes().count, s.g35.written.value);
      if (!tells) { EXPECT_GT(s.recomputed.value, 0U) << "a silent device is found out by its misses"; }
      for (const RequestRecord& r : run.records) ASSERT_EQ(r.ttft, r.queue + r.prefill + r.load_wait);
    }
  }
}

TEST(ClusterLaws, the_same_run_twice_is_the_same) {
  const replay::Log log = random_log(9, 300, 100ms);
  std::string text[2];
  for (std::string& t : text) {
    ServingConfig config;
    config.instances = 3;
    Trial run{config};
    run.play(log);
    for (const RequestRecord& r : run.records) t += r.csv() + "\n";
  }
  EXPECT_EQ(text[0], text[1]);
}

TEST(ClusterLaws, a_shared_system_prompt_does_not_send_all_to_one_instance) {
  replay::Log log = sample();
  ServingConfig config;
  Trial run{config, true, {400_GBps, 400_GBps, 100us, 100us}};
  run.play(log);
  std::vector<int> served(config.instances);
  for (const RequestRecord& r : run.records) ++served[r.instance];
  for (const int n : served) EXPECT_GT(n, 30) << "of 300 on 4";
}

/// A device that never answers.
class Silence final : public Store {
 public:
  void load(Time, const ObjectKey&, Bytes, std::uint32_t, StoreClient&, std::uint64_t) override {}
  void store(Time, const ObjectKey&, Bytes, std::uint32_t, StoreClient&, std::uint64_t) override {}
};

TEST(ClusterLaws, a_store_that_never_answers_is_named) {
  Agenda agenda;
  Silence silence;
  ServingConfig config = bare();
  config.max_stores = 4;
  Cluster cluster{agenda, config, &silence};
  const LogMaker maker = LogMaker{}.add(0_ps, 600, 1, {1, 2});
  cluster.replay(maker.log);
  agenda.run();
  EXPECT_FALSE(cluster.done());
  EXPECT_EQ(cluster.stores_in_flight(), 4U);
  Stall stall;
  cluster.describe(stall);
  ASSERT_EQ(stall.lines().size(), 2U);
  EXPECT_TRUE(contains(stall.lines()[0], "4 stores wait for the flash tier"));
  EXPECT_TRUE(contains(stall.lines()[1], "16 stores wait for a place in the instance's window of stores"));
}

TEST(ClusterLaws, a_log_of_other_blocks_is_refused) {
  Agenda agenda;
  ServingConfig config = bare();
  config.block_tokens = 256;
  Cluster cluster{agenda, config, nullptr};
  const replay::Log log = sample();
  EXPECT_TRUE(contains(errors_of([&] { cluster.replay(log); }), "serving.block_tokens = 256: the log's blocks have 512"));
}

TEST(ClusterScale, the_published_hour_replays_in_seconds) {
  const std::string path = shared_file("traces/mooncake_conversation.jsonl.zst");
  if (path.empty()) GTEST_SKIP() << "the published log is not on this machine (FLASHPATH_SHARED)";
  const replay::Log log = replay::read_mooncake(path);
  Trial run{bare(), true, {400_GBps, 400_GBps, 100us, 100us}};
  run.play(log);
  // Jitter reorders requests within 3 s only; with matches extended at prefill nothing that a cache without time hits is missed.
  EXPECT_NEAR(static_cast<double>(run.cluster.stats().g35.blocks.value) / static_cast<double>(log.ids.size()), 0.36641, 0.0005);
}

}  // namespace
}  // namespace flashpath::serving_test

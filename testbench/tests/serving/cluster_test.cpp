// SPDX-License-Identifier: Apache-2.0
// The serving model against its closed forms, to the picosecond.
#include "serving/cluster.h"

#include "serving/cluster_support.h"

namespace flashpath::serving_test {
namespace {

constexpr std::uint32_t groups = 10;  // llama-3.1-70b in 16 MiB objects

TEST(Cluster, one_request_is_overhead_plus_prefill_plus_steps) {
  ServingConfig config = bare();
  config.prefill_overhead = 7ms;
  config.decode_overhead = 2ms;
  Trial run{config, false};
  run.play(LogMaker{}.add(0_ps, 1300, 11, {1, 2, 3}).log);
  const RequestRecord& r = run.of(1);
  EXPECT_EQ(r.ttft, 7ms + run.cluster.roofline().prefill(1300, 0));
  EXPECT_EQ(r.queue, 0_ps);
  EXPECT_EQ(r.load_wait, 0_ps);
  const Duration step = 2ms + run.cluster.roofline().decode_step(1, 1305);
  EXPECT_EQ(r.tpot, step);
  EXPECT_EQ(r.e2e, r.ttft + 10 * step);
  EXPECT_EQ(run.cluster.stats().computed_tokens.value, 1300U);
}

TEST(Cluster, one_token_needs_no_decode) {
  Trial run{bare(), false};
  run.play(LogMaker{}.add(0_ps, 100, 1, {1}).add(1s, 100, 0, {1}).log);
  EXPECT_EQ(run.of(1).e2e, run.of(1).ttft);
  EXPECT_EQ(run.of(2).tpot, 0_ps);
  EXPECT_EQ(run.cluster.stats().tpot.count(), 0U);
}

TEST(Cluster, prefill_is_first_come_first_served) {
  Trial run{bare(), false};
  run.play(LogMaker{}.add(0_ps, 5000, 1, ids_from(0, 10)).add(0_ps, 300, 1, {20}).add(1ms, 600, 1, {30, 31}).log);
  const Roofline& r = run.cluster.roofline();
  EXPECT_EQ(run.of(1).queue, 0_ps);
  EXPECT_EQ(run.of(2).queue, r.prefill(5000, 0));
  EXPECT_EQ(run.of(2).ttft, r.prefill(5000, 0) + r.prefill(300, 0));
  EXPECT_EQ(run.of(3).ttft, r.prefill(5000, 0) + r.prefill(300, 0) + r.prefill(600, 0) - 1ms);
}

/// Everything but `fresh` tokens of the second request is in the store: b per group to load, c to compute.
void layerwise(Rate rate, Duration latency, std::uint32_t fresh, Duration load_per_object) {
  Trial run{bare(), true, {rate, 1000_GBps, latency}};
  const auto ids = ids_from(0, 8 + ceil_div(fresh, 512));
  run.play(LogMaker{}.add(0_ps, 4096, 1, ids_from(0, 8)).add(100s, 4096 + fresh, 1, ids).log);
  const RequestRecord& r = run.of(2);
  const std::uint32_t cached = fresh == 0 ? 4095 : 4096;
  EXPECT_EQ(r.g35_tokens, cached) << "at least one token is computed";
  const Duration whole = run.cluster.roofline().prefill(4096 + fresh, cached);
  const Duration c = whole / groups, b = 8 * load_per_object;
  const Duration last = whole - whole * (groups - 1) / groups;  // c, with the rounding of the division
  EXPECT_NEAR(static_cast<double>((r.ttft - latency - overlapped(groups, b, c)).count()), 0.0, groups);
  EXPECT_EQ(r.ttft, latency + (b > c ? groups * b + last : b + whole));
  EXPECT_EQ(r.prefill, whole);
  EXPECT_EQ(r.load_wait, r.ttft - whole);
}

TEST(Cluster, loading_overlaps_prefill_layer_by_layer) {
  layerwise(object_per_ms, 0_ps, 0, 1ms);                  // loading is everything
  layerwise(object_per_ms, 300us, 0, 1ms);                 // and a latency in front, once
  layerwise(object_per_ms, 0_ps, 2000, 1ms);               // b = 8 ms, c a little above
  layerwise(Rate{167'772'160'000}, 100us, 20'000, 100us);  // computing is everything
}

TEST(Cluster, a_small_window_costs_a_latency_per_object) {
  ServingConfig config = bare();
  config.max_loads = 1;
  Trial run{config, true, {object_per_ms, 1000_GBps, 250us}};
  run.play(LogMaker{}.add(0_ps, 2048, 1, ids_from(0, 4)).add(100s, 2048, 1, ids_from(0, 4)).log);
  EXPECT_EQ(run.of(2).load_wait + run.of(2).prefill - run.of(2).ttft, 0_ps);
  const Duration whole = run.cluster.roofline().prefill(2048, 2047);
  EXPECT_EQ(run.of(2).ttft, 4 * groups * 1250us + (whole - whole * 9 / 10));
  EXPECT_EQ(run.cluster.stats().most_loads, 1U);
  EXPECT_EQ(run.cluster.stats().load_latency.max(), 1250us);
}

TEST(Cluster, host_memory_is_a_pipe_of_its_own) {
  ServingConfig config = bare();
  config.g2 = 1_TB;
  config.g2_bandwidth = object_per_ms;
  Trial run{config, false};
  run.play(LogMaker{}.add(0_ps, 2048, 1, ids_from(0, 4)).add(100s, 2048, 1, ids_from(0, 4)).log);
  const Duration whole = run.cluster.roofline().prefill(2048, 2047);
  EXPECT_EQ(run.of(2).g2_tokens, 2047U);
  EXPECT_EQ(run.of(2).ttft, 4 * groups * 1ms + (whole - whole * 9 / 10));
  EXPECT_EQ(run.cluster.stats().g2.read.value, 4 * run.cluster.layout().block().count);
  EXPECT_EQ(run.cluster.stats().g2.written.value, 4 * run.cluster.layout().block().count);
}

TEST(Cluster, accelerator_memory_is_free) {
  ServingConfig config = bare();
  config.g1 = config.g2 = 100_GB;
  Trial run{config};
  run.play(LogMaker{}.add(0_ps, 2048, 1, ids_from(0, 4)).add(100s, 2048, 1, ids_from(0, 4)).log);
  EXPECT_EQ(run.of(2).g1_tokens, 2047U);
  EXPECT_EQ(run.of(2).ttft, run.cluster.roofline().prefill(2048, 2047));
  EXPECT_EQ(run.cluster.stats().loads_hit.value, 0U) << "the nearest tier serves";
}

TEST(Cluster, the_match_is_extended_when_prefill_begins) {
  // The second turn arrives while the first is being computed: nothing matches yet, everything does at its turn.
  ServingConfig config = bare();
  config.g1 = config.g2 = 100_GB;
  Trial run{config, false};
  run.play(LogMaker{}.add(0_ps, 5120, 1, ids_from(0, 10)).add(1ms, 5632, 1, ids_from(0, 11)).log);
  EXPECT_EQ(run.of(2).g1_tokens, 5120U);
  EXPECT_EQ(run.of(2).prefill, run.cluster.roofline().prefill(5632, 5120));
}

TEST(Cluster, a_batch_of_two_by_hand) {
  Trial run{bare(), false};
  run.play(LogMaker{}.add(0_ps, 1000, 101, {1, 2}).add(0_ps, 1000, 101, {3, 4}).log);
  const Roofline& r = run.cluster.roofline();
  const Duration p = r.prefill(1000, 0), s1 = r.decode_step(1, 1050), s2 = r.decode_step(2, 2100);
  const auto k = static_cast<std::int64_t>(ceil_div(static_cast<std::uint64_t>(p.count()), static_cast<std::uint64_t>(s1.count())));
  ASSERT_LT(k, 100);
  const Duration first_ends = p + k * s1 + (100 - k) * s2;
  EXPECT_EQ(run.of(1).e2e, first_ends);
  EXPECT_EQ(run.of(2).e2e, first_ends + k * s1) << "the newcomer joined at step k, and makes its last k steps alone";
}

TEST(Cluster, a_full_batch_makes_others_wait) {
  ServingConfig config = bare();
  config.max_batch = 1;
  Trial run{config, false};
  run.play(LogMaker{}.add(0_ps, 100, 1001, {1}).add(0_ps, 100, 11, {2}).log);
  const Roofline& r = run.cluster.roofline();
  const Duration first_ends = r.prefill(100, 0) + 1000 * r.decode_step(1, 600);
  EXPECT_EQ(run.of(1).e2e, first_ends);
  EXPECT_EQ(run.of(2).e2e, first_ends + 10 * r.decode_step(1, 105));
}

TEST(Cluster, a_silent_eviction_is_recomputed_and_stored_again) {
  for (const std::uint32_t missing_group : {0U, 5U, 9U}) {
    ServingConfig config = bare();
    config.max_loads = 8;  // a layer group at a time: the miss comes when the groups before it are computed
    Trial run{config, true, {.read = object_per_ms, .write = object_per_ms, .tells = false}};
    LogMaker maker;
    maker.add(0_ps, 4096, 1, ids_from(0, 8)).add(100s, 4096, 1, ids_from(0, 8)).add(200s, 4096, 1, ids_from(0, 8));
    run.cluster.replay(maker.log);
    run.agenda.run_until(Time{50s});
    const ObjectLayout& layout = run.cluster.layout();
    run.store.drop(run.agenda.now(), layout.key(layout.block_key(3), missing_group));
    run.agenda.run();
    EXPECT_TRUE(run.cluster.done());
    EXPECT_EQ(run.broken(), "");
    EXPECT_EQ(run.of(2).g35_tokens, 3 * 512U) << "the hit ends before the block that is gone";
    EXPECT_EQ(run.of(2).prefill, run.cluster.roofline().prefill(4096, 3 * 512))
        << "all layers of the rest are computed, whenever the miss came";
    EXPECT_EQ(run.cluster.stats().loads_missed.value, 1U);
    EXPECT_EQ(run.cluster.stats().recomputed.value, 1U);
    EXPECT_EQ(run.cluster.stats().stores_kept.value, (8 + 1) * groups) << "the lost block is stored once more";
    EXPECT_EQ(run.of(3).g35_tokens, 4095U);
  }
}

TEST(Cluster, an_announced_eviction_is_not_asked_for) {
  Trial run{bare()};
  LogMaker maker;
  maker.add(0_ps, 4096, 1, ids_from(0, 8)).add(100s, 4096, 1, ids_from(0, 8));
  run.cluster.replay(maker.log);
  run.agenda.run_until(Time{50s});
  run.store.drop(run.agenda.now(), run.cluster.layout().key(run.cluster.layout().block_key(3), 9));
  run.agenda.run();
  EXPECT_EQ(run.of(2).g35_tokens, 3 * 512U);
  EXPECT_EQ(run.cluster.stats().loads_missed.value, 0U);
  EXPECT_EQ(run.cluster.stats().loads_hit.value, 3U * groups);
}

TEST(Cluster, nothing_is_stored_twice_and_every_id_is_a_full_block) {
  ServingConfig config = bare();
  config.instances = 2;
  Trial run{config};
  run.play(LogMaker{}.add(0_ps, 1025, 1, {1, 2, 3}).add(0_ps, 1025, 1, {1, 2, 3}).add(50s, 1025, 1, {1, 2, 3}).log);
  EXPECT_NE(run.of(1).instance, run.of(2).instance);
  EXPECT_EQ(run.cluster.stats().g35.written.value, 3 * run.cluster.layout().block().count) << "the partial third block too";
  EXPECT_EQ(run.of(3).g35_tokens, 1024U);
}

TEST(Cluster, policies) {
  LogMaker maker;
  maker.add(0_ps, 2048, 1, ids_from(0, 4)).add(100s, 2048, 1, ids_from(0, 4));
  ServingConfig never = bare();
  never.load_policy = "never";
  Trial a{never};
  a.play(maker.log);
  EXPECT_EQ(a.of(2).ttft, a.cluster.roofline().prefill(2048, 0));
  EXPECT_EQ(a.cluster.stats().stores_kept.value, 4U * groups);
  ServingConfig read_only = bare();
  read_only.write_through = false;
  Trial b{read_only};
  b.play(maker.log);
  EXPECT_EQ(b.cluster.stats().stores_kept.value, 0U);
  EXPECT_EQ(b.of(2).g35_tokens, 0U);
}

TEST(Cluster, a_record_is_one_line) {
  Trial run{bare(), false};
  run.play(LogMaker{}.add(0_ps, 100, 1, {1}).log);
  const std::string header = RequestRecord::csv_header(), line = run.of(1).csv();
  EXPECT_EQ(std::count(header.begin(), header.end(), ','), std::count(line.begin(), line.end(), ','));
  EXPECT_EQ(line.substr(0, 30), "1,0,0.000000,100,1,0,0,0,0.000");
}

}  // namespace
}  // namespace flashpath::serving_test

// SPDX-License-Identifier: Apache-2.0
// Reads that need further senses, in the array: closed forms to the picosecond, who goes first meanwhile, and what wear does to the tail.
#include "models/nand_fixture.h"

namespace flashpath::nand {
namespace {

/// No wear, no failures, no bad blocks; nothing but what a test adds.
Config sound_config() {
  Config c = plain_config();
  ReliabilityConfig& r = c.reliability;
  r.enabled = true;
  r.rber_fresh = r.read_disturb = r.variation = r.factory_bad = r.program_failures = r.erase_failures = 0;
  r.rber_lower = r.rber_middle = r.rber_upper = 1;
  r.wear_exponent = 1;
  r.wear = 0;
  r.initial_pe = 1;
  r.decode_latency = 700ns;
  r.iteration_latency = 50ns;
  r.soft_latency = 9us;
  return c;
}

/// The steps are so far apart that exactly `retries` are needed: at the last 91 errors in 32768 bits are expected, 180 are
/// corrected, before it 245.
Config needing(unsigned retries) {
  Config c = sound_config();
  c.reliability.retry_gain = 1.0 / 3;
  c.reliability.wear = 0.0028;
  for (unsigned r = 0; r < retries; ++r) c.reliability.wear *= 3;
  return c;
}

constexpr Duration hard(std::uint32_t iterations) { return 700ns + iterations * Duration{50ns}; }

TEST(NandRetry, ReadWithoutErrorsTakesOneIteration) {
  ArrayUnderTest t{sound_config()};
  TestOp& r = t.read(Time{}, 0, 0, 4_KiB);
  t.run();
  EXPECT_EQ(r.answered - Time{}, 1us + 30us + 1us + 4096ns + hard(1));
  EXPECT_EQ(r.op.retries, 0);
  EXPECT_FALSE(r.op.refresh);
  EXPECT_EQ(r.op.journey[Stage::ecc], hard(1));
  t.expect_lawful();
}

TEST(NandRetry, EachRetryIsCommandSenseTransferAndDecode) {
  for (unsigned k = 1; k <= 4; ++k) {
    for (const unsigned n : {1U, 4U}) {
      for (const unsigned page : {0U, 2U}) {
        ArrayUnderTest t{needing(k)};
        TestOp& r = t.read(Time{}, 0, 1, n * 4_KiB, 1, page);
        t.run();
        const Duration t_r = page == 0 ? 30us : 50us;
        const Duration failed = 1us + t_r + 1us + n * Duration{4096ns} + hard(20);
        EXPECT_EQ(r.answered - Time{}, k * failed + 1us + t_r + 1us + 4096ns + hard(20)) << k << " retries, " << n << " codewords";
        EXPECT_EQ(r.op.stream.last - Time{}, (k + 1) * failed);
        EXPECT_EQ(r.op.retries, k);
        EXPECT_EQ(r.op.status, OpStatus::ok);
        EXPECT_EQ(r.op.journey[Stage::sense], (k + 1) * t_r);
        EXPECT_EQ(r.op.journey[Stage::die_wait] + r.op.journey[Stage::channel_wait], 0ns);
        const ReliabilityStatistics& s = t.model.reliability()->statistics();
        EXPECT_EQ(s.retries.value, k);
        EXPECT_EQ(s.retried.value, 1U);
        EXPECT_EQ(s.retried_latency.max(), r.answered - Time{});
        EXPECT_EQ(t.model.reliability()->reads({0}, {0}, 1), k + 1) << "each sense disturbs";
        EXPECT_EQ(t.model.statistics().channel_bytes.value, (k + 1) * n * 4096);
        EXPECT_EQ(t.model.array_busy({0}, t.agenda.now()), (k + 1) * t_r);
        t.expect_lawful();
      }
    }
  }
}

TEST(NandRetry, SoftDecodingNeedsItsSensesAndNothingIsDecodedBetween) {
  for (const bool hopeless : {false, true}) {
    Config c = sound_config();
    c.reliability.retry_gain = 1;
    c.reliability.retry_steps = 2;
    c.reliability.soft_senses = 3;
    c.reliability.wear = hopeless ? 0.03 : 0.01;  // 983 or 328 errors; hard corrects 180, soft 480
    ArrayUnderTest t{c};
    TestOp& r = t.read(Time{}, 0, 0, 4_KiB);
    t.run();
    const Duration sense = 1us + 30us + 1us + 4096ns;
    EXPECT_EQ(r.answered - Time{}, 3 * (sense + hard(20)) + 3 * sense + 9us);
    EXPECT_EQ(r.op.retries, 5);
    EXPECT_EQ(r.op.status, hopeless ? OpStatus::uncorrectable : OpStatus::ok);
    const ReliabilityStatistics& s = t.model.reliability()->statistics();
    EXPECT_EQ(s.soft_decoded.value, hopeless ? 0U : 1U);
    EXPECT_EQ(s.uncorrectable.value, hopeless ? 1U : 0U);
    t.expect_lawful();
  }
}

TEST(NandRetry, WithoutSoftDecoderTheLastRetryDecides) {
  Config c = sound_config();
  c.reliability.retry_gain = 1;
  c.reliability.retry_steps = 2;
  c.reliability.soft_senses = 0;
  c.reliability.wear = 0.01;
  ArrayUnderTest t{c};
  TestOp& r = t.read(Time{}, 0, 0, 4_KiB);
  t.run();
  EXPECT_EQ(r.op.status, OpStatus::uncorrectable);
  EXPECT_EQ(r.op.retries, 2);
  EXPECT_EQ(r.answered - Time{}, 3 * (1us + 30us + 1us + 4096ns + hard(20)));
}

TEST(NandRetry, TheRetryGoesBeforeWaitingReadsAndTheDieWorksMeanwhile) {
  Config c = needing(1);
  c.reliability.rber_middle = 0.01;  // middle pages decode at once
  ArrayUnderTest t{c};
  TestOp& weak = t.read(Time{}, 0, 0, 4_KiB, 1, 0);
  TestOp& second = t.read(Time{} + 1us, 0, 0, 4_KiB, 1, 1);
  TestOp& third = t.read(Time{} + 2us, 0, 0, 4_KiB, 1, 4);
  TestOp& elsewhere = t.read(Time{} + 3us, 0, 3, 4_KiB, 1, 1);
  t.run();
  const Duration out = 1us + 4096ns;
  const Duration first_end = 1us + 30us + out;  // its plane is free, its decoder still at work
  const Duration second_end = first_end + 1us + 40us + out;
  EXPECT_EQ(second.answered - Time{}, second_end + hard(1));
  EXPECT_EQ(weak.answered - Time{}, second_end + 1us + 30us + out + hard(20));
  EXPECT_EQ(third.answered - Time{}, second_end + 1us + 30us + out + 1us + 40us + out + hard(1));
  EXPECT_LT(elsewhere.answered, second.answered) << "another plane is not kept waiting";
  EXPECT_EQ(weak.op.journey[Stage::die_wait], second_end - first_end - hard(20));
  t.expect_lawful();
}

TEST(NandRetry, AProgramThatBeganMeanwhileIsNotInterrupted) {
  ArrayUnderTest t{needing(1)};
  TestOp& weak = t.read(Time{}, 0, 0, 4_KiB);
  TestOp& program = t.program(Time{} + 31us + 5096ns + 500ns, 0);  // the die is idle: it begins while the decoder works
  t.run();
  const Duration data = 1300ns + 12 * Duration{16'384ns};
  EXPECT_EQ(program.answered - Time{}, 31us + 5096ns + 500ns + data + 1ms) << "not interrupted";
  EXPECT_EQ(weak.answered - Time{}, program.answered - Time{} + 36'096ns + hard(20));
  t.expect_lawful();
}

TEST(NandRetry, DeepQueuesLoseNothing) {
  Config c = plain_config();
  c.channels = 2;
  c.bits_per_cell = 3;
  c.reliability.enabled = true;
  c.reliability.initial_pe = 7000;
  c.reliability.retention = std::chrono::hours{24 * 90};
  c.reliability.factory_bad = 0;
  c.reliability.hard_bits = 40;
  for (const bool independent : {true, false}) {
    for (const bool sca : {true, false}) {
      c.independent_plane_reads = independent;
      c.sca = sca;
      ArrayUnderTest t{c};
      Random random{11, "deep"};
      for (unsigned i = 0; i < 3000; ++i) {
        const Time at = Time{} + i * 500ns;
        const auto planes = static_cast<unsigned>(1 + random.below(4));
        const auto die = static_cast<unsigned>(random.below(4));
        if (i % 100 == 99) t.erase(at, die, 7);
        else
          t.read(at, die, static_cast<unsigned>(random.below(5 - planes)), 4_KiB * (1 + random.below(4)), planes,
                 static_cast<unsigned>(random.below(12)));
      }
      t.run();
      std::uint64_t retries = 0, retried = 0;
      for (const TestOp& op : t.ops) {
        EXPECT_NE(op.answered, never);
        retries += op.op.retries;
        retried += op.op.retries != 0 ? 1U : 0U;
      }
      const ReliabilityStatistics& s = t.model.reliability()->statistics();
      EXPECT_GT(retried, 200U);
      EXPECT_EQ(s.retries.value, retries);
      EXPECT_EQ(s.retried.value, retried);
      EXPECT_EQ(s.retried_latency.count(), retried);
      t.expect_lawful();
    }
  }
}

struct Tail {
  Duration median, tail;
  std::uint64_t retried, uncorrectable;
};

/// 20000 reads of 4 KiB from random wordlines of two dies, never more than a few at once.
template <class Change>
Tail aged(std::uint32_t cycles, std::uint32_t days, Change change) {
  Config c;
  c.channels = 2;
  c.dies_per_channel = 8;
  c.blocks_per_plane = 64;
  c.reliability.enabled = true;
  c.reliability.initial_pe = cycles;
  c.reliability.retention = std::chrono::hours{24 * days};
  change(c);
  ArrayUnderTest t{c};
  Random random{5, "aged"};
  for (unsigned i = 0; i < 20'000; ++i) {
    t.submit(Time{} + i * 20us, {.die = {static_cast<std::uint16_t>(random.below(16))},
                                 .block = {static_cast<std::uint32_t>(random.below(64))},
                                 .page = {static_cast<std::uint32_t>(random.below(1536))},
                                 .plane = static_cast<std::uint8_t>(random.below(4)),
                                 .size = 4_KiB});
  }
  t.run();
  t.expect_lawful();
  const auto& s = t.model.reliability()->statistics();
  const auto& h = t.model.statistics().read_latency;
  return {h.percentile(500'000), h.percentile(999'000), s.retried.value, s.uncorrectable.value};
}

TEST(NandRetry, TailGrowsWithWearAndAge) {
  const auto same = [](Config&) {};
  const Tail fresh = aged(0, 0, same), used = aged(5000, 30, same), old = aged(5000, 90, same), worn = aged(8000, 90, same);
  EXPECT_EQ(fresh.retried, 0U);
  EXPECT_LT(fresh.median, used.median) << "more iterations";
  EXPECT_LT(used.retried, old.retried);
  EXPECT_LT(old.retried, worn.retried);
  EXPECT_GT(old.retried, 20U) << "a thousandth at the rated end of life";
  EXPECT_LT(old.retried, 1000U) << "and no more than some percent";
  EXPECT_GT(old.tail, fresh.tail + 20us);
  EXPECT_GT(worn.tail, old.tail + 10us);
  EXPECT_EQ(worn.uncorrectable, 0U);
}

TEST(NandRetry, KnobsOfAnAgedDrive) {
  const auto worn = [](auto change) { return aged(6500, 90, change); };
  const Tail usual = worn([](Config&) {});
  EXPECT_GT(worn([](Config& c) { c.reliability.variation = 0.35; }).retried, usual.retried * 5 / 4);
  EXPECT_LT(worn([](Config& c) { c.reliability.variation = 0; }).retried, usual.retried / 2);
  EXPECT_GT(worn([](Config& c) { c.reliability.retry_gain = 0.97; }).tail, usual.tail + 20us);
  EXPECT_LT(worn([](Config& c) { c.reliability.hard_bits = 60; }).retried, usual.retried / 4);
  EXPECT_EQ(worn([](Config& c) { c.reliability.decode_latency += 5us; }).median - usual.median >= 4900ns, true);
  EXPECT_GT(worn([](Config& c) { c.reliability.iteration_latency += 200ns; }).median, usual.median + 500ns);
  EXPECT_GT(worn([](Config& c) { c.reliability.iterations = 40; }).median, usual.median + 300ns);
  EXPECT_LT(worn([](Config& c) { c.reliability.retention_scale *= 20; }).retried, usual.retried / 2);
  const Tail soft = worn([](Config& c) { c.reliability.retry_steps = 0; });
  EXPECT_GT(worn([](Config& c) {
              c.reliability.retry_steps = 0;
              c.reliability.soft_senses = 4;
            }).tail,
            soft.tail + 50us);
  EXPECT_GT(worn([](Config& c) {
              c.reliability.retry_steps = 0;
              c.reliability.soft_latency += 100us;
            }).tail,
            soft.tail + 50us);
  EXPECT_GT(worn([](Config& c) {
              c.reliability.retry_steps = 0;
              c.reliability.soft_bits = 45;
            }).uncorrectable,
            100U);
}

}  // namespace
}  // namespace flashpath::nand

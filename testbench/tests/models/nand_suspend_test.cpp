// SPDX-License-Identifier: Apache-2.0
// Programs and erases suspended for reads: closed forms, each gate one picosecond before and on it, bounds, and what it is good for.
// plain_config(): commands 1 us (programs and erases of four planes 1.3 us), tR 30 us, 16 KiB in 16.384 us, tPROG 1 ms, tBERS 5 ms.
#include "models/nand_closed_loop.h"
#include "models/nand_fixture.h"

namespace flashpath::nand {
namespace {

constexpr Duration page_out = 16'384ns;
constexpr Duration read_alone = 32us + page_out;

Config suspending_config(std::uint32_t programs = 1, std::uint32_t erases = 1) {
  Config c = plain_config();
  c.program_suspends = programs;
  c.erase_suspends = erases;
  c.t_suspend_program = 20us;
  c.t_suspend_erase = 25us;
  c.t_resume = 10us;
  c.t_cmd_suspend = 200ns;
  c.suspend_progress = 100us;
  return c;
}

const Time programming = Time{} + 1300ns + 12 * page_out;  // of a program submitted at 0
const Time erasing = Time{} + 1300ns;

TEST(NandSuspend, AProgramStopsForAReadAndGoesOnWithWhatWasLeft) {
  ArrayUnderTest t{suspending_config()};
  TestOp& p = t.program(Time{}, 0);
  const Time at = Time{} + 500us;
  TestOp& r = t.read(at, 0, 2);
  t.run();
  EXPECT_EQ(r.op.stream.last, at + 200ns + 20us + read_alone);
  EXPECT_EQ(r.op.journey[Stage::die_wait], 200ns + 20us);
  const Duration left = programming + 1ms - (at + 200ns);
  EXPECT_EQ(p.answered, r.op.stream.last + 200ns + 10us + left);
  EXPECT_EQ(t.model.statistics().suspends.value, 1U);
  EXPECT_EQ(t.model.array_busy({0}, t.agenda.now()), 1ms + 20us + 30us + 10us);
  t.expect_lawful();
}

TEST(NandSuspend, AnEraseToo) {
  ArrayUnderTest t{suspending_config()};
  TestOp& e = t.erase(Time{}, 0);
  const Time at = Time{} + 2ms;
  TestOp& r = t.read(at, 0, 2);
  t.run();
  EXPECT_EQ(r.op.stream.last, at + 200ns + 25us + read_alone);
  EXPECT_EQ(e.answered, r.op.stream.last + 200ns + 10us + (erasing + 5ms - (at + 200ns)));
  EXPECT_EQ(e.op.status, OpStatus::ok);
  t.expect_lawful();
}

TEST(NandSuspend, EachKindHasItsOwnSwitchAndOffMeansWaiting) {
  for (const bool erase : {false, true}) {
    for (const bool on : {false, true}) {
      ArrayUnderTest t{suspending_config(erase != on ? 1 : 0, erase == on ? 1 : 0)};  // the other kind's switch is the opposite
      TestOp& w = erase ? t.erase(Time{}, 0) : t.program(Time{}, 0);
      TestOp& r = t.read(Time{} + 500us, 0, 0);
      t.run();
      EXPECT_EQ(r.order < w.order, on) << erase;
      EXPECT_EQ(t.model.statistics().suspends.value, on ? 1U : 0U);
      if (!on) { EXPECT_EQ(w.answered, erase ? erasing + 5ms : programming + 1ms); }
    }
  }
}

TEST(NandSuspend, NotBeforeItHasMadeProgress) {
  for (const std::int64_t late : {-1, 0, 1}) {
    ArrayUnderTest t{suspending_config()};
    t.program(Time{}, 0);
    const Time open = programming + 100us;
    const Time at = open + Duration{late};
    TestOp& r = t.read(at, 0, 0);
    t.run();
    EXPECT_EQ(r.op.stream.last, std::max(at, open) + 200ns + 20us + read_alone) << late;
  }
}

TEST(NandSuspend, AReadThatCameDuringDataInWaitsForTheProgress) {
  ArrayUnderTest t{suspending_config()};
  t.program(Time{}, 0);
  TestOp& r = t.read(Time{} + 5us, 0, 0);
  t.run();
  EXPECT_EQ(r.op.stream.last, programming + 100us + 200ns + 20us + read_alone);
}

TEST(NandSuspend, NotIfTheArrayIsDoneAsSoon) {
  for (const std::int64_t late : {-1, 0}) {
    ArrayUnderTest t{suspending_config()};
    TestOp& p = t.program(Time{}, 0);
    const Time gate = programming + 1ms - 200ns - 20us;
    TestOp& r = t.read(gate + Duration{late}, 0, 0);
    t.run();
    EXPECT_EQ(t.model.statistics().suspends.value, late < 0 ? 1U : 0U);
    if (late == 0) {
      EXPECT_EQ(p.answered, programming + 1ms);
      EXPECT_EQ(r.op.stream.last, p.answered + read_alone);
    }
  }
}

TEST(NandSuspend, ReadsThatComeMeanwhileAreServedBeforeItResumes) {
  ArrayUnderTest t{suspending_config()};
  TestOp& p = t.program(Time{}, 0);
  TestOp& a = t.read(Time{} + 500us, 0, 0);
  TestOp& b = t.read(Time{} + 510us, 0, 1);
  TestOp& c = t.read(Time{} + 560us, 0, 0);  // while the first's data leave
  t.run();
  EXPECT_LT(a.order, p.order);
  EXPECT_LT(b.order, p.order);
  EXPECT_LT(c.order, p.order);
  EXPECT_EQ(t.model.statistics().suspends.value, 1U);
}

TEST(NandSuspend, AsOftenAsAllowedAndNoMore) {
  for (const std::uint32_t most : {1U, 2U, 3U}) {
    ArrayUnderTest t{suspending_config(most)};
    TestOp& p = t.program(Time{}, 0);
    std::vector<TestOp*> reads;
    for (int i = 0; i < 4; ++i) reads.push_back(&t.read(Time{} + 400us + i * 250us, 0, 0));
    t.run();
    EXPECT_EQ(t.model.statistics().suspends.value, most);
    EXPECT_EQ(p.order, most);
    t.expect_lawful();
  }
}

TEST(NandSuspend, ItEndsHoweverManyReadsThereAre) {
  for (const std::uint32_t bound : {1U, 5U, 20U}) {
    Config c = suspending_config(1'000, 1'000);
    c.die_overtakes = bound;
    c.suspend_progress = 1us;
    ArrayUnderTest t{c};
    TestOp& p = t.program(Time{}, 0);
    for (int i = 0; i < 300; ++i) t.read(Time{} + 300us + i * 10us, 0, 0, 4_KiB);
    t.run();
    EXPECT_EQ(p.order, bound);
    t.expect_lawful();
  }
}

TEST(NandSuspend, ReadsOfGarbageCollectionDoNotSuspend) {
  ArrayUnderTest t{suspending_config()};
  TestOp& p = t.program(Time{}, 0);
  TestOp& r = t.read(Time{} + 500us, 0, 0);
  r.op.background = true;
  t.run();
  EXPECT_GT(r.order, p.order);
  EXPECT_EQ(t.model.statistics().suspends.value, 0U);
}

TEST(NandSuspend, TimesAreWhatTheConfigurationSays) {
  struct Case {
    Duration Config::*knob;
    std::array<int, 4> times;
  };  // in the read under a program, the program; the read under an erase, the erase
  const std::array cases{Case{&Config::t_suspend_program, {1, 1, 0, 0}}, Case{&Config::t_suspend_erase, {0, 0, 1, 1}},
                         Case{&Config::t_resume, {0, 1, 0, 1}}, Case{&Config::t_cmd_suspend, {1, 1, 1, 1}}};
  const auto times = [](const Config& c) {
    ArrayUnderTest t{c};
    TestOp& p = t.program(Time{}, 0);
    TestOp& r = t.read(Time{} + 500us, 0, 0);
    TestOp& e = t.erase(Time{} + 10ms, 0);
    TestOp& s = t.read(Time{} + 12ms, 0, 0);
    t.run();
    return std::array{r.op.stream.last, p.answered, s.op.stream.last, e.answered};
  };
  const auto base = times(suspending_config());
  for (std::size_t k = 0; k < cases.size(); ++k) {
    Config c = suspending_config();
    c.*cases[k].knob += 7ns;
    const auto now = times(c);
    // A suspend command stops the array at its end: what it takes longer is progress, and only the resume's is lost.
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(now[i] - base[i], cases[k].times[i] * Duration{7ns}) << "case " << k << ", op " << i;
  }
}

TEST(NandSuspend, WithScaCommandsGoOverTheirOwnBus) {
  Config c = suspending_config();
  c.sca = true;
  ArrayUnderTest t{c};
  TestOp& p = t.program(Time{}, 0);
  const Time at = Time{} + 500us;
  TestOp& r = t.read(at, 0, 2);
  t.run();
  EXPECT_EQ(r.op.stream.last, at + 200ns + 20us + read_alone);
  EXPECT_EQ(p.answered, r.op.stream.last + 200ns + 10us + (programming + 1ms - (at + 200ns)));
  EXPECT_EQ(t.model.channel_busy({0}, t.agenda.now()), 1300ns + 12 * page_out + page_out);  // a program holds the bus from its command on
}

TEST(NandSuspend, SixtyFourDeepTailsOfReadsFallAndProgramsPay) {
  Config c;
  c.channels = 2;
  c.dies_per_channel = 4;
  const auto run = [&](std::uint32_t suspends) {
    c.program_suspends = c.erase_suspends = suspends;
    ClosedLoop loop{c, 64, 30'000, 4_KiB, 6};
    EXPECT_EQ(loop.model.answered(), 30'000U);
    Laws laws;
    loop.model.check(laws, loop.agenda.now());
    EXPECT_TRUE(laws.broken().empty()) << laws.broken().front();
    return loop.model.statistics().read_latency.percentile(990'000);
  };
  EXPECT_LT(run(10), run(0));
}

}  // namespace
}  // namespace flashpath::nand

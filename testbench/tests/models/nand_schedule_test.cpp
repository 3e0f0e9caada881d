// SPDX-License-Identifier: Apache-2.0
// Who goes first: dies, planes and channels under contention; each gate one picosecond before and on it; saturation; conservation.
// plain_config(): commands 1 us (programs and erases of four planes 1.3 us), tR 30 us, 16 KiB in 16.384 us.
#include "models/nand_closed_loop.h"
#include "models/nand_fixture.h"

namespace flashpath::nand {
namespace {

constexpr Duration page_out = 16'384ns;

TEST(NandSchedule, ASecondReadOfThePlaneWaitsForTheFirstOnesData) {
  ArrayUnderTest t{plain_config()};
  TestOp& a = t.read(Time{}, 0, 0);
  TestOp& b = t.read(Time{}, 0, 0);
  t.run();
  const Time freed = Time{} + 32us + page_out;
  EXPECT_EQ(a.op.stream.last, freed);
  EXPECT_EQ(b.op.stream.last, freed + 32us + page_out);
  EXPECT_EQ(b.op.journey[Stage::die_wait], freed - Time{});
  EXPECT_EQ(t.model.statistics().die_wait.max(), freed - Time{});
}

TEST(NandSchedule, ThePlaneOpensOnItsPicosecondAndNotOneBefore) {
  const Time freed = Time{} + 32us + page_out;
  for (const std::int64_t early : {1, 0, -1}) {
    ArrayUnderTest t{plain_config()};
    t.read(Time{}, 0, 0);
    const Time at = freed - Duration{early};
    TestOp& b = t.read(at, 0, 0);
    t.run();
    EXPECT_EQ(b.op.stream.last, std::max(at, freed) + 32us + page_out) << early;
    EXPECT_EQ(b.op.journey[Stage::die_wait], std::max(at, freed) - at);
  }
}

TEST(NandSchedule, IndependentPlaneReadsSenseSideBySide) {
  for (const bool independent : {true, false}) {
    Config c = plain_config();
    c.independent_plane_reads = independent;
    ArrayUnderTest t{c};
    TestOp& a = t.read(Time{}, 0, 0);
    TestOp& b = t.read(Time{}, 0, 1);
    t.run();
    EXPECT_EQ(a.op.stream.last, Time{} + 32us + page_out);
    const Time side_by_side = a.op.stream.last + 1us + page_out;  // only the data is serial
    const Time in_turn = a.op.stream.last + 32us + page_out;
    EXPECT_EQ(b.op.stream.last, independent ? side_by_side : in_turn);
  }
}

TEST(NandSchedule, MultiPlaneReadsKeepTheirPlaceInEachPlane) {
  ArrayUnderTest t{plain_config()};
  TestOp& a = t.read(Time{}, 0, 0, 4_KiB);
  TestOp& wide = t.read(Time{}, 0, 0, 8_KiB, 2);  // planes 0 and 1: waits for plane 0
  TestOp& late = t.read(Time{}, 0, 1, 4_KiB);     // plane 1 is free, but the wide one is older
  TestOp& other = t.read(Time{}, 0, 2, 4_KiB);    // plane 2 nobody wants
  t.run();
  EXPECT_EQ(a.order, 0U);
  EXPECT_EQ(other.order, 1U);
  EXPECT_EQ(wide.order, 2U);
  EXPECT_EQ(late.order, 3U);
  EXPECT_EQ(other.op.journey[Stage::die_wait], 0ns);
}

TEST(NandSchedule, ReadsOvertakeWaitingProgramsButNotTheRunningOne) {
  ArrayUnderTest t{plain_config()};
  TestOp& running = t.program(Time{}, 0, 0);
  TestOp& waiting = t.program(Time{}, 0, 1);
  TestOp& erase = t.erase(Time{}, 0, 1);
  TestOp& r = t.read(Time{} + 500us, 0, 0);
  t.run();
  const Duration data = 12 * page_out;
  const Time first_end = Time{} + 1300ns + data + 1ms;
  EXPECT_EQ(running.answered, first_end);
  EXPECT_EQ(r.op.stream.last, first_end + 32us + page_out);
  EXPECT_EQ(waiting.answered, r.op.stream.last + 1300ns + data + 1ms);
  EXPECT_EQ(erase.answered, waiting.answered + 1300ns + 5ms);
  EXPECT_EQ(running.op.status, OpStatus::ok);
}

TEST(NandSchedule, AReadAtTheMomentTheDieEndsStillOvertakesAndOnePicosecondLaterDoesNot) {
  Config c = plain_config();
  const Time end = Time{} + 1300ns + 12 * page_out + 1ms;
  for (const std::int64_t late : {0, 1}) {
    ArrayUnderTest t{c};
    t.program(Time{}, 0, 0);
    TestOp& waiting = t.program(Time{}, 0, 1);
    TestOp& r = t.read(end + Duration{late}, 0, 0);
    t.run();
    EXPECT_EQ(r.order < waiting.order, late == 0);
    EXPECT_EQ(waiting.answered, late == 0 ? r.op.stream.last + (end - Time{}) : end + (end - Time{}));
  }
}

TEST(NandSchedule, WhatArrivesLastInAPicosecondIsStillSeenByItsDecision) {
  ArrayUnderTest t{plain_config()};
  const Time end = Time{} + 1300ns + 12 * page_out + 1ms;
  t.program(Time{}, 0, 0);
  TestOp& waiting = t.program(Time{}, 0, 1);
  t.agenda.run_until(end - 1_ps);
  TestOp& r = t.read(end, 0, 0);  // posted after everything else of that moment
  t.run();
  EXPECT_LT(r.order, waiting.order);
}

TEST(NandSchedule, DataThatIsReadyNowGoesBeforeACommandThatComesNow) {
  ArrayUnderTest t{plain_config()};
  TestOp& b = t.read(Time{} + 31us, 1, 0);  // posted first
  TestOp& a = t.read(Time{}, 0, 0);         // sensed at 31 us, on an idle channel
  t.run();
  EXPECT_EQ(a.op.stream.last, Time{} + 32us + page_out);
  EXPECT_EQ(b.op.journey[Stage::channel_wait], 1us + page_out);
}

TEST(NandSchedule, EachWaitingProgramHasItsOwnBound) {
  Config c = plain_config();
  c.die_overtakes = 2;
  ArrayUnderTest t{c};
  t.read(Time{}, 0, 0, 4_KiB);
  TestOp& first = t.program(Time{} + 1ns, 0, 0);
  TestOp& second = t.program(Time{} + 1ns, 0, 1);
  for (int i = 0; i < 10; ++i) t.read(Time{} + 2ns, 0, 0, 4_KiB);
  t.run();
  EXPECT_EQ(first.order, 3U);
  EXPECT_EQ(second.order, 6U);
}

TEST(NandSchedule, NothingWaitsForeverBehindReads) {
  for (const bool erase : {false, true}) {
    for (const std::uint32_t bound : {0U, 1U, 5U}) {
      Config c = plain_config();
      c.die_overtakes = bound;
      ArrayUnderTest t{c};
      TestOp& r0 = t.read(Time{}, 0, 0, 4_KiB);
      TestOp& w = erase ? t.erase(Time{} + 1ns, 0) : t.program(Time{} + 1ns, 0);
      for (int i = 0; i < 20; ++i) t.read(Time{} + 2ns, 0, 0, 4_KiB);
      t.run();
      EXPECT_EQ(r0.order, 0U);
      EXPECT_EQ(w.order, 1U + bound) << "erase " << erase;
      t.expect_lawful();
    }
  }
}

TEST(NandSchedule, ErasesDoNotWaitForeverBehindPrograms) {
  Config c = plain_config();
  c.die_overtakes = 2;
  ArrayUnderTest t{c};
  t.program(Time{}, 0, 0);
  TestOp& e = t.erase(Time{} + 1ns, 0, 1);
  for (unsigned i = 1; i < 4; ++i) t.program(Time{} + 2ns, 0, i);
  t.run();
  EXPECT_EQ(e.order, 3U);
}

TEST(NandSchedule, DataOutOfTwoDiesIsSerialToThePicosecond) {
  ArrayUnderTest t{plain_config()};
  TestOp& a = t.read(Time{}, 0, 0);
  TestOp& b = t.read(Time{}, 1, 0);
  t.run();
  EXPECT_EQ(a.op.stream.last, Time{} + 32us + page_out);
  EXPECT_EQ(b.op.stream.last, Time{} + 33us + 2 * page_out);     // command at 1 us, data ready at 32 us, bus at 32 us + page
  EXPECT_EQ(b.op.journey[Stage::channel_wait], 1us + page_out);  // 1 us for the command, the rest for the data
  EXPECT_EQ(b.op.journey[Stage::die_wait], 0ns);
  EXPECT_EQ(t.model.channel_busy({0}, b.op.stream.last), 4us + 2 * page_out);
}

TEST(NandSchedule, ChannelsDoNotShare) {
  Config c = plain_config();
  c.channels = 2;
  ArrayUnderTest t{c};
  TestOp& a = t.read(Time{}, 0, 0);
  TestOp& b = t.read(Time{}, 1, 0);  // die 1: channel 1
  TestOp& d = t.read(Time{}, 2, 0);  // die 2: channel 0
  t.run();
  EXPECT_EQ(b.answered, a.answered);
  EXPECT_EQ(d.op.stream.last, a.op.stream.last + 1us + page_out);
}

TEST(NandSchedule, ADataOutKeepsTheBusFromACommandUnlessItHasItsOwn) {
  const Time out = Time{} + 31us;  // the first read's data-out, its command included
  for (const bool sca : {false, true}) {
    Config c = plain_config();
    c.sca = sca;
    ArrayUnderTest t{c};
    TestOp& a = t.read(Time{}, 0, 0);
    TestOp& b = t.read(out + 2us, 1, 0);
    t.run();
    EXPECT_EQ(a.op.stream.last, out + 1us + page_out);  // alone: the same latency either way
    EXPECT_EQ(b.op.stream.last, (sca ? out + 2us : out + 1us + page_out) + 32us + page_out);
    EXPECT_EQ(t.model.channel_busy({0}, b.op.stream.last), 2 * page_out + (sca ? 0us : 4us));
    t.expect_lawful();
  }
}

TEST(NandSchedule, WithScaTheDataBusHasNoGapsAndCommandsQueueOnTheirs) {
  Config c = plain_config();
  c.sca = true;
  ArrayUnderTest t{c};
  TestOp& a = t.read(Time{}, 0, 0, 32_KiB, 2);
  TestOp& b = t.read(Time{}, 1, 0);
  t.run();
  EXPECT_EQ(a.op.stream.last, Time{} + 32'100ns + 2 * page_out);  // its second plane's command under its first plane's data
  EXPECT_EQ(b.op.stream.last, a.op.stream.last + page_out);
  EXPECT_EQ(b.op.journey[Stage::channel_wait] + b.op.journey[Stage::die_wait], 1100ns + (a.op.stream.last - (Time{} + 33'100ns)));
}

TEST(NandSchedule, WithScaFurtherPlanesOccupyTheCommandBus) {
  Config c = plain_config();
  c.sca = true;
  ArrayUnderTest t{c};
  t.read(Time{}, 0, 0, 64_KiB, 4);  // data from 32.3 us on; commands of planes 1-3 until 35.3 us
  TestOp& b = t.read(Time{} + 33us, 1, 0);
  t.run();
  const Time free = Time{} + 32'300ns + 4 * page_out;
  EXPECT_EQ(t.model.statistics().die_wait.max(), 2'300ns);  // submission to first command cycle
  EXPECT_EQ(b.op.journey[Stage::channel_wait], 2'300ns + (free - (Time{} + 35'300ns + 32us)));
}

TEST(NandSchedule, CommandsGoBeforeDataOutGoesBeforeDataIn) {
  Config c = plain_config();
  c.dies_per_channel = 5;
  ArrayUnderTest t{c};
  t.read(Time{}, 0, 0);                                  // holds the bus for data-out from 31 us to 32 us + page
  TestOp& out = t.read(Time{}, 1, 0);                    // its data waits from 32 us on
  TestOp& in = t.program(Time{} + 33us, 2, 0, 0, 0, 1);  // three pages
  TestOp& command = t.read(Time{} + 34us, 3, 0);         // asks last
  t.run();
  const Time free = Time{} + 32us + page_out;
  EXPECT_EQ(out.op.stream.last, free + 1us + 1us + page_out);
  // Then data-in begins; the tR of `command` ends under its first page, and its data-out goes before the second.
  const Time in_begin = free + 2us + page_out;
  const Time second_out = in_begin + 1us + page_out;
  EXPECT_EQ(command.op.stream.last, second_out + 1us + page_out);
  EXPECT_EQ(command.op.journey[Stage::channel_wait], free - (Time{} + 34us) + (second_out - (free + 31us)));
  EXPECT_EQ(in.answered, command.op.stream.last + 2 * page_out + 1ms);
}

TEST(NandSchedule, DataInWaitsForNoMoreThanItsBound) {
  for (const std::uint32_t bound : {1U, 3U}) {
    Config c = plain_config();
    c.dies_per_channel = 16;
    c.bus_overtakes = bound;
    ArrayUnderTest t{c};
    for (unsigned die = 0; die < 12; ++die) t.read(Time{}, die, 0);
    const Time at = Time{} + 33us;  // one data-out runs, 11 wait
    TestOp& in = t.program(at, 15, 0, 0, 0, 1);
    t.run();
    // From the first grant on: `bound` data-outs before each of the three pages.
    const Time free = Time{} + 32us + page_out;
    EXPECT_EQ(in.answered, free + 3 * bound * (1us + page_out) + 1us + 3 * page_out + 1ms) << bound;
  }
}

TEST(NandSchedule, AProgramUnderWayFinishesItsDataBeforeAnotherBegins) {
  ArrayUnderTest t{plain_config()};
  TestOp& a = t.program(Time{}, 0);
  TestOp& b = t.program(Time{} + 1us, 1);
  t.run();
  EXPECT_EQ(a.answered, Time{} + 1300ns + 12 * page_out + 1ms);
  EXPECT_EQ(b.answered, a.answered + 1300ns + 12 * page_out);
}

TEST(NandSchedule, DataInPausesForReadsOfOtherDies) {
  ArrayUnderTest t{plain_config()};
  TestOp& p = t.program(Time{}, 0);
  TestOp& r = t.read(Time{} + 2us, 1, 0);
  t.run();
  const Time command = Time{} + 1300ns + page_out;                                               // after the first page
  EXPECT_EQ(r.op.journey[Stage::channel_wait], command - (Time{} + 2us) + 2 * page_out - 30us);  // twice the rest of a page
  EXPECT_EQ(p.answered, Time{} + 1300ns + 12 * page_out + 1us + (1us + page_out) + 1ms);
}

Config saturated_config(std::uint32_t dies) {
  Config c;
  c.channels = 1;
  c.dies_per_channel = dies;
  return c;
}

TEST(NandSchedule, ManyDiesAreBoundByTheirChannel) {
  for (const bool sca : {false, true}) {
    for (const Bytes size : {4_KiB, 16_KiB}) {
      Config c = saturated_config(32);
      c.sca = sca;
      c.t_cmd_read = c.t_cmd_out = sca ? 150ns : 600ns;
      const ClosedLoop loop{c, 1024, 60'000, size};
      const double bus = static_cast<double>(((size / c.codeword) * (c.codeword + c.parity) / c.bus_rate).count()) + (sca ? 0 : 1'200'000);
      EXPECT_NEAR(loop.per_operation(), bus, bus * 0.01) << sca << size.count;
      EXPECT_GE(loop.per_operation(), bus * 0.9999);
    }
  }
}

TEST(NandSchedule, OneDieIsBoundByItsPlanes) {
  Config c = saturated_config(1);
  c.t_r_lower = c.t_r_middle = c.t_r_upper = 45us;
  c.planes = 1;
  const ClosedLoop loop{c, 64, 4'000, 4_KiB};
  EXPECT_NEAR(loop.per_operation(), 45us / 1_ps + 1'200'000 + 120'000 + 1'262'223, 2);
}

TEST(NandSchedule, ASlowDecoderBoundsTheChannel) {
  Config c = saturated_config(32);
  c.ecc_rate = 1_GBps;
  const ClosedLoop loop{c, 1024, 40'000, 16_KiB};
  EXPECT_NEAR(loop.per_operation(), 16'384'000, 163'840);
}

TEST(NandSchedule, EverythingIsAnsweredOnceAndTheLawsHold) {
  for (const bool independent : {true, false}) {
    for (const bool sca : {true, false}) {
      Config c;
      c.channels = 3;
      c.dies_per_channel = 4;
      c.planes = 6;
      c.independent_plane_reads = independent;
      c.sca = sca;
      c.t_prog = 200us;
      c.t_bers = 400us;
      c.die_overtakes = 3;
      c.bus_overtakes = 2;
      ClosedLoop loop{c, 200, 100'000, 8_KiB, 40};
      EXPECT_EQ(loop.model.answered(), 100'000U);
      EXPECT_EQ(loop.model.in_flight(), 0U);
      const Time now = loop.agenda.now();
      Laws laws;
      loop.model.check(laws, now);
      EXPECT_TRUE(laws.broken().empty()) << laws.broken().front();
      Stall stall;
      loop.model.explain(stall);
      EXPECT_TRUE(stall.lines().empty());
      loop.model.finish(now);
      const auto& s = loop.model.statistics();
      EXPECT_EQ(s.reads.value + s.programs.value + s.erases.value, 100'000U);
      EXPECT_EQ(s.read_latency.count(), s.reads.value);
      EXPECT_EQ(s.die_wait.count(), 100'000U);
      EXPECT_GT(s.dies.utilisation(now - Time{}), 0.5);
      EXPECT_LE(s.dies.utilisation(now - Time{}), 1.0);
      EXPECT_LE(s.channels.utilisation(now - Time{}), 1.0);
    }
  }
}

TEST(NandSchedule, BusyTimesAreExactAtAnyMoment) {
  ArrayUnderTest t{plain_config()};
  t.read(Time{}, 0, 0);
  t.read(Time{} + 20us, 0, 1);  // senses 21-51 us, the first 1-31 us
  const auto at = [&](Time now, Duration array, Duration bus) {
    t.agenda.run_until(now);
    EXPECT_EQ(t.model.array_busy({0}, now), array) << now.time_since_epoch().count();
    EXPECT_EQ(t.model.channel_busy({0}, now), bus) << now.time_since_epoch().count();
    t.expect_lawful();
  };
  at(Time{} + 500ns, 0ns, 500ns);
  at(Time{} + 11us, 10us, 1us);
  at(Time{} + 20'500ns, 19'500ns, 1500ns);
  at(Time{} + 40us, 39us, 11us);
  at(Time{} + 60us, 50us, 2us + 1us + page_out + (60us - 51us));
  t.run();
  at(Time{} + 200us, 50us, 4us + 2 * page_out);
}

TEST(NandSchedule, AStandstillNamesWhoWaits) {
  ArrayUnderTest t{plain_config()};
  t.program(Time{}, 0, 0);
  t.program(Time{}, 0, 1);
  t.erase(Time{}, 0, 1);
  t.read(Time{} + 1us, 0, 0);
  t.agenda.run_until(Time{} + 500us);
  Stall stall;
  t.model.explain(stall);
  EXPECT_EQ(stall.lines().size(), 3U);
  EXPECT_EQ(t.model.in_flight(), 4U);
}

}  // namespace
}  // namespace flashpath::nand

// SPDX-License-Identifier: Apache-2.0
// Cache read and cache program: what overlaps, to the picosecond, and what a die delivers then.
// plain_config(): commands 1 us, tR 30 us, 16 KiB in 16.384 us, tPROG 1 ms; tRCBSY 3 us, tCBSY 4 us.
#include "models/nand_closed_loop.h"
#include "models/nand_fixture.h"

namespace flashpath::nand {
namespace {

constexpr Duration page_out = 16'384ns;
constexpr Duration move = 3us;
constexpr Duration latch = 4us;

Config cached_config(bool read, bool program = false) {
  Config c = plain_config();
  c.cache_read = read;
  c.cache_program = program;
  c.t_rcbsy = move;
  c.t_cbsy = latch;
  return c;
}

TEST(NandCache, AReadAloneCostsNothingMore) {
  ArrayUnderTest t{cached_config(true)};
  TestOp& r = t.read(Time{}, 0, 0);
  t.run();
  EXPECT_EQ(r.op.stream.last, Time{} + 32us + page_out);
}

TEST(NandCache, TheNextPageIsSensedWhileTheLastOneLeaves) {
  for (const bool cache : {true, false}) {
    ArrayUnderTest t{cached_config(cache)};
    TestOp& a = t.read(Time{}, 0, 0);
    TestOp& b = t.read(Time{}, 0, 0);
    TestOp& c = t.read(Time{}, 0, 0);
    t.run();
    if (!cache) {
      EXPECT_EQ(c.op.stream.last, Time{} + 3 * (32us + page_out));
      continue;
    }
    const Time moved = Time{} + 31us + move;  // the plane is free, its next command goes first
    EXPECT_EQ(a.op.stream.last, moved + 1us + 1us + page_out);
    const Time second = moved + 1us + 30us + move;
    EXPECT_EQ(b.op.stream.last, second + 1us + 1us + page_out);
    EXPECT_EQ(c.op.stream.last, second + 1us + 30us + 1us + page_out);  // nobody waits: no move
    EXPECT_EQ(b.op.journey[Stage::sense], 30us);
    t.expect_lawful();
  }
}

TEST(NandCache, ASlowChannelHoldsTheRegister) {
  Config c = cached_config(true);
  c.bus_rate = 200_MBps;
  const Duration slow = 81'920ns;
  ArrayUnderTest t{c};
  TestOp& a = t.read(Time{}, 0, 0);
  TestOp& b = t.read(Time{}, 0, 0);
  TestOp& third = t.read(Time{}, 0, 0);
  TestOp& fourth = t.read(Time{}, 0, 0);
  t.run();
  const Time first = Time{} + 31us + move + 2us + slow;
  EXPECT_EQ(a.op.stream.last, first);
  EXPECT_EQ(b.op.stream.last, first + move + 2us + slow);
  EXPECT_EQ(third.op.stream.last, first + 2 * (move + 2us + slow));
  EXPECT_EQ(fourth.op.stream.last, first + 3 * (move + 2us + slow) - 1us);  // no further command on the bus
}

TEST(NandCache, WhoComesWhileDataWaitForTheChannelHasThemMoved) {
  for (const std::int64_t late : {40'000, 47'000}) {
    for (const bool cache : {true, false}) {
      ArrayUnderTest t{cached_config(cache)};
      t.read(Time{}, 1, 0);                    // holds the channel from 31 us on
      TestOp& x = t.read(Time{} + 1us, 0, 0);  // sensed at 32 us
      TestOp& b = t.read(Time{} + Duration{1ns} * late, 0, 0);
      t.run();
      const Time free = Time{} + 32us + page_out;
      if (!cache) {
        EXPECT_EQ(b.op.stream.last, free + 1us + page_out + 32us + page_out);
        continue;
      }
      const Time command = std::max(free, Time{} + Duration{1ns} * late + move);
      EXPECT_EQ(x.op.stream.last, command + 2us + page_out);
      EXPECT_EQ(b.op.stream.last, command + 31us + 1us + page_out);
    }
  }
}

TEST(NandCache, AProgramWaitsForTheRegistersToo) {
  ArrayUnderTest t{cached_config(true)};
  t.read(Time{}, 0, 0);
  TestOp& last = t.read(Time{}, 0, 0);
  TestOp& p = t.program(Time{} + 70us, 0);
  TestOp& after = t.read(Time{} + 80us, 0, 1);  // overtakes it, on another plane
  t.run();
  EXPECT_EQ(p.answered, std::max(last.op.stream.last, after.op.stream.last) + 1300ns + 12 * page_out + 1ms);
  t.expect_lawful();
}

TEST(NandCache, OnePlaneDeliversWhatItsArrayOrItsChannelCan) {
  Config c;
  c.channels = c.dies_per_channel = c.planes = 1;
  c.t_r_lower = c.t_r_middle = c.t_r_upper = 45us;
  const auto per_read = [&](bool cache, Rate rate, Bytes size) {
    c.cache_read = cache;
    c.bus_rate = rate;
    return ClosedLoop{c, 64, 4'000, size}.per_operation();
  };
  const double around = 600'000 + 100'000 + 45'000'000 + 20'000;  // command, tWB, tR, tRR
  EXPECT_NEAR(per_read(true, 3600_MBps, 16_KiB), around + 3'000'000, 2);
  EXPECT_NEAR(per_read(false, 3600_MBps, 16_KiB), around + 600'000 + 5'048'889, 2);
  EXPECT_NEAR(per_read(true, 200_MBps, 16_KiB), 3'000'000 + 1'200'000 + 90'880'000, 2);
  EXPECT_NEAR(per_read(false, 200_MBps, 16_KiB), around + 600'000 + 90'880'000, 2);
}

TEST(NandCache, AWholeDieDeliversTheLesserOfArrayAndChannel) {
  Config c;
  c.channels = c.dies_per_channel = 1;
  c.sca = true;
  c.t_r_lower = c.t_r_middle = c.t_r_upper = 40us;
  const auto per_stripe = [&](bool independent) {
    c.cache_read = true;
    c.independent_plane_reads = independent;
    ClosedLoop loop{c, 64, 8'000, 16_KiB};
    return loop.per_operation() * (independent ? 4 : 1);
  };
  // Four planes of 16 KiB every tR + tRCBSY + command + tWB + tRR, 20.2 us of the channel.
  const double array = 40'000'000 + 3'000'000 + 600'000 + 120'000;
  EXPECT_NEAR(per_stripe(true), array, array * 0.04);  // random planes: now and then one has nothing to do
  EXPECT_NEAR(per_stripe(false), array, 1'000);        // one plane at a time
}

TEST(NandCache, TheNextProgramsDataGoInWhileTheArrayPrograms) {
  for (const bool cache : {true, false}) {
    ArrayUnderTest t{cached_config(false, cache)};
    std::vector<TestOp*> programs;
    for (unsigned i = 0; i < 4; ++i) programs.push_back(&t.program(Time{}, 0, i));
    t.run();
    const Duration load = 1300ns + 12 * page_out;
    EXPECT_EQ(programs[0]->answered, Time{} + load + 1ms);  // alone: no tCBSY
    for (unsigned i = 1; i < 4; ++i) {
      EXPECT_EQ(programs[i]->answered - programs[i - 1]->answered, cache ? 1ms + latch : load + 1ms);
      EXPECT_EQ(programs[i]->op.status, OpStatus::ok);
    }
    t.expect_lawful();
  }
}

TEST(NandCache, SlowDataInBoundsCachedPrograms) {
  Config c = cached_config(false, true);
  c.t_prog = 100us;  // data-in 197.908 us
  ArrayUnderTest t{c};
  std::vector<TestOp*> programs;
  for (unsigned i = 0; i < 4; ++i) programs.push_back(&t.program(Time{}, 0, i));
  t.run();
  for (unsigned i = 1; i < 4; ++i) EXPECT_EQ(programs[i]->answered - programs[i - 1]->answered, latch + 1300ns + 12 * page_out);
}

TEST(NandCache, DataInThatEndsWithTheProgramWaitsForItsLatches) {
  const Duration load = 1300ns + 12 * page_out;
  for (const std::int64_t early : {1, 0, -1}) {  // picoseconds before the array ends
    Config c = cached_config(false, true);
    c.t_prog = latch + load + Duration{early};
    ArrayUnderTest t{c};
    TestOp& a = t.program(Time{}, 0, 0);
    TestOp& b = t.program(Time{}, 0, 1);
    t.run();
    EXPECT_EQ(b.answered - a.answered, latch + c.t_prog) << early;
  }
}

TEST(NandCache, AReadGoesBeforeTheNextProgramsData) {
  ArrayUnderTest t{cached_config(false, true)};
  TestOp& a = t.program(Time{}, 0, 0);
  TestOp& r = t.read(Time{} + 300us, 0, 0);
  TestOp& b = t.program(Time{} + 400us, 0, 1);
  t.run();
  EXPECT_EQ(r.op.stream.last, a.answered + 32us + page_out);
  EXPECT_EQ(b.answered, r.op.stream.last + 1300ns + 12 * page_out + 1ms);
}

TEST(NandCache, EverythingTogetherIsAnsweredOnce) {
  for (unsigned features = 0; features < 64; ++features) {
    Config c;
    c.channels = 2;
    c.dies_per_channel = 3;
    c.t_prog = c.t_prog_first = 200us;
    c.t_bers = 400us;
    c.die_overtakes = 4;
    c.suspend_progress = 20us;
    c.cache_read = (features & 1U) != 0;
    c.cache_program = (features & 2U) != 0;
    c.program_suspends = c.erase_suspends = (features & 4U) != 0 ? 3 : 0;
    c.independent_plane_reads = (features & 8U) != 0;
    c.merge_planes = (features & 16U) != 0;
    c.sca = (features & 32U) != 0;
    c.program_passes = 1 + features % 3 / 2;
    c.die_policy = std::array{DiePolicy::reads_first, DiePolicy::host_first, DiePolicy::fifo}[features / 2 % 3];
    c.channel_policy = features % 5 < 2 ? ChannelPolicy::data_first : ChannelPolicy::commands_first;
    c.snap_read = features % 7 < 3 ? 4_KiB : 0_B;
    ClosedLoop loop{c, 96, 10'000, 8_KiB, 40};
    ASSERT_EQ(loop.model.answered(), 10'000U) << features;
    ASSERT_EQ(loop.model.in_flight(), 0U) << features;
    Laws laws;
    loop.model.check(laws, loop.agenda.now());
    ASSERT_TRUE(laws.broken().empty()) << features << ": " << laws.broken().front();
    const auto& s = loop.model.statistics();
    EXPECT_EQ(s.die_wait.count(), 10'000U) << features;
    EXPECT_EQ(s.suspends.value != 0, (features & 4U) != 0) << features;
  }
}

}  // namespace
}  // namespace flashpath::nand

// SPDX-License-Identifier: Apache-2.0
// Snap reads, programs of two passes, which of a die's operations goes first, and the counts of what the arrays did.
// plain_config(): commands 1 us (programs of four planes 1.3 us), tR 30, 40, 50 us by page type, 16 KiB in 16.384 us.
#include "models/nand_closed_loop.h"
#include "models/nand_fixture.h"

namespace flashpath::nand {
namespace {

constexpr Duration page_out = 16'384ns;

TEST(NandModes, SnapReadsSenseForAShareOfTheirTypesTime) {
  Config c = plain_config();
  c.snap_read = 4_KiB;
  c.snap_percent = 70;
  const auto sense = [&](Bytes offset, Bytes size, unsigned planes, unsigned page) {
    ArrayUnderTest t{c};
    TestOp& r = t.submit(Time{}, {.page = {page}, .planes = static_cast<std::uint8_t>(planes), .offset = offset, .size = size});
    t.run();
    return r.op.journey[Stage::sense];
  };
  EXPECT_EQ(sense(0_B, 4_KiB, 1, 0), 21us);
  EXPECT_EQ(sense(12_KiB, 4_KiB, 1, 1), 28us);
  EXPECT_EQ(sense(4_KiB, 1_B, 1, 2), 35us);
  EXPECT_EQ(sense(0_B, 4097_B, 1, 0), 30us);
  EXPECT_EQ(sense(4095_B, 2_B, 1, 0), 30us);  // across two pieces
  EXPECT_EQ(sense(0_B, 4_KiB, 2, 0), 30us);   // of two planes
  c.snap_read = 0_B;
  EXPECT_EQ(sense(0_B, 4_KiB, 1, 0), 30us);
  c.snap_read = 16_KiB;
  EXPECT_EQ(sense(0_B, 16_KiB, 1, 0), 21us);
  c.t_r_lower = 33'333_ps;
  EXPECT_EQ(sense(0_B, 4_KiB, 1, 0), 23'334_ps);  // rounded up
}

TEST(NandModes, SnapReadsRaiseWhatBusyPlanesDeliver) {
  Config c;
  c.channels = 1;
  c.dies_per_channel = 2;
  const double whole = ClosedLoop{c, 64, 20'000, 4_KiB}.per_operation();
  c.snap_read = 4_KiB;
  const double snap = ClosedLoop{c, 64, 20'000, 4_KiB}.per_operation();
  EXPECT_LT(snap, whole * 0.9);
  EXPECT_GT(snap, whole * 0.8);
}

TEST(NandModes, ASnapPieceDividesThePage) {
  UserErrors errors;
  Config c;
  c.snap_read = 3_KiB;
  c.check("nand", errors);
  ASSERT_EQ(errors.list.size(), 1U);
  EXPECT_NE(errors.list[0].find("nand.snap_read"), std::string::npos);
}

TEST(NandModes, ASecondPassTakesItsDataAgain) {
  Config c = plain_config();
  c.program_passes = 2;
  c.t_prog_first = 400us;
  ArrayUnderTest t{c};
  TestOp& p = t.program(Time{}, 0);
  TestOp& next = t.program(Time{}, 0, 1);
  t.run();
  const Duration load = 1300ns + 12 * page_out;
  EXPECT_EQ(p.answered, Time{} + 2 * load + 400us + 1ms);
  EXPECT_EQ(next.answered, p.answered + 2 * load + 400us + 1ms);  // pass by pass, one program after the other
  EXPECT_EQ(p.op.journey[Stage::program], 1'400us);
  EXPECT_EQ(p.op.status, OpStatus::ok);
  EXPECT_EQ(t.model.statistics().channel_bytes.value, 4 * 192U * 1024);
  EXPECT_EQ(t.model.statistics().bytes_programmed.value, 2 * 192U * 1024);
  EXPECT_EQ(t.model.statistics().pages_programmed.value, 4 * 12U);
  EXPECT_EQ(t.model.statistics().die_wait.count(), 2U);
  t.expect_lawful();
}

TEST(NandModes, ReadsGoBetweenThePasses) {
  Config c = plain_config();
  c.program_passes = 2;
  c.t_prog_first = 400us;
  ArrayUnderTest t{c};
  TestOp& p = t.program(Time{}, 0);
  TestOp& r = t.read(Time{} + 300us, 0, 0);
  t.run();
  const Duration load = 1300ns + 12 * page_out;
  EXPECT_EQ(r.op.stream.last, Time{} + load + 400us + 32us + page_out);
  EXPECT_EQ(p.answered, r.op.stream.last + load + 1ms);
}

TEST(NandModes, FirstInFirstOutIsWhatItSays) {
  for (const DiePolicy policy : {DiePolicy::fifo, DiePolicy::reads_first}) {
    Config c = plain_config();
    c.die_policy = policy;
    ArrayUnderTest t{c};
    t.erase(Time{}, 0, 2);
    TestOp& e = t.erase(Time{} + 1us, 0, 1);
    TestOp& p = t.program(Time{} + 2us, 0);
    TestOp& a = t.read(Time{} + 3us, 0, 0);
    TestOp& b = t.read(Time{} + 4us, 0, 1);
    t.run();
    const bool fifo = policy == DiePolicy::fifo;
    EXPECT_EQ(e.order, fifo ? 1U : 4U);
    EXPECT_EQ(p.order, fifo ? 2U : 3U);
    EXPECT_EQ(a.order, fifo ? 3U : 1U);
    EXPECT_EQ(b.op.stream.last, a.op.stream.last + 1us + page_out);  // side by side all the same
  }
}

TEST(NandModes, InTurnReadsStopAtAnOlderProgramAndNotOnePicosecondBefore) {
  for (const std::int64_t early : {1, 0, -1}) {  // picoseconds the second read comes before the program
    Config c = plain_config();
    c.die_policy = DiePolicy::fifo;
    ArrayUnderTest t{c};
    t.read(Time{}, 0, 0);
    TestOp& p = t.program(Time{} + 10us, 0);
    TestOp& r = t.read(Time{} + 10us - Duration{early}, 0, 1);
    t.run();
    EXPECT_EQ(r.order < p.order, early >= 0) << early;
  }
}

TEST(NandModes, ReadsOfTheHostGoBeforeThoseOfGarbageCollectionWithinABound) {
  for (const DiePolicy policy : {DiePolicy::host_first, DiePolicy::reads_first}) {
    for (const std::uint32_t bound : {2U, 5U}) {
      Config c = plain_config();
      c.die_policy = policy;
      c.die_overtakes = bound;
      ArrayUnderTest t{c};
      t.read(Time{}, 0, 0);
      TestOp& gc = t.read(Time{} + 1ns, 0, 0);
      gc.op.background = true;
      for (int i = 0; i < 10; ++i) t.read(Time{} + 2ns, 0, 0);
      t.run();
      EXPECT_EQ(gc.order, policy == DiePolicy::host_first ? 1 + bound : 1U);
      t.expect_lawful();
    }
  }
}

TEST(NandModes, SixtyFourDeepTheHostsReadsAreFasterThanWithoutPriority) {
  const auto wait = [](DiePolicy policy) {
    Config c = plain_config();
    c.die_policy = policy;
    c.die_overtakes = 1'000;
    ArrayUnderTest t{c};
    std::vector<TestOp*> host;
    for (unsigned i = 0; i < 64; ++i) {
      TestOp& r = t.read(Time{}, i % 2, i / 2 % 4);
      if (i % 3 != 0) r.op.background = true;
      else host.push_back(&r);
    }
    t.run();
    Duration sum{};
    for (const TestOp* r : host) sum += r->answered - Time{};
    return sum;
  };
  EXPECT_LT(wait(DiePolicy::host_first), wait(DiePolicy::reads_first) / 2);
  EXPECT_EQ(wait(DiePolicy::fifo), wait(DiePolicy::reads_first));  // only reads
}

TEST(NandModes, CountsAreOfPagesAndBlocksOfOnePlane) {
  Config c = plain_config();
  c.snap_read = 4_KiB;
  ArrayUnderTest t{c};
  t.read(Time{}, 0, 0, 64_KiB, 4, 1);
  t.read(Time{} + 1ms, 0, 0, 4_KiB, 1, 2);
  t.program(Time{} + 2ms, 0, 0, 0, 0, 2);
  t.erase(Time{} + 4ms, 0, 0, 3);
  t.run();
  const auto& s = t.model.statistics();
  EXPECT_EQ(s.sensed[0].value, 0U);
  EXPECT_EQ(s.sensed[1].value, 4U);
  EXPECT_EQ(s.sensed[2].value, 1U);
  EXPECT_EQ(s.sensed_snap.value, 1U);
  EXPECT_EQ(s.pages_programmed.value, 6U);
  EXPECT_EQ(s.plane_erases.value, 3U);
}

}  // namespace
}  // namespace flashpath::nand

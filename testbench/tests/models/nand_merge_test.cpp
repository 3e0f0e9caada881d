// SPDX-License-Identifier: Apache-2.0
// Operations that share a multi-plane command, programs of single pages, and the channel that lets data go first.
// The drive is a well-known reference of the simulators' literature: commands 290 ns and 650 ns per further plane (programs 361 and
// 816 ns), tR 50 us + 20 ns, tPROG 600 us, 2 GB/s, 16 KiB pages in 8.192 us, sectors of 512 B without parity.
#include "models/nand_closed_loop.h"
#include "models/nand_fixture.h"

namespace flashpath::nand {
namespace {

constexpr Duration page_out = 8'192ns;

Config reference_config() {
  Config c;
  c.channels = 1;
  c.dies_per_channel = 4;
  c.planes = 4;
  c.blocks_per_plane = 8;
  c.wordlines_per_block = 64;
  c.bits_per_cell = 1;
  c.independent_plane_reads = false;
  c.merge_planes = true;
  c.program_unit = ProgramUnit::page;
  c.channel_policy = ChannelPolicy::data_first;
  c.bus_rate = 2_GBps;
  c.codeword = 512_B;
  c.parity = 0_B;
  c.ecc_latency = 0ns;
  c.ecc_rate = 64_GBps;
  c.t_wb = 0ns;
  c.t_rr = 20ns;
  c.t_cmd_out = 0ns;
  c.t_cmd_read = 290ns;
  c.t_cmd_read_plane = 650ns;
  c.t_cmd_program = 361ns;
  c.t_cmd_program_plane = 816ns;
  c.t_cmd_erase = 220ns;
  c.t_r_lower = 50us;
  c.t_prog = 600us;
  c.t_bers = 3ms;
  return c;
}

TestOp& program_page(ArrayUnderTest& t, Time at, unsigned die, unsigned plane, unsigned page = 0) {
  return t.submit(at, {.kind = OpKind::program,
                       .die = {static_cast<std::uint16_t>(die)},
                       .page = {page},
                       .plane = static_cast<std::uint8_t>(plane),
                       .size = 16_KiB});
}

TEST(NandMerge, ReadsOfOtherPlanesShareCommandAndArrayTime) {
  for (unsigned n = 1; n <= 4; ++n) {
    ArrayUnderTest t{reference_config()};
    t.program(Time{}, 0, 0, 0, 0, 1).op.size = 16_KiB;  // the die is busy while they arrive
    const Time free = Time{} + 361ns + page_out + 600us;
    std::vector<TestOp*> reads;
    for (unsigned p = 0; p < n; ++p) reads.push_back(&t.read(Time{} + 1us, 0, 3 - p, 4_KiB));
    t.run();
    const Time sensed = free + 290ns + (n - 1) * 650ns + 50us + 20ns;
    for (unsigned i = 0; i < n; ++i) {
      EXPECT_EQ(reads[i]->op.stream.last, sensed + (i + 1) * 2048ns) << n;
      EXPECT_EQ(reads[i]->op.journey[Stage::transfer], 290ns + (n - 1) * 650ns + 256ns);  // the first sector; the rest streams
    }
    EXPECT_EQ(t.model.array_busy({0}, t.agenda.now()), 650us);
    t.expect_lawful();
  }
}

TEST(NandMerge, OnlyTheSamePageOfOtherPlanesAndOnlyIfAsked) {
  for (const bool merge : {true, false}) {
    Config c = reference_config();
    c.merge_planes = merge;
    ArrayUnderTest t{c};
    t.program(Time{}, 0, 0, 0, 0, 1).op.size = 16_KiB;
    TestOp& first = t.read(Time{} + 1us, 0, 0, 16_KiB, 1, 5);
    TestOp& same_plane = t.read(Time{} + 1us, 0, 0, 16_KiB, 1, 5);
    TestOp& other_page = t.read(Time{} + 1us, 0, 1, 16_KiB, 1, 6);
    TestOp& fits = t.read(Time{} + 1us, 0, 2, 16_KiB, 1, 5);
    fits.op.block = {7};  // the block does not matter
    t.run();
    EXPECT_EQ(first.order, 1U);
    EXPECT_EQ(fits.order, merge ? 2U : 4U);
    EXPECT_EQ(same_plane.order, merge ? 3U : 2U);
    EXPECT_EQ(other_page.order, merge ? 4U : 3U);
    EXPECT_EQ(fits.op.stream.last - first.op.stream.last, merge ? page_out : 3 * (50'310ns + page_out));
    t.expect_lawful();
  }
}

TEST(NandMerge, TheDieIsBusyUntilTheLastOnesDataHaveLeft) {
  ArrayUnderTest t{reference_config()};
  t.program(Time{}, 0, 0, 0, 0, 1).op.size = 16_KiB;
  for (unsigned p = 0; p < 4; ++p) t.read(Time{} + 1us, 0, p);
  TestOp& behind = t.read(Time{} + 1us, 0, 0);
  t.run();
  const Time sensed = Time{} + 361ns + page_out + 600us + 2240ns + 50'020ns;
  EXPECT_EQ(behind.op.stream.last, sensed + 4 * page_out + 290ns + 50'020ns + page_out);
  EXPECT_EQ(behind.op.journey[Stage::die_wait], sensed + 4 * page_out - (Time{} + 1us));
}

TEST(NandMerge, ReadsThatRunSideBySideAreNotGrouped) {
  Config c = reference_config();
  c.independent_plane_reads = true;
  ArrayUnderTest t{c};
  t.program(Time{}, 0, 0, 0, 0, 1).op.size = 16_KiB;
  const Time free = Time{} + 361ns + page_out + 600us;
  TestOp& a = t.read(Time{} + 1us, 0, 0, 4_KiB);
  TestOp& b = t.read(Time{} + 1us, 0, 1, 4_KiB);
  t.run();
  EXPECT_EQ(a.op.stream.last, free + 290ns + 50'020ns + 2048ns);
  EXPECT_EQ(b.op.stream.last, a.op.stream.last + 2048ns);  // only the data are serial
}

TEST(NandMerge, ProgramsOfOtherPlanesShareCommandAndArrayTime) {
  for (unsigned n = 1; n <= 4; ++n) {
    ArrayUnderTest t{reference_config()};
    t.erase(Time{}, 0, 7, 1);
    const Time free = Time{} + 220ns + 3ms;
    std::vector<TestOp*> programs;
    for (unsigned p = 0; p < n; ++p) programs.push_back(&program_page(t, Time{} + 1us, 0, p));
    TestOp& next = program_page(t, Time{} + 1us, 0, 0, 1);
    t.run();
    const Duration one = 361ns + page_out + 600us;
    const Time end = free + 361ns + (n - 1) * 816ns + n * page_out + 600us;
    for (const TestOp* p : programs) {
      EXPECT_EQ(p->answered, end) << n;
      EXPECT_EQ(p->op.status, OpStatus::ok);
      EXPECT_EQ(p->op.journey[Stage::program], 600us);
    }
    EXPECT_EQ(next.answered, end + one);  // another page number: by itself
    EXPECT_EQ(t.model.cells().next_page({0}, {0}, 0), 2U);
    EXPECT_EQ(t.model.cells().next_page({0}, {0}, n - 1), n == 1 ? 2U : 1U);
    t.expect_lawful();
  }
}

TEST(NandMerge, ErasesOfOtherPlanesShareCommandAndArrayTime) {
  Config c = reference_config();
  c.t_cmd_erase_plane = 100ns;
  for (const bool merge : {true, false}) {
    c.merge_planes = merge;
    ArrayUnderTest t{c};
    t.erase(Time{}, 0, 0, 1);
    TestOp& a = t.erase(Time{} + 1us, 0, 1, 2);
    TestOp& b = t.submit(Time{} + 1us, {.kind = OpKind::erase, .block = {2}, .plane = 2, .planes = 2});
    t.run();
    const Time free = Time{} + 220ns + 3ms;
    EXPECT_EQ(a.answered, free + (merge ? 520ns : 320ns) + 3ms);
    EXPECT_EQ(b.answered, merge ? a.answered : a.answered + 320ns + 3ms);
    t.expect_lawful();
  }
}

TEST(NandMerge, SinglePagesAreProgrammedInOrderAndKeepTheirBytes) {
  Config c = reference_config();
  c.bits_per_cell = 3;
  ArrayUnderTest t{c, true};
  std::vector<unsigned char> in(3 * 16384), out(16384), blank(16384);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<unsigned char>(i * 7 + i / 16384);
  for (unsigned page = 0; page < 2; ++page) program_page(t, Time{} + page * 1ms, 0, 1, page).op.data = in.data() + page * 16384;
  TestOp& skips = program_page(t, Time{} + 3ms, 0, 1, 4);
  t.submit(Time{} + 10ms, {.page = {1}, .plane = 1, .size = 16_KiB, .data = out.data()});
  t.submit(Time{} + 10ms, {.page = {2}, .plane = 1, .size = 16_KiB, .data = blank.data()});
  t.run();
  EXPECT_EQ(skips.op.status, OpStatus::program_failed);
  EXPECT_TRUE(std::equal(out.begin(), out.end(), in.begin() + 16384));
  EXPECT_EQ(blank, std::vector<unsigned char>(16384, 0xFF));  // not yet programmed, in the same wordline
  EXPECT_EQ(t.model.cells().next_page({0}, {0}, 1), 2U);
  t.model.cells().precondition({0}, {1}, 2);
  EXPECT_EQ(t.model.cells().next_page({0}, {1}, 3), 6U);
  EXPECT_EQ(t.model.geometry().program_bytes(2), 32_KiB);
}

TEST(NandMerge, DataFirstLetsFinishedReadsGoBeforeCommands) {
  for (const ChannelPolicy policy : {ChannelPolicy::commands_first, ChannelPolicy::data_first}) {
    Config c = reference_config();
    c.channel_policy = policy;
    ArrayUnderTest t{c};
    t.read(Time{}, 0, 0);
    TestOp& out = t.read(Time{}, 1, 0);             // its data are ready while the first's leave
    TestOp& command = t.read(Time{} + 52us, 2, 0);  // asks meanwhile
    t.run();
    const Time free = Time{} + 50'310ns + page_out;
    const bool data = policy == ChannelPolicy::data_first;
    EXPECT_EQ(out.op.stream.last, free + page_out + (data ? 0ns : 290ns));
    EXPECT_EQ(command.op.stream.last, free + (data ? page_out : 0ns) + 50'310ns + page_out);
  }
}

TEST(NandMerge, DataFirstTakesDiesInTurnAndAProgramWithAllItsData) {
  ArrayUnderTest t{reference_config()};
  t.read(Time{}, 1, 0);                               // the turn is then at die 2
  TestOp& p0 = program_page(t, Time{} + 52us, 0, 0);  // all while the bus is busy until 58.502 us
  TestOp& r3 = t.read(Time{} + 53us, 3, 0);
  TestOp& p2 = program_page(t, Time{} + 54us, 2, 0);
  TestOp& more = program_page(t, Time{} + 55us, 0, 1);  // joins the first of its die
  t.run();
  const Time free = Time{} + 50'310ns + page_out;
  EXPECT_EQ(p2.answered, free + 361ns + page_out + 600us);
  const Time third = free + 361ns + page_out;
  EXPECT_EQ(r3.op.stream.last - 50'310ns - page_out, third);
  EXPECT_EQ(p0.answered, third + 290ns + 1177ns + 2 * page_out + 600us);
  EXPECT_EQ(more.answered, p0.answered);
  t.expect_lawful();
}

TEST(NandMerge, MergedReadsRaiseWhatOneDieDelivers) {
  Config c = reference_config();
  c.dies_per_channel = 1;
  c.wordlines_per_block = 1;  // one page number: everything fits together
  const ClosedLoop merged{c, 64, 20'000, 16_KiB};
  c.merge_planes = false;
  const ClosedLoop single{c, 64, 20'000, 16_KiB};
  EXPECT_NEAR(single.per_operation(), 58'502'000, 1);
  const double best = (2'240'000 + 50'020'000) / 4.0 + 8'192'000;  // always all four planes
  EXPECT_GE(merged.per_operation(), best);
  EXPECT_NEAR(merged.per_operation(), best, best * 0.02);
}

TEST(NandMerge, EverythingIsAnsweredOnceUnderEitherPolicy) {
  for (const ChannelPolicy policy : {ChannelPolicy::commands_first, ChannelPolicy::data_first}) {
    for (const bool sca : {false, true}) {
      for (const ProgramUnit unit : {ProgramUnit::page, ProgramUnit::wordline}) {
        Config c = reference_config();
        c.channels = 2;
        c.planes = 16;
        c.bits_per_cell = 2;
        c.channel_policy = policy;
        c.sca = sca;
        c.program_unit = unit;
        c.t_prog = 200us;
        c.t_bers = 400us;
        ClosedLoop loop{c, 256, 40'000, 8_KiB, 50};
        EXPECT_EQ(loop.model.answered(), 40'000U);
        Laws laws;
        loop.model.check(laws, loop.agenda.now());
        EXPECT_TRUE(laws.broken().empty()) << laws.broken().front();
      }
    }
  }
}

}  // namespace
}  // namespace flashpath::nand

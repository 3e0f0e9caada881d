// SPDX-License-Identifier: Apache-2.0
// Each operation alone: closed forms to the picosecond, and what each number of the configuration does to them.
#include "models/nand_fixture.h"

namespace flashpath::nand {
namespace {

TEST(NandTiming, ReadAloneIsTheSumOfItsStages) {
  ArrayUnderTest t{Config{}};
  TestOp& one = t.read(Time{}, 0, 0, 4_KiB);                // one codeword, lower page
  TestOp& page = t.read(Time{} + 1ms, 1, 2, 16_KiB, 1, 4);  // four codewords, middle page
  TestOp& wide = t.read(Time{} + 2ms, 2, 0, 64_KiB, 4, 5);  // four planes, upper page
  t.run();
  const Duration before = 600ns + 100ns + 20ns + 600ns;                      // command, tWB, tRR, data-out command
  EXPECT_EQ(one.answered - Time{}, before + 33'750ns + 1'262'223_ps + 2us);  // 4544 B at 3.6 GB/s
  EXPECT_EQ(one.op.stream.last, one.answered);
  EXPECT_EQ(page.answered - (Time{} + 1ms), before + 45us + 1'262'223_ps + 2us);
  EXPECT_EQ(page.op.stream.last - (Time{} + 1ms), before + 45us + 5'048'889_ps + 2us);  // 18176 B, rounded once
  EXPECT_EQ(wide.answered - (Time{} + 2ms), before + 1800ns + 58'500ns + 1'262'223_ps + 2us);
  EXPECT_EQ(wide.op.stream.last - (Time{} + 2ms), before + 1800ns + 1800ns + 58'500ns + 20'195'556_ps + 2us);
  t.expect_lawful();
}

TEST(NandTiming, ReadJourneyNamesEachStage) {
  ArrayUnderTest t{Config{}};
  TestOp& r = t.read(Time{}, 0, 0, 16_KiB);
  t.run();
  const Journey& j = r.op.journey;
  EXPECT_EQ(j[Stage::die_wait], 0ns);
  EXPECT_EQ(j[Stage::sense], 100ns + 33'750ns + 20ns);
  EXPECT_EQ(j[Stage::channel_wait], 0ns);
  EXPECT_EQ(j[Stage::transfer], 1200ns + 1'262'223_ps);
  EXPECT_EQ(j[Stage::ecc], 2us);
}

TEST(NandTiming, ProgramAloneIsCommandDataAndArray) {
  ArrayUnderTest t{Config{}};
  TestOp& all = t.program(Time{}, 0);
  TestOp& one = t.program(Time{}, 1, 0, 0, 3, 1);
  t.run();
  // 48 codewords of 4544 B; 600 ns + 3 x 600 ns of commands; tWB; tPROG
  EXPECT_EQ(all.answered - Time{}, 2400ns + (48 * 4544_B) / 3600_MBps + 100ns + 1'100us);
  EXPECT_EQ((48 * 4544_B) / 3600_MBps, 60'586'667_ps);
  EXPECT_EQ(one.answered - Time{}, 600ns + (12 * 4544_B) / 3600_MBps + 100ns + 1'100us);
  EXPECT_EQ(all.op.status, OpStatus::ok);
  EXPECT_EQ(all.op.stream.last, all.answered);
  EXPECT_EQ(all.op.journey[Stage::program], 1'100'100ns);
  EXPECT_EQ(all.op.journey[Stage::transfer], 2400ns + 60'586'667_ps);
}

TEST(NandTiming, EraseAloneIsCommandAndArray) {
  ArrayUnderTest t{Config{}};
  TestOp& all = t.erase(Time{}, 0);
  TestOp& one = t.erase(Time{}, 1, 0, 1);
  t.run();
  EXPECT_EQ(all.answered - Time{}, 1200ns + 100ns + 5ms);
  EXPECT_EQ(one.answered - Time{}, 300ns + 100ns + 5ms);
}

TEST(NandTiming, EachPageTypeHasItsOwnReadTime) {
  Config c = plain_config();
  c.bits_per_cell = 4;
  c.t_r_extra = 60us;
  ArrayUnderTest t{c};
  for (unsigned page = 0; page < 16; ++page) t.read(Time{} + page * 1ms, 0, 0, 4_KiB, 1, page);
  t.run();
  for (unsigned page = 0; page < 16; ++page) {
    EXPECT_EQ(t.ops[page].answered - (Time{} + page * 1ms), 2us + 4096ns + (30 + page % 4 * 10) * Duration{1us}) << page;
  }
}

TEST(NandTiming, OnlyTheCodewordsTouchedTravel) {
  ArrayUnderTest t{plain_config()};
  const auto last = [&](Bytes offset, Bytes size, unsigned planes) {
    const Time at = t.agenda.now() + 1ms;
    TestOp& r = t.submit(at, {.planes = static_cast<std::uint8_t>(planes), .offset = offset, .size = size});
    t.run();
    return r.op.stream.last - at - 30us - 1us - (planes - 1) * Duration{100ns};  // without command and tR
  };
  EXPECT_EQ(last(0_B, 1_B, 1), 1us + 4096ns);
  EXPECT_EQ(last(0_B, 4_KiB, 1), 1us + 4096ns);
  EXPECT_EQ(last(4_KiB, 4_KiB, 1), 1us + 4096ns);
  EXPECT_EQ(last(4095_B, 2_B, 1), 1us + 8192ns);      // a codeword is decoded as a whole
  EXPECT_EQ(last(16383_B, 2_B, 2), 2us + 8192ns);     // two planes, a data-out command each
  EXPECT_EQ(last(16_KiB, 16_KiB, 2), 1us + 16384ns);  // only the second plane's data
  EXPECT_EQ(last(0_B, 64_KiB, 4), 4us + 65536ns);
}

TEST(NandTiming, EveryInterfaceRateIsExactAndFasterIsNeverSlower) {
  Duration before{std::numeric_limits<std::int64_t>::max()};
  const std::array<std::uint64_t, 16> rates{200, 266, 333, 400, 533, 667, 800, 1000, 1066, 1200, 1600, 2000, 2400, 3200, 3600, 4800};
  for (const std::uint64_t mt : rates) {
    Config c = plain_config();
    c.bus_rate = Rate{mt * 1'000'000};
    ArrayUnderTest t{c};
    TestOp& r = t.read(Time{}, 0, 0, 16_KiB);
    t.run();
    const Duration transfer = r.op.stream.last - Time{} - 32us;
    EXPECT_EQ(static_cast<std::uint64_t>(transfer.count()), ceil_div(std::uint64_t{16384} * 1'000'000, mt)) << mt;
    EXPECT_LT(transfer, before) << mt;
    before = transfer;
    if (mt == 3600) { EXPECT_EQ(transfer, 4'551'112_ps); }
  }
}

TEST(NandTiming, DecoderLatencyAndRate) {
  Config c = plain_config();
  c.ecc_latency = 3us;
  c.ecc_rate = 500_MBps;  // half the channel: a codeword every 8.192 us
  ArrayUnderTest t{c};
  TestOp& a = t.read(Time{}, 0, 0, 16_KiB);
  TestOp& b = t.read(Time{}, 0, 1, 16_KiB);
  t.run();
  const Time first = Time{} + 32us + 4096ns;
  EXPECT_EQ(a.answered, first + 3us);
  EXPECT_EQ(a.op.stream.last, first + 3us + 3 * 8192ns);  // the decoder, not the channel
  EXPECT_EQ(b.answered, first + 3us + 4 * 8192ns);        // in the order of data-out, no gap
  EXPECT_EQ(b.op.journey[Stage::ecc], b.answered - (Time{} + 33us + 16384ns + 4096ns));
}

TEST(NandTiming, WaitsAroundBusyCountOncePerOperation) {
  Config c = plain_config();
  const auto times = [&] {
    ArrayUnderTest t{c};
    TestOp& r = t.read(Time{}, 0, 0, 4_KiB);
    TestOp& p = t.program(Time{} + 1ms, 0);
    TestOp& e = t.erase(Time{} + 10ms, 0);
    t.run();
    return std::array{r.answered, p.answered, e.answered};
  };
  const auto base = times();
  c.t_wb = 70ns;
  c.t_rr = 3ns;
  const auto more = times();
  EXPECT_EQ(more[0] - base[0], 73ns);
  EXPECT_EQ(more[1] - base[1], 70ns);
  EXPECT_EQ(more[2] - base[2], 70ns);
}

TEST(NandTiming, CommandTimesByOperationAndPlane) {
  struct Case {
    Duration Config::*knob;
    std::array<int, 3> times;
  };  // in a 4-plane read of 2 planes' data, program, erase
  const std::array cases{Case{&Config::t_cmd_read, {1, 0, 0}},          Case{&Config::t_cmd_read_plane, {3, 0, 0}},
                         Case{&Config::t_cmd_out, {2, 0, 0}},           Case{&Config::t_cmd_program, {0, 1, 0}},
                         Case{&Config::t_cmd_program_plane, {0, 3, 0}}, Case{&Config::t_cmd_erase, {0, 0, 1}},
                         Case{&Config::t_cmd_erase_plane, {0, 0, 3}}};
  const auto times = [](const Config& c) {
    ArrayUnderTest t{c};
    TestOp& r = t.read(Time{}, 0, 0, 32_KiB, 4);
    TestOp& p = t.program(Time{} + 1ms, 0);
    TestOp& e = t.erase(Time{} + 10ms, 0);
    t.run();
    return std::array{r.op.stream.last, p.answered, e.answered};
  };
  const auto base = times(plain_config());
  for (std::size_t k = 0; k < cases.size(); ++k) {
    Config c = plain_config();
    c.*cases[k].knob += 7ns;
    const auto now = times(c);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(now[i] - base[i], cases[k].times[i] * Duration{7ns}) << "case " << k << ", op " << i;
  }
}

TEST(NandTiming, ParityTravelsWithEachCodeword) {
  Config c = plain_config();
  c.parity = 512_B;
  c.codeword = 2_KiB;
  ArrayUnderTest t{c};
  TestOp& r = t.read(Time{}, 0, 0, 16_KiB);
  t.run();
  EXPECT_EQ(r.answered - Time{}, 32us + 2560ns);
  EXPECT_EQ(r.op.stream.last - Time{}, 32us + 20480ns);
  EXPECT_EQ(t.model.statistics().channel_bytes.value, 20480U);
  EXPECT_EQ(t.model.statistics().bytes_read.value, 16384U);
}

}  // namespace
}  // namespace flashpath::nand

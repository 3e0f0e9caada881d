// SPDX-License-Identifier: Apache-2.0
// Closed forms to the picosecond, gates from both sides, saturation, write amplification, and every knob's effect.
#include <cmath>

#include "base/random.h"
#include "models/ftl_bench.h"

using namespace flashpath;
using namespace flashpath::ftl;
using namespace flashpath::ftl::test;

namespace {
constexpr Duration look_up = 83'334_ps;  // one at 12 MHz, rounded up
constexpr std::uint64_t pu = 24 << 10U, kib = 1 << 10U;

double waf_of_random(Config c, std::uint64_t passes) {
  const Geometry g{
      .channels = 2, .dies = 4, .planes = 1, .blocks_per_plane = 128, .wordlines_per_block = 16, .bits_per_cell = 3, .page = 4_KiB};
  Drive drive{c, g};
  const std::uint64_t units = c.capacity / c.mapping_unit;
  overwrite(drive, c.capacity, 4096, units * (passes - 1), false);
  const Counts before = drive.model.counts();
  overwrite(drive, c.capacity, 4096, units, false);
  const Counts after = drive.model.counts();
  return static_cast<double>(after.flash_programmed - before.flash_programmed) /
         static_cast<double>(after.host_written - before.host_written);
}
}  // namespace

TEST(FtlModel, AReadAloneTakesLookUpAndSense) {
  Config c = small_config();
  c.precondition = Precondition::sequential;
  Drive drive{c};
  auto& io = drive.run(RequestKind::read, 0, 8 * kib);
  EXPECT_EQ(io.answered, Time{} + look_up + 500ns + 40us);
  EXPECT_EQ(io.request.stream.first, io.answered);
  EXPECT_EQ(io.request.stream.last, io.answered + 5us);
  EXPECT_EQ(io.request.journey[Stage::map], look_up + 500ns);
  EXPECT_EQ(io.request.journey[Stage::sense], Duration{40us});
  EXPECT_EQ(drive.flash.ops.size(), 1U);  // an aligned stripe is one operation
  EXPECT_EQ(drive.flash.ops[0].op.planes, 2);
}

TEST(FtlModel, AnUnmappedReadNeedsNoFlash) {
  Drive drive;
  EXPECT_EQ(drive.run(RequestKind::read, 0, 64 * kib).answered, Time{} + look_up + 500ns);
  EXPECT_EQ(drive.flash.ops.size(), 0U);
  EXPECT_EQ(drive.model.counts().unmapped_read, 64 * kib);
}

TEST(FtlModel, ABufferedReadNeedsNoFlashUntilTheProgramEnds) {
  Drive drive;
  auto& write = drive.run(RequestKind::write, 0, pu);
  EXPECT_EQ(write.accepted, Time{});
  EXPECT_EQ(write.answered, Time{} + look_up + 2us);
  const Time end = Time{} + 600us;  // the program began with the last byte
  drive.agenda.run_until(end - look_up - 500ns - 1_ps);
  auto& before = drive.submit(RequestKind::read, 0, 4 * kib);
  drive.agenda.run_until(drive.agenda.now() + 1_ps + look_up);
  drive.agenda.run_until(end);
  EXPECT_EQ(before.answered, end - 1_ps);
  EXPECT_EQ(drive.model.counts().flash_reads, 0U);
  EXPECT_EQ(drive.run(RequestKind::read, 0, 4 * kib).answered, end + look_up + 500ns + 40us);
  EXPECT_EQ(drive.model.counts().flash_reads, 1U);
}

TEST(FtlModel, PreconditionedReadsGoToTheArithmeticPlace) {
  Config c = small_config();
  c.precondition = Precondition::sequential;
  Drive drive{c};
  Random random{3, "places"};
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t unit = random.below(c.capacity.count / 4096), at = unit * 4096;
    drive.run(RequestKind::read, at, 4 * kib);
    const nand::Op& op = drive.flash.ops.back().op;
    const std::uint64_t superblock = at / (768 * kib), k = at % (768 * kib) / pu, in = at % pu;
    EXPECT_EQ(op.block.value, superblock);
    EXPECT_EQ(op.die.value, k % 4);
    EXPECT_EQ(op.page.value, k / 4 * 3 + in / (8 * kib));
    EXPECT_EQ(op.plane, in % (8 * kib) / (4 * kib));
    EXPECT_EQ(op.planes, 1);
    EXPECT_EQ(op.size, 4_KiB);
  }
  auto& io = drive.run(RequestKind::read, 4 * kib, 20 * kib);  // half a stripe, a stripe, a stripe
  EXPECT_EQ(io.request.status, RequestStatus::ok);
  EXPECT_EQ(drive.flash.ops.back().op.page.value, 2U);
  EXPECT_EQ(drive.model.counts().flash_reads, 503U);
}

TEST(FtlModel, LookUpsAreServedInOrderAtTheirRate) {
  Drive drive;
  std::vector<Drive::Io*> ios;
  for (int i = 0; i < 64; ++i) ios.push_back(&drive.submit(RequestKind::read, 0, 4 * kib));
  drive.agenda.run();
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(ios[i]->answered, Time{} + static_cast<std::int64_t>(i + 1) * look_up + 500ns);
  const Time begin = drive.agenda.now();
  EXPECT_EQ(drive.run(RequestKind::read, 0, 68 * kib).answered, begin + 166'667_ps + 500ns);
  EXPECT_EQ(drive.model.counts().lookup_busy, 64 * look_up + 166'667_ps);  // 17 entries: two look-ups
}

TEST(FtlModel, AWriteIsAcceptedWhenAProgramEndsNotAPicosecondBefore) {
  Config c = small_config();
  c.write_buffer = {4 * pu};
  Drive drive{c};
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(drive.submit(RequestKind::write, i * pu, pu).accepted, Time{});
  auto& blocked = drive.submit(RequestKind::write, 10 * pu, 4 * kib);
  auto& flush = drive.submit(RequestKind::flush, 0, 0);
  drive.agenda.run_until(Time{} + 600us - 1_ps);
  EXPECT_EQ(blocked.accepted, never);
  EXPECT_EQ(flush.accepted, never);  // the line is in order
  Stall stall;
  drive.model.explain(stall);
  EXPECT_EQ(stall.lines().size(), 2U);
  drive.agenda.run_until(Time{} + 600us);
  EXPECT_EQ(blocked.accepted, Time{} + 600us);
  EXPECT_EQ(drive.model.buffered(), Bytes{4 * kib});
  drive.agenda.run();
  EXPECT_EQ(blocked.request.journey[Stage::buffer_wait], Duration{600us});
  drive.expect_laws();
}

TEST(FtlModel, SustainedWritesRunAtTheProgramsRate) {
  Drive drive;
  overwrite(drive, 24_MiB, 64 * kib, 300, true);  // 300 x 64 KiB: 800 program units on 4 dies
  EXPECT_NEAR(to_us(drive.agenda.now() - Time{}), 800.0 / 4 * 600, 0.01 * 800.0 / 4 * 600);
}

TEST(FtlModel, OutOfRangeIsAStatus) {
  Drive drive;
  for (const auto kind : {RequestKind::read, RequestKind::write, RequestKind::trim}) {
    EXPECT_EQ(drive.run(kind, (24 << 20U) - 4 * kib, 8 * kib).request.status, RequestStatus::out_of_range);
    EXPECT_EQ(drive.run(kind, ~std::uint64_t{0} - 100, 8 * kib).request.status, RequestStatus::out_of_range);
  }
  EXPECT_EQ(drive.model.mapping().mapped(), 0U);
  drive.expect_laws();
}

TEST(FtlModel, FlushIsAtOnceOrWaitsForPrograms) {
  for (const bool programs : {false, true}) {
    Config c = small_config();
    c.flush_programs = programs;
    Drive drive{c};
    drive.submit(RequestKind::write, 0, 4 * kib);
    auto& flush = drive.run(RequestKind::flush, 0, 0);
    EXPECT_EQ(flush.answered, programs ? Time{} + 600us + look_up + 2us : Time{} + 2 * look_up + 2us);
    EXPECT_EQ(drive.model.buffered(), Bytes{programs ? 0 : 4 * kib});
    EXPECT_EQ(drive.model.counts().flash_programmed, programs ? pu : 0);
  }
}

TEST(FtlModel, TrimTakesWholeUnitsOnly) {
  Drive drive;
  drive.run(RequestKind::write, 0, 64 * kib);
  drive.run(RequestKind::trim, 1 * kib, 15 * kib);
  EXPECT_EQ(drive.model.counts().trimmed, 3U);
  EXPECT_EQ(drive.model.mapping().at(0), 0U);
  EXPECT_EQ(drive.model.mapping().at(1), nowhere);
  EXPECT_EQ(drive.model.mapping().at(4), 4U);
}

TEST(FtlModel, StreamsHaveSuperblocksOfTheirOwn) {
  for (const std::uint32_t streams : {1U, 2U}) {
    Config c = small_config();
    c.write_streams = streams;
    Drive drive{c};
    drive.submit(RequestKind::write, 0, pu, 0);
    drive.submit(RequestKind::write, pu, pu, 1);
    EXPECT_EQ(drive.flash.ops[1].op.block.value, streams - 1);
  }
}

TEST(FtlModel, RandomOverwritesHaveTheClosedFormsWriteAmplification) {
  Config c = small_config();
  c.capacity = {std::uint64_t{98} * 768 * kib};  // of 128 superblocks
  c.gc_low = 2;
  c.gc_high = 2;
  const double waf = waf_of_random(c, 8);
  // Valid share p of a victim under uniform writes, oldest first: u = (p - 1) / ln p; a = 1 / (1 - p). Greedy is a little below.
  const double u = 98.0 / (128 - 2 - 2);  // two open, two free
  double low = 1e-9, high = 1 - 1e-9;
  for (int i = 0; i < 200; ++i) {
    const double p = (low + high) / 2;
    ((p - 1) / std::log(p) < u ? low : high) = p;
  }
  const double bound = 1 / (1 - low);
  EXPECT_LT(waf, 1.02 * bound);
  EXPECT_GT(waf, 0.90 * bound);
}

TEST(FtlModel, CollectingStartsAtTheLowAndEndsAtTheHighMark) {
  for (const std::uint32_t low : {2U, 3U}) {
    Config c = small_config();
    c.gc_low = low;
    c.gc_high = low + 2;
    Drive drive{c};
    for (std::uint64_t at = 0; drive.model.counts().gc_victims == 0; at += 64 * kib) {
      ASSERT_LT(at, 48U << 20U);
      drive.run(RequestKind::write, at % (24U << 20U), 64 * kib);
    }
    EXPECT_EQ(drive.model.free_superblocks(), low);
    drive.agenda.run();
    EXPECT_EQ(drive.model.free_superblocks(), low + 2);
  }
}

TEST(FtlModel, SequentialOverwritesAreNotCopied) {
  Drive drive;
  overwrite(drive, 24_MiB, 64 * kib, 384 * 6, true);
  EXPECT_LT(drive.model.write_amplification(), 1.01);
  EXPECT_EQ(drive.model.counts().gc_moved, 0U);
  std::uint32_t least = ~0U, most = 0;
  for (std::uint32_t i = 0; i < 40; ++i) {
    least = std::min(least, drive.model.superblock(i).erases);
    most = std::max(most, drive.model.superblock(i).erases);
  }
  EXPECT_LE(most - least, 1U);  // least worn first
  EXPECT_GE(least, 3U);
}

TEST(FtlModel, MoreMovesInFlightShortenTheWaitForASuperblock) {
  const auto wait = [](std::uint32_t moves, std::uint32_t urgent) {
    Config c = small_config();
    c.gc_moves = moves;
    c.gc_moves_urgent = urgent;
    Drive drive{c};
    overwrite(drive, 24_MiB, 4 * kib, 24'000, false);
    return drive.model.counts().superblock_wait;
  };
  const Duration slow = wait(1, 1);
  EXPECT_LT(5 * wait(1, 64), 4 * slow);
  EXPECT_LT(2 * wait(64, 64), slow);
}

TEST(FtlModel, SequentialDataCostsFewBytesPerMiB) {  // fresh chunks all over a huge drive
  Config c;
  c.capacity = 4096_GiB;
  Geometry g;
  g.wordlines_per_block = 64;
  g.blocks_per_plane = 3000;
  Drive drive{c, g};
  const Bytes before = drive.model.memory();
  overwrite(drive, c.capacity, 1 << 20U, 20'000, true);
  EXPECT_LE(drive.model.memory().count - before.count, 20'000U * 8 + 80'000 + 4 * drive.model.layout().program_units() * 2);
}

TEST(FtlConfig, MistakesAreAllNamed) {
  Config c = small_config();
  UserErrors good;
  c.check("ftl", good);
  c.check("ftl", small_geometry(), good);
  EXPECT_TRUE(good.empty());
  c.mapping_unit = 12_KiB;
  c.gc_high = 2;
  c.gc_moves_urgent = 1;
  c.write_buffer = 24_KiB;
  c.capacity = 30_MiB;
  UserErrors bad;
  c.check("ftl", bad);
  c.check("ftl", small_geometry(), bad);
  EXPECT_EQ(bad.list.size(), 5U) << bad.what();
}

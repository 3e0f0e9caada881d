// SPDX-License-Identifier: Apache-2.0
// Format: when it is answered, what is left of the drive, and what goes on around it.
#include "models/ftl_bench.h"

using namespace flashpath;
using namespace flashpath::ftl;
using namespace flashpath::ftl::test;

namespace {
Drive::Io& format(Drive& drive, bool erase) {
  drive.ios.push_back(std::make_unique<Drive::Io>());
  Drive::Io& io = *drive.ios.back();
  io.request.kind = RequestKind::format;
  io.request.erase = erase;
  io.request.owner = &io;
  io.request.journey = Journey{drive.agenda.now()};
  drive.model.submit(io.request, drive.agenda.now());
  return io;
}
std::uint32_t all(const Drive& drive) { return drive.model.layout().superblocks(); }
}  // namespace

/// Two superblocks and a program unit of a third: each die erases three blocks, one after the other.
TEST(FtlFormat, ErasureTakesAnEraseForEachSuperblockInUse) {
  const Config c = small_config();
  Drive drive;
  const std::uint64_t superblock = small_geometry().superblock().count, pu = small_geometry().program_unit().count;
  for (std::uint64_t at = 0; at < 2 * superblock + pu; at += pu) drive.run(RequestKind::write, at, pu);
  drive.agenda.run();
  EXPECT_EQ(drive.model.free_superblocks(), all(drive) - 3);
  const Time begin = drive.agenda.now();
  Drive::Io& f = format(drive, true);
  Drive::Io& behind = drive.submit(RequestKind::write, 0, 4096);
  Drive::Io& read = drive.submit(RequestKind::read, 0, 4096);
  drive.agenda.run();
  const Time wiped = begin + 3 * drive.flash.t_bers;
  EXPECT_EQ(f.accepted, begin);
  EXPECT_EQ(f.answered, wiped + cycles(1, c.lookup_rate) + c.write_latency);
  EXPECT_EQ(behind.accepted, wiped);
  EXPECT_LT(read.answered, begin + 1us);  // unmapped: zeros
  EXPECT_EQ(drive.model.counts().unmapped_read, 4096U);
  EXPECT_EQ(drive.model.counts().flash_erases, 3U * 4);
  EXPECT_EQ(drive.model.counts().trimmed, (2 * superblock + pu) / 4096);
  EXPECT_EQ(drive.model.counts().gc_moved, 0U);
  EXPECT_EQ(drive.model.free_superblocks(), all(drive) - 1);  // the write behind it
  drive.expect_laws();
}

TEST(FtlFormat, AnEmptyDriveAnswersAtOnce) {
  const Config c = small_config();
  for (const bool erase : {false, true}) {
    Drive drive;
    Drive::Io& f = format(drive, erase);
    drive.agenda.run();
    EXPECT_EQ(f.answered, Time{} + cycles(1, c.lookup_rate) + c.write_latency);
    drive.expect_laws();
  }
}

/// Without erasure: answered at once, and the garbage costs no moves when its room is needed.
TEST(FtlFormat, WithoutErasureTheBlocksAreGarbage) {
  Config c = small_config();
  c.precondition = Precondition::random;
  Drive drive{c};
  overwrite(drive, c.capacity, 4096, 6000, false);
  EXPECT_GT(drive.model.counts().gc_moved, 0U);
  drive.agenda.run();
  const Time begin = drive.agenda.now();
  const std::uint64_t erases = drive.model.counts().flash_erases;
  Drive::Io& f = format(drive, false);
  while (f.answered == never) drive.agenda.step();
  EXPECT_EQ(f.answered, begin + cycles(1, c.lookup_rate) + c.write_latency);
  EXPECT_EQ(drive.model.mapping().mapped(), 0U);
  EXPECT_LE(drive.model.counts().flash_erases, erases + 4);
  drive.agenda.run();
  const std::uint64_t moved = drive.model.counts().gc_moved;
  overwrite(drive, c.capacity, 8192, c.capacity / 8_KiB, true);  // once in order
  EXPECT_EQ(drive.model.counts().gc_moved, moved);
  EXPECT_EQ(drive.model.mapping().mapped(), drive.model.mapping().units());
}

/// In the midst of overwrites, of whole and of partial units, with collection at work.
TEST(FtlFormat, UnderLoadNothingIsLeftAndTheDriveGoesOn) {
  for (const Precondition start : {Precondition::none, Precondition::sequential, Precondition::random}) {
    for (const int variant : {0, 1, 2, 3}) {
      Config c = small_config();
      c.capacity = 20_MiB;
      c.precondition = start;
      if (variant == 1) {
        c.map = MapKind::cached;
        c.map_cache = 64_KiB;
      }
      if (variant == 2) {
        c.write_streams = 2;
        c.gc_isolation = GcIsolation::persistent;
        c.gc_victims = 2;
      }
      if (variant == 3) c.power_loss_protection = false;
      if (variant == 3) c.recoverable = true;
      Drive drive{c};
      drive.flash.preconditioned = start != Precondition::none;
      Random random{9, "load"};
      const auto burst = [&] {
        for (int i = 0; i < 4000; ++i) {
          const bool part = random.below(4) == 0;
          drive.submit(RequestKind::write, random.below(c.capacity.count / 4096) * 4096 + (part ? 512 : 0), part ? 1024 : 4096,
                       static_cast<std::uint16_t>(random.below(2)));
          if (i % 8 == 0) drive.submit(RequestKind::read, random.below(c.capacity.count / 4096) * 4096, 4096);
        }
      };
      overwrite(drive, c.capacity, 4096, 8000, false);
      burst();
      drive.agenda.run_until(drive.agenda.now() + 3ms);
      Drive::Io& f = format(drive, true);
      while (f.answered == never && !drive.agenda.empty()) drive.agenda.step();
      ASSERT_NE(f.answered, never) << variant;
      EXPECT_EQ(drive.model.mapping().mapped(), 0U) << variant;
      EXPECT_EQ(drive.model.free_superblocks(), all(drive)) << variant;
      EXPECT_EQ(drive.model.buffered(), Bytes{}) << variant;
      drive.agenda.run();
      drive.expect_laws();
      burst();
      drive.agenda.run();
      for (const auto& io : drive.ios) EXPECT_EQ(io->request.status, RequestStatus::ok);
      overwrite(drive, c.capacity, 4096, 8000, false);
    }
  }
}

TEST(FtlFormat, BytesAreZeroAfterwardsAndNewOnesAreRead) {
  for (const bool erase : {false, true}) {
    Drive drive{small_config(), small_geometry(), true};
    const auto write = [&](std::uint64_t at, unsigned char value) {
      drive.ios.push_back(std::make_unique<Drive::Io>());
      drive.ios.back()->bytes.assign(8192, value);
      drive.start(*drive.ios.back(), RequestKind::write, at, 8192);
      drive.agenda.run();
    };
    const auto expect = [&](std::uint64_t at, unsigned char value) {
      drive.ios.push_back(std::make_unique<Drive::Io>());
      drive.ios.back()->bytes.assign(8192, 0xee);
      drive.start(*drive.ios.back(), RequestKind::read, at, 8192);
      drive.agenda.run();
      EXPECT_EQ(drive.ios.back()->bytes, std::vector<unsigned char>(8192, value)) << at;
    };
    for (std::uint64_t at = 0; at < 400; ++at) write(at * 8192, static_cast<unsigned char>(1 + at % 200));
    expect(8192, 2);
    format(drive, erase);
    drive.agenda.run();
    for (std::uint64_t at = 0; at < 400; at += 7) expect(at * 8192, 0);
    for (std::uint64_t at = 0; at < 300; ++at) write(at * 8192, 7);
    for (std::uint64_t at = 0; at < 400; at += 3) expect(at * 8192, at < 300 ? 7 : 0);
    drive.expect_laws();
  }
}

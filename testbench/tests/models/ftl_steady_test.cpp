// SPDX-License-Identifier: Apache-2.0
// A drive that starts in steady state (precondition = random, or from an image) against one that was really written.
#include <gtest/gtest.h>

#include <array>
#include <map>

#include "base/random.h"
#include "models/ftl_bench.h"

using namespace flashpath;
using namespace flashpath::ftl;
using namespace flashpath::ftl::test;

namespace {
/// 1536 units of 4 KiB in a superblock: large enough for the mean to rule.
Geometry steady_geometry() {
  return {.channels = 2, .dies = 4, .planes = 1, .blocks_per_plane = 128, .wordlines_per_block = 128, .bits_per_cell = 3, .page = 4_KiB};
}
Config steady_config(std::uint64_t superblocks, Precondition start) {
  Config c;
  c.capacity = superblocks * steady_geometry().superblock();
  c.precondition = start;
  c.write_buffer = 1_MiB;
  c.gc_low = 2;
  c.gc_high = 3;
  c.gc_moves = 16;
  c.gc_moves_urgent = 64;
  return c;
}

struct Seen {
  double waf = 0;
  Duration p50{}, p99{};
};
/// 16 random requests of one unit in flight, so many percent reads; WAF, and latencies of reads.
struct Load {
  void done(Drive::Io& io, Time now) {
    const auto it = began.find(&io);
    if (it != began.end() && io.request.kind == RequestKind::read) took.push_back(now - it->second);
    if (left == 0) return;
    --left;
    const RequestKind kind = random.below(100) < reads ? RequestKind::read : RequestKind::write;
    began[&io] = now;
    drive.start(io, kind, 4096 * random.below(drive.model.mapping().units()), 4096);
  }
  Drive& drive;
  std::uint64_t left, reads;
  Random random;
  std::map<Drive::Io*, Time> began{};
  std::vector<Duration> took{};
};
Seen load(Drive& drive, std::uint64_t count, std::uint64_t reads, std::uint64_t seed) {
  const Counts before = drive.model.counts();
  Load l{drive, count, reads, Random{seed, "load"}};
  drive.hook = Delegate<void(Drive::Io&, Time)>::to<&Load::done>(&l);
  std::vector<std::unique_ptr<Drive::Io>> ios;
  for (int i = 0; i < 16; ++i) {
    ios.push_back(std::make_unique<Drive::Io>());
    l.done(*ios.back(), drive.agenda.now());
  }
  drive.agenda.run();
  drive.hook = {};
  drive.expect_laws();
  const Counts after = drive.model.counts();
  Seen seen;
  seen.waf = 1 + static_cast<double>(after.gc_moved - before.gc_moved) / static_cast<double>(after.placed - before.placed);
  if (l.took.empty()) return seen;
  std::ranges::sort(l.took);
  seen.p50 = l.took[l.took.size() / 2];
  seen.p99 = l.took[l.took.size() * 99 / 100];
  return seen;
}
/// Valid shares of closed superblocks at the deciles.
std::array<double, 11> deciles(const Drive& drive) {
  std::vector<double> valid;
  for (std::uint32_t s = 0; s < drive.model.layout().superblocks(); ++s) {
    const Superblock& sb = drive.model.superblock(s);
    if (sb.state == SuperblockState::closed)
      valid.push_back(static_cast<double>(sb.valid) / static_cast<double>(drive.model.layout().units()));
  }
  std::ranges::sort(valid);
  std::array<double, 11> d{};
  for (std::size_t i = 0; i <= 10; ++i) d[i] = valid[(valid.size() - 1) * i / 10];
  return d;
}
}  // namespace

TEST(FtlSteady, StartsWhereManyDriveWritesEnd) {
  for (const std::uint64_t superblocks : {88U, 108U}) {
    Drive written{steady_config(superblocks, Precondition::none), steady_geometry()};
    const std::uint64_t units = written.model.mapping().units();
    load(written, 15 * units / 2, 0, 1);  // as long as that takes
    Drive aged{steady_config(superblocks, Precondition::random), steady_geometry()};
    const auto a = deciles(aged), w = deciles(written);
    for (std::size_t i = 0; i <= 10; ++i) EXPECT_NEAR(a[i], w[i], 0.05) << superblocks << " superblocks, decile " << i;
    EXPECT_EQ(aged.model.mapping().mapped(), units);
    const Seen writes_written = load(written, units / 2, 0, 2), writes_aged = load(aged, units / 2, 0, 2);
    EXPECT_NEAR(writes_aged.waf / writes_written.waf, 1, 0.02) << superblocks;
    const Seen mixed_written = load(written, units, 60, 3), mixed_aged = load(aged, units, 60, 3);
    EXPECT_NEAR(mixed_aged.waf / mixed_written.waf, 1, 0.03) << superblocks;
    EXPECT_EQ(mixed_aged.p50, mixed_written.p50);
    EXPECT_NEAR(static_cast<double>(mixed_aged.p99.count()) / static_cast<double>(mixed_written.p99.count()), 1, 0.05);
  }
}

/// The drive that was written once in order starts far from there: the check above can fail.
TEST(FtlSteady, ASequentialDriveDoesNotStartThere) {
  Drive drive{steady_config(108, Precondition::sequential), steady_geometry()};
  const std::uint64_t units = drive.model.mapping().units();
  const double first = load(drive, units / 4, 0, 2).waf;
  load(drive, 3 * units, 0, 3);
  EXPECT_GT(load(drive, units / 4, 0, 4).waf, 1.1 * first);
}

/// Map and reverse information together, of a unit of 16 KiB: what the whole drive keeps about it.
TEST(FtlSteady, MemoryOfAWrittenUnit) {
  Geometry g = steady_geometry();
  g.page = 16_KiB;
  Config c;
  c.mapping_unit = 16_KiB;
  c.capacity = 110 * g.superblock();
  c.gc_low = 2;
  c.gc_high = 3;
  c.write_buffer = 4_MiB;
  for (const bool random : {false, true}) {
    Drive drive{c, g};
    const std::uint64_t units = drive.model.mapping().units(), before = drive.model.memory().count;
    Permutation order{units};
    for (std::uint64_t i = 0; i < units; ++i) {
      drive.submit(RequestKind::write, (random ? order(i, 9) : i) * c.mapping_unit.count, c.mapping_unit.count);
      if (i % 64 == 0) {
        drive.agenda.run();
        drive.ios.clear();
      }
    }
    drive.agenda.run();
    const double each = static_cast<double>(drive.model.memory().count - before) / static_cast<double>(units);
    if (random) {
      EXPECT_GT(each, 8.0);
      EXPECT_LT(each, 11.0);
    } else {
      EXPECT_LT(each, 0.5 + 80'000.0 / static_cast<double>(units));  // one block of 64 KiB of a map
    }
  }
}

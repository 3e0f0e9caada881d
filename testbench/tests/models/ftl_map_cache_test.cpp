// SPDX-License-Identifier: Apache-2.0
// The map on flash (ftl.map = cached): what a miss costs, how often one happens, and what changed entries cost.
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "models/ftl_bench.h"

using namespace flashpath;
using namespace flashpath::ftl;
using namespace flashpath::ftl::test;

namespace {
/// 5120 units of 4 KiB, 64 entries to a translation page: 80 of them.
Config cached(std::uint64_t pages, Precondition start = Precondition::sequential) {
  Config c = small_config();
  c.precondition = start;
  c.capacity = 20_MiB;
  c.map = MapKind::cached;
  c.map_page = 4_KiB;
  c.map_entry = 64_B;
  c.map_cache = pages * c.map_page;
  return c;
}
const Duration look_up = cycles(1, Config{}.lookup_rate);

/// `depth` random requests of one unit in flight, within the first `units`.
struct Load {
  void done(Drive::Io& io, Time) {
    if (left == 0) return;
    --left;
    drive.start(io, kind, 4096 * random.below(units), 4096);
  }
  Drive& drive;
  RequestKind kind;
  std::uint64_t units, left;
  Random random{5, "load"};
};
void load(Drive& drive, RequestKind kind, std::uint64_t units, std::uint64_t count, std::size_t depth) {
  Load l{drive, kind, units, count};
  drive.hook = Delegate<void(Drive::Io&, Time)>::to<&Load::done>(&l);
  std::vector<std::unique_ptr<Drive::Io>> ios;
  for (std::size_t i = 0; i < depth; ++i) {
    ios.push_back(std::make_unique<Drive::Io>());
    l.done(*ios.back(), drive.agenda.now());
  }
  drive.agenda.run();
  drive.hook = {};
  EXPECT_EQ(l.left, 0U);
  drive.expect_laws();
}
double hit_ratio(const Counts& c) { return static_cast<double>(c.map_hits) / static_cast<double>(c.map_hits + c.map_misses); }
}  // namespace

TEST(FtlMapCache, AMissIsOneFlashReadMore) {
  Drive drive{cached(4)};
  const Time first = drive.agenda.now();
  EXPECT_EQ(drive.run(RequestKind::read, 0, 4096).answered, first + look_up + 500ns + 40us + 40us);
  Time now = drive.agenda.now();
  EXPECT_EQ(drive.run(RequestKind::read, 63 * 4096, 4096).answered, now + look_up + 500ns + 40us);  // the same translation page
  now = drive.agenda.now();
  EXPECT_EQ(drive.run(RequestKind::read, 63 * 4096, 8192).answered, now + look_up + 500ns + 40us + 40us);  // and the next one
  EXPECT_EQ(drive.model.counts().map_hits, 2U);
  EXPECT_EQ(drive.model.counts().map_misses, 2U);
  EXPECT_EQ(drive.model.counts().map_reads, 2U);
}

TEST(FtlMapCache, AWriteIsTakenWhenItsEntriesAreHere) {
  Drive drive{cached(4)};
  Time now = drive.agenda.now();
  auto& miss = drive.run(RequestKind::write, 0, 4096);
  EXPECT_EQ(miss.accepted, now + 40us);
  EXPECT_EQ(miss.answered, now + 40us + look_up + Config{}.write_latency);
  now = drive.agenda.now();
  EXPECT_EQ(drive.run(RequestKind::write, 4096, 4096).accepted, now);
  // In line together: their reads overlap.
  now = drive.agenda.now();
  auto& a = drive.submit(RequestKind::write, 64 * 4096, 4096);
  auto& b = drive.submit(RequestKind::write, 128 * 4096, 4096);
  drive.agenda.run();
  EXPECT_EQ(a.accepted, now + 40us);
  EXPECT_EQ(b.accepted, now + 40us);
}

TEST(FtlMapCache, ANewDriveHasNothingToLookUp) {
  Drive drive{cached(4, Precondition::none)};
  const Time now = drive.agenda.now();
  EXPECT_EQ(drive.run(RequestKind::write, 0, 4096).accepted, now);
  EXPECT_EQ(drive.model.counts().map_reads, 0U);
  EXPECT_EQ(drive.model.counts().map_misses, 0U);
  EXPECT_EQ(drive.model.counts().map_hits, 1U);
}

/// Uniform over F translation pages with room for C: the least recently used ones hold any C of them, so C / F of the look-ups hit.
TEST(FtlMapCache, HitsOfUniformReadsAreTheShareThatFits) {
  for (const std::uint64_t size : {8U, 24U, 48U}) {
    Drive drive{cached(size)};
    load(drive, RequestKind::read, 64 * 64, 2000, 1);
    const Counts before = drive.model.counts();
    load(drive, RequestKind::read, 64 * 64, 20'000, 1);
    Counts c = drive.model.counts();
    c.map_hits -= before.map_hits;
    c.map_misses -= before.map_misses;
    EXPECT_EQ(c.map_hits + c.map_misses, 20'000U);
    const double p = static_cast<double>(size) / 64;
    EXPECT_NEAR(hit_ratio(c), p, 5 * std::sqrt(p * (1 - p) / 20'000)) << size;
    EXPECT_EQ(c.map_written, 0U);  // reads change nothing
  }
  Drive fits{cached(64)};
  load(fits, RequestKind::read, 64 * 64, 20'000, 64);
  EXPECT_EQ(fits.model.counts().map_reads, 64U);
}

TEST(FtlMapCache, ChangedPagesAreWrittenWhenTheyLeave) {
  Drive small{cached(8)}, large{cached(80)};
  for (Drive* d : {&small, &large}) load(*d, RequestKind::write, 5120, 20'000, 4);
  EXPECT_EQ(large.model.counts().map_written, 0U);
  EXPECT_EQ(large.model.counts().map_reads, 80U);
  EXPECT_GT(small.model.counts().map_written, 10'000U * 4096);
  EXPECT_GT(small.model.write_amplification(), 1.3 * large.model.write_amplification());
  EXPECT_GT(small.agenda.now(), large.agenda.now());
}

TEST(FtlMapCache, LargerPagesAndSmallerEntriesMissLess) {
  const auto misses = [](Bytes page, Bytes entry) {
    Config c = cached(8);
    c.map_page = page;
    c.map_entry = entry;
    c.map_cache = 64_KiB;
    Drive drive{c};
    for (std::uint64_t at = 0; at < 5120; ++at) drive.run(RequestKind::read, at * 4096, 4096);
    drive.ios.clear();
    return drive.model.counts().map_misses;
  };
  EXPECT_EQ(misses(4_KiB, 64_B), 80U);
  EXPECT_EQ(misses(16_KiB, 64_B), 20U);
  EXPECT_EQ(misses(4_KiB, 16_B), 20U);
}

TEST(FtlMapCache, EverythingAtOnceStaysWhole) {
  for (const Precondition start : {Precondition::none, Precondition::sequential, Precondition::random}) {
    Drive drive{cached(4, start)};
    Random random{3, "all"};
    for (int i = 0; i < 20'000; ++i) {
      const std::uint64_t kind = random.below(20), n = 1 + random.below(kind == 0 ? 700 : 12), at = random.below(5120 - n);
      drive.submit(kind == 0  ? RequestKind::trim
                   : kind < 8 ? RequestKind::read
                              : RequestKind::write,
                   at * 4096 + random.below(2) * 512, n * 4096 - 512);
      if (random.below(40) == 0) {
        drive.agenda.run();
        for (const auto& io : drive.ios) ASSERT_NE(io->answered, never);
        drive.ios.clear();
      }
    }
    drive.agenda.run();
    drive.expect_laws();
    EXPECT_GT(drive.model.counts().gc_victims, 50U);
    EXPECT_GT(drive.model.counts().map_written, 0U);
  }
}

TEST(FtlMapCache, MistakesAreNamed) {
  Config c = cached(4);
  c.map_page = 6_KiB;
  c.map_cache = 4_KiB;
  c.recoverable = true;
  UserErrors errors;
  c.check("ftl", errors);
  EXPECT_EQ(errors.list.size(), 3U);
}

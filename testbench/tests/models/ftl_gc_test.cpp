// SPDX-License-Identifier: Apache-2.0
// Garbage collection: every knob's effect, the reads it takes, wear, and what is counted.
#include <numeric>

#include "models/ftl_bench.h"

using namespace flashpath;
using namespace flashpath::ftl;
using namespace flashpath::ftl::test;

namespace {
constexpr std::uint64_t kib = 1 << 10U;

/// 64 superblocks of 192 units; 48 of them exported.
Geometry wide_geometry() {
  return {.channels = 2, .dies = 4, .planes = 1, .blocks_per_plane = 64, .wordlines_per_block = 16, .bits_per_cell = 3, .page = 4_KiB};
}
Config wide_config() {
  Config c = small_config();
  c.capacity = {std::uint64_t{48} * 768 * kib};
  c.gc_low = 2;
  c.gc_high = 2;
  return c;
}

/// Random writes of one unit; `hot_writes` tenths of them to `hot_data` tenths of the units; hot ones with handle 1.
struct Skewed {
  Drive& drive;
  std::uint64_t units, hot_data = 10, hot_writes = 10;
  bool tagged = false;
  std::uint64_t left = 0;
  Random random{7, "skewed"};

  void done(Drive::Io& io, Time) {
    if (left == 0) return;
    --left;
    const std::uint64_t hot = units * hot_data / 10;
    const bool is_hot = random.below(10) < hot_writes;
    const std::uint64_t unit = is_hot ? random.below(hot) : hot + random.below(units - hot);
    drive.start(io, RequestKind::write, unit * 4096, 4096, tagged && is_hot ? 1 : 0);
  }
  void run(std::uint64_t count, std::size_t depth = 16) {
    left = count;
    drive.hook = Delegate<void(Drive::Io&, Time)>::to<&Skewed::done>(this);
    std::vector<std::unique_ptr<Drive::Io>> ios;
    for (std::size_t i = 0; i < depth; ++i) {
      ios.push_back(std::make_unique<Drive::Io>());
      done(*ios.back(), drive.agenda.now());
    }
    drive.agenda.run();
    drive.hook = {};
    EXPECT_EQ(left, 0U);
    drive.expect_laws();
  }
};

double amplification(Config c, std::uint64_t hot_data, std::uint64_t hot_writes, bool tagged = false) {
  Drive drive{c, wide_geometry()};
  Skewed load{drive, c.capacity / c.mapping_unit, hot_data, hot_writes, tagged};
  overwrite(drive, c.capacity, 64 * kib, c.capacity.count / (64 * kib), true);
  load.run(5 * load.units);
  const Counts before = drive.model.counts();
  load.run(5 * load.units);
  const Counts after = drive.model.counts();
  return 1 + static_cast<double>(after.gc_moved - before.gc_moved) / static_cast<double>(after.placed - before.placed);
}
double uniform(const Config& c) { return amplification(c, 10, 10); }

std::uint64_t sum(const Tenths& t) { return std::accumulate(t.begin(), t.end(), std::uint64_t{0}); }
}  // namespace

TEST(FtlGc, UnderUniformWritesMoreChoiceIsLessAmplification) {
  Config c = wide_config();
  const double greedy = uniform(c);
  c.gc_policy = GcPolicy::fifo;
  const double fifo = uniform(c);
  c.gc_policy = GcPolicy::d_choices;
  c.gc_d = 1;
  const double one = uniform(c);
  c.gc_d = 2;
  const double two = uniform(c);
  c.gc_d = 10;
  const double ten = uniform(c);
  EXPECT_LT(greedy, fifo);
  EXPECT_LT(fifo, one);
  EXPECT_LT(two, 0.95 * one);
  EXPECT_LT(ten, 0.98 * two);
  EXPECT_NEAR(ten, greedy, 0.03 * greedy);
}

TEST(FtlGc, AgeTellsHotFromCold) {
  Config c = wide_config();
  const double greedy = amplification(c, 1, 9);
  c.gc_policy = GcPolicy::cost_benefit;
  EXPECT_LT(amplification(c, 1, 9), 0.93 * greedy);
}

TEST(FtlGc, FreeSuperblocksHeldBackAreNoOverProvisioning) {
  Config c = wide_config();
  c.gc_pacing = GcPacing::tokens;
  const double two = uniform(c);
  c.gc_low = 6;
  c.gc_high = 6;
  EXPECT_GT(uniform(c), 1.1 * two);
}

TEST(FtlGc, HandlesKeepLifetimesApartWhereCollectionDoesToo) {
  Config c = wide_config();
  c.write_streams = 2;
  const double mixed = amplification(c, 2, 8), initial = amplification(c, 2, 8, true);
  c.gc_isolation = GcIsolation::persistent;
  const double persistent = amplification(c, 2, 8, true);
  EXPECT_LT(persistent, 0.95 * initial);
  EXPECT_LT(initial, mixed);
}

/// Each of its streams keeps a program unit half full: those alone are no reason to wait.
TEST(FtlGc, IsolatedHandlesCollectOnFewerDiesThanHandles) {
  for (const std::uint32_t streams : {2U, 3U, 8U}) {
    Geometry g = wide_geometry();
    g.channels = g.dies = 1;
    g.wordlines_per_block = 64;
    Config c = wide_config();
    c.capacity = {std::uint64_t{36} * 768 * kib};
    c.write_streams = streams;
    c.gc_isolation = GcIsolation::persistent;
    Drive drive{c, g};
    struct Load {
      Drive& drive;
      std::uint64_t units, left;
      std::uint32_t streams;
      Random random{11, "isolated"};
      void done(Drive::Io& io, Time) {
        if (left == 0) return;
        --left;
        const std::uint64_t unit = random.below(units);
        drive.start(io, RequestKind::write, unit * 4096, 4096, static_cast<std::uint16_t>(unit % streams));
      }
    } load{drive, c.capacity / c.mapping_unit, 6 * (c.capacity / c.mapping_unit), streams};
    const std::uint64_t writes = load.left;
    drive.hook = Delegate<void(Drive::Io&, Time)>::to<&Load::done>(&load);
    std::vector<std::unique_ptr<Drive::Io>> ios;
    for (int i = 0; i < 64; ++i) {
      ios.push_back(std::make_unique<Drive::Io>());
      load.done(*ios.back(), drive.agenda.now());
    }
    drive.agenda.run();
    EXPECT_EQ(drive.model.counts().answered, writes) << streams;
    EXPECT_GT(drive.model.counts().gc_moved, 0U);
    drive.expect_laws();
  }
}

TEST(FtlGc, TokensTradeTheCliffForAnEvenPace) {
  struct Seen {
    Duration worst{}, span{};
    double waf = 0;
  };
  const auto run = [](GcPacing pacing) {
    Config c = wide_config();
    c.gc_pacing = pacing;
    c.gc_low = 2;
    c.gc_high = 4;
    Drive drive{c, wide_geometry()};
    overwrite(drive, c.capacity, 4 * kib, 5 * (c.capacity / 4_KiB), false, 64);
    struct Worst {
      Duration worst{};
      Skewed load;
      void done(Drive::Io& io, Time now) {
        worst = std::max(worst, io.answered - io.request.journey.begin());
        load.done(io, now);
      }
    };
    const Time begin = drive.agenda.now();
    const Counts before = drive.model.counts();
    Worst worst{{}, Skewed{drive, c.capacity / 4_KiB}};
    worst.load.left = 40'000;
    drive.hook = Delegate<void(Drive::Io&, Time)>::to<&Worst::done>(&worst);
    std::vector<std::unique_ptr<Drive::Io>> ios;
    for (std::size_t i = 0; i < 64; ++i) {
      ios.push_back(std::make_unique<Drive::Io>());
      worst.load.done(*ios.back(), drive.agenda.now());
    }
    drive.agenda.run();
    drive.hook = {};
    drive.expect_laws();
    const Counts after = drive.model.counts();
    EXPECT_EQ(after.pacing_wait > Duration{}, pacing == GcPacing::tokens);
    return Seen{worst.worst, drive.agenda.now() - begin,
                static_cast<double>(after.gc_moved - before.gc_moved) / static_cast<double>(after.placed - before.placed)};
  };
  const Seen cliff = run(GcPacing::threshold), even = run(GcPacing::tokens);
  EXPECT_LT(2 * even.worst, cliff.worst);
  EXPECT_LT(even.span, cliff.span + cliff.span / 10);  // one more free superblock of 16 spare ones
  EXPECT_NEAR(even.waf, cliff.waf, 0.15 * cliff.waf);
}

TEST(FtlGc, SeveralVictimsCloseTheGapsBetweenThem) {
  const auto busy = [](std::uint32_t victims) {
    Config c = wide_config();
    c.gc_victims = victims;
    c.gc_low = 5;
    c.gc_high = 9;
    Drive drive{c, wide_geometry()};
    drive.flash.t_r = 3ms;  // the last reads of a victim, with nothing else to move, are the gap
    Random random{9, "writes"};
    while (drive.model.counts().gc_victims == 0) drive.run(RequestKind::write, random.below(c.capacity / 4_KiB) * 4096, 4096);
    drive.agenda.run();  // now alone, from the low mark to the high one
    EXPECT_EQ(drive.model.free_superblocks(), 9U);
    drive.expect_laws();
    return drive.model.gc_busy(drive.agenda.now());
  };
  EXPECT_LT(busy(2), busy(1));
  EXPECT_LE(busy(4), busy(2));
}

TEST(FtlGc, LiveUnitsSideBySideInAStripeAreOneRead) {
  Drive drive;                                                            // stripes of two units, 96 of them in a superblock
  const auto place = [](std::uint64_t i) { return i * 5 % 192 * 4096; };  // neighbours on flash, not in address
  for (std::uint64_t i = 0; i < 192; ++i) drive.run(RequestKind::write, place(i), 4096);
  for (std::uint64_t at = 768 * kib; at < 24U << 20U; at += 8 * kib) drive.run(RequestKind::write, at, 8 * kib);
  for (std::uint64_t i = 0; i < 192; ++i) {
    if (i % 4 > 1) drive.run(RequestKind::trim, place(i), 4096);
  }
  const std::uint64_t pairs = (24 * kib - 768) / 8;
  for (std::uint64_t k = 0; drive.model.counts().gc_victims == 0; ++k) {
    ASSERT_LT(k, pairs);
    drive.run(RequestKind::write, 768 * kib + k * 97 % pairs * 8 * kib, 8 * kib);
  }
  drive.agenda.run();
  EXPECT_GE(drive.model.counts().gc_moved, 96U * 4096);
  EXPECT_EQ(drive.model.counts().flash_reads * 2 * 4096, drive.model.counts().gc_moved);
}

TEST(FtlGc, ColdDataMoveToWornSuperblocksWhenTheSpreadIsTooLarge) {
  struct Seen {
    std::uint32_t spread;
    std::uint64_t victims;
  };
  const auto run = [](std::uint32_t spread) {
    Config c = wide_config();
    c.wear_spread = spread;
    Drive drive{c, wide_geometry()};
    overwrite(drive, c.capacity, 64 * kib, c.capacity.count / (64 * kib), true);
    overwrite(drive, {c.capacity.count / 8}, 64 * kib, 4000, true);
    const WearSummary w = drive.model.wear();
    EXPECT_EQ(w.sum * 4, drive.model.counts().flash_erases);
    EXPECT_EQ(sum(w.classes), 64U);
    EXPECT_EQ(drive.model.counts().wear_victims != 0, spread != 0);
    return Seen{w.most - w.least, drive.model.counts().wear_victims};
  };
  const Seen none = run(0), wide = run(8), narrow = run(4);
  EXPECT_GT(none.spread, 12U);
  EXPECT_LE(wide.spread, 10U);
  EXPECT_LE(narrow.spread, 6U);
  EXPECT_GT(narrow.victims, wide.victims);
}

TEST(FtlGc, WhatIsCountedAddsUp) {
  Config c = wide_config();
  Drive drive{c, wide_geometry()};
  overwrite(drive, c.capacity, 4 * kib, 3 * (c.capacity / 4_KiB), false);
  const Counts& n = drive.model.counts();
  EXPECT_EQ(sum(n.victims_valid), n.gc_victims);
  const Tenths closed = drive.model.closed_valid();
  EXPECT_GE(sum(closed) + drive.model.free_superblocks() + 2, 64U);
  EXPECT_EQ(sum(drive.model.wear().classes), 64U);
  EXPECT_EQ(n.gc_victims * 4, n.flash_erases);
  EXPECT_GT(drive.model.gc_busy(drive.agenda.now()), Duration{});
  EXPECT_LT(drive.model.gc_busy(drive.agenda.now()), drive.agenda.now() - Time{});
  const double programmed = static_cast<double>(n.flash_programmed - n.padded) / static_cast<double>(n.programmed_host);
  EXPECT_NEAR(drive.model.placed_amplification(), programmed, 0.001);
}

TEST(FtlGc, AShortRunsAmplificationIsNotTheBuffers) {
  Drive drive;
  drive.run(RequestKind::write, 0, 4096);  // buffered: nothing is programmed
  EXPECT_EQ(drive.model.write_amplification(), 0.0);
  EXPECT_EQ(drive.model.placed_amplification(), 1.0);
  drive.expect_laws();
}

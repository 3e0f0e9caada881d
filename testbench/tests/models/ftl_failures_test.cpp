// SPDX-License-Identifier: Apache-2.0
// Blocks that go bad under the FTL: nothing acknowledged is lost, bad blocks are left alone, and the end is read-only, not a hang.
#include "models/ftl_bench.h"

using namespace flashpath;
using namespace flashpath::ftl;
using namespace flashpath::ftl::test;

namespace {
constexpr std::uint64_t kib = 1 << 10U, units = 24 * 256;

Config spare_config(std::uint32_t spares) {
  Config c = small_config();
  c.spare_blocks = spares;
  return c;
}
Geometry spare_geometry(std::uint32_t spares) {
  Geometry g = small_geometry();
  g.blocks_per_plane += spares;
  return g;
}

/// Writes of one unit, `depth` at a time, each with a version in its bytes; `answered` knows the newest acknowledged one.
struct Versions {
  explicit Versions(Drive& d) : drive{d}, newest(units), maybe(units) {}
  void write(std::uint64_t count, std::size_t depth = 32) {
    for (std::uint64_t done = 0; done < count; done += depth) {
      std::vector<std::pair<std::uint64_t, Drive::Io*>> out;
      for (std::size_t k = 0; k < depth; ++k) {
        const std::uint64_t unit = (random.below(units / depth)) * depth + k;
        Drive::Io& io = *drive.ios.emplace_back(std::make_unique<Drive::Io>());
        io.bytes.assign(4096, 0);
        maybe[unit] = ++version;
        std::memcpy(io.bytes.data(), &version, sizeof version);
        drive.start(io, RequestKind::write, unit * 4096, 4096);
        out.emplace_back(unit, &io);
      }
      while (!drive.agenda.empty() && std::ranges::any_of(out, [](const auto& o) { return o.second->answered == never; }))
        drive.agenda.step();
      for (const auto& [unit, io] : out) {
        ASSERT_NE(io->answered, never) << "a write hangs";
        if (io->request.status == RequestStatus::ok) newest[unit] = maybe[unit];
        else ++faults;
      }
      drive.ios.clear();
    }
  }
  void read_all() {
    drive.agenda.run();
    for (std::uint64_t unit = 0; unit < units; ++unit) {
      Drive::Io& io = *drive.ios.emplace_back(std::make_unique<Drive::Io>());
      io.bytes.assign(4096, 0);
      drive.start(io, RequestKind::read, unit * 4096, 4096);
      drive.agenda.run();
      ASSERT_NE(io.answered, never);
      std::uint64_t found = 0;
      std::memcpy(&found, io.bytes.data(), sizeof found);
      if (io.request.status != RequestStatus::ok) ++unreadable;
      else ASSERT_TRUE(found == newest[unit] || (faults != 0 && found > newest[unit])) << unit;
      drive.ios.clear();
    }
    drive.expect_laws();
  }
  Drive& drive;
  std::vector<std::uint64_t> newest, maybe;
  std::uint64_t version = 0, faults = 0, unreadable = 0;
  Random random{3, "versions"};
};
}  // namespace

TEST(FtlFailures, FailedProgramsLoseNothing) {
  Drive drive{spare_config(12), spare_geometry(12), true};
  drive.flash.bad_program = 1501;
  Versions v{drive};
  v.write(40'000);
  v.read_all();
  EXPECT_EQ(v.faults, 0U);
  EXPECT_EQ(v.unreadable, 0U);
  EXPECT_GT(drive.model.counts().bad_blocks, 4U);
  EXPECT_GT(drive.model.counts().copied, 0U);
  EXPECT_LT(drive.model.fewest_spares(), 12U);
  EXPECT_FALSE(drive.model.read_only());
}

TEST(FtlFailures, FailedErasesTakeSparesThenSuperblocks) {
  for (const std::uint32_t spares : {1U, 12U}) {
    Drive drive{spare_config(spares), spare_geometry(spares), true};
    drive.flash.bad_erase = 170;
    Versions v{drive};
    v.write(24'000);
    v.read_all();
    EXPECT_EQ(v.faults, 0U);
    EXPECT_EQ(v.unreadable, 0U);
    std::uint32_t retired = 0;
    for (std::uint32_t i = 0; i < 40; ++i) retired += drive.model.superblock(i).state == SuperblockState::retired ? 1U : 0U;
    EXPECT_EQ(retired != 0, spares == 1);
  }
}

TEST(FtlFailures, WithoutSparesTheDriveIsReadOnlyAndItsDataAreThere) {
  for (const bool programs : {true, false}) {
    Drive drive{spare_config(1), spare_geometry(1), true};
    (programs ? drive.flash.bad_program : drive.flash.bad_erase) = programs ? 40 : 7;
    Versions v{drive};
    for (int i = 0; i < 100 && !drive.model.read_only(); ++i) v.write(2000);
    EXPECT_TRUE(drive.model.read_only());
    v.write(320);
    EXPECT_GE(v.faults, 320U);
    EXPECT_EQ(drive.run(RequestKind::flush, 0, 0).request.status, programs ? RequestStatus::write_fault : RequestStatus::ok);
    v.read_all();
    EXPECT_EQ(v.unreadable, 0U);
  }
}

/// What was read so far cannot be made whole by writing a part of it.
TEST(FtlFailures, APartOfALostUnitStaysLost) {
  Drive drive{spare_config(4), spare_geometry(4), true};
  for (std::uint64_t at = 0; at < 1U << 20U; at += 64 * kib) drive.run(RequestKind::write, at, 64 * kib);
  drive.agenda.run();
  drive.flash.bad_read = 1;
  drive.run(RequestKind::write, 0, 512);  // its old bytes cannot be read
  drive.agenda.run();
  drive.flash.bad_read = ~0ULL;
  EXPECT_EQ(drive.run(RequestKind::read, 0, 4096).request.status, RequestStatus::uncorrectable);
  drive.run(RequestKind::write, 512, 512);
  drive.agenda.run();
  EXPECT_EQ(drive.run(RequestKind::read, 0, 4096).request.status, RequestStatus::uncorrectable);
  EXPECT_EQ(drive.run(RequestKind::read, 4096, 4096).request.status, RequestStatus::ok);
  drive.run(RequestKind::write, 0, 4096);
  EXPECT_EQ(drive.run(RequestKind::read, 0, 4096).request.status, RequestStatus::ok);
  drive.expect_laws();
}

TEST(FtlFailures, WithIsolationTokensWearLevellingAndACachedMap) {
  for (const bool cached : {false, true}) {
    Config c = spare_config(24);
    c.write_streams = 2;
    c.gc_isolation = GcIsolation::persistent;
    c.gc_pacing = GcPacing::tokens;
    c.wear_spread = 2;
    c.gc_low = 4;
    c.gc_high = 5;
    if (cached) {
      c.map = MapKind::cached;
      c.map_page = 4_KiB;
      c.map_cache = 8_KiB;
      c.map_entry = 16_B;
    }
    Geometry g = spare_geometry(24);
    g.blocks_per_plane += 8;
    Drive drive{c, g, true};
    drive.flash.bad_program = 1501;
    drive.flash.bad_erase = 301;
    Versions v{drive};
    v.write(30'000);
    v.read_all();
    EXPECT_EQ(v.faults, 0U);
    EXPECT_EQ(v.unreadable, 0U);
    EXPECT_GT(drive.model.counts().bad_blocks, 5U);
  }
}

TEST(FtlFailures, FactoryBadBlocksAreNeverUsed) {
  Drive drive{spare_config(3), spare_geometry(3), true};
  for (const auto& [die, block] : {std::pair{0U, 5U}, {1U, 0U}, {1U, 41U}, {3U, 39U}}) {
    drive.model.factory_bad(die, block);
    drive.flash.bad.insert(std::uint64_t{die} * 43 + block);
  }
  EXPECT_EQ(drive.model.fewest_spares(), 1U);
  Versions v{drive};
  v.write(12'000);
  v.read_all();
  drive.model.factory_bad(1, 7);
  EXPECT_THROW(drive.model.factory_bad(1, 8), UserErrors);
}

TEST(FtlFailures, WhatCollectionCannotReadFailsUntilItIsWrittenAgain) {
  Drive drive{spare_config(4), spare_geometry(4), true};
  Versions v{drive};
  v.write(12'000);
  drive.flash.bad_read = 50;
  v.write(6000);
  drive.flash.bad_read = ~0ULL;
  EXPECT_GT(drive.model.counts().lost_units, 0U);
  v.read_all();
  EXPECT_GT(v.unreadable, 0U);
  for (std::uint64_t unit = 0; unit < units; ++unit) drive.run(RequestKind::write, unit * 4096, 4096);
  v.unreadable = 0;
  std::ranges::fill(v.newest, 0U);
  v.faults = 1;
  v.read_all();
  EXPECT_EQ(v.unreadable, 0U);
}

TEST(FtlFailures, AdvisedRefreshRewritesTheSuperblock) {
  for (const std::uint32_t after : {~0U, 200U}) {
    Drive drive;
    drive.flash.refresh_after = after;
    for (std::uint64_t at = 0; at < 2U << 20U; at += 64 * kib) drive.run(RequestKind::write, at, 64 * kib);
    drive.agenda.run();
    for (int i = 0; i < 1000; ++i) drive.run(RequestKind::read, 0, 4 * kib);
    drive.run(RequestKind::write, 4 << 20U, 4 * kib);
    drive.agenda.run();
    EXPECT_EQ(drive.model.counts().refresh_victims != 0, after == 200);
    if (after == 200) { EXPECT_NE(drive.model.mapping().at(0), 0U); }
    drive.expect_laws();
  }
}

TEST(FtlFailures, WhatDoesNotKnowOfBadBlocksIsRefused) {
  const auto mistakes = [](const Config& c) {
    UserErrors errors;
    c.check("ftl", errors);
    c.check("ftl", spare_geometry(4), errors);
    std::string all;
    for (const auto& e : errors.list) all += e + "\n";
    return all;
  };
  Config c = spare_config(4);
  EXPECT_EQ(mistakes(c), "");
  c.image = "drive.img";
  EXPECT_NE(mistakes(c).find("ftl.spare_blocks"), std::string::npos);
  c = spare_config(4);
  c.recoverable = true;
  EXPECT_NE(mistakes(c).find("ftl.spare_blocks"), std::string::npos);
  c = spare_config(40);
  EXPECT_NE(mistakes(c).find("ftl.capacity"), std::string::npos);
}

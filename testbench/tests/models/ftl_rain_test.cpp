// SPDX-License-Identifier: Apache-2.0
// Parity across dies: what it costs, what a rebuild takes, and that every byte is there without a die.
#include <set>

#include "base/random.h"
#include "models/ftl_bench.h"

using namespace flashpath;
using namespace flashpath::ftl;
using namespace flashpath::ftl::test;

namespace {
constexpr Duration look_up = 83'334_ps + 500ns;
constexpr std::uint64_t pu = 24 << 10U;

Config rain_config(std::uint32_t rain) {
  Config c = small_config();
  c.capacity = 8_MiB;  // of 30, of 15 with one parity unit for each of data
  c.rain = rain;
  return c;
}

/// A drive whose dies can die, and whose pages can be uncorrectable.
struct Fragile {
  explicit Fragile(std::uint32_t rain) : Fragile{rain_config(rain), true} {}
  Fragile(const Config& c, bool data) : drive{c, small_geometry(), data}, data{data}, tags(c.capacity.count / 4096) {
    drive.flash.answered = Delegate<void(nand::Op&, Time)>::to<&Fragile::answered>(this);
    drive.flash.keep = ~std::size_t{0};
  }
  void answered(nand::Op& op, Time now) {
    const bool dies = dead.contains(op.die.value);
    if (dies || (op.kind == nand::OpKind::read && worn != 0 && random.below(worn) == 0)) {
      op.dead = dies;
      op.status = op.kind == nand::OpKind::read      ? nand::OpStatus::uncorrectable
                  : op.kind == nand::OpKind::program ? nand::OpStatus::program_failed
                                                     : nand::OpStatus::erase_failed;
      if (op.kind == nand::OpKind::read && op.data != nullptr) std::memset(op.data, 0xdd, op.size.count);
    }
    drive.model.flash_answered(op, now);
  }
  RequestStatus go(RequestKind kind, std::uint64_t unit, std::uint64_t count, std::uint16_t stream = 0) {
    if (data) io.bytes.assign(count * 4096, 0xee);
    if (data && kind == RequestKind::write) {
      for (std::uint64_t u = 0; u < count; ++u) {
        const std::uint64_t tag = tags[unit + u] = ++last;
        for (std::size_t i = 0; i < 4096; i += 8) std::memcpy(&io.bytes[u * 4096 + i], &tag, 8);
      }
    }
    if (kind == RequestKind::trim) std::fill_n(tags.begin() + static_cast<std::ptrdiff_t>(unit), count, 0);
    drive.start(io, kind, unit * 4096, count * 4096, stream);
    while (io.answered == never && !drive.agenda.empty()) drive.agenda.step();
    EXPECT_NE(io.answered, never) << "a request hangs";
    return io.request.status;
  }
  /// 512 bytes within a unit.
  void patch(std::uint64_t unit) {
    ASSERT_EQ(go(RequestKind::read, unit, 1), RequestStatus::ok);
    const std::uint64_t tag = tags[unit] = ++last;
    Drive::Io part;  // eight times an eighth
    for (std::uint64_t eighth = 0; eighth < 8; ++eighth) {
      part.bytes.assign(512, 0);
      for (std::size_t i = 0; i < 512; i += 8) std::memcpy(&part.bytes[i], &tag, 8);
      drive.start(part, RequestKind::write, unit * 4096 + eighth * 512, 512);
      while (part.answered == never && !drive.agenda.empty()) drive.agenda.step();
      ASSERT_EQ(part.request.status, RequestStatus::ok);
    }
  }
  /// Units read with the right bytes; those whose read fails are not counted.
  std::uint64_t read_all() {
    std::uint64_t good = 0;
    for (std::uint64_t unit = 0; unit < tags.size(); ++unit) {
      if (go(RequestKind::read, unit, 1) != RequestStatus::ok) continue;
      ++good;
      for (std::size_t i = 0; i < 4096; i += 8) {
        std::uint64_t tag = 0;
        std::memcpy(&tag, &io.bytes[i], 8);
        if (tag != tags[unit]) {
          ADD_FAILURE() << "unit " << unit << " is not as it was written";
          return good;
        }
      }
    }
    return good;
  }
  void fill() {
    for (std::uint64_t u = 0; u < tags.size(); u += 4) ASSERT_EQ(go(RequestKind::write, u, 4), RequestStatus::ok);
  }
  void overwrite(int count, std::uint16_t streams = 1) {
    for (int i = 0; i < count; ++i)
      ASSERT_EQ(go(RequestKind::write, random.below(tags.size()), 1, static_cast<std::uint16_t>(random.below(streams))), RequestStatus::ok);
  }
  /// A unit that lies on that die, in a closed superblock.
  std::uint64_t on_die(std::uint32_t die) const {
    const Layout& l = drive.model.layout();
    for (std::uint64_t u = 0; u < tags.size(); ++u) {
      const Position p = drive.model.mapping().at(u);
      if (drive.model.superblock(l.superblock_of(p)).state != SuperblockState::closed) continue;
      if (l.die_of(static_cast<std::uint32_t>(p % l.units() * 4096 / pu)) == die) return u;
    }
    ADD_FAILURE() << "nothing lies there";
    return 0;
  }
  const Counts& counts() const { return drive.model.counts(); }
  Drive drive;
  bool data;
  Drive::Io io;
  std::set<std::uint32_t> dead;
  std::uint64_t worn = 0;
  std::vector<std::uint64_t> tags;
  std::uint64_t last = 0;
  Random random{21, "rain"};
};
}  // namespace

TEST(FtlRain, GroupsLieOnDifferentDiesAndParityMoves) {
  Geometry g = small_geometry();
  g.dies = 8;
  for (const std::uint32_t n : {1U, 3U, 7U}) {
    const Layout l{g, 4_KiB, n};
    EXPECT_EQ(l.units() * (n + 1), 64U * n * 6);
    std::set<std::uint32_t> places;
    std::vector<std::uint32_t> parities(8);
    for (std::uint32_t group = 0; group < 64 / (n + 1); ++group) {
      std::set<std::uint32_t> dies{l.die_of(l.parity_of(group))};
      ++parities[*dies.begin()];
      places.insert(l.place_of(l.parity_of(group)));
      for (std::uint32_t q = group * n; q < (group + 1) * n; ++q) {
        EXPECT_EQ(l.group_of(q), group);
        dies.insert(l.die_of(q));
        places.insert(l.place_of(q));
        nand::Op op;
        l.read(op, 5, q, 12 << 10U, 4096);
        std::uint32_t back = 0;
        std::uint64_t in_pu = 0;
        l.locate(op, back, in_pu);
        EXPECT_EQ(back, q);
        EXPECT_EQ(in_pu, 12U << 10U);
      }
      EXPECT_EQ(dies.size(), n + 1);
    }
    EXPECT_EQ(places.size(), 64U);
    EXPECT_EQ(*places.rbegin(), 63U);
    for (const std::uint32_t count : parities) EXPECT_EQ(count, 8 / (n + 1)) << "of eight wordlines";
  }
}

TEST(FtlRain, OneProgramUnitInNPlusOneIsParity) {
  for (const std::uint32_t n : {0U, 1U, 3U}) {
    Drive drive{rain_config(n)};
    for (std::uint64_t i = 0; i < 96; ++i) drive.run(RequestKind::write, i * pu, pu);
    drive.agenda.run();
    const Counts& c = drive.model.counts();
    EXPECT_EQ(c.parity, n == 0 ? 0 : 96 / n * pu);
    EXPECT_EQ(c.flash_programmed, 96 * pu + c.parity);  // (n + 1) / n
    EXPECT_EQ(c.flash_programs, 96 + c.parity / pu);
    EXPECT_EQ(c.padded, 0U);
    const std::uint64_t units = n == 0 ? 192 : 192 / (n + 1) * n;
    EXPECT_EQ(drive.model.layout().units(), units);
    EXPECT_EQ(drive.model.superblock(0).valid, units);
    drive.expect_laws();
  }
}

TEST(FtlRain, ParityWaitsForTheLastOfItsGroup) {
  Drive drive{rain_config(3)};
  drive.run(RequestKind::write, 0, 2 * pu);
  drive.run(RequestKind::write, 2 * pu, pu - 4096);
  drive.agenda.run();
  EXPECT_EQ(drive.model.counts().flash_programs, 2U);
  drive.run(RequestKind::write, 3 * pu - 4096, 4096);
  drive.agenda.run();
  EXPECT_EQ(drive.model.counts().flash_programs, 4U);
  EXPECT_EQ(drive.model.counts().parity, pu);
  drive.expect_laws();
}

TEST(FtlRain, ParityTakesItsShareOfTheBandwidth) {
  const auto time_of = [](std::uint32_t n) {
    Drive drive{rain_config(n)};
    for (std::uint64_t i = 0; i < 288; ++i) drive.submit(RequestKind::write, i * pu, pu);
    drive.agenda.run();
    EXPECT_EQ(drive.model.counts().gc_moved, 0U);
    return to_us(drive.agenda.now() - Time{}) / 600;
  };
  EXPECT_NEAR(time_of(0), 288.0 / 4, 1);  // program units one after the other on each of four dies
  EXPECT_NEAR(time_of(3), 288.0 / 3, 2);
  EXPECT_NEAR(time_of(1), 288.0 / 2, 3);
}

TEST(FtlRain, ARebuildIsOneMoreReadUntilTheDieIsKnownToBeDead) {
  for (const std::uint32_t n : {1U, 3U}) {
    Fragile f{n};
    f.fill();
    f.drive.agenda.run();
    const std::uint64_t unit = f.on_die(1);
    const auto latency = [&] {
      const Time begin = f.drive.agenda.now();
      EXPECT_EQ(f.go(RequestKind::read, unit, 1), RequestStatus::ok);
      EXPECT_EQ(f.io.request.stream.first, f.io.answered);
      EXPECT_EQ(f.io.request.stream.last, f.io.answered + 5us);
      EXPECT_EQ(f.io.request.journey.total(), f.io.answered - begin);
      return f.io.answered - begin;
    };
    EXPECT_EQ(latency(), look_up + 40us);
    f.dead = {1};
    const std::uint64_t before = f.counts().flash_reads;
    EXPECT_EQ(latency(), look_up + 80us);  // fails; then the others side by side
    EXPECT_EQ(f.counts().rebuild_reads, n);
    EXPECT_EQ(f.counts().rebuilt, 4096U);
    EXPECT_EQ(f.counts().flash_reads, before + 1 + n);
    EXPECT_EQ(latency(), look_up + 40us);  // known: the others alone
    EXPECT_EQ(f.counts().rebuild_reads, 2 * n);
    EXPECT_EQ(f.counts().rebuilt, 8192U);
    EXPECT_EQ(f.counts().flash_reads, before + 1 + 2 * n);
    f.drive.expect_laws();
  }
}

TEST(FtlRain, WithoutOneDieEveryByteIsThere) {
  for (const std::uint32_t n : {1U, 3U}) {
    for (const std::uint32_t die : {0U, 2U, 3U}) {
      Fragile f{n};
      f.fill();
      f.overwrite(4000);
      f.dead = {die};
      f.overwrite(100);  // some on their way there
      EXPECT_EQ(f.read_all(), f.tags.size()) << "rain " << n;
      f.overwrite(6000);  // garbage collection reads what it moves from the others, too
      f.drive.run(RequestKind::trim, 400 * 4096, 100 * 4096);
      std::fill_n(f.tags.begin() + 400, 100, 0);
      for (std::uint64_t u = 30; u < 60; ++u) f.patch(u);
      EXPECT_EQ(f.read_all(), f.tags.size());
      const Counts& c = f.counts();
      EXPECT_GT(c.gc_moved, 0U);
      EXPECT_GT(c.rebuilds, 400U);
      EXPECT_EQ(c.rebuilds_done, c.rebuilds);
      EXPECT_EQ(c.lost_units, 0U);
      EXPECT_EQ(f.drive.model.dead_dies(), 1U);
      f.drive.expect_laws();
    }
  }
}

TEST(FtlRain, StreamsHaveGroupsOfTheirOwn) {
  Config c = rain_config(3);
  c.write_streams = 3;
  Fragile f{c, true};
  f.fill();
  f.overwrite(5000, 3);
  f.dead = {1};
  EXPECT_EQ(f.read_all(), f.tags.size());
  f.overwrite(3000, 3);
  EXPECT_EQ(f.read_all(), f.tags.size());
  EXPECT_EQ(f.counts().rebuild_failures, 0U);
  EXPECT_GT(f.counts().rebuilds, 400U);
  f.drive.expect_laws();
}

/// Pacing, streams, isolation, capacitors, several victims; trims, flushes, partial units; with groups of two a second die dies.
TEST(FtlRain, EveryByteIsThereWhateverThePolicies) {
  for (std::uint32_t variant = 0; variant < 24; ++variant) {
    Config c = rain_config(variant % 2 == 0 ? 1 : 3);
    if (c.rain == 1) c.capacity = 4_MiB;
    if ((variant & 2U) != 0) c.gc_pacing = GcPacing::tokens;
    if ((variant & 4U) != 0) {
      c.write_streams = 2;
      c.gc_isolation = GcIsolation::persistent;
    }
    if ((variant & 8U) != 0) c.power_loss_protection = false;
    if ((variant & 16U) != 0) {
      c.gc_victims = 2;
      c.gc_low = 4;
      c.gc_high = 6;
    }
    const auto streams = static_cast<std::uint16_t>(c.write_streams);
    Fragile f{c, true};
    f.random = Random{variant, "variants"};
    f.fill();
    f.overwrite(static_cast<int>(2000 + 37 * variant), streams);
    f.dead = {variant % 4};
    f.overwrite(2500, streams);
    for (int i = 0; i < 50; ++i) {
      f.patch(f.random.below(f.tags.size()));
      f.go(RequestKind::trim, f.random.below(f.tags.size() - 9), 9);
      f.go(RequestKind::flush, 0, 0);
      f.overwrite(5, streams);
    }
    EXPECT_EQ(f.read_all(), f.tags.size()) << variant;
    if (c.rain == 1) {
      f.dead.insert((variant + 2) % 4);
      f.overwrite(1500, streams);
      EXPECT_EQ(f.read_all(), f.tags.size()) << variant;
    }
    EXPECT_EQ(f.counts().lost_units, 0U);
    EXPECT_EQ(f.counts().rebuild_failures, 0U);
    EXPECT_GT(f.counts().rebuilds_done, 50U);
    EXPECT_EQ(f.drive.model.dead_dies(), c.rain == 1 ? 2U : 1U);
    f.drive.expect_laws();
  }
}

/// What was written while a die was dead is safe from a page that cannot be read, but not from a second dead die.
TEST(FtlRain, NewDataBesideADeadDieAreProtectedToo) {
  Fragile f{3};
  f.dead = {3};
  f.fill();
  f.overwrite(8000);
  f.fill();
  f.drive.agenda.run();
  ASSERT_EQ(f.drive.model.dead_dies(), 1U);
  f.worn = 40;
  const std::uint64_t good = f.read_all();
  EXPECT_EQ(f.tags.size() - good, f.counts().rebuild_failures);
  EXPECT_GT(f.counts().rebuilds_done, 20U);
  EXPECT_LT(f.counts().rebuild_failures, f.counts().rebuilds_done);  // a quarter of the groups has its parity there, and none
}

TEST(FtlRain, UncorrectablePagesAreRebuilt) {
  Fragile with{3}, without{0};
  for (Fragile* f : {&with, &without}) {
    f->fill();
    f->drive.agenda.run();
    f->worn = 50;
  }
  EXPECT_LT(without.read_all(), without.tags.size() - 20);
  EXPECT_EQ(without.counts().rebuilds, 0U);
  const std::uint64_t good = with.read_all();
  EXPECT_GT(good, with.tags.size() - 15);  // 2048 reads, one in 50 fails; of its three others one in 50 each: 2.4
  EXPECT_EQ(with.tags.size() - good, with.counts().rebuild_failures);
  EXPECT_GT(with.counts().rebuilds_done, 20U);
  with.drive.expect_laws();
}

TEST(FtlRain, TwoDeadDiesOfAGroupAreLost) {
  Fragile f{3};
  f.fill();
  f.drive.agenda.run();
  const std::uint64_t unit = f.on_die(2);
  f.dead = {0, 2};
  EXPECT_EQ(f.go(RequestKind::read, unit, 1), RequestStatus::uncorrectable);
  EXPECT_EQ(f.drive.model.dead_dies(), 2U);  // the rebuild has met the other one
  const std::uint64_t good = f.read_all();
  EXPECT_LT(good, f.tags.size() * 6 / 10);  // half of it was there
  EXPECT_GT(good, f.tags.size() * 4 / 10);
  EXPECT_EQ(f.counts().rebuilds_done, 0U);
  f.drive.expect_laws();

  Fragile pairs{1};  // groups of two: dies 0 and 1, 2 and 3
  pairs.fill();
  pairs.drive.agenda.run();
  pairs.dead = {0, 2};
  EXPECT_EQ(pairs.read_all(), pairs.tags.size());
}

TEST(FtlRain, WithoutParityADeadDieIsLost) {
  Fragile f{0};
  f.fill();
  f.drive.agenda.run();
  const std::uint64_t unit = f.on_die(1);
  f.dead = {1};
  EXPECT_EQ(f.go(RequestKind::read, unit, 1), RequestStatus::uncorrectable);
  EXPECT_LT(f.read_all(), f.tags.size() * 8 / 10);
}

/// In timing mode on a full drive, 64 reads in flight: N reads in the place of each that would go to the dead die.
TEST(FtlRain, ReadAmplificationAtDepth) {
  for (const Precondition start : {Precondition::sequential, Precondition::random}) {
    Config c = rain_config(3);
    c.precondition = start;
    Fragile f{c, false};
    f.dead = {1};
    const std::uint64_t first = f.on_die(1);
    ASSERT_EQ(f.go(RequestKind::read, first, 1), RequestStatus::ok);  // from here on it is known
    const Counts before = f.counts();
    std::uint64_t there = 0;
    for (int batch = 0; batch < 32; ++batch) {
      std::vector<Drive::Io*> ios;
      for (int i = 0; i < 64; ++i) {
        const std::uint64_t unit = f.random.below(f.tags.size());
        const Layout& l = f.drive.model.layout();
        there += l.die_of(static_cast<std::uint32_t>(f.drive.model.mapping().at(unit) % l.units() * 4096 / pu)) == 1 ? 1U : 0U;
        ios.push_back(&f.drive.submit(RequestKind::read, unit * 4096, 4096));
      }
      f.drive.agenda.run();
      for (const Drive::Io* io : ios) EXPECT_EQ(io->request.status, RequestStatus::ok);
    }
    EXPECT_GT(there, 400U);  // a quarter of 2048
    EXPECT_EQ(f.counts().rebuilds_done - before.rebuilds_done, there);
    EXPECT_EQ(f.counts().rebuild_reads - before.rebuild_reads, 3 * there);
    EXPECT_EQ(f.counts().flash_reads - before.flash_reads, 2048 - there + 3 * there);
    EXPECT_EQ(f.counts().failures, before.failures);
    f.drive.expect_laws();
  }
}

/// Overwrites at depth on a drive that loses a die on the way: nothing hangs, nothing is lost, laws hold.
TEST(FtlRain, ADieDiesUnderWrites) {
  for (const bool cached : {false, true}) {
    Config c = rain_config(3);
    c.precondition = Precondition::random;
    if (cached) {
      c.map = MapKind::cached;
      c.map_page = 4_KiB;
      c.map_cache = 4_KiB;
    }
    Fragile f{c, false};
    overwrite(f.drive, c.capacity, 4096, 5000, false, 64);
    f.dead = {2};
    overwrite(f.drive, c.capacity, 4096, 10'000, false, 64);
    EXPECT_GT(f.counts().gc_moved, 0U);
    EXPECT_GT(f.counts().rebuilds_done, 100U);
    EXPECT_EQ(f.counts().rebuild_failures, 0U);
    EXPECT_EQ(f.counts().lost_units, 0U);
    EXPECT_GT(f.counts().rewritten, 0U);
  }
}

/// An erase that waits for what is newer, without capacitors, does not wait for parity whose group is not complete.
TEST(FtlRain, ErasesDoNotWaitForOpenGroups) {
  Config c = rain_config(3);
  c.capacity = 16_MiB;
  c.power_loss_protection = false;
  Fragile f{c, true};
  f.fill();
  f.overwrite(8000);
  EXPECT_GT(f.counts().flash_erases, 0U);
  EXPECT_EQ(f.go(RequestKind::flush, 0, 0), RequestStatus::ok);
  EXPECT_EQ(f.read_all(), f.tags.size());
  f.drive.expect_laws();
}

TEST(FtlRain, MistakesAreAllNamed) {
  Config c = rain_config(4);
  c.recoverable = true;
  c.image = "some.image";
  UserErrors errors;
  c.check("ftl", errors);
  c.check("ftl", small_geometry(), errors);
  ASSERT_EQ(errors.list.size(), 3U) << errors.what();
  EXPECT_NE(errors.list[2].find("divide the drive's 4 dies: 0, 1, 3"), std::string::npos) << errors.list[2];
  Config small = rain_config(1);
  small.capacity = 16_MiB;  // 22 superblocks without parity, 43 with it
  UserErrors space;
  small.check("ftl", small_geometry(), space);
  EXPECT_EQ(space.list.size(), 1U) << space.what();
  small.rain = 0;
  UserErrors none;
  small.check("ftl", small_geometry(), none);
  EXPECT_TRUE(none.empty());
  Config wide = rain_config(3);
  wide.mapping_unit = 16_KiB;  // a program unit is 24 KiB
  UserErrors units;
  wide.check("ftl", small_geometry(), units);
  ASSERT_EQ(units.list.size(), 1U) << units.what();
  EXPECT_NE(units.list[0].find("ftl.rain: ftl.mapping_unit"), std::string::npos) << units.list[0];
  Config aged = rain_config(3);
  aged.precondition = Precondition::sequential;
  EXPECT_THROW((Drive{aged, small_geometry(), true}), UserErrors) << "bytes of an aged drive have no parity";
}

// SPDX-License-Identifier: Apache-2.0
// Dies that die: what was on them is lost and says so, everything else is there, and writing goes on without them.
#include <set>

#include "base/random.h"
#include "models/ftl_bench.h"

using namespace flashpath;
using namespace flashpath::ftl;
using namespace flashpath::ftl::test;

namespace {
struct Dying {
  explicit Dying(std::uint32_t spares = 0) : drive{config(spares), geometry(spares), true}, tags(config().capacity.count / 4096) {
    drive.flash.answered = Delegate<void(nand::Op&, Time)>::to<&Dying::answered>(this);
    drive.flash.keep = ~std::size_t{0};
  }
  static Geometry geometry(std::uint32_t spares) {
    Geometry g = small_geometry();
    g.blocks_per_plane += spares;
    return g;
  }
  static Config config(std::uint32_t spares = 0) {
    Config c = small_config();
    c.spare_blocks = spares;
    c.capacity = 16_MiB;  // of 30: three dies of four are enough, two are not
    return c;
  }
  void answered(nand::Op& op, Time now) {
    if (dead.contains(op.die.value)) {
      op.dead = true;
      op.status = op.kind == nand::OpKind::read      ? nand::OpStatus::uncorrectable
                  : op.kind == nand::OpKind::program ? nand::OpStatus::program_failed
                                                     : nand::OpStatus::erase_failed;
    }
    drive.model.flash_answered(op, now);
  }
  RequestStatus write(std::uint64_t unit) {
    Drive::Io io;
    io.bytes.assign(4096, 0);
    const std::uint64_t tag = ++last;
    for (std::size_t i = 0; i < 4096; i += 8) std::memcpy(&io.bytes[i], &tag, 8);
    drive.start(io, RequestKind::write, unit * 4096, 4096);
    wait(io);
    if (io.request.status == RequestStatus::ok) tags[unit] = tag;
    return io.request.status;
  }
  RequestStatus read(std::uint64_t unit) {
    Drive::Io io;
    io.bytes.assign(4096, 0xee);
    drive.start(io, RequestKind::read, unit * 4096, 4096);
    wait(io);
    if (io.request.status == RequestStatus::ok) {
      for (std::size_t i = 0; i < 4096; i += 8) {
        std::uint64_t tag = 0;
        std::memcpy(&tag, &io.bytes[i], 8);
        if (tag != tags[unit]) {
          ADD_FAILURE() << "unit " << unit << " is not as it was written";
          break;
        }
      }
    }
    return io.request.status;
  }
  void wait(Drive::Io& io) {
    while (io.answered == never && !drive.agenda.empty()) drive.agenda.step();
    ASSERT_NE(io.answered, never) << "a request hangs";
  }
  void overwrite(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) ASSERT_EQ(write(random.below(tags.size())), RequestStatus::ok);
  }
  Drive drive;
  std::set<std::uint32_t> dead;
  std::vector<std::uint64_t> tags;
  std::uint64_t last = 0;
  Random random{11, "dies"};
};
}  // namespace

TEST(FtlDies, OneOfFourTakesItsDataAndNothingElse) {
  Dying d;
  for (std::uint64_t u = 0; u < d.tags.size(); ++u) d.write(u);
  d.overwrite(12'000);
  d.dead = {2};
  d.overwrite(200);  // meets the dead die; what was on its way there goes elsewhere
  EXPECT_EQ(d.drive.model.dead_dies(), 1U);
  EXPECT_FALSE(d.drive.model.read_only());
  EXPECT_GT(d.drive.model.counts().rewritten, 0U);
  d.drive.flash.ops.clear();
  std::uint64_t lost = 0;
  for (std::uint64_t u = 0; u < d.tags.size(); ++u) lost += d.read(u) == RequestStatus::uncorrectable ? 1U : 0U;
  EXPECT_GT(lost, d.tags.size() / 6);  // a quarter, less what was written since
  EXPECT_LT(lost, d.tags.size() / 4);
  d.overwrite(20'000);  // garbage collection without it
  d.drive.agenda.run();
  EXPECT_GT(d.drive.model.counts().gc_moved, 0U);
  for (const auto& seen : d.drive.flash.ops)
    EXPECT_FALSE(seen.op.kind != nand::OpKind::read && seen.op.die.value == 2U) << "a dead die is written to";
  for (std::uint64_t u = 0; u < d.tags.size(); ++u) d.write(u);
  for (std::uint64_t u = 0; u < d.tags.size(); ++u) ASSERT_EQ(d.read(u), RequestStatus::ok);  // all of it is back
  d.drive.expect_laws();
}

TEST(FtlDies, TooFewAreReadOnlyAndNothingHangs) {
  Dying d;
  for (std::uint64_t u = 0; u < d.tags.size(); ++u) d.write(u);
  d.dead = {1, 3};
  std::uint64_t refused = 0;
  for (int i = 0; i < 400; ++i) refused += d.write(d.random.below(d.tags.size())) == RequestStatus::write_fault ? 1U : 0U;
  EXPECT_TRUE(d.drive.model.read_only());
  EXPECT_GT(refused, 100U);
  std::uint64_t good = 0;
  for (std::uint64_t u = 0; u < d.tags.size(); ++u) good += d.read(u) == RequestStatus::ok ? 1U : 0U;
  EXPECT_GT(good, d.tags.size() / 3);
  d.drive.expect_laws();
}

/// A die that dies while one of its bad blocks is being copied to a spare.
TEST(FtlDies, DyingWhileABlockIsReplaced) {
  for (const std::uint64_t steps : {0U, 1U, 2U, 3U, 5U, 8U, 13U, 30U}) {
    Dying d{12};
    for (std::uint64_t u = 0; u < d.tags.size(); ++u) d.write(u);
    d.drive.flash.bad_program = 60;
    while (d.drive.model.counts().bad_blocks == 0) d.overwrite(1);
    d.drive.flash.bad_program = ~0ULL - 1;
    const std::uint32_t die = static_cast<std::uint32_t>(*d.drive.flash.failing.begin() / d.drive.flash.g.blocks_per_plane);
    for (std::uint64_t i = 0; i < steps && !d.drive.agenda.empty(); ++i) d.drive.agenda.step();
    d.dead = {die};
    d.overwrite(8000);
    d.drive.agenda.run();
    EXPECT_EQ(d.drive.model.dead_dies(), 1U);
    EXPECT_FALSE(d.drive.model.read_only());
    for (std::uint64_t u = 0; u < d.tags.size(); ++u) d.write(u);
    for (std::uint64_t u = 0; u < d.tags.size(); ++u) ASSERT_EQ(d.read(u), RequestStatus::ok) << steps;
    d.drive.expect_laws();
  }
}

TEST(FtlDies, ATrimForgetsWhatWasLost) {
  Dying d;
  for (std::uint64_t u = 0; u < 96; ++u) d.write(u);
  d.drive.agenda.run();
  d.dead = {0};
  ASSERT_EQ(d.read(0), RequestStatus::uncorrectable);
  d.drive.run(RequestKind::trim, 0, 4096);
  d.tags[0] = 0;
  EXPECT_EQ(d.read(0), RequestStatus::ok);
}

// SPDX-License-Identifier: Apache-2.0
// The flash's health as the FTL tells it: wear against the rated cycles, spares, read-only, dead dies, and who hears of it when.
#include "ftl_bench.h"

namespace flashpath::ftl::test {
namespace {

struct Listener {
  explicit Listener(FtlModel& m) : model{m} { model.on_health(Delegate<void(Time)>::to<&Listener::changed>(this)); }
  void changed(Time) {
    ++calls;
    last = model.health();
  }
  FtlModel& model;
  int calls = 0;
  Health last;
};

void overwrite(Drive& drive, std::uint64_t writes) {
  Random random{5, "health"};
  for (std::uint64_t i = 0; i < writes; ++i) drive.run(RequestKind::write, random.below(6000) * 4096, 4096);
}

TEST(FtlHealth, AFreshDriveIsWell) {
  Drive drive;
  const Health h = drive.model.health();
  EXPECT_EQ(h.spare, 100U);
  EXPECT_EQ(h.percentage_used, 0U);
  EXPECT_FALSE(h.read_only || h.degraded || h.backup_failed);
  EXPECT_EQ(h.programmed, Bytes{});
}

TEST(FtlHealth, WearIsMeanErasesAndThoseBeforeTheRunAgainstTheRatedCycles) {
  Geometry g = small_geometry();
  g.endurance = 20;
  g.initial_pe = 7;
  Drive drive{small_config(), g};
  EXPECT_EQ(drive.model.health().percentage_used, 35U);
  overwrite(drive, 60'000);
  const Health h = drive.model.health();
  const WearSummary wear = drive.model.wear();
  EXPECT_GT(wear.sum, 40U * 3);
  EXPECT_EQ(h.percentage_used, (wear.sum + 7 * 40) * 100 / (20 * 40));
  EXPECT_GT(h.percentage_used, 50U);
  EXPECT_EQ(h.host_written.count, drive.model.counts().host_written);
  EXPECT_EQ(h.programmed.count, drive.model.counts().flash_programmed);
  EXPECT_EQ(h.erased.count, drive.model.counts().flash_erases * (g.superblock().count / g.dies));
  g.initial_pe = 0;
  g.endurance = 10;
  Drive twice{small_config(), g};
  overwrite(twice, 60'000);
  EXPECT_EQ(twice.model.health().percentage_used, wear.sum * 100 / (10 * 40));
}

TEST(FtlHealth, SparesRunOutThenTheDriveIsReadOnlyAndEveryStepIsTold) {
  Config c = small_config();
  c.spare_blocks = 4;
  Geometry g = small_geometry();
  g.blocks_per_plane += 4;
  Drive drive{c, g, true};
  Listener listener{drive.model};
  drive.flash.bad_program = 200;
  std::uint8_t least = 100;
  Random random{5, "spares"};
  for (int i = 0; i < 100'000 && !drive.model.read_only(); ++i) {
    const int before = listener.calls;
    const Health h = drive.model.health();
    drive.run(RequestKind::write, random.below(6000) * 4096, 4096);
    if (drive.model.health().spare != h.spare || drive.model.read_only()) { EXPECT_GT(listener.calls, before); }
    least = std::min(least, drive.model.health().spare);
    EXPECT_EQ(drive.model.health().spare, drive.model.fewest_spares() * 25);
  }
  EXPECT_TRUE(drive.model.health().read_only);
  EXPECT_TRUE(listener.last.read_only);
  EXPECT_EQ(least, 0U);
}

}  // namespace
}  // namespace flashpath::ftl::test

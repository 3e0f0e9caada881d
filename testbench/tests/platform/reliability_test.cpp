// SPDX-License-Identifier: Apache-2.0
// Pages that nothing corrects, from the cells to whoever asked: NVMe status, error counts, objects that cannot be had.
#include "bus/address_map.h"
#include "platform/bench.h"

namespace flashpath::test {
namespace {

using firmware::JobSpec;
using firmware::Rw;

/// An error rate by wear alone, at which part of all pages fails in both senses; no bad blocks, no failures of programs.
Settings failing(const char* wear) {
  return {"reliability.enabled=true",      "reliability.initial_pe=1",
          "reliability.wear_exponent=1",   std::string{"reliability.wear="} + wear,
          "reliability.retry_steps=1",     "reliability.soft_senses=0",
          "reliability.factory_bad=0",     "reliability.retention_loss=0",
          "reliability.read_disturb=0",    "reliability.erase_failures=0",
          "reliability.program_failures=0"};
}

/// One command at a time, straight to the driver: what status comes back.
struct Probe {
  std::uint64_t good = 0, unrecovered = 0, others = 0;
  firmware::Driver* driver = nullptr;
  void submit(cores::CoreContext& ctx, std::uint64_t lba, std::uint64_t) {
    driver->submit(ctx, {.kind = firmware::Kind::read,
                         .drive = 0,
                         .lba = lba,
                         .blocks = 1,
                         .buffer = bus::staging_base,
                         .done = firmware::Done::to<&Probe::done>(this)});
    driver->ring(ctx);
  }
  void done(cores::CoreContext&, const firmware::Completed& c) {
    if (c.ok()) ++good;
    else if (c.status == nvme::Status::unrecovered_read_error) ++unrecovered;
    else ++others;
  }
};

TEST(PlatformReliability, UncorrectablePagesAreUnrecoveredReadErrors) {
  Settings settings = failing("0.0048");
  settings.emplace_back("ftl.precondition=sequential");
  Rig rig{"single-drive", settings};
  Probe probe;
  probe.driver = &rig.platform.firmware().driver();
  for (std::uint64_t i = 0; i < 400; ++i) {
    rig.platform.cores().submit(cores::CoreId{0}, cores::Task::of<&Probe::submit>(&probe, 7919 * i, 0U), rig.platform.now());
    rig.platform.run_until(never);
  }
  EXPECT_EQ(probe.good + probe.unrecovered, 400U);
  EXPECT_EQ(probe.others, 0U);
  EXPECT_GT(probe.unrecovered, 10U);
  EXPECT_GT(probe.good, 200U);
  EXPECT_EQ(rig.count(".nand", "uncorrectable"), probe.unrecovered);
  EXPECT_EQ(rig.count(".nvme", "failed"), probe.unrecovered);
  EXPECT_EQ(rig.count("firmware", "errors"), probe.unrecovered);
  EXPECT_GT(rig.count(".nand", "retries"), probe.unrecovered) << "the last retry helps some";
}

TEST(PlatformReliability, JobsCountTheErrorsAndGoOn) {
  Settings settings = failing("0.0048");
  settings.emplace_back("ftl.precondition=sequential");
  Rig rig{"single-drive", settings};
  JobSpec s;
  s.rw = Rw::randread;
  s.iodepth = 64;
  s.numjobs = 2;
  s.number_ios = 3000;
  auto& r = rig.job(s);
  EXPECT_GT(r.errors, 100U);
  EXPECT_LT(r.errors, 3000U);
  EXPECT_EQ(r.errors, rig.count(".nand", "uncorrectable"));
  EXPECT_EQ(r.errors, rig.count(".nvme", "failed"));
  rig.expect_sound({"client", "fabric_mem", "bus_crypto", "_write"});
}

TEST(PlatformReliability, ObjectsWithUncorrectablePagesAreNotServed) {
  Settings settings = failing("0.0031");
  settings.emplace_back("ftl.write_buffer=4MiB");
  Rig rig{"single-drive", settings};
  rig.move(true, 0, 64, 2_MiB, 4);
  EXPECT_EQ(rig.objects.good(), 64U);
  rig.move(false, 0, 64, 2_MiB, 4);
  EXPECT_EQ(rig.objects.good() + rig.count("firmware", "failed"), 64U);
  EXPECT_GT(rig.count("firmware", "failed"), 3U);
  EXPECT_GT(rig.objects.good(), 3U);
}

/// A worn drive small enough that a run meets all of it: factory-bad blocks, programs and erases that fail.
Settings worn(std::initializer_list<const char*> more) {
  Settings s{"data=true",
             "nand.channels=2",
             "nand.dies_per_channel=2",
             "nand.blocks_per_plane=64",
             "nand.wordlines_per_block=8",
             "ftl.capacity=128MiB",
             "ftl.write_buffer=4MiB",
             "ftl.gc_low=3",
             "ftl.gc_high=4",
             "reliability.enabled=true",
             "reliability.initial_pe=5000",
             "reliability.program_failures=0.001",
             "reliability.erase_failures=0.002",
             "reliability.factory_bad=0.01"};
  s.insert(s.end(), more.begin(), more.end());
  return s;
}
JobSpec mixed() {
  JobSpec s;
  s.rw = Rw::randrw;
  s.rwmixread = 20;
  s.bs = 16_KiB;
  s.iodepth = 16;
  s.size = 96_MiB;
  s.number_ios = 40'000;
  s.norandommap = true;
  s.verify = true;
  return s;
}

TEST(PlatformReliability, BadBlocksAreReplacedAndNoByteIsLost) {
  Rig rig{"single-drive", worn({"ftl.spare_blocks=20"})};
  auto& r = rig.job(mixed());
  rig.expect_sound({"client", "fabric_mem", "bus_crypto"});
  EXPECT_EQ(r.errors, 0U);
  EXPECT_EQ(r.verify_errors, 0U);
  EXPECT_GT(r.verified, 1000U);
  EXPECT_GT(rig.count(".nand", "program_failures"), 5U);
  EXPECT_GT(rig.count(".nand", "erase_failures"), 0U);
  EXPECT_GT(rig.count(".nand", "factory_bad"), 0U);
  EXPECT_GT(rig.count(".ftl", "bad_blocks"), rig.count(".nand", "erase_failures") + 5);
  EXPECT_GT(rig.count(".ftl", "copied"), 0U);
  EXPECT_EQ(rig.count(".ftl", "lost_units"), 0U);
  EXPECT_LT(rig.count(".ftl", "spares"), 20U);
  EXPECT_EQ(rig.count(".nvme", "available_spare"), rig.count(".ftl", "spares") * 100 / 20);
}

TEST(PlatformReliability, WithoutSparesWritesFailReadsGoOnAndNothingHangs) {
  Rig rig{"single-drive", worn({"ftl.spare_blocks=14", "reliability.program_failures=0.01"})};
  auto& r = rig.job(mixed());
  rig.expect_sound({"client", "fabric_mem", "bus_crypto"});
  EXPECT_GT(r.errors, 1000U);
  EXPECT_EQ(r.verify_errors, 0U);
  EXPECT_EQ(rig.count(".nvme", "failed"), r.errors);
  EXPECT_EQ(rig.count(".ftl", "spares"), 0U);
  EXPECT_EQ(rig.count(".nvme", "critical_warning"), unsigned{nvme::warning::spare} | nvme::warning::read_only);
  EXPECT_GT(rig.count(".ftl", "copied"), 0U);
  EXPECT_EQ(rig.count(".ftl", "lost_units"), 0U);
}

TEST(PlatformReliability, MoreFactoryBadBlocksThanSparesAreSaid) {
  EXPECT_THROW((Rig{"single-drive", worn({"ftl.spare_blocks=1", "reliability.factory_bad=0.2"})}), UserErrors);
}

TEST(PlatformReliability, AgedDrivesAreSlowerInTheTail) {
  struct Row {
    double median, tail;
  };
  const auto run = [](const char* cycles) {
    return in_child([=] {
      Rig rig{"single-drive",
              {"ftl.precondition=sequential", "reliability.enabled=true", "reliability.retention=7776000s", "reliability.factory_bad=0",
               std::string{"reliability.initial_pe="} + cycles}};
      JobSpec s;
      s.rw = Rw::randread;
      s.iodepth = 1;
      s.numjobs = 4;
      s.number_ios = 4000;
      auto& r = rig.job(s);
      EXPECT_EQ(r.errors, 0U);
      return Row{to_us(r.direction[0].lat.percentile(500'000)), to_us(r.direction[0].lat.percentile(999'000))};
    });
  };
  const Row fresh = run("0"), old = run("5000"), worn = run("7000");
  EXPECT_GT(old.tail, fresh.tail + 25);
  EXPECT_GT(worn.tail, old.tail + 20);
  EXPECT_LT(old.median, fresh.median + 3) << "a few iterations, no retry";
}

TEST(PlatformReliability, SeedAndDriveDecideWhichPagesAreWeak) {
  const auto run = [](const char* seed) {
    return in_child([=] {
      Settings settings = failing("0.0048");
      settings.insert(settings.end(), {"ftl.precondition=sequential", "drives=2", std::string{"seed="} + seed});
      Rig rig{"single-drive", settings};
      JobSpec s;
      s.rw = Rw::randread;
      s.iodepth = 16;
      s.numjobs = 2;
      s.number_ios = 1000;
      rig.job(s);
      EXPECT_NE(rig.count("drive0.nand", "retries"), rig.count("drive1.nand", "retries"));
      return rig.digest();
    });
  };
  const auto one = run("1");
  EXPECT_EQ(one, run("1"));
  EXPECT_NE(one, run("2"));
}

}  // namespace
}  // namespace flashpath::test

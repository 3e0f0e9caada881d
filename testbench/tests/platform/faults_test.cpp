// SPDX-License-Identifier: Apache-2.0
// Failures by configuration, seen by the host: a drive, a channel, a die, a plane.
#include "platform/faults.h"
#include "platform/bench.h"

namespace flashpath::test {
namespace {

using firmware::JobSpec;
using firmware::Rw;

Settings small(const std::string& faults) {
  return {"nand.channels=4",       "nand.dies_per_channel=2",     "nand.blocks_per_plane=64", "ftl.capacity=32GiB",
          "ftl.write_buffer=8MiB", "ftl.precondition=sequential", "faults=" + faults};
}
JobSpec job(Rw rw, std::uint64_t ios) {
  JobSpec s;
  s.rw = rw;
  s.bs = 4_KiB;
  s.iodepth = 16;
  s.number_ios = ios;
  return s;
}
struct Outcome {
  std::uint64_t errors, lost, dead;
};

TEST(PlatformFaults, MistakesAreAllNamed) {
  try {
    platform::load("single-drive", {},
                   {"faults=die:0.9999@1ms, drive:3@0s, disk:1@1s, plane:0.1@1s, die:0.1@soon, drive:0, channel:0.x@1s"});
    ADD_FAILURE() << "accepted";
  } catch (const UserErrors& errors) { EXPECT_EQ(errors.list.size(), 7U) << errors.what(); }
  UserErrors errors;
  const platform::Config config = platform::load("single-drive", {}, {}).config;
  const auto faults = platform::parse_faults(" die:0.17@10ms,plane:0.3.1@0s , channel:0.4@2us,drive:0@1s", config, errors);
  EXPECT_TRUE(errors.empty()) << errors.what();
  ASSERT_EQ(faults.size(), 4U);
  EXPECT_EQ(faults[0].part, 17U);
  EXPECT_EQ(faults[0].at, 10ms);
  EXPECT_EQ(faults[1].plane, 1U);
  EXPECT_EQ(platform::planes_of(faults[1], config.nand, 3), 2U);
  EXPECT_EQ(platform::planes_of(faults[2], config.nand, 4 + config.nand.channels), ~0U);
  EXPECT_EQ(platform::planes_of(faults[2], config.nand, 5), 0U);
}

/// 20,000 reads of a full drive with eight dies of four planes: the share that fails is the share that is dead.
TEST(PlatformFaults, ReadsOfWhatIsDeadAreMediaErrors) {
  const auto errors = [](const char* faults) {
    return in_child([&] {
      Rig rig{"single-drive", small(faults)};
      const auto& r = rig.job(job(Rw::randread, 20'000));
      rig.expect_sound({"client", "fabric_mem", "bus_crypto", "drive0_write"});
      return r.errors;
    });
  };
  EXPECT_EQ(errors(""), 0U);
  const std::uint64_t plane = errors("plane:0.5.2@0s"), die = errors("die:0.5@0s"), channel = errors("channel:0.1@0s");
  EXPECT_NEAR(static_cast<double>(plane), 20'000.0 / 32, 130);  // five sigma
  EXPECT_NEAR(static_cast<double>(die), 20'000.0 / 8, 240);
  EXPECT_NEAR(static_cast<double>(channel), 20'000.0 / 4, 310);
  const std::uint64_t late = errors("die:0.5@1ms");  // the run takes some milliseconds
  EXPECT_GT(late, 0U);
  EXPECT_LT(late, die);
}

TEST(PlatformFaults, ADeadDieIsACriticalWarning) {
  const auto warnings = [](const char* faults) {
    return in_child([&] {
      Rig rig{"single-drive", small(faults)};
      rig.job(job(Rw::randread, 2'000));
      rig.expect_sound({"client", "fabric_mem", "bus_crypto", "drive0_write"});
      return rig.count(".nvme", "critical_warning");
    });
  };
  EXPECT_EQ(warnings(""), 0U);
  EXPECT_EQ(warnings("die:0.5@0s"), std::uint64_t{nvme::warning::degraded});
}

TEST(PlatformFaults, WritesGoOnWithoutADie) {
  Rig rig{"single-drive",
          {"nand.channels=4", "nand.dies_per_channel=2", "nand.blocks_per_plane=64", "ftl.capacity=32GiB", "ftl.write_buffer=8MiB",
           "data=true", "faults=die:0.3@0s"}};
  JobSpec spec = job(Rw::randrw, 6000);
  spec.bs = 16_KiB;
  spec.size = 16_MiB;
  spec.verify = true;
  const auto& r = rig.job(spec);
  EXPECT_EQ(r.errors, 0U);  // what could not be programmed went elsewhere
  EXPECT_EQ(r.verify_errors, 0U);
  EXPECT_GT(r.verified, 1000U);
  rig.expect_sound({"client", "fabric_mem", "bus_crypto"});
  EXPECT_EQ(rig.count("ftl", "dead_dies"), 1U);
  EXPECT_GT(rig.count("ftl", "rewritten"), 0U);
}

/// With parity across dies the host sees no error; the array really reads the other dies.
TEST(PlatformFaults, ParityBringsADeadDieBack) {
  const auto run = [](const char* rain, const char* faults) {
    return in_child([&]() -> double {
      Settings settings = small(faults);
      settings.insert(settings.end(), {"ftl.capacity=16GiB", rain});
      Rig rig{"single-drive", settings};
      JobSpec spec = job(Rw::randread, 5000);
      spec.iodepth = 1;
      const auto& r = rig.job(spec);
      rig.expect_sound({"client", "fabric_mem", "bus_crypto", "drive0_write"});
      if (r.errors != 0) return -static_cast<double>(r.errors);
      EXPECT_EQ(rig.count("ftl", "rebuild_failures"), 0U);
      EXPECT_NEAR(static_cast<double>(rig.count("ftl", "rebuilds")), *faults == 0 ? 0 : 5000.0 / 8, 120);
      return r.direction[0].lat.mean();
    });
  };
  EXPECT_LT(run("ftl.rain=0", "die:0.5@0s"), 0);  // errors
  const double whole = run("ftl.rain=7", ""), dead = run("ftl.rain=7", "die:0.5@0s");
  EXPECT_GT(whole, 0);
  EXPECT_GT(dead, whole);  // the slowest of seven
  EXPECT_LT(dead, whole * 1.3);
}

TEST(PlatformFaults, ParityBringsTheBytesBack) {
  Rig rig{"single-drive",
          {"nand.channels=4", "nand.dies_per_channel=2", "nand.blocks_per_plane=64", "ftl.capacity=16GiB", "ftl.write_buffer=2MiB",
           "ftl.rain=3", "data=true", "faults=die:0.3@12ms"}};
  JobSpec spec = job(Rw::randrw, 6000);
  spec.bs = 16_KiB;
  spec.size = 16_MiB;
  spec.verify = true;
  const auto& r = rig.job(spec);
  EXPECT_EQ(r.errors, 0U);
  EXPECT_EQ(r.verify_errors, 0U);
  EXPECT_GT(r.verified, 1000U);
  rig.expect_sound({"client", "fabric_mem", "bus_crypto"});
  EXPECT_EQ(rig.count("ftl", "dead_dies"), 1U);
  EXPECT_GT(rig.count("ftl", "rebuilt"), 0U);
}

TEST(PlatformFaults, ADriveDiesUnderAJobAndNothingHangs) {
  Rig rig{"single-drive", {"drives=2", "faults=drive:1@1ms", "firmware.drive_loss_time=5ms", "ftl.precondition=sequential"}};
  JobSpec spec = job(Rw::randread, 0);
  spec.runtime = 20ms;
  spec.numjobs = 2;
  const auto& r = rig.job(spec);
  EXPECT_GT(r.errors, 16U);
  EXPECT_GT(r.direction[0].ios, 16U * 100);
  EXPECT_EQ(rig.count("firmware", "aborted"), r.errors);
  rig.expect_sound({"client", "fabric_mem", "bus_crypto", "drive0_write", "drive1_write"});
}

TEST(PlatformFaults, ObjectsOfADeadDriveAreMisses) {
  Rig rig{"single-drive", {"drives=4", "faults=drive:2@30ms", "firmware.drive_loss_time=1ms"}};
  rig.move(true, 0, 64, 2_MiB, 8);  // two drives each
  ASSERT_EQ(rig.objects.good(), 64U);
  rig.platform.run_until(std::max(rig.platform.now(), rig.ready + 40ms));
  rig.move(false, 0, 64, 2_MiB, 8);
  EXPECT_EQ(rig.objects.good(), 32U);
  rig.move(true, 100, 16, 8_MiB, 8);
  EXPECT_EQ(rig.objects.good(), 16U);
  rig.move(false, 100, 16, 8_MiB, 8);
  EXPECT_EQ(rig.objects.good(), 16U);
  EXPECT_EQ(rig.count("firmware", "lost"), 32U);
}

}  // namespace
}  // namespace flashpath::test

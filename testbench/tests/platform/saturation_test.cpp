// SPDX-License-Identifier: Apache-2.0
// Under load a platform gives what its narrowest stage gives, within 1 %, whichever stage that is; and the single drive reaches its data sheet.
#include <cmath>

#include "pcie/wire.h"
#include "platform/bench.h"

namespace flashpath::test {
namespace {

using firmware::JobSpec;
using firmware::Rw;

double near(double measured, double expected) { return std::abs(measured / expected - 1.0); }

JobSpec sequential(Rw rw, Duration ramp, Duration runtime) {
  JobSpec s;
  s.rw = rw;
  s.bs = 128_KiB;
  s.iodepth = 64;
  s.numjobs = 4;
  s.offset_increment = 64_GiB;
  s.ramp = ramp;
  s.runtime = runtime;
  return s;
}

JobSpec random_read(std::uint32_t iodepth, std::uint32_t numjobs, Duration ramp, Duration runtime) {
  JobSpec s;
  s.iodepth = iodepth;
  s.numjobs = numjobs;
  s.ramp = ramp;
  s.runtime = runtime;
  return s;
}

const std::vector<std::string> reads_only{"client", "fabric_mem", "bus_crypto", "_write_check"};

TEST(PlatformSaturation, SequentialReadFillsTheLink) {
  Rig rig{"single-drive", {"ftl.precondition=sequential"}};
  auto& r = rig.job(sequential(Rw::read, 5ms, 30ms));
  const pcie::Wire wire{rig.platform.config().pcie};
  // Per command the drive sends its data, one completion entry, and the request for the submission entry.
  const Duration each = wire.time(wire.write(0, 128_KiB).wire) + wire.time(wire.write(0, 16_B).wire) + wire.time(wire.read(0, 64_B).wire);
  const double bound = 131'072.0 / to_seconds(each);
  EXPECT_LT(near(r.bytes_per_second(0), bound), 0.01) << r.bytes_per_second(0) << " of " << bound;
  EXPECT_LE(r.bytes_per_second(0), bound * 1.002);
  rig.expect_sound(reads_only);
}

TEST(PlatformSaturation, SequentialWriteFillsTheDies) {
  Rig rig{"single-drive"};
  auto& r = rig.job(sequential(Rw::write, 50ms, 100ms));
  const auto& n = rig.platform.config().nand;
  const Bytes unit = n.planes * n.bits_per_cell * n.page;
  const Duration program = n.t_cmd_program + static_cast<std::int64_t>(n.planes - 1) * n.t_cmd_program_plane +
                           (unit / n.codeword) * (n.codeword + n.parity) / n.bus_rate + n.t_wb + n.t_prog;
  const double bound = static_cast<double>(unit.count * n.channels * n.dies_per_channel) / to_seconds(program);
  EXPECT_LT(near(r.bytes_per_second(1), bound), 0.01) << r.bytes_per_second(1) << " of " << bound;
  rig.expect_sound({"client", "fabric_mem", "bus_crypto", "drive0_read"});
}

TEST(PlatformSaturation, OneChannelOfRandomReads) {
  Rig rig{"single-drive", {"ftl.precondition=sequential", "nand.channels=1", "nand.dies_per_channel=64"}};
  auto& r = rig.job(random_read(128, 8, 3ms, 30ms));
  const auto& n = rig.platform.config().nand;
  const double bound = 1.0 / to_seconds(n.t_cmd_read + n.t_cmd_out + (n.codeword + n.parity) / n.bus_rate);
  EXPECT_LT(near(r.iops(0), bound), 0.01) << r.iops(0) << " of " << bound;
  rig.expect_sound(reads_only);
}

TEST(PlatformSaturation, TheControllersFrontEnds) {
  Rig rig{"single-drive", {"ftl.precondition=sequential", "nvme.engines=1"}};
  auto& r = rig.job(random_read(128, 4, 2ms, 10ms));
  const double bound = 1.0 / to_seconds(rig.platform.config().nvme.command_time);
  EXPECT_LT(near(r.iops(0), bound), 0.01) << r.iops(0) << " of " << bound;
}

TEST(PlatformSaturation, TheMapsLookUps) {
  Rig rig{"single-drive", {"ftl.precondition=sequential", "ftl.lookup_rate=1MHz"}};
  auto& r = rig.job(random_read(128, 4, 2ms, 10ms));
  EXPECT_LT(near(r.iops(0), 1e6), 0.01) << r.iops(0);
}

TEST(PlatformSaturation, OneCoreOfCommands) {
  Rig rig{"bf4-icms", {"firmware.poll_cycles=0", "cores.poll_cycles=0", "cores.mmio_cycles=0", "firmware.encrypt=false"}};
  JobSpec spec = random_read(1024, 1, 1ms, 5ms);
  spec.stripe = true;
  auto& r = rig.job(spec);
  const auto& c = rig.platform.config();
  const Duration load = 2 * c.bus.latency + 64_B / scaled(c.dram.peak, c.dram.efficiency, 1000) + c.dram.read_latency;
  const Duration own =
      cycles(c.firmware.job_cycles + c.firmware.submit_cycles + c.firmware.completion_cycles + c.cores.store_cycles, c.cores.clock);
  const double bound = 1.0 / to_seconds(own + load / 4);
  EXPECT_LT(near(r.iops(0), bound), 0.01) << r.iops(0) << " of " << bound;
}

/// Stores objects, then loads them all, `depth` at once: the rate at which bytes reach the client, between a fifth and four fifths of them (before
/// and after, what was asked for at once ends at once).
double load_rate(Rig& rig, std::uint64_t objects, Bytes size, std::uint64_t depth) {
  rig.move(true, 0, objects, size, depth);
  EXPECT_EQ(rig.objects.good(), objects);
  struct Sample {
    Time at;
    std::uint64_t bytes;
  };
  const auto run_to = [&](std::uint64_t target) {
    while (counter({&rig.client}, "client", "bytes_in") < target && rig.platform.next_event() != never)
      rig.platform.run_until(rig.platform.now() + 1us);
    return Sample{rig.platform.now(), counter({&rig.client}, "client", "bytes_in")};
  };
  rig.objects.start(false, 0, objects, size, depth, rig.platform.now());
  const Sample a = run_to(objects * size.count / 5);
  const Sample b = run_to(objects * size.count * 4 / 5);
  rig.platform.run_until(never);
  EXPECT_EQ(rig.objects.good(), objects);
  return static_cast<double>(b.bytes - a.bytes) / to_seconds(b.at - a.at);
}

// 800 Gb/s at an MTU of 4 KiB: 100 GB/s x 4096 / 4178 = 98.04 GB/s. Nine Gen5 x4 drives give 130 GB/s, the uplink 118 GB/s.
TEST(PlatformSaturation, ObjectLoadsFillTheFabric) {
  Rig rig{"bf4-icms", {"firmware.encrypt=false"}};
  const double rate = load_rate(rig, 1024, 4_MiB, 64);
  const auto& f = rig.platform.config().fabric;
  const double bound = static_cast<double>(f.line_rate.bytes_per_second) * static_cast<double>(f.mtu.count) /
                       static_cast<double>((f.mtu + f.packet_overhead).count);
  EXPECT_LT(near(bound, 98.04e9), 0.001);
  EXPECT_LT(near(rate, bound), 0.01) << rate << " of " << bound;
  rig.expect_sound({"bus_crypto"});
}

TEST(PlatformSaturation, ObjectLoadsFillTheirCipher) {
  Rig rig{"bf4-icms", {"crypto.lanes=2"}};
  const double rate = load_rate(rig, 512, 4_MiB, 16);
  const auto& c = rig.platform.config().crypto;
  const double bound = static_cast<double>(c.lanes) * 16.0 * static_cast<double>(c.clock.per_second);
  EXPECT_LT(near(rate, bound), 0.01) << rate << " of " << bound;
  rig.expect_sound();
}

TEST(PlatformSaturation, ObjectLoadsFillTheUplink) {
  Rig rig{"bf4-icms", {"firmware.encrypt=false", "pcie_switch=true", "uplink.lanes=4"}};
  const double rate = load_rate(rig, 512, 4_MiB, 32);
  const pcie::Wire wire{rig.platform.config().uplink};
  const double bound = 1'048'576.0 / to_seconds(wire.time(wire.write(0, 1_MiB).wire));
  EXPECT_LT(near(rate, bound), 0.01) << rate << " of " << bound;
  rig.expect_sound({"bus_crypto"});
}

// Micron 9550 MAX 6.4 TB, product brief: 14.0 GB/s, 10.0 GB/s, 3.3 M reads/s, 60 us. Each within 15 %.
TEST(PlatformDataSheet, SequentialRead) {
  Rig rig{"single-drive", {"ftl.precondition=sequential"}};
  EXPECT_LT(near(rig.job(sequential(Rw::read, 5ms, 20ms)).bytes_per_second(0), 14.0e9), 0.15);
}
TEST(PlatformDataSheet, SequentialWrite) {
  Rig rig{"single-drive"};
  EXPECT_LT(near(rig.job(sequential(Rw::write, 50ms, 50ms)).bytes_per_second(1), 10.0e9), 0.15);
}
TEST(PlatformDataSheet, RandomRead) {
  Rig rig{"single-drive", {"ftl.precondition=sequential"}};
  auto& r = rig.job(random_read(128, 16, 2ms, 8ms));
  EXPECT_LT(near(r.iops(0), 3.3e6), 0.15) << r.iops(0);
}
TEST(PlatformDataSheet, RandomReadAlone) {
  Rig rig{"single-drive", {"ftl.precondition=sequential"}};
  auto& r = rig.job(random_read(1, 1, {}, 40ms));
  EXPECT_LT(near(r.read().lat.mean() / 1e6, 60.0), 0.15) << r.read().lat.mean() / 1e6 << " us";
}

// Little's law and what depth buys: more commands in flight never make a drive slower, and 64 of them hide nearly all of its latency.
TEST(PlatformDepth, QueueDepths) {
  struct Row {
    double iops = 0, latency = 0;
  };
  const auto at = [](std::uint32_t depth, const Settings& more) {
    return in_child([&] {
      Settings settings{"ftl.precondition=sequential"};
      settings.insert(settings.end(), more.begin(), more.end());
      Rig rig{"single-drive", settings};
      auto& r = rig.job(random_read(depth, 1, 2ms, 10ms));
      rig.expect_sound(reads_only);
      return Row{r.iops(0), r.read().lat.mean() * 1e-12};
    });
  };
  const Row one = at(1, {}), deep = at(64, {}), deepest = at(1024, {"firmware.queue_entries=1025"}), waiting = at(1024, {});
  EXPECT_NEAR(one.iops * one.latency, 1.0, 0.01);
  EXPECT_NEAR(deep.iops * deep.latency, 64.0, 0.64);
  EXPECT_NEAR(deepest.iops * deepest.latency, 1024.0, 15.0);
  EXPECT_NEAR(waiting.iops * waiting.latency, 1024.0, 15.0);
  EXPECT_GT(deep.iops, 40 * one.iops);
  EXPECT_LT(deep.iops, 64 * one.iops);
  EXPECT_GT(deepest.iops, 1.5 * deep.iops);
  // 1024 commands in a queue pair of 256 entries: 255 in the drive, the others wait in software.
  EXPECT_LT(waiting.iops, 1.05 * deepest.iops);
}

TEST(PlatformDepth, QueuesOfTwoEntriesHoldOneCommand) {
  Rig rig{"single-drive", {"ftl.precondition=sequential", "firmware.queue_entries=2"}};
  JobSpec spec = random_read(64, 1, {}, {});
  spec.number_ios = 200;
  auto& r = rig.job(spec);
  EXPECT_EQ(r.read().ios, 200U);
  EXPECT_EQ(rig.count("firmware", "queue_full"), 199U);
  // One after another: no two senses overlap.
  EXPECT_GE(r.window(), 200 * rig.platform.config().nand.t_r_lower);
  rig.expect_sound(reads_only);
}

}  // namespace
}  // namespace flashpath::test

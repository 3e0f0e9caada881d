// SPDX-License-Identifier: Apache-2.0
// Every knob changes what physics says it changes, in the right direction and by about the right amount.
// A row: a workload, what differs, and the range of (measure with) / (measure without).
#include "platform/bench.h"

namespace flashpath::test {
namespace {

using firmware::JobSpec;
using firmware::Rw;

enum class Work {
  read_alone,    ///< time of one 4 KiB read, flash mapped
  write_alone,   ///< time of one 4 KiB write
  reads,         ///< random 4 KiB reads per second, 8 x 128 in flight
  stream_read,   ///< sequential bytes per second, 4 x 64 x 128 KiB in flight
  stream_write,  ///< the same, writing, sustained
  burst_write,   ///< time to have 96 MiB written, from idle
  load_alone,    ///< time of one object load of 8 MiB over the fabric
  loads,         ///< rounds of 128 objects of 8 MiB per second, 32 at once; its beginning and end, a tenth of it, scale with nothing
  one_core,      ///< random 4 KiB reads per second that one core drives
};

JobSpec job(Rw rw, Bytes bs, std::uint32_t iodepth, std::uint32_t numjobs) {
  JobSpec s;
  s.rw = rw;
  s.bs = bs;
  s.iodepth = iodepth;
  s.numjobs = numjobs;
  return s;
}

double measure(Work work, Settings settings) {
  const bool objects = work == Work::load_alone || work == Work::loads || work == Work::one_core;
  if (work == Work::read_alone || work == Work::reads || work == Work::stream_read)
    settings.insert(settings.begin(), "ftl.precondition=sequential");
  return in_child([&]() -> double {
    Rig rig{objects ? "bf4-icms" : "single-drive", settings};
    JobSpec s;
    switch (work) {
      case Work::read_alone:
      case Work::write_alone: {
        s = job(work == Work::read_alone ? Rw::randread : Rw::randwrite, 4_KiB, 1, 1);
        s.number_ios = 50;
        auto& r = rig.job(s);
        return r.direction[work == Work::read_alone ? 0 : 1].lat.mean();
      }
      case Work::reads:
        s = job(Rw::randread, 4_KiB, 128, 8);
        s.ramp = 1ms;
        s.runtime = 4ms;
        return rig.job(s).iops(0);
      case Work::stream_read:
      case Work::stream_write: {
        const bool read = work == Work::stream_read;
        s = job(read ? Rw::read : Rw::write, 128_KiB, 64, 4);
        s.offset_increment = 64_GiB;
        s.ramp = read ? 4ms : 30ms;
        s.runtime = read ? 8ms : 40ms;
        return rig.job(s).bytes_per_second(read ? 0 : 1);
      }
      case Work::burst_write: {
        s = job(Rw::write, 128_KiB, 64, 1);
        s.size = 96_MiB;
        return to_seconds(rig.job(s).window());
      }
      case Work::load_alone: {
        rig.move(true, 0, 8, 8_MiB, 1);
        rig.move(false, 3, 1, 8_MiB, 1);
        return rig.client.load_latency().mean();
      }
      case Work::loads: {
        rig.move(true, 0, 128, 8_MiB, 32);
        const Time begin = rig.platform.now();
        rig.move(false, 0, 128, 8_MiB, 32);
        EXPECT_EQ(rig.objects.good(), 128U);
        return 1.0 / to_seconds(rig.platform.now() - begin);
      }
      case Work::one_core:
        s = job(Rw::randread, 4_KiB, 512, 1);
        s.stripe = true;
        s.ramp = 1ms;
        s.runtime = 3ms;
        return rig.job(s).iops(0);
    }
    return 0;
  });
}

struct Knob {
  const char* name;
  Work work;
  Settings without, with;
  double low, high;
  friend std::ostream& operator<<(std::ostream& out, const Knob& k) { return out << k.name; }
};

class PlatformKnob : public ::testing::TestWithParam<Knob> {};

TEST_P(PlatformKnob, ActsAsPhysicsSays) {
  const Knob& k = GetParam();
  Settings with = k.without;
  with.insert(with.end(), k.with.begin(), k.with.end());
  const double a = measure(k.work, k.without), b = measure(k.work, with);
  std::printf("ratio %s %.5f (%g to %g)\n", k.name, b / a, a, b);
  EXPECT_GE(b / a, k.low);
  EXPECT_LE(b / a, k.high);
}

const Settings one_channel{"nand.channels=1", "nand.dies_per_channel=64"};

INSTANTIATE_TEST_SUITE_P(
    All, PlatformKnob,
    ::testing::Values(
        Knob{"nand_channels",
             Work::reads,
             {"nand.channels=2", "nand.dies_per_channel=32"},
             {"nand.channels=4", "nand.dies_per_channel=16"},
             1.9,
             2.05},
        Knob{"nand_dies", Work::stream_write, {}, {"nand.dies_per_channel=2", "ftl.capacity=3000GB"}, 0.49, 0.51},
        Knob{"nand_bus_rate", Work::reads, one_channel, {"nand.bus_rate=1200MB/s"}, 0.60, 0.64},
        Knob{"nand_t_r", Work::read_alone, {}, {"nand.t_r_lower=67.5us", "nand.t_r_middle=90us", "nand.t_r_upper=117us"}, 1.7, 1.9},
        Knob{"nand_t_prog", Work::stream_write, {}, {"nand.t_prog=2300us"}, 0.51, 0.53},
        Knob{"nand_t_cmd", Work::reads, one_channel, {"nand.t_cmd_read=1200ns"}, 0.82, 0.85},
        Knob{"nand_sca", Work::reads, one_channel, {"nand.sca=true"}, 1.5, 1.7},
        Knob{"nand_parity", Work::reads, one_channel, {"nand.parity=1KiB"}, 0.90, 0.95},
        Knob{"nand_ecc_latency", Work::read_alone, {}, {"nand.ecc_latency=12us"}, 1.15, 1.20},
        Knob{"nand_plane_reads",
             Work::reads,
             {"nand.t_r_lower=200us", "nand.t_r_middle=200us", "nand.t_r_upper=200us"},
             {"nand.independent_plane_reads=false"},
             0.25,
             0.45},
        Knob{"pcie_lanes", Work::stream_read, {}, {"pcie.lanes=2"}, 0.49, 0.51},
        Knob{"pcie_generation", Work::stream_read, {}, {"pcie.generation=4"}, 0.49, 0.51},
        Knob{"pcie_mps", Work::stream_read, {}, {"pcie.mps=128B", "pcie.completion_run=128B"}, 0.87, 0.89},
        Knob{"pcie_latency",
             Work::write_alone,
             {"nvme.write_latency=3us"},
             {"pcie.latency=250ns", "pcie.credit_round_trip=500ns"},
             1.1,
             1.25},
        Knob{"pcie_tags", Work::stream_write, {"pcie.generation=4"}, {"pcie.tags=2"}, 0.01, 0.5},
        Knob{"pcie_credits", Work::stream_read, {}, {"pcie.posted_data=2KiB"}, 0.5, 0.6},
        Knob{"pcie_forwarding", Work::read_alone, {"pcie.generation=5"}, {"pcie.forwarding=store_and_forward"}, 0.995, 1.0},
        Knob{"nvme_sqe_fetch", Work::read_alone, {"pcie.generation=1", "pcie.lanes=1"}, {"nvme.sqe_fetch=128B"}, 1.003, 1.01},
        Knob{"nvme_command_time", Work::reads, {"nvme.engines=1"}, {"nvme.command_time=1600ns"}, 0.495, 0.505},
        Knob{"nvme_contexts", Work::reads, {}, {"nvme.contexts=64"}, 0.2, 0.4},
        Knob{"nvme_read_latency", Work::read_alone, {}, {"nvme.read_latency=13us"}, 1.15, 1.2},
        Knob{"nvme_dma_outstanding",
             Work::stream_write,
             {"nand.t_prog=300us"},
             {"nvme.dma_outstanding=1", "nvme.write_chunk=4KiB"},
             0.1,
             0.9},
        Knob{"ftl_write_buffer", Work::burst_write, {"ftl.write_buffer=96MiB"}, {"ftl.write_buffer=16MiB"}, 1.2, 1.6},
        Knob{"ftl_rain", Work::stream_write, {"ftl.capacity=3000GB"}, {"ftl.rain=3"}, 0.74, 0.77},
        Knob{"ftl_lookup_rate", Work::reads, {}, {"ftl.lookup_rate=500kHz"}, 0.1, 0.2},
        Knob{"ftl_lookup_latency", Work::read_alone, {}, {"ftl.lookup_latency=10500ns"}, 1.15, 1.2},
        Knob{"ftl_write_latency", Work::write_alone, {"nvme.write_latency=3us"}, {"ftl.write_latency=12us"}, 2.0, 2.6},
        Knob{"ftl_capacity_alone_changes_nothing", Work::write_alone, {}, {"ftl.capacity=3200GB"}, 1.0, 1.0},
        Knob{"firmware_submit_cycles", Work::one_core, {}, {"firmware.submit_cycles=1000"}, 0.40, 0.50},
        Knob{"firmware_completion_cycles", Work::one_core, {}, {"firmware.completion_cycles=900"}, 0.40, 0.50},
        Knob{"firmware_job_cycles", Work::one_core, {}, {"firmware.job_cycles=850"}, 0.40, 0.50},
        Knob{"firmware_window", Work::load_alone, {}, {"firmware.window=1", "firmware.windows=1"}, 2.0, 10.0},
        Knob{"firmware_encrypt", Work::load_alone, {"firmware.encrypt=false"}, {"firmware.encrypt=true"}, 1.0001, 1.3},
        Knob{"firmware_cores",
             Work::loads,
             {"firmware.parse_cycles=100000", "firmware.plan_cycles=100000", "firmware.cores=16"},
             {"firmware.cores=1"},
             0.05,
             0.6},
        Knob{"cores_clock", Work::one_core, {}, {"cores.clock=850MHz"}, 0.5, 0.6},
        Knob{"cores_mmio", Work::read_alone, {}, {"cores.mmio_cycles=17040"}, 1.15, 1.4},
        Knob{"dram_peak", Work::loads, {}, {"dram.peak=40GB/s"}, 0.1, 0.3},
        Knob{"dram_efficiency", Work::loads, {"dram.peak=40GB/s"}, {"dram.efficiency=440"}, 0.49, 0.51},
        Knob{"dram_latency", Work::one_core, {}, {"dram.read_latency=1160ns"}, 0.4, 0.7},
        Knob{"bus_latency", Work::write_alone, {"nvme.write_latency=3us"}, {"bus.latency=120ns"}, 1.1, 1.2},
        Knob{"bus_bandwidth", Work::loads, {}, {"bus.bandwidth=20GB/s"}, 0.1, 0.4},
        Knob{"fabric_line_rate", Work::loads, {"fabric.line_rate=400Gbit/s"}, {"fabric.line_rate=200Gbit/s"}, 0.49, 0.56},
        Knob{"fabric_mtu", Work::loads, {"fabric.line_rate=200Gbit/s"}, {"fabric.mtu=1KiB"}, 0.94, 0.95},
        Knob{"fabric_propagation", Work::load_alone, {}, {"fabric.propagation=50650ns"}, 1.05, 1.5},
        Knob{"crypto_lanes", Work::loads, {"crypto.lanes=2"}, {"crypto.lanes=1"}, 0.49, 0.54},
        Knob{"crypto_clock", Work::loads, {"crypto.lanes=2"}, {"crypto.clock=500MHz"}, 0.49, 0.54},
        Knob{"drives", Work::loads, {"drives=4", "pcie_switch=false"}, {"drives=2"}, 0.48, 0.52},
        Knob{"switch_latency", Work::load_alone, {"pcie_switch=true"}, {"switch.latency=300ns"}, 1.0005, 1.1},
        Knob{"uplink_lanes", Work::loads, {"pcie_switch=true", "uplink.lanes=8"}, {"uplink.lanes=4"}, 0.49, 0.56}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace flashpath::test

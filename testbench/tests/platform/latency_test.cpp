// SPDX-License-Identifier: Apache-2.0
// One command alone on a single drive, to the picosecond: each stage from the configuration, as docs/timing.md states it, and their sum.
#include "pcie/wire.h"
#include "platform/bench.h"

namespace flashpath::test {
namespace {

/// The closed forms of the path between a core and the controller, all queues empty.
struct Path {
  explicit Path(const platform::Config& config) : c{config}, wire{config.pcie} {}

  Duration core(std::uint64_t n) const { return cycles(n, c.cores.clock); }
  Duration burst(Bytes size) const {
    return Bytes{align_up(size.count, c.dram.granule.count)} / scaled(c.dram.peak, c.dram.efficiency, 1000);
  }
  /// One line of memory, loaded by a core.
  Duration load() const { return c.bus.latency + burst(64_B) + c.dram.read_latency + c.bus.latency; }
  /// A read by the drive, up to its last byte: requests up, memory, completions down at the narrowest rate (the link).
  Duration dma_read(std::uint64_t address, Bytes size) const {
    const Duration memory =
        c.crypto.bypass_latency + c.bus.latency + burst(c.dram.granule) + c.dram.read_latency + c.bus.latency + c.crypto.bypass_latency;
    const Duration rest = burst(size) - burst(c.dram.granule);  // the last byte comes so much after the first
    const Duration all = wire.time(wire.completion(address, size).wire);
    const Duration piece = std::min(wire.full_completion(), all);
    return wire.one_request() + wire.latency() + memory + std::max(all, rest + piece) + wire.latency();
  }
  /// A write by the drive: answered when its last byte has left the serialiser.
  Duration dma_write(Bytes size) const { return wire.time(wire.write(0, size).wire); }
  Duration dma_write_piece(Bytes size) const { return std::min(wire.full_write(), dma_write(size)); }

  // The stages.
  Duration slat() const { return core(c.firmware.job_cycles + c.firmware.submit_cycles + c.cores.store_cycles); }
  Duration doorbell() const {
    return core(c.firmware.job_cycles + c.firmware.submit_cycles + c.cores.store_cycles + c.cores.mmio_cycles) - slat() + c.bus.latency +
           wire.time(wire.write(0, 4_B).wire) + wire.latency();
  }
  Duration fetch() const { return dma_read(0, 64_B); }
  Duration look_up(std::uint64_t entries) const { return cycles(ceil_div(entries, 16), c.ftl.lookup_rate) + c.ftl.lookup_latency; }
  Duration sense(Duration t_r) const { return c.nand.t_wb + t_r + c.nand.t_rr; }
  Duration codewords(std::uint64_t n) const { return n * (c.nand.codeword + c.nand.parity) / c.nand.bus_rate; }
  /// A journey ends with the entry's being sent. Then it is on its way to memory, seen by a poll, read, and taken.
  Duration completion_seen() const {
    return dma_write(16_B) + wire.latency() + c.crypto.bypass_latency + c.bus.latency + burst(16_B) + c.dram.write_latency +
           core(c.cores.poll_cycles) + core(c.firmware.poll_cycles + c.firmware.completion_cycles) + load();
  }
  const platform::Config& c;
  pcie::Wire wire;
};

struct One {
  Journey journey;
  std::uint64_t commands = 0;
  void done(std::uint16_t, std::uint16_t, const Journey& j) {
    journey = j;
    ++commands;
  }
  Duration at(Stage s) const { return journey[s]; }
};

/// Runs one command alone; its journey in the drive is left in `one`.
firmware::JobResult& run_one(Rig& rig, One& one, firmware::Rw rw, Bytes bs, Bytes offset) {
  rig.platform.drive(0).nvme->on_command_done(Delegate<void(std::uint16_t, std::uint16_t, const Journey&)>::to<&One::done>(&one));
  firmware::JobSpec spec;
  spec.rw = rw;
  spec.bs = bs;
  spec.offset = offset;
  spec.number_ios = 1;
  auto& result = rig.job(spec);
  EXPECT_EQ(one.commands, 1U);
  EXPECT_EQ(one.journey.sum(), one.journey.total());
  return result;
}

TEST(PlatformLatency, OneRead4KiB) {
  Rig rig{"single-drive", {"ftl.precondition=sequential"}};
  const Path p{rig.platform.config()};
  const auto& c = p.c;
  One one;
  auto& r = run_one(rig, one, firmware::Rw::read, 4_KiB, {});
  ASSERT_EQ(rig.count("nand", "reads"), 1U);

  EXPECT_EQ(one.at(Stage::fetch), p.fetch());
  EXPECT_EQ(one.at(Stage::control), c.nvme.command_time + c.nvme.read_latency);
  EXPECT_EQ(one.at(Stage::map), p.look_up(1));
  EXPECT_EQ(one.at(Stage::sense), p.sense(c.nand.t_r_lower));
  EXPECT_EQ(one.at(Stage::transfer), c.nand.t_cmd_read + c.nand.t_cmd_out + p.codewords(1));
  EXPECT_EQ(one.at(Stage::ecc), c.nand.ecc_latency);
  EXPECT_EQ(one.at(Stage::link), p.dma_write(4_KiB));
  for (const Stage s : {Stage::sq_wait, Stage::die_wait, Stage::channel_wait, Stage::buffer_wait, Stage::link_wait})
    EXPECT_EQ(one.at(s), Duration{}) << name_of(s);
  EXPECT_EQ(one.at(Stage::completion), c.nvme.completion_latency);

  const Duration flash = c.nand.t_cmd_read + p.sense(c.nand.t_r_lower) + c.nand.t_cmd_out + p.codewords(1) + c.nand.ecc_latency;
  const Duration drive =
      p.fetch() + c.nvme.command_time + c.nvme.read_latency + p.look_up(1) + flash + p.dma_write(4_KiB) + c.nvme.completion_latency;
  EXPECT_EQ(one.journey.total(), drive);
  EXPECT_EQ(r.read().slat.max(), p.slat());
  EXPECT_EQ(r.read().lat.max(), p.slat() + p.doorbell() + drive + p.completion_seen());
  EXPECT_EQ(r.read().lat.count(), 1U);
  rig.expect_sound({"client", "fabric_mem", "bus_crypto", "drive0_write"});
}

// Two chunks of 64 KiB: the upper pages of one wordline of die 0, all four planes, and the lower pages of die 1. They meet on the link only,
// where the second has gone long before the first is sensed.
TEST(PlatformLatency, OneRead128KiB) {
  Rig rig{"single-drive", {"ftl.precondition=sequential"}};
  const Path p{rig.platform.config()};
  const auto& c = p.c;
  const std::uint64_t planes = c.nand.planes;
  ASSERT_EQ(planes * c.nand.page, c.nvme.read_chunk);
  One one;
  auto& r = run_one(rig, one, firmware::Rw::read, 128_KiB, 2 * planes * c.nand.page);
  ASSERT_EQ(rig.count("nand", "reads"), 2U);
  const std::uint64_t n = planes * (c.nand.page / c.nand.codeword);

  EXPECT_EQ(one.at(Stage::fetch), p.fetch());  // two pages of 64 KiB: PRP1 and PRP2, no list
  EXPECT_EQ(one.at(Stage::control), c.nvme.command_time + c.nvme.read_latency);
  EXPECT_EQ(one.at(Stage::map), p.look_up(16));
  EXPECT_EQ(one.at(Stage::sense), p.sense(c.nand.t_r_upper));
  const Duration command = c.nand.t_cmd_read + (static_cast<std::int64_t>(planes) - 1) * c.nand.t_cmd_read_plane;
  EXPECT_EQ(one.at(Stage::transfer), command + c.nand.t_cmd_out + p.codewords(1));
  EXPECT_EQ(one.at(Stage::ecc), c.nand.ecc_latency);
  // From the first codeword on, the channel is the narrowest: the rest of it, then the last TLP.
  const Duration rest = (static_cast<std::int64_t>(planes) - 1) * c.nand.t_cmd_out + p.codewords(n) - p.codewords(1);
  const Duration link = std::max(p.dma_write(64_KiB), rest + p.dma_write_piece(64_KiB));
  EXPECT_EQ(one.at(Stage::link), link);
  EXPECT_EQ(one.at(Stage::completion), c.nvme.completion_latency);

  // The first chunk of 16 units is looked up first, and the link's serialiser is free when its data comes.
  const Duration drive = p.fetch() + c.nvme.command_time + c.nvme.read_latency + p.look_up(16) + command + p.sense(c.nand.t_r_upper) +
                         c.nand.t_cmd_out + p.codewords(1) + c.nand.ecc_latency + link + c.nvme.completion_latency;
  EXPECT_EQ(one.journey.total(), drive);
  EXPECT_EQ(r.read().lat.max(), p.slat() + p.doorbell() + drive + p.completion_seen());
  rig.expect_sound({"client", "fabric_mem", "bus_crypto", "drive0_write"});
}

TEST(PlatformLatency, OneWrite4KiB) {
  Rig rig{"single-drive"};
  const Path p{rig.platform.config()};
  const auto& c = p.c;
  One one;
  auto& r = run_one(rig, one, firmware::Rw::write, 4_KiB, {});

  const Duration data = p.dma_read(0, 4_KiB);
  const Duration fetch_data = one.at(Stage::link) + one.at(Stage::crypto) + one.at(Stage::dram) + one.at(Stage::link_wait);
  EXPECT_EQ(one.at(Stage::fetch), p.fetch());
  EXPECT_EQ(one.at(Stage::control), c.nvme.command_time + c.nvme.write_latency);
  EXPECT_EQ(fetch_data, data + one.at(Stage::link_wait));
  EXPECT_EQ(one.at(Stage::map), p.look_up(1) - c.ftl.lookup_latency + c.ftl.write_latency);
  EXPECT_EQ(one.at(Stage::buffer_wait), Duration{});
  EXPECT_EQ(one.at(Stage::completion), c.nvme.completion_latency);
  const Duration drive = p.fetch() + c.nvme.command_time + c.nvme.write_latency + data + p.look_up(1) - c.ftl.lookup_latency +
                         c.ftl.write_latency + c.nvme.completion_latency;
  EXPECT_EQ(one.journey.total(), drive);
  EXPECT_EQ(r.write().lat.max(), p.slat() + p.doorbell() + drive + p.completion_seen());
  rig.expect_sound({"client", "fabric_mem", "bus_crypto", "drive0_read", "drive0_flash"});
}

// The same stages, by name and not by circumstance: the sum of a command's stages is its latency at any depth.
TEST(PlatformLatency, StagesOfTheDriveSumToItsLatencies) {
  Rig rig{"single-drive", {"ftl.precondition=sequential"}};
  firmware::JobSpec spec;
  spec.rw = firmware::Rw::randrw;
  spec.iodepth = 64;
  spec.number_ios = 3000;
  rig.job(spec);
  std::uint64_t stages = 0;
  for (std::size_t s = 0; s < stage_count; ++s) stages += rig.count("drive0.nvme", name_of(static_cast<Stage>(s)));
  Wide latencies = 0;
  for (const auto* h : rig.platform.drive(0).nvme->stats.histograms()) latencies += h->sum();
  EXPECT_EQ(Wide{stages}, latencies);
  rig.expect_sound({"client", "fabric_mem", "bus_crypto"});
}

}  // namespace
}  // namespace flashpath::test

// SPDX-License-Identifier: Apache-2.0
// What must hold of any platform: it boots, repeats itself exactly, isolates its masters, forgets in LRU order, and says why it stands still.
#include "bus/address_map.h"
#include "platform/bench.h"

namespace flashpath::test {
namespace {

using firmware::JobSpec;
using firmware::Rw;

/// A little of everything: mixed block jobs, objects stored and loaded.
std::uint64_t workload_digest(const std::string& preset, const Settings& settings, const Rig::Hook& hook = {}) {
  return in_child([&] {
    Rig rig{preset, settings, hook};
    JobSpec spec;
    spec.rw = Rw::randrw;
    spec.bs = 16_KiB;
    spec.iodepth = 32;
    spec.numjobs = 3;
    spec.size = 64_MiB;
    spec.number_ios = 1500;
    rig.job(spec);
    rig.move(true, 0, 24, 5_MiB, 8);
    rig.move(false, 0, 30, 5_MiB, 8);
    EXPECT_EQ(rig.objects.good(), 24U);
    return rig.digest();
  });
}

TEST(PlatformRepeats, RunAheadChangesNothing) {
  const std::uint64_t none = workload_digest("bf4-icms", {"run_ahead=0ns"});
  EXPECT_EQ(none, workload_digest("bf4-icms", {"run_ahead=1ms"}));
  EXPECT_EQ(none, workload_digest("bf4-icms", {"run_ahead=137ns"}));
}

// With a checker on every socket all ports speak TLM; bound to each other they take the short cut (kernel/short_cut.h).
TEST(PlatformRepeats, ShortCutsChangeNothing) {
  const Rig::Hook directly = [](auto& from, auto& to, const std::string&) {
    from.bind(to);
    return true;
  };
  for (const char* preset : {"bf4-icms", "single-drive"}) {
    const std::uint64_t spoken = workload_digest(preset, {});
    EXPECT_EQ(spoken, workload_digest(preset, {}, directly)) << preset;
    Responder::enabled = false;
    EXPECT_EQ(spoken, workload_digest(preset, {}, directly)) << preset;
    Responder::enabled = true;
  }
}

TEST(PlatformRepeats, TwoProcessesAgree) {
  const std::uint64_t first = workload_digest("single-drive", {});
  EXPECT_EQ(first, workload_digest("single-drive", {}));
  EXPECT_NE(first, workload_digest("single-drive", {"nand.t_prog=1101us"})) << "the digest sees nothing";
}

TEST(PlatformRepeats, SteppingInSmallPiecesChangesNothing) {
  const auto run = [](Duration step) {
    return in_child([=] {
      Rig rig{"single-drive"};
      JobSpec spec;
      spec.rw = Rw::randrw;
      spec.iodepth = 8;
      spec.number_ios = 300;
      rig.add(spec);
      rig.jobs().start(rig.platform.now());
      if (step == Duration{}) rig.platform.run_until(never);
      while (rig.platform.next_event() != never) rig.platform.run_until(std::min(rig.platform.now() + step, rig.platform.next_event()));
      return rig.digest();
    });
  };
  EXPECT_EQ(run({}), run(100ns));
}

class PlatformPreset : public ::testing::TestWithParam<std::tuple<std::string, bool>> {};

TEST_P(PlatformPreset, BootsAndMovesData) {
  const auto& [preset, has_switch] = GetParam();
  Rig rig{preset, {has_switch ? "pcie_switch=true" : "pcie_switch=false", "data=true"}};
  const auto& c = rig.platform.config();
  EXPECT_EQ(rig.platform.drives(), c.general.drives);
  EXPECT_GE(rig.ready - Time{}, c.nvme.enable_time);
  EXPECT_LT(rig.ready - Time{}, c.nvme.enable_time + 10ms);
  const Bytes size = 20_MiB;
  rig.move(true, 0, 8, size, 4);
  rig.move(false, 0, 8, size, 4);
  EXPECT_EQ(rig.objects.good(), 8U);
  EXPECT_EQ(rig.client.verified_bytes(), 8 * size.count);
  EXPECT_EQ(rig.client.wrong_bytes(), 0U);
  // Every drive had its share, to a frame.
  for (std::size_t d = 0; d < rig.platform.drives(); ++d) {
    const double share = static_cast<double>(rig.count("drive" + std::to_string(d) + ".nvme", "bytes_read")) * c.general.drives /
                         (8.0 * static_cast<double>(size.count));
    EXPECT_NEAR(share, 1.0, 0.2) << d;
  }
  // 20 MiB are in the write buffer still where it is larger: then no drive's flash is read.
  std::vector<std::string> silent;
  if (!c.firmware.encrypt) silent.emplace_back("bus_crypto");
  rig.expect_sound(silent);
}
INSTANTIATE_TEST_SUITE_P(All, PlatformPreset,
                         ::testing::Combine(::testing::Values("single-drive", "bf4-icms", "bf4-stx"), ::testing::Bool()),
                         [](const auto& info) {
                           std::string name = std::get<0>(info.param);
                           std::erase(name, '-');
                           return name + (std::get<1>(info.param) ? "_switch" : "_ports");
                         });

TEST(PlatformPresets, AreThese) {
  EXPECT_EQ(platform::presets(), (std::vector<std::string>{"bf4-icms", "bf4-stx", "kioxia-cm7-r", "micron-9550-pro", "micron-9650-pro",
                                                           "mqsim-tlc8", "samsung-pm1743", "single-drive", "solidigm-ps1010"}));
}

TEST(PlatformSwitch, CostsItsLatencyAndSharesOneUplink) {
  struct Row {
    double alone, together;
  };
  const auto run = [](bool has_switch) {
    return in_child([=] {
      Rig rig{"bf4-icms", {has_switch ? "pcie_switch=true" : "pcie_switch=false", "firmware.encrypt=false", "ftl.precondition=sequential"}};
      JobSpec one;
      one.number_ios = 1;
      one.rw = Rw::read;
      const double alone = rig.job(one).read().lat.mean() * 1e-12;
      JobSpec all;
      all.rw = Rw::read;
      all.bs = 128_KiB;
      all.iodepth = 64;
      all.numjobs = 9;
      all.ramp = 2ms;
      all.runtime = 5ms;
      return Row{alone, rig.job(all).bytes_per_second(0)};
    });
  };
  const Row ports = run(false), through = run(true);
  const auto c = load("bf4-icms", {});
  // Doorbell, submission entry and its answer, data and completion entry (one latency: they overlap) cross it: four times at least.
  EXPECT_GE(through.alone - ports.alone, 4 * to_seconds(c.pcie_switch.latency));
  EXPECT_LT(through.alone - ports.alone, 4 * to_seconds(c.pcie_switch.latency + 400ns));
  EXPECT_GT(ports.together, 1.05 * through.together);
  EXPECT_LT(through.together, 120e9);
  EXPECT_GT(through.together, 90e9);
}

// Drives may reach DRAM's queues and frames only: not the index, not registers, not other drives, not nothing.
struct Probe {
  std::vector<nvme::Status> status;
  firmware::Driver* driver = nullptr;
  void submit(cores::CoreContext& ctx, std::uint64_t buffer, std::uint64_t write) {
    driver->submit(ctx, {.kind = write != 0 ? firmware::Kind::write : firmware::Kind::read,
                         .drive = 0,
                         .lba = 0,
                         .blocks = 1,
                         .buffer = buffer,
                         .done = firmware::Done::to<&Probe::done>(this)});
    driver->ring(ctx);
  }
  void done(cores::CoreContext&, const firmware::Completed& c) { status.push_back(c.status); }
};

TEST(PlatformBus, IsolatesDrives) {
  Rig rig{"bf4-icms", {"data=true", "firmware.encrypt=false", "drives=2", "pcie_switch=true"}};
  Probe probe;
  probe.driver = &rig.platform.firmware().driver();
  const std::array<unsigned char, 4096> secret = [] {
    std::array<unsigned char, 4096> s{};
    s.fill(0xa5);
    return s;
  }();
  rig.platform.dram().memory().write(bus::index_base, secret);
  const auto go = [&](std::uint64_t buffer, bool write) {
    rig.platform.cores().submit(cores::CoreId{0}, cores::Task::of<&Probe::submit>(&probe, buffer, write ? 1U : 0U), rig.platform.now());
    rig.platform.run_until(never);
    return probe.status.back();
  };
  const std::uint64_t refused = rig.count("bus", "refused");
  std::uint64_t n = 0;
  for (const std::uint64_t buffer : {bus::index_base, bus::nic_base, bus::crypto_base, bus::bar_base + bus::bar_stride,
                                     std::uint64_t{0x0300'0000'0000}, std::uint64_t{0}}) {
    EXPECT_EQ(go(buffer, false), nvme::Status::success) << buffer;  // a posted write: nobody answers it; its data is dropped, and counted
    EXPECT_EQ(go(buffer, true), nvme::Status::data_transfer_error) << buffer;
    n += 2;
    EXPECT_EQ(rig.count("bus", "refused") - refused, n) << buffer;
    EXPECT_EQ(rig.count("switch", "posted_errors"), n / 2) << buffer;
  }
  std::array<unsigned char, 4096> now{};
  rig.platform.dram().memory().read(bus::index_base, now);
  EXPECT_EQ(now, secret);
  EXPECT_EQ(rig.count("drive0.ftl", "host_written"), 0U) << "data from a refused window reached the drive";
  // And what is allowed still works.
  EXPECT_EQ(go(bus::staging_base, true), nvme::Status::success);
  EXPECT_EQ(go(bus::staging_base, false), nvme::Status::success);
  EXPECT_EQ(rig.count("bus", "refused") - refused, n);
  rig.expect_sound({"client", "fabric_mem", "bus_crypto", "drive1_read", "drive1_write", "drive1_flash", "drive0_flash"});
}

TEST(PlatformStore, ForgetsTheLeastRecentlyUsed) {
  Rig rig{"single-drive", {"firmware.drive_capacity=64MiB"}};
  rig.move(true, 0, 200, 1_MiB, 1);
  EXPECT_EQ(rig.objects.good(), 200U);
  EXPECT_EQ(rig.count("firmware", "evicted"), 136U);
  rig.move(false, 0, 136, 1_MiB, 8);
  EXPECT_EQ(rig.objects.good(), 0U) << "evicted objects were found";
  rig.move(false, 136, 64, 1_MiB, 1);
  EXPECT_EQ(rig.objects.good(), 64U);
  // A use makes an object the newest: 136 survives the next eviction, 137 does not.
  rig.move(false, 136, 1, 1_MiB, 1);
  rig.move(true, 500, 1, 1_MiB, 1);
  rig.move(false, 136, 1, 1_MiB, 1);
  EXPECT_EQ(rig.objects.good(), 1U);
  rig.move(false, 137, 1, 1_MiB, 1);
  EXPECT_EQ(rig.objects.good(), 0U);
  EXPECT_EQ(counter({&rig.client}, "client", "misses"), 137U);
  rig.expect_sound({"bus_crypto"});
}

TEST(PlatformStore, ManyTimesItsCapacityInParallel) {
  Rig rig{"bf4-icms", {"data=true", "drives=3", "firmware.drive_capacity=16MiB", "firmware.frame=64KiB", "crypto.frame_size=64KiB"}};
  const Bytes size = 640_KiB;
  rig.move(true, 0, 600, size, 24);  // 375 MiB into 48 MiB
  const std::uint64_t kept = rig.objects.good();
  const std::uint64_t evicted = rig.count("firmware", "evicted");
  rig.move(false, 0, 600, size, 24);
  EXPECT_EQ(rig.objects.good(), kept - evicted);
  EXPECT_GE(rig.objects.good(), 50U);
  EXPECT_LE(rig.objects.good(), 76U);
  EXPECT_EQ(rig.client.wrong_bytes(), 0U);
  EXPECT_EQ(rig.client.verified_bytes(), rig.objects.good() * size.count);
  rig.expect_sound();
}

// Passes `good` requests on, and then is silent: the next ones are taken, or not even that, and never answered.
struct Silent : sc_core::sc_module {
  Silent(const sc_core::sc_module_name& name, std::uint64_t good_, bool takes_) : sc_module{name}, good{good_}, takes{takes_} {
    in.register_nb_transport_fw(this, &Silent::forward);
    in.register_b_transport(this, &Silent::blocking);
    out.register_nb_transport_bw(this, &Silent::backward);
  }
  tlm::tlm_sync_enum forward(Payload& p, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
    if (phase == tlm::BEGIN_REQ && good-- == 0) {
      good = 0;
      swallowed = true;
      if (!takes) return tlm::TLM_ACCEPTED;
      phase = tlm::END_REQ;
      return tlm::TLM_UPDATED;
    }
    return out->nb_transport_fw(p, phase, delay);
  }
  tlm::tlm_sync_enum backward(Payload& p, tlm::tlm_phase& phase, sc_core::sc_time& delay) { return in->nb_transport_bw(p, phase, delay); }
  void blocking(Payload& p, sc_core::sc_time& delay) { out->b_transport(p, delay); }
  tlm_utils::simple_target_socket<Silent> in{"in"};
  tlm_utils::simple_initiator_socket<Silent> out{"out"};
  std::uint64_t good;
  bool takes;
  bool swallowed = false;
};

struct StallCase {
  const char* name;
  const char* socket;
  std::uint64_t good;
  bool takes;
  Rw rw;
  std::vector<const char*> says;  // each must be in a line
  friend std::ostream& operator<<(std::ostream& out, const StallCase& s) { return out << s.name; }
};

class PlatformStall : public ::testing::TestWithParam<StallCase> {};

TEST_P(PlatformStall, IsExplained) {
  const StallCase& s = GetParam();
  std::unique_ptr<Silent> silent;
  Rig rig{load("single-drive", {"ftl.precondition=sequential", "ftl.write_buffer=4MiB", "nand.channels=2", "nand.blocks_per_plane=64",
                                "ftl.capacity=8GiB"}),
          [&](auto& from, auto& to, const std::string& name) {
            if (name != s.socket) return false;
            silent = std::make_unique<Silent>("silent", s.good, s.takes);
            from.bind(silent->in);
            silent->out.bind(to);
            return true;
          }};
  ASSERT_NE(silent, nullptr) << "no socket " << s.socket;
  ASSERT_FALSE(silent->swallowed) << "it stalled while booting";
  JobSpec spec;
  spec.rw = s.rw;
  spec.bs = 64_KiB;
  spec.iodepth = 32;
  spec.number_ios = 4000;
  rig.add(spec);
  rig.jobs().start(rig.platform.now());
  const Time end = rig.platform.run_until(rig.platform.now() + 10s);
  EXPECT_TRUE(silent->swallowed);
  EXPECT_FALSE(rig.jobs().finished());
  EXPECT_EQ(rig.platform.next_event(), never);
  Stall stall;
  rig.platform.explain(stall);
  std::string all;
  for (const auto& line : stall.lines()) all += line + "\n";
  for (const char* part : s.says) EXPECT_NE(all.find(part), std::string::npos) << "\"" << part << "\" is not in:\n" << all;
  // A stalled platform has still lost nothing.
  rig.platform.finish(end);
  Laws laws;
  rig.platform.check(laws, end);
  for (const auto& broken : laws.broken()) ADD_FAILURE() << broken;
}

INSTANTIATE_TEST_SUITE_P(
    All, PlatformStall,
    ::testing::Values(
        StallCase{"flash_reads",
                  "drive0_flash",
                  100,
                  true,
                  Rw::read,
                  {"drive0.ftl", "reads and erases wait for the flash", "drive0.nvme", "data from the FTL", "a completion of drive 0",
                   "commands of block jobs"}},
        StallCase{"flash_takes_nothing", "drive0_flash", 100, false, Rw::read, {"drive0.ftl", "the array to accept them"}},
        StallCase{"flash_programs",
                  "drive0_flash",
                  10,
                  true,
                  Rw::write,
                  {"drive0.ftl", "room in the write buffer", "programs wait for the flash", "drive0.nvme", "write commands wait for"}},
        StallCase{"ftl_reads", "drive0_read", 100, true, Rw::read, {"drive0.nvme", "data from the FTL", "a completion of drive 0"}},
        StallCase{"ftl_writes",
                  "drive0_write",
                  100,
                  false,
                  Rw::write,
                  {"drive0.nvme", "the FTL to take and answer it", "a completion of drive 0"}},
        StallCase{"host_takes_nothing",
                  "drive0_crypto",
                  300,
                  false,
                  Rw::read,
                  {"drive0.link", "credits (the host takes no more)", "drive0.nvme"}},
        StallCase{"memory_silent", "crypto_out", 300, true, Rw::read, {"crypto", "their responses", "a completion of drive 0"}},
        StallCase{"doorbells_lost", "drive0_bar", 200, false, Rw::read, {"drive0.link", "the device to take them"}}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace flashpath::test

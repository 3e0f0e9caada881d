// SPDX-License-Identifier: Apache-2.0
#include "bus/bus_part.h"

#include <array>

#include "base/random.h"
#include "bus_bench.h"
#include "dram/dram_part.h"

namespace flashpath {
namespace {

constexpr Time at(Duration d) { return Time{} + d; }

/// Two masters, a memory with two windows for all, and a stalling target for cores only.
struct BusBench : test::Bench {
  explicit BusBench(bus::Config c = {}) : bus{"bus", environment, c} {
    core.port.socket.bind(core_checker.in);
    core_checker.out.bind(bus.add_master("core", Master::core, 3));
    drive.port.socket.bind(drive_checker.in);
    drive_checker.out.bind(bus.add_master("drive", Master::drive, 0));
    bus.add_target("dram", 0x1000, 64_KiB, bus::allow_all).bind(memory_checker.in);
    memory_checker.out.bind(memory.in());
    bus.add_window("dram", 0x100000, 1_MiB, bus::allow_all);
    bus.add_target("regs", 0x80000, 4_KiB, bus::allow(Master::core)).bind(register_checker.in);
    register_checker.out.bind(registers.port.socket);
  }
  ~BusBench() {
    for (auto* c : {&core_checker, &drive_checker, &memory_checker, &register_checker}) {
      c->finish();
      for (const auto& v : c->violations()) ADD_FAILURE() << v;
    }
    test::expect_lawful(bus, agenda.now());
  }
  bus::ModelBus bus;
  test::Initiator core{"core", agenda}, drive{"drive", agenda};
  dram::ModelDram memory{"dram", environment, dram::Config{}};
  test::StallingTarget registers{"registers", agenda};
  checks::ProtocolChecker core_checker{"core_checker"}, drive_checker{"drive_checker"}, memory_checker{"memory_checker"},
      register_checker{"register_checker"};
};

TEST(BusPart, EachMasterReachesItsWindowsOnly) {
  BusBench b;
  struct Case {
    std::uint64_t address;
    Bytes size;
    bool core, drive;
  };
  const std::array<Case, 9> cases{{{0x1000, 64_B, true, true},
                                   {0x10fff, 1_B, true, true},
                                   {0x10fff, 2_B, false, false},
                                   {0xfff, 1_B, false, false},
                                   {0x100000, 4_KiB, true, true},
                                   {0x200000, 1_B, false, false},
                                   {0x80000, 64_B, true, false},
                                   {0x80fff, 1_B, true, false},
                                   {0x80fff, 2_B, false, false}}};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    b.core.read(cases[i].address, cases[i].size, at(i * 1us));
    b.drive.read(cases[i].address, cases[i].size, at(i * 1us));
  }
  b.run();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(b.core[i].status == tlm::TLM_OK_RESPONSE, cases[i].core) << i;
    EXPECT_EQ(b.drive[i].status, cases[i].drive ? tlm::TLM_OK_RESPONSE : tlm::TLM_ADDRESS_ERROR_RESPONSE) << i;
  }
  EXPECT_EQ(b.bus.refused("core"), 4U);
  EXPECT_EQ(b.bus.refused("drive"), 6U);
  EXPECT_EQ(b.registers.addresses.size(), 2U) << "nothing of the drive's came through";
}

TEST(BusPart, LatencyEachWay) {
  BusBench b{{.latency = 30ns}};
  const auto r = b.core.read(0x80000, 8_B, at(1ns));
  const auto bad = b.core.read(0, 8_B, at(10us));
  b.run();
  EXPECT_EQ(b.core[r].at, at(1ns + 30ns + 100ns + 30ns));
  EXPECT_EQ(b.core[bad].at, at(10us + 60ns));
}

TEST(BusPart, WriteStreamsGoOnAtTheirFirstByte) {
  BusBench b;
  const auto w = b.drive.access(tlm::TLM_WRITE_COMMAND, 0x100000, 256_KiB, at(0ns), {}, 10us);
  const auto r = b.drive.access(tlm::TLM_READ_COMMAND, 0x100000, 256_KiB, at(20us));
  b.run();
  const Duration granule = 64_B / b.memory.timing().rate();
  EXPECT_EQ(b.drive[w].at, at(10us + 20ns + granule + 60ns + 20ns));
  EXPECT_EQ(b.drive[r].at, at(20us + 20ns + granule + 160ns + 20ns));
  EXPECT_EQ(b.drive[r].stream.last, at(20us + 20ns + b.memory.timing().own(256_KiB) + 160ns + 20ns));
}

TEST(BusPart, StalledTargetHoldsItsMasterOnly) {
  BusBench b{{.outstanding = 4}};
  b.registers.stalled = true;
  b.registers.release_at(at(5us));
  for (unsigned i = 0; i < 8; ++i) b.core.write(0x80000 + 8 * i, std::vector<unsigned char>(8), at(0ns));
  const auto other = b.drive.read(0x1000, 64_B, at(1us));
  b.run(at(4us));
  EXPECT_EQ(b.core[3].accepted, at(0ns)) << "four wait inside";
  EXPECT_EQ(b.core[4].accepted, never) << "the fifth is held";
  EXPECT_EQ(b.drive[other].status, tlm::TLM_OK_RESPONSE);
  b.run();
  EXPECT_EQ(b.core[4].accepted, at(5us));
  EXPECT_EQ(b.core.done, 8U);
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(b.registers.addresses[i], 0x80000U + 8 * i) << "in order";
}

TEST(BusPart, BandwidthLimit) {
  BusBench b{{.latency = 20ns, .bandwidth = 1_GBps}};
  for (unsigned i = 0; i < 4; ++i) b.core.write(0x80000, std::vector<unsigned char>(100), at(0ns));
  b.run();
  EXPECT_EQ(b.core[3].at, at(300ns + 20ns + 100ns + 20ns)) << "sent on at its first byte, behind three of 100 ns";
}

/// b_transport from the agenda's own process: it must not wait.
TEST(BusPart, LoosePassesThrough) {
  BusBench b;
  struct Core {
    void go(Time now) {
      Payload& p = pool.take(tlm::TLM_READ_COMMAND, address, 64_B, bytes);
      sc_core::sc_time delay = to_sc(now - kernel_now());
      bench->core.port.socket->b_transport(p, delay);
      done = kernel_now() + from_sc(delay);
      status = p.get_response_status();
      master = transfer_of(p).master;
      p.release();
    }
    BusBench* bench;
    std::uint64_t address;
    PayloadPool<> pool{};
    unsigned char bytes[64]{};
    Time done{};
    tlm::tlm_response_status status{};
    Master master{};
  };
  Core good{.bench = &b, .address = 0x1000}, bad{.bench = &b, .address = 0};
  b.agenda.post<&Core::go>(at(1us), &good);
  b.agenda.post<&Core::go>(at(2us), &bad);
  b.run();
  EXPECT_EQ(good.done, at(1us + 20ns + 160ns + 20ns) + 64_B / b.memory.timing().rate());
  EXPECT_EQ(good.master, Master::core);
  EXPECT_EQ(good.status, tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(bad.status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(bad.done, at(2us + 40ns));
}

TEST(BusPart, RandomStressKeepsTheLaws) {
  BusBench b;
  Random random{11, "bus"};
  for (int i = 0; i < 3000; ++i) {
    auto& m = random.below(2) == 0 ? b.core : b.drive;
    const std::uint64_t address = std::array{0x1000ULL, 0x80000ULL, 0x100000ULL, 0x300000ULL}[random.below(4)] + random.below(4096);
    m.access(random.below(2) == 0 ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND, address, Bytes{1 + random.below(2000)},
             at(Duration{static_cast<std::int64_t>(random.below(50'000'000))}));
  }
  b.run();
  EXPECT_EQ(b.core.done + b.drive.done, 3000U);
}

}  // namespace
}  // namespace flashpath

// SPDX-License-Identifier: Apache-2.0
#include "dram/dram_part.h"

#include "base/random.h"
#include "bus_bench.h"

namespace flashpath {
namespace {

dram::Config simple() {  // 64 GB/s: a granule is 1 ns
  dram::Config c;
  c.peak = 64_GBps;
  c.efficiency = 1000;
  c.read_latency = 160ns;
  c.write_latency = 60ns;
  c.queue = 0_B;
  return c;
}
constexpr Time at(Duration d) { return Time{} + d; }

struct DramBench : test::Bench {
  explicit DramBench(const dram::Config& config = simple(), bool data = true) : Bench{1ms, data}, memory{"dram", environment, config} {
    master.port.socket.bind(checker.in);
    checker.out.bind(memory.in());
    master.master = Master::nic;
  }
  ~DramBench() {
    test::expect_clean(checker);
    test::expect_lawful(memory, agenda.now());
    EXPECT_EQ(master.pool.outstanding(), 0U);
  }
  test::Initiator master{"master", agenda};
  checks::ProtocolChecker checker{"checker"};
  dram::ModelDram memory;
};

struct Watch {
  void seen(std::uint64_t address, Time now) {
    unsigned char b = 0;
    memory->memory().read(address, {&b, 1});
    events.push_back({address, now, b});
  }
  struct Event {
    std::uint64_t address;
    Time at;
    unsigned char byte;
  };
  dram::Dram* memory = nullptr;
  std::vector<Event> events;
};

TEST(DramPart, BytesAndTimesOfReadsAndWrites) {
  DramBench b;
  const auto w = b.master.write(0x1000, std::vector<unsigned char>(4096, 0x5a), at(0ns));
  const auto r = b.master.read(0x1ff0, 32_B, at(10ns));
  b.run();
  EXPECT_EQ(b.master[w].at, at(64ns + 60ns));
  EXPECT_EQ(b.master[r].accepted, at(64ns)) << "one bandwidth for both";
  EXPECT_EQ(b.master[r].at, at(64ns + 1ns + 160ns));
  EXPECT_EQ(b.master[r].stream.last, at(64ns + 1ns + 160ns));
  EXPECT_EQ(b.master[r].bytes[15], 0x5a);
  EXPECT_EQ(b.master[r].bytes[16], 0);
}

TEST(DramPart, SixtyFourDeepSaturates) {
  DramBench b;
  for (int i = 0; i < 64; ++i)
    b.master.access(i % 2 == 0 ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND, static_cast<std::uint64_t>(i) << 20U, 256_KiB, at(0ns));
  b.run();
  EXPECT_EQ(b.master.done, 64U);
  EXPECT_EQ(b.master[63].at, at(64 * 4096ns + 60ns));
  EXPECT_EQ(b.memory.memory().pages(), 0U) << "timing only: no bytes kept";
}

TEST(DramPart, CoresDoNotQueue) {
  DramBench b;
  b.master.access(tlm::TLM_READ_COMMAND, 0, 256_KiB, at(0ns));
  b.run(at(100ns));
  b.master.master = Master::core;
  const auto small = b.master.read(0, 64_B, at(100ns));
  const auto large = b.master.read(0, 512_B, at(100ns));
  b.run();
  EXPECT_EQ(b.master[small].at, at(100ns + 1ns + 160ns));
  EXPECT_EQ(b.master[large].at, at(4096ns + 1ns + 1ns + 160ns)) << "too large for a small access: behind the burst and the small one";
}

TEST(DramPart, WatchSeesWritesWhenTheyAreVisible) {
  DramBench b;
  Watch w{.memory = &b.memory, .events = {}};
  b.memory.watch(0x1000, 256_B, dram::Dram::Watcher::to<&Watch::seen>(&w));
  b.memory.watch(0x1100, 256_B, dram::Dram::Watcher::to<&Watch::seen>(&w));
  b.master.write(0x10f0, {1, 1}, at(0ns));
  b.master.write(0x1200, {2}, at(1us));                                  // behind the ranges
  b.master.write(0x0fff, {3}, at(2us));                                  // before them
  b.master.write(0x10ff, {4, 4}, at(3us));                               // in both
  b.master.write(0x0f00, std::vector<unsigned char>(4096, 5), at(4us));  // around both
  b.run(at(61ns) - 1_ps);
  EXPECT_TRUE(w.events.empty());
  unsigned char byte = 9;
  b.memory.memory().read(0x10f0, {&byte, 1});
  EXPECT_EQ(byte, 0) << "not readable before it is visible";
  b.run(at(61ns));
  ASSERT_EQ(w.events.size(), 1U);
  EXPECT_EQ(w.events[0].at, at(61ns));
  EXPECT_EQ(w.events[0].byte, 1);
  b.run();
  ASSERT_EQ(w.events.size(), 5U);
  EXPECT_EQ(w.events[1].address, 0x10ffU);
  EXPECT_EQ(w.events[2].at, at(3us + 61ns));
  EXPECT_EQ(w.events[4].at, at(4us + 64ns + 60ns));
}

TEST(DramPart, IllegalPayloadsAreAnswered) {
  DramBench b;
  const auto i = b.master.access(tlm::TLM_IGNORE_COMMAND, 0, 64_B, at(0ns));
  b.run();
  EXPECT_EQ(b.master[i].status, tlm::TLM_COMMAND_ERROR_RESPONSE);
  EXPECT_EQ(b.memory.timing().busy(), 0ns);
}

TEST(DramPart, RandomStressKeepsTheLaws) {
  DramBench b{dram::Config{}};
  Random random{4, "stress"};
  for (int i = 0; i < 2000; ++i) {
    const auto command = random.below(2) == 0 ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND;
    b.master.access(command, random.below(1U << 30U), Bytes{1 + random.below(100'000)},
                    at(Duration{static_cast<std::int64_t>(random.below(100'000'000))}));
  }
  b.run();
  EXPECT_EQ(b.master.done, 2000U);
}

}  // namespace
}  // namespace flashpath

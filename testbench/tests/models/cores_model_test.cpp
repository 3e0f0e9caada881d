// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "cores/cores_model.h"

using namespace flashpath;
using namespace flashpath::cores;

namespace {

class FixedMemory : public Memory {
 public:
  Duration latency = 200ns;
  std::vector<std::pair<std::uint64_t, Time>> posted;
  Duration load(CoreId, std::uint64_t, std::span<unsigned char>, Time) override { return latency; }
  Duration touch(CoreId, std::uint64_t, Bytes, Time) override { return latency; }
  void store(CoreId, std::uint64_t, std::span<const unsigned char>, Time) override {}
  void post(CoreId, std::uint64_t address, std::span<const unsigned char>, Time at) override { posted.emplace_back(address, at); }
  void read_register(CoreId, std::uint64_t, unsigned, Task, Time) override {}
};

struct Run {
  Time start, end;
  std::uint64_t tag;
};

struct Bench {
  explicit Bench(Config c = {}) : config{c}, model{config, agenda, memory, group} {}
  void work(CoreContext& ctx, std::uint64_t n, std::uint64_t tag) {
    const Time start = ctx.now();
    ctx.cycles(n);
    runs.push_back({start, ctx.now(), tag});
  }
  void mixed(CoreContext& ctx) {
    const Time start = ctx.now();
    ctx.cycles(7);
    ctx.touch(0, 64_B);
    ctx.cycles(6);
    unsigned char line[64] = {};
    ctx.store(64, line);
    ctx.post_mmio(128, {line, 4});
    ctx.load(0, line);
    runs.push_back({start, ctx.now(), 0});
  }
  void hand_over(CoreContext& ctx, std::uint64_t n) {
    ctx.cycles(n);
    model.submit(CoreId{1}, Task::of<&Bench::work>(this, 10, 77), ctx.now());
    ctx.cycles(n);
  }
  void submit(std::uint32_t core, std::uint64_t n, std::uint64_t tag, Time at) {
    model.submit(CoreId{core}, Task::of<&Bench::work>(this, n, tag), at);
  }
  std::vector<std::string> broken() {
    Laws laws;
    model.check(laws, agenda.now());
    return laws.broken();
  }
  Config config;
  Agenda agenda;
  FixedMemory memory;
  stats::Group group{"cores"};
  Model model;
  std::vector<Run> runs;
};

}  // namespace

TEST(CoresModel, IdleCoreStartsAfterTheFixedPollAndTakesItsCycles) {
  Bench b;
  b.submit(3, 1360, 1, Time{});
  b.agenda.run();
  ASSERT_EQ(b.runs.size(), 1U);
  EXPECT_EQ(b.runs[0].start, Time{cycles(75, 1'700_MHz)});
  EXPECT_EQ(b.runs[0].end - b.runs[0].start, 800ns);  // 1360 cycles at 1.7 GHz
  EXPECT_EQ(b.model.busy(CoreId{3}), 800ns);          // polling is not work
  EXPECT_TRUE(b.broken().empty());
}

TEST(CoresModel, PollClockAndCountKnobsMoveTheStart) {
  Config c;
  c.poll_cycles = 1000;
  c.clock = 1_GHz;
  c.count = 2;
  Bench b{c};
  EXPECT_EQ(b.model.count(), 2U);
  b.submit(0, 50, 1, Time{});
  b.agenda.run();
  EXPECT_EQ(b.runs[0].start, Time{1us});
  EXPECT_EQ(b.runs[0].end, Time{1us + 50ns});
}

TEST(CoresModel, BusyCoreIsFirstComeFirstServedWithoutFurtherPolls) {
  Bench b;
  for (std::uint64_t i = 0; i < 64; ++i) b.submit(0, 100 + i, i, Time{});
  b.agenda.run();
  ASSERT_EQ(b.runs.size(), 64U);
  for (std::size_t i = 0; i < 64; ++i) {
    EXPECT_EQ(b.runs[i].tag, i);
    if (i > 0) { EXPECT_EQ(b.runs[i].start, b.runs[i - 1].end); }
  }
  EXPECT_TRUE(b.broken().empty());
}

TEST(CoresModel, TheRaceAtTheEndOfATask) {
  // One picosecond before the core is free the task needs no poll; at that very picosecond it does.
  const Duration poll = cycles(75, 1'700_MHz), work = cycles(100, 1'700_MHz);
  for (const bool before : {true, false}) {
    Bench b;
    b.submit(0, 100, 1, Time{});
    const Time end = Time{poll + work};
    b.agenda.run_until(end - 1_ps);
    if (!before) b.agenda.advance_to(end);
    b.submit(0, 100, 2, before ? end - 1_ps : end);
    b.agenda.run();
    ASSERT_EQ(b.runs.size(), 2U);
    EXPECT_EQ(b.runs[1].start, before ? end : end + poll);
  }
}

TEST(CoresModel, AllCoresRunAtOnceAndFairly) {
  Bench b;
  for (std::uint32_t round = 0; round < 10; ++round)
    for (std::uint32_t core = 0; core < 64; ++core) b.submit(core, 1700, core, Time{});
  b.agenda.run();
  EXPECT_EQ(b.agenda.now(), Time{cycles(75, 1'700_MHz) + 9 * 1us});  // the last starts
  for (std::uint32_t core = 0; core < 64; ++core) EXPECT_EQ(b.model.busy(CoreId{core}), 10us);
}

TEST(CoresModel, TimeIsCyclesOnceRoundedPlusMemory) {
  Bench b;
  b.model.submit(CoreId{0}, Task::of<&Bench::mixed>(&b), Time{});
  b.agenda.run();
  // 7 + 6 + 2 (one line stored) + 40 (register write) cycles, two loads of 200 ns
  EXPECT_EQ(b.runs[0].end - b.runs[0].start, cycles(55, 1'700_MHz) + 400ns);
  ASSERT_EQ(b.memory.posted.size(), 1U);
  EXPECT_EQ(b.memory.posted[0].second, b.runs[0].start + cycles(55, 1'700_MHz) + 200ns);
}

TEST(CoresModel, StoreAndRegisterCostsAreKnobs) {
  Config c;
  c.store_cycles = 0;
  c.mmio_cycles = 0;
  Bench b{c};
  b.model.submit(CoreId{0}, Task::of<&Bench::mixed>(&b), Time{});
  b.agenda.run();
  EXPECT_EQ(b.runs[0].end - b.runs[0].start, cycles(13, 1'700_MHz) + 400ns);
}

TEST(CoresModel, WorkHandedToAnotherCoreArrivesAtTheMomentOfHandingOver) {
  Bench b;
  b.model.submit(CoreId{0}, Task::of<&Bench::hand_over>(&b, 1700), Time{});
  b.agenda.run();
  ASSERT_EQ(b.runs.size(), 1U);
  EXPECT_EQ(b.runs[0].start, Time{2 * cycles(75, 1'700_MHz) + 1us});
  EXPECT_TRUE(b.broken().empty());
}

TEST(CoresModel, UtilisationIsWorkOverTime) {
  Bench b;
  b.model.use(1);
  for (int i = 0; i < 100; ++i) b.submit(0, 170, 0, Time{});
  b.agenda.run();
  b.agenda.advance_to(Time{20us});
  EXPECT_EQ(b.group.busy()[0]->value, 10us);
  EXPECT_DOUBLE_EQ(b.group.busy()[0]->utilisation(20us), 0.5);
}

TEST(CoresModel, RandomStressKeepsOrderAndLaws) {
  Bench b;
  Random random{1, "cores"};
  Time at{};
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    at += Duration{static_cast<std::int64_t>(random.below(20'000))};
    b.agenda.run_until(at);
    b.submit(static_cast<std::uint32_t>(random.below(64)), random.below(2000), i, at);
    if (i % 1000 == 0) { EXPECT_TRUE(b.broken().empty()); }
  }
  b.agenda.run();
  EXPECT_EQ(b.runs.size(), 20'000U);
  EXPECT_TRUE(b.broken().empty());
}

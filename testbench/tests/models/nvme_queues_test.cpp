// SPDX-License-Identifier: Apache-2.0
// Depth: throughput at queue depth 64 and 1024, wrap-around, fairness, full completion queues.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;

/// Keeps `depth` reads of one block under way on each of `queues`, by polling whenever something was sent.
struct Load {
  Load(Host& h, std::uint32_t d, std::uint64_t n) : host{h}, depth{d}, left{n} {}
  void start() {
    for (std::size_t q = 1; q < host.queues.size(); ++q) {
      for (std::uint32_t i = 0; i < depth && left > 0; ++i) submit(host.queues[q]);
      host.ring(host.queues[q]);
    }
    begin = host.agenda.now();
    host.agenda.post<&Load::poll>(begin + 100ns, this);
  }
  void submit(HostQueue& q) {
    Sqe sqe = Host::rw(IoOpcode::read, 0, 1, data_at);
    sqe.cid = host.next_cid++;
    host.put(q, sqe);
    --left;
  }
  void poll(Time now) {
    std::uint64_t found = 0;
    for (std::size_t q = 1; q < host.queues.size(); ++q) {
      const auto done = host.poll(host.queues[q]);
      found += done.size();
      for (std::size_t i = 0; i < done.size() && left > 0; ++i) submit(host.queues[q]);
      if (!done.empty()) host.ring(host.queues[q]);
    }
    completed += found;
    if (found != 0) end = now;
    if (host.controller.inside() != 0 || found != 0 || left != 0) host.agenda.post<&Load::poll>(now + 100ns, this);
  }
  Host& host;
  std::uint32_t depth;
  std::uint64_t left;
  std::uint64_t completed = 0;
  Time begin{}, end{};
};

TEST(NvmeQueues, DepthSixtyFourIsLimitedByLatencyAndDepth1024ByTheFrontEnds) {
  Config config = Host::quick();
  config.max_queue_entries = 2048;
  const auto rate_at = [&](std::uint32_t depth, std::uint64_t n) {
    Host host{config};
    host.bring_up({2048});
    Load load{host, depth, n};
    load.start();
    host.agenda.run();
    EXPECT_EQ(load.completed, n);
    host.expect_laws();
    return (load.end - load.begin).count() / static_cast<std::int64_t>(n);  // ps per command
  };
  // 64 under way, each 56.1 us in the controller, up to 0.1 us until polled, 1 us until the CQE is seen
  const auto at64 = rate_at(64, 20000);
  EXPECT_GE(at64, 57'100'000 / 64);
  EXPECT_LE(at64, 59'000'000 / 64);
  // 4 front ends, 800 ns each: 200 ns a command
  const auto at1024 = rate_at(1024, 100000);
  EXPECT_GE(at1024, 200'000);
  EXPECT_LE(at1024, 202'000);
  config.engines = 8;
  EXPECT_LE(rate_at(1024, 100000), 110'000);
  config.contexts = 64;  // fewer contexts than the depth: Little's law with 64 and the time inside
  const auto narrow = rate_at(1024, 20000);
  EXPECT_GE(narrow, (56'100'000 + 1'000'000 - 1'000'000) / 64);  // from SQE fetched to CQE written
  EXPECT_LE(narrow, 59'000'000 / 64);
}

TEST(NvmeQueues, FetchBatchAndFetchesShow) {
  const auto fetches = [](std::uint32_t batch, std::uint32_t burst) {
    Config config = Host::quick();
    config.fetch_batch = batch;
    config.arbitration_burst = burst;
    Host host{config};
    host.bring_up({64});
    for (int i = 0; i < 48; ++i) host.put(host.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
    const std::uint64_t before = host.controller.statistics().fetches.value;
    host.ring(host.queues[1]);
    host.agenda.run();
    return host.controller.statistics().fetches.value - before;
  };
  EXPECT_EQ(fetches(16, 16), 3U);
  EXPECT_EQ(fetches(8, 16), 6U);
  EXPECT_EQ(fetches(16, 4), 12U);
  EXPECT_EQ(fetches(64, 64), 1U);

  const auto first_cqe_of_last_queue = [](std::uint32_t fetches) {
    Config config = Host::quick();
    config.fetches = fetches;
    Host host{config};
    host.bring_up({64, 64, 64, 64});
    const Time begin = host.agenda.now();
    for (std::uint16_t q = 1; q <= 4; ++q) {
      host.put(host.queues[q], Host::rw(IoOpcode::read, 0, 1, data_at));
      host.ring(host.queues[q]);
    }
    host.agenda.run();
    return host.sent.back().sent - begin;
  };
  EXPECT_EQ(first_cqe_of_last_queue(8), 56'100ns);
  EXPECT_EQ(first_cqe_of_last_queue(2), 57'100ns);
  EXPECT_EQ(first_cqe_of_last_queue(1), 59'100ns);  // four round trips, one after the other
}

TEST(NvmeQueues, PhaseBitsAndHeadsSurviveManyRounds) {
  Host host;
  host.bring_up({5});
  for (std::uint32_t i = 0; i < 33; ++i) {  // more than six rounds
    for (int k = 0; k < 3; ++k) host.put(host.queues[1], Host::rw(IoOpcode::read, i, 1, data_at));
    host.ring(host.queues[1]);
    host.agenda.run();
    const auto done = host.poll(host.queues[1]);
    ASSERT_EQ(done.size(), 3U);
    EXPECT_EQ(done[2].sqhd, host.queues[1].tail);
  }
  EXPECT_EQ(host.interrupts[1], 99);
  host.expect_laws();
}

TEST(NvmeQueues, FourSaturatedQueuesAreServedEqually) {
  Host host;
  host.bring_up({1024, 1024, 1024, 1024});
  for (std::uint16_t q = 1; q <= 4; ++q) {
    for (int i = 0; i < 1000; ++i) host.put(host.queues[q], Host::rw(IoOpcode::read, 0, 1, data_at));
    host.ring(host.queues[q]);
  }
  host.agenda.run_until(host.agenda.now() + 300us);
  std::array<std::size_t, 5> got{};
  for (std::uint16_t q = 1; q <= 4; ++q) got[q] = host.poll(host.queues[q]).size();
  EXPECT_GT(got[1], 200U);
  for (std::uint16_t q = 2; q <= 4; ++q) EXPECT_NEAR(static_cast<double>(got[q]), static_cast<double>(got[1]), 16.0);
}

TEST(NvmeQueues, SimultaneousDoorbellsAreServedInRoundRobinOrderNotInOrderOfArrival) {
  Config config = Host::quick();
  config.fetches = 1;
  Host host{config};
  host.bring_up({64, 64, 64});
  for (const std::uint16_t q : std::array<std::uint16_t, 3>{3, 1, 2}) {
    host.put(host.queues[q], Host::rw(IoOpcode::read, 0, 1, data_at));
    host.ring(host.queues[q]);
  }
  host.agenda.run();
  std::vector<std::uint16_t> order;
  for (const auto& d : host.done) order.push_back(d.sq);
  EXPECT_EQ(order, (std::vector<std::uint16_t>{1, 2, 3}));  // the admin queue was served last
}

TEST(NvmeQueues, WaitingInTheSubmissionQueueIsAttributed) {
  Config config = Host::quick();
  config.contexts = 1;
  Host host{config};
  host.bring_up();
  for (int i = 0; i < 2; ++i) host.put(host.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.ring(host.queues[1]);
  host.agenda.run();
  ASSERT_EQ(host.done.size(), 2U);
  EXPECT_EQ(host.done[0].journey[Stage::sq_wait], Duration{});
  EXPECT_EQ(host.done[1].journey[Stage::sq_wait], 56'100ns + 1us);  // until the first one's CQE was written
  EXPECT_EQ(host.done[1].journey.total(), 2 * 56'100ns + 1us);
}

TEST(NvmeQueues, AFullCompletionQueueGetsNothingUntilItHasRoom) {
  Host host;
  host.bring_up({});
  HostQueue& q = host.create(1, 64, 4);
  host.create(2, 64, 64);
  for (int i = 0; i < 20; ++i) host.put(q, Host::rw(IoOpcode::read, 0, 1, data_at));
  host.ring(q);
  host.agenda.run();
  EXPECT_EQ(host.sent.size() - 6, 3U);  // identify, features, four queue commands; then a queue of four holds three
  EXPECT_EQ(host.poll(q, false).size(), 3U);
  Stall stall;
  host.controller.explain(stall);
  ASSERT_FALSE(stall.lines().empty());
  EXPECT_NE(stall.lines().front().find("completion"), std::string::npos);
  // nobody else suffers
  host.put(host.queues[2], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.ring(host.queues[2]);
  host.agenda.run();
  EXPECT_EQ(host.poll(host.queues[2]).size(), 1U);
  // room for one lets one through
  host.write32(cq_head_doorbell(1), 1);
  host.agenda.run();
  EXPECT_EQ(host.poll(q, false).size(), 1U);
  std::size_t rest = 0;
  for (int i = 0; i < 20; ++i) {
    host.write32(cq_head_doorbell(1), q.head);
    host.agenda.run();
    rest += host.poll(q, false).size();
  }
  EXPECT_EQ(rest, 16U);
  host.expect_laws();
  EXPECT_EQ(host.controller.inside(), 0U);
}

TEST(NvmeQueues, JourneysOfALoadSumToTheirLatencies) {
  Host host;
  host.bring_up({256, 256});
  host.jitter = true;
  Load load{host, 100, 5000};
  load.start();
  host.agenda.run();
  EXPECT_EQ(load.completed, 5000U);
  host.expect_laws();
  EXPECT_EQ(host.controller.statistics().read_latency.count(), 5000U);
}

}  // namespace
}  // namespace flashpath::nvme::test

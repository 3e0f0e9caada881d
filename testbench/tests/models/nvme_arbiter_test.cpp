// SPDX-License-Identifier: Apache-2.0
// Arbitration, NVMe 2.0 §3.4.4: bounds of fairness on the arbiter alone and on the controller, thousands of queues, identifiers in use.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;
using enum QueueClass;

TEST(NvmeReadySet, IsACircleOfIds) {
  ReadySet set;
  std::set<std::uint32_t> oracle;
  Random random{4, "ready"};
  for (int i = 0; i < 20000; ++i) {
    const auto id = static_cast<std::uint32_t>(random.below(random.below(2) == 0 ? 200 : 65536));
    if (random.below(100) < (i / 5000 % 2 == 0 ? 60U : 30U)) set.set(id), oracle.insert(id);
    else set.clear(id), oracle.erase(id);
    const auto last = static_cast<std::uint32_t>(random.below(65536));
    auto next = oracle.upper_bound(last);
    if (next == oracle.end()) next = oracle.begin();
    ASSERT_EQ(set.next(last), next == oracle.end() ? ReadySet::none : *next) << i;
    ASSERT_EQ(set.empty(), oracle.empty());
  }
}

/// All queues always have commands: `turns` turns, commands by queue.
struct Busy {
  Busy(bool weighted, std::uint32_t burst, std::array<std::uint32_t, 3> weights, std::vector<QueueClass> of) : classes{std::move(of)} {
    arbiter.reset(weighted);
    arbiter.configure(burst, weights);
    for (std::uint32_t q = 0; q < classes.size(); ++q) arbiter.ready(q + 1, classes[q], true);
  }
  std::uint32_t turn() {
    const Arbiter::Turn t = arbiter.next(true, true);
    EXPECT_NE(t.limit, 0U);
    if (t.queue == 0) return 0;
    arbiter.served(t.queue, classes[t.queue - 1], t.limit);
    got[t.queue] += t.limit;
    all += t.limit;
    return t.queue;
  }
  Arbiter arbiter;
  std::vector<QueueClass> classes;
  std::map<std::uint32_t, std::uint64_t> got;
  std::uint64_t all = 0;
};

TEST(NvmeArbiter, RoundRobinGivesEveryQueueOneTurnInEveryRound) {
  Busy busy{false, 4, {1, 1, 1}, std::vector<QueueClass>(1000, low)};
  for (std::uint32_t round = 0; round < 3; ++round) {
    for (std::uint32_t q = 1; q <= 1000; ++q) ASSERT_EQ(busy.turn(), q);
  }
  // the admin queue is one of them: between the last and the first
  busy.arbiter.ready(0, urgent, true);
  EXPECT_EQ(busy.arbiter.next(true, true).queue, 0U);
  EXPECT_EQ(busy.arbiter.next(false, true).queue, 1U);
  busy.arbiter.served(0, urgent, 1);
  for (std::uint32_t q = 1; q <= 1000; ++q) ASSERT_EQ(busy.turn(), q);
  EXPECT_EQ(busy.turn(), 0U);
}

TEST(NvmeArbiter, WeightsAreExactInEveryRound) {
  for (const std::uint32_t burst : {1U, 4U, 16U, ~0U}) {
    for (const std::array<std::uint32_t, 3> w :
         {std::array{32U, 16U, 8U}, std::array{7U, 5U, 3U}, std::array{256U, 1U, 1U}, std::array{1U, 1U, 256U}}) {
      Busy busy{true, burst, w, {high, high, medium, low, low, low}};
      const std::uint64_t round = w[0] + w[1] + w[2];
      for (std::uint64_t i = 1; i <= 40; ++i) {
        while (busy.all < i * round) busy.turn();
        ASSERT_EQ(busy.all, i * round);  // rounds end where they should
        ASSERT_EQ(busy.got[1] + busy.got[2], i * w[0]);
        ASSERT_EQ(busy.got[3], i * w[1]);
        ASSERT_EQ(busy.got[4] + busy.got[5] + busy.got[6], i * w[2]);
      }
    }
  }
}

TEST(NvmeArbiter, QueuesOfAClassTakeTurnsAndIdleClassesLeaveTheirShareToOthers) {
  Busy busy{true, 4, {32, 16, 8}, {low, low, low}};
  for (std::uint32_t i = 0; i < 30; ++i) ASSERT_EQ(busy.turn(), i % 3 + 1);  // nobody else: no waiting
  busy.arbiter.ready(9, medium, true);
  busy.classes.resize(9, medium);
  std::uint64_t of_low = 0, of_medium = 0;
  for (int i = 0; i < 6000; ++i) (busy.turn() == 9 ? of_medium : of_low) += 4;
  EXPECT_NEAR(static_cast<double>(of_medium) / static_cast<double>(of_low), 2.0, 0.05);
}

TEST(NvmeArbiter, AdminBeforeUrgentBeforeAllOthers) {
  Busy busy{true, 16, {32, 16, 8}, {high, urgent, urgent}};
  for (std::uint32_t i = 0; i < 20; ++i) ASSERT_EQ(busy.turn(), i % 2 == 0 ? 2U : 3U);
  busy.arbiter.ready(0, urgent, true);
  EXPECT_EQ(busy.arbiter.next(true, true).queue, 0U);
  EXPECT_EQ(busy.arbiter.next(false, true).queue, 2U);               // no room for admin commands
  EXPECT_EQ(busy.arbiter.next(false, false).queue, ReadySet::none);  // no room at all
  busy.arbiter.ready(0, urgent, false);
  busy.arbiter.ready(2, urgent, false);
  busy.arbiter.ready(3, urgent, false);
  EXPECT_EQ(busy.turn(), 1U);
}

/// On the controller: classes share fetched commands as their weights say, once the host has chosen them; urgent ones go first.
TEST(NvmeArbitration, ACongestedControllerServesByWeight) {
  Config config = Host::quick();
  config.contexts = 32;
  config.fetch_batch = 1;  // so that a turn is a command, however many contexts are free
  config.max_queue_entries = 4096;
  const auto served = [&](unsigned ams, std::uint32_t feature) {
    Host host{config};
    host.enable(32, 0, ams);
    if (feature != 0) { EXPECT_EQ(host.admin_command({.opcode = 0x09, .cdw10 = 1, .cdw11 = feature}).code(), Status::success); }
    // Eight queues a class: a queue has one fetch under way at a time, so one alone could not use its share.
    const std::array<QueueClass, 3> of{high, medium, low};
    for (std::uint16_t q = 1; q <= 24; ++q) host.create(q, 1024, 1024, of[q % 3U]);  // first: an admin command runs until all is quiet
    for (std::uint16_t q = 1; q <= 24; ++q) {
      HostQueue& queue = host.queues[q];
      for (int i = 0; i < 1000; ++i) host.put(queue, Host::rw(IoOpcode::read, 0, 1, data_at));
      host.ring(queue);
    }
    host.agenda.run_until(host.agenda.now() + 3ms);
    std::array<double, 3> n{};
    for (std::uint16_t q = 1; q <= 24; ++q) n[q % 3U] += static_cast<double>(host.poll(host.queues[q]).size());
    return n;
  };
  const auto rr = served(0, 0);
  EXPECT_GT(rr[0], 400);
  EXPECT_NEAR(rr[1] / rr[0], 1, 0.06);
  EXPECT_NEAR(rr[2] / rr[0], 1, 0.06);
  const auto wrr = served(1, 0);  // 32 : 16 : 8
  EXPECT_NEAR(wrr[0] / wrr[1], 2, 0.15);
  EXPECT_NEAR(wrr[1] / wrr[2], 2, 0.15);
  const auto set = served(1, 2U | 2U << 8U | 5U << 16U | 5U << 24U);  // burst 4, weights 6 : 6 : 3
  EXPECT_NEAR(set[0] / set[1], 1, 0.06);
  EXPECT_NEAR(set[1] / set[2], 2, 0.15);
  config.weight_high = 8;
  config.weight_medium = 8;
  config.weight_low = 32;
  const auto turned = served(1, 0);
  EXPECT_NEAR(turned[2] / turned[0], 4, 0.4);
  EXPECT_NEAR(turned[0] / turned[1], 1, 0.1);
}

TEST(NvmeArbitration, AnUrgentCommandWaitsForOneContextOthersForAllBeforeThem) {
  Config config = Host::quick();
  config.contexts = 16;
  config.max_queue_entries = 4096;
  const auto wait = [&](unsigned ams) {
    Host host{config};
    host.enable(32, 0, ams);
    for (std::uint16_t q = 1; q <= 40; ++q) host.create(q, 256, 256, low);
    HostQueue& first = host.create(41, 64, 64, urgent);
    for (std::uint16_t q = 1; q <= 40; ++q) {
      HostQueue& queue = host.queues[q];
      for (int i = 0; i < 200; ++i) host.put(queue, Host::rw(IoOpcode::read, 0, 1, data_at));
      host.ring(queue);
    }
    host.agenda.run_until(host.agenda.now() + 200us);
    host.done.clear();
    const Time begin = host.agenda.now();
    host.put(first, Host::rw(IoOpcode::read, 0, 1, data_at));
    host.ring(first);
    while (std::ranges::none_of(host.done, [](const auto& d) { return d.sq == 41; })) host.agenda.run_until(host.agenda.now() + 1us);
    return host.agenda.now() - begin;
  };
  EXPECT_LT(wait(1), 2 * 60us);        // one that is inside leaves, then its own time
  EXPECT_GT(wait(0), wait(1) + 56us);  // a turn of each of forty, sixteen commands at a time
}

TEST(NvmeArbitration, IsOfferedOnlyIfConfigured) {
  for (const bool offered : {false, true}) {
    Config config = Host::quick();
    config.weighted_arbitration = offered;
    Host host{config};
    const Cap cap{host.controller.mmio_read(0, 8)};
    EXPECT_EQ(cap.weighted(), offered);
    host.write32(0x24, 0x001f'001f);
    host.write64(0x28, 0x10000);
    host.write64(0x30, 0x20000);
    host.write32(0x14, Cc::make(true, 0, 0, 6, 4, 1).raw);
    host.agenda.run();
    EXPECT_EQ(host.csts().rdy(), offered);
    EXPECT_EQ(host.csts().cfs(), !offered);
    host.write32(0x14, 0);
    host.agenda.run();
    host.write32(0x14, Cc::make(true, 0, 0, 6, 4, 2).raw);  // reserved
    host.agenda.run();
    EXPECT_TRUE(host.csts().cfs());
  }
}

TEST(NvmeArbitration, SixtyFiveThousandQueues) {
  Config config = Host::quick();
  config.max_queues = 65535;
  Host host{config};
  host.enable();
  EXPECT_EQ(host.admin_command({.opcode = 0x09, .cdw10 = 7, .cdw11 = 0xfffe'fffeU}).code(), Status::success);
  for (const std::uint32_t id : {1U, 2U, 63U, 64U, 65U, 4095U, 4096U, 40000U, 65534U, 65535U})
    host.create(static_cast<std::uint16_t>(id), 8, 8);
  std::vector<std::uint16_t> order;
  for (const std::uint32_t id : {65535U, 64U, 1U, 40000U, 63U, 4096U}) {
    host.put(host.queues[id], Host::rw(IoOpcode::read, 0, 1, data_at));
    host.ring(host.queues[id]);
  }
  host.agenda.run();
  for (const auto& d : host.done) order.push_back(d.sq);
  EXPECT_EQ(order, (std::vector<std::uint16_t>{1, 63, 64, 4096, 40000, 65535}));
  EXPECT_EQ(host.poll(host.queues[65535]).size(), 1U);
  const std::uint64_t bad = host.controller.statistics().bad_doorbells.value;
  host.write32(sq_tail_doorbell(50000), 1);  // not there
  EXPECT_EQ(host.controller.statistics().bad_doorbells.value, bad + 1);
  config.doorbell_stride = 128_B;
  UserErrors errors;
  config.check("nvme", errors);
  EXPECT_EQ(errors.list.size(), 1U);
}

/// §3.3.3.1: an identifier that is in use is refused; the first command with it is not harmed.
TEST(NvmeQueues, AnIdentifierInUseIsAConflict) {
  Host host;
  host.bring_up();
  HostQueue& q = host.queues[1];
  for (const std::uint16_t cid : std::array<std::uint16_t, 4>{7, 8, 7, 65535}) {
    Sqe sqe = Host::rw(IoOpcode::read, 0, 1, data_at);
    sqe.cid = cid;
    host.put(q, sqe);
  }
  host.create(2, 8, 8);
  Sqe other = Host::rw(IoOpcode::read, 0, 1, data_at);
  other.cid = 7;  // another queue's identifiers are its own
  host.put(host.queues[2], other);
  host.ring(q);
  host.ring(host.queues[2]);
  host.agenda.run();
  std::multimap<std::uint16_t, Status> got;
  for (const Cqe& cqe : host.poll(q)) got.emplace(cqe.cid, cqe.code());
  EXPECT_EQ(got, (std::multimap<std::uint16_t, Status>{
                     {7, Status::cid_conflict}, {7, Status::success}, {8, Status::success}, {65535, Status::success}}));
  EXPECT_EQ(host.poll(host.queues[2])[0].code(), Status::success);
  Sqe again = Host::rw(IoOpcode::read, 0, 1, data_at);
  again.cid = 7;
  host.put(q, again);
  host.ring(q);
  host.agenda.run();
  EXPECT_EQ(host.poll(q)[0].code(), Status::success);
  host.expect_laws();
}

TEST(NvmeQueues, AQueueBlockedByABacklogComesBackWhenAnotherIsDeleted) {
  Host host;
  host.bring_up({});
  host.create(1, 64, 4);
  HostQueue& shared = host.create(2, 64, 64);
  // a third queue completes into the first one's completion queue
  const Sqe third{.opcode = 0x01, .prp1 = 0x700'0000, .cdw10 = 3U | 63U << 16U, .cdw11 = 1U | 1U << 16U};
  EXPECT_EQ(host.admin_command(third).code(), Status::success);
  for (int i = 0; i < 8; ++i) host.put(host.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.ring(host.queues[1]);
  host.agenda.run();
  Sqe sqe = Host::rw(IoOpcode::read, 0, 1, data_at);
  sqe.cid = 99;
  host.memory.write(0x700'0000, &sqe, sizeof sqe);
  host.write32(sq_tail_doorbell(3), 1);
  host.agenda.run();
  EXPECT_EQ(host.admin_command({.opcode = 0x00, .cdw10 = 1}).code(), Status::success);
  host.write32(cq_head_doorbell(1), 3);
  host.agenda.run();
  EXPECT_EQ(host.sent.back().cqe.cid, 99);
  EXPECT_TRUE(host.poll(shared).empty());
  host.expect_laws();
}

}  // namespace
}  // namespace flashpath::nvme::test

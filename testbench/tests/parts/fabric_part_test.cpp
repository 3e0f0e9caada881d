// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"
#include "fabric_bench.h"

namespace flashpath {
namespace {

using fabric::Capsule;
using fabric::Completion;
using fabric::Config;
using fabric::WorkOp;
using fabric::WorkRequest;
using fabric::WorkStatus;
using test::FabricBench;
using test::MessageKind;

constexpr Time start = FabricBench::start;
Duration granule(const FabricBench& b) { return 64_B / b.memory.timing().rate(); }

struct Watch {
  void seen(std::uint64_t, Time now) { times.push_back(now); }
  std::vector<Time> times;
};

TEST(FabricPart, CapsuleIntoTheRing) {
  FabricBench b;
  Watch w;
  b.memory.watch(test::receive_ring(0), 128_KiB, dram::Dram::Watcher::to<&Watch::seen>(&w));
  b.client.capsule(42, start, 9);
  b.run();
  const Time written = start + 650ns + 300ns + 146_B / 800_Gbps + 5ns;
  ASSERT_EQ(w.times.size(), 1U);
  EXPECT_EQ(w.times[0], written + b.memory.timing().own(128_B) + 60ns);
  fabric::Key key{};
  key[0] = 42;
  const auto slot = b.slot<Capsule>(test::receive_ring(fabric::core_of(key, 2)));
  EXPECT_EQ(slot.sequence, 1U);
  EXPECT_EQ(slot.opcode, fabric::Opcode::retrieve);
  EXPECT_EQ(slot.command, 42U);
  EXPECT_EQ(slot.connection, 9U);
  EXPECT_EQ(slot.size, (1_MiB).count);
  EXPECT_EQ(slot.key, key);
  const Journey* journey = b.port.journeys().find(slot.trace);
  ASSERT_NE(journey, nullptr);
  EXPECT_EQ((*journey)[Stage::fabric], written - start);
  EXPECT_EQ(journey->total(), written - start);
  b.drained();
}

TEST(FabricPart, RdmaWriteDeliversAtItsLastByte) {
  FabricBench b;
  std::vector<unsigned char> object(100'000);
  for (std::size_t i = 0; i < object.size(); ++i) object[i] = test::pattern(i + 7);
  b.memory.memory().write(bus::staging_base + 5, object);
  Watch w;
  b.memory.watch(test::completion_ring(0), 64_KiB, dram::Dram::Watcher::to<&Watch::seen>(&w));
  b.post({.op = WorkOp::rdma_write,
          .flags = fabric::signalled,
          .connection = 3,
          .local = bus::staging_base + 5,
          .remote = 0x777,
          .length = 100'000,
          .wr_id = 11},
         start);
  b.run();
  ASSERT_EQ(b.client.seen.size(), 1U);
  const auto& got = b.client.seen[0];
  const Time left = start + 5ns + 300ns + granule(b) + 160ns + Bytes{100'000 + 25 * 82} / 800_Gbps;
  EXPECT_EQ(got.at, left + 650ns);
  EXPECT_EQ(got.bytes, object);
  EXPECT_EQ(got.message.kind, MessageKind::write_data);
  EXPECT_EQ(got.message.remote, 0x777U);
  EXPECT_EQ(got.message.connection, 3U);
  EXPECT_EQ(got.journey[Stage::dram], granule(b) + 160ns);
  ASSERT_EQ(w.times.size(), 1U);
  EXPECT_EQ(w.times[0], left + 1300ns + granule(b) + 60ns);
  const auto done = b.slot<Completion>(test::completion_ring(0));
  EXPECT_EQ(done.wr_id, 11U);
  EXPECT_EQ(done.sequence, 1U);
  EXPECT_EQ(done.status, WorkStatus::ok);
  EXPECT_EQ(done.op, WorkOp::rdma_write);
  b.drained();
}

TEST(FabricPart, RdmaReadStoresTheObjectAndThenCompletes) {
  FabricBench b;
  Watch w;
  b.memory.watch(test::completion_ring(1), 64_KiB, dram::Dram::Watcher::to<&Watch::seen>(&w));
  b.post({.op = WorkOp::rdma_read,
          .flags = fabric::signalled,
          .connection = 3,
          .local = bus::staging_base,
          .remote = 0x123,
          .length = 600'000,
          .wr_id = 12},
         start, 1);
  b.run();
  std::vector<unsigned char> stored(600'000);
  b.memory.memory().read(bus::staging_base, stored);
  for (std::size_t i = 0; i < stored.size(); ++i) ASSERT_EQ(stored[i], test::pattern(0x123 + i)) << i;
  const Time asked = start + 5ns + 300ns + 98_B / 800_Gbps + 650ns;
  EXPECT_EQ(b.client.seen[0].at, asked);
  const Time ready = asked + 650ns + 300ns + 5ns;
  const Duration wire = 2 * (Bytes{262'144 + 64 * 82} / 800_Gbps) + Bytes{75'712 + 19 * 82} / 800_Gbps;  // three bursts, each rounded up
  const Time visible = ready + wire + granule(b) + 60ns;
  ASSERT_EQ(w.times.size(), 1U);
  EXPECT_EQ(w.times[0], visible + granule(b) + 60ns);
  EXPECT_EQ(b.slot<Completion>(test::completion_ring(1)).length, 600'000U);
  b.drained();
}

TEST(FabricPart, AResponseNeverPassesTheDataOfItsConnection) {
  FabricBench b;
  b.post({.op = WorkOp::rdma_write, .connection = 3, .local = bus::staging_base, .length = 1'000'000}, start);
  b.post({.op = WorkOp::send, .status = 6, .connection = 3, .command = 99, .size = 1'000'000}, start);
  b.post({.op = WorkOp::send, .connection = 4, .command = 100}, start);
  b.run();
  ASSERT_EQ(b.client.seen.size(), 3U);
  EXPECT_EQ(b.client.seen[0].message.command, 100U) << "another connection does not wait";
  EXPECT_EQ(b.client.seen[0].at, start + 15ns + 300ns + 98_B / 800_Gbps + 650ns);
  EXPECT_EQ(b.client.seen[1].message.kind, MessageKind::write_data);
  EXPECT_EQ(b.client.seen[2].message.command, 99U);
  EXPECT_EQ(b.client.seen[2].message.status, 6U);
  EXPECT_EQ(b.client.seen[2].message.size, Bytes{1'000'000});
  EXPECT_EQ(b.client.seen[2].at, b.client.seen[1].at + 98_B / 800_Gbps);
  b.drained();
}

TEST(FabricPart, FullDuplexAtTheWireRate) {
  FabricBench b{Config{}, false};
  for (std::uint32_t i = 0; i < 64; ++i) {
    b.post({.op = WorkOp::rdma_write, .connection = i, .local = bus::staging_base + i * 0x100000, .length = 1U << 20U}, start);
    b.post({.op = WorkOp::rdma_read, .connection = 64 + i, .local = bus::staging_base + i * 0x100000, .length = 1U << 20U}, start);
  }
  const Time end = b.run();
  const Duration ideal = 64 * (Bytes{256 * (4096 + 82)} / 800_Gbps);
  EXPECT_GE(end - start, ideal);
  EXPECT_LE(end - start, ideal + ideal / 100) << "both directions at once";
  EXPECT_EQ(b.client.seen.size(), 128U);
  b.drained();
}

TEST(FabricPart, MessageRateBoundsResponses) {
  Config c;
  c.message_rate = 10_MHz;
  FabricBench b{c, false};
  for (std::uint32_t i = 0; i < 64; ++i) b.post({.op = WorkOp::send, .connection = i}, start);
  b.run();
  ASSERT_EQ(b.client.seen.size(), 64U);
  EXPECT_EQ(b.client.seen[63].at, start + 64 * 100ns + 300ns + 98_B / 800_Gbps + 650ns);
  EXPECT_EQ(b.core.answers.back().accepted, start + 63 * 100ns) << "the register takes them at that rate";
  b.drained();
}

TEST(FabricPart, EveryLatencyKnob) {
  Config c;
  c.propagation = 2us;
  c.nic_latency = 50ns;
  c.register_latency = 7ns;
  c.burst = c.transmit_buffer = 8_KiB;
  FabricBench b{c, false};
  b.post({.op = WorkOp::rdma_write, .local = bus::staging_base, .length = 16384}, start);
  b.run();
  const Duration piece = granule(b) + 160ns + Bytes{2 * (4096 + 82)} / 800_Gbps;
  EXPECT_EQ(b.client.seen[0].at, start + 5ns + 50ns + 2 * piece + 2us) << "a buffer of one burst: the next is asked for when it has left";
  EXPECT_EQ(b.core.answers.back().at, start + 7ns);
  b.drained();
}

TEST(FabricPart, FullRingWaitsForSoftware) {
  FabricBench b{Config{}, true, 2};
  for (std::uint64_t i = 0; i < 3; ++i) b.post({.op = WorkOp::send, .flags = fabric::signalled, .wr_id = i}, start);
  b.run(start + 100us);
  EXPECT_EQ(b.slot<Completion>(test::completion_ring(0)).wr_id, 0U);
  EXPECT_EQ(b.slot<Completion>(test::completion_ring(0)).sequence, 1U);
  b.set(0, fabric::reg::completion_consumed, 1, start + 200us);
  b.run();
  EXPECT_EQ(b.slot<Completion>(test::completion_ring(0)).wr_id, 2U);
  EXPECT_EQ(b.slot<Completion>(test::completion_ring(0)).sequence, 3U) << "the first slot again";
  b.drained();
}

TEST(FabricPart, MistakesAreAnswered) {
  FabricBench b;
  b.post({.op = static_cast<WorkOp>(9), .wr_id = 1}, start);
  b.post({.op = WorkOp::send, .connection = 4096, .wr_id = 2}, start);
  b.post({.op = WorkOp::rdma_write, .length = 0, .wr_id = 3}, start);
  b.client.send({.kind = MessageKind::read_data, .size = 64_B, .read_tag = 1}, start);
  b.client.send({.kind = MessageKind::response}, start);
  b.client.send({.kind = MessageKind::capsule, .connection = 4096}, start);
  const auto odd = b.core.write(bus::nic_base + fabric::reg::receive_base, std::vector<unsigned char>(4), start);
  const auto unknown = b.core.write(bus::nic_base + 0x800, std::vector<unsigned char>(8), start);
  const auto read = b.core.read(bus::nic_base + 0x1000 + fabric::reg::receive_base, 8_B, start);
  b.run();
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto c = b.slot<Completion>(test::completion_ring(0) + 32 * i);
    EXPECT_EQ(c.wr_id, i + 1);
    EXPECT_EQ(c.status, WorkStatus::bad_request);
  }
  ASSERT_EQ(b.client.statuses.size(), 3U);
  for (const auto s : b.client.statuses) EXPECT_EQ(s, tlm::TLM_GENERIC_ERROR_RESPONSE);
  EXPECT_EQ(b.core[odd].status, tlm::TLM_BURST_ERROR_RESPONSE);
  EXPECT_EQ(b.core[unknown].status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  std::uint64_t base = 0;
  std::memcpy(&base, b.core[read].bytes.data(), 8);
  EXPECT_EQ(base, test::receive_ring(1));
  EXPECT_EQ(b.port.journeys().live(), 0U);
  b.drained();
}

TEST(FabricPart, ReadLimitHoldsFurtherReads) {
  Config c;
  c.reads = 1;
  FabricBench b{c, false};
  for (std::uint32_t i = 0; i < 3; ++i)
    b.post({.op = WorkOp::rdma_read, .connection = i, .local = bus::staging_base, .length = 4096}, start);
  b.run();
  ASSERT_EQ(b.client.seen.size(), 3U);
  const Duration turn = b.client.seen[1].at - b.client.seen[0].at;
  EXPECT_EQ(turn, 2 * 650ns + 300ns + 5ns + Bytes{4096 + 82} / 800_Gbps + granule(b) + 60ns + 98_B / 800_Gbps)
      << "one round trip, up to visibility";
  EXPECT_EQ(b.client.seen[2].at - b.client.seen[1].at, turn);
  b.drained();
}

TEST(FabricPart, ClientThatTakesNothingStopsTheWireOut) {
  FabricBench b{Config{}, false};
  b.client.withholding = true;
  for (std::uint32_t i = 0; i < 200; ++i)
    b.post({.op = WorkOp::rdma_write, .connection = i, .local = bus::staging_base, .length = 262'144}, start);
  b.run();
  EXPECT_LE(b.memory.timing().busy(), 72 * b.memory.timing().own(256_KiB)) << "64 messages wait, a buffer of four bursts behind them";
  EXPECT_GE(b.memory.timing().busy(), 64 * b.memory.timing().own(256_KiB));
  Stall stall;
  b.port.explain(stall);
  EXPECT_FALSE(stall.lines().empty());
}

TEST(FabricPart, RandomStressKeepsBytesAndLaws) {
  FabricBench b{Config{}, true, 4096};
  Random random{21, "fabric"};
  std::uint64_t written = 0, read = 0, messages = 0;
  for (int i = 0; i < 600; ++i) {
    const Time at = start + Duration{static_cast<std::int64_t>(random.below(400'000'000))};
    const auto connection = static_cast<std::uint32_t>(random.below(8));
    const std::uint64_t length = 1 + random.below(random.below(4) == 0 ? 700'000 : 5'000);
    const std::uint64_t local = bus::staging_base + static_cast<std::uint64_t>(i) * (1U << 20U);
    switch (random.below(4)) {
      case 0: b.client.capsule(static_cast<std::uint64_t>(i), at, connection); break;
      case 1:
        b.post({.op = WorkOp::send, .flags = fabric::signalled, .connection = connection}, at, 1);
        ++messages;
        break;
      case 2:
        b.post({.op = WorkOp::rdma_write, .flags = fabric::signalled, .connection = connection, .local = local, .length = length}, at);
        written += length;
        ++messages;
        break;
      default:
        b.post({.op = WorkOp::rdma_read,
                .flags = fabric::signalled,
                .connection = connection,
                .local = local,
                .remote = local,
                .length = length},
               at);
        read += length;
        ++messages;
        break;
    }
  }
  b.run();
  std::uint64_t got = 0, asked = 0;
  for (const auto& s : b.client.seen) {
    if (s.message.kind == MessageKind::write_data) got += s.bytes.size();
    if (s.message.kind != MessageKind::read_request) continue;
    asked += s.message.size.count;
    std::vector<unsigned char> stored(s.message.size.count);
    b.memory.memory().read(s.message.remote, stored);
    for (std::size_t i = 0; i < stored.size(); ++i) ASSERT_EQ(stored[i], test::pattern(s.message.remote + i));
  }
  EXPECT_EQ(b.client.seen.size(), messages);
  EXPECT_EQ(got, written);
  EXPECT_EQ(asked, read);
  b.drained();
}

/// Memory that takes nothing: the receive buffer fills, the queue fills, and then client_in withholds END_REQ.
TEST(FabricPart, StalledMemoryReachesTheClient) {
  Config c;
  c.receive_queue = 4;
  test::Bench bench;
  fabric::ModelPort port{"fabric", bench.environment, c};
  test::Client client{"client", bench.agenda, false};
  test::StallingTarget memory{"memory", bench.agenda};
  test::Initiator core{"core", bench.agenda};
  checks::ProtocolChecker checker{"checker"};
  client.out.socket.bind(checker.in);
  checker.out.bind(port.client_in());
  port.client_out().bind(client.in.socket);
  port.mem().bind(memory.port.socket);
  core.port.socket.bind(port.regs());
  memory.stalled = true;
  for (std::uint32_t i = 0; i < 20; ++i) {
    const WorkRequest r{.op = WorkOp::rdma_read, .connection = i, .local = bus::staging_base, .length = 1U << 20U};
    std::vector<unsigned char> bytes(sizeof r);
    std::memcpy(bytes.data(), &r, sizeof r);
    core.write(bus::nic_base, bytes, start);
  }
  bench.run(start + 1ms);
  EXPECT_EQ(client.taken, 5U) << "one fills the buffer, four wait in the queue";
  EXPECT_EQ(client.out.waiting(), 15U);
  Stall stall;
  port.explain(stall);
  EXPECT_FALSE(stall.lines().empty());
  memory.release_at(start + 2ms);
  bench.run();
  EXPECT_EQ(client.taken, 20U);
  EXPECT_EQ(client.statuses.size(), 20U);
  test::expect_clean(checker);
  test::expect_lawful(port, bench.agenda.now());
}

}  // namespace
}  // namespace flashpath

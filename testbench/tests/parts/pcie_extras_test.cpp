// SPDX-License-Identifier: Apache-2.0
// What a link between sockets does on request: completion timeout, translation, retrain; a switch: peer to peer, arbitration.
#include "parts/pcie_bench.h"

using namespace flashpath;
using namespace flashpath::pcie;
using namespace flashpath::test::pcie_bench;

namespace {
std::uint64_t count(const stats::Group& group, std::string_view name) {
  std::uint64_t sum = 0;
  for (const auto* c : group.counters()) sum += c->name == name ? c->value : 0;
  for (const auto* child : group.children()) sum += count(*child, name);
  return sum;
}
}  // namespace

TEST(PcieExtras, AReadThatIsAnsweredInTimeIsAsWithout) {
  Config c = gen5();
  c.completion_timeout = 50us;
  OneLink t{c, true};
  for (unsigned i = 0; i < 4096; ++i) t.host.memory[0x1000 + i] = static_cast<unsigned char>(i * 7);
  std::vector<unsigned char> bytes(4096);
  t.device.send(read_command, 0x1000, 4_KiB, zero, 1, bytes.data());
  t.bench.run();
  const Answer& a = t.device.answers[1];
  EXPECT_EQ(a.at, zero + 1'524_ps + 40ns + 100ns + 17'520_ps + 40ns);
  EXPECT_EQ(a.stream.last, zero + 1'524_ps + 40ns + 100ns + 280'313_ps + 40ns);
  EXPECT_EQ(a.status, tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(a.journey.sum(), a.at - zero);
  EXPECT_EQ(std::memcmp(bytes.data(), t.host.memory.data() + 0x1000, 4096), 0);
  EXPECT_EQ(count(t.link.stats, "timeouts"), 0U);
  t.expect_drained();
}

class PcieTimeout : public ::testing::TestWithParam<int> {};
TEST_P(PcieTimeout, AReadThatIsNotAnsweredFailsOnTimeAndItsCompletionIsDropped) {
  Config c = gen5();
  c.completion_timeout = 50us;
  OneLink t{c, true};
  t.host.latency = GetParam() * 1us;
  const bool in_time = t.host.latency < 50us;
  std::vector<unsigned char> bytes(4096, 0xAA);
  t.device.send(read_command, 0x1000, 4_KiB, zero, 1, bytes.data());
  t.bench.run();
  EXPECT_EQ(t.device.count, 1U);
  EXPECT_EQ(t.device.answers[1].status, in_time ? tlm::TLM_OK_RESPONSE : tlm::TLM_GENERIC_ERROR_RESPONSE);
  if (!in_time) { EXPECT_EQ(t.device.answers[1].at, zero + 50us); }
  EXPECT_EQ(bytes[0], in_time ? 0 : 0xAA);  // what comes later touches nothing
  EXPECT_EQ(count(t.link.stats, "timeouts"), in_time ? 0U : 1U);
  EXPECT_EQ(count(t.link.stats, "late"), in_time ? 0U : 1U);
  t.expect_drained();
}
INSTANTIATE_TEST_SUITE_P(Latencies, PcieTimeout, ::testing::Values(49, 100));

TEST(PcieExtras, ARetrainLongerThanTheTimeout) {
  Config c = gen5();
  c.completion_timeout = 50us;
  c.retrain_time = 1ms;
  OneLink t{c};
  t.link.retrain(zero);
  t.device.send(read_command, 0x1000, 4_KiB, zero, 1);
  t.device.send(write_command, 0x9000, 4_KiB, zero, 2);
  t.bench.run();
  EXPECT_EQ(t.device.answers[1].at, zero + 50us);
  EXPECT_EQ(t.device.answers[1].status, tlm::TLM_GENERIC_ERROR_RESPONSE);
  EXPECT_EQ(t.device.answers[2].status, tlm::TLM_OK_RESPONSE);
  EXPECT_GE(t.device.answers[2].accepted, zero + 1ms);
  EXPECT_EQ(count(t.link.stats, "retrains"), 1U);
  t.expect_drained();
}

TEST(PcieExtras, IommuDelaysBehindTheLink) {
  Config c = gen5();
  c.translation = Translation::iommu;
  c.walk_latency = 500ns;
  OneLink t{c};
  t.device.send(write_command, 0x1000, 4_KiB, zero, 1);
  t.device.send(write_command, 0x1000, 4_KiB, zero, 2);  // a hit by then
  t.bench.run();
  EXPECT_EQ(t.host.seen[0].at, zero + piece_write + 40ns + 500ns);
  EXPECT_EQ(t.host.seen[0].stream.last, zero + piece_write + 40ns + 500ns);  // the rest has come meanwhile
  EXPECT_EQ(t.host.seen[1].at, zero + piece_write + 40ns + 500ns);
  EXPECT_EQ(count(t.link.stats, "misses"), 1U);
  t.expect_drained();
}

TEST(PcieExtras, AtsDelaysBeforeTheLink) {
  Config c = gen5();
  c.translation = Translation::ats;
  c.walk_latency = 500ns;
  OneLink t{c};
  t.device.send(write_command, 0x1000, 4_KiB, zero, 1);
  t.device.send(read_command, 0x5000, 64_B, zero, 2);
  t.bench.run();
  const Duration miss = 1'524_ps + 1'778_ps + 80ns + 500ns;
  EXPECT_EQ(t.device.answers[1].accepted, zero);  // while it is translated the device may go on
  EXPECT_EQ(t.host.seen[0].at, zero + miss + piece_write + 40ns);
  EXPECT_EQ(t.host.seen[1].at, zero + miss + wire_4k + 1'524_ps + 40ns);
  EXPECT_EQ(t.device.answers[1].at, zero + miss + wire_4k);
  t.expect_drained();
}

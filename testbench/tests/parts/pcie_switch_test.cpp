// SPDX-License-Identifier: Apache-2.0
// Nine drives behind a switch: cut-through, the shared uplink, routing, bytes, order, conservation.
#include "parts/pcie_bench.h"

using namespace flashpath;
using namespace flashpath::pcie;
using namespace flashpath::test::pcie_bench;

namespace {
/// Nine drives behind a switch, each with its link; MMIO from a core.
struct Nine {
  static constexpr std::uint32_t drives = 9;
  Nine(const Config& drive, const Config& uplink, const SwitchConfig& config = {}, bool data = false)
      : bench{1ms, data}, fabric{"switch", bench.environment, config, uplink, drives} {
    for (std::uint32_t i = 0; i < drives; ++i) {
      const std::string n = std::to_string(i);
      links.push_back(std::make_unique<ModelLinkPart>(("link" + n).c_str(), bench.environment, drive, static_cast<std::uint16_t>(i)));
      devices.push_back(std::make_unique<Source>(("device" + n).c_str(), bench.agenda));
      bars.push_back(std::make_unique<Memory>(("bar" + n).c_str(), bench.agenda));
      devices[i]->out.socket.bind(links[i]->from_device());
      links[i]->to_host().bind(fabric.from_device(i));
      fabric.to_device(i).bind(links[i]->from_host());
      links[i]->to_device().bind(bars[i]->in.socket);
    }
    fabric.to_host().bind(host_check.in);
    host_check.out.bind(host.in.socket);
    core.out.socket.bind(fabric.from_host());
  }
  void expect_drained() {
    host_check.finish();
    for (const auto& v : host_check.violations()) ADD_FAILURE() << v;
    EXPECT_EQ(host_check.transactions(), host.record ? host.seen.size() : 9U * 504U);
    for (auto& d : devices) EXPECT_EQ(d->pool.outstanding(), 0U);
    for (auto& l : links) expect_laws(*l, bench.agenda.now());
    expect_laws(fabric, bench.agenda.now());
  }
  test::Bench bench;
  Memory host{"host", bench.agenda};
  Source core{"core", bench.agenda};
  checks::ProtocolChecker host_check{"host_check"};
  ModelSwitchPart fabric;
  std::vector<std::unique_ptr<ModelLinkPart>> links;
  std::vector<std::unique_ptr<Source>> devices;
  std::vector<std::unique_ptr<Memory>> bars;
};
Config gen5_x16() {
  Config c = gen5();
  c.lanes = 16;
  return c;
}
}  // namespace

TEST(PciePart, CutThroughASwitchClosedForm) {
  Nine t{gen5(), gen5_x16()};
  t.devices[3]->send(write_command, 0x1000, 64_KiB, zero, 1);
  t.bench.run();
  // 64 KiB x4: 4550 ns; one TLP x4 17.774 ns, x16 4.444 ns. The size shows only in the last byte.
  EXPECT_EQ(t.host.seen[0].at, zero + piece_write + 40ns + 4'444_ps + 110ns + 40ns);
  EXPECT_EQ(t.host.seen[0].stream.last, zero + 4550ns + 40ns + 4'444_ps + 110ns + 40ns);
  EXPECT_EQ(t.host.seen[0].source, 3U);
  t.expect_drained();
}

TEST(PciePart, NineDrivesShareTheUplink) {
  Config drive = gen5();
  Nine t{drive, gen5_x16()};
  t.host.record = false;
  for (auto& d : t.devices) {
    d->more = 500;
    d->again = 16_KiB;
    for (std::uint64_t i = 0; i < 4; ++i) d->send(write_command, i * 65536, 16_KiB, zero, i);
  }
  // 9 x 14.4 GB/s against 57.6 GB/s.
  t.bench.run(zero + 20us);
  const std::uint64_t before = t.host.bytes_seen;
  t.bench.run(zero + 820us);
  const double rate = static_cast<double>(t.host.bytes_seen - before) / 800e-6 * 1e-9;
  EXPECT_NEAR(rate / 57.61, 1.0, 0.005);
  std::uint64_t least = ~0ULL, most = 0;
  for (auto& d : t.devices) {
    least = std::min(least, d->count);
    most = std::max(most, d->count);
  }
  EXPECT_LE(most - least, 2U);  // first come, first served: equal shares
  t.bench.run();
  EXPECT_EQ(t.host.bytes_seen, 9U * 504U * 16384U);
  t.expect_drained();
}

TEST(PciePart, MmioIsRoutedByBarThroughSwitchAndLink) {
  Nine t{gen5(), gen5_x16()};
  unsigned char word[4] = {7, 0, 0, 0}, value[4] = {};
  for (std::uint64_t i = 0; i < 9; ++i) t.core.send(write_command, bus::bar_base + i * bus::bar_stride + 0x1008, 4_B, zero, i, word);
  t.core.send(read_command, bus::bar_base + 8 * bus::bar_stride + 0x1008, 4_B, zero, 100, value);
  t.core.send(read_command, bus::bar_base + 9 * bus::bar_stride, 4_B, zero, 101, value);
  t.core.send(write_command, bus::bar_base + 9 * bus::bar_stride, 4_B, zero, 102, word);
  t.bench.run();
  for (std::uint64_t i = 0; i < 9; ++i) {
    ASSERT_GE(t.bars[i]->seen.size(), 1U);
    EXPECT_EQ(t.bars[i]->seen[0].address, bus::bar_base + i * bus::bar_stride + 0x1008);
  }
  // x16: 28 B take 444.3 ps, rounded up; x4: 1777.4 ps.
  EXPECT_EQ(t.bars[0]->seen[0].at, zero + 445_ps + 150ns + 1'778_ps + 40ns);
  EXPECT_EQ(t.core.answers[100].status, tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(value[0], 7);
  EXPECT_EQ(t.core.answers[101].status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(t.core.answers[102].status, tlm::TLM_OK_RESPONSE);
  t.expect_drained();
}

TEST(PciePart, BytesSurviveLinkAndSwitchUnderRandomTraffic) {
  Nine t{gen5(), gen5_x16(), SwitchConfig{}, true};
  Random random{3, "bytes"};
  // Each drive writes its own 64 KiB area in 16 pieces, from a buffer that it spoils as soon as it is answered, then reads it back.
  std::vector<std::vector<unsigned char>> expected(9, std::vector<unsigned char>(65536)), buffers(9),
      back(9, std::vector<unsigned char>(65536));
  for (std::uint32_t d = 0; d < 9; ++d) {
    for (auto& b : expected[d]) b = static_cast<unsigned char>(random.next());
    buffers[d] = expected[d];
    for (std::uint64_t i = 0; i < 16; ++i)
      t.devices[d]->send(write_command, d * 65536U + i * 4096, 4_KiB, zero, i, buffers[d].data() + i * 4096);
  }
  Time at = zero;
  while (t.host.seen.size() < 9 * 16) {
    at += 50ns;
    t.bench.run(at);
    for (std::uint32_t d = 0; d < 9; ++d) {
      for (std::uint64_t i = 0; i < 16; ++i) {
        const auto a = t.devices[d]->answers.find(i);
        if (a != t.devices[d]->answers.end() && a->second.at > zero) std::memset(buffers[d].data() + i * 4096, 0xEE, 4096);
      }
    }
  }
  t.bench.run();
  const Time now = t.bench.agenda.now();
  for (std::uint32_t d = 0; d < 9; ++d) {
    for (std::uint64_t i = 0; i < 13; ++i) {
      t.devices[d]->send(read_command, d * 65536U + i * 5000, Bytes{std::min<std::uint64_t>(5000, 65536 - i * 5000)}, now, 100 + i,
                         back[d].data() + i * 5000);
    }
    t.devices[d]->send(read_command, d * 65536U + 65000, 536_B, now, 200, back[d].data() + 65000);
  }
  t.bench.run();
  for (std::uint32_t d = 0; d < 9; ++d) {
    EXPECT_EQ(std::memcmp(back[d].data(), expected[d].data(), 65000), 0) << "drive " << d;
    EXPECT_EQ(back[d], expected[d]) << "drive " << d;
  }
  // Per drive the writes arrived in order.
  std::vector<std::uint64_t> next(9, 0);
  for (const Seen& s : t.host.seen) {
    if (!s.write) continue;
    EXPECT_EQ(s.address, s.source * 65536U + 4096 * next[s.source]++);
  }
  t.expect_drained();
}

TEST(PciePart, SlowHostUnderRandomStressConservesAndKeepsOrder) {
  Config drive = gen5();
  drive.tags = 32;
  drive.posted_data = 16_KiB;
  Nine t{drive, gen5_x16()};
  Random random{9, "stress"};
  Time at = zero;
  std::vector<std::vector<std::uint64_t>> sent(9);
  std::uint64_t reads = 0;
  for (int i = 0; i < 6000; ++i) {
    at += Duration{static_cast<std::int64_t>(random.below(200'000))};
    t.bench.run(at);
    if (i % 37 == 0) t.host.closed = true;
    if (i % 37 == 20) t.host.open(at);
    const auto d = static_cast<std::uint32_t>(random.below(9));
    const std::uint64_t address = static_cast<std::uint64_t>(i) << 16U;
    const bool write = random.below(3) != 0;
    t.devices[d]->send(write ? write_command : read_command, address, Bytes{1 + random.below(16384)}, at, static_cast<std::uint64_t>(i));
    if (write) sent[d].push_back(address);
    else ++reads;
    if (i % 500 == 0) {
      expect_laws(t.fabric, at);
      for (auto& l : t.links) expect_laws(*l, at);
    }
  }
  t.host.open(at);
  t.bench.run();
  std::vector<std::size_t> next(9, 0);
  std::uint64_t read_seen = 0;
  for (const Seen& s : t.host.seen) {
    if (s.write) {
      ASSERT_EQ(s.address, sent[s.source].at(next[s.source]++));
    } else ++read_seen;
  }
  for (std::uint32_t d = 0; d < 9; ++d) EXPECT_EQ(next[d], sent[d].size());
  EXPECT_EQ(read_seen, reads);
  std::uint64_t answered = 0;
  for (auto& d : t.devices) answered += d->count;
  EXPECT_EQ(answered, 6000U);
  t.expect_drained();
}

// Drive 2 writes into drive 5's BAR (a controller memory buffer, say) and reads it back: the uplink sees nothing of it.
TEST(PciePart, PeerToPeerLeavesTheUplinkAlone) {
  Nine t{gen5(), gen5_x16(), SwitchConfig{.peer_to_peer = true}, true};
  const std::uint64_t there = bus::bar_base + 5 * bus::bar_stride + 0x10000;
  std::vector<unsigned char> bytes(4096), back(4096);
  for (unsigned i = 0; i < 4096; ++i) bytes[i] = static_cast<unsigned char>(i * 11);
  t.devices[2]->send(write_command, there, 4_KiB, zero, 1, bytes.data());
  t.bench.run();
  ASSERT_EQ(t.bars[5]->seen.size(), 1U);
  // Two links of x4 and the switch between them.
  EXPECT_EQ(t.bars[5]->seen[0].at, zero + piece_write + 40ns + 110ns + piece_write + 40ns);
  EXPECT_EQ(t.bars[5]->seen[0].stream.last, zero + wire_4k + 40ns + 110ns + piece_write + 40ns);
  EXPECT_EQ(t.fabric.uplink().up.bursts.value, 0U);
  const Time then = t.bench.agenda.now() + 1us;
  t.bench.run(then);
  t.devices[2]->send(read_command, there, 4_KiB, then, 2, back.data());
  t.bench.run();
  EXPECT_EQ(t.devices[2]->answers[2].status, tlm::TLM_OK_RESPONSE);
  const Duration request = 1'524_ps + 40ns, answer = 17'520_ps + 40ns;
  EXPECT_EQ(t.devices[2]->answers[2].at, then + request + 110ns + request + 100ns + answer + 110ns + answer);
  EXPECT_EQ(bytes, back);
  // Its own BAR is nobody else's, and the host's memory is where it was.
  t.devices[2]->send(write_command, 0x1000, 64_B, t.bench.agenda.now(), 3, bytes.data());
  t.bench.run();
  EXPECT_EQ(t.fabric.uplink().up.bursts.value, 1U);
  EXPECT_EQ(t.host.seen.size(), 1U);
  t.expect_drained();
}

TEST(PciePart, WithoutPeerToPeerItIsTheHostsAffair) {
  Nine t{gen5(), gen5_x16()};
  t.devices[2]->send(write_command, bus::bar_base + 5 * bus::bar_stride, 4_KiB, zero, 1);
  t.bench.run();
  EXPECT_EQ(t.host.seen.size(), 1U);
  EXPECT_TRUE(t.bars[5]->seen.empty());
  t.expect_drained();
}

// Eight drives and one with large bursts on a full uplink: first come first served gives it what it asks for, turns a burst, weights bytes.
class PcieIncast : public ::testing::TestWithParam<std::pair<Arbitration, const char*>> {};
TEST_P(PcieIncast, SharesOfTheUplink) {
  const auto [arbitration, weights] = GetParam();
  Nine t{gen5(), gen5(), SwitchConfig{.arbitration = arbitration, .weights = weights}};  // an uplink as narrow as a drive's link
  t.host.record = false;
  for (std::uint32_t d = 0; d < 9; ++d) {
    t.devices[d]->more = 500;
    t.devices[d]->again = d == 0 ? 16_KiB : 4_KiB;
    for (std::uint64_t i = 0; i < 8; ++i) t.devices[d]->send(write_command, i * 65536, t.devices[d]->again, zero, i);
  }
  t.bench.run(zero + 300us);
  const double first = static_cast<double>(t.devices[0]->count) * 16384, other = static_cast<double>(t.devices[8]->count) * 4096;
  const double expected = arbitration == Arbitration::weighted ? std::string_view{weights} == "1" ? 1 : 2 : 4;
  EXPECT_NEAR(first / other, expected, 0.12 * expected);
  const double rate = static_cast<double>(t.host.bytes_seen) / 300e-6 * 1e-9;
  EXPECT_NEAR(rate / 14.40, 1.0, 0.01);  // the uplink is full whoever goes
  EXPECT_GT(t.fabric.uplink().up.wait.value, 0U);
  t.bench.run();
  for (auto& l : t.links) expect_laws(*l, t.bench.agenda.now());
  expect_laws(t.fabric, t.bench.agenda.now());
}
INSTANTIATE_TEST_SUITE_P(Policies, PcieIncast,
                         ::testing::Values(std::pair{Arbitration::fifo, ""}, std::pair{Arbitration::round_robin, ""},
                                           std::pair{Arbitration::weighted, "1"}, std::pair{Arbitration::weighted, "2,1"}));

// SPDX-License-Identifier: Apache-2.0
// A link between sockets: closed forms, back-pressure, order, bytes, conservation.
#include "parts/pcie_bench.h"

using namespace flashpath;
using namespace flashpath::pcie;
using namespace flashpath::test::pcie_bench;

TEST(PciePart, PostedWriteClosedForm) {
  OneLink t{gen5()};
  t.device.send(write_command, 0x1000, 4_KiB, zero, 1);
  t.device.send(write_command, 0x2000, 4_KiB, zero, 2);
  t.device.send(write_command, 0x3000, 4_KiB, zero, 3);
  t.bench.run();
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto n = static_cast<std::int64_t>(i);
    EXPECT_EQ(t.device.answers[i + 1].accepted, zero + n * wire_4k);  // when the serialiser starts it
    EXPECT_EQ(t.device.answers[i + 1].at, zero + (n + 1) * wire_4k);  // when its last byte has left
    EXPECT_EQ(t.host.seen[i].at, zero + n * wire_4k + piece_write + 40ns);
    EXPECT_EQ(t.host.seen[i].stream.last, zero + (n + 1) * wire_4k + 40ns);
    EXPECT_EQ(t.host.seen[i].source, 5U);
    EXPECT_EQ(t.host.seen[i].master, Master::drive);
    EXPECT_EQ(t.device.answers[i + 1].journey[Stage::link_wait], n * wire_4k);
    EXPECT_EQ(t.device.answers[i + 1].journey[Stage::link], wire_4k);
  }
  t.expect_drained();
}

TEST(PciePart, ReadClosedForm) {
  OneLink t{gen5()};
  t.device.send(read_command, 0x1000, 4_KiB, zero, 1);
  t.bench.run();
  const Duration request = 1'524_ps + 40ns, answer = 17'520_ps + 40ns;
  EXPECT_EQ(t.host.seen[0].at, zero + request);
  const Answer& a = t.device.answers[1];
  EXPECT_EQ(a.at, zero + request + 100ns + answer);
  EXPECT_EQ(a.stream.first, a.at);
  EXPECT_EQ(a.stream.last, zero + request + 100ns + 280'313_ps + 40ns);
  EXPECT_EQ(a.journey[Stage::link], request + answer);
  EXPECT_EQ(a.journey[Stage::dram], 100ns);
  EXPECT_EQ(a.journey.sum(), a.at - zero);
  EXPECT_EQ(a.status, tlm::TLM_OK_RESPONSE);
  t.expect_drained();
}

TEST(PciePart, MmioClosedForm) {
  OneLink t{gen5()};
  unsigned char doorbell[4] = {1, 2, 3, 4}, value[8] = {};
  t.core.send(write_command, bus::bar_base + 0x1000, 4_B, zero, 1, doorbell);
  t.core.send(read_command, bus::bar_base + 0x1000, 8_B, zero, 2, value);
  t.bench.run();
  // 28 B of write: 1777.4 ps; then 24 B of request: 1523.4 ps; the completion 28 B.
  EXPECT_EQ(t.core.answers[1].at, zero + 1'778_ps);
  EXPECT_EQ(t.bar.seen[0].at, zero + 1'778_ps + 40ns);
  EXPECT_EQ(t.bar.seen[0].first_word, 0x04030201U);
  EXPECT_EQ(t.bar.seen[1].at, zero + 1'778_ps + 1'524_ps + 40ns);
  EXPECT_EQ(t.core.answers[2].at, t.bar.seen[1].at + 100ns + 1'778_ps + 40ns);
  t.expect_drained();
}

TEST(PciePart, SixtyFourDeepIsTheLineRate) {
  OneLink t{Config{}};
  for (std::uint64_t i = 0; i < 64; ++i) t.device.send(write_command, i * 65536, 64_KiB, zero, i);
  t.bench.run();
  const Duration one = Wire{Config{}}.time(64_KiB + 128 * 16_B);
  for (std::uint64_t i = 0; i < 64; ++i) EXPECT_EQ(t.device.answers[i].at, zero + static_cast<std::int64_t>(i + 1) * one);
  const double rate = 64 * 65536 / to_seconds(t.device.answers[63].at - zero) * 1e-9;
  EXPECT_NEAR(rate, 28.61 * 0.998, 0.03);
  t.expect_drained();
}

TEST(PciePart, HostThatTakesNothingStopsTheDevice) {
  Config c = gen5();
  c.posted_data = 8_KiB;
  OneLink t{c};
  t.host.closed = true;
  for (std::uint64_t i = 0; i < 4; ++i) t.device.send(write_command, i * 4096, 4_KiB, zero, i);
  t.bench.run();
  EXPECT_EQ(t.device.count, 2U);  // two have left the serialiser, the third has not started
  Stall stall;
  t.link.explain(stall);
  EXPECT_FALSE(stall.lines().empty());
  const Time open = zero + 10us;
  t.bench.run(open);
  t.host.open(open);
  t.bench.run();
  EXPECT_EQ(t.device.answers[2].accepted, open);
  EXPECT_EQ(t.device.answers[2].at, open + wire_4k);
  EXPECT_EQ(t.device.answers[3].at, open + 2 * wire_4k);
  t.expect_drained();
}

TEST(PciePart, ErrorsAreData) {
  OneLink t{gen5()};
  t.host.hole = 0x9000;
  t.device.send(read_command, 0x9000, 4_KiB, zero, 1);
  t.bench.run();
  EXPECT_EQ(t.device.answers[1].status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(t.device.answers[1].at, zero + 1'524_ps + 40ns + 100ns + 1'270_ps + 40ns);  // a completion of 20 B
  t.device.send(write_command, 0x9000, 64_B, t.bench.agenda.now(), 2);
  t.device.send(tlm::TLM_IGNORE_COMMAND, 0x0, 64_B, t.bench.agenda.now(), 3);
  t.bench.run();
  EXPECT_EQ(t.device.answers[2].status, tlm::TLM_OK_RESPONSE);  // posted: nobody hears of it
  EXPECT_EQ(t.device.answers[3].status, tlm::TLM_COMMAND_ERROR_RESPONSE);
  t.expect_drained();
}

namespace {
/// A core that loads and stores by b_transport, with payloads from its stack.
struct LooseCore : sc_core::sc_module {
  SC_HAS_PROCESS(LooseCore);
  explicit LooseCore(const sc_core::sc_module_name& name) : sc_module{name} { SC_THREAD(run); }
  void run() {
    access(write_command, 0x11223344);
    stored = Time{from_sc(sc_core::sc_time_stamp())};
    word = access(read_command, 0);
    loaded = Time{from_sc(sc_core::sc_time_stamp())};
  }
  std::uint32_t access(tlm::tlm_command command, std::uint32_t value) {
    Payload p;
    p.set_command(command);
    p.set_address(bus::bar_base + 0x14);
    p.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    p.set_data_length(4);
    p.set_streaming_width(4);
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    out->b_transport(p, delay);
    EXPECT_TRUE(p.is_response_ok());
    sc_core::wait(delay);
    return value;
  }
  tlm_utils::simple_initiator_socket<LooseCore> out{"out"};
  std::uint32_t word = 0;
  Time stored{}, loaded{};
};
}  // namespace

TEST(PciePart, LooseLoadsAndStores) {
  test::Bench bench;
  Source device{"device", bench.agenda};
  Memory host{"host", bench.agenda}, bar{"bar", bench.agenda};
  ModelLinkPart link{"link", bench.environment, gen5(), 0};
  LooseCore core{"core"};
  device.out.socket.bind(link.from_device());
  link.to_host().bind(host.in.socket);
  core.out.bind(link.from_host());
  link.to_device().bind(bar.in.socket);
  bench.run();
  EXPECT_EQ(core.word, 0x11223344U);
  EXPECT_EQ(core.stored, zero + 1'778_ps);
  // Down: 24 B of request; 100 ns; up: 24 B of completion.
  EXPECT_EQ(core.loaded, core.stored + 1'524_ps + 40ns + 100ns + 1'524_ps + 40ns);
  expect_laws(link, bench.agenda.now());
}

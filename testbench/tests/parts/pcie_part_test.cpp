// SPDX-License-Identifier: Apache-2.0
// Links and switch between sockets: closed forms, back-pressure, order, bytes, conservation.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <map>

#include "base/random.h"
#include "kernel/sc_time.h"
#include "pcie/pcie_part.h"
#include "pcie/switch_model.h"
#include "support/sc_fixture.h"

using namespace flashpath;
using namespace flashpath::pcie;

namespace {

constexpr Time zero{};

struct Seen {
  std::uint64_t address;
  Bytes size;
  bool write;
  Time at;
  Stream stream;
  std::uint16_t source;
  Master master;
  std::uint64_t first_word;
};

/// A target with real bytes (4 MiB, addresses modulo), a latency, a gate, and a hole that answers with an address error.
struct Memory : sc_core::sc_module {
  Memory(const sc_core::sc_module_name& name, Agenda& a) : sc_module{name}, agenda{a}, in{"in", a, SplitPort::Arrived::to<&Memory::arrived>(this)} {}
  void arrived(Payload& p, Time now) {
    const Transfer& t = transfer_of(p);
    std::uint64_t word = 0;
    if (t.carries_data && p.is_write()) std::memcpy(&word, p.get_data_ptr(), std::min<std::size_t>(8, p.get_data_length()));
    if (record) seen.push_back({p.get_address(), size_of(p), p.is_write(), now, t.stream, t.source, t.master, word});
    bytes_seen += p.get_data_length();
    if (closed) held.push_back(&p);
    else serve(p, now);
  }
  void serve(Payload& p, Time now) {
    in.accept(p, now);
    agenda.post<&Memory::answer>(now + latency, this, reinterpret_cast<std::uint64_t>(&p));
  }
  void open(Time now) {
    closed = false;
    std::vector<Payload*> all;
    all.swap(held);
    for (Payload* p : all) serve(*p, now);
  }
  void answer(Time now, std::uint64_t arg) {
    Payload& p = *reinterpret_cast<Payload*>(arg);
    Transfer& t = transfer_of(p);
    if (p.get_address() == hole) {
      p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    } else {
      if (t.carries_data) {
        unsigned char* const here = memory.data() + p.get_address() % (4U << 20U);
        if (p.is_write()) std::memcpy(here, p.get_data_ptr(), p.get_data_length());
        else std::memcpy(p.get_data_ptr(), here, p.get_data_length());
      }
      if (p.is_read()) t.stream = {now, now};
      t.journey.mark(Stage::dram, now);
      p.set_response_status(tlm::TLM_OK_RESPONSE);
    }
    in.respond(p, now);
  }
  Agenda& agenda;
  SplitPort in;
  Duration latency = 100ns;
  bool closed = false, record = true;
  std::uint64_t hole = ~0ULL, bytes_seen = 0;
  std::vector<Payload*> held;
  std::vector<Seen> seen;
  std::vector<unsigned char> memory = std::vector<unsigned char>((4U << 20U) + (1U << 20U));
};

struct Answer {
  Time accepted, at;
  Stream stream;
  tlm::tlm_response_status status;
  Journey journey;
};

/// An initiator that keeps answers by tag.
struct Source : sc_core::sc_module {
  Source(const sc_core::sc_module_name& name, Agenda& a)
      : sc_module{name}, out{"out", a, InitiatorPort::Event::to<&Source::responded>(this), InitiatorPort::Event::to<&Source::accepted>(this)} {}
  void send(tlm::tlm_command command, std::uint64_t address, Bytes size, Time now, std::uint64_t tag, unsigned char* data = nullptr) {
    Payload& p = pool.take(command, address, size, data);
    Transfer& t = transfer_of(p);
    t.tag = tag;
    t.stream = {now, now};
    t.journey = Journey{now};
    out.send(p, now);
  }
  void accepted(Payload& p, Time now) { if (record) answers[transfer_of(p).tag].accepted = now; }
  void responded(Payload& p, Time now) {
    Transfer& t = transfer_of(p);
    ++count;
    if (record) {
      Answer& a = answers[t.tag];
      a.at = now;
      a.stream = t.stream;
      a.status = p.get_response_status();
      a.journey = t.journey;
    }
    const std::uint64_t tag = t.tag;
    p.release();
    if (more != 0) {
      --more;
      send(tlm::TLM_WRITE_COMMAND, (tag * 65536) % (1U << 20U), again, now, tag);
    }
  }
  InitiatorPort out;
  PayloadPool<> pool;
  bool record = true;
  std::uint64_t count = 0, more = 0;
  Bytes again{};
  std::map<std::uint64_t, Answer> answers;
};

Config gen5() { return Config{.generation = 5, .lanes = 4, .mps = 256_B, .overhead = 0, .latency = 40ns}; }

void expect_laws(const Part& part, Time now) {
  Laws laws;
  laws.about("part");
  part.check(laws, now);
  for (const auto& b : laws.broken()) ADD_FAILURE() << b;
  EXPECT_GT(laws.checked(), 8U);
}

/// device ─ link ─ host memory, and core ─ link ─ device registers; a protocol checker on each socket.
struct OneLink {
  explicit OneLink(const Config& config, bool data = false) : bench{1ms, data}, link{"link", bench.environment, config, 5} {
    device.out.socket.bind(dma_check.in);
    dma_check.out.bind(link.from_device());
    link.to_host().bind(host_check.in);
    host_check.out.bind(host.in.socket);
    core.out.socket.bind(mmio_check.in);
    mmio_check.out.bind(link.from_host());
    link.to_device().bind(bar_check.in);
    bar_check.out.bind(bar.in.socket);
  }
  void expect_drained() {
    for (auto* c : {&dma_check, &host_check, &mmio_check, &bar_check}) {
      c->finish();
      for (const auto& v : c->violations()) ADD_FAILURE() << v;
    }
    EXPECT_EQ(device.pool.outstanding(), 0U);
    EXPECT_EQ(core.pool.outstanding(), 0U);
    expect_laws(link, bench.agenda.now());
    Stall stall;
    link.explain(stall);
    EXPECT_TRUE(stall.lines().empty());
  }
  test::Bench bench;
  Source device{"device", bench.agenda}, core{"core", bench.agenda};
  Memory host{"host", bench.agenda}, bar{"bar", bench.agenda};
  checks::ProtocolChecker dma_check{"dma_check"}, host_check{"host_check"}, mmio_check{"mmio_check"}, bar_check{"bar_check"};
  ModelLinkPart link;
};

constexpr auto write_command = tlm::TLM_WRITE_COMMAND;
constexpr auto read_command = tlm::TLM_READ_COMMAND;
constexpr Duration wire_4k = 284'375_ps, piece_write = 17'774_ps;

}  // namespace

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

namespace {
/// Nine drives behind a switch, each with its link; MMIO from a core.
struct Nine {
  static constexpr std::uint32_t drives = 9;
  Nine(const Config& drive, const Config& uplink, Duration latency, bool data = false) : bench{1ms, data}, fabric{"switch", bench.environment, SwitchConfig{latency}, uplink, drives} {
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
  Nine t{gen5(), gen5_x16(), 110ns};
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
  Nine t{drive, gen5_x16(), 110ns};
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
  Nine t{gen5(), gen5_x16(), 110ns};
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
  Nine t{gen5(), gen5_x16(), 110ns, true};
  Random random{3, "bytes"};
  // Each drive writes its own 64 KiB area in 16 pieces, from a buffer that it spoils as soon as it is answered, then reads it back.
  std::vector<std::vector<unsigned char>> expected(9, std::vector<unsigned char>(65536)), buffers(9), back(9, std::vector<unsigned char>(65536));
  for (std::uint32_t d = 0; d < 9; ++d) {
    for (auto& b : expected[d]) b = static_cast<unsigned char>(random.next());
    buffers[d] = expected[d];
    for (std::uint64_t i = 0; i < 16; ++i) t.devices[d]->send(write_command, d * 65536U + i * 4096, 4_KiB, zero, i, buffers[d].data() + i * 4096);
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
      t.devices[d]->send(read_command, d * 65536U + i * 5000, Bytes{std::min<std::uint64_t>(5000, 65536 - i * 5000)}, now, 100 + i, back[d].data() + i * 5000);
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
  Nine t{drive, gen5_x16(), 110ns};
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
    if (s.write) { ASSERT_EQ(s.address, sent[s.source].at(next[s.source]++)); }
    else ++read_seen;
  }
  for (std::uint32_t d = 0; d < 9; ++d) EXPECT_EQ(next[d], sent[d].size());
  EXPECT_EQ(read_seen, reads);
  std::uint64_t answered = 0;
  for (auto& d : t.devices) answered += d->count;
  EXPECT_EQ(answered, 6000U);
  t.expect_drained();
}

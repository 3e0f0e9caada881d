// SPDX-License-Identifier: Apache-2.0
// What the tests of links and switches share: a memory and a source with sockets, and one link between them.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "base/random.h"
#include "kernel/sc_time.h"
#include "pcie/pcie_part.h"
#include "pcie/switch_model.h"
#include "support/sc_fixture.h"

namespace flashpath::test::pcie_bench {

using namespace flashpath::pcie;
inline constexpr Time zero{};

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
  Memory(const sc_core::sc_module_name& name, Agenda& a)
      : sc_module{name}, agenda{a}, in{"in", a, SplitPort::Arrived::to<&Memory::arrived>(this)} {}
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
      : sc_module{name},
        out{"out", a, InitiatorPort::Event::to<&Source::responded>(this), InitiatorPort::Event::to<&Source::accepted>(this)} {}
  void send(tlm::tlm_command command, std::uint64_t address, Bytes size, Time now, std::uint64_t tag, unsigned char* data = nullptr) {
    Payload& p = pool.take(command, address, size, data);
    Transfer& t = transfer_of(p);
    t.tag = tag;
    t.stream = {now, now};
    t.journey = Journey{now};
    out.send(p, now);
  }
  void accepted(Payload& p, Time now) {
    if (record) answers[transfer_of(p).tag].accepted = now;
  }
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

inline Config gen5() { return Config{.generation = 5, .lanes = 4, .mps = 256_B, .overhead = 0, .latency = 40ns}; }

inline void expect_laws(const Part& part, Time now) {
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

inline constexpr auto write_command = tlm::TLM_WRITE_COMMAND;
inline constexpr auto read_command = tlm::TLM_READ_COMMAND;
inline constexpr Duration wire_4k = 284'375_ps, piece_write = 17'774_ps;

}  // namespace flashpath::test::pcie_bench

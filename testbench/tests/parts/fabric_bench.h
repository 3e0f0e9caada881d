// SPDX-License-Identifier: Apache-2.0
// A client that answers read requests with a pattern, and a port with memory, registers and rings set up for two cores.
#pragma once
#include "bus/address_map.h"
#include "bus_bench.h"
#include "dram/dram_part.h"
#include "fabric/fabric_part.h"

namespace flashpath::test {

using fabric::Message;
using fabric::MessageKind;

/// The byte of the client's memory at an address.
inline unsigned char pattern(std::uint64_t address) { return static_cast<unsigned char>(address * 31 + (address >> 8U)); }

class Client : public sc_core::sc_module {
 public:
  struct Seen {
    Message message;
    Time at;
    std::vector<unsigned char> bytes;
    Journey journey;
  };
  Client(const sc_core::sc_module_name& name, Agenda& agenda, bool data)
      : sc_module{name},
        out{"out", agenda, InitiatorPort::Event::to<&Client::answered>(this), InitiatorPort::Event::to<&Client::accepted>(this)},
        in{"in", agenda, SplitPort::Arrived::to<&Client::arrived>(this)},
        agenda_{agenda},
        data_{data} {}

  void send(const Message& message, Time at) {
    plans_.push_back(message);
    agenda_.post<&Client::go>(at, this, plans_.size() - 1);
  }
  void capsule(std::uint64_t command, Time at, std::uint32_t connection = 0) {
    Message m{.kind = MessageKind::capsule,
              .opcode = fabric::Opcode::retrieve,
              .connection = connection,
              .remote = 0x4000,
              .size = 1_MiB,
              .command = command};
    m.key[0] = static_cast<std::uint8_t>(command);
    m.key[1] = static_cast<std::uint8_t>(command >> 8U);
    send(m, at);
  }
  std::vector<Seen> seen;
  std::vector<tlm::tlm_response_status> statuses;
  std::size_t taken = 0;     // by the DPU
  bool withholding = false;  // END_REQ
  InitiatorPort out;
  SplitPort in;
  fabric::MessagePool pool;

 private:
  void go(Time now, std::uint64_t i) { put(plans_[i], now); }
  void put(const Message& m, Time now) {
    const bool data = m.kind == MessageKind::read_data;
    std::vector<unsigned char>* bytes = nullptr;
    if (data && data_) {
      bytes = new std::vector<unsigned char>(m.size.count);
      for (std::size_t i = 0; i < bytes->size(); ++i) (*bytes)[i] = pattern(m.remote + i);
    }
    Payload& p = pool.take(tlm::TLM_WRITE_COMMAND, 0, data ? m.size : fabric::capsule_bytes, bytes == nullptr ? nullptr : bytes->data());
    *fabric::message_of(p) = m;
    Transfer& t = transfer_of(p);
    t.owner = bytes;
    t.journey = Journey{now};
    t.stream = {now, now};
    out.send(p, now);
  }
  void accepted(Payload&, Time) { ++taken; }
  void answered(Payload& p, Time) {
    statuses.push_back(p.get_response_status());
    delete static_cast<std::vector<unsigned char>*>(transfer_of(p).owner);
    p.release();
  }
  void arrived(Payload& p, Time now) {
    if (withholding) return;
    const Message m = *fabric::message_of(p);
    const Transfer& t = transfer_of(p);
    seen.push_back({m, now, {}, t.journey});
    EXPECT_EQ(t.journey.sum(), t.journey.total());
    if (t.carries_data) seen.back().bytes.assign(p.get_data_ptr(), p.get_data_ptr() + p.get_data_length());
    if (m.kind == MessageKind::read_request) {
      put({.kind = MessageKind::read_data, .connection = m.connection, .remote = m.remote, .size = m.size, .read_tag = m.read_tag}, now);
    }
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    in.respond(p, now);
  }
  Agenda& agenda_;
  bool data_;
  std::vector<Message> plans_;
};

constexpr std::uint64_t receive_ring(std::uint64_t core) { return bus::control_base + core * 0x10000; }
constexpr std::uint64_t completion_ring(std::uint64_t core) { return bus::control_base + 0x100000 + core * 0x10000; }

struct FabricBench : Bench {
  explicit FabricBench(fabric::Config c = {}, bool data = true, std::uint64_t entries = 128, const dram::Config& d = {})
      : Bench{1ms, data}, port{"fabric", environment, c}, memory{"dram", environment, d}, client{"client", agenda, data} {
    client.out.socket.bind(in_checker.in);
    in_checker.out.bind(port.client_in());
    port.client_out().bind(out_checker.in);
    out_checker.out.bind(client.in.socket);
    port.mem().bind(memory_checker.in);
    memory_checker.out.bind(memory.in());
    core.port.socket.bind(port.regs());
    for (std::uint64_t i = 0; i < 2; ++i) {
      set(i, fabric::reg::receive_base, receive_ring(i));
      set(i, fabric::reg::receive_entries, entries);
      set(i, fabric::reg::completion_base, completion_ring(i));
      set(i, fabric::reg::completion_entries, entries);
    }
    run(start);
  }
  void drained() {
    for (auto* c : {&in_checker, &out_checker, &memory_checker}) {
      c->finish();
      for (const auto& v : c->violations()) ADD_FAILURE() << v;
    }
    expect_lawful(port, agenda.now());
    EXPECT_EQ(client.pool.outstanding(), 0U);
  }
  void set(std::uint64_t core_number, std::uint64_t offset, std::uint64_t value, Time at = {}) {
    std::vector<unsigned char> bytes(8);
    std::memcpy(bytes.data(), &value, 8);
    core.write(bus::nic_base + core_number * fabric::reg::page_size + offset, bytes, at);
  }
  void post(const fabric::WorkRequest& request, Time at, std::uint64_t core_number = 0) {
    std::vector<unsigned char> bytes(sizeof request);
    std::memcpy(bytes.data(), &request, sizeof request);
    core.write(bus::nic_base + core_number * fabric::reg::page_size, bytes, at);
  }
  template <class T>
  T slot(std::uint64_t address) {
    unsigned char bytes[sizeof(T)];
    memory.memory().read(address, bytes);
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  static constexpr Time start{Duration{1'000'000}};  // 1 us: registers are written
  fabric::ModelPort port;
  dram::ModelDram memory;
  Client client;
  Initiator core{"core", agenda};
  checks::ProtocolChecker in_checker{"in_checker"}, out_checker{"out_checker"}, memory_checker{"memory_checker"};
};

}  // namespace flashpath::test

// SPDX-License-Identifier: Apache-2.0
// The controller behind its sockets: a SystemC thread brings it up through b_transport, reads and writes, and finds its
// bytes; every socket is watched by the protocol checker.
#include <array>
#include <cstring>
#include <map>

#include "checks/protocol_checker.h"
#include "kernel/agenda_driver.h"
#include "kernel/sc_time.h"
#include "kernel/split_port.h"
#include "nvme/nvme_part.h"
#include "support/sc_fixture.h"

namespace flashpath::nvme {
namespace {

constexpr Duration link = 1us;
constexpr Duration flash = 50us;

/// Host memory: every access takes `link`; bytes move when payloads carry them.
struct HostMemory : sc_core::sc_module {
  HostMemory(const sc_core::sc_module_name& name, Agenda& a)
      : sc_module{name}, port{"in", a, TargetPort::Serve::to<&HostMemory::serve>(this)} {}
  Window serve(Payload& p, Time at) {
    const Transfer& t = transfer_of(p);
    EXPECT_EQ(t.master, Master::drive);
    EXPECT_EQ(t.source, 7);
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    bulk += t.carries_data ? 0U : p.get_data_length();
    for (unsigned i = 0; t.carries_data && i < p.get_data_length(); ++i) {
      unsigned char& b = bytes[p.get_address() + i];
      if (p.is_write()) b = p.get_data_ptr()[i];
      else p.get_data_ptr()[i] = b;
    }
    transfer_of(p).journey.mark(Stage::link, at + link);
    return {.accepted = at, .done = at + link};
  }
  template <class T>
  T get(std::uint64_t address) {
    T value;
    for (std::size_t i = 0; i < sizeof value; ++i) reinterpret_cast<unsigned char*>(&value)[i] = bytes[address + i];
    return value;
  }
  template <class T>
  void set(std::uint64_t address, const T& value) {
    for (std::size_t i = 0; i < sizeof value; ++i) bytes[address + i] = reinterpret_cast<const unsigned char*>(&value)[i];
  }
  std::map<std::uint64_t, unsigned char> bytes;
  std::uint64_t bulk = 0;
  TargetPort port;
};

/// An FTL that answers after `flash` and keeps what it is given.
struct Ftl : sc_core::sc_module {
  Ftl(const sc_core::sc_module_name& name, Agenda& a)
      : sc_module{name},
        agenda{a},
        in_read{"in_read", a, SplitPort::Arrived::to<&Ftl::arrived_read>(this)},
        in_write{"in_write", a, SplitPort::Arrived::to<&Ftl::arrived_write>(this)} {}
  void arrived_read(Payload& p, Time now) {
    in_read.accept(p, now);
    agenda.post<&Ftl::answer_read>(now + flash, this, reinterpret_cast<std::uint64_t>(&p));
  }
  void arrived_write(Payload& p, Time now) {
    in_write.accept(p, now);
    agenda.post<&Ftl::answer_write>(now + flash, this, reinterpret_cast<std::uint64_t>(&p));
  }
  ftl::Request& finish(Payload& p, Time now) {
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    ftl::Request& r = p.get_extension<ftl::FtlCommand>()->request;
    r.stream = {now, now};
    r.journey.mark(Stage::sense, now);
    return r;
  }
  void answer_read(Time now, std::uint64_t arg) {
    Payload& p = *reinterpret_cast<Payload*>(arg);
    const ftl::Request& r = finish(p, now);
    if (r.data != nullptr) std::memcpy(r.data, &store[r.address.count], r.size.count);
    in_read.respond(p, now);
  }
  void answer_write(Time now, std::uint64_t arg) {
    Payload& p = *reinterpret_cast<Payload*>(arg);
    const ftl::Request& r = finish(p, now);
    if (r.kind == ftl::RequestKind::write && r.data != nullptr) std::memcpy(&store[r.address.count], r.data, r.size.count);
    in_write.respond(p, now);
  }
  Agenda& agenda;
  std::vector<unsigned char> store = std::vector<unsigned char>(1U << 20U);
  SplitPort in_read, in_write;
};

struct Driver : sc_core::sc_module {
  SC_HAS_PROCESS(Driver);
  Driver(const sc_core::sc_module_name& name, HostMemory& m) : sc_module{name}, memory{m} { SC_THREAD(run); }
  void access(tlm::tlm_command command, std::uint64_t offset, void* data, unsigned size) {
    tlm::tlm_generic_payload p;
    p.set_command(command);
    p.set_address(0x0200'0300'0000U + offset);  // an absolute address: the window is what counts
    p.set_data_ptr(static_cast<unsigned char*>(data));
    p.set_data_length(size);
    p.set_streaming_width(size);
    sc_core::sc_time delay;
    socket->b_transport(p, delay);
    wait(delay);
    EXPECT_TRUE(p.is_response_ok());
  }
  void write32(std::uint64_t offset, std::uint32_t v) { access(tlm::TLM_WRITE_COMMAND, offset, &v, 4); }
  void write64(std::uint64_t offset, std::uint64_t v) { access(tlm::TLM_WRITE_COMMAND, offset, &v, 8); }
  std::uint32_t read32(std::uint64_t offset) {
    std::uint32_t v = 0;
    access(tlm::TLM_READ_COMMAND, offset, &v, 4);
    return v;
  }
  Status command(std::uint16_t q, Sqe sqe) {
    Queue& queue = queues[q];
    memory.set(0x10000 + q * 0x10000U + queue.tail * 64U, sqe);
    queue.tail = (queue.tail + 1) % 16;
    write32(sq_tail_doorbell(q), queue.tail);
    rung = kernel_now();
    for (;;) {
      const Cqe cqe = memory.get<Cqe>(0x18000 + q * 0x10000U + queue.head * 16U);
      if (cqe.phase() == queue.phase) {
        if (++queue.head == 16) queue.head = 0, queue.phase = !queue.phase;
        write32(cq_head_doorbell(q), queue.head);
        return cqe.code();
      }
      wait(to_sc(100ns));
    }
  }
  void run() {
    const Time begin = kernel_now();
    EXPECT_EQ(read32(0x08), version_2_0);
    EXPECT_EQ(kernel_now() - begin, 100ns);  // register_latency
    write32(0x24, 0x000f000f);
    write64(0x28, 0x10000);
    write64(0x30, 0x18000);
    write32(0x14, Cc::make(true).raw);
    while ((read32(0x1c) & 1U) == 0) wait(to_sc(1us));
    EXPECT_EQ(command(0, {.opcode = 0x05, .prp1 = 0x28000, .cdw10 = 0x000f'0001, .cdw11 = 1}), Status::success);
    EXPECT_EQ(command(0, {.opcode = 0x01, .prp1 = 0x20000, .cdw10 = 0x000f'0001, .cdw11 = 0x0001'0001}), Status::success);
    for (std::uint64_t i = 0; i < 4096; i += 8) memory.set(0x40000 + i, i * 0x9e3779b97f4a7c15U);
    for (std::uint32_t round = 0; round < 10; ++round) {
      EXPECT_EQ(command(1, {.opcode = 0x01, .nsid = 1, .prp1 = 0x40000, .cdw10 = 5 + round}), Status::success);
      EXPECT_EQ(command(1, {.opcode = 0x02, .nsid = 1, .prp1 = 0x50000, .cdw10 = 5 + round}), Status::success);
      EXPECT_EQ(total, 1us + 800ns + 3us + flash + link + 300ns);
      EXPECT_EQ(command(1, {.opcode = 0x00, .nsid = 1}), Status::success);
    }
    equal = true;
    for (std::uint64_t i = 0; i < 4096; i += 8) equal = equal && memory.get<std::uint64_t>(0x50000 + i) == i * 0x9e3779b97f4a7c15U;
    // MSI-X: the vector of the admin queue, as a write of four bytes behind its completion entry.
    const std::uint64_t entry = NvmeFunction::table_offset;
    write64(entry, 0x9000);
    write32(entry + 8, 0x1234'5678);
    write32(entry + 12, 0);
    EXPECT_EQ(memory.get<std::uint32_t>(0x9000), 0U);  // still polled
    dut->cfg_write(pcie::ConfigSpace::msix + 2, 2, 0x8000, kernel_now());
    EXPECT_EQ(command(0, {.opcode = 0x0a, .cdw10 = 7}), Status::success);
    wait(to_sc(5us));
    EXPECT_EQ(memory.get<std::uint32_t>(0x9000), 0x1234'5678U);
    // Without memory space nobody answers at the BAR.
    dut->cfg_write(pcie::ConfigSpace::command, 2, pcie::ConfigSpace::bus_master, kernel_now());
    EXPECT_EQ(read32(0x08), 0xffff'ffffU);
    dut->cfg_write(pcie::ConfigSpace::command, 2, pcie::ConfigSpace::bus_master | pcie::ConfigSpace::memory_enable, kernel_now());
    EXPECT_EQ(read32(0x08), version_2_0);
    finished = true;
  }
  Controller* dut = nullptr;
  void command_done(std::uint16_t, std::uint16_t, const Journey& journey) { total = journey.total(); }

  struct Queue {
    std::uint32_t tail = 0, head = 0;
    bool phase = true;
  };
  HostMemory& memory;
  tlm_utils::simple_initiator_socket<Driver> socket{"socket"};
  std::array<Queue, 2> queues{};
  Time rung{};
  Duration total{};
  bool equal = false;
  bool finished = false;
};

struct Bench {
  explicit Bench(bool data_mode) : environment{.agenda = agenda, .seed = 1, .data_mode = data_mode} {
    test::fail_on_reports();
    dut.dma().bind(dma_check.in);
    dma_check.out.bind(memory.port.socket);
    dut.ftl_read().bind(read_check.in);
    read_check.out.bind(ftl.in_read.socket);
    dut.ftl_write().bind(write_check.in);
    write_check.out.bind(ftl.in_write.socket);
    host.socket.bind(dut.bar());
    host.dut = &dut;
    dut.on_command_done(Delegate<void(std::uint16_t, std::uint16_t, const Journey&)>::to<&Driver::command_done>(&host));
  }
  void run() {
    driver.run_until(Time{} + 20ms);
    EXPECT_TRUE(host.finished);
    for (checks::ProtocolChecker* c : {&dma_check, &read_check, &write_check}) {
      c->finish();
      for (const std::string& v : c->violations()) ADD_FAILURE() << v;
      EXPECT_GE(c->transactions(), 10U);
    }
    Laws laws;
    laws.about("nvme");
    dut.check(laws, agenda.now());
    for (const std::string& broken : laws.broken()) ADD_FAILURE() << broken;
    EXPECT_GE(laws.checked(), 10U);
  }
  Agenda agenda;
  Environment environment;
  AgendaDriver driver{"agenda", agenda, 1ms};
  HostMemory memory{"memory", agenda};
  Ftl ftl{"ftl", agenda};
  ModelController dut{"nvme", environment, Config{}, 1_MiB, 7};
  Driver host{"host", memory};
  checks::ProtocolChecker dma_check{"dma_check"};
  checks::ProtocolChecker read_check{"read_check"};
  checks::ProtocolChecker write_check{"write_check"};
};

TEST(NvmePart, BytesTravelInDataMode) {
  Bench bench{true};
  bench.run();
  EXPECT_TRUE(bench.host.equal);
  EXPECT_EQ(bench.memory.bulk, 0U);
}

TEST(NvmePart, OnlyControlStructuresCarryBytesInTimingMode) {
  Bench bench{false};
  bench.run();
  EXPECT_FALSE(bench.host.equal);
  EXPECT_EQ(bench.memory.bulk, 20U * 4096U);
}

}  // namespace
}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
// A host for the NVMe controller model: sparse memory behind a fixed DMA latency, a driver that brings the controller
// up as an operating system does, and an FTL of fixed latencies that keeps its bytes.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "base/random.h"
#include "nvme/nvme_model.h"

namespace flashpath::nvme::test {

inline constexpr std::uint64_t unmapped = std::uint64_t{1} << 40U;  ///< from here on the bus answers errors

class Memory {
 public:
  void write(std::uint64_t address, const void* from, std::size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(from);
    for (std::size_t done = 0; done < size;) {
      const std::size_t here = std::min<std::size_t>(size - done, 4096 - (address + done) % 4096);
      std::memcpy(page(address + done) + (address + done) % 4096, bytes + done, here);
      done += here;
    }
  }
  void read(std::uint64_t address, void* to, std::size_t size) {
    auto* bytes = static_cast<unsigned char*>(to);
    for (std::size_t done = 0; done < size;) {
      const std::size_t here = std::min<std::size_t>(size - done, 4096 - (address + done) % 4096);
      std::memcpy(bytes + done, page(address + done) + (address + done) % 4096, here);
      done += here;
    }
  }
  template <class T>
  T at(std::uint64_t address) {
    T value;
    read(address, &value, sizeof value);
    return value;
  }

 private:
  unsigned char* page(std::uint64_t address) { return pages_[address / 4096].data(); }
  std::map<std::uint64_t, std::array<unsigned char, 4096>> pages_;
};

struct HostQueue {
  std::uint16_t id = 0;
  std::uint64_t sq = 0, cq = 0;
  std::uint32_t size = 0, cq_size = 0;
  std::uint32_t tail = 0, head = 0;
  bool phase = true;
};

struct Completion {
  Cqe cqe;
  Time sent;  ///< when the CQE left the controller
};

/// Everything a test needs. All latencies can be set before use; zero answers inside the call.
class Host {
 public:
  static Config quick() {
    Config c;
    c.enable_time = 1us;
    return c;
  }
  explicit Host(const Config& config = quick(), bool data_mode = false, Bytes capacity = 1_GiB)
      : config{config}, controller{agenda, config, capacity, data_mode, "S1", group} {
    controller.outside.dma = Delegate<void(DmaRequest&, Time)>::to<&Host::dma>(this);
    controller.outside.ftl = Delegate<void(ftl::Request&, Time)>::to<&Host::ftl>(this);
    controller.outside.command_done = Delegate<void(std::uint16_t, std::uint16_t, const Journey&)>::to<&Host::command_done>(this);
    controller.outside.interrupt = Delegate<void(std::uint16_t, Time)>::to<&Host::interrupt>(this);
  }

  // ---- registers ----
  void write32(std::uint64_t offset, std::uint32_t value) { controller.mmio_write(offset, 4, value, agenda.now()); }
  void write64(std::uint64_t offset, std::uint64_t value) { controller.mmio_write(offset, 8, value, agenda.now()); }
  std::uint32_t read32(std::uint64_t offset) const { return static_cast<std::uint32_t>(controller.mmio_read(offset, 4)); }
  Csts csts() const { return {read32(0x1c)}; }

  // ---- the driver ----
  void enable(std::uint32_t admin_entries = 32, unsigned mps = 0, unsigned ams = 0) {
    admin = {.id = 0, .sq = 0x10000, .cq = 0x20000, .size = admin_entries, .cq_size = admin_entries};
    const std::vector<unsigned char> zeros(admin_entries * sizeof(Cqe), 0);
    memory.write(admin.cq, zeros.data(), zeros.size());
    write32(0x24, (admin_entries - 1) | ((admin_entries - 1) << 16U));
    write64(0x28, admin.sq);
    write64(0x30, admin.cq);
    write32(0x14, Cc::make(true, mps, 0, 6, 4, ams).raw);
    agenda.run_until(agenda.now() + config.enable_time);
    ASSERT_TRUE(csts().rdy());
  }
  /// Registers, identify, number of queues, one queue pair per entry of `sizes`.
  void bring_up(const std::vector<std::uint32_t>& sizes = {64}) {
    const Cap cap{controller.mmio_read(0, 8)};
    ASSERT_EQ(read32(0x08), version_2_0);
    ASSERT_EQ(cap.css() & 1U, 1U);
    ASSERT_FALSE(csts().rdy());
    enable();
    ASSERT_EQ(admin_command({.opcode = 0x06, .prp1 = 0x40000, .cdw10 = 1}).code(), Status::success);
    ASSERT_EQ(admin_command({.opcode = 0x09, .cdw10 = 7, .cdw11 = 0x00030003}).code(), Status::success);
    for (std::uint32_t i = 0; i < sizes.size(); ++i) {
      const auto id = static_cast<std::uint16_t>(i + 1);
      create(id, sizes[i], sizes[i]);
    }
  }
  HostQueue& create(std::uint16_t id, std::uint32_t size, std::uint32_t cq_size, QueueClass priority = QueueClass::urgent) {
    if (queues.size() <= id) queues.resize(id + 1U);
    queues[id] = {.id = id, .sq = 0x100'0000 + id * 0x20'0000ULL, .cq = 0x110'0000 + id * 0x20'0000ULL, .size = size, .cq_size = cq_size};
    const std::vector<unsigned char> zeros(cq_size * sizeof(Cqe), 0);
    memory.write(queues[id].cq, zeros.data(), zeros.size());
    const std::uint32_t high = std::uint32_t{id} << 16U;
    const Sqe create_cq{.opcode = 0x05, .prp1 = queues[id].cq, .cdw10 = id | ((cq_size - 1) << 16U), .cdw11 = 3U | high};
    const Sqe create_sq{.opcode = 0x01,
                        .prp1 = queues[id].sq,
                        .cdw10 = id | ((size - 1) << 16U),
                        .cdw11 = 1U | high | static_cast<std::uint32_t>(priority) << 1U};
    EXPECT_EQ(admin_command(create_cq).code(), Status::success);
    EXPECT_EQ(admin_command(create_sq).code(), Status::success);
    return queues[id];
  }
  void put(HostQueue& q, Sqe sqe) {  // an identifier of 0: nobody's yet
    if (sqe.cid == 0) sqe.cid = static_cast<std::uint16_t>(0x8000U | (free_cid++ & 0x7fffU));
    memory.write(q.sq + q.tail * sizeof(Sqe), &sqe, sizeof sqe);
    q.tail = q.tail + 1 == q.size ? 0 : q.tail + 1;
  }
  void ring(const HostQueue& q) { write32(sq_tail_doorbell(q.id), q.tail); }
  /// New completions; the head doorbell is rung unless told otherwise.
  std::vector<Cqe> poll(HostQueue& q, bool take = true) {
    std::vector<Cqe> found;
    for (;;) {
      const Cqe cqe = memory.at<Cqe>(q.cq + q.head * sizeof(Cqe));
      if (cqe.phase() != q.phase) break;
      found.push_back(cqe);
      if (++q.head == q.cq_size) {
        q.head = 0;
        q.phase = !q.phase;
      }
    }
    if (take && !found.empty()) write32(cq_head_doorbell(q.id), q.head);
    return found;
  }
  /// One admin command, start to end.
  Cqe admin_command(Sqe sqe) {
    sqe.cid = next_cid++;
    put(admin, sqe);
    ring(admin);
    agenda.run();
    const std::vector<Cqe> done = poll(admin);
    EXPECT_EQ(done.size(), 1U);
    if (done.empty()) return {};
    EXPECT_EQ(done[0].cid, sqe.cid);
    EXPECT_EQ(done[0].sqid, 0);
    EXPECT_EQ(done[0].sqhd, admin.tail);
    return done[0];
  }
  /// One I/O command on queue 1, start to end.
  Cqe io(Sqe sqe) {
    sqe.cid = next_cid++;
    HostQueue& q = queues.at(1);
    put(q, sqe);
    ring(q);
    agenda.run();
    const std::vector<Cqe> done = poll(q);
    EXPECT_EQ(done.size(), 1U);
    if (done.empty()) return {};
    EXPECT_EQ(done[0].cid, sqe.cid);
    return done[0];
  }
  static Sqe rw(IoOpcode op, std::uint64_t slba, std::uint32_t blocks, std::uint64_t prp1, std::uint64_t prp2 = 0) {
    return {.opcode = static_cast<std::uint8_t>(op),
            .nsid = 1,
            .prp1 = prp1,
            .prp2 = prp2,
            .cdw10 = static_cast<std::uint32_t>(slba),
            .cdw11 = static_cast<std::uint32_t>(slba >> 32U),
            .cdw12 = blocks - 1};
  }
  /// PRPs of `length` contiguous bytes at `data`; a list, if one is needed, at `list`.
  void describe(Sqe& sqe, std::uint64_t data, std::uint64_t length, std::uint64_t list) {
    sqe.prp1 = data;
    const std::uint64_t first = 4096 - data % 4096;
    if (length <= first) return;
    if (length - first <= 4096) {
      sqe.prp2 = data + first;
      return;
    }
    sqe.prp2 = list;
    for (std::uint64_t at = first, i = 0; at < length; at += 4096, ++i) {
      const std::uint64_t entry = data + at;
      memory.write(list + i * 8, &entry, 8);
    }
  }

  void expect_laws() {
    Laws laws;
    laws.about("nvme");
    controller.check(laws, agenda.now());
    for (const std::string& broken : laws.broken()) ADD_FAILURE() << broken;
    EXPECT_GT(laws.checked(), 5U);
  }

  // ---- what the controller sees ----
  void dma(DmaRequest& r, Time now) {
    dmas.push_back({r.purpose, r.write, r.address, r.size, now, r.stream});
    if (r.write && r.purpose == DmaRequest::Purpose::cqe) {
      Cqe cqe;
      std::memcpy(&cqe, r.bytes, sizeof cqe);
      sent.push_back({cqe, now});
    }
    dma_bytes += r.size.count;
    const Duration latency = jitter ? Duration{static_cast<std::int64_t>(random.below(4)) * 500'000} : dma_latency;
    if (latency == Duration{}) answer_dma(now, reinterpret_cast<std::uint64_t>(&r));
    else agenda.post<&Host::answer_dma>(now + latency, this, reinterpret_cast<std::uint64_t>(&r));
  }
  void answer_dma(Time now, std::uint64_t arg) {
    DmaRequest& r = *reinterpret_cast<DmaRequest*>(arg);
    r.ok = r.address < unmapped && r.address + r.size.count <= unmapped && r.address != bad_address;
    if (r.ok && r.bytes != nullptr) {
      if (r.write) memory.write(r.address, r.bytes, r.size.count);
      else memory.read(r.address, r.bytes, r.size.count);
    }
    if (!r.write) r.stream = {now, now + dma_tail};
    r.journey.mark(Stage::link, now);
    controller.dma_done(r, now);
  }
  void ftl(ftl::Request& r, Time now) {
    requests.push_back({r.kind, r.address, r.size, now, r.stream_id, r.erase});
    if (r.kind == ftl::RequestKind::write) {
      if (write_accept == Duration{}) accept(now, reinterpret_cast<std::uint64_t>(&r));
      else agenda.post<&Host::accept>(now + write_accept, this, reinterpret_cast<std::uint64_t>(&r));
    }
    Duration latency = other_time;
    if (r.kind == ftl::RequestKind::read) latency = read_time;
    if (r.kind == ftl::RequestKind::write) latency = write_accept + write_time;
    if (jitter) latency = write_accept + Duration{static_cast<std::int64_t>(random.below(5)) * 3'000'000};
    if (latency == Duration{}) answer_ftl(now, reinterpret_cast<std::uint64_t>(&r));
    else agenda.post<&Host::answer_ftl>(now + latency, this, reinterpret_cast<std::uint64_t>(&r));
  }
  void accept(Time now, std::uint64_t arg) { controller.ftl_accepted(*reinterpret_cast<ftl::Request*>(arg), now); }
  void answer_ftl(Time now, std::uint64_t arg) {
    ftl::Request& r = *reinterpret_cast<ftl::Request*>(arg);
    r.status = ftl_status;
    if (r.data != nullptr && r.kind == ftl::RequestKind::read) flash.read(r.address.count, r.data, r.size.count);
    if (r.data != nullptr && r.kind == ftl::RequestKind::write) flash.write(r.address.count, r.data, r.size.count);
    r.stream = {now, now + (r.kind == ftl::RequestKind::read ? stream_time : Duration{})};
    if (r.kind == ftl::RequestKind::read && r.address == Bytes{}) r.stream.last += first_stream;
    r.journey.mark(r.kind == ftl::RequestKind::read ? Stage::sense : Stage::map, now);
    controller.ftl_answered(r, now);
  }
  void command_done(std::uint16_t sq, std::uint16_t cid, const Journey& journey) {
    done.push_back({sq, cid, journey});
    EXPECT_EQ(journey.sum(), journey.total());
  }
  void interrupt(std::uint16_t vector, Time) { ++interrupts[vector]; }

  struct SeenDma {
    DmaRequest::Purpose purpose;
    bool write;
    std::uint64_t address;
    Bytes size;
    Time at;
    Stream stream;
  };
  struct SeenRequest {
    ftl::RequestKind kind;
    Bytes address;
    Bytes size;
    Time at;
    std::uint16_t stream_id;
    bool erase;
  };
  struct Done {
    std::uint16_t sq;
    std::uint16_t cid;
    Journey journey;
  };
  std::vector<SeenDma> data_dmas() const {
    std::vector<SeenDma> out;
    for (const SeenDma& d : dmas) {
      if (d.purpose == DmaRequest::Purpose::data) out.push_back(d);
    }
    return out;
  }

  Agenda agenda;
  stats::Group group{"nvme"};
  Config config;
  ControllerModel controller;
  Memory memory;
  Memory flash;
  Duration dma_latency = 1us;
  Duration dma_tail{};  ///< reads: from first to last byte
  Duration read_time = 50us;
  Duration stream_time{};  ///< reads: from first to last byte
  Duration write_accept = 1us;
  Duration write_time = 4us;
  Duration other_time = 2us;
  Duration first_stream{};  ///< more of it for the chunk at address 0
  bool jitter = false;      ///< random latencies, zero (inside the call) included
  std::uint64_t bad_address = ~std::uint64_t{0};
  ftl::RequestStatus ftl_status = ftl::RequestStatus::ok;
  Random random{1, "host"};
  HostQueue admin;
  std::deque<HostQueue> queues;  // references stay valid
  std::uint16_t next_cid = 1;
  std::uint16_t free_cid = 0;
  std::vector<SeenDma> dmas;
  std::vector<SeenRequest> requests;
  std::vector<Completion> sent;
  std::vector<Done> done;
  std::uint64_t dma_bytes = 0;
  std::map<std::uint16_t, int> interrupts;
};

}  // namespace flashpath::nvme::test

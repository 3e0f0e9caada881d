// SPDX-License-Identifier: Apache-2.0
// The firmware without a platform: memory that answers after a fixed time, drives that do queues and doorbells by the
// book with a fixed latency, and a NIC that moves data at once after a fixed latency. Nothing queues in them, so that every
// picosecond beyond the fixed ones is the firmware's.
#pragma once
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "base/sparse_memory.h"
#include "cores/cores_model.h"
#include "fabric/work_request.h"
#include "firmware/io_jobs.h"
#include "firmware/kv_service.h"
#include "nvme/spec.h"
#include "nvme/spec_identify.h"

namespace firmware_rig {

using namespace flashpath;
using namespace flashpath::firmware;

struct Rig;

struct FakeDrive {
  static constexpr std::uint64_t lba = 4096;
  Rig* rig = nullptr;
  std::uint32_t index = 0;
  // knobs
  Duration latency = 50us;
  Duration service{};  // one at a time, this long each: a bandwidth
  std::uint64_t blocks = 1U << 20U;
  unsigned mpsmax = 4, mdts = 8, dstrd = 0;
  std::uint32_t mqes = 4095, queues = 128;
  bool enabled_at_start = false, dead = false, never_ready = false;
  std::map<std::uint64_t, nvme::Status> fail;  // by first LBA
  bool hold = false;                           // takes commands and does not answer
  // what it saw
  std::vector<nvme::Sqe> seen;
  std::vector<Time> rung;
  std::uint64_t sq_doorbells = 0, cq_doorbells = 0;
  SparseMemory flash;
  std::uint64_t bad = 0;  // breaches of protocol by the host

  struct Queue {
    std::uint64_t sq = 0, cq = 0;
    std::uint32_t entries = 0, head = 0, tail = 0, cq_tail = 0, cq_head = 0;
    bool phase = true, cq_made = false, sq_made = false;
  };
  std::map<std::uint32_t, Queue> pairs;
  std::uint32_t cc = 0, csts = 0, aqa = 0;
  std::uint64_t asq = 0, acq = 0;
  Time busy_until{};
  struct Late {
    nvme::Sqe sqe;
    std::uint32_t qid;
  };
  std::vector<Late> late;

  void write(std::uint64_t offset, std::uint64_t value, Time now);
  std::uint64_t read(std::uint64_t offset) const;
  void doorbell(std::uint32_t qid, bool cq, std::uint32_t value, Time now);
  nvme::Cqe execute(const nvme::Sqe& sqe, std::uint32_t qid);
  void finish(Time now, std::uint64_t index);
  void ready(Time) { csts |= 1U; }
  std::vector<std::uint64_t> pages(const nvme::Sqe& sqe, std::uint64_t size) const;
};

struct Rig : cores::Memory {
  explicit Rig(Config c = {}, std::uint32_t drives = 1, cores::Config k = {}) : config{c}, core_config{k}, model{k, agenda, *this, group} {
    for (std::uint32_t d = 0; d < drives; ++d) {
      this->drives.push_back(std::make_unique<FakeDrive>());
      this->drives.back()->rig = this;
      this->drives.back()->index = d;
    }
    driver = std::make_unique<Driver>(config, agenda, model, control, drives, group);
    service = std::make_unique<KvService>(config, model, *driver, control, group, nullptr);
  }

  // ---- memory ----
  Duration load_latency = 200ns, mmio_latency = 300ns, nic_latency = 5us;
  Duration load(cores::CoreId, std::uint64_t a, std::span<unsigned char> into, Time) override {
    memory.read(a, into);
    ++loads;
    return load_latency;
  }
  Duration touch(cores::CoreId, std::uint64_t, Bytes, Time) override {
    ++touches;
    return load_latency;
  }
  void store(cores::CoreId, std::uint64_t a, std::span<const unsigned char> bytes, Time) override { memory.write(a, bytes); }
  struct Mmio {
    std::uint64_t address;
    std::array<unsigned char, 64> bytes;
    std::size_t size;
    cores::Task then;
    cores::CoreId core;
    bool read;
    Time at;
  };
  void post(cores::CoreId core, std::uint64_t a, std::span<const unsigned char> bytes, Time at) override {
    const std::size_t m = take();
    mmio[m] = {a, {}, bytes.size(), {}, core, false, at};
    std::memcpy(mmio[m].bytes.data(), bytes.data(), bytes.size());
    agenda.post<&Rig::arrive>(at + mmio_latency, this, m);
  }
  void read_register(cores::CoreId core, std::uint64_t a, unsigned bytes, cores::Task then, Time at) override {
    const std::size_t m = take();
    mmio[m] = {a, {}, bytes, then, core, true, at};
    agenda.post<&Rig::arrive>(at + mmio_latency, this, m);
  }
  std::size_t take() {
    if (mmio_free.empty()) {
      mmio.emplace_back();
      return mmio.size() - 1;
    }
    const std::size_t m = mmio_free.back();
    mmio_free.pop_back();
    return m;
  }
  void arrive(Time now, std::uint64_t index) {
    const Mmio m = mmio[index];
    mmio_free.push_back(index);
    std::uint64_t value = 0;
    std::memcpy(&value, m.bytes.data(), std::min<std::size_t>(8, m.size));
    if (m.address >= bus::bar_base) {
      FakeDrive& drive = *drives[(m.address - bus::bar_base) / bus::bar_stride];
      const std::uint64_t offset = (m.address - bus::bar_base) % bus::bar_stride;
      if (!m.read) return drive.write(offset, value, now);
      cores::Task then = m.then;
      then.arg2 = drive.dead ? ~0ULL : drive.read(offset);
      model.submit(m.core, then, now + mmio_latency);
    } else if (m.address >= bus::crypto_base) {
      crypto.push_back(m);
    } else {
      nic_write(m, now);
    }
  }
  /// A device's write: bytes, then whoever watches.
  void dma(std::uint64_t a, const void* bytes, std::size_t size, Time now) {
    memory.write(a, {static_cast<const unsigned char*>(bytes), size});
    if (a >= driver->watch_base() && a < driver->watch_base() + driver->watch_size().count) driver->written(a, now);
    if (a >= service->watch_base() && a < service->watch_base() + service->watch_size().count) service->written(a, now);
  }

  // ---- NIC ----
  struct NicCore {
    std::uint64_t receive = 0, receive_entries = 0, completion = 0, completion_entries = 0, sent = 0, completed = 0, told = 0;
  };
  struct Response {
    std::uint64_t command, size;
    std::uint16_t status;
    Time at;
  };
  void nic_write(const Mmio& m, Time now) {
    const std::uint64_t core = (m.address - bus::nic_base) / fabric::reg::page_size,
                        offset = (m.address - bus::nic_base) % fabric::reg::page_size;
    NicCore& n = nic[core];
    std::uint64_t value = 0;
    std::memcpy(&value, m.bytes.data(), 8);
    switch (offset) {
      case fabric::reg::receive_base: n.receive = value; return;
      case fabric::reg::receive_entries: n.receive_entries = value; return;
      case fabric::reg::completion_base: n.completion = value; return;
      case fabric::reg::completion_entries: n.completion_entries = value; return;
      case fabric::reg::receive_consumed: n.told = value; return;
      case fabric::reg::completion_consumed: return;
      default: break;
    }
    fabric::WorkRequest wr;
    std::memcpy(&wr, m.bytes.data(), sizeof wr);
    if (wr.op == fabric::WorkOp::send) {
      responses.push_back({wr.command, wr.size, wr.status, now});
      return;
    }
    wrs.push_back({wr, core});
    agenda.post<&Rig::nic_done>(now + nic_latency, this, wrs.size() - 1);
  }
  void nic_done(Time now, std::uint64_t index) {
    const auto [wr, core] = wrs[index];
    NicCore& n = nic[core];
    if (data) {
      std::vector<unsigned char> bytes(wr.length);
      if (wr.op == fabric::WorkOp::rdma_read) {
        client.read(wr.remote, bytes);
        memory.write(wr.local, bytes);
      } else {
        memory.read(wr.local, bytes);
        client.write(wr.remote, bytes);
      }
    }
    fabric::Completion c;
    c.wr_id = wr.wr_id;
    c.length = wr.length;
    c.op = wr.op;
    c.status = fail_rdma ? fabric::WorkStatus::memory_error : fabric::WorkStatus::ok;
    c.sequence = static_cast<std::uint32_t>(++n.completed);
    dma(n.completion + (n.completed - 1) % n.completion_entries * sizeof c, &c, sizeof c, now);
  }
  void capsule(fabric::Opcode op, std::uint64_t key, Bytes size, std::uint64_t command, Time now, std::uint64_t remote = 0,
               std::uint64_t core = 0, std::uint32_t connection = 0) {
    fabric::Capsule c;
    c.opcode = op;
    std::memcpy(c.key.data(), &key, sizeof key);
    c.size = size.count;
    c.command = command;
    c.remote = remote;
    c.connection = connection;
    NicCore& n = nic[core];
    c.sequence = static_cast<std::uint32_t>(++n.sent);
    dma(n.receive + (n.sent - 1) % n.receive_entries * sizeof c, &c, sizeof c, now);
  }

  // ---- running ----
  void driver_ready(cores::CoreContext& ctx) {
    service->start(ctx, errors);
    up = true;
  }
  void bring_up() {
    driver->bring_up(agenda.now(), Delegate<void(cores::CoreContext&)>::to<&Rig::driver_ready>(this));
    agenda.run();
    agenda.advance_to(Time{1s});
  }
  std::vector<std::string> broken() {
    Laws laws;
    model.check(laws, agenda.now());
    driver->check(laws, agenda.now());
    service->check(laws, agenda.now());
    return laws.broken();
  }
  std::uint64_t counter(std::string_view name) const {
    for (const auto* c : group.counters())
      if (c->name == name) return c->value;
    return ~0ULL;
  }

  Config config;
  cores::Config core_config;
  Agenda agenda;
  SparseMemory memory, client;
  stats::Group group{"rig"};
  ControlMemory control;
  cores::Model model;
  std::vector<std::unique_ptr<FakeDrive>> drives;
  std::unique_ptr<Driver> driver;
  std::unique_ptr<KvService> service;
  std::vector<Mmio> mmio, crypto;
  std::vector<std::size_t> mmio_free;
  std::map<std::uint64_t, NicCore> nic;
  std::vector<std::pair<fabric::WorkRequest, std::uint64_t>> wrs;
  std::vector<Response> responses;
  std::uint64_t loads = 0, touches = 0;
  UserErrors errors;
  bool up = false, data = false, fail_rdma = false;
};

inline Key key_of(std::uint64_t n) {
  Key key{};
  std::memcpy(key.data(), &n, sizeof n);
  return key;
}
inline std::vector<std::string> broken(const KvStore& store) {
  Laws laws;
  store.check(laws);
  return laws.broken();
}

}  // namespace firmware_rig

#include "models/firmware_fake_drive.h"

// SPDX-License-Identifier: Apache-2.0
// Registers, rings and laws; the two directions are fabric_receive_part.cpp and fabric_transmit_part.cpp.
#include "fabric/fabric_part.h"

#include <cstring>

#include "bus/address_map.h"

namespace flashpath::fabric {

ModelPort::ModelPort(const sc_core::sc_module_name& name, Environment& environment, const Config& config)
    : Port{name, environment},
      config_{config},
      in_{config},
      out_{config},
      client_in_{"client_in", environment.agenda, SplitPort::Arrived::to<&ModelPort::message_arrived>(this)},
      client_out_{"client_out", environment.agenda, InitiatorPort::Event::to<&ModelPort::delivered>(this),
                  InitiatorPort::Event::to<&ModelPort::client_took>(this)},
      mem_{"mem", environment.agenda, InitiatorPort::Event::to<&ModelPort::memory_answered>(this)},
      regs_{"regs", environment.agenda, TargetPort::Serve::to<&ModelPort::serve_register>(this)},
      cores_(bus::nic_size / reg::page_size),
      connections_(config.connections),
      reads_(config.reads) {
  for (std::uint64_t i = config.reads; i > 0; --i) free_reads_.push_back(i);
}

std::uint64_t* ModelPort::register_of(std::uint32_t core, std::uint64_t offset) {
  Core& c = cores_[core];
  switch (offset) {
    case reg::receive_base: return &c.receive.base;
    case reg::receive_entries: return &c.receive.entries;
    case reg::completion_base: return &c.completion.base;
    case reg::completion_entries: return &c.completion.entries;
    case reg::receive_consumed: return &c.receive.consumed;
    case reg::completion_consumed: return &c.completion.consumed;
    default: return nullptr;
  }
}

Window ModelPort::serve_register(Payload& payload, Time at) {
  const std::uint64_t offset = payload.get_address() - bus::nic_base;
  const Time done = at + config_.register_latency;
  transfer_of(payload).stream = {done, done};
  Window window{at, done};
  if (offset >= bus::nic_size) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return window;
  }
  const auto core = static_cast<std::uint32_t>(offset / reg::page_size);
  const std::size_t size = payload.get_data_length();
  std::uint64_t* value = register_of(core, offset % reg::page_size);
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  if (offset % reg::page_size == reg::work_request && payload.is_write() && size == sizeof(WorkRequest)) {
    WorkRequest request;
    std::memcpy(&request, payload.get_data_ptr(), sizeof request);
    window.accepted = take_work(core, request, at);
    window.done = window.accepted + config_.register_latency;  // the answer would end the request phase
    transfer_of(payload).stream = {window.done, window.done};
  } else if (value != nullptr && size == sizeof *value) {
    if (payload.is_read()) std::memcpy(payload.get_data_ptr(), value, size);
    else {
      std::memcpy(value, payload.get_data_ptr(), size);
      agenda_.post<&ModelPort::registers_changed>(std::max(at, agenda_.now()), this, core);
    }
  } else {
    payload.set_response_status(value == nullptr ? tlm::TLM_ADDRESS_ERROR_RESPONSE : tlm::TLM_BURST_ERROR_RESPONSE);
  }
  return window;
}

void ModelPort::registers_changed(Time now, std::uint64_t core) {
  receivers_.clear();
  for (std::uint32_t c = 0; c < cores_.size(); ++c) {
    if (cores_[c].receive.entries != 0) receivers_.push_back(c);
  }
  drain(cores_[core].receive, now);
  drain(cores_[core].completion, now);
}

void ModelPort::put(Ring& ring, Entry& entry, Time now) {
  ring.waiting.push_back(&entry);
  drain(ring, now);
  if (!ring.waiting.empty()) ++ring_full_;
}

void ModelPort::drain(Ring& ring, Time now) {
  while (!ring.waiting.empty() && ring.produced - ring.consumed < ring.entries) {
    Entry& entry = *ring.waiting.front();
    ring.waiting.pop_front();
    write_entry(ring, entry, now);
  }
}

void ModelPort::write_entry(Ring& ring, Entry& entry, Time now) {
  const bool capsule = entry.message != nullptr;
  const std::uint64_t slot = ring.produced++ % ring.entries;
  entry.capsule.sequence = entry.completion.sequence = static_cast<std::uint32_t>(ring.produced);
  const std::uint64_t size = capsule ? sizeof(Capsule) : sizeof(Completion);
  auto* bytes = capsule ? reinterpret_cast<unsigned char*>(&entry.capsule) : reinterpret_cast<unsigned char*>(&entry.completion);
  Payload& payload = pool_.take(tlm::TLM_WRITE_COMMAND, ring.base + slot * size, Bytes{size}, bytes);
  Transfer& transfer = transfer_of(payload);
  transfer.master = Master::nic;
  transfer.stream = {now, now};
  transfer.owner = &entry;
  transfer.tag = static_cast<std::uint64_t>(capsule ? Access::capsule : Access::completion);
  mem_.send(payload, now);
}

void ModelPort::memory_answered(Payload& payload, Time now) {
  Transfer& transfer = transfer_of(payload);
  void* owner = transfer.owner;
  switch (static_cast<Access>(transfer.tag)) {
    case Access::receive: burst_visible(*static_cast<Burst*>(owner), payload, now); return;
    case Access::transmit: burst_read(*static_cast<Burst*>(owner), payload, now); return;
    case Access::capsule:
    case Access::completion: break;
  }
  Entry& entry = *static_cast<Entry*>(owner);
  const bool ok = payload.is_response_ok();
  payload.release();
  if (!ok) ++rejected_;  // a ring that lies outside memory: software's mistake
  Payload* message = entry.message;
  const Time entered = entry.entered;
  entries_.give_back(entry);
  if (message == nullptr) return;
  message->set_response_status(ok ? tlm::TLM_OK_RESPONSE : tlm::TLM_GENERIC_ERROR_RESPONSE);
  message_done(*message, entered, now);
  room_in_queue(now);
}

/// The end of a work request: its completion entry, if it has one.
void ModelPort::complete(Work& work, Time now) {
  work_flow_.leave(now, work.entered);
  work_latency_.add(now - work.entered);
  if ((work.request.flags & signalled) != 0 || work.status != WorkStatus::ok) {
    Entry& entry = entries_.take();
    entry.message = nullptr;
    entry.completion = {.wr_id = work.request.wr_id,
                        .length = work.request.length,
                        .connection = work.request.connection,
                        .status = work.status,
                        .op = work.request.op};
    put(cores_[work.core].completion, entry, now);
  }
  drop(work, now);
}

void ModelPort::drop(Work& work, Time) {
  if (--work.uses == 0) works_.give_back(work);
}

void ModelPort::check(Laws& laws, Time now) const {
  messages_flow_.check(laws, "messages from clients", now);
  work_flow_.check(laws, "work requests", now);
  Bytes on_the_wire{};
  for (const Incoming& m : incoming_) on_the_wire += Bytes{m.work->request.length - m.work->issued};
  laws.equal("data from clients", bytes_in_.value, "stored + in the NIC", (data_stored_ + receive_used_ + on_the_wire).count);
  laws.equal("data asked of memory", data_read_.count, "sent + in the NIC", (Bytes{bytes_out_.value} + transmit_used_).count);
  laws.equal("work requests timed", work_latency_.count(), "work requests done", work_flow_.left());
  laws.expect(in_.busy() <= in_.free_at() - Time{} && out_.busy() <= out_.free_at() - Time{}, "a wire busy for longer than there was time");
  if (work_flow_.inside() == 0 && messages_flow_.inside() == 0) {
    laws.equal("DMA bursts left", bursts_.in_use(), "none", 0);
    laws.equal("RDMA reads outstanding", reads_.size() - free_reads_.size(), "none", 0);
    laws.equal("messages queued", queued_, "none", 0);
  }
}

void ModelPort::explain(Stall& stall) const {
  stall.waits(mem_.waiting(), "DMA accesses", "the interconnect to take them");
  stall.waits(mem_.unanswered(), "DMA accesses", "memory");
  stall.waits(client_out_.waiting(), "messages", "the client to take them");
  stall.waits(held_.size(), "messages from clients", "room in the receive queue");
  stall.waits(incoming_.size(), "data messages from clients", receive_full_ ? "room in the receive buffer (memory)" : "the wire");
  stall.waits(blocked_.size(), "connections", "an RDMA read slot");
  stall.waits(reads_.size() - free_reads_.size(), "RDMA reads", "the client's data");
  for (const Core& core : cores_) {
    stall.waits(core.receive.waiting.size(), "capsules", "room in a receive ring (software reads it)");
    stall.waits(core.completion.waiting.size(), "completions", "room in a completion ring (software reads it)");
  }
}

void ModelPort::finish(Time) {
  in_busy_.value = in_.busy();
  out_busy_.value = out_.busy();
}

}  // namespace flashpath::fabric

// SPDX-License-Identifier: Apache-2.0
// From the clients: capsules into receive rings, the data of RDMA reads into memory.
#include "fabric/fabric_part.h"

namespace flashpath::fabric {

void ModelPort::message_arrived(Payload& payload, Time now) {
  messages_flow_.enter(now);
  transfer_of(payload).entered = now;
  const Message* message = message_of(payload);
  if (queued_++ < config_.receive_queue) client_in_.accept(payload, now);
  else held_.push_back(&payload);
  if (message == nullptr || !payload.is_write()) reject(payload, now);
  else if (message->kind == MessageKind::capsule) capsule_arrived(payload, *message, now);
  else if (message->kind == MessageKind::read_data) data_arrived(payload, *message, now);
  else reject(payload, now);
}

void ModelPort::reject(Payload& payload, Time now) {
  ++rejected_;
  payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
  if (!held_.empty() && held_.back() == &payload) held_.pop_back();  // the response ends its request phase
  --queued_;
  message_done(payload, now, now);
}

void ModelPort::message_done(Payload& payload, Time entered, Time now) {
  messages_flow_.leave(now, entered);
  client_in_.respond(payload, now);
}

void ModelPort::room_in_queue(Time now) {
  --queued_;
  if (held_.empty()) return;
  Payload& next = *held_.front();
  held_.pop_front();
  client_in_.accept(next, now);
}

void ModelPort::capsule_arrived(Payload& payload, const Message& message, Time now) {
  const Bytes size = size_of(payload);
  if (receivers_.empty() || !in_.is_small(size) || message.connection >= config_.connections) {
    reject(payload, now);
    return;
  }
  Entry& entry = entries_.take();
  entry.message = &payload;
  entry.entered = now;
  entry.journey = transfer_of(payload).journey;
  entry.capsule = {.opcode = message.opcode,
                   .connection = message.connection,
                   .key = message.key,
                   .remote = message.remote,
                   .size = message.size.count,
                   .command = message.command};
  const Stream wire = in_.small(now + config_.propagation + config_.nic_latency, size);
  agenda_.post<&ModelPort::capsule_in>(in_.message(wire.last).done, this, reinterpret_cast<std::uint64_t>(&entry));
}

void ModelPort::capsule_in(Time now, std::uint64_t arg) {
  Entry& entry = *reinterpret_cast<Entry*>(arg);
  ++capsules_;
  entry.journey.mark(Stage::fabric, now);
  entry.capsule.trace = journeys_.add(entry.journey);
  const std::uint32_t core = receivers_[core_of(entry.capsule.key, static_cast<std::uint32_t>(receivers_.size()))];
  put(cores_[core].receive, entry, now);
}

void ModelPort::data_arrived(Payload& payload, const Message& message, Time now) {
  Work* work = message.read_tag >= 1 && message.read_tag <= reads_.size() ? reads_[message.read_tag - 1] : nullptr;
  if (work == nullptr || work->answered || message.size.count != work->request.length || size_of(payload) != message.size) {
    reject(payload, now);
    return;
  }
  work->answered = true;
  work->data = &payload;
  work->data_entered = now;
  bytes_in_ += message.size;
  const Time ready = in_.message(now + config_.propagation + config_.nic_latency).done;
  incoming_.push_back({work, ready});
  if (incoming_.size() == 1 && !receiving_) schedule_receive(std::max(ready, in_.free_at()));
}

void ModelPort::schedule_receive(Time at) {
  receiving_ = true;
  agenda_.post<&ModelPort::receive>(at, this);
}

/// Puts the next burst on the wire, if there is room for it behind the wire.
void ModelPort::receive(Time now) {
  receiving_ = false;
  if (incoming_.empty()) return;
  const Incoming next = incoming_.front();
  if (next.ready > now) {
    schedule_receive(next.ready);
    return;
  }
  Work& work = *next.work;
  const Bytes size = std::min(config_.burst, Bytes{work.request.length - work.issued});
  if (receive_used_ + size > config_.receive_buffer) {
    if (!receive_full_) ++paused_;
    receive_full_ = true;
    return;
  }
  receive_full_ = false;
  receive_used_ += size;
  Burst& burst = bursts_.take();
  burst = {.work = &work, .offset = work.issued, .size = size, .stream = in_.bulk({now, now}, Bytes{work.issued}, size), .ready = true};
  work.issued += size.count;
  const auto arg = reinterpret_cast<std::uint64_t>(&burst);
  if (work.issued == work.request.length) {
    incoming_.pop_front();
    room_in_queue(now);
  }
  if (!incoming_.empty() && !receiving_) schedule_receive(in_.free_at());
  if (burst.stream.first > now) agenda_.post<&ModelPort::send_burst>(burst.stream.first, this, arg);
  else send_burst(now, arg);
}

void ModelPort::send_burst(Time now, std::uint64_t arg) {
  Burst& burst = *reinterpret_cast<Burst*>(arg);
  Work& work = *burst.work;
  Transfer& message = transfer_of(*work.data);
  unsigned char* bytes = message.carries_data ? work.data->get_data_ptr() + burst.offset : nullptr;
  Payload& payload = pool_.take(tlm::TLM_WRITE_COMMAND, work.request.local + burst.offset, burst.size, bytes);
  Transfer& transfer = transfer_of(payload);
  transfer.master = Master::nic;
  transfer.stream = burst.stream;
  transfer.journey = work.journey;
  transfer.journey.mark(Stage::fabric, now);
  transfer.owner = &burst;
  transfer.tag = static_cast<std::uint64_t>(Access::receive);
  mem_.send(payload, now);
}

void ModelPort::burst_visible(Burst& burst, Payload& payload, Time now) {
  Work& work = *burst.work;
  const Transfer& transfer = transfer_of(payload);
  if (transfer.journey.at() > work.journey.at()) work.journey = transfer.journey;
  if (!payload.is_response_ok()) work.status = WorkStatus::memory_error;
  payload.release();
  receive_used_ -= burst.size;
  data_stored_ += burst.size;
  work.done += burst.size.count;
  bursts_.give_back(burst);
  if (receive_full_) {
    receive_full_ = false;
    if (!receiving_) schedule_receive(std::max(now, in_.free_at()));
  }
  if (work.done != work.request.length) return;
  work.data->set_response_status(work.status == WorkStatus::ok ? tlm::TLM_OK_RESPONSE : tlm::TLM_GENERIC_ERROR_RESPONSE);
  message_done(*work.data, work.data_entered, now);
  journeys_.join(work.request.trace, work.journey);
  finish_read(work, now);
}

}  // namespace flashpath::fabric

// SPDX-License-Identifier: Apache-2.0
// To the clients: responses, read requests, and data read from memory.
#include "fabric/fabric_part.h"

namespace flashpath::fabric {
namespace {
constexpr std::uint64_t longest = 0xffff'ffffU;  // a generic payload's length
constexpr std::size_t client_slots = 64;         // messages the client has not taken before the wire out stops
}  // namespace

Time ModelPort::take_work(std::uint32_t core, const WorkRequest& request, Time at) {
  Work& work = works_.take();
  work.request = request;
  work.core = core;
  work.issued = work.done = 0;
  work.status = WorkStatus::ok;
  work.answered = false;
  work.uses = 2;
  work.data = nullptr;
  work.entered = at;
  work_flow_.enter(at);
  const Window engine = out_.message(at);
  agenda_.post<&ModelPort::work_ready>(engine.done + config_.nic_latency, this, reinterpret_cast<std::uint64_t>(&work));
  return engine.accepted;
}

void ModelPort::work_ready(Time now, std::uint64_t arg) {
  Work& work = *reinterpret_cast<Work*>(arg);
  const WorkRequest& r = work.request;
  const bool moves = r.op == WorkOp::rdma_write || r.op == WorkOp::rdma_read;
  if ((!moves && r.op != WorkOp::send) || r.connection >= config_.connections || (moves && (r.length == 0 || r.length > longest))) {
    ++rejected_;
    work.status = WorkStatus::bad_request;
    work.uses = 1;
    complete(work, now);
    return;
  }
  const Journey* journey = journeys_.find(r.trace);
  work.journey = journey == nullptr ? Journey{now} : *journey;
  if (r.op == WorkOp::rdma_write && data_mode()) work.bytes.resize(r.length);
  connections_[r.connection].waiting.push_back(&work);
  advance(r.connection, now);
}

/// Starts what the order of the connection allows.
void ModelPort::advance(std::uint32_t id, Time now) {
  Connection& connection = connections_[id];
  while (!connection.waiting.empty() && !connection.issuing) {
    Work& work = *connection.waiting.front();
    if (work.request.op == WorkOp::rdma_write) {
      connection.waiting.pop_front();
      connection.issuing = true;
      ++connection.unsent;
      ++rdma_writes_;
      active_.push_back(&work);
      issue(now);
      continue;
    }
    if (connection.unsent != 0) return;
    if (work.request.op == WorkOp::rdma_read) {
      if (free_reads_.empty()) {
        if (!connection.blocked) blocked_.push_back(id);
        connection.blocked = true;
        return;
      }
      work.tag = free_reads_.back();
      free_reads_.pop_back();
      reads_[work.tag - 1] = &work;
      ++rdma_reads_;
    } else {
      ++sends_;
      if (const Journey* journey = journeys_.find(work.request.trace)) work.journey = *journey;
      journeys_.remove(work.request.trace);
    }
    connection.waiting.pop_front();
    send_small(work, now);
  }
}

void ModelPort::send_small(Work& work, Time now) {
  const Time left = out_.small(now, work.request.op == WorkOp::send ? response_bytes : read_request_bytes).last;
  connections_[work.request.connection].small_until = left;
  agenda_.post<&ModelPort::deliver>(left + config_.propagation, this, reinterpret_cast<std::uint64_t>(&work));
}

/// Asks memory for the next bursts, one per rdma_write in turn, while the buffer has room.
void ModelPort::issue(Time now) {
  if (issuing_) return;
  issuing_ = true;
  while (!active_.empty() && client_out_.waiting() < client_slots) {
    Work& work = *active_.front();
    const Bytes size = std::min(config_.burst, Bytes{work.request.length - work.issued});
    if (transmit_used_ + size > config_.transmit_buffer) break;
    active_.pop_front();
    Burst& burst = bursts_.take();
    burst = {.work = &work, .offset = work.issued, .size = size, .stream = {}, .ready = false};
    Payload& payload =
        pool_.take(tlm::TLM_READ_COMMAND, work.request.local + work.issued, size, data_mode() ? work.bytes.data() + work.issued : nullptr);
    Transfer& transfer = transfer_of(payload);
    transfer.master = Master::nic;
    transfer.stream = {now, now};
    transfer.journey = work.journey;
    transfer.journey.mark(Stage::fabric, now);
    transfer.owner = &burst;
    transfer.tag = static_cast<std::uint64_t>(Access::transmit);
    work.issued += size.count;
    transmit_used_ += size;
    data_read_ += size;
    transmit_.push_back(&burst);
    if (work.issued == work.request.length) {
      connections_[work.request.connection].issuing = false;
      advance(work.request.connection, now);
    } else {
      active_.push_back(&work);
    }
    mem_.send(payload, now);
  }
  issuing_ = false;
}

/// Bursts go on the wire in the order they were asked for, each as a stream from its first byte on.
void ModelPort::burst_read(Burst& burst, Payload& payload, Time now) {
  const Transfer& transfer = transfer_of(payload);
  burst.stream = {now, std::max(now, transfer.stream.last)};
  burst.ready = true;
  if (transfer.journey.at() > burst.work->journey.at()) burst.work->journey = transfer.journey;
  if (!payload.is_response_ok()) burst.work->status = WorkStatus::memory_error;
  payload.release();
  while (!transmit_.empty() && transmit_.front()->ready) {
    Burst& next = *transmit_.front();
    transmit_.pop_front();
    const Time first = std::max(now, connections_[next.work->request.connection].small_until);
    const Stream out = out_.bulk({first, std::max(first, next.stream.last)}, Bytes{next.offset}, next.size);
    agenda_.post<&ModelPort::burst_left>(out.last, this, reinterpret_cast<std::uint64_t>(&next), 0, Priority::release);
  }
}

void ModelPort::burst_left(Time now, std::uint64_t arg) {
  Burst& burst = *reinterpret_cast<Burst*>(arg);
  Work& work = *burst.work;
  work.done += burst.size.count;
  transmit_used_ -= burst.size;
  bytes_out_ += burst.size;
  bursts_.give_back(burst);
  if (work.done == work.request.length) {
    const std::uint32_t connection = work.request.connection;
    work.journey.mark(Stage::fabric, now);
    journeys_.join(work.request.trace, work.journey);
    --connections_[connection].unsent;
    if (work.status == WorkStatus::ok) {
      agenda_.post<&ModelPort::deliver>(now + config_.propagation, this, reinterpret_cast<std::uint64_t>(&work));
    } else {
      work.uses = 1;  // what could not be read is not delivered
      complete(work, now);
    }
    advance(connection, now);
  }
  issue(now);
}

void ModelPort::deliver(Time now, std::uint64_t arg) {
  Work& work = *reinterpret_cast<Work*>(arg);
  const WorkRequest& r = work.request;
  Message message{.connection = r.connection};
  Bytes size{};
  unsigned char* bytes = nullptr;
  switch (r.op) {
    case WorkOp::send:
      message.kind = MessageKind::response;
      message.status = r.status;
      message.command = r.command;
      message.size = Bytes{r.size};
      size = response_bytes;
      break;
    case WorkOp::rdma_read:
      message.kind = MessageKind::read_request;
      message.remote = r.remote;
      message.size = Bytes{r.length};
      message.read_tag = work.tag;
      size = read_request_bytes;
      break;
    case WorkOp::rdma_write:
      message.kind = MessageKind::write_data;
      message.remote = r.remote;
      message.size = size = Bytes{r.length};
      bytes = data_mode() ? work.bytes.data() : nullptr;
      break;
  }
  Payload& payload = messages_.take(tlm::TLM_WRITE_COMMAND, 0, size, bytes);
  *message_of(payload) = message;
  Transfer& transfer = transfer_of(payload);
  transfer.stream = {now, now};
  transfer.journey = work.journey;
  transfer.journey.mark(Stage::fabric, now);
  transfer.owner = &work;
  client_out_.send(payload, now);
  if (r.op != WorkOp::rdma_read) agenda_.post<&ModelPort::acknowledged>(now + config_.propagation, this, arg);
}

void ModelPort::acknowledged(Time now, std::uint64_t arg) { complete(*reinterpret_cast<Work*>(arg), now); }

/// The client has done with a message: its bytes may go.
void ModelPort::delivered(Payload& payload, Time now) {
  Work& work = *static_cast<Work*>(transfer_of(payload).owner);
  payload.release();
  drop(work, now);
}

void ModelPort::finish_read(Work& work, Time now) {
  reads_[work.tag - 1] = nullptr;
  free_reads_.push_back(work.tag);
  complete(work, now);
  while (!blocked_.empty() && !free_reads_.empty()) {
    const std::uint32_t connection = blocked_.front();
    blocked_.pop_front();
    connections_[connection].blocked = false;
    advance(connection, now);
  }
}

}  // namespace flashpath::fabric

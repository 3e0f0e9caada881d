// SPDX-License-Identifier: Apache-2.0
// Data on its way: chunks between the FTL and host memory.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "nvme/nvme_model.h"

namespace flashpath::nvme {

/// The first error is the command's status.
void ControllerModel::fail(Command& c, Status status) {
  if (c.status == Status::success) c.status = status;
}

/// A piece is done at `end`; the last one's journey is the command's.
void ControllerModel::ended_by(Command& c, Journey& journey, Time end, Stage stage) {
  if (end < c.data_end) return;
  c.data_end = end;
  journey.mark(stage, end);
  c.critical = journey;
}

Chunk& ControllerModel::new_chunk(Command& c, ftl::RequestKind kind, std::uint64_t offset, std::uint64_t size) {
  Chunk& chunk = chunks_.take();
  ++c.pending;
  chunk.command = &c;
  chunk.offset = offset;
  chunk.pieces = 0;
  chunk.failed = chunk.accepted = chunk.own_buffer = false;
  chunk.ready = Time{};
  chunk.buffer = nullptr;
  ftl::Request& r = chunk.request;
  r.kind = kind;
  r.address = {c.ns == nullptr ? 0 : c.place(c.begin + offset)};
  r.size = {size};
  r.data = nullptr;
  r.stream_id = c.stream;
  r.status = ftl::RequestStatus::ok;
  r.stream = {};
  r.journey = c.origin;
  r.owner = &chunk;
  if (data_mode_ && size != 0) {
    if (free_buffers_.empty()) {
      buffers_.push_back(std::make_unique<unsigned char[]>(std::max(config_.read_chunk, config_.write_chunk).count));
      free_buffers_.push_back(buffers_.back().get());
    }
    chunk.buffer = r.data = free_buffers_.back();
    chunk.own_buffer = true;
    free_buffers_.pop_back();
  }
  return chunk;
}

void ControllerModel::finish_chunk(Chunk& chunk, Time now) {
  Command& c = *chunk.command;
  if (chunk.own_buffer) free_buffers_.push_back(chunk.buffer);
  chunks_.give(chunk);
  release(c, now);
}

/// One DMA request per physically contiguous stretch of the chunk.
void ControllerModel::move(Chunk& chunk, bool to_host, Time now) {
  Command& c = *chunk.command;
  std::uint64_t begin = chunk.offset;
  std::uint64_t end = begin + chunk.request.size.count;
  unsigned char* bytes = chunk.buffer;
  if (c.special) [[unlikely]]
    bytes = host_view(chunk, to_host, begin, end);
  auto segment = c.segments.cbegin();
  if (c.segments.size() > 1) {
    const auto before = [](std::uint64_t at, const Segment& s) { return at < s.offset; };
    segment = std::prev(std::upper_bound(c.segments.cbegin(), c.segments.cend(), begin, before));
  }
  const Stream whole = chunk.request.stream;
  const auto size = static_cast<Wide>(end - begin);
  if (c.io && to_host) moving_ += Bytes{end - begin};
  chunk.pieces = 1;
  if (c.special) [[unlikely]]
    move_metadata(chunk, to_host, now);
  for (std::uint64_t at = begin; at < end; ++segment) {
    const std::uint64_t inside = at - segment->offset;
    const std::uint64_t length = std::min(end - at, segment->length - inside);
    if (segment->address == Segment::bucket) [[unlikely]] {
      at += length;
      if (c.io && to_host) {
        moving_ -= Bytes{length};
        stats_.read_dropped += Bytes{length};
      }
      ended_by(c, chunk.request.journey, std::max(now, whole.last), Stage::link);
      continue;
    }
    DmaRequest& dma = dmas_.take();
    dma.write = to_host;
    dma.address = segment->address + inside;
    dma.size = {length};
    dma.bytes = bytes == nullptr ? nullptr : bytes + (at - begin);
    at += length;
    dma.stream = {};
    if (to_host) {  // this stretch's share of the stream
      Time last = whole.last;
      if (at != end) {
        const Wide span = static_cast<Wide>(std::max(whole.last - whole.first, Duration{}).count());
        last = whole.first + Duration{static_cast<std::int64_t>((span * (at - begin) + size - 1) / size)};
      }
      dma.stream = {.first = now, .last = std::max(last, now)};
    }
    dma.journey = chunk.request.journey;
    dma.ok = true;
    dma.purpose = DmaRequest::Purpose::data;
    dma.owner = &chunk;
    ++chunk.pieces;
    issue(dma, now);
  }
  piece_done(chunk, now);
}

// ---- DMA: first come, first served, up to dma_outstanding in each direction ----

void ControllerModel::issue(DmaRequest& dma, Time now) {
  const std::size_t way = dma.write ? 1 : 0;
  if (dma.write) settle_slots(now);
  if (dma_under_way_[way] < config_.dma_outstanding && dma_queue_[way].empty()) start(dma, now);
  else {
    dma_queue_[way].push(dma);
    if (dma.write) wake_slots();
  }
}

void ControllerModel::start(DmaRequest& dma, Time now) {
  ++dma_under_way_[dma.write ? 1 : 0];
  dma.limited = true;
  dma.journey.mark(Stage::link_wait, now);
  if (dma.write) dma.stream = {.first = std::max(dma.stream.first, now), .last = std::max(dma.stream.last, now)};
  access(dma, now);
}

void ControllerModel::drain_dma(Time now, bool write) {
  const std::size_t way = write ? 1 : 0;
  if (draining_[way]) return;
  draining_[way] = true;
  if (write) settle_slots(now);
  while (!dma_queue_[way].empty() && dma_under_way_[way] < config_.dma_outstanding) start(dma_queue_[way].pop(), now);
  draining_[way] = false;
}

void ControllerModel::dma_done(DmaRequest& dma, Time now) {
  switch (dma.purpose) {
    case DmaRequest::Purpose::sqe_fetch: fetch_done(dma, now); return;
    case DmaRequest::Purpose::prp_list: list_done(dma, now); return;
    case DmaRequest::Purpose::data: data_done(dma, now); return;
    case DmaRequest::Purpose::cqe: cqe_done(dma, now); return;
    case DmaRequest::Purpose::shadow: shadow_done(dma, now); return;
  }
}

void ControllerModel::data_done(DmaRequest& dma, Time now) {
  Chunk& chunk = *static_cast<Chunk*>(dma.owner);
  Command& c = *chunk.command;
  const Time end = std::max(now, dma.stream.last);
  const bool write = dma.write;
  const bool limited = dma.limited;
  if (!dma.ok) {
    chunk.failed = true;
    fail(c, Status::data_transfer_error);
  }
  if (write) {
    ended_by(c, dma.journey, end, Stage::link);
  } else if (end >= chunk.ready) {
    chunk.ready = end;
    dma.journey.mark(Stage::link, end);
    chunk.request.journey = dma.journey;
  }
  if (c.io && write) {
    moving_ -= dma.size;
    (dma.ok ? stats_.sent : stats_.read_dropped) += dma.size;
  }
  dma.limited = false;
  dmas_.give(dma);
  piece_done(chunk, now);
  if (limited) free_slot(now, write);
}

/// A DMA request is over at `now`, which for a write may be announced ahead: then its slot stays taken until that moment.
void ControllerModel::free_slot(Time now, bool write) {
  const std::size_t way = write ? 1 : 0;
  if (now <= agenda_.now()) {
    --dma_under_way_[way];
    drain_dma(now, write);
    return;
  }
  leaving_.push_back(now);
  if (!dma_queue_[way].empty()) wake_slots();
}

/// Slots of writes whose announced end has come.
void ControllerModel::settle_slots(Time now) {
  while (!leaving_.empty() && leaving_.front() <= now) {
    leaving_.pop_front();
    --dma_under_way_[1];
  }
}

/// Somebody waits for a slot: comes back when the next one is free.
void ControllerModel::wake_slots() {
  if (leaving_.empty() || slot_wake_ <= leaving_.front()) return;
  slot_wake_ = leaving_.front();
  agenda_.post<&ControllerModel::slots_free>(slot_wake_, this);
}

void ControllerModel::slots_free(Time now) {
  slot_wake_ = never;
  drain_dma(now, true);
  if (!dma_queue_[1].empty()) wake_slots();
}

void ControllerModel::piece_done(Chunk& chunk, Time now) {
  if (--chunk.pieces != 0) return;
  Command& c = *chunk.command;
  if (c.direction == Direction::to_host) {
    finish_chunk(chunk, now);
    return;
  }
  if (chunk.ready > now) agenda_.post<&ControllerModel::write_arrived>(chunk.ready, this, reinterpret_cast<std::uint64_t>(&chunk));
  else write_arrived(now, reinterpret_cast<std::uint64_t>(&chunk));
}

// ---- reads ----

void ControllerModel::read_answered(Chunk& chunk, Time now) {
  Command& c = *chunk.command;
  ftl::Request& r = chunk.request;
  if (!uncorrectable_.empty() && r.status == ftl::RequestStatus::ok && uncorrectable_.overlaps(r.address.count, (r.address + r.size).count))
    r.status = ftl::RequestStatus::uncorrectable;
  if (c.work == Work::copy) [[unlikely]] {
    copy_answered(chunk, now);
    return;
  }
  if (r.status != ftl::RequestStatus::ok) {
    fail(c, r.status == ftl::RequestStatus::uncorrectable ? Status::unrecovered_read_error : Status::internal_error);
    ended_by(c, r.journey, now, Stage::control);
    finish_chunk(chunk, now);
    return;
  }
  stats_.read_answered += r.size;
  if (c.special && c.status == Status::success && !c.abandoned) [[unlikely]]
    check_read(chunk);
  if (!c.abandoned && c.status == Status::success && !c.prps_ready) {
    waiting_for_prps_ += r.size;
    chunk.next = c.waiting;
    c.waiting = &chunk;
    return;
  }
  if (c.abandoned || c.status != Status::success) {
    stats_.read_dropped += r.size;
    ended_by(c, r.journey, now, Stage::control);
    finish_chunk(chunk, now);
    return;
  }
  deliver(chunk, now);
}

/// The PRP list is complete (or the command has failed): pieces that waited for it go on, first come first.
void ControllerModel::send_waiting(Command& c, Time now) {
  Chunk* in_order = nullptr;
  for (Chunk* chunk = c.waiting; chunk != nullptr;) {
    Chunk* const next = chunk->next;
    chunk->next = in_order;
    in_order = chunk;
    chunk = next;
  }
  c.waiting = nullptr;
  for (Chunk* chunk = in_order; chunk != nullptr;) {
    Chunk* const next = chunk->next;
    chunk->next = nullptr;
    waiting_for_prps_ -= chunk->request.size;
    chunk->request.journey.mark(Stage::fetch, now);
    if (c.abandoned || c.status != Status::success) {
      stats_.read_dropped += chunk->request.size;
      finish_chunk(*chunk, now);
    } else {
      deliver(*chunk, now);
    }
    chunk = next;
  }
}

// ---- writes ----

/// Asks for write data in command order while the staging window has room.
void ControllerModel::pump_writes(Time now) {
  if (pumping_) return;
  pumping_ = true;
  const std::uint64_t step = config_.write_chunk.count;
  while (!writes_.empty()) {
    Command& c = *writes_.front();
    if (c.abandoned || c.status != Status::success || c.asked == c.length) {
      writes_.pop();
      release(c, now);
      continue;
    }
    const std::uint64_t at = c.begin + c.asked;
    std::uint64_t size = std::min({c.length - c.asked, step - at % step, c.left(at)});
    if (c.work == Work::copy) size = std::min(size, copy_piece(c));
    if (c.asked < c.hole) size = std::min(size, c.hole - c.asked);
    if (staged_.count + size > config_.staging.count) break;
    staged_ += {size};
    staged_not_sent_ += {size};
    stats_.asked += Bytes{size};
    Chunk& chunk = new_chunk(c, ftl::RequestKind::write, c.asked, size);
    chunk.request.journey.mark(Stage::buffer_wait, now);
    c.asked += size;
    if (c.asked == c.hole && c.hole != c.hole_end) c.asked = c.hole_end;
    if (c.work == Work::copy) {
      copy_read(chunk, now);
    } else if (c.sqe.opcode == static_cast<std::uint8_t>(IoOpcode::write_zeroes)) {
      if (chunk.buffer != nullptr) std::memset(chunk.buffer, 0, size);
      write_arrived(now, reinterpret_cast<std::uint64_t>(&chunk));
    } else {
      move(chunk, false, now);
    }
  }
  pumping_ = false;
}

/// A chunk's last byte is here.
void ControllerModel::write_arrived(Time now, std::uint64_t arg) {
  Chunk& chunk = *reinterpret_cast<Chunk*>(arg);
  Command& c = *chunk.command;
  if (!c.io) {  // ranges of a Dataset Management command
    if (!chunk.failed && !c.abandoned) {
      c.origin = chunk.request.journey;
      control_arrived(c, now);
    }
    ended_by(c, chunk.request.journey, now, Stage::link);
    finish_chunk(chunk, now);
    return;
  }
  if (c.work == Work::compare) {
    compare(chunk, now);
    return;
  }
  staged_not_sent_ -= chunk.request.size;
  if (c.special && !chunk.failed && !c.abandoned) [[unlikely]]
    chunk.failed = !check_write(chunk);
  if (chunk.failed || c.abandoned) {
    drop_staged(chunk, now);
    return;
  }
  stats_.handed_on += chunk.request.size;
  if (!uncorrectable_.empty()) uncorrectable_.clear(chunk.request.address.count, (chunk.request.address + chunk.request.size).count);
  outside.ftl(chunk.request, now);
}

void ControllerModel::drop_staged(Chunk& chunk, Time now) {
  staged_ -= chunk.request.size;
  stats_.write_dropped += chunk.request.size;
  ended_by(*chunk.command, chunk.request.journey, now, Stage::link);
  finish_chunk(chunk, now);
  pump_writes(now);
}

void ControllerModel::ftl_accepted(ftl::Request& request, Time now) {
  Chunk& chunk = *static_cast<Chunk*>(request.owner);
  if (chunk.accepted || request.kind != ftl::RequestKind::write) return;
  chunk.accepted = true;
  staged_ -= request.size;
  pump_writes(now);
}

void ControllerModel::ftl_answered(ftl::Request& request, Time now) {
  Chunk& chunk = *static_cast<Chunk*>(request.owner);
  if (chunk.command == nullptr) {  // the flush of a shutdown
    if (chunk.offset == shutdowns_) csts_ = (csts_ & ~csts_shst_occurring) | csts_shst_complete;
    chunks_.give(chunk);
    return;
  }
  if (request.kind == ftl::RequestKind::read) {
    read_answered(chunk, now);
    return;
  }
  ftl_accepted(request, now);
  Command& c = *chunk.command;
  if (request.status != ftl::RequestStatus::ok) {
    const bool range = request.status == ftl::RequestStatus::out_of_range;
    fail(c, range ? Status::lba_out_of_range : Status::write_fault);
  }
  if (&c == taking_.command) unmapped(now);
  ended_by(c, request.journey, std::max(now, request.stream.last), Stage::map);
  finish_chunk(chunk, now);
}

// ---- data of admin commands, and ranges ----

void ControllerModel::transfer_control(Command& c, Time now) {
  Chunk& chunk = new_chunk(c, ftl::RequestKind::read, 0, 0);
  chunk.request.size = {c.length};
  chunk.buffer = c.data.data();
  move(chunk, c.direction == Direction::to_host, now);
}

}  // namespace flashpath::nvme

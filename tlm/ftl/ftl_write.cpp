// SPDX-License-Identifier: Apache-2.0
// The write path: room in the buffer, a place in the open superblock, a program per full program unit.
#include <algorithm>
#include <cstring>

#include "ftl/ftl_model.h"
#include "ftl/ftl_pieces.h"

namespace flashpath::ftl {

/// Takes from the line whatever can be taken.
void FtlModel::pump(Time now) {
  pump_again_ = true;
  if (pumping_) return;
  pumping_ = true;
  while (pump_again_) {
    pump_again_ = false;
    if (!restoring_.empty() && !restore(now)) break;
    while (line_.front() != nullptr && wiping_ == nullptr && step(*line_.front(), now)) {
      Job& job = line_.pop();
      Request& request = *job.request;
      request.journey.mark(Stage::buffer_wait, now);
      counts_.buffer_wait += now - job.entered;
      const bool write = request.kind == RequestKind::write && request.status == RequestStatus::ok;
      if (cache_) leave_map(job, now);
      if (request.kind == RequestKind::flush && request.status == RequestStatus::ok) flush(job, now);
      if (request.kind == RequestKind::format && request.status == RequestStatus::ok) format(job, now);
      if (job.done == 0 || write) {
        const std::uint64_t units = write ? ceil_div(request.size.count, unit_) : 1;
        agenda_.post<&FtlModel::answer_later>(look_up(units, config_.write_latency, now), this, reinterpret_cast<std::uint64_t>(&job));
      }
      accepted_(request, now);
    }
  }
  pumping_ = false;
  collect(now);
}

/// One request from the line; false: it has to wait.
bool FtlModel::step(Job& job, Time now) {
  if (job.request->status != RequestStatus::ok) return true;
  if (job.map_waits != 0) return false;
  if ((read_only_ && job.request->kind == RequestKind::write) || (stuck_ && job.request->kind == RequestKind::flush)) {
    job.request->status = RequestStatus::write_fault;
    job.done = 0;
    return true;
  }
  if (job.request->kind == RequestKind::write) return write_step(job, now);
  if (job.request->kind == RequestKind::trim) trim(*job.request, now);
  return true;
}

bool FtlModel::write_step(Job& job, Time now) {
  const Request& request = *job.request;
  WriteStream& stream = streams_[request.stream_id % config_.write_streams];
  const std::uint64_t begin = request.address.count, end = begin + request.size.count;
  const std::uint64_t last = request.size.count == 0 ? begin / unit_ : ceil_div(end, unit_);
  bool done = true;
  for (std::uint64_t unit = begin / unit_ + job.done; unit < last; unit = begin / unit_ + job.done) {
    std::uint64_t room = (config_.write_buffer.count - used_) / unit_;
    done = false;
    if (room != 0 && (room = allowed(room)) == 0) {
      if (pacing_wait_since_ == never) pacing_wait_since_ = now;
      break;
    }
    if (room == 0 || (active_fills_ != 0 && filling(unit, 1))) break;
    const std::uint64_t from = std::max(begin, unit * unit_), to = std::min(end, (unit + 1) * unit_);
    const unsigned char* bytes = data_mode_ && request.data != nullptr ? request.data + (from - begin) : nullptr;
    std::uint64_t placed = 0;
    if (to - from != unit_) {
      placed = rewrite(stream, true, unit, from - unit * unit_, to - unit * unit_, bytes, now) ? 1 : 0;
    } else {
      std::uint64_t count = std::min(room, end / unit_ - unit);
      if (active_fills_ != 0 && filling(unit, count)) count = 1;
      placed = place(stream, true, unit, count, bytes);
    }
    if (placed == 0) {
      if (superblock_wait_since_ == never) superblock_wait_since_ = now;
      break;
    }
    if (superblock_wait_since_ != never) {
      counts_.superblock_wait += now - superblock_wait_since_;
      superblock_wait_since_ = never;
    }
    if (pacing_wait_since_ != never) {
      counts_.pacing_wait += now - pacing_wait_since_;
      pacing_wait_since_ = never;
    }
    credit_ -= std::min(credit_, placed);
    job.done += placed;
    done = true;
  }
  issue_programs(stream, now);
  if (done) counts_.host_written += request.size.count;
  return done;
}

/// Whole units only.
void FtlModel::trim(const Request& request, Time now) {
  const std::uint64_t first = ceil_div(request.address.count, unit_);
  const std::uint64_t last = (request.address.count + request.size.count) / unit_;
  if (first >= last) return;
  if (!lost_.empty()) found(first, last - first);
  const std::uint64_t before = mapping_.mapped();
  if (spare_area_) spare_area_->trimmed(first, last - first);
  mapping_.replace(first, last - first, nowhere, [this](Position p, std::uint64_t n) { dropped(p, n); });
  counts_.trimmed += before - mapping_.mapped();
  if (cache_) trim_map(first, last - first, now);
}

/// Pads what is begun, so that it is programmed; job.done: the program units to wait for.
void FtlModel::flush(Job& job, Time now) {
  job.done = 0;
  if (!config_.flush_programs && config_.power_loss_protection) return;
  for (std::size_t i = 0; i < config_.write_streams; ++i) pad(streams_[i], true, now);
  job.done = host_slots_;
  job.sequence = slot_sequence_;
  job.journal = spare_area_ ? spare_area_->sequence() : 0;
  if (job.done != 0) flushing_.push_back(&job);
  else journalled_ = job.journal;
}

/// Fills the program unit that is begun with padding, and programs it.
void FtlModel::pad(WriteStream& stream, bool host, Time now) {
  if (stream.slot != 0) {
    Superblock& sb = superblocks_[stream.superblock];
    std::uint32_t pu = slots_[stream.slot].pu + 1;
    const std::uint64_t next = std::min(ceil_div(pu * layout_.program_unit(), unit_), layout_.units());
    if (next > stream.next) sb.runs.append(Run::hole, next - stream.next);
    stream.next = next;
    seal(stream);
    for (; (pu + 1) * layout_.program_unit() <= next * unit_; ++pu) {  // a large unit's alignment may skip whole program units
      stream.slot = take_slot(stream, stream.superblock, pu, host);
      seal(stream);
    }
    if (next == layout_.units()) close(stream);
  }
  issue_programs(stream, now);
}

/// Gives the stream a superblock, the least worn free one (for cold data the most worn). Host streams leave the last ones to
/// garbage collection, and with `recoverable` two more to what power losses leave half written, with a cached map one more to
/// translation pages.
bool FtlModel::open(WriteStream& stream, bool host) {
  if (stream.superblock != no_superblock) return true;
  if (free_ <= (host ? config_.gc_victims + (spare_area_ ? 2U : 0U) + (cache_ ? 1U : 0U) : 0U)) return false;
  const std::uint32_t best = !host && levelling_ ? wear_.most_free() : wear_.least_free();
  if (!host) levelling_ = false;
  wear_.taken(best);
  --free_;
  Superblock& sb = superblocks_[best];
  sb.state = SuperblockState::open;
  sb.stream = stream.handle;
  if (!spare_slots_.empty()) {
    sb.slots = std::move(spare_slots_.back());
    spare_slots_.pop_back();
  } else {
    sb.slots.assign(layout_.program_units(), 0);
  }
  stream.superblock = best;
  stream.next = 0;
  return true;
}

/// Appends up to `count` units to the stream and maps them; `from`: their bytes, or nullptr. Returns how many it took.
std::uint64_t FtlModel::place(WriteStream& stream, bool host, std::uint64_t unit, std::uint64_t count, const unsigned char* from) {
  if (!open(stream, host)) return 0;
  std::uint64_t n = std::min(count, layout_.units() - stream.next);
  if (dead_dies_ != 0 && (n = skip_dead(stream, host, n)) == 0) return 0;
  if (!lost_.empty()) found(unit, n);
  Superblock& sb = superblocks_[stream.superblock];
  mapping_.replace(unit, n, layout_.first_of(stream.superblock) + stream.next, [this](Position p, std::uint64_t k) { dropped(p, k); });
  sb.valid += n;
  sb.runs.append(unit, n);
  if (spare_area_) spare_area_->wrote(stream.superblock, stream.next, unit, n);
  append(stream, host, n, from);
  if (cache_ && !host && unit < data_units_) note_map(unit, n);
  return n;
}

void FtlModel::append(WriteStream& stream, bool host, std::uint64_t units, const unsigned char* from) {
  const std::uint64_t size = units * unit_, offset = stream.next * unit_, pu_size = layout_.program_unit();
  if (host) {
    used_ += size;
    counts_.placed += size;
  } else {
    gc_bytes_ += size;
    counts_.placed_gc += size;
  }
  stream.next += units;
  auto pu = static_cast<std::uint32_t>(offset / pu_size);
  std::uint64_t in_pu = offset - pu * pu_size;
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t n = std::min(size - done, pu_size - in_pu);
    if (stream.slot == 0) stream.slot = take_slot(stream, stream.superblock, pu, host);
    Slot& slot = slots_[stream.slot];
    slot.bytes += n;
    if (from != nullptr) std::memcpy(slot.data.get() + in_pu, from + done, n);
    done += n;
    in_pu += n;
    if (in_pu != pu_size) break;
    in_pu = 0;
    ++pu;
    seal(stream);
  }
  if (stream.next == layout_.units()) close(stream);
}

std::uint32_t FtlModel::take_slot(const WriteStream& stream, std::uint32_t superblock, std::uint32_t pu, bool host, bool parity) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t id = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[id];
  if (data_mode_) {
    if (!slot.data) slot.data = std::make_unique<unsigned char[]>(layout_.program_unit());
    std::memset(slot.data.get(), 0, layout_.program_unit());
  }
  slot.superblock = superblock;
  slot.pu = pu;
  slot.fills = 0;
  slot.stream = static_cast<std::uint32_t>(&stream - streams_.data());
  slot.issued = false;
  slot.parity = parity;
  slot.host = host;
  slot.bytes = 0;
  slot.sequence = ++slot_sequence_;
  if (!parity) ++(host ? host_slots_ : gc_slots_);
  superblocks_[superblock].slots[pu] = id;
  ++superblocks_[superblock].programs;
  return id;
}

/// The program unit takes no more bytes.
void FtlModel::seal(WriteStream& stream) {
  stream.waiting.push_back(stream.slot);
  stream.slot = 0;
}

void FtlModel::close(WriteStream& stream) {
  if (stream.slot != 0) seal(stream);
  Superblock& sb = superblocks_[stream.superblock];
  sb.state = SuperblockState::closing;
  sb.runs.shrink_to_fit();
  settle(stream.superblock);
  stream.superblock = no_superblock;
}

/// Programs what is sealed, in order: a block's wordlines are programmed one after the other.
void FtlModel::issue_programs(WriteStream& stream, Time now) {
  while (stream.waiting_head < stream.waiting.size()) {
    const std::uint32_t id = stream.waiting[stream.waiting_head];
    Slot& slot = slots_[id];
    if (slot.fills != 0) break;
    ++stream.waiting_head;
    if (config_.rain == 0) program_slot(id, now);
    else add_to_parity(stream, id, now);
  }
  if (stream.parity != 0 && group_over(stream)) end_group(stream, now);
  if (stream.waiting_head == stream.waiting.size()) {
    stream.waiting.clear();
    stream.waiting_head = 0;
  } else if (stream.waiting_head >= 256) {
    stream.waiting.erase(stream.waiting.begin(), stream.waiting.begin() + static_cast<std::ptrdiff_t>(stream.waiting_head));
    stream.waiting_head = 0;
  }
}

void FtlModel::program_slot(std::uint32_t id, Time now) {
  Slot& slot = slots_[id];
  slot.issued = true;
  if (spare_area_) slot.journal = spare_area_->sequence();
  nand::Op& op = take_op(OpOwner::program, nullptr, id);
  layout_.program(op, slot.superblock, slot.pu);
  op.data = slot.data.get();
  op.background = slot.parity ? slot.stream >= config_.write_streams : !slot.host;
  op.journey = Journey{now};
  issue(op, slot.superblock, now);
}

void FtlModel::free_slot(std::uint32_t id) {
  Slot& slot = slots_[id];
  superblocks_[slot.superblock].slots[slot.pu] = 0;
  --superblocks_[slot.superblock].programs;
  if (!slot.parity) --(slot.host ? host_slots_ : gc_slots_);
  free_slots_.push_back(id);
  slot.superblock = no_superblock;
}

void FtlModel::program_done(std::uint32_t id, Time now) {
  Slot& slot = slots_[id];
  (slot.host ? used_ : gc_bytes_) -= slot.bytes;
  (slot.host ? counts_.programmed_host : counts_.programmed_gc) += slot.bytes;
  (slot.parity ? counts_.parity : counts_.padded) += layout_.program_unit() - slot.bytes;
  programming_ -= layout_.program_unit();
  slot.issued = false;
  const std::uint32_t superblock = slot.superblock;
  free_slot(id);
  journalled_ = std::max(journalled_, slot.journal);
  if (slot.host && !flushing_.empty()) {
    std::erase_if(flushing_, [&](Job* job) {
      if (slot.sequence > job->sequence || --job->done != 0) return false;
      journalled_ = std::max(journalled_, job->journal);
      job->request->journey.mark(Stage::program, now);
      agenda_.post<&FtlModel::answer_later>(look_up(1, config_.write_latency, now), this, reinterpret_cast<std::uint64_t>(job));
      return true;
    });
  }
  settle(superblock);
  pump(now);
}

/// All of a superblock is on flash: it may become a victim.
void FtlModel::settle(std::uint32_t superblock) {
  Superblock& sb = superblocks_[superblock];
  if (sb.state != SuperblockState::closing || sb.programs != 0) return;
  sb.state = SuperblockState::closed;
  closed_.add(superblock);
  wear_.closed(superblock);
  spare_slots_.push_back(std::move(sb.slots));
  sb.slots = {};
}

/// Units at these positions are no longer the newest.
void FtlModel::dropped(Position position, std::uint64_t count) {
  while (count != 0) {
    const std::uint32_t superblock = layout_.superblock_of(position);
    const std::uint64_t n = std::min(count, layout_.first_of(superblock + 1) - position);
    superblocks_[superblock].valid -= n;
    closed_.lost(superblock);
    position += n;
    count -= n;
  }
}

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
// From a doorbell to a command, and from a command to its completion queue entry.
#include <algorithm>
#include <bit>

#include "base/error.h"
#include "nvme/nvme_model.h"

namespace flashpath::nvme {
namespace {
/// Read, Compare, Verify.
constexpr bool reads_flash(std::uint8_t opcode) {
  constexpr std::uint32_t those = 1U << static_cast<unsigned>(IoOpcode::read) | 1U << static_cast<unsigned>(IoOpcode::compare) |
                                  1U << static_cast<unsigned>(IoOpcode::verify);
  return opcode < 32 && ((those >> opcode) & 1U) != 0;
}
}  // namespace

void ControllerModel::mark_ready(std::uint16_t id) {
  const SubmissionQueue& sq = sqs_[id];
  arbiter_.ready(id, sq.priority, sq.exists && !sq.deleting && !sq.fetching && sq.head != sq.tail);
}

void ControllerModel::wake_arbiter(Time now) {
  if (arbiter_at_ <= now || fetches_ >= config_.fetches) return;  // a fetch that ends wakes it
  if (arbiter_.empty()) return;
  arbiter_at_ = now;
  agenda_.post<&ControllerModel::arbitrate>(now, this, 0, 0, Priority::decide);
}

/// How many entries one turn may fetch now.
std::uint32_t ControllerModel::fetchable(const SubmissionQueue& sq, std::uint16_t id, std::uint32_t limit) const {
  if (!cqs_[sq.cq].backlog.empty()) return 0;
  const std::uint32_t to_end = sq.tail > sq.head ? sq.tail - sq.head : sq.size - sq.head;
  return std::min({to_end, limit, config_.fetch_batch, free_contexts_[id == 0 ? 1 : 0]});
}

/// Fetches as the arbiter says, until nothing more can be fetched.
void ControllerModel::arbitrate(Time now) {
  if (arbiter_at_ == now) arbiter_at_ = never;
  while (running_ && !shut_down_ && fetches_ < config_.fetches) {
    const Arbiter::Turn turn = arbiter_.next(free_contexts_[1] != 0, free_contexts_[0] != 0);
    if (turn.queue == ReadySet::none) return;
    const auto id = static_cast<std::uint16_t>(turn.queue);
    SubmissionQueue& sq = sqs_[id];
    const std::uint32_t count = fetchable(sq, id, turn.limit);
    if (count == 0) {  // its completion queue has a backlog: out of the circle until that is gone
      arbiter_.ready(id, sq.priority, false);
      cqs_[sq.cq].blocked.push_back(id);
      continue;
    }
    arbiter_.served(id, sq.priority, count);
    fetch(id, count, now);
  }
}

void ControllerModel::unblock(CompletionQueue& cq) {
  for (const std::uint16_t id : cq.blocked) mark_ready(id);
  cq.blocked.clear();
}

void ControllerModel::fetch(std::uint16_t id, std::uint32_t count, Time now) {
  SubmissionQueue& sq = sqs_[id];
  sq.fetching = true;
  mark_ready(id);
  free_contexts_[id == 0 ? 1 : 0] -= count;
  reserved_ += count;
  ++fetches_;
  ++stats_.fetches;

  Fetch& fetch = fetch_pool_.take();
  fetch.sq = id;
  fetch.count = count;
  fetch.epoch = epoch_;
  fetch.begun = now;
  const std::uint64_t entries = ceil_div(count * config_.sqe_fetch.count, sizeof(Sqe));  // what is beyond `count` is not looked at
  if (fetch.entries.size() < entries) fetch.entries.resize(entries);
  DmaRequest& dma = dmas_.take();
  dma.write = false;
  dma.address = sq.base + std::uint64_t{sq.head} * sizeof(Sqe);
  dma.size = count * config_.sqe_fetch;
  dma.bytes = reinterpret_cast<unsigned char*>(fetch.entries.data());
  dma.stream = {};
  dma.journey = Journey{now};
  dma.purpose = DmaRequest::Purpose::sqe_fetch;
  dma.owner = &fetch;
  access(dma, now);
}

/// Room for the queue's state: as much memory as the highest id needs.
SubmissionQueue& ControllerModel::grow_sq(std::uint32_t id) {
  if (id >= sqs_.size()) sqs_.resize(id + 1U);
  return sqs_[id];
}
CompletionQueue& ControllerModel::grow_cq(std::uint32_t id) {
  if (id >= cqs_.size()) cqs_.resize(id + 1U);
  return cqs_[id];
}

void ControllerModel::fetch_done(DmaRequest& dma, Time now) {
  Fetch& fetch = *static_cast<Fetch*>(dma.owner);
  fetch.ok = dma.ok;
  const Time end = std::max(now, dma.stream.last);
  dmas_.give(dma);
  if (end > now) agenda_.post<&ControllerModel::fetch_arrived>(end, this, reinterpret_cast<std::uint64_t>(&fetch));
  else fetch_arrived(now, reinterpret_cast<std::uint64_t>(&fetch));
}

void ControllerModel::fetch_arrived(Time now, std::uint64_t arg) {
  Fetch& fetch = *reinterpret_cast<Fetch*>(arg);
  const std::uint16_t id = fetch.sq;
  --fetches_;
  free_contexts_[id == 0 ? 1 : 0] += fetch.count;
  reserved_ -= fetch.count;
  if (fetch.epoch != epoch_ || !running_ || !fetch.ok) {
    const bool broken = fetch.epoch == epoch_ && running_;
    fetch_pool_.give(fetch);
    if (broken) fatal(now);  // a submission queue in memory that does not answer
    drained(now);
    return;
  }
  SubmissionQueue& sq = sqs_[id];
  sq.fetching = false;
  stats_.fetched += fetch.count;
  sq.inside += fetch.count;
  for (std::uint32_t i = 0; i < fetch.count; ++i) {
    Command& command = enter(id, fetch.entries[i], sq.rung[sq.head], now);
    command.origin.mark(Stage::sq_wait, fetch.begun);
    command.origin.mark(Stage::fetch, now);
    sq.head = sq.head + 1 == sq.size ? 0 : sq.head + 1;

    Server& engine = engines_[next_engine_];
    next_engine_ = next_engine_ + 1 == engines_.size() ? 0 : next_engine_ + 1;
    Duration latency = config_.admin_latency;
    if (!command.admin) { latency = reads_flash(command.sqe.opcode) ? config_.read_latency : config_.write_latency; }
    const Window window = engine.serve(now, config_.command_time, latency);
    stats_.front_ends += config_.command_time;
    agenda_.post<&ControllerModel::process>(window.done, this, reinterpret_cast<std::uint64_t>(&command));
  }
  fetch_pool_.give(fetch);
  mark_ready(id);
  if (sq.head == sq.tail) look_at_shadow(std::size_t{2} * id, now);
  sq_deleted(id, now);
  wake_arbiter(now);
}

/// A submission queue is deleted when everything fetched from it has completed, §5.7.
void ControllerModel::sq_deleted(std::uint16_t id, Time now) {
  SubmissionQueue& sq = sqs_[id];
  if (!sq.deleting || sq.fetching || sq.inside != 0) return;
  Command& waiting = *sq.delete_command;
  --cqs_[sq.cq].submission_queues;
  sq = SubmissionQueue{};
  release(waiting, now);
}

Command& ControllerModel::enter(std::uint16_t sq, const Sqe& sqe, Time rung, Time now) {
  Command& c = commands_.take();
  c.sqe = sqe;
  c.sq = sq;
  c.cq = sqs_[sq].cq;
  c.admin = sq == 0;
  std::vector<std::uint64_t>& cids = sqs_[sq].cids;
  const std::size_t word = sqe.cid / 64U;
  const std::uint64_t bit = std::uint64_t{1} << (sqe.cid % 64U);
  if (word >= cids.size()) cids.resize(word + 1);
  c.twice = (cids[word] & bit) != 0;
  cids[word] |= bit;
  c.aborter = nullptr;
  c.begun = c.abandoned = c.io = c.prps_ready = c.executing = c.finished = c.ended = false;
  c.direction = Direction::none;
  c.ns = nullptr;
  c.value = nullptr;
  c.keyed = false;
  c.status = Status::success;
  c.result = 0;
  c.pending = 1;
  c.special = c.sgl = c.meta_list = false;
  c.work = Work::none;
  c.stream = 0;
  c.begin = c.length = c.transfer = c.asked = c.described = 0;
  c.hole = c.hole_end = 0;
  c.segments.clear();
  c.waiting = nullptr;
  c.entered = now;
  c.data_end = Time{};
  c.origin = Journey{rung};
  c.older = newest_;
  c.newer = nullptr;
  if (newest_ != nullptr) newest_->newer = &c;
  newest_ = &c;
  --free_contexts_[c.admin ? 1 : 0];
  if (!c.admin && io_inside_++ == 0) io_since_ = std::max(now, io_since_);
  flow_.enter(now);
  return c;
}

void ControllerModel::leave(Command& c, Time now) {
  if (c.abandoned && !c.ended) ++stats_.dropped;
  (c.newer != nullptr ? c.newer->older : newest_) = c.older;
  if (c.older != nullptr) c.older->newer = c.newer;
  ++free_contexts_[c.admin ? 1 : 0];
  if (c.aborter != nullptr) aborted(c, now);
  if (!c.admin && --io_inside_ == 0) {
    io_busy_ += std::max(now - io_since_, Duration{});
    io_since_ = std::max(now, io_since_);
  }
  flow_.leave(now, c.entered);
  commands_.give(c);
  if (running_) wake_arbiter(now);
  else drained(now);
}

void ControllerModel::process(Time now, std::uint64_t arg) {
  Command& command = *reinterpret_cast<Command*>(arg);
  command.begun = true;
  if (!command.abandoned) {
    command.origin.mark(Stage::control, now);
    command.critical = command.origin;
    if (command.twice) fail(command, Status::cid_conflict);
    else if (command.admin && command.status == Status::success) execute_admin(command, now);
    else if (command.status == Status::success) execute_io(command, now);
  }
  release(command, now);
}

/// One thing less to wait for; the last one ends the command.
void ControllerModel::release(Command& command, Time now) {
  if (--command.pending != 0) return;
  if (command.keyed) [[unlikely]] {
    command.keyed = false;
    ++command.pending;
    kv_finish(command, now);
    if (--command.pending != 0) return;
  }
  if (command.executing) {
    command.executing = false;
    if (taken(command) && --taking_.waits == 0) unmap_namespaces(now);
  }
  if (command.abandoned) {
    leave(command, now);
    return;
  }
  command.pending = 1;
  command.finished = true;
  const Time end = std::max(now, command.data_end);
  agenda_.post<&ControllerModel::complete>(end + config_.completion_latency, this, reinterpret_cast<std::uint64_t>(&command));
}

void ControllerModel::complete(Time now, std::uint64_t arg) {
  Command& command = *reinterpret_cast<Command*>(arg);
  if (command.abandoned) {
    release(command, now);
    return;
  }
  CompletionQueue& cq = cqs_[command.cq];
  if (cq.full() || !cq.backlog.empty()) {
    ++stats_.full_queue;
    if (!sqs_[command.sq].deleting) {
      cq.backlog.push(command);
      look_at_shadow(std::size_t{2} * command.cq + 1, now);
      return;
    }
    const std::uint16_t sq = command.sq;  // its completion is implied by the deletion
    command.abandoned = true;
    --sqs_[sq].inside;
    release(command, now);
    sq_deleted(sq, now);
    return;
  }
  post(command, now);
}

void ControllerModel::post(Command& command, Time now) {
  CompletionQueue& cq = cqs_[command.cq];
  const bool bad = command.status != Status::success;
  Cqe& cqe = command.cqe;
  cqe.dw0 = command.result;
  cqe.dw1 = 0;
  cqe.sqhd = static_cast<std::uint16_t>(sqs_[command.sq].head);
  cqe.sqid = command.sq;
  cqe.cid = command.sqe.cid;
  const std::uint32_t code = static_cast<std::uint32_t>(command.status) << 1U;
  cqe.status = static_cast<std::uint16_t>(code | (cq.phase ? status_phase : 0U) |
                                          (bad && command.status != Status::format_in_progress ? status_dnr : 0U));
  command.ended = true;
  if (!command.twice) sqs_[command.sq].cids[command.sqe.cid / 64U] &= ~(std::uint64_t{1} << (command.sqe.cid % 64U));
  account(command, now);

  DmaRequest& dma = dmas_.take();
  dma.write = true;
  dma.address = cq.base + std::uint64_t{cq.tail} * sizeof(Cqe);
  dma.size = {sizeof(Cqe)};
  dma.bytes = reinterpret_cast<unsigned char*>(&cqe);
  dma.stream = {now, now};
  dma.journey = command.critical;
  dma.purpose = DmaRequest::Purpose::cqe;
  dma.owner = &command;
  if (++cq.tail == cq.size) {
    cq.tail = 0;
    cq.phase = !cq.phase;
  }
  ++stats_.posted;
  ++posting_;
  access(dma, now);
}

/// The journey closes when the CQE leaves; an I/O command's stages are kept, and handed to whoever wants them.
void ControllerModel::account(Command& command, Time now) {
  if (command.status != Status::success) {
    ++stats_.failed;
    switch (command.status) {
      case Status::unrecovered_read_error:
      case Status::write_fault: ++stats_.media_errors; [[fallthrough]];
      case Status::data_transfer_error:
      case Status::internal_error: log_error(&command, command.status, command.sq); break;
      default: break;
    }
  }
  Journey& journey = command.critical;
  journey.mark(Stage::completion, now);
  if (command.admin) return;
  const Duration total = now - journey.begin();
  const bool is_read = command.sqe.opcode == static_cast<std::uint8_t>(IoOpcode::read);
  const bool is_write = command.sqe.opcode == static_cast<std::uint8_t>(IoOpcode::write);
  if (is_read) {
    ++stats_.reads;
    stats_.read_latency.add(total);
    if (command.status == Status::success) stats_.bytes_read += command.length;
  } else if (is_write) {
    ++stats_.writes;
    stats_.write_latency.add(total);
    if (command.status == Status::success) stats_.bytes_written += command.length;
  } else {
    stats_.other_latency.add(total);
  }
  for (std::size_t s = 0; s < stage_count; ++s) stats_.stages[s] += journey[static_cast<Stage>(s)];
  if (outside.command_done) outside.command_done(command.sq, command.sqe.cid, journey);
}

void ControllerModel::cqe_done(DmaRequest& dma, Time now) {
  Command& command = *static_cast<Command*>(dma.owner);
  const bool ok = dma.ok;
  dmas_.give(dma);
  --posting_;
  const std::uint16_t sq_id = command.sq;
  const std::uint16_t cq_id = command.cq;
  const bool abandoned = command.abandoned;
  leave(command, now);
  if (abandoned) return;
  if (!ok) {
    fatal(now);  // a completion queue in memory that does not answer
    return;
  }
  --sqs_[sq_id].inside;
  sq_deleted(sq_id, now);
  completed_in_memory(cq_id, now);
}

}  // namespace flashpath::nvme

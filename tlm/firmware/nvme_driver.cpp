// SPDX-License-Identifier: Apache-2.0
#include "firmware/nvme_driver.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace flashpath::firmware {

using stats::Unit;

Driver::Driver(const Config& config, Agenda& agenda, cores::Model& cores, ControlMemory& memory, std::uint32_t drives, stats::Group& group)
    : config_{config},
      classes_{queue_classes(config.queue_classes).value_or(std::vector<nvme::QueueClass>{})},
      agenda_{agenda},
      cores_{cores},
      info_(drives),
      setup_(drives),
      dirty_(config.cores),
      aborted_by_drive_(drives),
      submitted_{group, "commands", Unit::count, "I/O commands written to submission queues"},
      completed_{group, "completions", Unit::count, "I/O commands completed"},
      errors_{group, "errors", Unit::count, "I/O commands completed with an error status"},
      bytes_read_{group, "bytes_read", Unit::byte, "bytes that read commands ask for"},
      bytes_written_{group, "bytes_written", Unit::byte, "bytes that write commands bring"},
      doorbells_{group, "doorbells", Unit::count, "doorbell writes"},
      polls_{group, "polls", Unit::count, "polls of completion queues"},
      empty_polls_{group, "empty_polls", Unit::count, "polls that found nothing"},
      waited_for_queue_{group, "queue_full", Unit::count, "commands that waited in software for a free context"},
      late_{group, "late", Unit::count, "commands that took longer than command_timeout"},
      aborted_{group, "aborted", Unit::count, "I/O commands ended without their drive, which is gone"},
      spurious_{group, "spurious", Unit::count, "completions of commands that were not in flight"},
      admin_{group, "admin", Unit::count, "admin commands completed"},
      latency_{group, "latency", "SQE written to completion taken"} {
  if (config.cores > cores.count()) {
    throw UserErrors{"firmware.cores = " + std::to_string(config.cores) + ": there are " + std::to_string(cores.count()) +
                     " (cores.count)"};
  }
  const std::uint64_t page = config.page.count;
  const std::uint64_t lists =
      std::uint64_t{std::min<std::uint64_t>(page, std::max<std::uint64_t>(16, 8 * ceil_div(config.max_command.count, 4096)))};
  std::uint64_t list_bytes = 16;
  while (list_bytes < lists) list_bytes *= 2;
  const std::uint32_t largest = std::max(config.queue_entries, 32U);
  cq_stride_ = align_up(16ULL * largest, page);
  const std::uint64_t sq_stride = align_up(64ULL * largest, page);
  const std::uint64_t count = std::uint64_t{drives} * (config.cores + 1);
  cq_base_ = memory.take(cq_stride_ * count, page);
  const std::uint64_t sq_base = memory.take(sq_stride * count, page);
  pairs_.reserve(count);
  for (std::uint32_t d = 0; d < drives; ++d) {
    setup_[d].buffer = memory.take(4096, page);
    for (std::uint32_t q = 0; q <= config.cores; ++q) {
      const std::uint64_t index = pairs_.size();
      const std::uint32_t entries = q == 0 ? 32 : config.queue_entries;
      pairs_.emplace_back(QueuePair::Place{.sq = sq_base + index * sq_stride,
                                           .cq = cq_base_ + index * cq_stride_,
                                           .lists = q == 0 ? 0 : memory.take(list_bytes * (entries - 1), list_bytes),
                                           .list_bytes = list_bytes,
                                           .bar = bus::bar_base + d * bus::bar_stride,
                                           .drive = d,
                                           .core = q == 0 ? 0 : q - 1,
                                           .qid = static_cast<std::uint16_t>(q),
                                           .entries = entries});
    }
  }
  software_.resize(pairs_.size());
}

std::uint32_t Driver::cores_ready() const {
  std::uint32_t n = config_.cores;
  for (const DriveInfo& info : info_) n = std::min(n, info.queue_pairs);
  return n;
}

Bytes Driver::max_transfer() const {
  Bytes n = config_.max_command;
  for (const DriveInfo& info : info_) n = std::min(n, info.max_transfer);
  return n;
}

bool Driver::all_ready() const { return std::ranges::all_of(info_, &DriveInfo::ready); }

void Driver::mark_dirty(QueuePair& qp) {
  if (qp.dirty) return;
  qp.dirty = true;
  dirty_[qp.place().core].push_back(static_cast<std::uint32_t>(&qp - pairs_.data()));
}

void Driver::submit(cores::CoreContext& ctx, const Command& command) {
  QueuePair& qp = pair(command.drive, ctx.core().value + 1);
  auto& waiting = software_[static_cast<std::size_t>(&qp - pairs_.data())];
  if (qp.lost) {
    waiting.push_back(command);
    ++queued_now_;
    if (!qp.poll_pending) {
      qp.poll_pending = true;
      cores_.submit(ctx.core(), cores::Task::of<&Driver::abort>(this, static_cast<std::uint64_t>(&qp - pairs_.data())), ctx.now());
    }
    return;
  }
  if (qp.full() || !waiting.empty()) {
    waiting.push_back(command);
    ++queued_now_;
    ++waited_for_queue_;
    return;
  }
  issue(ctx, qp, command);
}

void Driver::issue(cores::CoreContext& ctx, QueuePair& qp, const Command& command) {
  const DriveInfo& info = info_[command.drive];
  ctx.cycles(config_.submit_cycles);
  nvme::Sqe sqe;
  sqe.nsid = info.nsid;
  switch (command.kind) {
    case Kind::read:
    case Kind::write:
      sqe.opcode = static_cast<std::uint8_t>(command.kind == Kind::read ? nvme::IoOpcode::read : nvme::IoOpcode::write);
      sqe.cdw10 = static_cast<std::uint32_t>(command.lba);
      sqe.cdw11 = static_cast<std::uint32_t>(command.lba >> 32U);
      sqe.cdw12 = (command.blocks - 1) | info.protection;
      if (command.kind == Kind::write && command.handle != 0xffff) {  // NVMe TP4146: DTYPE = data placement, DSPEC = placement identifier
        sqe.cdw12 |= 2U << 20U;
        sqe.cdw13 = std::uint32_t{command.handle} << 16U;
      }
      sqe.cdw14 = info.protection != 0 ? static_cast<std::uint32_t>(command.lba) : 0;
      write_prps(ctx, qp, info, command, sqe);
      (command.kind == Kind::read ? bytes_read_ : bytes_written_) += command.blocks * info.lba;
      break;
    case Kind::flush: sqe.opcode = static_cast<std::uint8_t>(nvme::IoOpcode::flush); break;
    case Kind::deallocate:
      sqe.opcode = static_cast<std::uint8_t>(nvme::IoOpcode::dataset_management);
      sqe.prp1 = qp.list_of(qp.next_cid());
      sqe.cdw11 = nvme::dsm_deallocate;
      ctx.store_value(sqe.prp1, nvme::DsmRange{.length = command.blocks, .slba = command.lba});
      break;
  }
  qp.push(ctx, sqe, command.done, command.tag);
  flow_.enter(ctx.begin());
  ++submitted_;
  mark_dirty(qp);
}

/// NVMe 2.0 §4.3: PRP1 may start inside a page, PRP2 is the second page or a list of the rest.
void Driver::write_prps(cores::CoreContext& ctx, const QueuePair& qp, const DriveInfo& info, const Command& command, nvme::Sqe& sqe) {
  const std::uint64_t page = info.page.count;
  const std::uint64_t size = command.blocks * info.lba.count;
  if (config_.encrypt) {
    struct Descriptor {
      std::uint64_t lba;
      std::uint32_t key_slot, flags;
    };
    const std::uint64_t frame = (command.buffer - bus::staging_base) / config_.frame.count;
    ctx.post_value(bus::crypto_base + 16 * frame, Descriptor{.lba = command.lba, .key_slot = config_.key_slot, .flags = 1});
  }
  sqe.prp1 = command.buffer;
  const std::uint64_t first = page - (command.buffer & (page - 1));
  if (size <= first) return;
  const std::uint64_t second = command.buffer + first;
  const std::uint64_t rest = ceil_div(size - first, page);
  if (rest == 1) {
    sqe.prp2 = second;
    return;
  }
  invariant(8 * rest <= qp.place().list_bytes, "a command larger than its PRP list", "firmware.driver", ctx.now());
  std::array<std::uint64_t, 64> entries;
  sqe.prp2 = qp.list_of(qp.next_cid());
  for (std::uint64_t i = 0; i < rest;) {
    const std::uint64_t n = std::min<std::uint64_t>(entries.size(), rest - i);
    for (std::uint64_t k = 0; k < n; ++k) entries[k] = second + (i + k) * page;
    ctx.store(sqe.prp2 + 8 * i, {reinterpret_cast<const unsigned char*>(entries.data()), 8 * n});
    i += n;
  }
}

void Driver::ring(cores::CoreContext& ctx) {
  auto& dirty = dirty_[ctx.core().value];
  for (const std::uint32_t index : dirty) {
    QueuePair& qp = pairs_[index];
    qp.dirty = false;
    qp.ring(ctx);
    ++doorbells_;
  }
  dirty.clear();
}

void Driver::written(std::uint64_t address, Time now) {
  const std::uint64_t index = (address - cq_base_) / cq_stride_;
  QueuePair& qp = pairs_[index];
  if (qp.poll_pending || qp.lost) return;
  qp.poll_pending = true;
  cores_.submit(cores::CoreId{qp.place().core}, cores::Task::of<&Driver::poll>(this, index), now);
}

void Driver::poll(cores::CoreContext& ctx, std::uint64_t index) {
  QueuePair& qp = pairs_[index];
  auto& waiting = software_[index];
  if (qp.lost) return abort(ctx, index);
  qp.poll_pending = false;
  ctx.cycles(config_.poll_cycles);
  ++polls_;
  bool fresh = false;
  std::uint32_t taken = 0;
  nvme::Cqe cqe;
  while (taken < config_.poll_batch && qp.next(ctx, fresh, cqe)) {
    ++taken;
    ctx.cycles(config_.completion_cycles);
    Done done;
    Completed completed;
    if (!qp.take(cqe, done, completed)) {
      ++spurious_;
      continue;
    }
    if (qp.place().qid == 0) {
      ++admin_;
    } else {
      const Duration latency = ctx.now() - completed.submitted;
      latency_.add(latency);
      flow_.leave(ctx.begin(), completed.entered);
      ++completed_;
      if (!completed.ok()) ++errors_;
      if (latency > config_.command_timeout) ++late_;
    }
    if (!waiting.empty()) {  // first come, first served: before anything that `done` submits
      const Command next = waiting.front();
      waiting.pop_front();
      --queued_now_;
      issue(ctx, qp, next);
    }
    if (done) done(ctx, completed);
  }
  if (taken == 0) ++empty_polls_;
  if (taken == config_.poll_batch && !qp.poll_pending) {  // perhaps more; others first
    qp.poll_pending = true;
    cores_.submit(ctx.core(), cores::Task::of<&Driver::poll>(this, index), ctx.now());
  }
  qp.release(ctx);
  ring(ctx);
}

void Driver::lose(std::uint32_t drive, Time now) {
  for (std::uint32_t q = 1; q <= config_.cores; ++q) {
    QueuePair& qp = pair(drive, q);
    if (qp.lost) continue;
    qp.lost = true;
    if (qp.poll_pending) continue;  // that task will see it
    qp.poll_pending = true;
    cores_.submit(cores::CoreId{qp.place().core}, cores::Task::of<&Driver::abort>(this, static_cast<std::uint64_t>(&qp - pairs_.data())),
                  now);
  }
}

/// Commands of a lost drive end, those in flight first; what `done` submits meanwhile waits for the next turn.
void Driver::abort(cores::CoreContext& ctx, std::uint64_t index) {
  QueuePair& qp = pairs_[index];
  auto& waiting = software_[index];
  Done done;
  Completed completed;
  std::size_t unsent = waiting.size();
  while (qp.abort(done, completed)) {
    ctx.cycles(config_.completion_cycles);
    latency_.add(ctx.now() - completed.submitted);
    flow_.leave(ctx.begin(), completed.entered);
    ++completed_;
    ++errors_;
    ++aborted_;
    ++aborted_by_drive_[qp.place().drive];
    if (ctx.now() - completed.submitted > config_.command_timeout) ++late_;
    if (done) done(ctx, completed);
  }
  for (; unsent != 0; --unsent) {
    const Command command = waiting.front();
    waiting.pop_front();
    --queued_now_;
    ctx.cycles(config_.submit_cycles);
    ++aborted_;
    ++aborted_by_drive_[qp.place().drive];
    if (command.done) {
      command.done(ctx, {.tag = command.tag,
                         .status = nvme::Status::aborted_by_host,
                         .drive = command.drive,
                         .qid = 0xffff,
                         .submitted = ctx.now(),
                         .entered = ctx.begin()});
    }
  }
  qp.poll_pending = false;
  if (!waiting.empty()) {
    qp.poll_pending = true;
    cores_.submit(ctx.core(), cores::Task::of<&Driver::abort>(this, index), ctx.now());
  }
  ring(ctx);
}

std::uint64_t Driver::late(Time now) const {
  std::uint64_t n = late_.value;
  if (now - Time{} <= config_.command_timeout) return n;
  for (const QueuePair& qp : pairs_) n += qp.older_than(now - config_.command_timeout);
  return n;
}

void Driver::check(Laws& laws, Time now) const {
  std::uint64_t in_flight = 0, waiting = 0;
  for (const QueuePair& qp : pairs_) in_flight += qp.place().qid == 0 ? 0 : qp.in_flight();
  for (const auto& queue : software_) waiting += queue.size();
  laws.equal("commands submitted", submitted_.value, "completed + in flight", completed_.value + in_flight);
  laws.equal("commands waiting in software", queued_now_, "commands in the software queues", waiting);
  laws.equal("completions timed", latency_.count(), "completions", completed_.value);
  flow_.check(laws, "commands in flight", now);
}

void Driver::explain(Stall& stall) const {
  for (std::uint32_t d = 0; d < drives(); ++d) {
    std::uint64_t n = 0, waiting = 0;
    for (std::uint32_t q = 0; q <= config_.cores; ++q) {
      n += pairs_[d * (config_.cores + 1) + q].in_flight();
      waiting += software_[d * (config_.cores + 1) + q].size();
    }
    const std::string drive = "drive " + std::to_string(d);
    stall.waits(n, "commands", "a completion of " + drive);
    stall.waits(waiting, "commands", "a place in a queue of " + drive);
  }
}

}  // namespace flashpath::firmware

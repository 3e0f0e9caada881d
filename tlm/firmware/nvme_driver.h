// SPDX-License-Identifier: Apache-2.0
// The NVMe driver: brings drives up as Linux and SPDK do, then moves commands, polled, one queue pair per core and drive.
//
//   submit ─┬─▶ SQE, PRPs in DPU memory ─▶ (batch) doorbell ─▶ drive ─▶ CQE ─▶ [watch] ─▶ poll ─▶ done
//           └─▶ software queue while all contexts are in use
//
// Costs, in cycles of the submitting core: submit_cycles + stores per command, one register write per batch and drive; per poll
// poll_cycles, a load per four entries, completion_cycles per entry, one register write. Encrypted commands add one
// register write: the frame's descriptor. Bring-up runs on core 0, all drives at once; register reads are round
// trips during which the core is free. A write to a completion queue starts its poll (no events while idle).
// Errors are data: a status goes up as it came. A late command is counted, never aborted; those of a lost drive are.
// Loss: link down is seen `drive_loss_time` after the drive died; its commands then end with "Command Aborted By Host".
// Races: a CQE that becomes visible while its queue is being polled is found by the next poll.
// Not modelled: interrupts, SGLs, several namespaces, the Abort command and reset recovery, queue pairs shared by cores.
#pragma once
#include <string>
#include <vector>

#include "base/journey.h"
#include "base/laws.h"
#include "base/ring.h"
#include "base/stats.h"
#include "cores/cores_model.h"
#include "firmware/control_memory.h"
#include "firmware/firmware_config.h"
#include "firmware/queue_pair.h"

namespace flashpath::firmware {

enum class Kind : std::uint8_t { read, write, flush, deallocate };

/// read, write: `blocks` logical blocks at `lba` to or from the contiguous memory at `buffer` (a multiple of 4); at most max_transfer().
/// deallocate: `blocks` from `lba`. flush: nothing else.
struct Command {
  Kind kind = Kind::read;
  std::uint32_t drive = 0;
  std::uint64_t lba = 0;
  std::uint32_t blocks = 0;
  std::uint64_t buffer = 0;
  Done done{};
  std::uint64_t tag = 0;
  std::uint16_t handle = 0xffff;  ///< write: placement handle; 0xffff: none
};

/// What bring-up found out about a drive.
struct DriveInfo {
  nvme::Cap cap{};
  std::uint32_t version = 0;
  std::uint32_t nsid = 0;
  std::uint64_t blocks = 0;
  Bytes lba{};
  Bytes page{};
  Bytes max_transfer{};
  std::uint32_t queue_pairs = 0;
  std::uint32_t queue_entries = 0;
  bool deallocate = false;
  bool volatile_cache = false;
  std::uint32_t protection = 0;  ///< of reads' and writes' dword 12: the drive makes, checks and strips the tuples
  bool ready = false;
  std::string failure;  ///< why bring-up ended, "" if it did not
};

class Driver {
 public:
  Driver(const Config& config, Agenda& agenda, cores::Model& cores, ControlMemory& memory, std::uint32_t drives, stats::Group& group);

  /// What to watch: a write to [base, base + size) means a completion; call written().
  std::uint64_t watch_base() const { return cq_base_; }
  Bytes watch_size() const { return {cq_stride_ * pairs_.size()}; }
  void written(std::uint64_t address, Time now);

  /// Starts bring-up; `ready` is called on core 0 when every drive is ready or has failed.
  void bring_up(Time now, Delegate<void(cores::CoreContext&)> ready);
  std::uint32_t drives() const { return static_cast<std::uint32_t>(info_.size()); }
  const DriveInfo& drive(std::uint32_t d) const { return info_[d]; }
  /// Cores that have a queue pair on every drive: 0 .. n-1. Valid after bring-up.
  std::uint32_t cores_ready() const;
  Bytes max_transfer() const;
  bool all_ready() const;

  /// Submits on the context's core, which must be below cores_ready(). The drive learns of it at ring().
  void submit(cores::CoreContext& ctx, const Command& command);
  /// One doorbell for each drive this core has submitted to since. Polls do this at their end by themselves.
  void ring(cores::CoreContext& ctx);

  /// The drive does not answer any more: commands in flight end with aborted_by_host, on their cores, and so do all later ones.
  void lose(std::uint32_t drive, Time now);

  /// I/O commands of a lost drive that have ended without it.
  std::uint64_t aborted(std::uint32_t drive) const { return aborted_by_drive_[drive]; }
  std::uint64_t in_flight() const { return submitted_.value - completed_.value; }
  std::uint64_t queued() const { return queued_now_; }
  std::uint64_t late(Time now) const;

  void check(Laws& laws, Time now) const;
  void explain(Stall& stall) const;

 private:
  enum class Step : std::uint8_t { cap, vs, cc, disabling, enabling, controller, list, ns, queues, create_cq, create_sq, done };
  struct Setup {
    Step step = Step::cap;
    Time deadline{};
    std::uint64_t buffer = 0;
    std::uint32_t created = 0;
  };
  QueuePair& pair(std::uint32_t drive, std::uint32_t qid) { return pairs_[drive * (config_.cores + 1) + qid]; }
  void issue(cores::CoreContext& ctx, QueuePair& qp, const Command& command);
  void write_prps(cores::CoreContext& ctx, const QueuePair& qp, const DriveInfo& info, const Command& command, nvme::Sqe& sqe);
  void mark_dirty(QueuePair& qp);
  void poll(cores::CoreContext& ctx, std::uint64_t index);
  void abort(cores::CoreContext& ctx, std::uint64_t index);

  // nvme_bring_up.cpp
  void begin(cores::CoreContext& ctx, std::uint64_t drive);
  void value(cores::CoreContext& ctx, std::uint64_t drive, std::uint64_t value);
  void again(Time now, std::uint64_t drive);
  void read_status(cores::CoreContext& ctx, std::uint64_t drive);
  void enable(cores::CoreContext& ctx, std::uint32_t d);
  void admin(cores::CoreContext& ctx, std::uint32_t d);
  void admin_done(cores::CoreContext& ctx, const Completed& completed);
  void use_identify(cores::CoreContext& ctx, std::uint32_t d);
  void finish(cores::CoreContext& ctx, std::uint32_t d, std::string failure);

  Config config_;
  std::vector<nvme::QueueClass> classes_;  // of the cores' queues; empty: round robin
  Agenda& agenda_;
  cores::Model& cores_;
  std::vector<DriveInfo> info_;
  std::vector<Setup> setup_;
  std::vector<QueuePair> pairs_;                   // of drive d: admin, then one per core
  std::vector<Ring<Command>> software_;            // beside pairs_
  std::vector<std::vector<std::uint32_t>> dirty_;  // per core: pairs to ring
  std::uint64_t cq_base_ = 0, cq_stride_ = 0;
  std::vector<std::uint64_t> aborted_by_drive_;
  std::uint32_t finished_ = 0;
  std::uint64_t queued_now_ = 0;
  Delegate<void(cores::CoreContext&)> ready_;
  Flow flow_;

  stats::Counter submitted_;
  stats::Counter completed_;
  stats::Counter errors_;
  stats::Counter bytes_read_;
  stats::Counter bytes_written_;
  stats::Counter doorbells_;
  stats::Counter polls_;
  stats::Counter empty_polls_;
  stats::Counter waited_for_queue_;
  stats::Counter late_;
  stats::Counter aborted_;
  stats::Counter spurious_;
  stats::Counter admin_;
  stats::Histogram latency_;
};

}  // namespace flashpath::firmware

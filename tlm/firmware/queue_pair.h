// SPDX-License-Identifier: Apache-2.0
// One NVMe submission and completion queue, host side (NVMe 2.0 §3.3): entries are real bytes in DPU memory.
//
//   submit ──▶ SQE at tail ──▶ [doorbell per batch] … drive … CQE at head, found by its phase tag ──▶ done
//
// entries - 1 commands can be in flight, each with a context (its CID) and room for a PRP list. CIDs are reused last in,
// first out. Completions are loaded by lines of 64 bytes: four entries cost one load.
#pragma once
#include <vector>

#include "base/delegate.h"
#include "cores/core_context.h"
#include "nvme/spec.h"

namespace flashpath::firmware {

/// How a command ended. `status` is the drive's word, passed up as it is.
struct Completed {
  std::uint64_t tag = 0;
  nvme::Status status{};
  std::uint32_t result = 0;  ///< completion dword 0
  std::uint32_t drive = 0;
  std::uint16_t qid = 0;
  std::uint16_t cid = 0;
  Time submitted{};  ///< when its SQE had been written
  Time entered{};    ///< when the task that wrote it began
  bool ok() const { return status == nvme::Status::success; }
};
using Done = Delegate<void(cores::CoreContext&, const Completed&)>;

class QueuePair {
 public:
  struct Place {
    std::uint64_t sq = 0, cq = 0, lists = 0;  ///< addresses; lists: `list_bytes` for each CID
    std::uint64_t list_bytes = 0;
    std::uint64_t bar = 0;
    std::uint32_t drive = 0, core = 0;
    std::uint16_t qid = 0;
    std::uint32_t entries = 0;
  };
  QueuePair() = default;
  explicit QueuePair(const Place& place);

  const Place& place() const { return place_; }
  void doorbell_stride(unsigned dstrd) { dstrd_ = dstrd; }
  /// Back to the state after creation; nothing may be in flight.
  void reset();

  bool full() const { return free_.empty(); }
  std::uint32_t in_flight() const { return static_cast<std::uint32_t>(slots_.size() - free_.size()); }
  /// The CID the next push() will use, and the place of its PRP list.
  std::uint16_t next_cid() const { return free_.back(); }
  std::uint64_t list_of(std::uint16_t cid) const { return place_.lists + cid * place_.list_bytes; }
  /// Writes the entry at the tail (its CID is filled in); the drive learns of it at ring(). Must not be full().
  void push(cores::CoreContext& ctx, nvme::Sqe& sqe, Done done, std::uint64_t tag);
  bool rung() const { return rung_ == tail_; }
  void ring(cores::CoreContext& ctx);

  /// The next completion, if its phase tag says that it is new. Loads the line it is in unless `fresh` says this poll has.
  bool next(cores::CoreContext& ctx, bool& fresh, nvme::Cqe& cqe);
  /// Ends the command of this CQE: frees its context. False for a CID that is not in flight (the drive's mistake).
  bool take(const nvme::Cqe& cqe, Done& done, Completed& completed);
  /// Tells the drive how far completions have been read, if that changed.
  void release(cores::CoreContext& ctx);

  /// Ends any one command in flight without the drive; false: there is none.
  bool abort(Done& done, Completed& completed);

  /// Commands in flight since before `limit`.
  std::uint64_t older_than(Time limit) const;

  bool lost = false;          ///< its drive is gone
  bool poll_pending = false;  ///< a poll task is on its way
  bool dirty = false;         ///< in its core's list of queues to ring

 private:
  struct Slot {
    Done done;
    std::uint64_t tag = 0;
    Time submitted{}, entered{};
    bool live = false;
  };
  Place place_;
  unsigned dstrd_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::uint16_t> free_;
  std::uint32_t tail_ = 0, rung_ = 0, sq_head_ = 0;
  std::uint32_t cq_head_ = 0, released_ = 0;
  bool phase_ = true;
  nvme::Cqe line_[4];
};

}  // namespace flashpath::firmware

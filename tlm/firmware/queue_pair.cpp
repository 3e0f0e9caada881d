// SPDX-License-Identifier: Apache-2.0
#include "firmware/queue_pair.h"

#include <algorithm>

#include "base/error.h"

namespace flashpath::firmware {

QueuePair::QueuePair(const Place& place) : place_{place} { reset(); }

void QueuePair::reset() {
  slots_.assign(place_.entries - 1, Slot{});
  free_.clear();
  for (std::uint32_t cid = place_.entries - 1; cid-- > 0;) free_.push_back(static_cast<std::uint16_t>(cid));
  tail_ = rung_ = sq_head_ = cq_head_ = released_ = 0;
  phase_ = true;
}

void QueuePair::push(cores::CoreContext& ctx, nvme::Sqe& sqe, Done done, std::uint64_t tag) {
  const std::uint16_t cid = free_.back();
  free_.pop_back();
  sqe.cid = cid;
  ctx.store_value(place_.sq + 64ULL * tail_, sqe);
  tail_ = tail_ + 1 == place_.entries ? 0 : tail_ + 1;
  invariant(tail_ != sq_head_, "submission queue overrun", "firmware.queue_pair", ctx.now());
  slots_[cid] = {done, tag, ctx.now(), ctx.begin(), true};
}

void QueuePair::ring(cores::CoreContext& ctx) {
  if (rung()) return;
  ctx.post_value(place_.bar + nvme::sq_tail_doorbell(place_.qid, dstrd_), tail_);
  rung_ = tail_;
}

bool QueuePair::next(cores::CoreContext& ctx, bool& fresh, nvme::Cqe& cqe) {
  const std::uint32_t in_line = cq_head_ % 4;
  if (!fresh || in_line == 0) {
    const std::uint32_t first = cq_head_ - in_line;
    const std::size_t entries = std::min<std::size_t>(4, place_.entries - first);
    ctx.load(place_.cq + 16ULL * first, {reinterpret_cast<unsigned char*>(line_), 16 * entries});
    fresh = true;
  }
  cqe = line_[in_line];
  if (cqe.phase() != phase_) return false;
  if (++cq_head_ == place_.entries) {
    cq_head_ = 0;
    phase_ = !phase_;
  }
  return true;
}

bool QueuePair::take(const nvme::Cqe& cqe, Done& done, Completed& completed) {
  if (cqe.sqhd < place_.entries) sq_head_ = cqe.sqhd;
  if (cqe.cid >= slots_.size() || !slots_[cqe.cid].live) return false;
  Slot& slot = slots_[cqe.cid];
  slot.live = false;
  done = slot.done;
  completed = {.tag = slot.tag,
               .status = cqe.code(),
               .result = cqe.dw0,
               .drive = place_.drive,
               .qid = place_.qid,
               .cid = cqe.cid,
               .submitted = slot.submitted,
               .entered = slot.entered};
  free_.push_back(cqe.cid);
  return true;
}

bool QueuePair::abort(Done& done, Completed& completed) {
  const auto slot = std::ranges::find(slots_, true, &Slot::live);
  if (slot == slots_.end()) return false;
  slot->live = false;
  done = slot->done;
  completed = {.tag = slot->tag,
               .status = nvme::Status::aborted_by_host,
               .drive = place_.drive,
               .qid = 0xffff,  // no drive knows of it any more
               .submitted = slot->submitted,
               .entered = slot->entered};
  free_.push_back(static_cast<std::uint16_t>(slot - slots_.begin()));
  return true;
}

void QueuePair::release(cores::CoreContext& ctx) {
  if (released_ == cq_head_) return;
  ctx.post_value(place_.bar + nvme::cq_head_doorbell(place_.qid, dstrd_), cq_head_);
  released_ = cq_head_;
}

std::uint64_t QueuePair::older_than(Time limit) const {
  std::uint64_t n = 0;
  for (const Slot& slot : slots_) n += slot.live && slot.submitted < limit ? 1U : 0U;
  return n;
}

}  // namespace flashpath::firmware

// SPDX-License-Identifier: Apache-2.0
// Doorbell Buffer Config, NVMe 2.0 §5.8: the host writes tails and heads of I/O queues to a page of its own memory (the shadow) and
// rings the register only when the value passes the one that the controller has left in a second page (the event index).
//
//   queue empty ▶ read its shadow ─┬─ a new tail: go on, no register was written
//                                  └─ the same: event index := tail, read the shadow once more; the same: the host will ring
//
// A completion queue's shadow is looked at when it seems full. While a queue is busy its event index stays behind, so its host rings
// no register. An entry counts as rung when the controller has seen its tail.
#include "nvme/nvme_model.h"

namespace flashpath::nvme {

void ControllerModel::doorbell_buffers(Command& c, Time now) {
  const std::uint64_t page = page_.count;
  if (c.sqe.prp1 % page != 0 || c.sqe.prp2 % page != 0) return fail(c, Status::invalid_field);
  shadow_base_ = c.sqe.prp1;
  event_base_ = c.sqe.prp2;
  shadows_.resize(page / config_.doorbell_stride.count);  // the same for as long as the page size is: a DMA may point into it
  shadowing_ = true;
  for (std::size_t i = 0; i < shadows_.size(); ++i) {
    shadows_[i].index = static_cast<std::uint32_t>(i);
    shadows_[i].event = Shadow::none;
  }
  for (std::size_t id = 1; id < sqs_.size(); ++id) look_at_shadow(2 * id, now);
}

/// The admin queue has none, nor has a queue whose doorbell lies beyond the first page of doorbells.
void ControllerModel::look_at_shadow(std::size_t index, Time now) {
  if (!shadowing_ || index < 2 || index >= shadows_.size()) return;
  Shadow& shadow = shadows_[index];
  if (shadow.busy || !has_queue(index)) return;
  shadow.busy = true;
  move_shadow(shadow, false, now);
}

/// The queue of a doorbell.
bool ControllerModel::has_queue(std::size_t doorbell) const {
  const std::size_t id = doorbell / 2;
  return doorbell % 2 != 0 ? id < cqs_.size() && cqs_[id].exists : id < sqs_.size() && sqs_[id].exists;
}

/// What is known of a queue's event index is so no more.
void ControllerModel::forget_shadow(std::size_t doorbell) {
  if (shadowing_ && doorbell < shadows_.size()) shadows_[doorbell].event = Shadow::none;
}

void ControllerModel::move_shadow(Shadow& shadow, bool to_event_index, Time now) {
  ++shadow_dmas_;
  ++stats_.shadow_accesses;
  shadow.epoch = epoch_;
  DmaRequest& dma = dmas_.take();
  dma.write = to_event_index;
  dma.address = (to_event_index ? event_base_ : shadow_base_) + shadow.index * config_.doorbell_stride.count;
  dma.size = {sizeof shadow.value};
  dma.bytes = reinterpret_cast<unsigned char*>(&shadow.value);
  dma.stream = {now, now};
  dma.journey = Journey{now};
  dma.purpose = DmaRequest::Purpose::shadow;
  dma.owner = &shadow;
  outside.dma(dma, now);
}

void ControllerModel::shadow_done(DmaRequest& dma, Time now) {
  Shadow& shadow = *static_cast<Shadow*>(dma.owner);
  shadow.ok = dma.ok;
  shadow.written = dma.write;
  const Time end = std::max(now, dma.stream.last);
  dmas_.give(dma);
  if (end > now || now > agenda_.now()) agenda_.post<&ControllerModel::shadow_arrived>(end, this, shadow.index);
  else shadow_arrived(now, shadow.index);
}

void ControllerModel::shadow_arrived(Time now, std::uint64_t index) {
  Shadow& shadow = shadows_[index];
  --shadow_dmas_;
  const auto qid = static_cast<std::uint16_t>(index / 2);
  const bool completion = index % 2 != 0;
  if (shadow.epoch != epoch_ || !running_ || !shadowing_ || !has_queue(index)) {
    shadow.busy = false;
    return drained(now);
  }
  if (!shadow.ok) {  // shadow memory that does not answer
    shadow.busy = false;
    return fatal(now);
  }
  if (shadow.written) {
    shadow.event = shadow.value;
    return move_shadow(shadow, false, now);
  }
  shadow.busy = false;
  const std::uint32_t known = completion ? cqs_[qid].head : sqs_[qid].tail;
  if (shadow.value != known) {
    if (completion) head_is(qid, shadow.value, now);
    else tail_is(qid, shadow.value, now);
    return;
  }
  if (shadow.event == known) return;
  shadow.busy = true;  // and `value` is what the controller knows
  move_shadow(shadow, true, now);
}

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
// From a completion queue entry that is in host memory to an interrupt vector. The vector's table, mask and pending bits are the
// PCI function's.
#include "nvme/nvme_model.h"

namespace flashpath::nvme {

void ControllerModel::completed_in_memory(std::uint16_t cq_id, Time now) {
  const CompletionQueue& cq = cqs_[cq_id];
  if (!cq.interrupts || !outside.interrupt) return;
  switch (coalescer_.completed(cq.vector, cq_id == 0)) {
    case Coalescer::Then::signal: signal(cq.vector, now); return;
    case Coalescer::Then::start_timer: {
      const std::uint64_t serial = coalescer_.serial(cq.vector);
      agenda_.post<&ControllerModel::coalescing_over>(now + coalescer_.time(), this, cq.vector | epoch_ << 16U, serial);
      return;
    }
    case Coalescer::Then::wait: return;
  }
}

void ControllerModel::coalescing_over(Time now, std::uint64_t vector_and_epoch, std::uint64_t serial) {
  const auto vector = static_cast<std::uint16_t>(vector_and_epoch & 0xffffU);
  if (vector_and_epoch >> 16U != epoch_ || !coalescer_.expired(vector, serial)) return;
  ++stats_.interrupts;
  outside.interrupt(vector, now);
}

/// `now` may be announced ahead.
void ControllerModel::signal(std::uint16_t vector, Time now) {
  ++stats_.interrupts;
  if (now > agenda_.now()) agenda_.post<&ControllerModel::interrupt_later>(now, this, vector);
  else outside.interrupt(vector, now);
}

void ControllerModel::interrupt_later(Time now, std::uint64_t vector) { outside.interrupt(static_cast<std::uint16_t>(vector), now); }

}  // namespace flashpath::nvme

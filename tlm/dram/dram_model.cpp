// SPDX-License-Identifier: Apache-2.0
#include "dram/dram_model.h"

namespace flashpath::dram {

Timing::Timing(const Config& c)
    : rate_{scaled(c.peak, c.efficiency, 1000)},
      granule_{c.granule},
      granule_shift_{static_cast<unsigned>(std::countr_zero(c.granule.count))},
      tail_{at_rate(c.granule)},
      read_latency_{c.read_latency},
      write_latency_{c.write_latency},
      slack_{at_rate(c.queue)} {}

Time Timing::book(Time at, Duration own) {
  const Time start = std::max(at, free_at_);
  free_at_ = start + own;
  busy_ += own;
  return start;
}

Booking Timing::read(Time at, Bytes size) {
  const Duration time = own(size);
  const Time start = book(at, time);
  return {.accepted = std::max(at, start - slack_), .data = {start + tail_ + read_latency_, start + time + read_latency_}};
}

Booking Timing::write(Stream in, Bytes size) {
  const Time start = book(in.first, own(size));
  const Time visible = std::max(free_at_, in.last + tail_) + write_latency_;
  return {.accepted = std::max(in.first, start - slack_), .data = {visible, visible}};
}

Booking Timing::small(Time at, Bytes size, Duration latency) {
  const Duration time = own(size);
  free_at_ += time;  // not max(at, ...): cores may run ahead of the calendar, and must not book its future
  busy_ += time;
  const Time done = at + time + latency;
  return {.accepted = at, .data = {done, done}};
}

Booking Timing::small_read(Time at, Bytes size) { return small(at, size, read_latency_); }
Booking Timing::small_write(Time at, Bytes size) { return small(at, size, write_latency_); }

}  // namespace flashpath::dram

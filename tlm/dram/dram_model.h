// SPDX-License-Identifier: Apache-2.0
// LPDDR5X behind one controller, as a timeline: reads and writes share one bandwidth.
//
//   bulk (drives, NIC) ──▶ [ FIFO, rate = peak x efficiency ] ──▶ latency ──▶
//   small (cores)      ──────────── own time + latency ─────────▶           (its time is charged to the FIFO)
//
// Sizes count in granules of 64 B. With own = size / rate and tail = granule / rate:
//   read   start = max(at, free)        first = start + tail + read_latency     last = start + own + read_latency
//   write  start = max(in.first, free)  visible = max(start + own, in.last + tail) + write_latency
//   small  done = at + own + latency
// A request is accepted when at most `queue` bytes are before it: accepted = max(at, start - queue / rate).
//
// A small access does not wait: memory controllers serve CPU reads first. It delays the bulk that is booked later by
// its own time; if the memory is idle before that bulk comes, it has used idle time and delays nobody.
// Races: equal times are served in call order. Writes of one master are visible in the order of their last bytes:
// a completion entry that comes with or after the last byte of its data is never visible before it.
// Not modelled: banks, rows, refresh, channel interleaving (all in `efficiency`); loaded latency of small accesses.
#pragma once
#include <array>
#include <bit>

#include "base/timeline.h"
#include "dram/dram_config.h"

namespace flashpath::dram {

/// What the controller says to a request: when it is off the caller's hands, and when its bytes are there
/// (read: first and last byte at the controller's port; write: both are when it is visible).
struct Booking {
  Time accepted;
  Stream data;
};

class Timing {
 public:
  explicit Timing(const Config& config);

  Booking read(Time at, Bytes size);
  Booking write(Stream in, Bytes size);
  Booking small_read(Time at, Bytes size);
  Booking small_write(Time at, Bytes size);

  Rate rate() const { return rate_; }
  Time free_at() const { return free_at_; }
  Duration busy() const { return busy_; }
  /// In whole granules.
  Bytes whole(Bytes size) const { return {(size.count + granule_.count - 1) >> granule_shift_ << granule_shift_}; }
  /// Time the transfer of `size` takes, in whole granules.
  Duration own(Bytes size) const {
    const std::uint64_t granules = whole(size).count >> granule_shift_;
    Own& known = known_[granules % known_.size()];
    if (known.granules != granules) known = {granules, at_rate(granules * granule_)};
    return known.time;
  }

 private:
  Duration at_rate(Bytes size) const { return rate_.bytes_per_second == 0 ? Duration{} : size / rate_; }
  Time book(Time at, Duration own);
  Booking small(Time at, Bytes size, Duration latency);

  struct Own {
    std::uint64_t granules = 0;
    Duration time{};
  };

  Rate rate_;
  Bytes granule_;
  unsigned granule_shift_;
  mutable std::array<Own, 8> known_{};
  Duration tail_, read_latency_, write_latency_, slack_;
  Time free_at_{};
  Duration busy_{};
};

}  // namespace flashpath::dram

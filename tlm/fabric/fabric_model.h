// SPDX-License-Identifier: Apache-2.0
// One direction of the port: the serialiser and the message engine, as timelines.
//
//   wire(offset, size) = size + overhead x (packets that begin in [offset, offset + size); a message has at least one)
//   bulk   start = max(in.first, free)   free = start + wire / rate   last = max(free, in.last + last packet / rate)
//   small  start = max(at, small_free)   small_free = start + wire / rate = last   (messages of one packet)
//   every message costs 1 / message_rate of the engine, first come first served
// Goodput of bulk is rate x mtu / (mtu + overhead): 98.04 GB/s of 800 Gbit/s at MTU 4096.
//
// Packets of different connections interleave, so a message of one packet does not wait for a burst in progress: it has
// its own FIFO, and its time is charged to the bulk FIFO. Bulk is served burst by burst in call order.
// Races: equal times, call order. Not modelled: loss, congestion control, acknowledgement packets, PFC's reaction time,
// the wait of a small message for the rest of one packet (at most 42 ns).
#pragma once
#include "base/timeline.h"
#include "fabric/fabric_config.h"

namespace flashpath::fabric {

class Direction {
 public:
  explicit Direction(const Config& config);

  /// Bytes on the wire of the part [offset, offset + size) of a message.
  Bytes wire(Bytes offset, Bytes size) const;
  bool is_small(Bytes size) const { return size <= mtu_; }

  Stream bulk(Stream in, Bytes offset, Bytes size);
  Stream small(Time at, Bytes size);
  /// When the engine has dealt with a message that is there at `at`.
  Window message(Time at) { return engine_.serve(at, cost_); }

  Time free_at() const { return free_at_; }
  Duration busy() const { return busy_; }
  Duration cost() const { return cost_; }
  Bytes moved() const { return moved_; }  ///< on the wire, overhead included

 private:
  Rate rate_;
  Bytes mtu_, overhead_;
  Duration cost_;
  Server engine_;
  Time free_at_{}, small_free_{};
  Duration busy_{};
  Bytes moved_{};
};

}  // namespace flashpath::fabric

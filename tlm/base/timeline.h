// SPDX-License-Identifier: Apache-2.0
// A first-come-first-served resource as a timeline: who has it, and until when.
//
// Exact and free of events, but only for what is private or truly FIFO, and only when the caller asks at
// the moment it is really ready: booking a shared resource for a future moment starves everybody else.
#pragma once
#include <algorithm>

#include "base/units.h"

namespace flashpath {

/// When a request is taken off the caller's hands, and when its result is there.
struct Window {
  Time accepted;
  Time done;
};

/// Data that arrives as a stream: its first byte is here at `first`, its last at `last`.
struct Stream {
  Time first;
  Time last;
};

/// A server of known service times, one request at a time, in call order.
class Server {
 public:
  /// Books `busy` from the first free moment at or after `at`; the result is there `latency` later.
  constexpr Window serve(Time at, Duration busy, Duration latency = {}) {
    const Time start = std::max(at, free_at_);
    free_at_ = start + busy;
    busy_ += busy;
    return {.accepted = start, .done = free_at_ + latency};
  }

  /// The same for data that streams in: service may begin with the first byte, and cannot end before
  /// the last byte plus `tail`, the time that the last piece needs alone.
  constexpr Window serve(Stream in, Duration busy, Duration tail, Duration latency = {}) {
    const Time start = std::max(in.first, free_at_);
    free_at_ = start + busy;
    busy_ += busy;
    return {.accepted = start, .done = std::max(free_at_, in.last + tail) + latency};
  }

  constexpr Time free_at() const { return free_at_; }
  constexpr Duration busy() const { return busy_; }

 private:
  Time free_at_{};
  Duration busy_{};
};

/// A pipeline: back-to-back transfers at `rate`, each `latency` deep.
class Pipe {
 public:
  constexpr Pipe(Rate rate, Duration latency) : rate_{rate}, latency_{latency} {}
  constexpr Window serve(Time at, Bytes size) { return server_.serve(at, size / rate_, latency_); }
  constexpr Window serve(Stream in, Bytes size, Bytes tail) { return server_.serve(in, size / rate_, tail / rate_, latency_); }
  constexpr Time free_at() const { return server_.free_at(); }
  constexpr Duration busy() const { return server_.busy(); }

 private:
  Rate rate_;
  Duration latency_;
  Server server_;
};

}  // namespace flashpath

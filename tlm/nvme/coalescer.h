// SPDX-License-Identifier: Apache-2.0
// Interrupt coalescing, NVMe 2.0 §5.27.1.7: per vector, until THR + 1 completions have come, but at most TIME × 100 us after the first.
//
//   signalled at   min(first completion + TIME, completion number THR + 1)        TIME = 0 or THR = 0: each at once
//
// Completions of the admin queue and of vectors that the host has taken out (§5.27.1.8) are signalled at once; one that is signalled
// takes along what was waiting on its vector.
#pragma once
#include <cstdint>
#include <vector>

#include "base/units.h"

namespace flashpath::nvme {

class Coalescer {
 public:
  static constexpr Duration unit = 100us;

  /// What is waiting keeps its deadline.
  void configure(std::uint32_t value) {
    threshold_ = (value & 0xffU) + 1;
    time_ = unit * static_cast<std::int64_t>(value >> 8U & 0xffU);
  }
  void reset(std::size_t vectors) {
    vectors_.assign(vectors, {});
    configure(0);
  }
  void exclude(std::uint16_t vector, bool excluded) { vectors_[vector].excluded = excluded; }
  bool excluded(std::uint16_t vector) const { return vectors_[vector].excluded; }

  enum class Then : std::uint8_t { signal, start_timer, wait };
  /// A completion on this vector; start_timer: expired() is to be called at now + time().
  Then completed(std::uint16_t vector, bool admin) {
    Vector& v = vectors_[vector];
    if (admin || v.excluded || time_ == Duration{} || ++v.waiting >= threshold_) {
      v.waiting = 0;
      ++v.serial;
      return Then::signal;
    }
    return v.waiting == 1 ? Then::start_timer : Then::wait;
  }
  Duration time() const { return time_; }
  std::uint64_t serial(std::uint16_t vector) const { return vectors_[vector].serial; }
  /// The timer of the completion that was first then; true: signal.
  bool expired(std::uint16_t vector, std::uint64_t serial) {
    if (vector >= vectors_.size()) return false;
    Vector& v = vectors_[vector];
    if (v.serial != serial || v.waiting == 0) return false;
    v.waiting = 0;
    ++v.serial;
    return true;
  }

 private:
  struct Vector {
    bool excluded = false;
    std::uint32_t waiting = 0;
    std::uint64_t serial = 0;  // signals so far
  };
  std::vector<Vector> vectors_;
  std::uint32_t threshold_ = 1;
  Duration time_{};
};

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
// Staging frames: fixed-size pieces of DPU memory that object data passes through. First come, first served: a taker
// of many frames at the head of the queue is not overtaken by one that needs few.
//
//   take(n) ──▶ granted at once if nobody waits and n are free, else [ FIFO ] ──▶ granted when enough come back
//
// Frames are reused last in, first out: they stay warm in the memory-side cache, and few of them are ever touched.
#pragma once
#include <span>
#include <vector>

#include "base/delegate.h"
#include "base/laws.h"
#include "base/ring.h"
#include "base/stats.h"
#include "cores/core_context.h"
#include "firmware/firmware_config.h"

namespace flashpath::firmware {

class Staging {
 public:
  /// `tag` is the waiter's own; `frames` are its frames, valid during the call.
  using Granted = Delegate<void(std::uint64_t tag, std::span<const std::uint32_t> frames, Time now)>;
  Staging(const Config& config, stats::Group& group, Granted granted);

  std::uint64_t address_of(std::uint32_t frame) const;
  /// Takes `n` frames (at most frames()) at once and appends them to `out`, or joins the queue: then granted() is called later.
  bool take(std::uint32_t n, std::uint64_t tag, Time now, std::vector<std::uint32_t>& out);
  /// Gives frames back and grants what can be granted, in order. `now` does not go back.
  void give(std::span<const std::uint32_t> frames, Time now);

  std::uint32_t frames() const { return frames_; }
  std::uint32_t available() const { return static_cast<std::uint32_t>(free_.size()); }
  std::size_t waiting() const { return waiters_.size(); }
  void check(Laws& laws) const;
  void explain(Stall& stall) const;

 private:
  struct Waiter {
    std::uint32_t n;
    std::uint64_t tag;
    Time since;
  };
  Bytes frame_;
  std::uint32_t frames_;
  Granted granted_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> grant_;  // reused
  Ring<Waiter> waiters_;
  bool granting_ = false;

  stats::Counter taken_;
  stats::Counter given_;
  stats::Counter waited_;
  stats::Histogram wait_;
};

}  // namespace flashpath::firmware

// SPDX-License-Identifier: Apache-2.0
#include "firmware/staging.h"

#include <algorithm>

#include "base/error.h"
#include "bus/address_map.h"

namespace flashpath::firmware {

Staging::Staging(const Config& config, stats::Group& group, Granted granted)
    : frame_{config.frame},
      frames_{config.frames},
      granted_{granted},
      taken_{group, "frames_taken", stats::Unit::count, "staging frames taken"},
      given_{group, "frames_freed", stats::Unit::count, "staging frames given back"},
      waited_{group, "frame_waits", stats::Unit::count, "takers that had to wait for frames"},
      wait_{group, "frame_wait", "wait for frames, of those who waited"} {
  for (std::uint32_t f = frames_; f-- > 0;) free_.push_back(f);
  grant_.reserve(256);
}

std::uint64_t Staging::address_of(std::uint32_t frame) const { return bus::staging_base + frame * frame_.count; }

bool Staging::take(std::uint32_t n, std::uint64_t tag, Time now, std::vector<std::uint32_t>& out) {
  invariant(n != 0 && n <= frames_, "a take that can never be granted", "firmware.staging", now);
  if (!waiters_.empty() || free_.size() < n) {
    waiters_.push_back({n, tag, now});
    ++waited_;
    return false;
  }
  out.insert(out.end(), free_.rbegin(), free_.rbegin() + n);
  free_.resize(free_.size() - n);
  taken_ += n;
  return true;
}

void Staging::give(std::span<const std::uint32_t> frames, Time now) {
  free_.insert(free_.end(), frames.rbegin(), frames.rend());
  given_ += frames.size();
  if (granting_) return;  // a grant that gives frames back: the loop below goes on
  granting_ = true;
  while (!waiters_.empty() && free_.size() >= waiters_.front().n) {
    const Waiter w = waiters_.front();
    waiters_.pop_front();
    grant_.assign(free_.rbegin(), free_.rbegin() + w.n);
    free_.resize(free_.size() - w.n);
    taken_ += w.n;
    wait_.add(std::max(now - w.since, Duration{}));
    granted_(w.tag, grant_, now);
  }
  granting_ = false;
}

void Staging::check(Laws& laws) const {
  laws.equal("frames taken", taken_.value, "freed + in use", given_.value + (frames_ - free_.size()));
  laws.expect(free_.size() <= frames_, "no frame is free twice");
}

void Staging::explain(Stall& stall) const { stall.waits(waiters_.size(), "requests", "staging frames"); }

}  // namespace flashpath::firmware

// SPDX-License-Identifier: Apache-2.0
#include "base/agenda.h"

#include <algorithm>
#include <bit>

namespace flashpath {

Agenda::Agenda() = default;

/// The pool has to grow, or nothing runs: the driver may have to be told.
void Agenda::post_slowly(Time at, Action action, void* self, std::uint64_t arg, std::uint64_t arg2, Priority priority) {
  invariant(at >= now_, "an action was posted for the past", "agenda", now_);
  if (free_ == none) {
    free_ = static_cast<std::uint32_t>(pool_.size());
    pool_.emplace_back().next = none;
  }
  const bool earliest = !running_ && earlier_ != nullptr && at < next();
  put(at, action, self, arg, arg2, priority);
  if (earliest) earlier_(earlier_self_, at, 0, 0);
}

/// Posted out of order.
void Agenda::insert_between(Slot& slot, std::uint32_t index, Event& event) {
  std::uint32_t* link = &slot.head;
  while (!before(event, pool_[*link])) link = &pool_[*link].next;
  event.next = *link;
  *link = index;
}

void Agenda::insert_far(std::uint32_t index) {
  far_.push_back(index);
  std::push_heap(far_.begin(), far_.end(), [this](std::uint32_t a, std::uint32_t b) { return before(pool_[b], pool_[a]); });
  far_bucket_ = bucket_of(pool_[far_.front()].at);
}

/// Takes in what the ring's horizon now reaches.
void Agenda::refill() {
  const auto later = [this](std::uint32_t a, std::uint32_t b) { return before(pool_[b], pool_[a]); };
  while (far_bucket_ < base_ + ring) {
    std::pop_heap(far_.begin(), far_.end(), later);
    const std::uint32_t index = far_.back();
    far_.pop_back();
    far_bucket_ = far_.empty() ? ~std::uint64_t{0} : bucket_of(pool_[far_.front()].at);
    insert_near(index, pool_[index]);
  }
}

/// The ring's first bucket that holds something; there must be one.
inline std::uint64_t Agenda::first_bucket() const {
  const std::size_t start = base_ % ring;
  std::size_t word = start / 64;
  std::uint64_t bits = occupied_[word] & (~std::uint64_t{0} << (start % 64));
  while (bits == 0) {
    word = (word + 1) % (ring / 64);
    bits = occupied_[word];
  }
  const std::size_t slot = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
  return base_ + (slot + ring - start) % ring;
}

/// Moves the ring's start, and takes in what its horizon now reaches. The start follows now() and never what is
/// merely pending: a post may come for any moment from now() on, and must find a bucket of its own.
inline void Agenda::rebase(std::uint64_t bucket) {
  base_ = bucket;
  if (far_bucket_ < base_ + ring) refill();
}

/// What is far lies beyond everything in the ring, so it counts only when the ring is empty.
Time Agenda::next() const {
  if (near_ != 0) return pool_[slots_[first_bucket() % ring].head].at;
  return far_.empty() ? never : pool_[far_.front()].at;
}

/// The ring's first bucket is empty: moves on to the next action, if it is due by `limit`; else `none`.
std::uint32_t Agenda::seek(Time limit) {
  if (near_ != 0) [[likely]] {
    const std::uint64_t bucket = first_bucket();
    const std::uint32_t first = slots_[bucket % ring].head;
    if (pool_[first].at > limit) return none;
    rebase(bucket);
    return first;
  }
  if (far_.empty() || pool_[far_.front()].at > limit) return none;
  rebase(far_bucket_);
  return slots_[base_ % ring].head;
}

void Agenda::step() {
  invariant(!empty(), "step() on an empty agenda", "agenda", now_);
  step_until(never);
}

void Agenda::run_until(Time limit) {
  while (step_until(limit)) {}
  advance_to(limit);
}

void Agenda::advance_to(Time at) {
  if (at == never || at <= now_) return;
  invariant(next() >= at, "time moved over a pending action", "agenda", now_);
  now_ = at;
  if (const std::uint64_t bucket = bucket_of(at); bucket != base_) rebase(bucket);
}

}  // namespace flashpath

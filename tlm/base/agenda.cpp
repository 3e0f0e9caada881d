// SPDX-License-Identifier: Apache-2.0
#include "base/agenda.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace flashpath {

Agenda::Agenda() {
  heads_.fill(none);
  tails_.fill(none);
}

void Agenda::post(Time at, Action action, void* self, std::uint64_t arg, std::uint64_t arg2, Priority priority) {
  invariant(at >= now_, "an action was posted for the past", "agenda", now_);
  std::uint32_t index = free_;
  if (index == none) {
    index = static_cast<std::uint32_t>(pool_.size());
    pool_.emplace_back();
  } else {
    free_ = pool_[index].next;
  }
  const std::uint64_t order = static_cast<std::uint64_t>(priority) << 61U | sequence_++;
  pool_[index] = {at, order, action, self, arg, arg2, none};
  const bool earliest = !running_ && earlier_ != nullptr && at < next();
  if (bucket_of(at) < base_ + ring) {
    insert_near(index);
  } else {
    far_.push_back(index);
    std::push_heap(far_.begin(), far_.end(), [this](std::uint32_t a, std::uint32_t b) { return before(pool_[b], pool_[a]); });
  }
  ++size_;
  if (earliest) earlier_(earlier_self_, at, 0, 0);
}

void Agenda::insert_near(std::uint32_t index) {
  Event& event = pool_[index];
  const std::size_t slot = bucket_of(event.at) % ring;
  ++near_;
  event.next = none;
  if (heads_[slot] == none) {
    heads_[slot] = tails_[slot] = index;
    occupied_[slot / 64] |= std::uint64_t{1} << (slot % 64);
    return;
  }
  if (!before(event, pool_[tails_[slot]])) {  // the common case: posted in order
    pool_[tails_[slot]].next = index;
    tails_[slot] = index;
    return;
  }
  std::uint32_t* link = &heads_[slot];
  while (*link != none && !before(event, pool_[*link])) link = &pool_[*link].next;
  event.next = *link;
  *link = index;
}

void Agenda::refill() {
  const auto later = [this](std::uint32_t a, std::uint32_t b) { return before(pool_[b], pool_[a]); };
  while (!far_.empty() && bucket_of(pool_[far_.front()].at) < base_ + ring) {
    std::pop_heap(far_.begin(), far_.end(), later);
    const std::uint32_t index = far_.back();
    far_.pop_back();
    insert_near(index);
  }
}

/// The ring's first bucket that holds something; there must be one.
std::uint64_t Agenda::first_bucket() const {
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
void Agenda::rebase(std::uint64_t bucket) {
  if (bucket == base_) return;
  base_ = bucket;
  refill();
}

/// What is far lies beyond everything in the ring, so it counts only when the ring is empty.
Time Agenda::next() const {
  if (near_ != 0) return pool_[heads_[first_bucket() % ring]].at;
  return far_.empty() ? never : pool_[far_.front()].at;
}

void Agenda::step() {
  invariant(size_ != 0, "step() on an empty agenda", "agenda", now_);
  rebase(near_ != 0 ? first_bucket() : bucket_of(pool_[far_.front()].at));
  run_first();
}

bool Agenda::step_until(Time limit) {
  if (near_ != 0) {
    const std::uint64_t bucket = first_bucket();
    if (pool_[heads_[bucket % ring]].at > limit) return false;
    rebase(bucket);
  } else {
    if (far_.empty() || pool_[far_.front()].at > limit) return false;
    rebase(bucket_of(pool_[far_.front()].at));
  }
  run_first();
  return true;
}

/// Runs the head of the ring's first bucket.
void Agenda::run_first() {
  const std::size_t slot = base_ % ring;
  const std::uint32_t index = heads_[slot];
  const Event event = pool_[index];
  heads_[slot] = event.next;
  if (event.next == none) {
    tails_[slot] = none;
    occupied_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
  }
  pool_[index].next = free_;
  free_ = index;
  --near_;
  --size_;
  ++executed_;
  now_ = event.at;
  const bool nested = running_;
  running_ = true;
  event.action(event.self, event.at, event.arg, event.arg2);
  running_ = nested;
}

void Agenda::run_until(Time limit) {
  while (step_until(limit)) {}
  advance_to(limit);
}

void Agenda::advance_to(Time at) {
  if (at == never || at <= now_) return;
  invariant(next() >= at, "time moved over a pending action", "agenda", now_);
  now_ = at;
  rebase(bucket_of(at));
}

}  // namespace flashpath

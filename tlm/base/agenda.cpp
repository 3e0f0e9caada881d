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
  // next() may have moved the ring's start past now(): an event between the two goes to the first bucket,
  // where the sort order puts it first.
  const std::size_t slot = std::max(bucket_of(event.at), base_) % ring;
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

/// Moves the ring's start to the first bucket that holds something.
bool Agenda::find() {
  if (size_ == 0) return false;
  if (near_ == 0) base_ = bucket_of(pool_[far_.front()].at);
  refill();
  const std::size_t start = base_ % ring;
  std::size_t word = start / 64;
  std::uint64_t bits = occupied_[word] & (~std::uint64_t{0} << (start % 64));
  for (std::size_t i = 0; bits == 0 && i <= ring / 64; ++i) {
    word = (word + 1) % (ring / 64);
    bits = occupied_[word];
  }
  const std::size_t slot = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
  const std::size_t ahead = (slot + ring - start) % ring;
  if (ahead != 0) {
    base_ += ahead;
    refill();  // what the ring now reaches is later than the bucket found: the horizon only moved outwards
  }
  return true;
}

Time Agenda::next() {
  if (!find()) return never;
  return pool_[heads_[base_ % ring]].at;
}

void Agenda::step() {
  const bool any = find();
  invariant(any, "step() on an empty agenda", "agenda", now_);
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
  while (next() <= limit && size_ != 0) step();
  advance_to(limit);
}

void Agenda::advance_to(Time at) {
  if (at == never || at <= now_) return;
  invariant(next() >= at, "time moved over a pending action", "agenda", now_);
  now_ = at;
}

}  // namespace flashpath

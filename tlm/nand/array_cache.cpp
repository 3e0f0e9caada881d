// SPDX-License-Identifier: Apache-2.0
// Cache read in ArrayModel (cache_read): a plane senses its next page while the last one's data leave.
//
// A plane has a page buffer, where a sense leaves its data, and a cache register. If nobody waits for the plane when a page is sensed, its
// data leave from the page buffer, as without cache read. Else they move to the register (tRCBSY) as soon as that is empty, and the
// plane is free for the next sense; the move also happens later, if somebody comes while the data still wait for the channel.
// So two reads of a plane are under way at most: one in the register, one in the array or in the page buffer.
#include <algorithm>

#include "nand/array_model.h"

namespace flashpath::nand {
namespace {

template <class F>
void each_plane(unsigned mask, F&& f) {
  for (unsigned p = 0; mask != 0; ++p, mask >>= 1U) {
    if ((mask & 1U) != 0) f(p);
  }
}

}  // namespace

/// A read's data are in the page buffer.
void ArrayModel::keep_sensed(std::uint32_t entry, Time now) {
  const Entry& e = entries_[entry];
  ReadCache& cache = caches_[e.die];
  Time empty{};
  each_plane(e.mask, [&](unsigned p) { empty = std::max(empty, cache.until[p]); });
  if (empty > now) {
    each_plane(e.mask, [&](unsigned p) { cache.waiting[p] = entry; });
    if (empty != never) hand_over(entry, empty, false);
  } else if ((dies_[e.die].wanted & e.mask) != 0) {
    hand_over(entry, now, false);
  } else {
    each_plane(e.mask, [&](unsigned p) { cache.buffered[p] = entry; });
    leave(entry, now);
  }
}

/// The data move to the cache register at `at`; `asked`: they have asked for the channel already.
void ArrayModel::hand_over(std::uint32_t entry, Time at, bool asked) {
  Entry& e = entries_[entry];
  Die& die = dies_[e.die];
  ReadCache& cache = caches_[e.die];
  const Time done = at + config_.t_rcbsy;
  each_plane(e.mask, [&](unsigned p) {
    cache.until[p] = never;
    cache.waiting[p] = cache.buffered[p] = no_entry;
    die.busy_until[p] = done;
  });
  e.moved = true;
  e.out_ready = done;
  die.held &= static_cast<PlaneMask>(~e.mask);
  die.woken |= e.mask;
  agenda_.post<&ArrayModel::handed_over>(done, this, entry, asked ? 1 : 0, Priority::decide);
}

/// The planes are free; their next command competes with the data for the channel.
void ArrayModel::handed_over(Time now, std::uint64_t entry, std::uint64_t asked) {
  const DieId id = entries_[entry].die;
  release(id, now);
  if (asked != 0) ask(dies_[id].channel, now);
  else leave(static_cast<std::uint32_t>(entry), now);
}

/// Somebody wants planes whose data wait for the channel in the page buffer.
void ArrayModel::hand_over_late(DieId id, unsigned planes, Time now) {
  const ReadCache& cache = caches_[id];
  each_plane(planes, [&](unsigned p) {
    if (cache.buffered[p] != no_entry) hand_over(cache.buffered[p], now, true);
  });
}

/// A read's data leave until `end`: what waits for its register can move then.
void ArrayModel::sent(const Entry& entry, Time end) {
  ReadCache& cache = caches_[entry.die];
  if (!entry.moved) {
    each_plane(entry.mask, [&](unsigned p) { cache.buffered[p] = no_entry; });
    return;
  }
  each_plane(entry.mask, [&](unsigned p) { cache.until[p] = end; });
  each_plane(entry.mask, [&](unsigned p) {
    const std::uint32_t next = cache.waiting[p];
    if (next == no_entry) return;
    Time empty{};
    each_plane(entries_[next].mask, [&](unsigned q) { empty = std::max(empty, cache.until[q]); });
    if (empty != never) hand_over(next, empty, false);
  });
}

}  // namespace flashpath::nand

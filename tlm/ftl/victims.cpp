// SPDX-License-Identifier: Apache-2.0
#include "ftl/victims.h"

#include <algorithm>
#include <functional>

namespace flashpath::ftl {

Victims::Victims(GcPolicy policy, std::uint32_t d, std::uint64_t units, const std::vector<Superblock>& superblocks)
    : policy_{policy},
      d_{d},
      units_{units},
      superblocks_{superblocks},
      places_(superblocks.size()),
      dirty_(superblocks.size()),
      tree_{superblocks.size(), Fewest{this}},
      aged_(policy == GcPolicy::cost_benefit ? levels + 1 : 0) {}

bool Victims::fewer(std::uint32_t a, std::uint32_t b) const {
  const Superblock &x = superblocks_[a], &y = superblocks_[b];
  if (x.valid != y.valid) return x.valid < y.valid;
  return x.erases != y.erases ? x.erases < y.erases : a < b;
}

void Victims::add(std::uint32_t superblock) {
  Place& place = places_[superblock];
  place.in = true;
  nothing_ = false;
  place.closed = ++sequence_;
  place.at = static_cast<std::uint32_t>(closed_.size());
  if (policy_ == GcPolicy::greedy) tree_.add(superblock);
  else if (policy_ == GcPolicy::cost_benefit) enlist(superblock);
  else if (policy_ == GcPolicy::d_choices) closed_.push_back(superblock);
  else link(superblock);
}

void Victims::remove(std::uint32_t superblock) {
  Place& place = places_[superblock];
  place.in = false;
  if (policy_ == GcPolicy::greedy) {
    tree_.remove(superblock);
  } else if (policy_ == GcPolicy::d_choices) {
    closed_[place.at] = closed_.back();
    places_[closed_.back()].at = place.at;
    closed_.pop_back();
  } else if (policy_ == GcPolicy::fifo) {
    unlink(superblock);
  }
}

std::uint32_t Victims::choose() {
  if (nothing_ && touched_.empty()) return no_superblock;
  update();
  std::uint32_t best = no_superblock;
  switch (policy_) {
    case GcPolicy::greedy:
      best = tree_.best();
      if (best != no_superblock && superblocks_[best].valid >= units_) best = no_superblock;
      break;
    case GcPolicy::cost_benefit: best = choose_by_benefit(); break;
    case GcPolicy::d_choices: best = choose_among_d(); break;
    case GcPolicy::fifo: best = choose_oldest(); break;
  }
  nothing_ = best == no_superblock;
  return best;
}

/// Brings the order up to date with what was lost since it was last asked for.
void Victims::update() {
  for (const std::uint32_t i : touched_) {
    dirty_[i] = false;
    if (!places_[i].in) continue;
    if (policy_ == GcPolicy::greedy) tree_.changed(i);
    else if (policy_ == GcPolicy::cost_benefit && level_of(i) != places_[i].level) enlist(i);
  }
  touched_.clear();
}

void Victims::enlist(std::uint32_t superblock) {
  Place& place = places_[superblock];
  place.level = level_of(superblock);
  auto& heap = aged_[place.level];
  heap.emplace_back(place.closed, superblock);
  std::ranges::push_heap(heap, std::greater{});
}

std::uint32_t Victims::choose_by_benefit() {
  std::uint32_t best = no_superblock;
  Wide best_gain = 0, best_cost = 1;
  for (std::uint64_t level = 0; level < levels; ++level) {  // above: wholly valid ones
    auto& heap = aged_[level];
    const auto stale = [&](const Aged& a) {
      const Place& place = places_[a.second];
      return !place.in || place.closed != a.first || place.level != level;
    };
    while (!heap.empty() && stale(heap.front())) {
      std::ranges::pop_heap(heap, std::greater{});
      heap.pop_back();
    }
    if (heap.empty()) continue;
    const std::uint32_t i = heap.front().second;
    const std::uint64_t valid = superblocks_[i].valid;
    if (valid == 0) return i;
    const Wide gain = static_cast<Wide>(units_ - valid) * (sequence_ - places_[i].closed + 1);
    if (best != no_superblock && gain * best_cost <= best_gain * valid) continue;
    best = i;
    best_gain = gain;
    best_cost = valid;
  }
  return best;
}

std::uint32_t Victims::choose_among_d() {
  std::uint32_t best = no_superblock;
  for (std::uint32_t k = 0; k < d_ && !closed_.empty(); ++k) {
    const std::uint32_t i = closed_[random_.below(closed_.size())];
    if (superblocks_[i].valid < units_ && (best == no_superblock || fewer(i, best))) best = i;
  }
  return best != no_superblock ? best : scan();
}

std::uint32_t Victims::scan() const {
  std::uint32_t best = no_superblock;
  for (const std::uint32_t i : closed_) {
    if (superblocks_[i].valid < units_ && (best == no_superblock || fewer(i, best))) best = i;
  }
  return best;
}

std::uint32_t Victims::choose_oldest() {
  const std::uint32_t stop = last_;
  while (first_ != no_superblock && superblocks_[first_].valid >= units_) {
    const std::uint32_t i = first_;
    unlink(i);
    link(i);
    if (i == stop) return no_superblock;
  }
  return first_;
}

void Victims::link(std::uint32_t superblock) {
  Place& place = places_[superblock];
  place.before = last_;
  place.after = no_superblock;
  (last_ == no_superblock ? first_ : places_[last_].after) = superblock;
  last_ = superblock;
}

void Victims::unlink(std::uint32_t superblock) {
  const Place& place = places_[superblock];
  (place.before == no_superblock ? first_ : places_[place.before].after) = place.after;
  (place.after == no_superblock ? last_ : places_[place.after].before) = place.before;
}

}  // namespace flashpath::ftl

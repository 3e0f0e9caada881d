// SPDX-License-Identifier: Apache-2.0
#include "ftl/mapping.h"

#include <algorithm>

namespace flashpath::ftl {

Mapping::Mapping(std::uint64_t units, Bytes unit, bool identity)
    : units_{units},
      unit_{unit.count},
      region_units_{std::max<std::uint64_t>(16, (std::uint64_t{1} << 20U) / unit.count)},
      identity_{identity},
      mapped_{identity ? units : 0},
      chunks_(ceil_div(ceil_div(units, region_units_), chunk_regions)),
      tables_{region_units_} {}

template <class T>
std::uint64_t Mapping::Slab<T>::take() {
  if (!free_.empty()) {
    const std::uint64_t slot = free_.back();
    free_.pop_back();
    return slot;
  }
  if (used_ == chunks_.size() * per_chunk) chunks_.push_back(std::make_unique<T[]>(per_chunk * width_));
  return used_++;
}

Mapping::Entry Mapping::entry(std::uint64_t region) const {
  if (const auto& chunk = chunks_[region / chunk_regions]; chunk) return chunk[region % chunk_regions];
  if (!identity_) return {};
  const std::uint64_t first = region * region_units_;
  return Entry::linear(0, std::min(region_units_, units_ - first), first);
}

Mapping::Entry& Mapping::touch(std::uint64_t region) {
  auto& chunk = chunks_[region / chunk_regions];
  if (!chunk) {
    auto fresh = std::make_unique<Entry[]>(chunk_regions);
    const std::uint64_t first = region / chunk_regions * chunk_regions;
    for (std::uint64_t i = 0; i < chunk_regions && (first + i) * region_units_ < units_; ++i) fresh[i] = entry(first + i);
    chunk = std::move(fresh);
    ++made_;
  }
  return chunk[region % chunk_regions];
}

Mapping::Extent Mapping::find(std::uint64_t unit, std::uint64_t max) const {
  const std::uint64_t region = unit / region_units_;
  const std::uint64_t in = unit - region * region_units_;
  const std::uint64_t most = std::min(max, region_units_ - in);
  const Entry e = entry(region);
  const auto within = [&](Entry x) -> Extent { return {x.base() + (in - x.first()), std::min(most, x.end() - in)}; };
  switch (e.kind()) {
    case Kind::linear:
      if (in >= e.first() && in < e.end()) return within(e);
      return {nowhere, in < e.first() && e.count() != 0 ? std::min(most, e.first() - in) : most};
    case Kind::pieces: {
      const Entry* list = pieces_.at(e.base());
      for (std::size_t i = 0; i < max_pieces && list[i].count() != 0; ++i) {
        if (in < list[i].first()) return {nowhere, std::min(most, list[i].first() - in)};
        if (in < list[i].end()) return within(list[i]);
      }
      return {nowhere, most};
    }
    case Kind::table: {
      const Position* table = tables_.at(e.base()) + in;
      std::uint64_t n = 1;
      if (table[0] == nowhere)
        while (n < most && table[n] == nowhere) ++n;
      else
        while (n < most && table[n] == table[0] + n) ++n;
      return {table[0], n};
    }
  }
  return {nowhere, most};
}

void Mapping::drop(Entry e) {
  if (e.kind() == Kind::pieces) pieces_.give(e.base());
  else if (e.kind() == Kind::table) tables_.give(e.base());
}

void Mapping::assign(std::uint64_t unit, std::uint64_t count, Position position) {
  const std::uint64_t region = unit / region_units_;
  const std::uint64_t in = unit - region * region_units_;
  if (position == nowhere && !identity_ && !chunks_[region / chunk_regions]) return;
  Entry& e = touch(region);
  if (count == region_units_) {
    drop(e);
    e = position == nowhere ? Entry{} : Entry::linear(0, count, position);
    return;
  }
  if (e.kind() == Kind::linear && position != nowhere && (e.count() == 0 || (in == e.end() && position == e.base() + e.count()))) {
    e = e.count() == 0 ? Entry::linear(in, count, position) : Entry::linear(e.first(), e.count() + count, e.base());
    return;
  }
  if (e.kind() == Kind::table) {
    Position* table = tables_.at(e.base());
    for (std::uint64_t i = 0; i < count; ++i) table[in + i] = position == nowhere ? nowhere : position + i;
    if (in + count == region_units_) simplify(e);
    return;
  }
  // A few extents: cut the range out, put the new one in, in order.
  Extents list{};
  std::size_t n = 0;
  bool placed = position == nowhere;
  const auto add = [&](std::uint64_t first, std::uint64_t length, Position base) {
    if (length == 0) return;
    if (n != 0 && list[n - 1].end() == first && list[n - 1].base() + list[n - 1].count() == base) {
      list[n - 1] = Entry::linear(list[n - 1].first(), list[n - 1].count() + length, list[n - 1].base());
      return;
    }
    list[n++] = Entry::linear(first, length, base);
  };
  const Entry* old = e.kind() == Kind::linear ? &e : pieces_.at(e.base());
  const std::size_t olds = e.kind() == Kind::linear ? 1 : max_pieces;
  for (std::size_t i = 0; i < olds && old[i].count() != 0; ++i) {
    const Entry o = old[i];
    if (o.first() < in) add(o.first(), std::min(o.end(), in) - o.first(), o.base());
    if (!placed && o.end() > in) {
      add(in, count, position);
      placed = true;
    }
    if (o.end() > in + count) {
      const std::uint64_t from = std::max(o.first(), in + count);
      add(from, o.end() - from, o.base() + (from - o.first()));
    }
  }
  if (!placed) add(in, count, position);
  store(e, list, n);
}

void Mapping::store(Entry& e, const Extents& list, std::size_t n) {
  if (n <= 1) {
    drop(e);
    e = n == 0 ? Entry{} : list[0];
  } else if (n <= max_pieces) {
    if (e.kind() != Kind::pieces) {
      drop(e);
      e = Entry::slot(Kind::pieces, pieces_.take());
    }
    std::copy_n(list.begin(), max_pieces, pieces_.at(e.base()));
  } else {
    drop(e);
    e = Entry::slot(Kind::table, tables_.take());
    Position* table = tables_.at(e.base());
    std::fill_n(table, region_units_, nowhere);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::uint64_t k = 0; k < list[i].count(); ++k) table[list[i].first() + k] = list[i].base() + k;
    }
  }
}

/// A table back to extents, if four are enough.
void Mapping::simplify(Entry& e) {
  const Position* table = tables_.at(e.base());
  Extents list{};
  std::size_t n = 0;
  for (std::uint64_t i = 0; i < region_units_;) {
    if (table[i] == nowhere) {
      ++i;
      continue;
    }
    std::uint64_t k = 1;
    while (i + k < region_units_ && table[i + k] == table[i] + k) ++k;
    if (n == max_pieces) return;
    list[n++] = Entry::linear(i, k, table[i]);
    i += k;
  }
  store(e, list, n);
}

Bytes Mapping::memory() const {
  return {chunks_.capacity() * sizeof(chunks_[0]) + made_ * chunk_regions * sizeof(Entry) + pieces_.memory() + tables_.memory()};
}

}  // namespace flashpath::ftl

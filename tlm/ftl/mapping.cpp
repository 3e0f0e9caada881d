// SPDX-License-Identifier: Apache-2.0
#include "ftl/mapping.h"

#include <algorithm>
#include <bit>

namespace flashpath::ftl {
namespace {
constexpr std::uint64_t mask(std::uint64_t from, std::uint64_t count) { return (count == 64 ? ~0ULL : (1ULL << count) - 1) << from; }
constexpr std::size_t round_up(std::size_t bytes) { return (bytes + 7) / 8 * 8; }
std::uint64_t ones(std::uint64_t bits) { return static_cast<std::uint64_t>(std::popcount(bits)); }
}  // namespace

Mapping::Mapping(std::uint64_t units, Position positions, Start start)
    : units_{units},
      wide_{positions > 0xffffffffU},
      start_{std::move(start)},
      mapped_{start_.units()},
      groups_(ceil_div(ceil_div(units, chunk_units), group_chunks)) {
  for (const std::size_t n : sizes) memory_.add_size(n * sizeof(Entry));
  for (const std::size_t n : sizes) memory_.add_size(round_up(sizeof(Leaf) + n * (wide_ ? 5 : 4)));
  memory_.add_size(region_units * (wide_ ? 5 : 4));
}

Mapping::Entry Mapping::initial(std::uint64_t chunk) const {
  switch (start_.kind()) {
    case Precondition::none: return {};
    case Precondition::sequential: return Entry::linear(0, region_units, chunk * chunk_units);
    case Precondition::random: return Entry::start();
  }
  return {};
}

// ---- looking

Mapping::Extent Mapping::look_leaf(Entry e, std::uint64_t unit, std::uint64_t in, std::uint64_t most) const {
  const Leaf& l = leaf(e);
  if ((l.own >> in & 1U) == 0) {
    const std::uint64_t others = l.own >> in;
    return look(l.rest, unit, in, others == 0 ? most : std::min(most, static_cast<std::uint64_t>(std::countr_zero(others))));
  }
  const Positions p = positions(e);
  const std::uint64_t at = before(l.own, in);
  const Position first = p.get(at), step = first == nowhere ? 0 : 1;
  std::uint64_t n = 1;
  while (n < most && (l.own >> (in + n) & 1U) != 0 && p.get(at + n) == first + n * step) ++n;
  return {first, n};
}

/// The extent reaches its region's end: goes on as long as regions are linear.
void Mapping::lengthen(Extent& x, std::uint64_t unit, std::uint64_t max) const {
  while (x.count < max) {
    const Entry e = entry((unit + x.count) / region_units);
    if (x.position == nowhere ? !e.empty() : !(e.full() && e.base() == x.position + x.count)) return;
    x.count = std::min(max, x.count + region_units);
  }
}

/// Not one region of the chunk has changed. Its group is there.
bool Mapping::untouched(std::uint64_t chunk) const {
  const Chunk& c = groups_[chunk / group_chunks][chunk % group_chunks];
  return c.differs == 0 && c.all.bits == initial(chunk).bits;
}

/// How many units from this one are surely as at time zero (within the region); 0: this one may not be.
std::uint64_t Mapping::as_started(std::uint64_t unit) const {
  const std::uint64_t in = unit % region_units;
  const Entry e = entry(unit / region_units);
  if (e.bits == part(initial(unit / chunk_units), unit / region_units).bits) return region_units - in;
  if (e.kind() != Kind::leaf || leaf(e).rest.kind() != Kind::start) return 0;
  const std::uint64_t others = leaf(e).own >> in;
  return others == 0 ? region_units - in : static_cast<std::uint64_t>(std::countr_zero(others));
}

// ---- changing

Mapping::Chunk& Mapping::chunk(std::uint64_t chunk) {
  auto& group = groups_[chunk / group_chunks];
  if (!group) {
    group = std::make_unique<Chunk[]>(group_chunks);
    const std::uint64_t first = chunk - chunk % group_chunks;
    for (std::uint64_t i = 0; i < group_chunks; ++i) group[i].all = initial(first + i);
    ++made_;
  }
  return group[chunk % group_chunks];
}

/// The region's own entry, valid until the next one is made.
Mapping::Entry& Mapping::touch(std::uint64_t region) {
  Chunk& c = chunk(region / 64);
  const std::uint64_t at = before(c.differs, region % 64);
  const std::uint64_t bit = 1ULL << region % 64;
  if ((c.differs & bit) != 0) return entries(c)[at];
  const std::uint64_t n = ones(c.differs);
  const Entry fresh = part(c.all, region);
  if (n == 0) {
    c.size = 0;
    c.entries = memory_.take(entry_sizes) & ((1ULL << 56U) - 1);
  } else if (n == sizes[c.size]) {
    const Slabs::Item larger = memory_.take(entry_sizes + c.size + 1);
    std::copy_n(entries(c), n, reinterpret_cast<Entry*>(memory_.at(entry_sizes + c.size + 1, larger)));
    memory_.give(entry_sizes + c.size, c.entries);
    c.entries = larger & ((1ULL << 56U) - 1);
    ++c.size;
  }
  Entry* const list = entries(c);
  std::copy_backward(list + at, list + n, list + n + 1);
  list[at] = fresh;
  c.differs |= bit;
  return list[at];
}

void Mapping::drop(Entry e) {
  if (e.kind() == Kind::leaf) memory_.give(leaf_sizes + e.size(), e.slot());
  else if (e.kind() == Kind::table) memory_.give(table_size, e.slot());
}

/// A whole chunk becomes one extent.
void Mapping::assign_chunk(std::uint64_t number, Position position) {
  if (position == nowhere && start_.kind() == Precondition::none && !groups_[number / group_chunks]) return;
  Chunk& c = chunk(number);
  if (c.differs != 0) {
    const std::uint64_t n = ones(c.differs);
    for (std::uint64_t i = 0; i < n; ++i) drop(entries(c)[i]);
    memory_.give(entry_sizes + c.size, c.entries);
    c.differs = 0;
  }
  c.all = position == nowhere ? Entry{} : Entry::linear(0, region_units, position);
}

/// [unit, unit + count) lies in one region.
void Mapping::assign(std::uint64_t unit, std::uint64_t count, Position position) {
  const std::uint64_t region = unit / region_units, in = unit % region_units;
  if (position == nowhere && entry(region).empty()) return;
  Entry& e = touch(region);
  if (count == region_units) {
    drop(e);
    e = position == nowhere ? Entry{} : Entry::linear(0, count, position);
  } else if (e.empty()) {
    e = Entry::linear(in, count, position);
  } else if (e.kind() == Kind::linear && position != nowhere && in == e.end() && position == e.base() + e.count()) {
    e = Entry::linear(e.first(), e.count() + count, e.base());
  } else if (e.kind() == Kind::linear && position == nowhere && in <= e.first() && in + count >= e.end()) {
    e = {};
  } else {
    if (count != 1 || !put_one(e, in, position)) put(e, unit, count, position);
    if (in + count == region_units && e.kind() != Kind::linear) simplify(e, region);
  }
  if (region % 64 == 63 && e.full()) join(region / 64);
}

/// One unit of a leaf or table, if that is simple.
bool Mapping::put_one(Entry& e, std::uint64_t in, Position position) {
  if (e.kind() == Kind::table) {
    positions(e).set(in, position);
    return true;
  }
  if (e.kind() != Kind::leaf) return false;
  Leaf& l = leaf(e);
  const std::uint64_t at = before(l.own, in), n = ones(l.own);
  const Positions p = positions(e);
  if ((l.own >> in & 1U) == 0) {
    if (n == sizes[e.size()]) return false;
    std::copy_backward(p.low + at, p.low + n, p.low + n + 1);
    if (p.high != nullptr) std::copy_backward(p.high + at, p.high + n, p.high + n + 1);
    l.own |= 1ULL << in;
  }
  p.set(at, position);
  return true;
}

/// Any part of any region: taken apart and put together again.
void Mapping::put(Entry& e, std::uint64_t unit, std::uint64_t count, Position position) {
  const std::uint64_t in = unit % region_units;
  std::array<Position, region_units> all;
  Entry rest = e;
  std::uint64_t own = 0;
  if (e.kind() == Kind::table || e.kind() == Kind::leaf) {
    rest = e.kind() == Kind::leaf ? leaf(e).rest : Entry{};
    own = e.kind() == Kind::leaf ? leaf(e).own : ~0ULL;
    const Positions p = positions(e);
    for (std::uint64_t bits = own, i = 0; bits != 0; bits &= bits - 1) all[static_cast<std::size_t>(std::countr_zero(bits))] = p.get(i++);
  }
  for (std::uint64_t i = 0; i < count; ++i) all[in + i] = position == nowhere ? nowhere : position + i;
  own |= mask(in, count);
  if (position == nowhere && rest.kind() == Kind::linear) own &= ~(mask(in, count) & ~mask(rest.first(), rest.count()));
  rebuild(e, unit / region_units, rest, own, all.data());
}

/// The region is `rest`, but for the units in `own`, which are at all[…].
void Mapping::rebuild(Entry& e, std::uint64_t region, Entry rest, std::uint64_t own, Position* all) {
  if (own == 0) {
    drop(e);
    e = rest;
    return;
  }
  const std::uint64_t n = ones(own);
  if (n > leaf_most) {
    for (std::uint64_t others = ~own; others != 0; others &= others - 1) {
      const auto i = static_cast<std::uint64_t>(std::countr_zero(others));
      all[i] = look(rest, region * region_units + i, i, 1).position;
    }
    own = ~0ULL;
    if (e.kind() != Kind::table) {
      drop(e);
      e = Entry::slot(Kind::table, memory_.take(table_size));
    }
  } else {
    std::uint64_t size = 0;
    while (sizes[size] < n) ++size;
    if (e.kind() != Kind::leaf || e.size() != size) {
      drop(e);
      e = Entry::slot(Kind::leaf, memory_.take(leaf_sizes + size), size);
    }
    leaf(e) = {.rest = rest, .own = own};
  }
  const Positions p = positions(e);
  for (std::uint64_t i = 0; own != 0; own &= own - 1) p.set(i++, all[std::countr_zero(own)]);
}

/// A leaf or table becomes smaller if most of it is one extent.
void Mapping::simplify(Entry& e, std::uint64_t region) {
  if (e.kind() == Kind::leaf && leaf(e).rest.kind() == Kind::start) return;
  std::array<Position, region_units> all;
  Entry longest;
  std::uint64_t extents = 0, mapped = 0;
  const std::uint64_t worth = (e.kind() == Kind::table ? region_units : sizes[e.size()]) / 2;
  for (std::uint64_t i = 0; i < region_units; ++extents) {
    if (extents > worth + 1) return;
    const Extent x = look(e, 0, i, region_units - i);
    for (std::uint64_t k = 0; k < x.count; ++k) all[i + k] = x.position == nowhere ? nowhere : x.position + k;
    if (x.position != nowhere) {
      mapped |= mask(i, x.count);
      std::uint64_t first = i, base = x.position, count = x.count;
      if (longest.count() != 0 && longest.end() == i && longest.base() + longest.count() == base) {  // cut where the leaf begins or ends
        first = longest.first();
        base = longest.base();
        count += longest.count();
      }
      if (count > longest.count()) longest = Entry::linear(first, count, base);
    }
    i += x.count;
  }
  const std::uint64_t own = mapped & ~(longest.count() == 0 ? 0 : mask(longest.first(), longest.count()));
  if (ones(own) <= worth) rebuild(e, region, longest, own, all.data());
}

/// All regions of a chunk are one extent: it needs no entries.
void Mapping::join(std::uint64_t number) {
  const Position base = entry(number * 64).base();
  for (std::uint64_t i = 64; i-- > 0;) {
    const Entry e = entry(number * 64 + i);
    if (!e.full() || e.base() != base + i * region_units) return;
  }
  assign_chunk(number, base);
}

Bytes Mapping::memory() const {
  const std::size_t all = groups_.capacity() * sizeof(groups_[0]) + made_ * group_chunks * sizeof(Chunk) + memory_.memory();
  return {all};
}

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
// Logical to physical: which position holds a mapping unit. Cost follows entropy, not capacity.
//
//   chunk   64 regions: what they all are (unmapped, one extent, or as at time zero: start.h), and an entry of 8 bytes for each
//           region that differs. 24 bytes; groups of chunks are made when first touched.
//   region  64 units, as an entry:
//     linear  one extent (first, count, base), the rest is unmapped
//     start   as at time zero
//     leaf    linear or start, and one position for each unit that differs (at most 32): 16 bytes + 4 (5) per such unit
//     table   one position per unit: 4 bytes (5 on drives of 2^32 - 1 positions and more) per unit
//
// A region goes back to the simpler form when a write reaches its end, a chunk when one reaches the chunk's end.
// So per unit: random 4.1 bytes (8 a unit or two per region: 24 bytes each), sequential 24 bytes per 4096 units.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "ftl/layout.h"
#include "ftl/slab.h"
#include "ftl/start.h"

namespace flashpath::ftl {

class Mapping {
 public:
  struct Extent {
    Position position;  ///< of the first unit; `nowhere`: these units are unmapped
    std::uint64_t count;
  };

  static constexpr std::uint64_t region_units = 64;
  static constexpr std::uint64_t chunk_units = 64 * region_units;

  /// `positions`: how many there are.
  explicit Mapping(std::uint64_t units, Position positions = Position{1} << 40U, Start start = {});

  /// An extent from `unit` on, at most `max` units: the longest one within its region, and longer where that is cheap to see.
  Extent find(std::uint64_t unit, std::uint64_t max) const {
    const std::uint64_t in = unit % region_units;
    const Entry e = entry(unit / region_units);
    Extent x = look(e, unit, in, std::min(max, region_units - in));
    if (x.count < max && in + x.count == region_units) lengthen(x, unit, max);
    return x;
  }
  Position at(std::uint64_t unit) const { return find(unit, 1).position; }

  /// Maps [unit, unit + count) to `position` onwards (`nowhere`: unmaps); dropped(position, count) hears of each old extent.
  template <class Dropped>
  void replace(std::uint64_t unit, std::uint64_t count, Position position, Dropped&& dropped) {
    if (count == 1 && position != nowhere && unit % region_units != region_units - 1) {  // the usual one: within a table
      if (const Entry e = entry(unit / region_units); e.kind() == Kind::table) {
        const Positions p = positions(e);
        const Position old = p.get(unit % region_units);
        p.set(unit % region_units, position);
        if (old == nowhere) ++mapped_;
        else dropped(old, 1);
        return;
      }
    }
    while (count != 0) {
      const bool whole = unit % chunk_units == 0 && count >= chunk_units;
      const std::uint64_t here = whole ? chunk_units : std::min(count, region_units - unit % region_units);
      for (std::uint64_t done = 0; done < here;) {
        const Extent old = find(unit + done, here - done);
        done += old.count;
        if (old.position == nowhere) continue;
        mapped_ -= old.count;
        dropped(old.position, old.count);
      }
      if (whole) assign_chunk(unit / chunk_units, position);
      else assign(unit, here, position);
      if (position != nowhere) {
        mapped_ += here;
        position += here;
      }
      unit += here;
      count -= here;
    }
  }

  /// changed(unit, count, position): every extent that may differ from time zero, in order of units.
  template <class Changed>
  void for_each_change(Changed&& changed) const {
    for (std::uint64_t chunk = 0; chunk * chunk_units < units_; ++chunk) {
      if (!groups_[chunk / group_chunks]) {
        chunk += group_chunks - 1 - chunk % group_chunks;
        continue;
      }
      if (untouched(chunk)) continue;
      const std::uint64_t end = std::min(units_, (chunk + 1) * chunk_units);
      for (std::uint64_t unit = chunk * chunk_units; unit < end;) {
        const std::uint64_t skip = std::min(as_started(unit), end - unit);
        unit += skip;
        if (skip != 0) continue;
        const Extent e = find(unit, end - unit);
        changed(unit, e.count, e.position);
        unit += e.count;
      }
    }
  }

  std::uint64_t units() const { return units_; }
  std::uint64_t mapped() const { return mapped_; }
  const Start& start() const { return start_; }
  /// What the map takes of the host's memory.
  Bytes memory() const;

 private:
  enum class Kind : std::uint8_t { linear, start, leaf, table };

  /// kind: 2 bits; linear: first 6, count 7, base 40 from bit 16 on; leaf: size class 6 bits, slot from bit 16 on; table: slot.
  struct Entry {
    std::uint64_t bits = 0;
    static Entry linear(std::uint64_t first, std::uint64_t count, std::uint64_t base) { return {base << 16U | count << 8U | first << 2U}; }
    static Entry start() { return {static_cast<std::uint64_t>(Kind::start)}; }
    static Entry slot(Kind kind, std::uint64_t slot, std::uint64_t size = 0) {
      return {slot << 16U | size << 2U | static_cast<std::uint64_t>(kind)};
    }
    Kind kind() const { return static_cast<Kind>(bits & 3U); }
    std::uint64_t first() const { return bits >> 2U & 0x3fU; }
    std::uint64_t size() const { return first(); }
    std::uint64_t count() const { return bits >> 8U & 0xffU; }
    std::uint64_t end() const { return first() + count(); }
    std::uint64_t base() const { return bits >> 16U; }
    Slabs::Item slot() const { return bits >> 16U; }
    bool full() const { return kind() == Kind::linear && count() == region_units; }
    bool empty() const { return kind() == Kind::linear && count() == 0; }
  };
  struct Chunk {
    std::uint64_t differs = 0;       ///< regions with an entry of their own
    Entry all;                       ///< what the others are; linear: an extent over the whole chunk, or nothing
    std::uint64_t entries : 56 = 0;  ///< the entries, in order of regions
    std::uint64_t size : 8 = 0;      ///< their size class
  };
  /// Positions of a leaf or table, in 32 bits and, on large drives, 8 more.
  struct Positions {
    std::uint32_t* low;
    std::uint8_t* high;  ///< nullptr: 32 bits are enough
    Position get(std::uint64_t i) const {
      if (high == nullptr) return low[i] == ~0U ? nowhere : low[i];
      const Position p = Position{high[i]} << 32U | low[i];
      return p == (Position{1} << 40U) - 1 ? nowhere : p;
    }
    void set(std::uint64_t i, Position p) const {
      low[i] = static_cast<std::uint32_t>(p);
      if (high != nullptr) high[i] = static_cast<std::uint8_t>(p >> 32U);
    }
  };
  struct Leaf {
    Entry rest;  ///< what the units not in `own` are
    std::uint64_t own;
  };

  static constexpr std::uint64_t group_chunks = 512;
  static constexpr std::array<std::uint8_t, 7> sizes{1, 2, 4, 8, 16, 32, 64};  ///< of entries and leaves

  static constexpr std::uint64_t leaf_most = 32;  ///< more units than this: a table costs hardly more, and moves less often
  static constexpr std::size_t entry_sizes = 0, leaf_sizes = sizes.size(), table_size = 2 * sizes.size();  ///< in memory_

  static std::uint64_t before(std::uint64_t bits, std::uint64_t i) {
    if (bits == ~std::uint64_t{0}) return i;  // as a rule, where it matters
    return static_cast<std::uint64_t>(std::popcount(bits & ((std::uint64_t{1} << i) - 1)));
  }
  static Entry part(Entry all, std::uint64_t region) {
    return all.count() == 0 ? all : Entry::linear(0, region_units, all.base() + region % 64 * region_units);
  }
  Entry initial(std::uint64_t chunk) const;
  Entry entry(std::uint64_t region) const {
    const auto& group = groups_[region / 64 / group_chunks];
    if (!group) return part(initial(region / 64), region);
    const Chunk& c = group[region / 64 % group_chunks];
    if ((c.differs >> region % 64 & 1U) == 0) return part(c.all, region);
    return entries(c)[before(c.differs, region % 64)];
  }
  Entry* entries(const Chunk& c) const { return reinterpret_cast<Entry*>(memory_.at(entry_sizes + c.size, c.entries)); }
  Leaf& leaf(Entry e) const { return *reinterpret_cast<Leaf*>(memory_.at(leaf_sizes + e.size(), e.slot())); }
  Positions positions(Entry e) const {
    unsigned char* const at =
        e.kind() == Kind::table ? memory_.at(table_size, e.slot()) : memory_.at(leaf_sizes + e.size(), e.slot()) + sizeof(Leaf);
    const std::size_t n = e.kind() == Kind::table ? region_units : sizes[e.size()];
    return {reinterpret_cast<std::uint32_t*>(at), wide_ ? at + n * sizeof(std::uint32_t) : nullptr};
  }
  Extent look(Entry e, std::uint64_t unit, std::uint64_t in, std::uint64_t most) const {
    switch (e.kind()) {
      case Kind::linear:
        if (in >= e.first() && in < e.end()) return {e.base() + (in - e.first()), std::min(most, e.end() - in)};
        return {nowhere, in < e.first() && e.count() != 0 ? std::min(most, e.first() - in) : most};
      case Kind::start: return {start_.at(unit), 1};
      case Kind::table: {
        const Positions p = positions(e);
        const Position first = p.get(in), step = first == nowhere ? 0 : 1;
        std::uint64_t n = 1;
        while (n < most && p.get(in + n) == first + n * step) ++n;
        return {first, n};
      }
      case Kind::leaf: break;
    }
    return look_leaf(e, unit, in, most);
  }
  Extent look_leaf(Entry e, std::uint64_t unit, std::uint64_t in, std::uint64_t most) const;
  void lengthen(Extent& x, std::uint64_t unit, std::uint64_t max) const;
  bool untouched(std::uint64_t chunk) const;
  std::uint64_t as_started(std::uint64_t unit) const;

  Chunk& chunk(std::uint64_t chunk);
  Entry& touch(std::uint64_t region);
  void assign(std::uint64_t unit, std::uint64_t count, Position position);
  void assign_chunk(std::uint64_t chunk, Position position);
  void put(Entry& e, std::uint64_t unit, std::uint64_t count, Position position);
  bool put_one(Entry& e, std::uint64_t in, Position position);
  void rebuild(Entry& e, std::uint64_t region, Entry rest, std::uint64_t own, Position* all);
  void simplify(Entry& e, std::uint64_t region);
  void join(std::uint64_t chunk);
  void drop(Entry e);

  std::uint64_t units_;
  bool wide_;
  Start start_;
  std::uint64_t mapped_;
  std::vector<std::unique_ptr<Chunk[]>> groups_;
  std::size_t made_ = 0;
  Slabs memory_;
};

}  // namespace flashpath::ftl

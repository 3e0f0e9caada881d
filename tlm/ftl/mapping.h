// SPDX-License-Identifier: Apache-2.0
// Logical to physical: which position holds a mapping unit. Cost follows entropy, not capacity.
//
// The logical space is cut into regions (1 MiB, at least 16 units). A region is
//   linear   one extent (first, count, base): 8 bytes; the rest of the region is unmapped
//   pieces   up to four extents: 8 + 32 bytes (a few writers taking turns)
//   table    one position per unit: 8 + 8 bytes per unit (random writes)
// and goes back to the simpler form when a write reaches the region's end. Regions come in chunks of 4096, made when first
// touched; an untouched chunk is unmapped or, on a preconditioned drive, the identity.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "ftl/layout.h"

namespace flashpath::ftl {

inline constexpr Position nowhere = ~Position{0};

class Mapping {
 public:
  struct Extent {
    Position position;  ///< of the first unit; `nowhere`: these units are unmapped
    std::uint64_t count;
  };

  /// `identity`: unit u starts at position u, else unmapped.
  Mapping(std::uint64_t units, Bytes unit, bool identity);

  /// The longest extent from `unit` that one region knows of, at most `max` units.
  Extent find(std::uint64_t unit, std::uint64_t max) const;
  Position at(std::uint64_t unit) const { return find(unit, 1).position; }

  /// Maps [unit, unit + count) to `position` onwards (`nowhere`: unmaps); dropped(position, count) hears of each old extent.
  template <class Dropped>
  void replace(std::uint64_t unit, std::uint64_t count, Position position, Dropped&& dropped) {
    while (count != 0) {
      const std::uint64_t here = std::min(count, region_units_ - unit % region_units_);
      for (std::uint64_t done = 0; done < here;) {
        const Extent old = find(unit + done, here - done);
        done += old.count;
        if (old.position == nowhere) continue;
        mapped_ -= old.count;
        dropped(old.position, old.count);
      }
      assign(unit, here, position);
      if (position != nowhere) {
        mapped_ += here;
        position += here;
      }
      unit += here;
      count -= here;
    }
  }

  std::uint64_t units() const { return units_; }
  std::uint64_t mapped() const { return mapped_; }
  Bytes region() const { return {region_units_ * unit_}; }
  /// What the map takes of the host's memory.
  Bytes memory() const;

 private:
  static constexpr std::uint64_t chunk_regions = 4096;
  static constexpr std::size_t max_pieces = 4;
  enum class Kind : std::uint8_t { linear, pieces, table };

  /// kind: 2 bits, first: 10, count: 10, base (or slot): 42.
  struct Entry {
    std::uint64_t bits = 0;
    static Entry linear(std::uint64_t first, std::uint64_t count, std::uint64_t base) { return {base << 22U | count << 12U | first << 2U}; }
    static Entry slot(Kind kind, std::uint64_t slot) { return {slot << 22U | static_cast<std::uint64_t>(kind)}; }
    Kind kind() const { return static_cast<Kind>(bits & 3U); }
    std::uint64_t first() const { return bits >> 2U & 0x3ffU; }
    std::uint64_t count() const { return bits >> 12U & 0x3ffU; }
    std::uint64_t end() const { return first() + count(); }
    std::uint64_t base() const { return bits >> 22U; }
  };

  /// Arrays of one width from big chunks, recycled.
  template <class T>
  class Slab {
   public:
    explicit Slab(std::size_t width) : width_{width} {}
    std::uint64_t take();
    void give(std::uint64_t slot) { free_.push_back(slot); }
    T* at(std::uint64_t slot) const { return chunks_[slot / per_chunk].get() + slot % per_chunk * width_; }
    std::size_t memory() const { return chunks_.size() * per_chunk * width_ * sizeof(T) + free_.capacity() * sizeof(std::uint64_t); }

   private:
    static constexpr std::size_t per_chunk = 512;
    std::size_t width_;
    std::vector<std::unique_ptr<T[]>> chunks_;
    std::vector<std::uint64_t> free_;
    std::uint64_t used_ = 0;
  };

  using Extents = std::array<Entry, max_pieces + 2>;

  Entry entry(std::uint64_t region) const;
  Entry& touch(std::uint64_t region);
  void assign(std::uint64_t unit, std::uint64_t count, Position position);
  void simplify(Entry& e);
  void store(Entry& e, const Extents& list, std::size_t n);
  void drop(Entry e);

  std::uint64_t units_, unit_, region_units_;
  bool identity_;
  std::uint64_t mapped_;
  std::vector<std::unique_ptr<Entry[]>> chunks_;
  std::size_t made_ = 0;
  Slab<Entry> pieces_{max_pieces};
  Slab<Position> tables_;
};

}  // namespace flashpath::ftl

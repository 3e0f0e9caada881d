// SPDX-License-Identifier: Apache-2.0
// Space on the drives in extents of one frame each, striped: extent i of an object that starts at drive s lies on drive
// (s + i) % drives. So an extent is one number, its slab on that drive, and costs four bytes: slab -> next slab of
// the object (on the next drive), or next free slab. Freed slabs are reused last in, first out; fresh ones in rising order.
#pragma once
#include <cstdint>
#include <vector>

#include "base/units.h"

namespace flashpath::firmware {

class Extents {
 public:
  static constexpr std::uint32_t none = 0xffffffffU;
  /// Slabs of each drive.
  explicit Extents(const std::vector<std::uint64_t>& slabs);

  std::uint32_t drives() const { return static_cast<std::uint32_t>(drives_.size()); }
  std::uint64_t capacity(std::uint32_t drive) const { return drives_[drive].slabs; }
  std::uint64_t used(std::uint32_t drive) const { return drives_[drive].used; }
  std::uint64_t available(std::uint32_t drive) const { return drives_[drive].slabs - drives_[drive].used; }
  /// How many of `n` extents that start at `start` fall on `drive`.
  std::uint64_t share(std::uint32_t drive, std::uint32_t start, std::uint64_t n) const {
    const std::uint64_t d = drives_.size(), offset = (drive + d - start) % d;
    return n > offset ? (n - offset - 1) / d + 1 : 0;
  }
  bool fits(std::uint32_t start, std::uint64_t n) const;

  /// Takes n extents from `start` on (they must fit); returns the first slab.
  std::uint32_t take(std::uint32_t start, std::uint64_t n);
  void give(std::uint32_t start, std::uint32_t first, std::uint64_t n);
  std::uint32_t next(std::uint32_t drive, std::uint32_t slab) const { return drives_[drive].link[slab]; }

 private:
  struct Drive {
    std::uint64_t slabs = 0;
    std::uint64_t used = 0;
    std::uint32_t free = none;
    std::vector<std::uint32_t> link;  // grows to the highest slab ever used
  };
  std::vector<Drive> drives_;
};

}  // namespace flashpath::firmware

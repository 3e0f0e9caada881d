// SPDX-License-Identifier: Apache-2.0
// Space on the drives in extents of one frame each, striped: extent i of an object that starts at drive s lies on drive
// (s + i) % drives, counting only drives that have not been lost: each loss begins an epoch with a shorter round, and an object
// keeps the epoch it was stored in. So an extent is one number, its slab on that drive, and costs four bytes: slab -> next slab of
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

  /// From now on nothing is placed on this drive.
  void lose(std::uint32_t drive);
  std::uint8_t epoch() const { return static_cast<std::uint8_t>(rounds_.size() - 1); }
  bool lost(std::uint32_t drive) const { return rounds_.back().place[drive] == none; }
  /// Drives that still take data.
  std::uint32_t alive() const { return static_cast<std::uint32_t>(rounds_.back().drives.size()); }
  /// The drive `n` places after `drive` in the round of an epoch (lost by now or not).
  std::uint32_t after(std::uint32_t drive, std::uint8_t epoch, std::uint64_t n = 1) const {
    const Round& round = rounds_[epoch];
    return round.drives[(round.place[drive] + n) % round.drives.size()];
  }
  /// Whether n extents from `start` on, placed in that epoch, use the drive; with two copies: extent i is also on the drive after its own.
  bool uses(std::uint32_t drive, std::uint32_t start, std::uint64_t n, std::uint8_t epoch, unsigned copies = 1) const;
  /// Whether each of them has a copy on a drive that is not lost.
  bool readable(std::uint32_t start, std::uint64_t n, std::uint8_t epoch, unsigned copies = 1) const;
  std::uint32_t drives() const { return static_cast<std::uint32_t>(drives_.size()); }
  std::uint64_t capacity(std::uint32_t drive) const { return drives_[drive].slabs; }
  std::uint64_t used(std::uint32_t drive) const { return drives_[drive].used; }
  std::uint64_t available(std::uint32_t drive) const { return drives_[drive].slabs - drives_[drive].used; }
  /// How many of `n` extents placed now from `start` on fall on `drive`.
  std::uint64_t share(std::uint32_t drive, std::uint32_t start, std::uint64_t n) const {
    const Round& round = rounds_.back();
    if (round.place[drive] == none) return 0;
    const std::uint64_t d = round.drives.size(), offset = (round.place[drive] + d - round.place[start]) % d;
    return n > offset ? (n - offset - 1) / d + 1 : 0;
  }
  /// The same with copies: the second copies start one drive later.
  std::uint64_t need(std::uint32_t drive, std::uint32_t start, std::uint64_t n, unsigned copies) const {
    return share(drive, start, n) + (copies == 2 ? share(drive, after(start, epoch()), n) : 0);
  }
  bool fits(std::uint32_t start, std::uint64_t n, unsigned copies = 1) const;

  /// Takes n extents from `start` on (they must fit); returns the first slab.
  std::uint32_t take(std::uint32_t start, std::uint64_t n);
  void give(std::uint32_t start, std::uint32_t first, std::uint64_t n, std::uint8_t epoch = 0);
  std::uint32_t next(std::uint32_t drive, std::uint32_t slab) const { return drives_[drive].link[slab]; }

 private:
  struct Drive {
    std::uint64_t slabs = 0;
    std::uint64_t used = 0;
    std::uint32_t free = none;
    std::vector<std::uint32_t> link;  // grows to the highest slab ever used
  };
  struct Round {
    std::vector<std::uint32_t> drives;  // that are left, in order
    std::vector<std::uint32_t> place;   // of each drive among them; none: lost
  };
  std::vector<Drive> drives_;
  std::vector<Round> rounds_;  // by epoch
};

}  // namespace flashpath::firmware

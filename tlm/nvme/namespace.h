// SPDX-License-Identifier: Apache-2.0
// A namespace: which bytes of the drive it has, and how its blocks look (NVM Command Set Specification 1.0 §4.1.5.1, §5.2).
#pragma once
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "nvme/spec.h"

namespace flashpath::nvme {

/// End-to-end data protection of a namespace, DPS bits 2:0.
enum class Protection : std::uint8_t { none, type1, type2, type3 };
std::string_view name_of(Protection protection);
std::span<const Protection> all_of(const Protection*);

inline constexpr std::uint64_t tuple_bytes = 8;  ///< protection information with a 16-bit guard

/// A stretch of a namespace: `at` within it, `drive` in the FTL's logical bytes.
struct Extent {
  std::uint64_t at = 0, drive = 0, length = 0;
};

/// The one that holds byte `at`; they are in ascending order, from 0 on, without gaps.
inline const Extent& extent_at(const std::vector<Extent>& extents, std::uint64_t at) {
  if (extents.size() == 1) return extents[0];
  return *std::prev(std::ranges::upper_bound(extents, at, {}, &Extent::at));
}

/// Metadata is not part of the drive's address space: flash keeps it in the spare area beside the data it belongs to.
struct Namespace {
  std::uint32_t nsid = 0;  ///< 0: there is none
  bool attached = false;
  bool leaving = false;  ///< is being deleted: as if it were not attached
  CommandSet set = CommandSet::nvm;
  std::uint8_t format = 0;   ///< of Namespaces::formats()
  std::uint64_t serial = 0;  ///< of all namespaces ever created: what makes its identifiers unique
  std::uint64_t blocks = 0;  ///< NSZE
  std::uint64_t lba = 4096;
  std::uint64_t metadata = 0;  ///< bytes per block
  bool extended = false;       ///< FLBAS bit 4: metadata follows each block's data in host memory; else it has a pointer of its own
  bool first = false;          ///< DPS bit 3: protection information is in the first eight bytes of the metadata, else in the last
  Protection protection = Protection::none;
  std::vector<Extent> extents;

  bool protects() const { return protection != Protection::none; }
  /// Where the tuple lies in a block's metadata.
  std::uint64_t tuple_at() const { return first ? 0 : metadata - tuple_bytes; }

  Bytes allocated() const {
    Bytes sum{};
    for (const Extent& e : extents) sum += {e.length};
    return sum;
  }
  /// Where a byte lies on the drive, and how many from it on lie there in one piece.
  std::uint64_t place(std::uint64_t at) const {
    const Extent& e = extent_at(extents, at);
    return e.drive + (at - e.at);
  }
  std::uint64_t left(std::uint64_t at) const {
    const Extent& e = extent_at(extents, at);
    return e.length - (at - e.at);
  }
  /// Calls f(place on the drive, size) for every piece of [begin, end).
  template <class F>
  void for_pieces(std::uint64_t begin, std::uint64_t end, F f) const {
    for (std::uint64_t at = begin; at < end;) {
      const std::uint64_t size = std::min(end - at, left(at));
      f(place(at), size);
      at += size;
    }
  }
};

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
#include "firmware/extents.h"

#include <algorithm>

namespace flashpath::firmware {

Extents::Extents(const std::vector<std::uint64_t>& slabs) : drives_(slabs.size()) {
  for (std::size_t d = 0; d < slabs.size(); ++d) drives_[d].slabs = std::min<std::uint64_t>(slabs[d], none);
  Round& round = rounds_.emplace_back();
  for (std::uint32_t d = 0; d < slabs.size(); ++d) {
    round.drives.push_back(d);
    round.place.push_back(d);
  }
}

void Extents::lose(std::uint32_t drive) {
  if (lost(drive)) return;
  Round round = rounds_.back();
  std::erase(round.drives, drive);
  round.place[drive] = none;
  for (std::uint32_t i = 0; i < round.drives.size(); ++i) round.place[round.drives[i]] = i;
  rounds_.push_back(std::move(round));
}

bool Extents::uses(std::uint32_t drive, std::uint32_t start, std::uint64_t n, std::uint8_t epoch, unsigned copies) const {
  const Round& round = rounds_[epoch];
  if (round.place[drive] == none) return false;
  const std::uint64_t d = round.drives.size();
  return (round.place[drive] + d - round.place[start]) % d < n + copies - 1;
}

bool Extents::readable(std::uint32_t start, std::uint64_t n, std::uint8_t epoch, unsigned copies) const {
  n = std::min<std::uint64_t>(n, rounds_[epoch].drives.size());
  for (std::uint64_t i = 0; i < n; ++i)
    if (lost(after(start, epoch, i)) && (copies == 1 || lost(after(start, epoch, i + 1)))) return false;
  return true;
}

bool Extents::fits(std::uint32_t start, std::uint64_t n, unsigned copies) const {
  for (std::uint32_t d = 0; d < drives(); ++d)
    if (need(d, start, n, copies) > available(d)) return false;
  return true;
}

std::uint32_t Extents::take(std::uint32_t start, std::uint64_t n) {
  std::uint32_t first = none, before = none, before_drive = 0;
  for (std::uint32_t d = start; n-- > 0; d = after(d, epoch())) {
    Drive& drive = drives_[d];
    std::uint32_t slab = drive.free;
    if (slab != none) {
      drive.free = drive.link[slab];
      drive.link[slab] = none;
    } else {
      slab = static_cast<std::uint32_t>(drive.link.size());
      drive.link.push_back(none);
    }
    ++drive.used;
    if (before == none) first = slab;
    else drives_[before_drive].link[before] = slab;
    before = slab;
    before_drive = d;
  }
  return first;
}

void Extents::give(std::uint32_t start, std::uint32_t first, std::uint64_t n, std::uint8_t epoch) {
  for (std::uint32_t d = start; n-- > 0; d = after(d, epoch)) {
    Drive& drive = drives_[d];
    const std::uint32_t next = drive.link[first];
    drive.link[first] = drive.free;
    drive.free = first;
    --drive.used;
    first = next;
  }
}

}  // namespace flashpath::firmware

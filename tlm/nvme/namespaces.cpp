// SPDX-License-Identifier: Apache-2.0
#include "nvme/namespaces.h"

#include <bit>

namespace flashpath::nvme {
namespace {
constexpr std::uint64_t grain = Namespaces::granule.count;
}

Namespaces::Namespaces(const Config& config, Bytes capacity) : capacity_{capacity} {
  pattern_.extended = config.extended_lba;
  pattern_.first = config.protection_first;
  pattern_.protection = config.protection;
  const auto offer = [&](Bytes lba, Bytes metadata) {
    const bool fits = config.read_chunk % lba == Bytes{} && config.write_chunk % lba == Bytes{} && config.mdts >= lba;
    const auto lbads = static_cast<std::uint8_t>(std::countr_zero(lba.count));
    const bool there = std::ranges::any_of(formats_, [&](const LbaFormat& f) { return f.lbads == lbads && f.ms == metadata.count; });
    if (fits && !there) formats_.push_back({.ms = static_cast<std::uint16_t>(metadata.count), .lbads = lbads, .rp = 0});
  };
  offer(config.lba, config.metadata);
  offer(512_B, 0_B);
  offer(4_KiB, 0_B);
  all_.resize(config.max_namespaces);
  Status status{};
  create(Bytes{capacity.count / config.lba.count * config.lba.count}, 0, CommandSet::nvm, status)->attached = true;
}

std::uint32_t Namespaces::count() const {
  return static_cast<std::uint32_t>(std::ranges::count_if(all_, [](const Namespace& ns) { return ns.nsid != 0; }));
}

/// What no namespace has, in ascending order.
std::vector<Extent> Namespaces::holes() const {
  std::vector<Extent> taken, free;
  for (const Namespace& ns : all_) taken.insert(taken.end(), ns.extents.begin(), ns.extents.end());
  std::ranges::sort(taken, {}, &Extent::drive);
  taken.push_back({.at = 0, .drive = capacity_.count, .length = 0});
  std::uint64_t end = 0;
  for (const Extent& e : taken) {
    if (e.drive > end) free.push_back({.at = 0, .drive = end, .length = e.drive - end});
    end = e.drive + e.length;
  }
  return free;
}

Bytes Namespaces::unallocated() const {
  std::uint64_t sum = 0;
  for (const Extent& e : holes()) sum += e.length;
  return {sum};
}

/// The first hole that is large enough as a whole, else holes in ascending order.
Namespace* Namespaces::create(Bytes size, std::uint8_t format, CommandSet set, Status& status) {
  const auto slot = std::ranges::find(all_, 0U, &Namespace::nsid);
  status = Status::namespace_id_unavailable;
  if (slot == all_.end()) return nullptr;
  status = Status::namespace_capacity;
  if (size > unallocated()) return nullptr;
  std::vector<Extent> holes = this->holes();
  const auto large = std::ranges::find_if(holes, [&](const Extent& e) { return e.length >= size.count; });
  if (large != holes.end()) holes = {*large};
  Namespace ns;
  for (Extent hole : holes) {
    const std::uint64_t done = ns.allocated().count;
    if (done >= size.count) break;
    hole.at = done;
    hole.length = std::min(hole.length, ceil_div(size.count - done, grain) * grain);
    ns.extents.push_back(hole);
  }
  status = Status::success;
  ns.nsid = static_cast<std::uint32_t>(slot - all_.begin()) + 1;
  ns.set = set;
  ns.serial = created_++;
  shape(ns, format, size.count);
  if (set == CommandSet::key_value) {  // its size is in bytes
    ns.lba = 1;
    ns.blocks = size.count;
    ns.metadata = 0;
    ns.protection = Protection::none;
  }
  *slot = std::move(ns);
  return &*slot;
}

void Namespaces::remove(Namespace& ns) { ns = Namespace{}; }

void Namespaces::reformat(Namespace& ns, std::uint8_t format) { shape(ns, format, std::min(ns.blocks * ns.lba, ns.allocated().count)); }

void Namespaces::shape(Namespace& ns, std::uint8_t format, std::uint64_t bytes) const {
  ns.format = format;
  ns.lba = lba_of(format).count;
  ns.blocks = bytes / ns.lba;
  const bool with_metadata = formats_[format].ms != 0;
  ns.metadata = formats_[format].ms;
  ns.extended = with_metadata && pattern_.extended;
  ns.first = pattern_.first;
  ns.protection = with_metadata ? pattern_.protection : Protection::none;
}

}  // namespace flashpath::nvme

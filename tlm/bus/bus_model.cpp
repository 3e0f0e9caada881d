// SPDX-License-Identifier: Apache-2.0
#include "bus/bus_model.h"

#include <algorithm>

namespace flashpath::bus {

bool Decoder::add(std::uint64_t base, Bytes size, std::uint32_t target, std::uint32_t allowed) {
  if (size.count == 0 || base + (size.count - 1) < base) return false;
  const std::uint64_t last = base + (size.count - 1);
  const auto at = std::ranges::lower_bound(windows_, base, {}, &AddressWindow::base);
  if (at != windows_.end() && at->base <= last) return false;
  if (at != windows_.begin() && std::prev(at)->last >= base) return false;
  windows_.insert(at, {base, last, target, allowed});
  return true;
}

const AddressWindow* Decoder::seek(std::uint64_t address, Bytes size, std::uint32_t master_bit) const {
  if (size.count == 0 || address + (size.count - 1) < address) return nullptr;
  const auto after = std::ranges::upper_bound(windows_, address, {}, &AddressWindow::base);
  if (after == windows_.begin()) return nullptr;
  const AddressWindow& window = *std::prev(after);
  hits_[hit_of(address)] = window;
  return address + (size.count - 1) <= window.last && (window.allowed & master_bit) != 0 ? &window : nullptr;
}

}  // namespace flashpath::bus

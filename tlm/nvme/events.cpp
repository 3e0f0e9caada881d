// SPDX-License-Identifier: Apache-2.0
#include "nvme/events.h"

#include <algorithm>

namespace flashpath::nvme {

bool Events::raise(AsyncEventType type, std::uint8_t info, LogPage page) {
  if (type == AsyncEventType::notice && info < 24 && (enabled_ >> (8U + info) & 1U) == 0) return false;
  const std::uint32_t event = async_event(type, info, page);
  if (std::ranges::find(pending_, event) != pending_.end()) return false;
  pending_.push_back(event);
  return true;
}

std::optional<std::uint32_t> Events::take() {
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    const std::uint32_t event = pending_[i];
    std::uint16_t& mask = masked_until_[event & 7U];
    if (mask != not_masked) continue;
    mask = static_cast<std::uint16_t>(event >> 16U & 0xffU);
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(i));
    return event;
  }
  return std::nullopt;
}

void Events::seen(LogPage page) {
  for (std::uint16_t& mask : masked_until_) {
    if (mask == static_cast<std::uint16_t>(page)) mask = not_masked;
  }
}

void Events::clear() {
  pending_.clear();
  masked_until_.fill(not_masked);
}

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
#include "pcie/translation_model.h"

#include <bit>

namespace flashpath::pcie {

TranslationCache::TranslationCache(const Config& c, stats::Group& parent)
    : shift_{static_cast<unsigned>(std::countr_zero(c.translation_page.count))},
      capacity_{c.translation_entries},
      miss_{c.walk_latency},
      entries_(1),
      group_{"translation", parent} {
  if (c.translation != Translation::ats) return;
  const Wire wire{c};
  miss_ += wire.one_request() + wire.time(wire.completion(0, 8_B).wire) + 2 * wire.latency();
}

void TranslationCache::unlink(std::uint32_t i) {
  Entry& e = entries_[i];
  entries_[e.older].newer = e.newer;
  entries_[e.newer].older = e.older;
}

void TranslationCache::link_newest(std::uint32_t i) {
  Entry& e = entries_[i];
  e.older = entries_[0].older;
  e.newer = 0;
  entries_[e.older].newer = i;
  entries_[0].older = i;
}

bool TranslationCache::look_up(std::uint64_t page) {
  ++lookups;
  const auto found = where_.find(page);
  if (found != where_.end()) {
    unlink(found->second);
    link_newest(found->second);
    return true;
  }
  ++misses;
  std::uint32_t i = 0;
  if (where_.size() < capacity_) {
    i = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
  } else {
    i = entries_[0].newer;
    unlink(i);
    where_.erase(entries_[i].page);
  }
  entries_[i].page = page;
  where_[page] = i;
  link_newest(i);
  return false;
}

Time TranslationCache::ready(std::uint64_t address, Bytes size, Time now) {
  bool all = true;
  for (std::uint64_t page = address >> shift_; page <= (address + size.count - 1) >> shift_; ++page) all = look_up(page) && all;
  last_ = std::max(last_, all ? now : now + miss_);
  wait += last_ - now;
  return last_;
}

}  // namespace flashpath::pcie

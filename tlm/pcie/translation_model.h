// SPDX-License-Identifier: Apache-2.0
// Address translation of DMA: a cache of pages, and a table walk for what is not in it.
//
//   iommu    at the root complex, after the link: a miss takes walk_latency
//   ats      at the device, before the link: a miss takes walk_latency and a Translation Request and its Completion over the link (their
//            latency; their few bytes are not put on the wire). What the device has translated is not translated again.
// The pages of one burst are walked at the same time; bursts leave in the order they came (a hit waits behind a miss); as many walks as
// asked for run at once. Exact LRU over translation_entries. Not modelled: invalidation, page faults (PRI), two stages, prefetch.
#pragma once
#include <unordered_map>
#include <vector>

#include "base/stats.h"
#include "pcie/wire.h"

namespace flashpath::pcie {

class TranslationCache {
 public:
  TranslationCache(const Config& config, stats::Group& parent);
  /// When the burst's addresses are known.
  Time ready(std::uint64_t address, Bytes size, Time now);
  Duration miss() const { return miss_; }

 private:
  struct Entry {
    std::uint64_t page = 0;
    std::uint32_t older = 0, newer = 0;
  };
  bool look_up(std::uint64_t page);
  void unlink(std::uint32_t i);
  void link_newest(std::uint32_t i);

  unsigned shift_;
  std::uint32_t capacity_;
  Duration miss_;
  Time last_{};
  std::vector<Entry> entries_;  // entry 0 is the list's head: newer = oldest, older = newest
  std::unordered_map<std::uint64_t, std::uint32_t> where_;
  stats::Group group_;

 public:
  stats::Counter lookups{group_, "lookups", stats::Unit::count, "pages looked up"};
  stats::Counter misses{group_, "misses", stats::Unit::count, "of these, not in the cache: table walks"};
  stats::Counter wait{group_, "wait", stats::Unit::picosecond, "time bursts waited for translations, summed"};
};

}  // namespace flashpath::pcie

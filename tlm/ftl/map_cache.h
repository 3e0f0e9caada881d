// SPDX-License-Identifier: Apache-2.0
// Which translation pages are in the controller's memory (ftl.map = cached): the least recently used one leaves first. Function only.
// Pages that somebody waits for or uses stay, and so does one being read: the cache may be over its size by those.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "ftl/ftl_state.h"

namespace flashpath::ftl {

struct MapPage {
  std::uint64_t page = 0;
  std::uint32_t pieces = 0;  ///< flash reads to come
  std::uint32_t users = 0;   ///< requests that need it
  bool loading = false, dirty = false;
  std::vector<Job*> waiting;
  MapPage *newer = nullptr, *older = nullptr;
};

class MapCache {
 public:
  MapCache(std::uint64_t pages, std::uint64_t size) : pages_(pages), size_{size} {}

  /// The page, now the most recently used one; nullptr: not here.
  MapPage* use(std::uint64_t page) {
    MapPage* const p = pages_[page];
    if (p == nullptr || p == newest_) return p;
    unlink(*p);
    link(*p);
    return p;
  }
  MapPage& add(std::uint64_t page) {
    MapPage& p = items_.take();
    p.page = page;
    p.pieces = p.users = 0;
    p.loading = p.dirty = false;
    p.waiting.clear();
    pages_[page] = &p;
    link(p);
    ++count_;
    return p;
  }
  /// One that has to leave, or nullptr.
  MapPage* leaving() const {
    if (count_ <= size_) return nullptr;
    for (MapPage* p = oldest_; p != nullptr; p = p->newer) {
      if (p->users == 0 && !p->loading) return p;
    }
    return nullptr;
  }
  void remove(MapPage& p) {
    unlink(p);
    pages_[p.page] = nullptr;
    items_.give(p);
    --count_;
  }
  /// visit(page): all, the oldest first; it may not add or remove.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (MapPage* p = oldest_; p != nullptr; p = p->newer) visit(*p);
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t pages() const { return pages_.size(); }
  std::size_t memory() const { return pages_.capacity() * sizeof(pages_[0]) + count_ * sizeof(MapPage); }

 private:
  void link(MapPage& p) {
    p.newer = nullptr;
    p.older = newest_;
    (newest_ == nullptr ? oldest_ : newest_->newer) = &p;
    newest_ = &p;
  }
  void unlink(MapPage& p) {
    (p.newer == nullptr ? newest_ : p.newer->older) = p.older;
    (p.older == nullptr ? oldest_ : p.older->newer) = p.newer;
  }
  std::vector<MapPage*> pages_;
  Pool<MapPage> items_;
  MapPage *newest_ = nullptr, *oldest_ = nullptr;
  std::uint64_t size_, count_ = 0;
};

}  // namespace flashpath::ftl

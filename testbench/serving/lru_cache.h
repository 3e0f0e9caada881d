// SPDX-License-Identifier: Apache-2.0
// Least recently used, in O(1): an open-addressing table of indices into an array of doubly linked nodes.
//
//   table  [ . 3 . . 0 . 1 . ]──►  nodes  newest ⇄ ... ⇄ oldest        capacity counts keys
//
// Both arrays grow while the cache fills; once it is full nothing is allocated any more (an evicted node is
// the next one used). Deletion shifts back instead of leaving tombstones, so a look-up never degrades.
// Order of touches is all that decides; the table's order never does. Not modelled: pinning, sizes per key.
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/random.h"

namespace flashpath::serving {

struct MixedHash {
  std::uint64_t operator()(std::uint64_t key) const { return mix64(key + 0x9e3779b97f4a7c15U); }
};

template <class Key = std::uint64_t, class Hash = MixedHash>
class LruCache {
 public:
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  explicit LruCache(std::uint64_t capacity) : capacity_{capacity}, table_(16, none) {}

  bool contains(const Key& key) const { return table_[slot_of(key)] != none; }

  struct Touched {
    bool present;                ///< it was there before
    std::optional<Key> evicted;  ///< who had to go; the key itself if the capacity is 0
  };

  /// Makes `key` the most recent one, inserting it if it is not there.
  Touched touch(const Key& key) {
    if (capacity_ == 0) return {false, key};
    std::size_t slot = slot_of(key);
    if (table_[slot] != none) {
      const std::uint32_t node = table_[slot];
      if (node != newest_) {
        unlink(node);
        link_newest(node);
      }
      return {true, std::nullopt};
    }
    std::optional<Key> evicted;
    if (size_ == capacity_) {
      evicted = nodes_[oldest_].key;
      erase(*evicted);
      slot = slot_of(key);
    } else if ((size_ + 1) * 2 > table_.size()) {
      rehash();
      slot = slot_of(key);
    }
    std::uint32_t node = free_;
    if (node == none) {
      node = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({key, none, none});
    } else {
      free_ = nodes_[node].older;
      nodes_[node].key = key;
    }
    table_[slot] = node;
    link_newest(node);
    ++size_;
    return {false, evicted};
  }

  bool erase(const Key& key) {
    std::size_t hole = slot_of(key);
    const std::uint32_t node = table_[hole];
    if (node == none) return false;
    unlink(node);
    nodes_[node].older = free_;
    free_ = node;
    --size_;
    const std::size_t mask = table_.size() - 1;
    for (std::size_t next = (hole + 1) & mask; table_[next] != none; next = (next + 1) & mask) {
      const std::size_t home = hash_(nodes_[table_[next]].key) & mask;
      if (((next - home) & mask) >= ((next - hole) & mask)) {  // its probe sequence passes the hole
        table_[hole] = table_[next];
        hole = next;
      }
    }
    table_[hole] = none;
    return true;
  }

  std::uint64_t size() const { return size_; }
  std::uint64_t capacity() const { return capacity_; }
  std::optional<Key> oldest() const { return size_ == 0 ? std::nullopt : std::optional<Key>{nodes_[oldest_].key}; }

 private:
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
  struct Node {
    Key key;
    std::uint32_t newer, older;
  };

  std::size_t slot_of(const Key& key) const {
    const std::size_t mask = table_.size() - 1;
    std::size_t slot = hash_(key) & mask;
    while (table_[slot] != none && !(nodes_[table_[slot]].key == key)) slot = (slot + 1) & mask;
    return slot;
  }
  void unlink(std::uint32_t node) {
    const Node& n = nodes_[node];
    (n.newer == none ? newest_ : nodes_[n.newer].older) = n.older;
    (n.older == none ? oldest_ : nodes_[n.older].newer) = n.newer;
  }
  void link_newest(std::uint32_t node) {
    nodes_[node].newer = none;
    nodes_[node].older = newest_;
    (newest_ == none ? oldest_ : nodes_[newest_].newer) = node;
    newest_ = node;
  }
  void rehash() {
    table_.assign(table_.size() * 2, none);
    const std::size_t mask = table_.size() - 1;
    for (std::uint32_t node = newest_; node != none; node = nodes_[node].older) {
      std::size_t slot = hash_(nodes_[node].key) & mask;
      while (table_[slot] != none) slot = (slot + 1) & mask;
      table_[slot] = node;
    }
  }

  std::uint64_t capacity_;
  std::uint64_t size_ = 0;
  std::vector<std::uint32_t> table_;
  std::vector<Node> nodes_;
  std::uint32_t newest_ = none, oldest_ = none, free_ = none;
  [[no_unique_address]] Hash hash_{};
};

}  // namespace flashpath::serving

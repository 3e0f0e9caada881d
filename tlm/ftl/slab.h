// SPDX-License-Identifier: Apache-2.0
// Memory in small items of some sizes: pages of 4 KiB, each cut into items of one size, given back when all its items are, and then
// cut for any other size. No allocation in steady state.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace flashpath::ftl {

class Slabs {
 public:
  using Item = std::uint64_t;

  /// A new size of items, in bytes: a multiple of 8, at most 4096. The number to name it by.
  std::size_t add_size(std::size_t bytes) {
    sizes_.push_back({.bytes = bytes, .room = none});
    return sizes_.size() - 1;
  }

  Item take(std::size_t size) {
    Size& s = sizes_[size];
    if (s.room == none) open(s);
    const std::uint32_t number = s.room;
    Page& page = pages_[number];
    std::uint64_t index = page.free;
    if (index != no_item) std::memcpy(&page.free, place(number, index, s.bytes), sizeof page.free);
    else index = page.used++;
    ++page.live;
    if (page.free == no_item && (page.used + 1U) * s.bytes > page_bytes) unlink(s, number);
    return Item{number} << index_bits | index;
  }

  void give(std::size_t size, Item item) {
    Size& s = sizes_[size];
    const auto number = static_cast<std::uint32_t>(item >> index_bits);
    const auto index = static_cast<std::uint16_t>(item & ((1U << index_bits) - 1U));
    Page& page = pages_[number];
    if (page.free == no_item && (page.used + 1U) * s.bytes > page_bytes) link(s, number);
    std::memcpy(place(number, index, s.bytes), &page.free, sizeof page.free);
    page.free = index;
    if (--page.live != 0) return;
    unlink(s, number);
    page.next = empty_;
    empty_ = number;
  }

  unsigned char* at(std::size_t size, Item item) const {
    return place(static_cast<std::uint32_t>(item >> index_bits), item & ((1U << index_bits) - 1U), sizes_[size].bytes);
  }

  std::size_t memory() const { return blocks_.size() * block_pages * page_bytes + pages_.capacity() * sizeof(Page); }

 private:
  static constexpr std::size_t page_bytes = 4096, block_pages = 16;
  static constexpr unsigned index_bits = 9;
  static constexpr std::uint32_t none = ~0U;
  static constexpr std::uint16_t no_item = 0xffffU;
  struct Size {
    std::size_t bytes;
    std::uint32_t room;  ///< a page with room
  };
  struct Page {
    std::uint32_t next = none, previous = none;  ///< among those with room, or among the empty ones
    std::uint16_t free = no_item, used = 0, live = 0;
  };

  unsigned char* place(std::uint32_t page, std::uint64_t index, std::size_t bytes) const {
    return reinterpret_cast<unsigned char*>(blocks_[page / block_pages].get()) + page % block_pages * page_bytes + index * bytes;
  }
  void open(Size& s) {
    if (empty_ == none) {
      blocks_.push_back(std::make_unique_for_overwrite<std::uint64_t[]>(block_pages * page_bytes / sizeof(std::uint64_t)));
      for (std::size_t i = 0; i < block_pages; ++i) {
        pages_.push_back({.next = empty_});
        empty_ = static_cast<std::uint32_t>(pages_.size() - 1);
      }
    }
    const std::uint32_t number = empty_;
    empty_ = pages_[number].next;
    pages_[number] = {};
    link(s, number);
  }
  void link(Size& s, std::uint32_t number) {
    pages_[number].previous = none;
    pages_[number].next = s.room;
    if (s.room != none) pages_[s.room].previous = number;
    s.room = number;
  }
  void unlink(Size& s, std::uint32_t number) {
    const Page& page = pages_[number];
    (page.previous == none ? s.room : pages_[page.previous].next) = page.next;
    if (page.next != none) pages_[page.next].previous = page.previous;
  }

  std::vector<Size> sizes_;
  std::vector<Page> pages_;
  std::vector<std::unique_ptr<std::uint64_t[]>> blocks_;
  std::uint32_t empty_ = none;
};

}  // namespace flashpath::ftl

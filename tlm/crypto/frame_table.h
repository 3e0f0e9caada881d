// SPDX-License-Identifier: Apache-2.0
// Which bytes of memory are staging frames, and which LBA and key each frame holds. Entries are 16 bytes at 16 n:
// u64 first LBA, u32 key slot, u32 flags (bit 0: encrypt), little-endian.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "crypto/crypto_config.h"

namespace flashpath::crypto {

struct FrameEntry {
  std::uint64_t first_lba = 0;
  std::uint32_t key_slot = 0;
  std::uint32_t flags = 0;
  bool encrypted() const { return (flags & 1U) != 0; }
};
static_assert(sizeof(FrameEntry) == 16);

/// The part of a transfer that lies in one encrypted frame.
struct Piece {
  std::uint64_t begin = 0;  ///< offset in the transfer
  std::uint64_t size = 0;
  std::uint64_t offset = 0;  ///< offset in the frame
  const FrameEntry* entry = nullptr;
};

class FrameTable {
 public:
  FrameTable(std::uint64_t base, Bytes frame_size, std::uint32_t frames) : base_{base}, size_{frame_size.count}, entries_(frames) {}

  std::uint32_t frames() const { return static_cast<std::uint32_t>(entries_.size()); }
  FrameEntry& operator[](std::uint64_t frame) {
    used_ = true;
    return entries_[frame];
  }

  /// Calls `use(Piece)` for every encrypted frame that [address, address + size) touches, in order; stops when it answers false.
  template <class Use>
  bool pieces(std::uint64_t address, Bytes size, Use use) const {
    if (!used_) return true;
    const std::uint64_t end = base_ + size_ * entries_.size();
    const std::uint64_t last = std::min(address + size.count, end);
    std::uint64_t at = std::max(address, base_);
    while (at < last) {
      const std::uint64_t frame = (at - base_) / size_;
      const std::uint64_t offset = (at - base_) % size_;
      const std::uint64_t part = std::min(last - at, size_ - offset);
      if (entries_[frame].encrypted() && !use(Piece{at - address, part, offset, &entries_[frame]})) return false;
      at += part;
    }
    return true;
  }

 private:
  std::uint64_t base_, size_;
  std::vector<FrameEntry> entries_;
  bool used_ = false;  // somebody has touched an entry: till then none is encrypted
};

}  // namespace flashpath::crypto

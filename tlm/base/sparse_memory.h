// SPDX-License-Identifier: Apache-2.0
// Bytes at 64-bit addresses, kept only where somebody wrote: pages of 64 KiB, found by hash (open addressing) with the
// pages found last remembered. What was never written, or was discarded, reads as zero.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/units.h"

namespace flashpath {

class SparseMemory {
 public:
  static constexpr std::uint64_t page_bytes = 0x10000;

  SparseMemory();
  void write(std::uint64_t address, std::span<const unsigned char> bytes);
  void read(std::uint64_t address, std::span<unsigned char> bytes) const;
  /// Forgets [address, address + size): it reads as zero; whole pages are freed.
  void discard(std::uint64_t address, Bytes size);
  /// Pages kept.
  std::size_t pages() const { return used_; }

 private:
  struct Slot {
    std::uint64_t page = 0;
    std::unique_ptr<unsigned char[]> bytes;  // null: free
  };
  std::size_t home(std::uint64_t page) const;
  unsigned char* find(std::uint64_t page) const;
  unsigned char* make(std::uint64_t page);
  void erase(std::uint64_t page);
  void grow();

  struct Found {
    std::uint64_t page = 0;
    unsigned char* bytes = nullptr;
  };

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
  mutable std::array<Found, 8> found_{};  // lately, by the page's last bits
};

}  // namespace flashpath

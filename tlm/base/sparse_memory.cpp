// SPDX-License-Identifier: Apache-2.0
#include "base/sparse_memory.h"

#include <algorithm>
#include <cstring>

#include "base/random.h"

namespace flashpath {

SparseMemory::SparseMemory() : slots_(64) {}

std::size_t SparseMemory::home(std::uint64_t page) const { return static_cast<std::size_t>(mix64(page)) & (slots_.size() - 1); }

unsigned char* SparseMemory::find(std::uint64_t page) const {
  Found& found = found_[page % found_.size()];
  if (found.bytes != nullptr && found.page == page) return found.bytes;
  for (std::size_t i = home(page); slots_[i].bytes != nullptr; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i].page != page) continue;
    found = {page, slots_[i].bytes.get()};
    return found.bytes;
  }
  return nullptr;
}

unsigned char* SparseMemory::make(std::uint64_t page) {
  if (unsigned char* found = find(page)) return found;
  if (2 * (used_ + 1) > slots_.size()) grow();
  std::size_t i = home(page);
  while (slots_[i].bytes != nullptr) i = (i + 1) & (slots_.size() - 1);
  slots_[i] = {page, std::make_unique<unsigned char[]>(page_bytes)};
  ++used_;
  return slots_[i].bytes.get();
}

void SparseMemory::grow() {
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  for (Slot& slot : old) {
    if (slot.bytes == nullptr) continue;
    std::size_t i = home(slot.page);
    while (slots_[i].bytes != nullptr) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = std::move(slot);
  }
}

/// Linear probing without tombstones: what follows in the cluster moves up if its home allows it.
void SparseMemory::erase(std::uint64_t page) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = home(page);
  while (slots_[hole].bytes != nullptr && slots_[hole].page != page) hole = (hole + 1) & mask;
  if (slots_[hole].bytes == nullptr) return;
  slots_[hole].bytes.reset();
  --used_;
  found_.fill({});
  for (std::size_t i = (hole + 1) & mask; slots_[i].bytes != nullptr; i = (i + 1) & mask) {
    if (((i - home(slots_[i].page)) & mask) < ((i - hole) & mask)) continue;
    slots_[hole] = std::move(slots_[i]);
    hole = i;
  }
}

void SparseMemory::write(std::uint64_t address, std::span<const unsigned char> bytes) {
  while (!bytes.empty()) {
    const std::uint64_t offset = address % page_bytes;
    const std::size_t part = std::min<std::size_t>(bytes.size(), page_bytes - offset);
    std::memcpy(make(address / page_bytes) + offset, bytes.data(), part);
    address += part;
    bytes = bytes.subspan(part);
  }
}

void SparseMemory::read(std::uint64_t address, std::span<unsigned char> bytes) const {
  while (!bytes.empty()) {
    const std::uint64_t offset = address % page_bytes;
    const std::size_t part = std::min<std::size_t>(bytes.size(), page_bytes - offset);
    if (const unsigned char* page = find(address / page_bytes)) std::memcpy(bytes.data(), page + offset, part);
    else std::memset(bytes.data(), 0, part);
    address += part;
    bytes = bytes.subspan(part);
  }
}

void SparseMemory::discard(std::uint64_t address, Bytes size) {
  while (size.count != 0) {
    const std::uint64_t offset = address % page_bytes;
    const std::uint64_t part = std::min(size.count, page_bytes - offset);
    if (part == page_bytes) erase(address / page_bytes);
    else if (unsigned char* page = find(address / page_bytes)) std::memset(page + offset, 0, part);
    address += part;
    size.count -= part;
  }
}

}  // namespace flashpath

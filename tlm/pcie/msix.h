// SPDX-License-Identifier: Apache-2.0
// MSI-X of a function: table, masks and pending bits (PCIe Base 6.1 §6.1.4, §7.7.2). A vector that may not be sent now - masked, the
// function masked, or not a bus master - becomes pending and is sent as soon as it may; none is lost, several of one vector become one.
// While MSI-X is off nothing is signalled and nothing remembered: the host polls.
#pragma once
#include <cstdint>
#include <vector>

#include "base/delegate.h"
#include "base/units.h"

namespace flashpath::pcie {

class Msix {
 public:
  /// A memory write of four bytes.
  using Message = Delegate<void(std::uint64_t address, std::uint32_t data, Time)>;

  explicit Msix(std::uint32_t vectors) : entries_(vectors), pending_((vectors + 63) / 64) {}
  Message message;

  std::uint32_t vectors() const { return static_cast<std::uint32_t>(entries_.size()); }
  std::uint32_t table_bytes() const { return vectors() * entry_bytes; }
  std::uint32_t pending_bytes() const { return static_cast<std::uint32_t>(pending_.size() * 8); }
  /// Dwords of the table and of the pending bits; offsets are multiples of 4 inside.
  std::uint32_t table_read(std::uint32_t offset) const { return entries_[offset / entry_bytes].dword[offset / 4 % 4]; }
  void table_write(std::uint32_t offset, std::uint32_t value, Time now);
  std::uint32_t pending_read(std::uint32_t offset) const { return static_cast<std::uint32_t>(pending_[offset / 8] >> (offset % 8 * 8U)); }

  void raise(std::uint32_t vector, Time now);
  /// Enable, function mask and bus master as they are now.
  void allow(bool enabled, bool masked, bool master, Time now);
  void reset();

  bool pending(std::uint32_t vector) const { return (pending_[vector / 64] >> (vector % 64) & 1U) != 0; }
  std::uint64_t sent() const { return sent_; }
  std::uint64_t raised() const { return raised_; }
  std::uint64_t merged() const { return merged_; }            ///< raised while pending already
  std::uint64_t unsignalled() const { return unsignalled_; }  ///< raised while MSI-X was off, or of no vector; pending ones a reset took
  std::uint64_t waiting() const;

 private:
  static constexpr std::uint32_t entry_bytes = 16;
  struct Entry {
    std::uint32_t dword[4] = {0, 0, 0, 1};  // address, upper address, data, control: bit 0 masks
    bool masked() const { return (dword[3] & 1U) != 0; }
  };
  bool may() const { return enabled_ && !masked_ && master_; }
  void send(std::uint32_t vector, Time now);
  void flush(std::uint32_t vector, Time now);

  std::vector<Entry> entries_;
  std::vector<std::uint64_t> pending_;
  bool enabled_ = false, masked_ = false, master_ = false;
  std::uint64_t sent_ = 0, raised_ = 0, merged_ = 0, unsignalled_ = 0;
};

}  // namespace flashpath::pcie

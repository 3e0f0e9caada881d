// SPDX-License-Identifier: Apache-2.0
// A PCIe endpoint function without a transport: what an adapter of any kind - a link of the platform, a test, another simulator's PCI
// protocol - calls, and what it is called with. Plain C++; time is an argument.
//
//   in    cfg_read, cfg_write     configuration space (config_space.h)
//         bar_read, bar_write     BAR 0, 1 to 8 bytes: the device's registers, and in their midst the MSI-X table and pending bits
//         flr                     function level reset, also by Device Control
//   out   may_master              asked before each DMA access: Bus Master Enable, D0
//         received                how an access ended: ok, unsupported request, completer abort, timeout
//         message                 MSI-X: a memory write of four bytes
//
// Memory Space Enable off, or D3hot: BAR accesses are unsupported requests: reads answer ones, writes are dropped, the host finds
// Unsupported Request Detected. Reads of odd size or place give the bytes of the dwords they lie in, as byte enables do; such writes
// change nothing in the table, and go to the device, which has rules of its own.
#pragma once
#include "base/laws.h"
#include "pcie/config_space.h"
#include "pcie/msix.h"

namespace flashpath::pcie {

/// How a DMA access ended (PCIe Base 6.1 §2.2.9.1, §2.8). A posted write never knows: ok.
enum class DmaStatus : std::uint8_t { ok, unsupported_request, completer_abort, timeout };

/// What is behind the BAR. Register accesses are of 4 or 8 bytes, aligned, except writes as said above.
struct Device {
  Delegate<std::uint64_t(std::uint64_t offset, unsigned size)> read;
  Delegate<void(std::uint64_t offset, unsigned size, std::uint64_t value, Time)> write;
  Delegate<void(Time)> reset;
};

class Function {
 public:
  Function(const Identity& identity, const Device& device);

  std::uint32_t cfg_read(std::uint32_t offset, unsigned bytes) const { return config_.read(offset, bytes); }
  void cfg_write(std::uint32_t offset, unsigned bytes, std::uint32_t value, Time now);
  std::uint64_t bar_read(std::uint64_t offset, unsigned size);
  void bar_write(std::uint64_t offset, unsigned size, std::uint64_t value, Time now);
  void flr(Time now);

  bool may_master() const { return config_.master(); }
  /// An access that the function was not allowed to make: it was not made.
  void refused() { ++refused_; }
  void received(DmaStatus status);
  void raise(std::uint32_t vector, Time now) { msix_.raise(vector, now); }
  void on_message(Msix::Message message) { msix_.message = message; }

  const ConfigSpace& config() const { return config_; }
  const Msix& msix() const { return msix_; }
  Bytes bar_size() const { return identity_.bar; }
  std::uint64_t resets() const { return resets_; }
  std::uint64_t unsupported() const { return unsupported_; }  ///< BAR accesses while memory space was off
  std::uint64_t refused_accesses() const { return refused_; }
  std::uint64_t failed() const { return failed_; }  ///< DMA that ended otherwise than ok
  void check(Laws& laws) const;

 private:
  std::uint32_t dword(std::uint64_t offset) const;
  bool in_table(std::uint64_t offset) const { return offset - identity_.table < msix_.table_bytes(); }
  bool in_pending(std::uint64_t offset) const { return offset - identity_.pending < msix_.pending_bytes(); }
  void allow(Time now) { msix_.allow(config_.msix_on(), config_.msix_masked(), config_.master(), now); }

  const Identity identity_;
  const Device device_;
  ConfigSpace config_;
  Msix msix_;
  std::uint64_t resets_ = 0, unsupported_ = 0, refused_ = 0, failed_ = 0;
};

}  // namespace flashpath::pcie

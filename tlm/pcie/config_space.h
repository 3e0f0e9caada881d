// SPDX-License-Identifier: Apache-2.0
// The configuration space of a PCIe endpoint function: a type 0 header with one 64-bit BAR, and the power management, MSI-X and
// PCI Express capabilities (PCIe Base 6.1 §7.5, §7.7.2; BAR sizing §7.5.1.2.1). A pure function of what is written to it.
//
//   40h power management   50h MSI-X   60h PCI Express (version 2)   100h no extended capability
//
// A register is a dword with a mask of the bits that software may change and of those it clears by writing 1. Accesses are what a
// configuration TLP can carry: bytes of one dword. Anything else reads as ones and changes nothing.
// Not modelled: INTx (Interrupt Pin 0), expansion ROM, I/O space, Advanced Error Reporting, SR-IOV, ASPM, power savings of D3hot.
#pragma once
#include <array>
#include <cstdint>

#include "base/units.h"

namespace flashpath::pcie {

/// What is burnt into a function.
struct Identity {
  std::uint16_t vendor = 0;
  std::uint16_t device = 0;
  std::uint8_t revision = 0;
  std::uint32_t class_code = 0;  ///< 24 bits: class, subclass, interface
  Bytes bar{};                   ///< size of BAR 0, a power of two, at least 4 KiB
  std::uint16_t vectors = 1;     ///< MSI-X, 1 to 2048
  std::uint32_t table = 0;       ///< where in BAR 0 the MSI-X table is, a multiple of 8
  std::uint32_t pending = 0;     ///< where the pending bits are
  std::uint32_t generation = 5;
  std::uint32_t lanes = 4;
  Bytes mps{512};  ///< largest payload it supports
};

class ConfigSpace {
 public:
  static constexpr std::uint32_t size = 4096;
  static constexpr std::uint32_t command = 0x04, bar0 = 0x10, bar1 = 0x14, power = 0x44, msix = 0x50, express = 0x60;
  static constexpr std::uint32_t device_control = express + 8;
  static constexpr std::uint32_t memory_enable = 1U << 1U, bus_master = 1U << 2U;  // of the command register
  static constexpr std::uint32_t initiate_reset = 1U << 15U;                       // of device control
  static constexpr std::uint32_t function_mask = 1U << 30U, msix_enable = 1U << 31U;
  static constexpr std::uint32_t master_abort = 1U << 29U, target_abort = 1U << 28U;  // received; of the status register
  static constexpr std::uint32_t unsupported_detected = 1U << 19U;                    // in the dword of device control and status

  explicit ConfigSpace(const Identity& identity);

  /// `bytes` 1, 2 or 4, not crossing a dword.
  std::uint32_t read(std::uint32_t offset, unsigned bytes) const;
  /// Says whether it asked for a function level reset.
  bool write(std::uint32_t offset, unsigned bytes, std::uint32_t value);
  /// All registers as after power-on.
  void reset();

  bool memory() const { return (at(command) & memory_enable) != 0 && awake(); }
  bool master() const { return (at(command) & bus_master) != 0 && awake(); }
  bool awake() const { return (at(power) & 3U) == 0; }  ///< D0
  bool msix_on() const { return (at(msix) & msix_enable) != 0; }
  bool msix_masked() const { return (at(msix) & function_mask) != 0; }
  std::uint64_t bar() const { return (at(bar0) & ~0xfU) | (static_cast<std::uint64_t>(at(bar1)) << 32U); }
  /// The host asked for what does not exist: Unsupported Request Detected.
  void unsupported() { at(device_control) |= unsupported_detected; }
  /// A DMA read of ours came back as an unsupported request (Received Master Abort) or a completer abort (Received Target Abort).
  void failed(bool unsupported_request, bool completer_abort) {
    at(command) |= (unsupported_request ? master_abort : 0U) | (completer_abort ? target_abort : 0U);
  }

 private:
  struct Dword {
    std::uint32_t initial = 0, writable = 0, clears = 0;  // clears: by writing 1
  };
  std::uint32_t& at(std::uint32_t offset) { return value_[offset / 4]; }
  std::uint32_t at(std::uint32_t offset) const { return value_[offset / 4]; }
  static constexpr std::size_t defined = 0x100 / 4;
  std::array<Dword, defined> dword_{};
  std::array<std::uint32_t, defined> value_{};
};

}  // namespace flashpath::pcie

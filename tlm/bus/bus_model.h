// SPDX-License-Identifier: Apache-2.0
// Who may reach what (Decoder), and how long a crossing takes (Timing).
//
//   out.first = max(in.first, free) + latency    out.last = max(start + size / bandwidth, in.last) + latency
// and without a bandwidth limit simply in + latency. Writes carry their bytes on the way there, reads on the way back.
// Not modelled: topology, contention of single links, quality of service; a real mesh has more than ten times the bandwidth
// that the blocks here can ask of it.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "base/timeline.h"
#include "bus/bus_config.h"

namespace flashpath::bus {

/// One stretch of addresses that leads to one target. `allowed`: a bit per kind of master.
struct AddressWindow {
  std::uint64_t base = 0;
  std::uint64_t last = 0;  // inclusive, so that a window may end at 2^64
  std::uint32_t target = 0;
  std::uint32_t allowed = 0;
};

class Decoder {
 public:
  Decoder() { hits_.fill(nothing); }
  /// Adds a window; false if it is empty, wraps, or overlaps another one.
  bool add(std::uint64_t base, Bytes size, std::uint32_t target, std::uint32_t allowed);
  /// The window that holds all of [address, address + size) and allows a master with this bit; nullptr if there is none.
  const AddressWindow* find(std::uint64_t address, Bytes size, std::uint32_t master_bit) const {
    const std::uint64_t last = address + (size.count - 1);
    const AddressWindow& window = hits_[hit_of(address)];
    if (size.count != 0 && last >= address && address >= window.base && last <= window.last) [[likely]]
      return (window.allowed & master_bit) != 0 ? &window : nullptr;
    return seek(address, size, master_bit);
  }
  const std::vector<AddressWindow>& windows() const { return windows_; }

 private:
  const AddressWindow* seek(std::uint64_t address, Bytes size, std::uint32_t master_bit) const;
  std::vector<AddressWindow> windows_;  // by base
  static constexpr AddressWindow nothing{.base = 1, .last = 0, .target = 0, .allowed = 0};
  static std::size_t hit_of(std::uint64_t address) { return (address >> 36U ^ address >> 38U) % 16; }  // windows lie far apart
  mutable std::array<AddressWindow, 16> hits_;                                                         // copies of the windows found last
};

class Timing {
 public:
  explicit constexpr Timing(const Config& c) : latency_{c.latency}, bandwidth_{c.bandwidth} {}
  /// The crossing of what carries no bytes.
  constexpr Time cross(Time at) const { return at + latency_; }
  constexpr Stream carry(Stream in, Bytes size) {
    if (bandwidth_.bytes_per_second == 0) return {in.first + latency_, in.last + latency_};
    const Window w = server_.serve(in, size / bandwidth_, {});
    return {w.accepted + latency_, w.done + latency_};
  }
  constexpr Duration busy() const { return server_.busy(); }

 private:
  Duration latency_;
  Rate bandwidth_;
  Server server_;
};

}  // namespace flashpath::bus

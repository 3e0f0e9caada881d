// SPDX-License-Identifier: Apache-2.0
// Who may reach what (Decoder), and how long a crossing takes (Timing).
//
//   out.first = max(in.first, free) + latency    out.last = max(start + size / bandwidth, in.last) + latency
// and without a bandwidth limit simply in + latency. Writes carry their bytes on the way there, reads on the way back.
// Not modelled: topology, contention of single links, quality of service; a real mesh has more than ten times the bandwidth
// that the blocks here can ask of it.
#pragma once
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
  /// Adds a window; false if it is empty, wraps, or overlaps another one.
  bool add(std::uint64_t base, Bytes size, std::uint32_t target, std::uint32_t allowed);
  /// The window that holds all of [address, address + size) and allows a master with this bit; nullptr if there is none.
  const AddressWindow* find(std::uint64_t address, Bytes size, std::uint32_t master_bit) const;
  const std::vector<AddressWindow>& windows() const { return windows_; }

 private:
  std::vector<AddressWindow> windows_;  // by base
  mutable std::size_t hit_ = 0;
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

// SPDX-License-Identifier: Apache-2.0
// Which way through a PCIe switch, and how long it takes.
//
//   drive 0 ──▶┐
//   drive 1 ──▶├─▶ [ uplink: one Link; first come, first served, or switch.arbitration ] ──▶ host
//   drive i ──▶┘                      down: by the BAR that the address lies in
//
// The switch stores nothing of its own. It hands a burst on as it comes in (cut-through): its latency is added to that of the
// uplink, each way, so that an unloaded burst is late by latency + uplink latency + one TLP, whatever its size. A burst that
// waits for the uplink waits in its drive's link, where it holds credits.
// With switch.peer_to_peer an access of one drive to another's BAR goes from port to port and never meets the uplink.
// Not modelled: a fabric slower than its ports, buffers of its own, multicast.
#pragma once
#include <cstdint>

#include "bus/address_map.h"

namespace flashpath::pcie {

/// The drive whose BAR the address lies in, or `drives` if none of them.
constexpr std::uint32_t drive_of(std::uint64_t address, std::uint32_t drives) {
  if (address < bus::bar_base) return drives;
  const std::uint64_t drive = (address - bus::bar_base) / bus::bar_stride;
  return drive < drives ? static_cast<std::uint32_t>(drive) : drives;
}
static_assert(drive_of(bus::bar_base, 9) == 0 && drive_of(bus::bar_base + 9 * bus::bar_stride - 1, 9) == 8);
static_assert(drive_of(bus::bar_base + 9 * bus::bar_stride, 9) == 9 && drive_of(bus::bar_base - 1, 9) == 9);

}  // namespace flashpath::pcie

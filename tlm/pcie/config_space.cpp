// SPDX-License-Identifier: Apache-2.0
#include "pcie/config_space.h"

#include <algorithm>
#include <bit>

namespace flashpath::pcie {

ConfigSpace::ConfigSpace(const Identity& id) {
  const auto set = [&](std::uint32_t offset, std::uint32_t initial, std::uint32_t writable = 0, std::uint32_t clears = 0) {
    dword_[offset / 4] = {.initial = initial, .writable = writable, .clears = clears};
  };
  set(0x00, id.vendor | (static_cast<std::uint32_t>(id.device) << 16U));
  // Memory space, bus master, parity and system error response, INTx disable; status: capabilities list.
  set(command, 1U << 20U, memory_enable | bus_master | 1U << 6U | 1U << 8U | 1U << 10U, 0xf900'0000U);
  set(0x08, id.revision | (id.class_code << 8U));
  set(0x0c, 0, 0xff);  // cache line size: kept, without effect
  const std::uint64_t address_bits = ~(id.bar.count - 1);
  set(bar0, 0x4, static_cast<std::uint32_t>(address_bits) & ~0xfU);  // 64-bit, not prefetchable
  set(bar1, 0, static_cast<std::uint32_t>(address_bits >> 32U));
  set(0x2c, id.vendor | (static_cast<std::uint32_t>(id.device) << 16U));  // subsystem
  set(0x34, 0x40);
  set(0x3c, 0, 0xff);  // interrupt line is software's own; no pin

  set(0x40, 0x01U | (msix << 8U) | (3U << 16U));  // power management 1.2, D0 and D3hot
  set(power, 1U << 3U, 3U);                       // No_Soft_Reset: D3hot keeps everything
  set(msix, 0x11U | (express << 8U) | ((id.vectors - 1U) << 16U), function_mask | msix_enable);
  set(msix + 4, id.table);  // both in BAR 0
  set(msix + 8, id.pending);

  const auto log2 = [](std::uint64_t v) { return static_cast<std::uint32_t>(std::countr_zero(v)); };
  set(express, 0x10U | (2U << 16U));                                              // the last one; version 2, endpoint
  set(express + 4, log2(id.mps.count / 128) | 1U << 5U | 1U << 15U | 1U << 28U);  // extended tags, role-based errors, FLR
  // Errors to report, payload and read request sizes; the detected errors in the upper half are cleared by writing 1.
  set(device_control, 1U << 4U | 1U << 8U | 2U << 12U, 0x7fffU, 0xfU << 16U);
  set(express + 0xc, id.generation | (id.lanes << 4U));
  set(express + 0x10, (id.generation | (id.lanes << 4U)) << 16U, 0x1c3U);  // link status: as trained
  set(express + 0x24, 0xfU | 1U << 4U | 1U << 16U);                        // completion timeout ranges, 10-bit tags
  set(express + 0x28, 0, 0x1fU | 1U << 12U);
  set(express + 0x2c, ((1U << id.generation) - 1U) << 1U);  // speeds
  set(express + 0x30, id.generation, 0xfU);
  reset();
}

void ConfigSpace::reset() {
  for (std::size_t i = 0; i < defined; ++i) value_[i] = dword_[i].initial;
}

namespace {
bool carried(std::uint32_t offset, unsigned bytes) {
  return (bytes == 1 || bytes == 2 || bytes == 4) && offset % 4 + bytes <= 4 && offset < ConfigSpace::size;
}
std::uint32_t ones(unsigned bytes) { return bytes >= 4 ? ~0U : (1U << (8U * bytes)) - 1U; }
}  // namespace

std::uint32_t ConfigSpace::read(std::uint32_t offset, unsigned bytes) const {
  if (!carried(offset, bytes)) return ones(bytes);
  const std::uint32_t dword = offset / 4 < defined ? value_[offset / 4] : 0;
  return dword >> (offset % 4 * 8U) & ones(bytes);
}

bool ConfigSpace::write(std::uint32_t offset, unsigned bytes, std::uint32_t value) {
  if (!carried(offset, bytes) || offset / 4 >= defined) return false;
  const std::uint32_t lanes = ones(bytes) << (offset % 4 * 8U);
  const std::uint32_t there = value << (offset % 4 * 8U);
  const Dword& d = dword_[offset / 4];
  std::uint32_t& v = value_[offset / 4];
  const std::uint32_t change = d.writable & lanes;
  const std::uint32_t before = v;
  v = (v & ~change) | (there & change);
  if (offset / 4 == power / 4 && (v & 3U) != 0 && (v & 3U) != 3U) v = before;  // there is no D1, no D2
  v &= ~(d.clears & lanes & there);
  return offset / 4 == device_control / 4 && (lanes & there & initiate_reset) != 0;
}

}  // namespace flashpath::pcie

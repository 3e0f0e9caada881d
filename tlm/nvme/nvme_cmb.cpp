// SPDX-License-Identifier: Apache-2.0
// Controller memory buffer, NVMe 2.0 §8.5: memory of the controller in BAR0 behind the doorbells, which the host fills by register writes and
// the controller reaches without the link: queues, lists and data may lie in it. Off unless configured (CAP.CMBS).
//
// Its size and place show when the host asks (CMBMSC.CRE); its addresses are those the host gives it (CMBMSC.CBA, CMSE). An access
// of the controller takes `cmb_latency` and its share of `cmb_rate`, in order. An access that begins or ends outside goes to the host.
#include <algorithm>
#include <cstring>

#include "nvme/nvme_model.h"

namespace flashpath::nvme {
namespace {
constexpr std::uint64_t capabilities_enabled = 1, space_enabled = 2;
}  // namespace

std::uint32_t ControllerModel::cmb_register(std::uint64_t offset) const {
  const bool shown = (cmbmsc_ & capabilities_enabled) != 0;
  switch (offset) {
    case 0x38: return shown ? static_cast<std::uint32_t>(cmb_offset / 4096) << 12U : 0;  // BIR 0
    case 0x3c:  // submission and completion queues, lists, read and write data; in units of 4 KiB
      return shown ? 0x1fU | static_cast<std::uint32_t>(cmb_.size() / 4096) << 12U : 0;
    case 0x50: return static_cast<std::uint32_t>(cmbmsc_);
    case 0x54: return static_cast<std::uint32_t>(cmbmsc_ >> 32U);
    case 0x58: return (cmbmsc_ & space_enabled) != 0 && !cmb_active_ ? 1U : 0U;  // CBAI: no such range of addresses
    default: return 0;
  }
}

void ControllerModel::set_cmbmsc(std::uint64_t value) {
  if (cmb_.empty()) return;
  cmbmsc_ = value & (~std::uint64_t{0xfff} | capabilities_enabled | space_enabled);
  const std::uint64_t base = cmbmsc_ & ~std::uint64_t{0xfff};
  cmb_active_ = (cmbmsc_ & (capabilities_enabled | space_enabled)) == 3 && base + cmb_.size() > base;
}

bool ControllerModel::in_cmb(std::uint64_t offset, std::uint64_t size) const {
  return offset >= cmb_offset && offset - cmb_offset <= cmb_.size() && size <= cmb_.size() - (offset - cmb_offset) && !cmb_.empty();
}

void ControllerModel::cmb_write(std::uint64_t offset, const unsigned char* bytes, std::uint64_t size) {
  if (dead_ || (cmbmsc_ & capabilities_enabled) == 0) return;
  std::memcpy(cmb_.data() + (offset - cmb_offset), bytes, size);
}

void ControllerModel::cmb_read(std::uint64_t offset, unsigned char* bytes, std::uint64_t size) const {
  const bool there = !dead_ && (cmbmsc_ & capabilities_enabled) != 0;
  if (there) std::memcpy(bytes, cmb_.data() + (offset - cmb_offset), size);
  else std::memset(bytes, dead_ ? 0xff : 0, size);
}

/// An access to host memory that is none. False: it is one.
bool ControllerModel::cmb_access(DmaRequest& dma, Time now) {
  const std::uint64_t at = dma.address - (cmbmsc_ & ~std::uint64_t{0xfff});
  if (at >= cmb_.size() || dma.size.count > cmb_.size() - at) return false;
  ++stats_.cmb_accesses;
  if (dma.bytes != nullptr && dma.write) std::memcpy(cmb_.data() + at, dma.bytes, dma.size.count);
  const Time from = dma.write ? std::max(now, dma.stream.last) : now;
  const Window window = cmb_port_.serve(from, dma.size / config_.cmb_rate, config_.cmb_latency);
  dma.stream = {.first = window.done, .last = window.done};
  agenda_.post<&ControllerModel::cmb_done>(window.done, this, reinterpret_cast<std::uint64_t>(&dma));
  return true;
}

void ControllerModel::cmb_done(Time now, std::uint64_t arg) {
  DmaRequest& dma = *reinterpret_cast<DmaRequest*>(arg);
  dma.ok = true;
  const std::uint64_t at = dma.address - (cmbmsc_ & ~std::uint64_t{0xfff});
  const bool there = cmb_active_ && at < cmb_.size() && dma.size.count <= cmb_.size() - at;  // the host may have moved it
  if (dma.bytes != nullptr && !dma.write && there) std::memcpy(dma.bytes, cmb_.data() + at, dma.size.count);
  if (!there) dma.ok = false;
  dma_done(dma, now);
}

}  // namespace flashpath::nvme

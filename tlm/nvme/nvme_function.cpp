// SPDX-License-Identifier: Apache-2.0
#include "nvme/nvme_function.h"

#include <algorithm>

namespace flashpath::nvme {
namespace {
constexpr std::uint32_t nvme_class = 0x01'08'02;  // mass storage, non-volatile memory, NVM Express I/O controller

pcie::Identity identity(const Config& c) {
  return {.vendor = static_cast<std::uint16_t>(c.vendor_id),
          .device = static_cast<std::uint16_t>(c.device_id),
          .class_code = nvme_class,
          .bar = NvmeFunction::bar_window,
          .vectors = static_cast<std::uint16_t>(std::min(c.max_queues + 1, 2048U)),
          .table = NvmeFunction::table_offset,
          .pending = NvmeFunction::pending_offset};
}
}  // namespace

NvmeFunction::NvmeFunction(ControllerModel& controller, const Config& config)
    : controller_{controller},
      function_{identity(config),
                {.read = Delegate<std::uint64_t(std::uint64_t, unsigned)>::to<&ControllerModel::mmio_read>(&controller),
                 .write = Delegate<void(std::uint64_t, unsigned, std::uint64_t, Time)>::to<&ControllerModel::mmio_write>(&controller),
                 .reset = Delegate<void(Time)>::to<&ControllerModel::function_reset>(&controller)}} {
  controller_.outside.dma = Delegate<void(DmaRequest&, Time)>::to<&NvmeFunction::send>(this);
  controller_.outside.interrupt = Delegate<void(std::uint16_t, Time)>::to<&NvmeFunction::interrupt>(this);
}

void NvmeFunction::send(DmaRequest& request, Time now) {
  if (function_.may_master()) return dma(request, now);
  function_.refused();
  request.ok = false;
  controller_.dma_done(request, now);
}

void NvmeFunction::place(std::uint64_t bar, Time now) {
  using pcie::ConfigSpace;
  cfg_write(ConfigSpace::bar0, 4, static_cast<std::uint32_t>(bar), now);
  cfg_write(ConfigSpace::bar1, 4, static_cast<std::uint32_t>(bar >> 32U), now);
  cfg_write(ConfigSpace::command, 2, ConfigSpace::memory_enable | ConfigSpace::bus_master, now);
}

/// A function level reset: as a controller reset, and every register as after power-on (PCIe Base 6.1 §6.6.2). CSTS.RDY falls when
/// nothing is under way any more.
void ControllerModel::function_reset(Time now) {
  if (dead_) return;
  const bool enabled = cc_.en();
  cc_ = {};
  aqa_ = 0;
  asq_ = acq_ = 0;
  if (enabled) reset(now);
  intms_ = 0;
  ++shutdowns_;  // the flush of a shutdown is not waited for
  csts_ = resetting_ ? csts_ & csts_rdy : 0;
}

}  // namespace flashpath::nvme

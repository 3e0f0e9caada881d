// SPDX-License-Identifier: Apache-2.0
// An NVMe controller as a PCIe function: the one way in and out of a drive, whatever the transport (docs/adr/0005-function-port.md).
//
//   host ─▶ cfg_read/write, bar_read/write, flr ─▶ [ pcie::Function ] ─▶ registers of the ControllerModel
//   host ◀─ dma (answered through dma_done) ◀─ [ bus master? ] ◀─ its DMA        host ◀─ message ◀─ [ MSI-X ] ◀─ its interrupts
//
// An access that may not be made (no bus master) fails at once, as an unsupported request would.
#pragma once
#include "nvme/nvme_model.h"
#include "pcie/function.h"

namespace flashpath::nvme {

class NvmeFunction {
 public:
  static constexpr Bytes bar_window{std::uint64_t{16} << 20U};
  static constexpr std::uint32_t table_offset = 0xc0'0000, pending_offset = 0xc8'0000;  // behind all doorbells

  NvmeFunction(ControllerModel& controller, const Config& config);
  NvmeFunction(const NvmeFunction&) = delete;
  NvmeFunction& operator=(const NvmeFunction&) = delete;

  /// To the host. Set before anything else happens.
  Delegate<void(DmaRequest&, Time)> dma;
  void on_message(pcie::Msix::Message message) { function_.on_message(message); }

  std::uint32_t cfg_read(std::uint32_t offset, unsigned bytes) const { return function_.cfg_read(offset, bytes); }
  void cfg_write(std::uint32_t offset, unsigned bytes, std::uint32_t value, Time now) { function_.cfg_write(offset, bytes, value, now); }
  std::uint64_t bar_read(std::uint64_t offset, unsigned size) { return function_.bar_read(offset, size); }
  void bar_write(std::uint64_t offset, unsigned size, std::uint64_t value, Time now) { function_.bar_write(offset, size, value, now); }
  void flr(Time now) { function_.flr(now); }
  /// The answer to `dma`.
  void dma_done(DmaRequest& request, pcie::DmaStatus status, Time now) {
    request.ok = status == pcie::DmaStatus::ok;
    if (!request.ok) function_.received(status);
    controller_.dma_done(request, now);
  }

  /// What boot software leaves behind: BAR 0 placed, memory space and bus master on.
  void place(std::uint64_t bar, Time now);

  const pcie::Function& function() const { return function_; }
  void check(Laws& laws) const { function_.check(laws); }

 private:
  void send(DmaRequest& request, Time now);
  void interrupt(std::uint16_t vector, Time now) { function_.raise(vector, now); }

  ControllerModel& controller_;
  pcie::Function function_;
};

}  // namespace flashpath::nvme

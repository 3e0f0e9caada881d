// SPDX-License-Identifier: Apache-2.0
// One drive alone, stepped from outside: controller, FTL and flash on an agenda of their own, no SystemC, no thread, no
// wall clock. What a real client (a driver in a guest, a command-line tool) is put in front of.
//
//   client ─ configuration, registers ─▶ [function port ─ controller ─ FTL ─ flash] ─ DMA, MSI-X ─▶ client's memory
//
// The client says until when time may pass (run_until) and when something will happen (next_event); between two calls the
// drive does nothing. In how many steps it is driven does not change what it does.
//
// Not modelled here: the link. A DMA takes `dma_latency`, whatever its size; register accesses take no time.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/agenda.h"
#include "base/delegate.h"
#include "base/laws.h"
#include "base/stats.h"
#include "ftl/ftl_model.h"
#include "nand/array_model.h"
#include "nvme/nvme_function.h"

namespace flashpath::client {

struct DriveConfig {
  nvme::Config nvme;
  ftl::Config ftl;
  nand::Config nand;
  ftl::Geometry geometry;  ///< of `nand`, as the FTL sees it
  std::uint64_t seed = 1;
  Duration dma_latency = std::chrono::microseconds{1};
};

class BareDrive {
 public:
  /// Reads (write == false) or writes the client's memory; false: no such address.
  using Dma = Delegate<bool(std::uint64_t address, unsigned char* bytes, std::size_t size, bool write)>;

  BareDrive(const DriveConfig& config, Dma dma);
  BareDrive(const BareDrive&) = delete;
  BareDrive& operator=(const BareDrive&) = delete;
  /// MSI-X messages, once the client has switched MSI-X on.
  void on_message(pcie::Msix::Message message) { function_.on_message(message); }
  /// Configuration space; the BAR is placed, memory space and bus master are on.
  std::uint32_t read_config(std::uint32_t offset, unsigned size) const { return function_.cfg_read(offset, size); }
  void write_config(std::uint32_t offset, unsigned size, std::uint32_t value) { function_.cfg_write(offset, size, value, now_); }

  /// BAR0 at now(); 1 to 8 bytes.
  std::uint64_t read_register(std::uint64_t offset, unsigned size) { return function_.bar_read(offset, size); }
  void write_register(std::uint64_t offset, unsigned size, std::uint64_t value) { function_.bar_write(offset, size, value, now_); }

  Time now() const { return now_; }
  /// When the drive will do something by itself; `never` if it waits for the client.
  Time next_event() const { return agenda_.next(); }
  /// Everything up to and including `limit`, which must not lie before now().
  void run_until(Time limit);

  const nvme::ControllerModel& controller() const { return controller_; }
  void check(Laws& laws) const;

 private:
  void dma(nvme::DmaRequest& request, Time now);
  void dma_done(Time now, std::uint64_t request);
  void submit(ftl::Request& request, Time now) { ftl_.submit(request, now); }
  void accepted(ftl::Request& request, Time now);
  void answered(ftl::Request& request, Time now);
  void flash(nand::Op& op, Time now) { array_.submit(op, now); }
  void flash_answered(nand::Op& op, Time now);
  void tell_accepted(Time now, std::uint64_t request);
  void tell_answered(Time now, std::uint64_t request);
  void tell_flash(Time now, std::uint64_t op);

  Agenda agenda_;
  Time now_{};
  const Duration dma_latency_;
  Dma client_;
  stats::Group controller_stats_{"nvme"}, array_stats_{"nand"};
  nvme::ControllerModel controller_;
  nvme::NvmeFunction function_;
  ftl::FtlModel ftl_;
  nand::ArrayModel array_;
};

}  // namespace flashpath::client

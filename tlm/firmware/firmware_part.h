// SPDX-License-Identifier: Apache-2.0
// The DPU's software as one part: driver, object service and block jobs on the same cores, booted in order.
//
//   boot   every drive's registers and admin queue (driver) ▶ keys into the crypto engine ▶ rings announced to the NIC ▶ ready
//
// Not a block of hardware: it has no socket. It runs on the cores and sees memory through them; a write to its completion
// queues or rings wakes the core that would have polled it (dram.watch).
#pragma once
#include <memory>
#include <vector>

#include "base/sparse_memory.h"
#include "cores/cores_model.h"
#include "firmware/io_jobs.h"
#include "firmware/kv_service.h"
#include "kernel/part.h"

namespace flashpath::firmware {

class Firmware final : public Part {
 public:
  /// `memory`: the DPU memory's bytes in data mode, else nullptr. `journeys`: the NIC's, for requests from the fabric.
  Firmware(const sc_core::sc_module_name& name, Environment& environment, const Config& config, cores::Model& cores, std::uint32_t drives,
           SparseMemory* memory, fabric::Journeys* journeys);

  Driver& driver() { return driver_; }
  KvService& service() { return service_; }
  IoJobs& jobs() { return jobs_; }

  /// Starts booting at time `at`; `ready` is called when the object service takes requests, or when booting has failed.
  void boot(Time at, Delegate<void(Time)> ready);
  bool ready() const { return ready_; }
  /// Why booting failed; empty if it did not.
  const UserErrors& failures() const { return failures_; }

  /// The drive has died at `now`; the driver finds out drive_loss_time later.
  void drive_died(std::uint32_t drive, Time now) { agenda_.post<&Firmware::drive_lost>(now + config_.drive_loss_time, this, drive); }

  /// A finished NVMe command's journey inside its drive (nvme::Controller::on_command_done).
  void command_done(std::uint32_t drive, std::uint16_t qid, std::uint16_t cid, const Journey& journey);

  void check(Laws& laws, Time now) const override;
  void explain(Stall& stall) const override;

 private:
  void drives_ready(cores::CoreContext& ctx);
  void drive_lost(Time now, std::uint64_t drive);
  void write_key(cores::CoreContext& ctx);
  void wait_for_rings(Time now);
  const Journey* drive_journey(std::uint32_t drive, std::uint16_t qid, std::uint16_t cid);

  Config config_;
  ControlMemory control_;
  Driver driver_;
  KvService service_;
  IoJobs jobs_;
  Delegate<void(Time)> announce_;
  UserErrors failures_;
  bool ready_ = false;
  std::vector<Journey> journeys_;  // by drive, queue and command id
  std::uint32_t queues_, entries_;
};

}  // namespace flashpath::firmware

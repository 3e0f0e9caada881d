// SPDX-License-Identifier: Apache-2.0
// The one place that knows every block: builds a platform from its configuration and wires it.
//
//   client ⇄ fabric ─┐                    ┌─ dram
//            cores ──┼── bus (by address) ┼─ registers of fabric and crypto
//   drives ▶ crypto ─┘                    └─ pcie: (switch ─) link i ─ drive i: nvme ─ ftl ─ nand
//
// Steppable: run_until(t) may be called again and again; there are no threads, no wall clock, no free-running clock.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "firmware/firmware_part.h"
#include "kernel/agenda_driver.h"
#include "platform/catalog.h"
#include "platform/faults.h"

namespace flashpath::platform {

/// Connects two sockets; tests put a protocol checker in between.
using Wire = std::function<void(tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name)>;
void wire_directly(tlm::tlm_initiator_socket<>& from, tlm::tlm_target_socket<>& to, const std::string& name);

/// One drive and its link. A module of its own, so that its parts' names begin with the drive's.
struct Drive : sc_core::sc_module {
  Drive(const sc_core::sc_module_name& name, Environment& environment, const Catalog& catalog, const Config& config, std::uint16_t number);
  void connect(const Config& config, const Wire& wire);
  void command_done(std::uint16_t qid, std::uint16_t cid, const Journey& journey) { firmware->command_done(number, qid, cid, journey); }

  std::uint16_t number;
  firmware::Firmware* firmware = nullptr;
  std::unique_ptr<pcie::LinkPart> link;
  std::unique_ptr<nvme::Controller> nvme;
  std::unique_ptr<ftl::Ftl> ftl;
  std::unique_ptr<nand::Array> nand;
};

class Platform {
 public:
  /// Throws UserErrors if a part does not exist in this build.
  Platform(const Config& config, const Catalog& catalog, Wire wire = wire_directly);

  /// Boots the drives and the firmware; returns the moment the platform is ready. Throws UserErrors if it cannot work
  /// (drives too small, more queues than controllers have, …).
  Time boot();

  /// Runs everything up to and including `limit`, or until nothing is pending, or `until` says so.
  Time run_until(Time limit, Delegate<bool()> until = {}) { return driver_.run_until(limit, until); }
  /// The moment of the next pending action, or `never`.
  Time next_event() { return agenda_.next(); }
  Time now() const { return agenda_.now(); }
  Agenda& agenda() { return agenda_; }
  Environment& environment() { return environment_; }
  const Config& config() const { return config_; }

  fabric::Port& fabric() { return *fabric_; }
  cores::Cores& cores() { return *cores_; }
  dram::Dram& dram() { return *dram_; }
  firmware::Firmware& firmware() { return *firmware_; }
  Drive& drive(std::size_t i) { return *drives_[i]; }
  std::size_t drives() const { return drives_.size(); }

  /// What the configuration lets die, and whether it has.
  struct PlannedFault {
    Fault fault;
    bool happened = false;
  };
  const std::vector<PlannedFault>& faults() const { return faults_; }

  /// Every part, in the order of the block diagram.
  const std::vector<Part*>& parts() const { return parts_; }
  /// Closes the statistics at the end of a run, once.
  void finish(Time now);
  /// The laws of all parts.
  void check(Laws& laws, Time now) const;
  /// Who waits for whom.
  void explain(Stall& stall) const;

 private:
  void connect(const Wire& wire);
  void booted(Time now) { ready_ = now; }
  void fail(Time now, std::uint64_t fault);

  Config config_;
  Agenda agenda_;
  Environment environment_;
  AgendaDriver driver_;
  std::unique_ptr<fabric::Port> fabric_;
  std::unique_ptr<cores::Cores> cores_;
  std::unique_ptr<bus::Bus> bus_;
  std::unique_ptr<dram::Dram> dram_;
  std::unique_ptr<crypto::Engine> crypto_;
  std::unique_ptr<pcie::SwitchPart> switch_;
  std::vector<std::unique_ptr<Drive>> drives_;
  std::unique_ptr<firmware::Firmware> firmware_;
  std::vector<Part*> parts_;
  std::vector<PlannedFault> faults_;
  Time ready_ = never;
};

}  // namespace flashpath::platform

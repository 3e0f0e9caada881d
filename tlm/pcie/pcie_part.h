// SPDX-License-Identifier: Apache-2.0
// The PCIe link of a drive and the switch above it, as parts. Behaviour at the sockets: pcie/crossing_part.h.
//
//   nvme.dma ─▶ from_device ┌──────────┐ to_host   ─▶ switch.from_device(i), or crypto
//   nvme.bar ◀─ to_device   │ LinkPart │ from_host ◀─ switch.to_device(i), or bus
//                           └──────────┘
// Addresses stay absolute all the way.
#pragma once
#include "pcie/crossing_part.h"

namespace flashpath::pcie {

/// What every link looks like from outside, whatever it is made of.
class LinkPart : public Part {
 public:
  using Part::Part;
  virtual tlm::tlm_target_socket<>& from_device() = 0;  ///< DMA: WRITE is a posted burst, READ a non-posted one
  virtual tlm::tlm_initiator_socket<>& to_host() = 0;
  virtual tlm::tlm_target_socket<>& from_host() = 0;  ///< MMIO
  virtual tlm::tlm_initiator_socket<>& to_device() = 0;
  /// The link trains again: nothing starts on it for a while.
  virtual void retrain(Time) {}
};

class ModelLinkPart final : public LinkPart {
 public:
  /// `drive` is stamped on all DMA of the device (Transfer::source, with Master::drive).
  ModelLinkPart(const sc_core::sc_module_name& name, Environment& environment, const Config& config, std::uint16_t drive);
  tlm::tlm_target_socket<>& from_device() override { return crossing_.from_device(0); }
  tlm::tlm_initiator_socket<>& to_host() override { return crossing_.to_host(); }
  tlm::tlm_target_socket<>& from_host() override { return crossing_.from_host(); }
  tlm::tlm_initiator_socket<>& to_device() override { return crossing_.to_device(0); }
  void check(Laws& laws, Time now) const override { crossing_.check(laws, now); }
  void explain(Stall& stall) const override { crossing_.explain(stall); }
  void finish(Time now) override { crossing_.finish(now); }
  void retrain(Time now) override { crossing_.retrain(now); }
  const Link& link() const { return crossing_.link; }

 private:
  Crossing crossing_;
};

/// Ports for `drives` drives and one uplink.
class SwitchPart : public Part {
 public:
  using Part::Part;
  virtual tlm::tlm_target_socket<>& from_device(std::uint32_t drive) = 0;
  virtual tlm::tlm_initiator_socket<>& to_device(std::uint32_t drive) = 0;
  virtual tlm::tlm_target_socket<>& from_host() = 0;
  virtual tlm::tlm_initiator_socket<>& to_host() = 0;
};

class ModelSwitchPart final : public SwitchPart {
 public:
  ModelSwitchPart(const sc_core::sc_module_name& name, Environment& environment, const SwitchConfig& config, const Config& uplink,
                  std::uint32_t drives);
  tlm::tlm_target_socket<>& from_device(std::uint32_t drive) override { return crossing_.from_device(drive); }
  tlm::tlm_initiator_socket<>& to_device(std::uint32_t drive) override { return crossing_.to_device(drive); }
  tlm::tlm_target_socket<>& from_host() override { return crossing_.from_host(); }
  tlm::tlm_initiator_socket<>& to_host() override { return crossing_.to_host(); }
  void check(Laws& laws, Time now) const override { crossing_.check(laws, now); }
  void explain(Stall& stall) const override { crossing_.explain(stall); }
  void finish(Time now) override { crossing_.finish(now); }
  const Link& uplink() const { return crossing_.link; }

 private:
  static Crossing::Shape shape(const SwitchConfig& config, std::uint32_t drives);
  Crossing crossing_;
};

}  // namespace flashpath::pcie

// SPDX-License-Identifier: Apache-2.0
#include "pcie/pcie_part.h"

#include <string>

namespace flashpath::pcie {

ModelLinkPart::ModelLinkPart(const sc_core::sc_module_name& name, Environment& environment, const Config& config, std::uint16_t drive)
    : LinkPart{name, environment},
      crossing_{environment, stats, config,
                Crossing::Shape{.tags = config.tags, .name_drive = true, .drive = drive, .name = "link" + std::to_string(drive)}} {}

ModelSwitchPart::ModelSwitchPart(const sc_core::sc_module_name& name, Environment& environment, const SwitchConfig& config,
                                 const Config& uplink, std::uint32_t drives)
    : SwitchPart{name, environment}, crossing_{environment, stats, uplink, shape(config, drives)} {}

Crossing::Shape ModelSwitchPart::shape(const SwitchConfig& config, std::uint32_t drives) {
  UserErrors errors;
  Crossing::Shape shape{.devices = drives, .decode = true, .extra = config.latency, .name = "uplink"};
  shape.arbitration = config.arbitration;
  shape.shares = config.shares(drives, "switch", errors);
  shape.peers = config.peer_to_peer;
  errors.raise_if_any();
  return shape;
}

}  // namespace flashpath::pcie

// SPDX-License-Identifier: Apache-2.0
#include "pcie/pcie_part.h"

namespace flashpath::pcie {

ModelLinkPart::ModelLinkPart(const sc_core::sc_module_name& name, Environment& environment, const Config& config, std::uint16_t drive)
    : LinkPart{name, environment},
      crossing_{environment, stats, config, Crossing::Shape{.tags = config.tags, .name_drive = true, .drive = drive}} {}

ModelSwitchPart::ModelSwitchPart(const sc_core::sc_module_name& name, Environment& environment, const SwitchConfig& config,
                                 const Config& uplink, std::uint32_t drives)
    : SwitchPart{name, environment},
      crossing_{environment, stats, uplink, Crossing::Shape{.devices = drives, .decode = true, .extra = config.latency}} {}

}  // namespace flashpath::pcie

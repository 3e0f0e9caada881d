// SPDX-License-Identifier: Apache-2.0
// The configuration of a whole platform: one struct per block, and the few numbers that belong to none.
//
// Sources, later ones winning: the schema's defaults, a preset (and the preset it is based on), TOML files, --set.
#pragma once
#include <string>
#include <vector>

#include "base/config.h"
#include "bus/bus_config.h"
#include "cores/cores_config.h"
#include "crypto/crypto_config.h"
#include "dram/dram_config.h"
#include "fabric/fabric_config.h"
#include "firmware/firmware_config.h"
#include "ftl/ftl_config.h"
#include "nand/nand_config.h"
#include "nvme/nvme_config.h"
#include "pcie/pcie_config.h"

namespace flashpath::platform {

/// What belongs to no single block.
struct General {
  std::uint32_t drives = 1;
  bool pcie_switch = false;
  bool data = false;
  std::uint64_t seed = 1;
  Duration run_ahead = std::chrono::milliseconds{1};
  Duration watchdog = std::chrono::seconds{60};
  std::string faults;

  static constexpr auto schema() {
    using C = General;
    return std::tuple{
        Field{"drives", &C::drives, "NVMe drives behind the DPU", Known::assumed, "one drive unless the platform says otherwise",
              Range{1U, 64U}},
        Field{"pcie_switch", &C::pcie_switch, "a PCIe switch with one uplink between the DPU and the drives (else a root port per drive)",
              Known::assumed, "48 lanes on the NIC die allow either"},
        Field{"data", &C::data, "data mode: real bytes travel from the host to the NAND cells and back, and are verified", Known::assumed,
              "off: timing mode, no bytes move"},
        Field{"seed", &C::seed, "seed of every random stream", Known::assumed, "any number; the same seed gives the same bytes out"},
        Field{"run_ahead", &C::run_ahead,
              "how far the platform's agenda may run ahead of SystemC's clock; changes the cost of a run, never its result", Known::assumed,
              "measured: no gain beyond", Range{Duration{0}, Duration{std::chrono::seconds{1}}}},
        Field{"watchdog", &C::watchdog, "simulated time without any completion, with work in flight, after which the run is called stalled",
              Known::assumed, "far above any drive's worst latency",
              Range{Duration{std::chrono::milliseconds{10}}, Duration{std::chrono::hours{1}}}},
        Field{
            "faults", &C::faults,
            "what dies, and when after the platform is ready: drive:D@TIME, channel:D.C@TIME, die:D.N@TIME, plane:D.N.P@TIME, link:D@TIME "
            "(trains again); commas between",
            Known::assumed, "nothing fails unless asked to", NoRange{}},
    };
  }
};

/// Which fidelity stands behind each block's sockets: the name of a part in the catalog.
struct Parts {
  std::string fabric = "model", cores = "model", bus = "model", dram = "model", crypto = "model", pcie = "model", nvme = "model",
              ftl = "model", nand = "model";
};

struct Config {
  General general;
  Parts parts;
  fabric::Config fabric;
  cores::Config cores;
  firmware::Config firmware;
  bus::Config bus;
  dram::Config dram;
  crypto::Config crypto;
  pcie::Config pcie;    ///< each drive's link
  pcie::Config uplink;  ///< the switch's upstream link
  pcie::SwitchConfig pcie_switch;
  nvme::Config nvme;
  ftl::Config ftl;
  nand::Config nand;
};

struct Resolved {
  Config config;
  std::string preset;                 ///< the preset's name
  std::vector<Parameter> parameters;  ///< every one, with its source
  std::vector<std::string> notes;     ///< what works, and may not be what was meant
};

/// What the FTL is told of its flash.
ftl::Geometry geometry_of(const nand::Config& config);

/// Names of the presets this build carries.
std::vector<std::string> presets();

/// Names of the fragments this build carries: a die, say, to be put into any platform.
std::vector<std::string> fragments();

/// Reads preset, files and assignments. Throws UserErrors with everything that is wrong.
/// `preset` is empty (the schema's defaults alone), a preset's name, or the path of a TOML file (whose `base` names the preset it starts from).
/// `files` are paths of TOML files, or names of fragments.
Resolved load(const std::string& preset, const std::vector<std::string>& files, const std::vector<std::string>& assignments);

}  // namespace flashpath::platform

// SPDX-License-Identifier: Apache-2.0
// Which parts this build can put behind each block's sockets. Explicit: a part is here because a line of code put it here.
// RTL and shadow parts add themselves with a function of their own (add_rtl_parts), linked when the build has them.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "bus/bus_part.h"
#include "cores/cores_part.h"
#include "crypto/crypto_part.h"
#include "dram/dram_part.h"
#include "fabric/fabric_part.h"
#include "ftl/ftl_part.h"
#include "ftl/static_part.h"
#include "nand/nand_part.h"
#include "nvme/nvme_part.h"
#include "pcie/pcie_part.h"
#include "platform/config.h"

namespace flashpath::platform {

/// Parts of one block by name. `Extra` is what the part needs beside its configuration.
template <class PartType, class Config, class... Extra>
using Makers = std::map<std::string, std::function<std::unique_ptr<PartType>(const char* name, Environment&, const Config&, Extra...)>>;

struct Catalog {
  Makers<fabric::Port, fabric::Config> fabric;
  Makers<cores::Cores, cores::Config> cores;
  Makers<bus::Bus, bus::Config> bus;
  Makers<dram::Dram, dram::Config> dram;
  Makers<crypto::Engine, crypto::Config, std::size_t /*upstream links*/> crypto;
  Makers<pcie::LinkPart, pcie::Config, std::uint16_t /*drive*/> pcie;
  Makers<nvme::Controller, nvme::Config, Bytes /*capacity*/, std::uint16_t /*drive*/> nvme;
  Makers<ftl::Ftl, ftl::Config, ftl::Geometry> ftl;
  Makers<nand::Array, nand::Config> nand;
};

/// Every block's "model", and "static" for the FTL.
void add_model_parts(Catalog& catalog);

/// Adds one line to `errors` for each `<block>.part` that the catalog does not have; it says what there is.
void check_parts(const Catalog& catalog, const Parts& parts, UserErrors& errors);

}  // namespace flashpath::platform

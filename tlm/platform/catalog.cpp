// SPDX-License-Identifier: Apache-2.0
#include "platform/catalog.h"

namespace flashpath::platform {

void add_model_parts(Catalog& c) {
  c.fabric["model"] = [](const char* n, Environment& e, const fabric::Config& k) { return std::make_unique<fabric::ModelPort>(n, e, k); };
  c.cores["model"] = [](const char* n, Environment& e, const cores::Config& k) { return std::make_unique<cores::Cores>(n, e, k); };
  c.bus["model"] = [](const char* n, Environment& e, const bus::Config& k) { return std::make_unique<bus::ModelBus>(n, e, k); };
  c.dram["model"] = [](const char* n, Environment& e, const dram::Config& k) { return std::make_unique<dram::ModelDram>(n, e, k); };
  c.crypto["model"] = [](const char* n, Environment& e, const crypto::Config& k, std::size_t links) {
    return std::make_unique<crypto::ModelEngine>(n, e, k, links);
  };
  c.pcie["model"] = [](const char* n, Environment& e, const pcie::Config& k, std::uint16_t drive) {
    return std::make_unique<pcie::ModelLinkPart>(n, e, k, drive);
  };
  c.nvme["model"] = [](const char* n, Environment& e, const nvme::Config& k, Bytes capacity, std::uint16_t drive) {
    return std::make_unique<nvme::ModelController>(n, e, k, capacity, drive);
  };
  c.ftl["model"] = [](const char* n, Environment& e, const ftl::Config& k, ftl::Geometry g) {
    return std::make_unique<ftl::ModelFtl>(n, e, k, g);
  };
  c.ftl["static"] = [](const char* n, Environment& e, const ftl::Config& k, ftl::Geometry g) {
    return std::make_unique<ftl::StaticFtl>(n, e, k, g);
  };
  c.nand["model"] = [](const char* n, Environment& e, const nand::Config& k) { return std::make_unique<nand::ModelArray>(n, e, k); };
}

namespace {
template <class Map>
void check_one(const Map& makers, const char* block, const std::string& part, UserErrors& errors) {
  if (makers.contains(part)) return;
  std::string list;
  for (const auto& [name, maker] : makers) list += (list.empty() ? "" : ", ") + name;
  errors.add(std::string(block) + ".part = \"" + part + "\": this build has: " + list);
}
}  // namespace

void check_parts(const Catalog& c, const Parts& p, UserErrors& errors) {
  check_one(c.fabric, "fabric", p.fabric, errors);
  check_one(c.cores, "cores", p.cores, errors);
  check_one(c.bus, "bus", p.bus, errors);
  check_one(c.dram, "dram", p.dram, errors);
  check_one(c.crypto, "crypto", p.crypto, errors);
  check_one(c.pcie, "pcie", p.pcie, errors);
  check_one(c.nvme, "nvme", p.nvme, errors);
  check_one(c.ftl, "ftl", p.ftl, errors);
  check_one(c.nand, "nand", p.nand, errors);
}

}  // namespace flashpath::platform

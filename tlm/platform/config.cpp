// SPDX-License-Identifier: Apache-2.0
#include "platform/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "platform/embedded_presets.h"
#include "platform/faults.h"

namespace flashpath::platform {
namespace {

std::string known_presets() {
  std::string list;
  for (const auto& name : presets()) list += (list.empty() ? "" : ", ") + name;
  return list;
}

template <std::size_t N>
std::optional<std::string_view> find(const std::array<EmbeddedPreset, N>& all, std::string_view name) {
  for (const auto& one : all) {
    if (one.name == name) return one.text;
  }
  return std::nullopt;
}
std::optional<std::string_view> embedded(std::string_view name) { return find(embedded_presets, name); }

/// Reads one text and, before it, the chain of presets it is based on.
void read_chain(Settings& settings, std::string_view text, const std::string& file, UserErrors& errors, int depth) {
  Settings own;
  own.read_toml(text, file, errors);
  if (own.base) {
    const auto below = embedded(own.base->text);
    if (depth > 8) errors.add(own.base->where + ": base = \"" + own.base->text + "\": presets are based on each other in a circle");
    else if (!below)
      errors.add(own.base->where + ": base = \"" + own.base->text + "\": no such preset; this build has: " + known_presets());
    else read_chain(settings, *below, own.base->text + ".toml", errors, depth + 1);
  }
  for (auto& [path, given] : own.values) settings.values[path] = given;
}

bool read_file(const std::string& path, std::string& text) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return false;
  std::ostringstream all;
  all << in.rdbuf();
  text = all.str();
  return !in.bad();
}

struct PartChoice {
  std::string part = "model";
  static constexpr auto schema() {
    return std::tuple{Field{"part", &PartChoice::part, "fidelity behind this block's sockets: the name of a part in the catalog",
                            Known::assumed, "the model; RTL and shadow parts join through the catalog"}};
  }
};

/// Rules between blocks: platforms that cannot work.
void check_platform(const Config& c, UserErrors& errors) {
  const auto bad = [&](const std::string& text) { errors.add("platform: " + text); };
  if (c.nvme.mdts < c.firmware.frame) {
    bad("firmware.frame = " + print(c.firmware.frame) + " is larger than the largest command a drive takes (nvme.mdts = " +
        print(c.nvme.mdts) + "); lower firmware.frame or raise nvme.mdts");
  }
  if (c.firmware.encrypt && c.crypto.frame_size != c.firmware.frame) {
    bad("crypto.frame_size = " + print(c.crypto.frame_size) + " differs from firmware.frame = " + print(c.firmware.frame) +
        "; the engine finds its keys by frame: make them equal");
  }
  if (c.firmware.encrypt && c.crypto.frames < c.firmware.frames) {
    bad("crypto.frames = " + print(c.crypto.frames) + " is less than firmware.frames = " + print(c.firmware.frames) +
        "; every staging frame needs an entry");
  }
  if (c.firmware.cores > c.cores.count) {
    bad("firmware.cores = " + print(c.firmware.cores) + " serve, but cores.count = " + print(c.cores.count) +
        "; lower one or raise the other");
  }
  if (c.firmware.cores > c.nvme.max_queues) {
    bad("firmware.cores = " + print(c.firmware.cores) + " need a queue pair each, but nvme.max_queues = " + print(c.nvme.max_queues));
  }
  if (c.ftl.mapping_unit.count % c.nvme.lba.count != 0) {
    bad("ftl.mapping_unit = " + print(c.ftl.mapping_unit) + " is not a multiple of nvme.lba = " + print(c.nvme.lba));
  }
  if (c.parts.ftl == "model" && c.nand.program_unit == nand::ProgramUnit::page) {
    bad("nand.program_unit = \"page\": the FTL ftl.part = \"model\" programs whole wordlines");
  }
  const std::vector<Fault> faults = parse_faults(c.general.faults, c, errors);
  const bool flash_dies = std::ranges::any_of(faults, of_flash);
  if (c.parts.ftl == "static" && (c.nand.reliability.enabled || flash_dies)) {
    bad("ftl.part = \"static\" does not handle flash that fails: leave reliability.enabled and faults of channels, dies and planes off");
  }
  if (!faults.empty() && c.firmware.drive_loss_time >= c.general.watchdog) {
    bad("firmware.drive_loss_time = " + print(c.firmware.drive_loss_time) + ": must be below watchdog = " + print(c.general.watchdog) +
        ", or a lost drive is taken for a stall");
  }
  if (c.firmware.redundancy == firmware::Redundancy::mirror && c.general.drives < 2)
    bad("firmware.redundancy = mirror: needs two drives; raise drives");
  if (c.firmware.placement != firmware::Placement::none) {
    if (c.parts.ftl == "static") bad("firmware.placement: ftl.part = \"static\" knows no placement handles; leave it at none");
    else if (c.firmware.placement_handles > c.ftl.write_streams)
      bad("firmware.placement_handles = " + print(c.firmware.placement_handles) +
          ", but ftl.write_streams = " + print(c.ftl.write_streams) + ": a drive would mix them; lower one or raise the other");
  }
  const double worst = std::max(c.nand.reliability.program_failures, c.nand.reliability.erase_failures) * c.nand.reliability.initial_pe /
                       c.nand.reliability.endurance;
  if (c.nand.reliability.enabled && worst > 0.5) {
    bad("reliability: program_failures or erase_failures times initial_pe / endurance is " + print(worst) +
        "; above 0.5 hardly anything can be written");
  }
  if (c.uplink.translation == pcie::Translation::ats) {
    bad("uplink.translation = \"ats\": only devices ask for translations; set pcie.translation, or uplink.translation = \"iommu\"");
  }
  c.ftl.check("ftl", geometry_of(c.nand), errors);
}

/// Other dies are another amount of flash, and so another over-provisioning; bad blocks need spares.
void take_notes(const Settings& preset, const std::vector<std::string>& files, Resolved& out) {
  const Config& c = out.config;
  std::string dies;
  for (const auto& file : files)
    if (find(embedded_fragments, file)) dies += (dies.empty() ? "" : ", ") + file;
  if (!dies.empty()) {
    Settings own = preset;
    nand::Config plain;
    UserErrors ignored;
    std::vector<Parameter> unused;
    read(own, "nand", plain, ignored, unused);
    const Bytes was = geometry_of(plain).raw(), is = geometry_of(c.nand).raw();
    const auto tb = [](Bytes b) { return fmt::format("{:.2f} TB", static_cast<double>(b.count) * 1e-12); };
    if (is != was) {
      out.notes.push_back(fmt::format("{}: a drive has {} of flash instead of {}; it exports {} (ftl.capacity), {:.1f} % of that", dies,
                                      tb(is), tb(was), tb(c.ftl.capacity),
                                      100 * static_cast<double>(c.ftl.capacity.count) / static_cast<double>(is.count)));
    }
  }
  const auto given = [&](std::string_view path) {
    return std::ranges::any_of(out.parameters, [&](const Parameter& p) { return p.path == path && p.known == Known::user; });
  };
  if (c.nand.reliability.enabled && c.ftl.spare_blocks == 0 && given("reliability.factory_bad")) {
    out.notes.push_back("reliability.factory_bad: without spare blocks bad ones are counted only, and used; give ftl.spare_blocks");
  }
}

}  // namespace

ftl::Geometry geometry_of(const nand::Config& c) {
  return {.channels = c.channels,
          .dies = c.channels * c.dies_per_channel,
          .planes = c.planes,
          .blocks_per_plane = c.blocks_per_plane,
          .wordlines_per_block = c.wordlines_per_block,
          .bits_per_cell = c.bits_per_cell,
          .page = c.page,
          .endurance = c.reliability.endurance,
          .initial_pe = c.reliability.initial_pe};
}

std::vector<std::string> presets() {
  std::vector<std::string> names;
  for (const auto& preset : embedded_presets) names.emplace_back(preset.name);
  return names;
}

std::vector<std::string> fragments() {
  std::vector<std::string> names;
  for (const auto& fragment : embedded_fragments) names.emplace_back(fragment.name);
  return names;
}

Resolved load(const std::string& preset, const std::vector<std::string>& files, const std::vector<std::string>& assignments) {
  UserErrors errors;
  Settings settings;
  Resolved out;
  out.preset = preset;
  if (preset.empty()) {
    // the schema's defaults alone
  } else if (const auto text = embedded(preset)) {
    read_chain(settings, *text, preset + ".toml", errors, 0);
  } else if (std::string own; preset.find('.') != std::string::npos && read_file(preset, own)) {
    read_chain(settings, own, preset, errors, 0);
  } else {
    std::vector<std::string_view> names;
    for (const auto& p : embedded_presets) names.push_back(p.name);
    const std::string near = nearest(preset, names);
    errors.add("platform \"" + preset + "\": no such preset or readable file" + std::string(near.empty() ? "." : "") +
               (near.empty() ? "" : "; did you mean \"" + near + "\"?") + " This build has: " + known_presets() +
               "; or give the path of a .toml file");
  }
  const Settings before = settings;
  for (const auto& file : files) {
    std::string text;
    if (const auto fragment = find(embedded_fragments, file)) {
      read_chain(settings, *fragment, file + ".toml", errors, 0);
    } else if (read_file(file, text)) {
      read_chain(settings, text, file, errors, 0);
    } else if (file.find_first_of("./") != std::string::npos) {
      errors.add(file + ": cannot be read");
    } else {
      std::string list;
      for (const auto& name : fragments()) list += (list.empty() ? "" : ", ") + name;
      errors.add(file + ": cannot be read, and no fragment has this name; this build has: " + list);
    }
  }
  for (const auto& assignment : assignments) settings.set(assignment, errors);

  Config& c = out.config;
  auto& list = out.parameters;
  read(settings, "", c.general, errors, list);
  const auto block = [&](const char* prefix, auto& config, std::string* part) {
    if (part != nullptr) {
      PartChoice choice;
      read(settings, prefix, choice, errors, list);
      *part = choice.part;
    }
    read(settings, prefix, config, errors, list);
  };
  block("fabric", c.fabric, &c.parts.fabric);
  block("cores", c.cores, &c.parts.cores);
  block("firmware", c.firmware, nullptr);
  block("bus", c.bus, &c.parts.bus);
  block("dram", c.dram, &c.parts.dram);
  block("crypto", c.crypto, &c.parts.crypto);
  block("pcie", c.pcie, &c.parts.pcie);
  block("uplink", c.uplink, nullptr);
  block("switch", c.pcie_switch, nullptr);
  block("nvme", c.nvme, &c.parts.nvme);
  block("ftl", c.ftl, &c.parts.ftl);
  block("nand", c.nand, &c.parts.nand);
  block("reliability", c.nand.reliability, nullptr);
  check_unused(settings, list, errors);
  if (errors.empty()) check_platform(c, errors);
  errors.raise_if_any();
  take_notes(before, files, out);
  return out;
}

}  // namespace flashpath::platform

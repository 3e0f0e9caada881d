// SPDX-License-Identifier: Apache-2.0
#include "energy/energy.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace flashpath::energy {

Coefficients read(std::string_view text, const std::string& file, UserErrors& errors) {
  Coefficients c;
  Settings settings;
  settings.read_toml(text, file, errors);
  if (settings.base) errors.add(settings.base->where + ": base: a file of coefficients is not based on another");
  for (const auto& [path, given] : settings.values) {
    if (given.source.empty()) {
      errors.add(given.where + ": " + path + ": no source; write { value = \"" + given.text +
                 "\", known = \"…\", source = \"where the number is from\" }");
    } else if (given.known == Known::user) {
      errors.add(given.where + ": " + path + ": how is it known? Add known = \"spec\", \"datasheet\", \"measured\" or \"assumed\"");
    }
  }
  std::vector<Parameter> all;
  flashpath::read(settings, "nand", c.nand, errors, all);
  flashpath::read(settings, "drive", c.drive, errors, all);
  flashpath::read(settings, "dpu", c.dpu, errors, all);
  check_unused(settings, all, errors);
  for (auto& parameter : all) {
    if (settings.values.contains(parameter.path)) c.given.push_back(std::move(parameter));
  }
  if (c.given.empty() && errors.empty()) errors.add(file + ": no coefficient in it");
  return c;
}

Coefficients load(const std::string& file, UserErrors& errors) {
  if (std::error_code ignored; std::filesystem::is_directory(file, ignored)) {
    errors.add(file + ": is a folder, not a file of coefficients (tlm/energy/example.toml)");
    return {};
  }
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || in.bad()) {
    errors.add(file + ": cannot be read");
    return {};
  }
  return read(text.str(), file, errors);
}

namespace {

std::optional<double> times(const std::optional<double>& coefficient, double count) {
  return coefficient ? std::optional{*coefficient * count} : std::nullopt;
}

/// Unknown as soon as one of them is.
std::optional<double> sum(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b ? std::optional{*a + *b} : std::nullopt;
}

}  // namespace

Report report(const Coefficients& c, const Counts& n) {
  struct Cell {
    std::string_view read_name, program_name;
    const PerOperation &read, &program;
  };
  const Cell cells[] = {{"nand.read_slc", "nand.program_slc", c.nand.read_slc, c.nand.program_slc},
                        {"nand.read_mlc", "nand.program_mlc", c.nand.read_mlc, c.nand.program_mlc},
                        {"nand.read_tlc", "nand.program_tlc", c.nand.read_tlc, c.nand.program_tlc},
                        {"nand.read_qlc", "nand.program_qlc", c.nand.read_qlc, c.nand.program_qlc}};
  const Cell& cell = cells[(n.bits_per_cell - 1) % 4];
  Report r;
  r.seconds = n.seconds;
  const auto operations = [&](std::string_view name, std::string_view coefficient, const PerOperation& each, std::uint64_t count,
                              std::string_view unit, std::optional<double>& total) {
    r.terms.push_back({name, coefficient, count, unit, times(each.value, static_cast<double>(count))});
    total = sum(total, r.terms.back().joules);
  };
  const auto bytes = [&](std::string_view name, std::string_view coefficient, const PerBit& each, Bytes count,
                         std::optional<double>& total) {
    r.terms.push_back({name, coefficient, count.count, "bytes", times(each.value, 8.0 * static_cast<double>(count.count))});
    total = sum(total, r.terms.back().joules);
  };
  const auto idle = [&](std::string_view name, std::string_view coefficient, const Power& each, std::uint32_t count, std::string_view unit,
                        std::optional<double>& total) {
    r.terms.push_back({name, coefficient, count, unit, times(each.value, count * n.seconds)});
    total = sum(total, r.terms.back().joules);
  };
  r.drives = r.dpu = 0;
  operations("nand_read", cell.read_name, cell.read, n.plane_senses, "plane senses", r.drives);
  const PerOperation program{times(cell.program.value, 1.0 / n.programs_per_wordline)};
  operations("nand_program", cell.program_name, program, n.plane_programs, "plane programs", r.drives);
  operations("nand_erase", "nand.erase", c.nand.erase, n.plane_erases, "plane erases", r.drives);
  bytes("channel", "nand.channel", c.nand.channel, n.channel, r.drives);
  bytes("link", "drive.link", c.drive.link, n.link, r.drives);
  // Only if it is given: without L0p most people have it in drive.idle.
  if (c.drive.lane.value) {
    r.terms.push_back({"link_lanes", "drive.lane", n.lane_ns, "lane ns", times(c.drive.lane.value, 1e-9 * static_cast<double>(n.lane_ns))});
    r.drives = sum(r.drives, r.terms.back().joules);
  }
  idle("drive_idle", "drive.idle", c.drive.idle, n.drives, "drives", r.drives);
  bytes("dram", "dpu.dram", c.dpu.dram, n.dram, r.dpu);
  bytes("fabric", "dpu.fabric", c.dpu.fabric, n.fabric, r.dpu);
  idle("dpu_idle", "dpu.idle", c.dpu.idle, 1, "DPU", r.dpu);
  r.total = sum(r.drives, r.dpu);
  if (n.host.count != 0) {
    r.drives_per_byte = times(r.drives, 1 / static_cast<double>(n.host.count));
    r.per_byte = times(r.total, 1 / static_cast<double>(n.host.count));
  }
  return r;
}

}  // namespace flashpath::energy

// SPDX-License-Identifier: Apache-2.0
#include "sim/energy_report.h"

#include <fmt/format.h>

namespace flashpath::sim {
namespace {

std::uint64_t total(const stats::Group& group, std::string_view name) {
  std::uint64_t sum = 0;
  for (const auto* c : group.counters()) sum += c->name == name ? c->value : 0;
  for (const auto* child : group.children()) sum += total(*child, name);
  return sum;
}

/// A counter, summed over all parts whose name ends so.
std::uint64_t total(const Machine& machine, std::string_view part, std::string_view name) {
  std::uint64_t sum = 0;
  for (const Part* p : machine.platform.parts()) {
    if (std::string_view{p->name()}.ends_with(part)) sum += total(p->stats, name);
  }
  return sum;
}

std::string joules(const std::optional<double>& value) {
  if (!value) return "n/a";
  const std::pair<double, const char*> units[] = {{1, "J"}, {1e-3, "mJ"}, {1e-6, "uJ"}, {1e-9, "nJ"}};
  for (const auto& [scale, unit] : units) {
    if (*value >= scale) return fmt::format("{:.3f} {}", *value / scale, unit);
  }
  return fmt::format("{:.3g} J", *value);
}

}  // namespace

std::optional<energy::Coefficients> read_energy(const std::string& file, UserErrors& errors) {
  return file.empty() ? std::nullopt : std::optional{energy::load(file, errors)};
}

energy::Counts energy_counts(const Machine& machine, Duration span) {
  const auto& config = const_cast<Machine&>(machine).platform.config();
  const Flash flash = flash_totals(machine);
  const bool pages = config.nand.program_unit == nand::ProgramUnit::page;
  return {.bits_per_cell = config.nand.bits_per_cell,
          .plane_senses = total(machine, ".nand", "plane_senses"),
          .plane_programs = total(machine, ".nand", "plane_programs"),
          .plane_erases = total(machine, ".nand", "plane_erases"),
          .programs_per_wordline = pages ? config.nand.bits_per_cell : 1,
          .channel = {total(machine, ".nand", "channel_bytes")},
          .link = {total(machine, ".link", "wire")},
          .dram = {total(machine, "dram", "bytes_read") + total(machine, "dram", "bytes_written")},
          .fabric = {total(machine, "fabric", "bytes_in") + total(machine, "fabric", "bytes_out")},
          .drives = config.general.drives,
          .seconds = to_seconds(span),
          .lane_ns = config.pcie.l0p_lanes != 0
                         ? total(machine, ".link", "lane_time") / 1000
                         : std::uint64_t{config.general.drives} * config.pcie.lanes * static_cast<std::uint64_t>(span.count() / 1000),
          .host = {flash.host_read + flash.host_written}};
}

Json energy_report(const energy::Coefficients& coefficients, const energy::Counts& counts) {
  const energy::Report r = energy::report(coefficients, counts);
  Json j;
  Json& given = j["coefficients"] = Json::object();
  for (const auto& p : coefficients.given) given[p.path] = {{"value", p.value}, {"known", name_of(p.known)}, {"source", p.source}};
  Json& terms = j["terms"] = Json::object();
  fmt::print("\nEnergy\n");
  for (const auto& t : r.terms) {
    terms[std::string{t.name}] = {{"coefficient", t.coefficient}, {"count", t.count}, {"unit", t.unit}, {"energy_j", number(t.joules)}};
    fmt::print("  {:<14} {:>14}  ({} {}{})\n", t.name, joules(t.joules), t.count, t.unit,
               t.joules ? "" : fmt::format("; {} is not given", t.coefficient));
  }
  j["seconds"] = r.seconds;
  j["drives_j"] = number(r.drives);
  j["dpu_j"] = number(r.dpu);
  j["total_j"] = number(r.total);
  j["drives_j_per_host_byte"] = number(r.drives_per_byte);
  j["total_j_per_host_byte"] = number(r.per_byte);
  fmt::print("  {:<14} {:>14}  {} per byte read or written\n  {:<14} {:>14}  {} per byte\n", "drives", joules(r.drives),
             joules(r.drives_per_byte), "total", joules(r.total), joules(r.per_byte));
  return j;
}

}  // namespace flashpath::sim

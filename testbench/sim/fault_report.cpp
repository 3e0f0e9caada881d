// SPDX-License-Identifier: Apache-2.0
#include "sim/fault_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace flashpath::sim {
namespace {

/// What the flash faults of a drive have cost it so far, by the names of its statistics.
struct FaultCost {
  const char *part, *name, *text;
};
constexpr FaultCost fault_costs[]{{".ftl", "dead_dies", "dead dies"},
                                  {".ftl", "lost_units", "mapping units lost"},
                                  {".ftl", "rewritten", "units placed again"},
                                  {".ftl", "rebuilds", "reads that needed parity"},
                                  {".ftl", "rebuild_reads", "flash reads for them"},
                                  {".ftl", "rebuild_failures", "rebuilds that failed"},
                                  {".nvme", "media_errors", "commands ended with a media error"}};

std::uint64_t counter_of(const Machine& m, const std::string& part, std::string_view name) {
  for (const Part* p : m.platform.parts()) {
    if (part != p->name()) continue;
    for (const stats::Counter* c : p->stats.counters())
      if (c->name == name) return c->value;
  }
  return 0;
}

std::string drive_fault(Machine& m, std::uint32_t drive, Json& j) {
  const auto& losses = m.platform.firmware().service().losses();
  const auto loss = std::ranges::find(losses, drive, &firmware::KvService::Loss::drive);
  if (loss == losses.end()) {
    j["noticed_s"] = nullptr;
    return "not noticed before the end (firmware.drive_loss_time)";
  }
  const std::uint64_t ended = m.platform.firmware().driver().aborted(drive);
  j["noticed_s"] = to_seconds(loss->at - m.ready);
  j["objects_lost"] = loss->objects;
  j["bytes_lost"] = loss->bytes.count;
  j["objects_degraded"] = loss->degraded;
  j["commands_ended"] = ended;
  return fmt::format("noticed at {:.6f} s: {} objects ({}) lost, {} left with one copy of a part, {} commands ended without it",
                     to_seconds(loss->at - m.ready), loss->objects, human_bytes(static_cast<double>(loss->bytes.count)), loss->degraded,
                     ended);
}

}  // namespace

void report_faults(Machine& m, Json& result) {
  const auto& faults = m.platform.faults();
  if (faults.empty()) return;
  Json& list = result["faults"] = Json::array();
  Json& sums = result["fault_costs"] = Json::object();
  std::vector<std::uint32_t> drives;  // with faults of their flash
  fmt::print("\n  Faults\n");
  for (const auto& happened : faults) {
    const platform::Fault& fault = happened.fault;
    const std::string name = name_of(fault);
    Json j{{"fault", name}, {"at_s", to_seconds(fault.at)}, {"happened", happened.happened}};
    std::string text = fmt::format("{:<16} at {:.6f} s: ", name, to_seconds(fault.at));
    if (!happened.happened) text += "the run was over";
    else if (fault.what == platform::Fault::What::drive) text += drive_fault(m, fault.drive, j);
    else {
      text += "happened";
      if (std::ranges::find(drives, fault.drive) == drives.end()) drives.push_back(fault.drive);
    }
    fmt::print("  {}\n", text);
    list.push_back(std::move(j));
  }
  std::ranges::sort(drives);
  for (const std::uint32_t d : drives) {
    const std::string drive = "drive" + std::to_string(d);
    std::string text;
    for (const FaultCost& cost : fault_costs) {
      const std::uint64_t n = counter_of(m, drive + cost.part, cost.name);
      sums[drive][cost.name] = n;
      if (n != 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, cost.text);
    }
    fmt::print("  {:<16} {}\n", drive, text.empty() ? "nothing was touched by them" : text);
  }
}

}  // namespace flashpath::sim

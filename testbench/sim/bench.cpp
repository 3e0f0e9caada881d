// SPDX-License-Identifier: Apache-2.0
// bench: what the simulator itself costs, and a guard against losing it.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <fstream>
#include <map>
#include <memory>

#include "base/error.h"
#include "sim/bench_cases.h"
#include "sim/run.h"

namespace flashpath::sim {
namespace {

struct BenchOptions {
  std::vector<std::string> cases;
  std::uint64_t scale = 1;
  std::uint32_t rounds = 3;
  std::string json, guard, record;
};

/// The best of some runs: other work on the machine only ever adds.
struct Best {
  Cost cost;
  double value = 0;     ///< the case's figure
  double relative = 0;  ///< CPU time of the work in reference loops; 0: not a matter of speed
};

double figure_of(const BenchCase& c, const Cost& cost) {
  switch (c.figure) {
    case Figure::requests_per_cpu_s: return static_cast<double>(cost.requests) / cost.cpu_s;
    case Figure::pages_per_cpu_s: return static_cast<double>(cost.pages) / cost.cpu_s;
    case Figure::bytes_per_unit: return cost.units == 0 ? 0 : static_cast<double>(cost.map_bytes) / static_cast<double>(cost.units);
    case Figure::channels_ratio: return cost.cpu_s;
    case Figure::start_up: return cost.start_cpu_s;
  }
  return 0;
}

bool measure(const BenchCase& c, const BenchOptions& o, Best& best) {
  const bool of_speed = c.figure == Figure::requests_per_cpu_s || c.figure == Figure::pages_per_cpu_s;
  const bool timed = c.figure != Figure::bytes_per_unit;
  double narrow = 0;
  for (std::uint32_t round = 0; round < (timed ? o.rounds : 1U); ++round) {
    if (c.figure == Figure::channels_ratio) {
      BenchCase few = c, many = c;
      few.settings.insert(few.settings.end(), {"nand.channels=4", "nand.dies_per_channel=16", "ftl.capacity=3TB"});
      many.settings.insert(many.settings.end(), {"nand.channels=32", "nand.dies_per_channel=2", "ftl.capacity=3TB"});
      const Cost a = run_case(few, o.scale), b = run_case(many, o.scale);
      if (!a.ok || !b.ok) return false;
      narrow = round == 0 ? a.cpu_s : std::min(narrow, a.cpu_s);
      if (round == 0 || b.cpu_s < best.cost.cpu_s) best.cost = b;
      continue;
    }
    const Cost cost = run_case(c, o.scale);
    if (!cost.ok) return false;
    const double relative = cost.cpu_s / static_cast<double>(cost.requests) / cost.reference_s;
    if (of_speed) best.relative = round == 0 ? relative : std::min(best.relative, relative);
    const bool better = c.figure == Figure::start_up ? cost.start_cpu_s < best.cost.start_cpu_s : cost.cpu_s < best.cost.cpu_s;
    if (round == 0 || better) best.cost = cost;
  }
  best.value = c.figure == Figure::channels_ratio ? best.cost.cpu_s / narrow : figure_of(c, best.cost);
  return true;
}

std::string show(const BenchCase& c, double value) {
  switch (c.figure) {
    case Figure::requests_per_cpu_s: return fmt::format("{:.3f} M requests/CPU s", value / 1e6);
    case Figure::pages_per_cpu_s: return fmt::format("{:.2f} M flash pages/CPU s", value / 1e6);
    case Figure::bytes_per_unit: return fmt::format("{:.2f} B", value);
    case Figure::channels_ratio: return fmt::format("x{:.2f}", value);
    case Figure::start_up: return fmt::format("{:.3f} CPU s", value);
  }
  return {};
}

bool less_is_better(const BenchCase& c) { return c.figure != Figure::requests_per_cpu_s && c.figure != Figure::pages_per_cpu_s; }

std::string verdict(const BenchCase& c, double value) {
  const auto met = [&](double bar) { return less_is_better(c) ? value <= bar : value >= bar; };
  return met(c.aim) && c.aim != 0 ? "aim met" : met(c.required) ? "as required" : "below what is required";
}

/// "name ratio" a line, '#' comments. What a case may cost, in reference loops per request.
std::map<std::string, double> read_guard(const std::string& path) {
  std::ifstream in{path};
  UserErrors errors;
  std::map<std::string, double> guard;
  if (!in) errors.add(path + ": cannot be read");
  std::string line;
  for (int n = 1; std::getline(in, line); ++n) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t blank = line.find(' ');
    char* end = nullptr;
    const double value = blank == std::string::npos ? 0 : std::strtod(line.c_str() + blank, &end);
    if (blank == std::string::npos || value <= 0 || end == nullptr || *end != '\0')
      errors.add(fmt::format("{}:{}: expected a case's name, a blank and a positive number", path, n));
    else guard[line.substr(0, blank)] = value;
  }
  if (errors.empty() && guard.empty()) errors.add(path + ": no case in it");
  errors.raise_if_any();
  return guard;
}

int run_bench(const BenchOptions& o) {
  const std::vector<BenchCase> all = bench_cases();
  UserErrors errors;
  std::string names;
  for (const auto& c : all) names += (names.empty() ? "" : ", ") + std::string(c.name);
  for (const auto& name : o.cases)
    if (std::ranges::none_of(all, [&](const BenchCase& c) { return name == c.name; }))
      errors.add("--case " + name + ": not one of " + names);
  if (o.scale == 0 || o.scale > 1000) errors.add(fmt::format("--scale {}: at least 1 and at most 1000", o.scale));
  if (o.rounds == 0) errors.add("--rounds 0: at least 1");
  errors.raise_if_any();
  const std::map<std::string, double> guard = o.guard.empty() ? std::map<std::string, double>{} : read_guard(o.guard);
  constexpr double tolerance = 1.20;

  Json json = {{"schema", "flashpath.bench/1"}, {"version", version}, {"scale", o.scale}, {"rounds", o.rounds}, {"cases", Json::array()}};
  std::string recorded = fmt::format(
      "# What a case costs, in reference loops per request. A loss of 20 % fails the guard.\n# flashpath bench --scale {} --rounds {} "
      "--record FILE\n",
      o.scale, o.rounds);
  bool lost = false, broken = false;
  for (const auto& c : all) {
    if (!o.cases.empty() && std::ranges::find(o.cases, c.name) == o.cases.end()) continue;
    if (!guard.empty() && !guard.contains(c.name)) continue;
    Best best;
    if (!measure(c, o, best)) {
      fmt::print(stderr, "flashpath: {}: the run did not end as it should\n", c.name);
      broken = true;
      continue;
    }
    const Cost& k = best.cost;
    fmt::print("{:<18} {:<62} {:>28}   {}\n", c.name, c.what, show(c, best.value), verdict(c, best.value));
    fmt::print("{:<18}   required {}{}{}\n", "", show(c, c.required), c.aim == 0 ? "" : ", aim " + show(c, c.aim),
               c.mqsim == 0 ? "" : ", MQSim " + show(c, c.mqsim));
    if (c.figure == Figure::start_up) {
      fmt::print("{:<18}   {} of memory before the first write (required 50 MB)\n", "", human_bytes(static_cast<double>(k.start_rss)));
    } else if (c.figure != Figure::bytes_per_unit) {
      fmt::print("{:<18}   {:.2f} CPU s, {:.1f} actions per request, {:.0f} ns each{}\n", "", k.cpu_s,
                 static_cast<double>(k.actions) / static_cast<double>(k.requests), k.cpu_s * 1e9 / static_cast<double>(k.actions),
                 k.waf > 0 ? fmt::format(", write amplification {:.2f}", k.waf) : "");
    }
    if (const auto bound = guard.find(c.name); bound != guard.end()) {
      double ratio = best.relative / bound->second;
      for (int again = 0; again < 2 && ratio > tolerance; ++again) {  // a loss is there every time, a neighbour's burst is not
        if (Best other; measure(c, o, other)) ratio = std::min(ratio, other.relative / bound->second);
      }
      fmt::print("{:<18}   {:.2f} of the recorded cost\n", "", ratio);
      if (ratio > tolerance) {
        fmt::print(stderr, "flashpath: {}: {:.0f} % more expensive than recorded in {}\n", c.name, (ratio - 1) * 100, o.guard);
        lost = true;
      }
    }
    if (best.relative > 0) recorded += fmt::format("{} {:.4g}\n", c.name, best.relative);
    std::fflush(stdout);
    json["cases"].push_back({{"name", c.name},
                             {"what", c.what},
                             {"value", best.value},
                             {"required", c.required},
                             {"relative", best.relative},
                             {"cpu_s", k.cpu_s},
                             {"requests", k.requests},
                             {"flash_pages", k.pages},
                             {"actions", k.actions},
                             {"waf", k.waf},
                             {"start_cpu_s", k.start_cpu_s},
                             {"start_rss_bytes", k.start_rss},
                             {"peak_rss_bytes", k.rss}});
  }
  const auto save = [&](const std::string& path, const std::string& text) {
    if (path.empty()) return true;
    std::ofstream out{path};
    out << text;
    out.flush();
    if (!out) fmt::print(stderr, "flashpath: {}: cannot be written\n", path);
    return static_cast<bool>(out);
  };
  const bool saved = save(o.json, json.dump(1) + "\n") && save(o.record, recorded);
  if (broken) return exit_law_broken;
  if (!saved) return exit_unwritable;
  return lost ? 1 : 0;
}

}  // namespace

Command add_bench(CLI::App& app) {
  auto o = std::make_shared<BenchOptions>();
  app.add_option("--case", o->cases, "only these cases")->type_name("NAME ...");
  app.add_option("--scale", o->scale, "divide the number of requests: quicker, and noisier")->capture_default_str();
  app.add_option("--rounds", o->rounds, "runs of each case; the best counts, since other work on the machine only adds")
      ->capture_default_str();
  app.add_option("--json", o->json, "write the figures there")->type_name("FILE");
  app.add_option("--record", o->record, "write what each case costs, relative to a reference loop, there")->type_name("FILE");
  app.add_option("--guard", o->guard, "compare with such a file: exit code 1 if a case costs over 20 % more")->type_name("FILE");
  return [o] { return run_bench(*o); };
}

}  // namespace flashpath::sim

// SPDX-License-Identifier: Apache-2.0
// The pieces of result.json.
#include <sys/resource.h>

#include "sim/run.h"

namespace flashpath::sim {

Json header(const std::string& command, const platform::Resolved& resolved) {
  Json j;
  j["schema"] = "flashpath.result/1";
  j["complete"] = false;
  j["ending"] = "running";
  j["command"] = command;
  j["version"] = version;
  j["platform"] = resolved.preset;
  j["seed"] = resolved.config.general.seed;
  Json& parameters = j["parameters"] = Json::object();
  for (const auto& p : resolved.parameters) parameters[p.path] = {{"value", p.value}, {"known", name_of(p.known)}, {"source", p.source}};
  return j;
}

Json histogram(const stats::Histogram& h) {
  Json j{{"count", h.count()}, {"mean_ns", h.mean() / 1e3}};
  const auto ns = [](Duration d) { return static_cast<double>(d.count()) / 1e3; };
  j["min_ns"] = ns(h.min());
  for (const auto& [name, ppm] : std::initializer_list<std::pair<const char*, std::uint64_t>>{{"p50_ns", 500'000},
                                                                                              {"p90_ns", 900'000},
                                                                                              {"p95_ns", 950'000},
                                                                                              {"p99_ns", 990'000},
                                                                                              {"p99.9_ns", 999'000},
                                                                                              {"p99.99_ns", 999'900}}) {
    j[name] = ns(h.percentile(ppm));
  }
  j["max_ns"] = ns(h.max());
  return j;
}

Json statistics(const stats::Group& group, Duration span) {
  Json j = Json::object();
  for (const auto* c : group.counters()) j[std::string(c->name)] = {{"value", c->value}, {"unit", name_of(c->unit)}};
  for (const auto* b : group.busy()) {
    j[std::string(b->name)] = {{"busy_ps", b->value.count()}, {"servers", b->servers}, {"utilisation", b->utilisation(span)}};
  }
  for (const auto* h : group.histograms()) {
    if (h->count() != 0) j[std::string(h->name)] = histogram(*h);
  }
  for (const auto* child : group.children()) j[child->name()] = statistics(*child, span);
  return j;
}

Json platform_statistics(Machine& machine, Duration span) {
  Json j = Json::object();
  for (const Part* part : machine.platform.parts()) {
    const std::string name = part->name();
    const auto dot = name.find('.');
    (dot == std::string::npos ? j[name] : j[name.substr(0, dot)][name.substr(dot + 1)]) = statistics(part->stats, span);
  }
  j["client"] = statistics(machine.client.stats, span);
  return j;
}

Json host_cost(const Machine& machine, double cpu_at_start, std::uint64_t flash_pages) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double cpu = cpu_seconds() - cpu_at_start;
  auto& agenda = const_cast<Machine&>(machine).platform.agenda();
  return {{"cpu_s", cpu},
          {"peak_rss_bytes", static_cast<std::uint64_t>(usage.ru_maxrss) * 1024U},
          {"actions", agenda.executed()},
          {"actions_per_cpu_s", cpu > 0 ? static_cast<double>(agenda.executed()) / cpu : 0},
          {"flash_pages", flash_pages},
          {"flash_pages_per_cpu_s", cpu > 0 ? static_cast<double>(flash_pages) / cpu : 0}};
}

}  // namespace flashpath::sim

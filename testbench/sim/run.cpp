// SPDX-License-Identifier: Apache-2.0
#include "sim/run.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

namespace flashpath::sim {

namespace {
void each_busy(const stats::Group& group, const std::string& path, const std::function<void(const stats::Busy&, const std::string&)>& see) {
  for (const stats::Busy* busy : group.busy()) see(*busy, path + "." + std::string(busy->name));
  for (const stats::Group* child : group.children()) each_busy(*child, path + "." + child->name(), see);
}
}  // namespace

Machine::Machine(const platform::Resolved& resolved)
    : platform{resolved.config,
               [] {
                 platform::Catalog c;
                 platform::add_model_parts(c);
                 return c;
               }()},
      client{"client", platform.environment(), 16, resolved.config.fabric.connections} {
  client.out().bind(platform.fabric().client_in());
  platform.fabric().client_out().bind(client.in());
  ready = platform.boot();
  actions_at_ready = platform.agenda().executed();
  platform.finish(ready);
  for (const Part* part : platform.parts())
    each_busy(part->stats, part->name(), [&](const stats::Busy& busy, const std::string&) { busy_at_ready[&busy] = busy.value; });
}

std::string_view name_of(Ending ending) {
  switch (ending) {
    case Ending::finished: return "finished";
    case Ending::interrupted: return "interrupted";
    case Ending::stalled: return "stalled";
    case Ending::broken: return "a conservation law was broken";
    case Ending::unwritable: return "the result could not be written";
  }
  return "?";
}

int exit_code(Ending ending) {
  switch (ending) {
    case Ending::finished: return 0;
    case Ending::interrupted: return exit_interrupted;
    case Ending::stalled:
    case Ending::broken: return exit_law_broken;
    case Ending::unwritable: return exit_unwritable;
  }
  return exit_law_broken;
}

namespace {
void explain_stall(Machine& machine, const std::string& why) {
  fmt::print(stderr, "flashpath: the simulation stands still at {:.6f} s: {}\n", to_seconds(machine.platform.now() - Time{}), why);
  Stall stall;
  machine.platform.explain(stall);
  stall.about(machine.client.name());
  machine.client.explain(stall);
  for (const auto& line : stall.lines()) fmt::print(stderr, "  {}\n", line);
}
}  // namespace

Ending run(Machine& machine, const Watch& watch, Progress::Style style) {
  Progress progress{style};
  platform::Platform& platform = machine.platform;
  const Duration watchdog = platform.config().general.watchdog;
  std::uint64_t completed = watch.completed();
  Time last_completion = platform.now();
  // Slices of simulated time, adapted so that the wall-clock questions (Ctrl-C, the bar) are asked some ten times a second.
  Duration slice = 100us;
  // The run ends with the action that finishes the work, so that rates and utilisations are over the work's own time.
  while (!watch.done()) {
    if (interrupted()) return Ending::interrupted;
    if (!watch.writable()) return Ending::unwritable;
    const Time next = platform.next_event();
    if (next == never) {
      progress.clear();
      explain_stall(machine, "nothing is scheduled, but work is left");
      return Ending::stalled;
    }
    const std::uint64_t before = platform.agenda().executed();
    platform.run_until(std::max(next, platform.now() + slice), watch.done);
    const std::uint64_t actions = platform.agenda().executed() - before;
    if (actions > 2'000'000 && slice > 1us) slice /= 2;
    else if (actions < 500'000 && slice < 1s) slice *= 2;
    if (watch.completed() != completed) {
      completed = watch.completed();
      last_completion = platform.now();
    } else if (platform.now() - last_completion > watchdog && machine.client.in_flight() + platform.firmware().jobs().in_flight() > 0) {
      progress.clear();
      explain_stall(machine,
                    fmt::format("work is in flight, but nothing has been completed for {:.3f} s of simulated time", to_seconds(watchdog)));
      return Ending::stalled;
    }
    if (progress.due()) {
      const auto [part, text] = watch.progress();
      progress.show(part, text);
    }
  }
  return Ending::finished;
}

std::vector<Use> utilisations(const Machine& machine, Duration span) {
  std::vector<Use> uses;
  for (const Part* part : machine.platform.parts()) {
    each_busy(part->stats, part->name(), [&](const stats::Busy& busy, const std::string& path) {
      uses.push_back({path, busy.utilisation(busy.value - machine.busy_at_ready.at(&busy), span)});
    });
  }
  std::stable_sort(uses.begin(), uses.end(), [](const Use& a, const Use& b) { return a.utilisation > b.utilisation; });
  return uses;
}

std::string percent_table(const std::vector<Use>& uses) {
  std::string text;
  std::map<std::string, std::pair<double, int>> kinds;  // drives of one kind, together
  std::vector<std::string> order;
  for (const Use& use : uses) {
    std::string kind = use.resource;
    if (kind.starts_with("drive")) kind = "drives" + kind.substr(kind.find('.'));
    if (!kinds.contains(kind)) order.push_back(kind);
    auto& [most, count] = kinds[kind];
    most = std::max(most, use.utilisation);
    ++count;
  }
  for (const auto& kind : order) {
    const auto& [most, count] = kinds[kind];
    constexpr int width = 30;
    std::string bar(static_cast<std::size_t>(std::clamp(most, 0.0, 1.0) * width + 0.5), '#');
    bar.resize(width, '.');
    text += fmt::format("  {:<28} {:6.2f} %  {}{}\n", kind, most * 100, bar, count > 1 ? fmt::format("  (busiest of {})", count) : "");
  }
  return text;
}

Ending check(Machine& machine, Ending ending, const std::function<void(Laws&)>& more, Json& result) {
  Laws laws;
  const Time now = machine.platform.now();
  machine.platform.finish(now);
  machine.platform.check(laws, now);
  laws.about(machine.client.name());
  machine.client.check(laws, now);
  more(laws);
  for (const auto& broken : laws.broken()) fmt::print(stderr, "flashpath: broken law: {}\n", broken);
  result["laws"] = {{"checked", laws.checked()}, {"broken", laws.broken()}};
  return laws.broken().empty() || ending != Ending::finished ? ending : Ending::broken;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Flash flash_totals(const Machine& machine) {
  Flash f;
  for (const Part* part : machine.platform.parts()) {
    if (!std::string_view{part->name()}.ends_with(".ftl")) continue;
    std::optional<std::uint64_t> due;
    const std::uint64_t before = f.programmed;
    for (const stats::Counter* c : part->stats.counters()) {
      if (c->name == "host_read") f.host_read += c->value;
      else if (c->name == "unmapped_read") f.unmapped_read += c->value;
      else if (c->name == "host_written") f.host_written += c->value;
      else if (c->name == "flash_read") f.read += c->value;
      else if (c->name == "flash_programmed") f.programmed += c->value;
      else if (c->name == "due") due = c->value;
      else if (c->name == "flash_reads") f.reads += c->value;
      else if (c->name == "flash_programs") f.programs += c->value;
      else if (c->name == "flash_erases") f.erases += c->value;
    }
    f.due += due.value_or(f.programmed - before);  // without a buffer nothing is due
  }
  return f;
}

Json number(std::optional<double> value) { return value ? Json(*value) : Json(nullptr); }
std::string human_number(std::optional<double> value) { return value ? fmt::format("{:.3f}", *value) : "n/a"; }

std::string human_bytes(double b) {
  const char* units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  int i = 0;
  for (; b >= 1000 && i < 5; ++i) b /= 1000;
  return fmt::format("{:.2f} {}", b, units[i]);
}

std::string human_time(Duration d) {
  const double us = to_us(d);
  if (us >= 1e6) return fmt::format("{:.3f} s", us / 1e6);
  if (us >= 1e3) return fmt::format("{:.3f} ms", us / 1e3);
  return fmt::format("{:.3f} us", us);
}

}  // namespace flashpath::sim

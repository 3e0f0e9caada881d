// SPDX-License-Identifier: Apache-2.0
// The program's commands. Each adds its options to the command line and returns the process's exit code.
#pragma once
#include <CLI/App.hpp>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "platform/config.h"
#include "sim/progress.h"

namespace flashpath::sim {

inline constexpr const char* version = "0.1.0";

/// Options that every command with a platform takes.
struct PlatformOptions {
  std::string platform;
  std::vector<std::string> files;
  std::vector<std::string> assignments;
  std::vector<std::string> faults;  ///< WHAT@TIME each; added to those of the assignments
  platform::Resolved load() const {
    std::vector<std::string> all = assignments;
    std::string list;
    for (const auto& a : assignments)
      if (a.starts_with("faults=")) list = a.substr(7);
    for (const auto& f : faults) list += (list.empty() ? "" : ",") + f;
    if (!faults.empty()) all.push_back("faults=" + list);
    platform::Resolved resolved = platform::load(platform, files, all);
    for (const auto& note : resolved.notes) std::fprintf(stderr, "flashpath: note: %s\n", note.c_str());
    return resolved;
  }
  /// The same; throws also if there were mistakes before, all of them together.
  platform::Resolved load(UserErrors& mistakes) const {
    platform::Resolved resolved;
    try {
      resolved = load();
    } catch (const UserErrors& more) { mistakes.list.insert(mistakes.list.end(), more.list.begin(), more.list.end()); }
    mistakes.raise_if_any();
    return resolved;
  }
};

/// Options that every command with a result takes.
struct RunOptions {
  std::string out;
  bool force = false;
  std::string progress = "auto";
  std::string energy;  ///< file of coefficients
  Progress::Style style() const {
    return progress == "none" ? Progress::Style::none : progress == "json" ? Progress::Style::json : Progress::Style::automatic;
  }
};

void add_platform_options(CLI::App& app, PlatformOptions& options, const std::string& preset);
void add_fault_option(CLI::App& app, PlatformOptions& options);
void add_run_options(CLI::App& app, RunOptions& options);

/// A number in a range; not a number is in none.
std::string number_within(const std::string& text, double low, double high);

/// fio's sizes: 4k is 4 KiB there and here; our own units work too.
std::string unit_of_fio(std::string text);

/// What stood after `--` on the command line.
std::vector<std::string>& other_command();

/// Each registers one command; the function given back runs it.
using Command = std::function<int()>;
Command add_describe(CLI::App& app);
Command add_parameters(CLI::App& app);
Command add_waf(CLI::App& app);
Command add_bench(CLI::App& app);
Command add_hits(CLI::App& app);
Command add_io(CLI::App& app);
Command add_replay(CLI::App& app);
Command add_age(CLI::App& app);
Command add_shell(CLI::App& app);

}  // namespace flashpath::sim

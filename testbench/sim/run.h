// SPDX-License-Identifier: Apache-2.0
// What io and replay share: a platform with its client, run to the end under watch, and the report of what happened.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "host/fabric_client_part.h"
#include "platform/platform.h"
#include "sim/commands.h"
#include "sim/output.h"

namespace flashpath::sim {

/// A platform, booted, with a client on its fabric.
struct Machine {
  explicit Machine(const platform::Resolved& resolved);
  platform::Platform platform;
  host::FabricClient client;
  Time ready{};  ///< when it had booted: the run's time zero
  std::uint64_t actions_at_ready = 0;
  std::map<const stats::Busy*, Duration> busy_at_ready;  ///< what bring-up took
};

enum class Ending { finished, interrupted, stalled, broken, unwritable };
std::string_view name_of(Ending ending);
int exit_code(Ending ending);

struct Watch {
  Delegate<bool()> done;                     ///< the work is finished; asked after every action
  std::function<std::uint64_t()> completed;  ///< how much is: what the watchdog looks at
  std::function<std::pair<double, std::string>()> progress;
  std::function<bool()> writable;  ///< false ends the run: the disk is full
};

/// Runs until done, interrupted or stalled. What a stall waits for goes to stderr.
Ending run(Machine& machine, const Watch& watch, Progress::Style style);

/// The resources of a platform by use since it was ready, `span` ago; the narrowest first.
struct Use {
  std::string resource;
  double utilisation;
};
std::vector<Use> utilisations(const Machine& machine, Duration span);
std::string percent_table(const std::vector<Use>& uses);

/// Laws of everything; broken ones are printed and turn `finished` into `broken`.
Ending check(Machine& machine, Ending ending, const std::function<void(Laws&)>& more, Json& result);

// Pieces of result.json (docs/results.md).
Json header(const std::string& command, const platform::Resolved& resolved);
Json histogram(const stats::Histogram& h);
Json statistics(const stats::Group& group, Duration span);
Json platform_statistics(Machine& machine, Duration span);
Json host_cost(const Machine& machine, double cpu_at_start, std::uint64_t flash_pages);
double cpu_seconds();

/// Bytes and operations of all drives together.
struct Flash {
  std::uint64_t host_read = 0, unmapped_read = 0, host_written = 0, read = 0, programmed = 0, reads = 0, programs = 0, erases = 0;
  std::uint64_t due = 0;  ///< programmed, or still in a write buffer
  /// What is in a buffer counts as written and as programmed. Nothing if the host wrote nothing.
  std::optional<double> waf() const {
    if (host_written == 0) return std::nullopt;
    return static_cast<double>(due) / static_cast<double>(host_written);
  }
};
Flash flash_totals(const Machine& machine);

/// null, or "n/a", where there is no number.
Json number(std::optional<double> value);
std::string human_number(std::optional<double> value);
/// "12.3 GB/s", "4.56 TB", "78.9 us": for people.
std::string human_bytes(double bytes);
std::string human_time(Duration d);

}  // namespace flashpath::sim

// SPDX-License-Identifier: Apache-2.0
// What `flashpath bench` runs: the drive under classic loads, the whole platform in the path, timing mode.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "firmware/io_spec.h"

namespace flashpath::sim {

/// What a case's figure counts.
enum class Figure : std::uint8_t { requests_per_cpu_s, pages_per_cpu_s, bytes_per_unit, channels_ratio, start_up };

struct BenchCase {
  const char* name;
  const char* what;
  Figure figure;
  std::vector<std::string> settings;
  firmware::JobSpec job;
  /// What the project asks of itself, and what MQSim 7ec40e3 does on a machine of the same kind (0: does not apply). For channels_ratio
  /// and bytes_per_unit less is better.
  double required, aim, mqsim;
};

std::vector<BenchCase> bench_cases();

/// What one run of a case, in a process of its own, cost.
struct Cost {
  bool ok = false;
  double cpu_s = 0;        ///< of the work, start-up left out
  double start_cpu_s = 0;  ///< until the drive was ready
  std::uint64_t start_rss = 0, rss = 0;
  std::uint64_t requests = 0, pages = 0, actions = 0;
  std::uint64_t map_bytes = 0, units = 0;
  double waf = 0;
  double reference_s = 0;  ///< CPU time of the reference loop, run before and after, the faster one
};

/// Runs it. `scale` divides the number of requests.
Cost run_case(const BenchCase& c, std::uint64_t scale);

/// A fixed piece of work of the same kind as a simulation (a binary heap of events, calls through pointers, scattered state),
/// whose cost stands for the machine's speed of the moment. CPU seconds.
double reference_loop();

}  // namespace flashpath::sim

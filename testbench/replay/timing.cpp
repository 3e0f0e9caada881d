// SPDX-License-Identifier: Apache-2.0
#include "replay/timing.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"

namespace flashpath::replay {
using namespace flashpath::literals;

Duration grid_of(const Log& log) {
  constexpr std::array<Duration, 7> grids = {60s, 30s, 10s, 5s, 3s, 2s, 1s};
  constexpr Duration tolerance = 5ms;
  if (log.span() <= tolerance) return {};
  for (const Duration grid : grids) {
    if (log.span() + tolerance < grid) continue;
    const bool all = std::all_of(log.requests.begin(), log.requests.end(), [grid, tolerance](const Request& r) {
      const Duration off = r.arrival % grid;
      return off <= tolerance || grid - off <= tolerance;
    });
    if (all) return grid;
  }
  return {};
}

void spread(Log& log, Duration grid, std::uint64_t seed) {
  if (grid.count() <= 0) return;
  Random random{seed, "replay.jitter"};
  for (Request& r : log.requests) r.arrival += Duration{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(grid.count())))};
  std::stable_sort(log.requests.begin(), log.requests.end(), [](const Request& a, const Request& b) { return a.arrival < b.arrival; });
  log.report.jittered = true;
}

void accelerate(Log& log, double speedup) {
  if (speedup == 1.0) return;
  for (Request& r : log.requests) r.arrival = Duration{std::llround(static_cast<double>(r.arrival.count()) / speedup)};
}

void retime(Log& log, const ReplayConfig& config) {
  log.report.grid = grid_of(log);
  if (config.jitter) spread(log, log.report.grid, config.seed);
  accelerate(log, config.speedup);
}

}  // namespace flashpath::replay

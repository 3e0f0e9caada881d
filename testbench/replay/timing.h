// SPDX-License-Identifier: Apache-2.0
// When a log's requests arrive in the replay: off the grid its stamps were rounded to, and faster if asked.
//
//   stamps on a 3 s grid:  ||||||        ||||||        ||||||     a burst every 3 s, an artefact of the log:
//   spread over the cell:  | | || |    | | |  | |   | | ||   |    p99 of the time to first token would be it
//
// Each stamp moves forward by a uniform draw from [0, grid), one draw per request in file order, then a
// stable sort. Not modelled: correlation of requests within a cell (nobody published it).
#pragma once
#include <cstdint>
#include <string>
#include <tuple>

#include "base/config.h"
#include "replay/log.h"

namespace flashpath::replay {

struct ReplayConfig {
  bool strict = false;
  bool jitter = true;
  double speedup = 1.0;
  std::uint64_t seed = 1;
  std::uint64_t limit = 0;
  static constexpr auto schema() {
    using C = ReplayConfig;
    return std::tuple{
        Field{"strict", &C::strict, "any bad line ends the run (otherwise more than 1 % of them)", Known::assumed,
              "a published log has none"},
        Field{"jitter", &C::jitter, "spread stamps that lie on a coarse grid over its cells", Known::assumed,
              "the Mooncake conversation log has 3 s stamps: without, p99 of TTFT is the grid's"},
        Field{"speedup", &C::speedup, "arrival times are divided by this", Known::assumed, "1 is the log's own pace", Range{0.001, 1e6}},
        Field{"seed", &C::seed, "seed of the jitter", Known::assumed, "any", Range{std::uint64_t{0}, ~std::uint64_t{0}}},
        Field{"limit", &C::limit, "only the first so many requests; 0: all", Known::assumed, "the whole log",
              Range{std::uint64_t{0}, ~std::uint64_t{0}}},
    };
  }
};

/// The coarsest grid of {60, 30, 10, 5, 3, 2, 1} s that every arrival lies on within 5 ms (exporters round and
/// truncate: 2,999 and 3,003 ms both occur), or zero. One stamp alone is not a grid.
Duration grid_of(const Log& log);

/// Spreads the arrivals of a log over the cells of `grid`, and sorts.
void spread(Log& log, Duration grid, std::uint64_t seed);

/// Divides every arrival.
void accelerate(Log& log, double speedup);

/// All of it, as configured; fills in the report.
void retime(Log& log, const ReplayConfig& config);

}  // namespace flashpath::replay

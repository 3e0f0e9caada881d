// SPDX-License-Identifier: Apache-2.0
// The DPU's on-chip interconnect.
#pragma once
#include <tuple>

#include "base/config.h"

namespace flashpath::bus {

struct Config {
  Duration latency = 20ns;
  Rate bandwidth{};
  std::uint32_t outstanding = 16;

  static constexpr auto schema() {
    using C = Config;
    return std::tuple{
        Field{"latency", &C::latency, "one crossing; a request and its response cross once each", Known::assumed,
              "about 35 cycles of a mesh at 1.7 GHz: with dram.read_latency, 200 ns load-to-use (Grace, chips and cheese)",
              Range{0ns, 1us}},
        Field{"bandwidth", &C::bandwidth, "of the whole interconnect; 0B/s: no limit", Known::assumed,
              "Grace's fabric moves 3.2 TB/s (NVIDIA Grace white paper): never the narrowest place here",
              Range{Rate{0}, Rate{100'000'000'000'000}}},
        Field{"outstanding", &C::outstanding, "requests a master may have in the interconnect that no target has taken yet", Known::assumed,
              "AMBA CHI request credits of a port: 15 or 16", Range{1U, 4096U}},
    };
  }
};

}  // namespace flashpath::bus

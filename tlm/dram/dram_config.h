// SPDX-License-Identifier: Apache-2.0
// The DPU's memory: what it is, how fast it is, and where each number comes from.
#pragma once
#include <string>
#include <tuple>

#include "base/config.h"

namespace flashpath::dram {

struct Config {
  Bytes capacity = 128_GiB;
  Rate peak = {273'056'000'000};
  std::uint32_t efficiency = 880;  // per mille
  Duration read_latency = 160ns;
  Duration write_latency = 60ns;
  Bytes granule = 64_B;
  Bytes small_access = 256_B;
  Bytes queue = 256_KiB;

  static constexpr auto schema() {
    using C = Config;
    return std::tuple{
        Field{"capacity", &C::capacity, "memory fitted", Known::datasheet, "NVIDIA Rubin platform blog: BlueField-4 has 128 GB LPDDR5X",
              Range{1_GiB, Bytes{1ULL << 42U}}},
        Field{"peak", &C::peak, "pin rate, both directions together; 0B/s: no limit", Known::datasheet,
              "256 bit x 8533 MT/s LPDDR5X (JESD209-5C); NVIDIA states 250, Hot Chips 2026 about 275 GB/s",
              Range{Rate{0}, Rate{4'000'000'000'000}}},
        Field{"efficiency", &C::efficiency, "of the peak that mixed bursts reach (refresh, turnaround, page misses), per mille",
              Known::measured, "NVIDIA Grace: more than 900 for streams (CPU architecture white paper); mixed traffic 850 to 900",
              Range{100U, 1000U}},
        Field{"read_latency", &C::read_latency, "request at the controller to its first bytes, idle", Known::measured,
              "Grace LPDDR5X: 200 to 220 ns load-to-use (chips and cheese), less the interconnect's share (bus.latency, both ways)",
              Range{0ns, 2us}},
        Field{"write_latency", &C::write_latency, "last byte at the controller until everybody sees it", Known::assumed,
              "a posted write is visible at the controller's coherent queue, not in the array", Range{0ns, 2us}},
        Field{"granule", &C::granule, "smallest access: shorter ones cost as much", Known::spec, "JESD209-5C: BL32 x 16 bit = 64 B",
              Range{1_B, 4096_B}},
        Field{"small_access", &C::small_access, "a core's access up to this size does not queue behind bursts", Known::assumed,
              "memory controllers serve CPU reads first; four cache lines", Range{0_B, 4096_B}},
        Field{"queue", &C::queue, "bytes the controller accepts beyond those it is serving", Known::assumed,
              "one DMA burst in the write queue: enough to keep the channels busy", Range{0_B, 64_MiB}},
    };
  }
  void check(const std::string& where, UserErrors& errors) const {
    if (peak.bytes_per_second != 0 && peak < 1_GBps) errors.add(where + ".peak: below 1GB/s (0B/s means no limit)");
    if (granule.count != 0 && (granule.count & (granule.count - 1)) != 0) errors.add(where + ".granule: not a power of two");
  }
};

}  // namespace flashpath::dram

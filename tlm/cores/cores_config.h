// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <tuple>

#include "base/config.h"
#include "base/units.h"

namespace flashpath::cores {

struct Config {
  std::uint32_t count = 64;
  Hertz clock = 1'700_MHz;
  std::uint32_t poll_cycles = 75;
  std::uint32_t store_cycles = 2;
  std::uint32_t mmio_cycles = 40;

  static constexpr auto schema() {
    using C = Config;
    return std::tuple{
        Field{"count", &C::count, "cores that run firmware", Known::datasheet,
              "NVIDIA Rubin platform blog 2026, BlueField-4: 64 Arm Neoverse V2", Range{1U, 512U}},
        Field{"clock", &C::clock, "core clock", Known::measured, "Hot Chips 2026 BlueField-4 talk: about 1.7 GHz, power-limited",
              Range{100_MHz, 6_GHz}},
        Field{"poll_cycles", &C::poll_cycles, "from the arrival of work at an idle core to the poll that finds it", Known::assumed,
              "half of one empty turn of a polling loop of about 150 cycles (SPDK NVMe-oF target reports)", Range{0U, 100'000U}},
        Field{"store_cycles", &C::store_cycles, "one 64-byte line of stores, retired through the store buffer", Known::assumed,
              "Arm Neoverse V2 Software Optimization Guide: two store pipes of 16 bytes a cycle", Range{0U, 10'000U}},
        Field{"mmio_cycles", &C::mmio_cycles, "one posted write to a device register, its ordering barrier included", Known::assumed,
              "a store with DMB OSHST; uPCIe minimal NVMe driver: 105 cycles per command in all", Range{0U, 100'000U}},
    };
  }
};

}  // namespace flashpath::cores

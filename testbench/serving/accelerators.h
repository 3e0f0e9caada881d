// SPDX-License-Identifier: Apache-2.0
// Accelerators as a roofline needs them: dense peak, memory bandwidth and size, and how much of each is reached.
//
// A name is a serving instance: "8xh100" is one machine of eight, its peaks added up. `mfu` is the share of the
// peak that a long prefill reaches, communication included; `bandwidth_efficiency` that of a decode step.
// Where a format is not supported in hardware (fp8 on A100) the bf16 peak counts.
// Not modelled: clocks, power limits, per-kernel efficiency, the all-reduce as a separate term.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "base/units.h"
#include "serving/models.h"

namespace flashpath::serving {

struct Accelerator {
  std::string_view name;
  std::uint32_t devices;
  double bf16_flops;  ///< dense peak of one device, FLOP/s
  double fp8_flops;
  Rate hbm_bandwidth;  ///< of one device
  Bytes hbm;           ///< of one device
  double mfu;
  double bandwidth_efficiency;
  std::string_view source;

  constexpr double peak(DType dtype) const { return devices * (dtype == DType::fp8 ? fp8_flops : bf16_flops); }
  constexpr Rate bandwidth() const { return {devices * hbm_bandwidth.bytes_per_second}; }
  constexpr Bytes memory() const { return devices * hbm; }
};

std::span<const Accelerator> accelerators();
/// Throws UserErrors with the nearest name and the list of all.
const Accelerator& find_accelerator(std::string_view name);

}  // namespace flashpath::serving

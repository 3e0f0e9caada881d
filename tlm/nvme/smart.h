// SPDX-License-Identifier: Apache-2.0
// SMART / health information (log page 02h) and what it is made of: the flash's health as the FTL tells it, the controller's own
// counts, and a temperature. No SMART value is made up: what the model has no cause for (power cycles beyond the first, unsafe
// shutdowns) stays at its start.
//
// The temperature is a configured one until somebody sets another: there is no thermal model.
#pragma once
#include <array>
#include <cstdint>

#include "base/units.h"
#include "ftl/health.h"
#include "nvme/nvme_config.h"
#include "nvme/spec_log.h"

namespace flashpath::nvme {

/// Bits of the critical warning, §5.16.1.3.
namespace warning {
inline constexpr std::uint8_t spare = 1U << 0U;
inline constexpr std::uint8_t temperature = 1U << 1U;
inline constexpr std::uint8_t degraded = 1U << 2U;
inline constexpr std::uint8_t read_only = 1U << 3U;
inline constexpr std::uint8_t backup_failed = 1U << 4U;
}  // namespace warning

/// What the controller counts for the log.
struct HostCounts {
  Bytes read{}, written{};
  std::uint64_t reads = 0, writes = 0;
  std::uint64_t media_errors = 0, errors = 0;
  Duration busy{};  ///< some I/O command was inside
};

class Smart {
 public:
  explicit Smart(const Config& config);

  void set_temperature(std::uint32_t kelvin, Time now);

  // Temperature Threshold, §5.27.1.3: TMPTH 15:0, TMPSEL 19:16 (0 composite; Fh: all, set only), THSEL 21:20 (0 over, 1 under).
  void default_thresholds() { thresholds_ = defaults_; }
  bool set_threshold(std::uint32_t cdw11);  ///< false: there is no such threshold
  bool threshold(std::uint32_t cdw11, bool the_default, std::uint32_t& value) const;

  std::uint8_t warnings(const ftl::Health& health) const;
  SmartLog log(const ftl::Health& health, const HostCounts& host, Time now) const;
  EnduranceGroupLog endurance_group(const ftl::Health& health, const HostCounts& host, Bytes capacity, Bytes unallocated) const;

 private:
  Duration hot(std::size_t which, Time now) const;

  std::uint8_t spare_threshold_;
  std::uint32_t temperature_;
  std::array<std::uint32_t, 2> defaults_;  // over, under
  std::array<std::uint32_t, 2> thresholds_;
  std::array<std::uint32_t, 2> limits_;  // WCTEMP, CCTEMP
  std::array<Duration, 2> hot_{};        // at or above warning and below critical; at or above critical
  Time since_{};                         // of the present temperature
};

}  // namespace flashpath::nvme

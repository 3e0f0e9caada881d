// SPDX-License-Identifier: Apache-2.0
#include "nvme/smart.h"

#include <algorithm>

namespace flashpath::nvme {
namespace {
constexpr std::uint64_t data_unit = 512'000;  // thousands of 512 bytes, rounded up

std::uint64_t whole(Duration d, Duration unit) { return static_cast<std::uint64_t>(d.count()) / static_cast<std::uint64_t>(unit.count()); }
constexpr Duration minute = std::chrono::minutes{1};
constexpr Duration hour = std::chrono::hours{1};

U128 units(Bytes bytes) { return {ceil_div(bytes.count, data_unit), 0}; }
/// The endurance group's log counts in billions of bytes, rounded up, §5.16.1.10.
U128 billions(Bytes bytes) { return {ceil_div(bytes.count, 1'000'000'000), 0}; }
}  // namespace

Smart::Smart(const Config& config)
    : spare_threshold_{static_cast<std::uint8_t>(config.spare_threshold)},
      temperature_{config.temperature},
      defaults_{config.warning_temperature, 0},
      thresholds_{defaults_},
      limits_{config.warning_temperature, config.critical_temperature} {}

void Smart::set_temperature(std::uint32_t kelvin, Time now) {
  for (std::size_t i = 0; i < 2; ++i) hot_[i] = hot(i, now);
  since_ = now;
  temperature_ = kelvin;
}

/// Critical time is not warning time: each picosecond counts once.
Duration Smart::hot(std::size_t which, Time now) const {
  const bool critical = temperature_ >= limits_[1];
  const bool counts = which == 1 ? critical : temperature_ >= limits_[0] && !critical;
  return hot_[which] + (counts ? now - since_ : Duration{});
}

bool Smart::set_threshold(std::uint32_t cdw11) {
  const unsigned sensor = cdw11 >> 16U & 0xfU, kind = cdw11 >> 20U & 3U;
  if ((sensor != 0 && sensor != 0xf) || kind > 1) return false;
  thresholds_[kind] = cdw11 & 0xffffU;
  return true;
}

bool Smart::threshold(std::uint32_t cdw11, bool the_default, std::uint32_t& value) const {
  const unsigned sensor = cdw11 >> 16U & 0xfU, kind = cdw11 >> 20U & 3U;
  if (sensor != 0 || kind > 1) return false;
  value = (the_default ? defaults_ : thresholds_)[kind];
  return true;
}

std::uint8_t Smart::warnings(const ftl::Health& health) const {
  unsigned bits = 0;
  if (health.spare < spare_threshold_) bits |= warning::spare;
  if (temperature_ >= thresholds_[0] || temperature_ <= thresholds_[1]) bits |= warning::temperature;
  if (health.degraded) bits |= warning::degraded;
  if (health.read_only) bits |= warning::read_only;
  if (health.backup_failed) bits |= warning::backup_failed;
  return static_cast<std::uint8_t>(bits);
}

SmartLog Smart::log(const ftl::Health& health, const HostCounts& host, Time now) const {
  SmartLog log{};
  log.critical_warning = warnings(health);
  log.composite_temperature = {static_cast<std::uint8_t>(temperature_ & 0xffU), static_cast<std::uint8_t>(temperature_ >> 8U)};
  log.available_spare = health.spare;
  log.available_spare_threshold = spare_threshold_;
  log.percentage_used = static_cast<std::uint8_t>(std::min<std::uint64_t>(health.percentage_used, 255));
  log.endurance_group_critical_warning = log.critical_warning & (warning::spare | warning::degraded | warning::read_only);
  log.data_units_read = units(host.read);
  log.data_units_written = units(host.written);
  log.host_read_commands = {host.reads, 0};
  log.host_write_commands = {host.writes, 0};
  log.controller_busy_time = {whole(host.busy, minute), 0};
  log.power_cycles = {1, 0};
  log.power_on_hours = {whole(now - Time{}, hour), 0};
  log.media_errors = {host.media_errors, 0};
  log.error_log_entries = {host.errors, 0};
  log.warning_temperature_time = static_cast<std::uint32_t>(whole(hot(0, now), minute));
  log.critical_temperature_time = static_cast<std::uint32_t>(whole(hot(1, now), minute));
  return log;
}

EnduranceGroupLog Smart::endurance_group(const ftl::Health& health, const HostCounts& host, Bytes capacity, Bytes unallocated) const {
  EnduranceGroupLog log{};
  log.critical_warning = warnings(health) & (warning::spare | warning::degraded | warning::read_only);
  log.available_spare = health.spare;
  log.available_spare_threshold = spare_threshold_;
  log.percentage_used = static_cast<std::uint8_t>(std::min<std::uint64_t>(health.percentage_used, 255));
  log.data_units_read = billions(host.read);
  log.data_units_written = billions(host.written);
  log.media_units_written = billions(health.programmed);
  log.host_read_commands = {host.reads, 0};
  log.host_write_commands = {host.writes, 0};
  log.media_errors = {host.media_errors, 0};
  log.error_log_entries = {host.errors, 0};
  log.total_capacity = {capacity.count, 0};
  log.unallocated_capacity = {unallocated.count, 0};
  return log;
}

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
// Log pages, NVMe Base Specification 2.0 §5.16.1.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "nvme/spec_identify.h"

namespace flashpath::nvme {

/// Error information, log page 01h: newest first.
struct ErrorEntry {
  std::uint64_t error_count;  ///< 0: the entry is not valid
  std::uint16_t sqid;
  std::uint16_t cid;
  std::uint16_t status;  ///< as in the CQE: code in bits 15:1
  std::uint16_t parameter_location;
  std::uint64_t lba;
  std::uint32_t nsid;
  std::uint8_t vendor_log;
  std::uint8_t trtype;
  std::uint16_t rsvd30;
  std::uint64_t command_specific;
  std::uint16_t transport_specific;
  std::array<std::uint8_t, 22> rsvd42;
};
static_assert(sizeof(ErrorEntry) == 64);
static_assert(offsetof(ErrorEntry, status) == 12);
static_assert(offsetof(ErrorEntry, lba) == 16);
static_assert(offsetof(ErrorEntry, command_specific) == 32);

/// SMART / health information, log page 02h.
struct SmartLog {
  std::uint8_t critical_warning;
  std::array<std::uint8_t, 2> composite_temperature;  ///< kelvin, little-endian
  std::uint8_t available_spare;                       ///< percent
  std::uint8_t available_spare_threshold;
  std::uint8_t percentage_used;
  std::uint8_t endurance_group_critical_warning;
  std::array<std::uint8_t, 25> rsvd7;
  U128 data_units_read;  ///< thousands of 512 B, rounded up
  U128 data_units_written;
  U128 host_read_commands;
  U128 host_write_commands;
  U128 controller_busy_time;  ///< minutes
  U128 power_cycles;
  U128 power_on_hours;
  U128 unsafe_shutdowns;
  U128 media_errors;
  U128 error_log_entries;
  std::uint32_t warning_temperature_time;
  std::uint32_t critical_temperature_time;
  std::array<std::uint16_t, 8> temperature_sensors;
  std::array<std::uint32_t, 4> thermal_management;
  std::array<std::uint8_t, 280> rsvd232;
};
static_assert(sizeof(SmartLog) == 512);
static_assert(offsetof(SmartLog, data_units_read) == 32);
static_assert(offsetof(SmartLog, media_errors) == 160);
static_assert(offsetof(SmartLog, error_log_entries) == 176);
static_assert(offsetof(SmartLog, temperature_sensors) == 200 && offsetof(SmartLog, rsvd232) == 232);

/// Endurance group information, log page 09h.
struct EnduranceGroupLog {
  std::uint8_t critical_warning;  ///< bits 0, 2, 3 as in the SMART log
  std::uint8_t features;          ///< bit 0: media units written are of the group
  std::uint8_t rsvd2;
  std::uint8_t available_spare;
  std::uint8_t available_spare_threshold;
  std::uint8_t percentage_used;
  std::uint16_t domain;
  std::array<std::uint8_t, 24> rsvd8;
  U128 endurance_estimate;  ///< billions of bytes, like the three below; 0: not reported
  U128 data_units_read;
  U128 data_units_written;
  U128 media_units_written;
  U128 host_read_commands;
  U128 host_write_commands;
  U128 media_errors;
  U128 error_log_entries;
  U128 total_capacity;
  U128 unallocated_capacity;
  std::array<std::uint8_t, 320> rsvd192;
};
static_assert(sizeof(EnduranceGroupLog) == 512);
static_assert(offsetof(EnduranceGroupLog, endurance_estimate) == 32);
static_assert(offsetof(EnduranceGroupLog, media_units_written) == 80);
static_assert(offsetof(EnduranceGroupLog, total_capacity) == 160);

/// Device self-test, log page 06h: newest first.
struct SelfTestResult {
  std::uint8_t status;  ///< result 3:0 (Fh: the entry is not used), kind 7:4
  std::uint8_t segment;
  std::uint8_t valid;  ///< which of the fields below are
  std::uint8_t rsvd3;
  std::array<std::uint32_t, 2> power_on_hours;
  std::uint32_t nsid;
  std::array<std::uint32_t, 2> failing_lba;
  std::uint8_t status_code_type;
  std::uint8_t status_code;
  std::uint16_t vendor;
};
struct SelfTestLog {
  std::uint8_t operation;   ///< 0: none, 1 short, 2 extended
  std::uint8_t completion;  ///< percent
  std::uint16_t rsvd2;
  std::array<SelfTestResult, 20> results;
};
static_assert(sizeof(SelfTestResult) == 28 && sizeof(SelfTestLog) == 564);

/// Telemetry, log pages 07h and 08h: a head, and no data blocks.
struct TelemetryLog {
  std::uint8_t id;
  std::array<std::uint8_t, 4> rsvd1;
  std::array<std::uint8_t, 3> ieee;
  std::array<std::uint16_t, 3> last_block;  ///< of areas 1 to 3
  std::uint16_t rsvd14;
  std::uint32_t last_block_4;
  std::array<std::uint8_t, 361> rsvd20;
  std::uint8_t host_generation;
  std::uint8_t controller_available;
  std::uint8_t controller_generation;
  std::array<std::uint8_t, 128> reason;
};
static_assert(sizeof(TelemetryLog) == 512 && offsetof(TelemetryLog, controller_available) == 382);

/// Flexible data placement configurations, log page 20h (TP4146).
struct FdpConfigurationsHead {
  std::uint16_t count;  ///< 0-based
  std::uint8_t version;
  std::uint8_t rsvd3;
  std::uint32_t size;
  std::array<std::uint8_t, 8> rsvd8;
};
struct FdpConfiguration {
  std::uint16_t size;
  std::uint8_t attributes;
  std::uint8_t vendor_size;
  std::uint32_t groups;
  std::uint16_t handles;
  std::uint16_t placement_ids;  ///< 0-based
  std::uint32_t namespaces;
  std::uint64_t unit;  ///< bytes
  std::uint32_t time_limit;
  std::array<std::uint8_t, 36> rsvd28;
};
static_assert(sizeof(FdpConfigurationsHead) == 16 && sizeof(FdpConfiguration) == 64);

/// Firmware slot information, log page 03h.
struct FirmwareSlotLog {
  std::uint8_t afi;
  std::array<std::uint8_t, 7> rsvd1;
  std::array<std::array<char, 8>, 7> frs;
  std::array<std::uint8_t, 448> rsvd64;
};
static_assert(sizeof(FirmwareSlotLog) == 512 && offsetof(FirmwareSlotLog, frs) == 8);

/// Commands supported and effects, log page 05h.
struct CommandEffectsLog {
  std::array<std::uint32_t, 256> admin;
  std::array<std::uint32_t, 256> io;
  std::array<std::uint8_t, 2048> rsvd2048;
};
static_assert(sizeof(CommandEffectsLog) == 4096);

}  // namespace flashpath::nvme

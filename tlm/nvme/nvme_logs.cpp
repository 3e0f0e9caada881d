// SPDX-License-Identifier: Apache-2.0
// Get Log Page, NVMe 2.0 §5.16.
#include <algorithm>
#include <cstring>

#include "nvme/fill.h"
#include "nvme/nvme_model.h"

namespace flashpath::nvme {
namespace {
constexpr std::uint32_t supported = 1;
constexpr std::uint32_t changes_content = 1U << 1U;
constexpr std::uint32_t namespace_inventory = 1U << 3U;
constexpr std::uint32_t no_other_command = 1U << 16U;  // to the same namespace at the same time: CSE 001b
}  // namespace

void ControllerModel::log_page(Command& c, Time now) {
  const auto page = static_cast<LogPage>(c.sqe.cdw10 & 0xffU);
  const bool retain = (c.sqe.cdw10 & (1U << 15U)) != 0;
  const std::uint64_t dwords = ((c.sqe.cdw10 >> 16U) | (static_cast<std::uint64_t>(c.sqe.cdw11 & 0xffffU) << 16U)) + 1;
  const std::uint64_t offset = c.sqe.cdw12 | (static_cast<std::uint64_t>(c.sqe.cdw13) << 32U);
  std::vector<unsigned char>& data = c.data;
  switch (page) {
    case LogPage::supported_pages:
      data.assign(1024, 0);
      for (const unsigned id : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U, 0x20U, 0x21U, 0x22U, 0x23U}) put(data, supported, id * 4U);
      break;
    case LogPage::error_information:
      data.assign(error_log_entries * sizeof(ErrorEntry), 0);
      for (std::size_t i = 0; i < std::min<std::uint64_t>(error_count_, error_log_entries); ++i) {
        put(data, errors_[(error_count_ - 1 - i) % error_log_entries], i * sizeof(ErrorEntry));
      }
      break;
    case LogPage::smart_health:
      if (c.sqe.nsid != 0 && c.sqe.nsid != 0xffff'ffffU) return fail(c, Status::invalid_field);  // LPA bit 0: no log per namespace
      data.assign(sizeof(SmartLog), 0);
      put(data, smart_.log(health(), host_counts(now), now));
      break;
    case LogPage::changed_ns_list: {
      data.assign(4096, 0);
      std::size_t at = 0;
      for (const std::uint32_t id : changed_namespaces_) {
        put(data, id, at);
        at += sizeof id;
      }
      if (changed_namespaces_.size() > 1024) put(data, 0xffff'ffffU, 0);  // too many to be listed
      break;
    }
    case LogPage::endurance_group: {
      if ((c.sqe.cdw11 >> 16U) != 1) return fail(c, Status::invalid_field);  // log specific identifier: the group
      data.assign(sizeof(EnduranceGroupLog), 0);
      put(data, smart_.endurance_group(health(), host_counts(now), capacity_, namespaces_.unallocated()));
      break;
    }
    case LogPage::self_test: {
      data.assign(sizeof(SelfTestLog), 0);
      put(data, self_test_.log(now));
      break;
    }
    case LogPage::telemetry_host:
    case LogPage::telemetry_controller: {
      TelemetryLog log{};
      log.id = static_cast<std::uint8_t>(page);
      if (page == LogPage::telemetry_host && (c.sqe.cdw10 >> 8U & 1U) != 0) ++telemetry_generation_;  // create
      log.host_generation = telemetry_generation_;
      data.assign(sizeof log, 0);
      put(data, log);
      break;
    }
    case LogPage::fdp_configurations:
    case LogPage::fdp_usage:
    case LogPage::fdp_statistics:
    case LogPage::fdp_events:
      if ((c.sqe.cdw11 >> 16U) != 1) return fail(c, Status::invalid_field);  // log specific identifier: the endurance group
      if (page != LogPage::fdp_configurations && features_.get(Feature::data_placement) == 0) return fail(c, Status::fdp_disabled);
      if (page == LogPage::fdp_configurations) data = fdp_configurations();
      else if (page == LogPage::fdp_usage) data = fdp_usage();
      else if (page == LogPage::fdp_statistics) data = fdp_statistics();
      else data.assign(64, 0);
      break;
    case LogPage::firmware_slot: {
      FirmwareSlotLog log{};
      log.afi = firmware_.afi();
      for (std::size_t slot = 1; slot <= FirmwareSlots::count; ++slot) {
        if (firmware_.present(slot)) text(log.frs[slot - 1], firmware_revision);
      }
      data.assign(sizeof log, 0);
      put(data, log);
      break;
    }
    case LogPage::commands_supported: {
      CommandEffectsLog log{};
      for (const unsigned opcode :
           {0x00U, 0x01U, 0x02U, 0x04U, 0x05U, 0x06U, 0x08U, 0x09U, 0x0aU, 0x0cU, 0x10U, 0x11U, 0x14U, 0x18U, 0x7cU})
        log.admin[opcode] = supported;
      log.admin[0x0d] = log.admin[0x15] = supported | namespace_inventory;
      log.admin[0x80] = supported | changes_content | no_other_command;
      const unsigned csi = c.sqe.cdw14 >> 24U;
      if (csi > 1) return fail(c, Status::invalid_field);
      const auto io = [&](std::initializer_list<unsigned> opcodes, std::uint32_t effects) {
        for (const unsigned opcode : opcodes) log.io[opcode] = effects;
      };
      if (csi == 0) io({0x00, 0x02, 0x05, 0x0c}, supported);
      if (csi == 0) io({0x01, 0x04, 0x08, 0x09, 0x19}, supported | changes_content);
      if (csi == 1) io({0x00, 0x02, 0x06, 0x14}, supported);
      if (csi == 1) io({0x01, 0x10}, supported | changes_content);
      data.assign(sizeof log, 0);
      put(data, log);
      break;
    }
    default: fail(c, Status::invalid_log_page); return;
  }
  if (offset % 4 != 0 || offset > data.size() || dwords * 4 > config_.mdts.count) return fail(c, Status::invalid_field);
  data.erase(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(offset));
  data.resize(dwords * 4, 0);
  if (!retain) {
    events_.seen(page);
    if (page == LogPage::changed_ns_list) changed_namespaces_.clear();
    deliver_events(now);
  }
  answer_with(c, data.size(), now);
}

}  // namespace flashpath::nvme

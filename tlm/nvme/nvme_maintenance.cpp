// SPDX-License-Identifier: Apache-2.0
// Device Self-test (NVMe 2.0 §5.9), Firmware Image Download and Firmware Commit (§5.11, §5.12); what the logs of flexible data
// placement say (TP4146). FDP events are not modelled: their log is empty.
#include "nvme/fill.h"
#include "nvme/nvme_model.h"

namespace flashpath::nvme {

void ControllerModel::device_self_test(Command& c, Time now) {
  const unsigned code = c.sqe.cdw10 & 0xfU;
  const std::uint32_t nsid = c.sqe.nsid;
  if (code == 0xf) {
    if (self_test_.running()) self_test_.end(SelfTest::Result::aborted, now);
    return;
  }
  if (code != 1 && code != 2) return fail(c, Status::invalid_field);
  if (nsid != 0 && nsid != 0xffff'ffffU && namespaces_.active(nsid) == nullptr) {
    return fail(c, namespaces_.valid(nsid) ? Status::invalid_field : Status::invalid_namespace);
  }
  if (self_test_.running()) return fail(c, Status::self_test_in_progress);
  const auto kind = static_cast<SelfTest::Kind>(code);
  const std::uint64_t number = self_test_.start(kind, nsid, now);
  agenda_.post<&ControllerModel::self_test_over>(now + self_test_.length(kind), this, number);
}

void ControllerModel::self_test_over(Time now, std::uint64_t number) { self_test_.over(number, now); }

void ControllerModel::firmware_download(Command& c, Time now) {
  const std::uint64_t bytes = (std::uint64_t{c.sqe.cdw10} + 1) * 4;
  if (bytes > config_.mdts.count) return fail(c, Status::invalid_field);
  take_from_host(c, bytes, now);  // FirmwareSlots::downloaded() when it is here
}

void ControllerModel::firmware_commit(Command& c) {
  const Status status = firmware_.commit(c.sqe.cdw10 & 7U, c.sqe.cdw10 >> 3U & 7U);
  if (status != Status::success) fail(c, status);
}

// ---- Flexible Data Placement, §8.1.10 of NVMe 2.1 (TP4146) ----

/// One reclaim group of as many handles as the FTL has streams; a reclaim unit is one of its superblocks.
std::vector<unsigned char> ControllerModel::fdp_configurations() const {
  const std::uint32_t handles = media_.handles;
  const std::uint32_t descriptor = static_cast<std::uint32_t>(align_up(sizeof(FdpConfiguration) + 4ULL * handles, 8));
  std::vector<unsigned char> data(sizeof(FdpConfigurationsHead) + descriptor);
  put(data, FdpConfigurationsHead{.count = 0, .version = 0, .rsvd3 = 0, .size = static_cast<std::uint32_t>(data.size()), .rsvd8 = {}});
  FdpConfiguration config{};
  config.size = static_cast<std::uint16_t>(descriptor);
  config.attributes = 1U << 7U;  // valid; no reclaim group bits in placement identifiers
  config.groups = 1;
  config.handles = static_cast<std::uint16_t>(handles);
  config.placement_ids = static_cast<std::uint16_t>(handles - 1);
  config.namespaces = namespaces_.most();
  config.unit = media_.reclaim_unit.count;
  put(data, config, sizeof(FdpConfigurationsHead));
  for (std::uint32_t i = 0; i < handles; ++i) {  // RUHT: 1 initially isolated, 2 persistently isolated
    put(data, static_cast<std::uint8_t>(media_.persistent ? 2 : 1), sizeof(FdpConfigurationsHead) + sizeof config + 4ULL * i);
  }
  return data;
}

/// Reclaim unit handle usage: every namespace has all of them.
std::vector<unsigned char> ControllerModel::fdp_usage() const {
  std::vector<unsigned char> data(8 + 8ULL * media_.handles);
  put(data, static_cast<std::uint16_t>(media_.handles));
  for (std::uint32_t i = 0; i < media_.handles; ++i) put(data, static_cast<std::uint8_t>(namespaces_.count() == 0 ? 0 : 1), 8 + 8ULL * i);
  return data;
}

/// Host bytes with metadata written, media bytes with metadata written, media bytes erased.
std::vector<unsigned char> ControllerModel::fdp_statistics() const {
  const ftl::Health h = health();
  std::vector<unsigned char> data(64);
  put(data, std::array<U128, 3>{U128{h.host_written.count, 0}, U128{h.programmed.count, 0}, U128{h.erased.count, 0}});
  return data;
}

}  // namespace flashpath::nvme

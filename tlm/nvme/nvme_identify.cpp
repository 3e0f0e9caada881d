// SPDX-License-Identifier: Apache-2.0
// What the controller says about itself: Identify (NVMe 2.0 §5.17) and log pages (§5.16).
#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "base/random.h"
#include "nvme/nvme_model.h"

namespace flashpath::nvme {
namespace {
constexpr std::string_view model_number = "flashpath NVMe controller model";
constexpr std::string_view firmware_revision = "1.0";
constexpr std::size_t identify_size = 4096;

template <std::size_t N>
void text(std::array<char, N>& field, std::string_view s) {  // ASCII, padded with spaces, §1.5
  field.fill(' ');
  std::copy_n(s.begin(), std::min(N, s.size()), field.begin());
}

template <class T>
void put(std::vector<unsigned char>& to, const T& value, std::size_t at = 0) {
  std::memcpy(to.data() + at, &value, sizeof value);
}

void big_endian(std::uint64_t value, std::uint8_t* to) {
  for (unsigned i = 0; i < 8; ++i) to[i] = static_cast<std::uint8_t>(value >> (56U - 8U * i));
}

constexpr std::uint32_t supported = 1;
constexpr std::uint32_t changes_content = 1U << 1U;
constexpr std::uint32_t no_other_command = 1U << 16U;  // to the same namespace at the same time: CSE 001b
}  // namespace

IdentifyController ControllerModel::identify_controller() const {
  IdentifyController id{};
  text(id.sn, serial_);
  text(id.mn, model_number);
  text(id.fr, firmware_revision);
  id.rab = static_cast<std::uint8_t>(std::countr_zero(config_.arbitration_burst));
  id.mdts = static_cast<std::uint8_t>(std::countr_zero(config_.mdts / config_.min_page));
  id.ver = version_2_0;
  id.cntrltype = 1;
  id.oacs = 0x02;  // Format NVM
  id.acl = 3;
  id.aerl = async_event_limit - 1;
  id.frmw = 0x03;  // one slot, read-only
  id.lpa = 0x02;   // commands supported log; SMART for the whole controller
  id.elpe = error_log_entries - 1;
  id.wctemp = 343;
  id.cctemp = 358;
  id.tnvmcap = {capacity_.count, 0};
  id.sqes = 0x66;
  id.cqes = 0x44;
  id.nn = namespaces;
  id.oncs = 0x0c;  // Dataset Management, Write Zeroes
  id.vwc = 0x06;   // no volatile cache; Flush of all namespaces is supported
  id.mnan = 0;
  std::string name = "nqn.2024-01.org.flashpath:" + serial_;
  name.resize(std::min(name.size(), id.subnqn.size() - 1));
  std::copy(name.begin(), name.end(), id.subnqn.begin());
  id.psd[0].mp = 2500;  // 25 W
  return id;
}

IdentifyNamespace ControllerModel::identify_namespace() const {
  IdentifyNamespace ns{};
  ns.nsze = ns.ncap = ns.nuse = capacity_ / config_.lba;
  ns.dlfeat = 0;
  ns.nsfeat = 1U << 4U;  // the four preferred sizes below are valid
  ns.npwg = ns.npwa = static_cast<std::uint16_t>(std::clamp<std::uint64_t>(config_.write_chunk / config_.lba, 1, 65536) - 1);
  ns.nvmcap = {capacity_.count, 0};
  const std::uint64_t unique = hash_text(serial_);
  big_endian(unique, ns.nguid.data());
  big_endian(mix64(unique), ns.nguid.data() + 8);
  big_endian(unique, ns.eui64.data());
  ns.lbaf[0].lbads = static_cast<std::uint8_t>(std::countr_zero(config_.lba.count));
  return ns;
}

void ControllerModel::identify(Command& c, Time now) {
  const auto cns = static_cast<std::uint8_t>(c.sqe.cdw10 & 0xffU);
  const std::uint32_t nsid = c.sqe.nsid;
  const unsigned csi = c.sqe.cdw11 >> 24U;
  const bool known_namespace = nsid >= 1 && nsid <= namespaces;
  c.data.assign(identify_size, 0);
  switch (cns) {
    case 0x00:
      if (!known_namespace) return fail(c, Status::invalid_namespace);
      put(c.data, identify_namespace());
      break;
    case 0x01: put(c.data, identify_controller()); break;
    case 0x02:
      if (nsid >= 0xffff'fffeU) return fail(c, Status::invalid_namespace);
      for (std::uint32_t id = nsid + 1, at = 0; id <= namespaces; ++id, at += 4) put(c.data, id, at);
      break;
    case 0x03: {
      if (!known_namespace) return fail(c, Status::invalid_namespace);
      const IdentifyNamespace ns = identify_namespace();
      put(c.data, NsDescriptorHead{.nidt = 2, .nidl = 16, .rsvd2 = 0});
      put(c.data, ns.nguid, 4);
      put(c.data, NsDescriptorHead{.nidt = 4, .nidl = 1, .rsvd2 = 0}, 20);  // CSI 0: NVM command set
      break;
    }
    case 0x05:  // I/O command set specific namespace: nothing beyond CNS 00h
      if (!known_namespace) return fail(c, Status::invalid_namespace);
      if (csi != 0) return fail(c, Status::invalid_field);
      break;
    case 0x06:  // I/O command set specific controller: no limits beyond MDTS
      if (csi != 0) return fail(c, Status::invalid_field);
      break;
    case 0x08:  // I/O command set independent namespace
      if (!known_namespace) return fail(c, Status::invalid_namespace);
      c.data[14] = 1;  // NSTAT: ready
      break;
    default: fail(c, Status::invalid_field); return;
  }
  answer_with(c, identify_size, now);
}

SmartLog ControllerModel::smart_log() const {
  SmartLog log{};
  const std::uint16_t kelvin = 310;
  log.composite_temperature = {static_cast<std::uint8_t>(kelvin & 0xffU), static_cast<std::uint8_t>(kelvin >> 8U)};
  log.available_spare = 100;
  log.available_spare_threshold = 10;
  log.data_units_read = {ceil_div(stats_.bytes_read.value, 512'000), 0};
  log.data_units_written = {ceil_div(stats_.bytes_written.value, 512'000), 0};
  log.host_read_commands = {stats_.reads.value, 0};
  log.host_write_commands = {stats_.writes.value, 0};
  log.power_cycles = {1, 0};
  log.media_errors = {stats_.media_errors.value, 0};
  log.error_log_entries = {error_count_, 0};
  return log;
}

void ControllerModel::log_page(Command& c, Time now) {
  const auto page = static_cast<LogPage>(c.sqe.cdw10 & 0xffU);
  const bool retain = (c.sqe.cdw10 & (1U << 15U)) != 0;
  const std::uint64_t dwords = ((c.sqe.cdw10 >> 16U) | (static_cast<std::uint64_t>(c.sqe.cdw11 & 0xffffU) << 16U)) + 1;
  const std::uint64_t offset = c.sqe.cdw12 | (static_cast<std::uint64_t>(c.sqe.cdw13) << 32U);
  std::vector<unsigned char>& data = c.data;
  switch (page) {
    case LogPage::supported_pages:
      data.assign(1024, 0);
      for (const unsigned id : {0U, 1U, 2U, 3U, 5U}) put(data, supported, id * 4U);
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
      put(data, smart_log());
      break;
    case LogPage::firmware_slot: {
      FirmwareSlotLog log{};
      log.afi = 1;
      text(log.frs[0], firmware_revision);
      data.assign(sizeof log, 0);
      put(data, log);
      break;
    }
    case LogPage::commands_supported: {
      CommandEffectsLog log{};
      for (const unsigned opcode : {0x00U, 0x01U, 0x02U, 0x04U, 0x05U, 0x06U, 0x08U, 0x09U, 0x0aU, 0x0cU}) log.admin[opcode] = supported;
      log.admin[0x80] = supported | changes_content | no_other_command;
      for (const unsigned opcode : {0x00U, 0x02U}) log.io[opcode] = supported;
      for (const unsigned opcode : {0x01U, 0x08U, 0x09U}) log.io[opcode] = supported | changes_content;
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
    if (page == LogPage::error_information) masked_events_ &= ~(1U << static_cast<unsigned>(AsyncEventType::error_status));
    if (page == LogPage::smart_health) masked_events_ &= ~(1U << static_cast<unsigned>(AsyncEventType::smart_health));
    deliver_events(now);
  }
  answer_with(c, data.size(), now);
}

}  // namespace flashpath::nvme

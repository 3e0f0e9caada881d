// SPDX-License-Identifier: Apache-2.0
// What the controller says about itself: Identify (NVMe 2.0 §5.17) .
#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "base/random.h"
#include "nvme/fill.h"
#include "nvme/nvme_model.h"

namespace flashpath::nvme {
namespace {
constexpr std::string_view model_number = "flashpath NVMe controller model";
constexpr std::size_t identify_size = 4096;

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
  id.ctratt = 1U << 4U;  // endurance groups
  id.oacs = 0x02;        // Format NVM
  id.acl = 3;
  id.aerl = async_event_limit - 1;
  id.frmw = 0x03;  // one slot, read-only
  id.lpa = 0x02;   // commands supported log; SMART for the whole controller
  id.elpe = error_log_entries - 1;
  id.wctemp = static_cast<std::uint16_t>(config_.warning_temperature);
  id.cctemp = static_cast<std::uint16_t>(config_.critical_temperature);
  id.tnvmcap = {capacity_.count, 0};
  id.endgidmax = 1;
  id.sqes = 0x66;
  id.cqes = 0x44;
  id.nn = namespaces;
  id.kas = keep_alive_unit_ms / 100;
  id.oncs = 0x5c;  // Dataset Management, Write Zeroes, save and select of features, Timestamp
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
  ns.endgid = 1;
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

}  // namespace flashpath::nvme

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
  id.vid = id.ssvid = static_cast<std::uint16_t>(config_.vendor_id);
  text(id.sn, serial_);
  text(id.mn, model_number);
  text(id.fr, firmware_revision);
  id.rab = static_cast<std::uint8_t>(std::countr_zero(config_.arbitration_burst));
  id.mdts = static_cast<std::uint8_t>(std::countr_zero(config_.mdts / config_.min_page));
  id.ver = version_2_0;
  id.cntrltype = 1;
  id.oaes = 1U << 8U;                                              // namespace attribute notices
  id.ctratt = 1U << 4U | 1U << 7U | 1U << 19U;                     // endurance groups, namespace granularity, data placement
  id.oacs = 1U << 1U | 1U << 2U | 1U << 3U | 1U << 4U | 1U << 8U;  // Format, firmware, namespaces, self-test, doorbell buffers
  id.edstt = static_cast<std::uint16_t>(std::max<std::int64_t>(config_.extended_self_test / Duration{std::chrono::minutes{1}}, 1));
  id.dsto = 1;  // one self-test in the drive
  id.acl = abort_limit - 1;
  id.aerl = async_event_limit - 1;
  id.frmw = 1U | FirmwareSlots::count << 1U;  // slot 1 is read only
  id.lpa = 0x0e;                              // effects log, extended data (offsets), telemetry; SMART for the whole controller
  id.elpe = error_log_entries - 1;
  id.wctemp = static_cast<std::uint16_t>(config_.warning_temperature);
  id.cctemp = static_cast<std::uint16_t>(config_.critical_temperature);
  id.tnvmcap = {capacity_.count, 0};
  id.unvmcap = {namespaces_.unallocated().count, 0};
  id.endgidmax = 1;
  id.sqes = 0x66;
  id.cqes = 0x44;
  id.nn = namespaces_.most();
  id.kas = keep_alive_unit_ms / 100;
  id.oncs = 0x1df;  // Compare, Write Uncorrectable, Dataset Management, Write Zeroes, saved features, Timestamp, Verify, Copy
  id.cdfs = 3;      // copy descriptors 0h and 1h
  id.sgls = 1U | 1U << 16U | 1U << 17U | 1U << 19U;  // any alignment, bit buckets, metadata at any byte, or by a descriptor
  id.vwc = 0x06;                                     // no volatile cache; Flush of all namespaces is supported
  id.mnan = namespaces_.most();
  id.fna = 0x06;  // format of one namespace; a secure erase is of all, and may be cryptographic
  std::string name = "nqn.2024-01.org.flashpath:" + serial_;
  name.resize(std::min(name.size(), id.subnqn.size() - 1));
  std::copy(name.begin(), name.end(), id.subnqn.begin());
  id.psd[0].mp = 2500;  // 25 W
  return id;
}

/// Without a namespace: what is common to all, in this format.
IdentifyNamespace ControllerModel::identify_namespace(const Namespace* of, std::size_t format) const {
  IdentifyNamespace ns{};
  const Bytes lba = namespaces_.lba_of(format);
  ns.dlfeat = 0x09;  // deallocated blocks read as zero; Write Zeroes deallocates on request
  ns.mssrl = static_cast<std::uint16_t>(copy_range_limit(lba.count));
  ns.mcl = static_cast<std::uint32_t>(copy_range_limit(lba.count) * config_.copy_ranges);
  ns.msrc = static_cast<std::uint8_t>(config_.copy_ranges - 1);
  ns.nsfeat = 1U << 4U;  // the four preferred sizes below are valid
  ns.npwg = ns.npwa = static_cast<std::uint16_t>(std::clamp<std::uint64_t>(config_.write_chunk / lba, 1, 65536) - 1);
  ns.endgid = 1;
  ns.nlbaf = static_cast<std::uint8_t>(namespaces_.formats().size() - 1);
  std::ranges::copy(namespaces_.formats(), ns.lbaf.begin());
  if (of == nullptr) return ns;
  ns.flbas = static_cast<std::uint8_t>((format & 0xfU) | (format & 0x30U) << 1U);
  ns.nsze = ns.ncap = ns.nuse = of->blocks;
  ns.nvmcap = {of->allocated().count, 0};
  const std::uint64_t unique = of->serial == 0 ? hash_text(serial_) : mix64(hash_text(serial_) + of->serial);
  big_endian(unique, ns.nguid.data());
  big_endian(mix64(unique), ns.nguid.data() + 8);
  big_endian(unique, ns.eui64.data());
  if (of->metadata != 0) ns.mc = of->extended ? 1 : 2;
  if (of->extended) ns.flbas |= 1U << 4U;
  if (of->protects()) {
    ns.dpc = static_cast<std::uint8_t>(1U << (static_cast<unsigned>(of->protection) - 1) | (of->first ? 8U : 16U));
    ns.dps = static_cast<std::uint8_t>(static_cast<unsigned>(of->protection) | (of->first ? 8U : 0U));
  }
  return ns;
}

/// Key Value Command Set 1.0 §4.1.5.1.
IdentifyKvNamespace ControllerModel::identify_kv(const Namespace& of) const {
  const IdentifyNamespace common = identify_namespace(&of, of.format);
  IdentifyKvNamespace ns{};
  ns.nsze = of.blocks;
  const std::unique_ptr<KvSpace>& space = kv_spaces_[of.nsid - 1];
  ns.nuse = space == nullptr ? 0 : space->used();
  ns.novg = static_cast<std::uint32_t>(config_.kv_grain.count);
  ns.endgid = 1;
  ns.nguid = common.nguid;
  ns.eui64 = common.eui64;
  ns.format[0].key_max = 16;
  ns.format[0].value_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(config_.mdts.count, 0xffff'ffffU));
  return ns;
}

/// Namespace identification descriptors, §5.17.2.3: NGUID, EUI64, UUID, CSI.
std::vector<unsigned char> ControllerModel::ns_descriptors(const Namespace& of) const {
  const IdentifyNamespace ns = identify_namespace(&of, of.format);
  std::array<std::uint8_t, 16> uuid = ns.nguid;  // RFC 9562 version 8: bits of our own
  std::ranges::reverse(uuid);
  uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0fU) | 0x80U);
  uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3fU) | 0x80U);
  std::vector<unsigned char> out;
  const auto add = [&](std::uint8_t type, const auto& value) {
    const std::array<unsigned char, 4> head{type, static_cast<unsigned char>(value.size()), 0, 0};
    out.insert(out.end(), head.begin(), head.end());
    out.insert(out.end(), value.begin(), value.end());
  };
  add(2, ns.nguid);
  add(1, ns.eui64);
  add(3, uuid);
  add(4, std::array{static_cast<std::uint8_t>(of.set)});
  return out;
}

/// Ascending identifiers above `after`, of namespaces that `counts` says.
template <class Counts>
void ControllerModel::ns_list(Command& c, Counts counts) const {
  if (c.sqe.nsid >= 0xffff'fffeU) return fail(c, Status::invalid_namespace);
  std::size_t at = 0;
  for (const Namespace& ns : namespaces_.all()) {
    if (ns.nsid <= c.sqe.nsid || !counts(ns) || at == identify_size) continue;
    put(c.data, ns.nsid, at);
    at += sizeof ns.nsid;
  }
}

void ControllerModel::identify(Command& c, Time now) {
  c.data.assign(identify_size, 0);
  identify_data(c);
  if (c.status == Status::success) answer_with(c, identify_size, now);
}

void ControllerModel::identify_data(Command& c) {
  const std::uint32_t nsid = c.sqe.nsid;
  const unsigned csi = c.sqe.cdw11 >> 24U, specific = c.sqe.cdw11 & 0xffffU;
  const Namespace* const active = namespaces_.active(nsid);
  const Namespace* const allocated = namespaces_.allocated(nsid);
  const auto valid = [&] { return namespaces_.valid(nsid) || (fail(c, Status::invalid_namespace), false); };
  const auto known_set = [&] { return csi <= static_cast<unsigned>(CommandSet::key_value) || (fail(c, Status::invalid_field), false); };
  const auto is_active = [&](const Namespace& ns) { return namespaces_.active(ns.nsid) != nullptr; };
  const auto is_allocated = [](const Namespace& ns) { return ns.nsid != 0; };
  const auto of_set = [&](const Namespace& ns) { return static_cast<unsigned>(ns.set) == csi; };
  // A valid identifier of no such namespace: zeros.
  switch (static_cast<Cns>(c.sqe.cdw10 & 0xffU)) {
    case Cns::ns:
      if (nsid == 0xffff'ffffU) put(c.data, identify_namespace(nullptr, 0));
      else if (valid() && active != nullptr && active->set != CommandSet::nvm) fail(c, Status::invalid_field);
      else if (c.status == Status::success && active != nullptr) put(c.data, identify_namespace(active, active->format));
      return;
    case Cns::controller: put(c.data, identify_controller()); return;
    case Cns::active_ns_list: ns_list(c, is_active); return;
    case Cns::ns_descriptors:
      if (!valid()) return;
      if (active == nullptr) return fail(c, Status::invalid_field);
      std::ranges::copy(ns_descriptors(*active), c.data.begin());
      return;
    case Cns::csi_ns:  // nothing beyond CNS 00h
      if (known_set() && nsid != 0xffff'ffffU && valid() && active != nullptr && !of_set(*active)) return fail(c, Status::invalid_field);
      if (active != nullptr && active->set == CommandSet::key_value && c.status == Status::success) put(c.data, identify_kv(*active));
      return;
    case Cns::csi_controller: (void)known_set(); return;  // no limits beyond MDTS
    case Cns::csi_active_ns_list:
      if (known_set()) ns_list(c, [&](const Namespace& ns) { return is_active(ns) && of_set(ns); });
      return;
    case Cns::independent_ns:
      if (!valid() || active == nullptr) return;
      c.data[12] = 1;  // ENDGID
      c.data[14] = 1;  // NSTAT: ready
      return;
    case Cns::format_ns:
      if (specific >= namespaces_.formats().size()) return fail(c, Status::invalid_field);
      put(c.data, identify_namespace(nullptr, specific));
      return;
    case Cns::csi_format_ns:
      if (known_set() && specific >= namespaces_.formats().size()) fail(c, Status::invalid_field);
      return;
    case Cns::allocated_ns_list: ns_list(c, is_allocated); return;
    case Cns::csi_allocated_ns_list:
      if (known_set()) ns_list(c, [&](const Namespace& ns) { return is_allocated(ns) && of_set(ns); });
      return;
    case Cns::allocated_ns:
      if (valid() && allocated != nullptr && allocated->set == CommandSet::nvm)
        put(c.data, identify_namespace(allocated, allocated->format));
      return;
    case Cns::controllers_of_ns:
      if (!valid()) return;
      if (active != nullptr && c.sqe.cdw10 >> 16U == 0) put(c.data, std::uint16_t{1});  // one: controller 0
      return;
    case Cns::controllers:
      if (c.sqe.cdw10 >> 16U == 0) put(c.data, std::uint16_t{1});
      return;
    case Cns::ns_granularity:
      c.data[4] = 0;  // one descriptor, 0-based
      put(c.data, std::array{Namespaces::granule.count, Namespaces::granule.count}, 32);
      return;
    case Cns::endurance_groups:
      if (specific <= 1) put(c.data, std::array<std::uint16_t, 2>{1, 1});
      return;
    case Cns::command_sets:
      if (const auto id = c.sqe.cdw10 >> 16U; id != 0 && id != 0xffffU) return fail(c, Status::invalid_field);
      put(c.data, std::uint64_t{3});  // one combination: NVM, key value
      return;
  }
  fail(c, Status::invalid_field);
}

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
// Namespace Management and Attachment, NVMe 2.0 §5.22 and §5.23, and who may name which namespace, §3.2.1.
#include <cstring>

#include "nvme/nvme_model.h"

namespace flashpath::nvme {
namespace {
constexpr std::size_t parameters = 4096;
}  // namespace

/// False: the command has failed. An identifier beyond NN is invalid; one within it that is not attached is an invalid field.
bool ControllerModel::known_namespace(Command& c) {
  c.ns = namespaces_.active(c.sqe.nsid);
  if (c.ns == nullptr) fail(c, namespaces_.valid(c.sqe.nsid) ? Status::invalid_field : Status::invalid_namespace);
  return c.ns != nullptr;
}

void ControllerModel::namespace_management(Command& c, Time now) {
  switch (c.sqe.cdw10 & 0xfU) {
    case 0: return take_from_host(c, parameters, now);  // create_namespace() goes on
    case 1: break;
    default: return fail(c, Status::invalid_field);
  }
  const bool everything = c.sqe.nsid == every_namespace;
  Namespace* const ns = namespaces_.allocated(c.sqe.nsid);
  if (!everything && ns == nullptr) return fail(c, namespaces_.valid(c.sqe.nsid) ? Status::invalid_field : Status::invalid_namespace);
  if (taking_.command != nullptr) return fail(c, Status::format_in_progress);
  if (everything && namespaces_.count() == 0) return;
  for (Namespace& other : namespaces_.all()) other.leaving = everything || &other == ns;
  take_namespaces(c, ns, now);
}

/// The parameters are here, §5.23: the fields of Identify Namespace that the host may choose.
void ControllerModel::create_namespace(Command& c) {
  IdentifyNamespace wanted{};
  std::memcpy(&wanted, c.data.data(), sizeof wanted);
  const std::uint32_t set = c.sqe.cdw11 >> 24U;
  if (set > static_cast<std::uint32_t>(CommandSet::key_value)) return fail(c, Status::command_set_not_supported);
  const bool keyed = set == static_cast<std::uint32_t>(CommandSet::key_value);  // its size is in bytes
  const unsigned format = (wanted.flbas & 0xfU) | (wanted.flbas >> 1U & 0x30U);
  if (format >= (keyed ? 1 : namespaces_.formats().size()) || wanted.dps != 0) return fail(c, Status::invalid_format);
  if (wanted.nsze == 0 || (wanted.nmic & 1U) != 0 || wanted.anagrpid != 0 || wanted.nvmsetid != 0 || wanted.endgid > 1) {
    return fail(c, Status::invalid_field);
  }
  if (!keyed && wanted.ncap != wanted.nsze) return fail(c, Status::thin_provisioning);
  const Bytes lba = keyed ? 1_B : namespaces_.lba_of(format);
  if (wanted.nsze > capacity_ / lba) return fail(c, Status::namespace_capacity);
  Status status{};
  const Namespace* const ns =
      namespaces_.create(wanted.nsze * lba, static_cast<std::uint8_t>(format), static_cast<CommandSet>(set), status);
  if (ns == nullptr) return fail(c, status);
  c.result = ns->nsid;
}

void ControllerModel::namespace_attachment(Command& c, Time now) {
  if ((c.sqe.cdw10 & 0xfU) > 1) return fail(c, Status::invalid_field);
  const Namespace* const ns = namespaces_.allocated(c.sqe.nsid);
  if (ns == nullptr || ns->leaving) return fail(c, namespaces_.valid(c.sqe.nsid) ? Status::invalid_field : Status::invalid_namespace);
  take_from_host(c, parameters, now);  // attach() goes on
}

/// The controller list is here: this drive has one controller, 0.
void ControllerModel::attach(Command& c, Time now) {
  std::array<std::uint16_t, 2> list{};  // how many, the first
  std::memcpy(list.data(), c.data.data(), sizeof list);
  if (list[0] != 1 || list[1] != 0) return fail(c, Status::controller_list_invalid);
  Namespace* const ns = namespaces_.allocated(c.sqe.nsid);
  if (ns == nullptr || ns->leaving) return fail(c, Status::invalid_field);  // deleted meanwhile
  const bool attach = (c.sqe.cdw10 & 0xfU) == 0;
  if (attach == ns->attached) return fail(c, attach ? Status::namespace_attached : Status::namespace_not_attached);
  if (attach && ns->set != CommandSet::nvm && cc_.css() != css_all) return fail(c, Status::command_set_not_enabled);
  ns->attached = attach;
  namespace_changed(ns->nsid, now);
}

/// For the Changed Attached Namespace List, and an event if the host wants it.
void ControllerModel::namespace_changed(std::uint32_t id, Time now) {
  changed_namespaces_.insert(id);
  raise_event(AsyncEventType::notice, 0, LogPage::changed_ns_list, now);
}

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
// Commands that take a namespace, or all of them, for themselves: Format NVM (NVMe 2.0 §5.14) and the deletion of a namespace
// (§5.23). I/O commands before them end first; then the FTL unmaps the namespace's extents (everything, where nothing else is
// there or where user data are erased), and what the command changes takes effect when the last answer has come. Meanwhile I/O
// commands to a namespace being formatted get Format In Progress; one being deleted is not there any more.
#include "nvme/nvme_model.h"

namespace flashpath::nvme {
namespace {
unsigned secure_erase(const Command& c) { return c.sqe.cdw10 >> 9U & 7U; }
bool is_format(const Command& c) { return c.sqe.opcode == static_cast<std::uint8_t>(AdminOpcode::format_nvm); }
unsigned lba_format(const Command& c) { return (c.sqe.cdw10 & 0xfU) | (c.sqe.cdw10 >> 8U & 0x30U); }
}  // namespace

void ControllerModel::format_nvm(Command& c, Time now) {
  const unsigned protection = c.sqe.cdw10 >> 5U & 7U, format = lba_format(c);
  const bool everything = c.sqe.nsid == every_namespace;
  if (!everything && !known_namespace(c)) return;
  if (format >= namespaces_.formats().size() || protection != 0) return fail(c, Status::invalid_format);  // without metadata
  if (secure_erase(c) > 2) return fail(c, Status::invalid_field);
  if (taking_.command != nullptr) return fail(c, Status::format_in_progress);
  if (self_test_.running()) self_test_.end(SelfTest::Result::format, now);
  take_namespaces(c, everything || secure_erase(c) != 0 ? nullptr : namespaces_.active(c.sqe.nsid), now);
}

/// Waits for the I/O commands that are inside. `ns`: all of them if null.
void ControllerModel::take_namespaces(Command& c, Namespace* ns, Time now) {
  taking_ = {.command = &c, .ns = ns};
  ++c.pending;
  for (const Command* other = newest_; other != nullptr; other = other->older) {
    taking_.waits += other->executing && taken(*other) ? 1U : 0U;
  }
  if (taking_.waits == 0) unmap_namespaces(now);
}

/// The I/O command is to a namespace that somebody has for himself, or to all.
bool ControllerModel::taken(const Command& io) const {
  return taking_.command != nullptr && (taking_.ns == nullptr || io.ns == nullptr || io.ns == taking_.ns);
}

void ControllerModel::unmap_namespaces(Time now) {
  Command& c = *taking_.command;
  if (c.abandoned) {  // a reset came first
    for (Namespace& ns : namespaces_.all()) ns.leaving = false;
    taking_ = {};
    return release(c, now);
  }
  const bool alone = taking_.ns == nullptr || (namespaces_.count() == 1 && is_format(c));
  taking_.pieces = 1;
  const auto send = [&](ftl::RequestKind kind, std::uint64_t begin, std::uint64_t size) {
    Chunk& chunk = new_chunk(c, kind, 0, 0);
    chunk.request.address = {begin};
    chunk.request.size = {size};
    chunk.request.erase = kind == ftl::RequestKind::format && is_format(c) && secure_erase(c) == 1;
    ++taking_.pieces;
    outside.ftl(chunk.request, now);
  };
  if (alone) send(ftl::RequestKind::format, 0, 0);
  else
    for (const Extent& e : taking_.ns->extents) send(ftl::RequestKind::trim, e.drive, e.length);
  unmapped(now);
  release(c, now);
}

/// One of the FTL's answers; the last one lets the command take effect.
void ControllerModel::unmapped(Time now) {
  if (--taking_.pieces != 0) return;
  Command& c = *taking_.command;
  Namespace* const only = taking_.ns;
  taking_ = {};
  if (c.status != Status::success) {
    for (Namespace& ns : namespaces_.all()) ns.leaving = false;
    return;
  }
  if (only == nullptr) {
    uncorrectable_ = {};
    metadata_ = {};
  }
  for (Namespace& ns : namespaces_.all()) {
    if (only == &ns) ns.for_pieces(0, ns.allocated().count, [&](std::uint64_t at, std::uint64_t size) { forget_metadata(at, size); });
    if (ns.nsid == 0 || (only != nullptr && only != &ns)) continue;
    kv_spaces_[ns.nsid - 1] = nullptr;
    if (is_format(c)) {
      if (ns.set != CommandSet::nvm) continue;
      if (ns.format != lba_format(c)) namespace_changed(ns.nsid, now);
      // With a secure erase of one, the others lose their data but not their format.
      if (c.sqe.nsid == every_namespace || c.sqe.nsid == ns.nsid) namespaces_.reformat(ns, static_cast<std::uint8_t>(lba_format(c)));
    } else {
      if (ns.attached) namespace_changed(ns.nsid, now);
      namespaces_.remove(ns);
    }
  }
}

}  // namespace flashpath::nvme

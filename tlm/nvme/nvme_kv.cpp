// SPDX-License-Identifier: Apache-2.0
// The Key Value command set (Key Value Command Set 1.0 §3): Store, Retrieve, Delete, Exist, List, on namespaces of CSI 01h.
//
//   Store     index ▶ space ▶ staging, DMA read, FTL write ▶ the index points to the new value, the old one's space is unmapped
//   Retrieve  index ▶ FTL reads ▶ DMA writes                                                   (completion dword 0: the value's size)
//   Delete    index ▶ unmap           Exist   index           List   index ▶ DMA write
//
// A Store takes effect as a whole when all of its value is safe: who reads meanwhile gets the old value, and one that a reset or an
// error ends leaves the old value as it was. Conditions (only if there is such a key; only if there is none) hold at both ends.
#include <algorithm>

#include "nvme/nvme_model.h"

namespace flashpath::nvme {
namespace {
constexpr std::uint32_t only_if_there = 1U << 8U;
constexpr std::uint32_t only_if_new = 1U << 9U;
constexpr std::uint32_t dont_compress = 1U << 10U;
constexpr std::uint32_t longest_key = 16;

Status condition(std::uint32_t options, bool there) {
  if ((options & only_if_there) != 0 && !there) return Status::key_does_not_exist;
  if ((options & only_if_new) != 0 && there) return Status::key_exists;
  return Status::success;
}
}  // namespace

KvSpace& ControllerModel::kv_space(const Namespace& ns) {
  std::unique_ptr<KvSpace>& space = kv_spaces_[ns.nsid - 1];
  if (space == nullptr) space = std::make_unique<KvSpace>(ns, config_.kv_grain);
  return *space;
}

void ControllerModel::execute_kv(Command& c, Time now) {
  const auto opcode = static_cast<KvOpcode>(c.sqe.opcode);
  const std::uint32_t length = c.sqe.cdw11 & 0xffU, options = c.sqe.cdw11 & 0xff00U;
  if (cc_.css() != css_all) return fail(c, Status::invalid_field);  // this command set is not enabled
  if (c.sqe.psdt() != 0 || c.sqe.fuse() != 0) return fail(c, Status::invalid_field);
  switch (opcode) {
    case KvOpcode::flush: return simple_request(c, ftl::RequestKind::flush, 0, 0, now);
    case KvOpcode::list:
      if (length > longest_key) return fail(c, Status::invalid_key_size);
      if (c.sqe.cdw10 < KvSpace::list_head || c.sqe.cdw10 > config_.mdts.count) return fail(c, Status::invalid_field);
      break;
    case KvOpcode::store:
      if ((options & ~(only_if_there | only_if_new | dont_compress)) != 0) return fail(c, Status::invalid_field);
      if (c.sqe.cdw10 > config_.mdts.count) return fail(c, Status::invalid_value_size);
      break;
    case KvOpcode::retrieve:
      if ((options & ~only_if_there) != 0) return fail(c, Status::invalid_field);  // bit 8: raw; nothing is compressed
      if (c.sqe.cdw10 > config_.mdts.count) return fail(c, Status::invalid_field);
      break;
    case KvOpcode::remove:
    case KvOpcode::exist: break;
    default: return fail(c, Status::invalid_opcode);
  }
  if (opcode != KvOpcode::list && (length == 0 || length > longest_key)) return fail(c, Status::invalid_key_size);
  ++c.pending;
  c.keyed = true;
  const Window window = kv_index_.serve(now, config_.kv_index_time, config_.kv_index_latency);
  agenda_.post<&ControllerModel::kv_looked_up>(window.done, this, reinterpret_cast<std::uint64_t>(&c));
}

void ControllerModel::kv_looked_up(Time now, std::uint64_t arg) {
  Command& c = *reinterpret_cast<Command*>(arg);
  if (!c.abandoned && c.status == Status::success) {
    c.origin.mark(Stage::control, now);
    c.critical = c.origin;
    kv_begin(c, now);
  }
  release(c, now);
}

void ControllerModel::kv_begin(Command& c, Time now) {
  KvSpace& space = kv_space(*c.ns);
  const Key key = Key::of(c.sqe);
  Value* const value = space.find(key);
  switch (static_cast<KvOpcode>(c.sqe.opcode)) {
    case KvOpcode::store: {
      if (const Status status = condition(c.sqe.cdw11, value != nullptr); status != Status::success) return fail(c, status);
      c.value = space.allocate(c.sqe.cdw10);
      if (c.value == nullptr) return fail(c, Status::capacity_exceeded);
      c.length = c.sqe.cdw10;
      c.direction = Direction::from_host;
      c.io = true;
      if (c.length == 0) c.prps_ready = true;
      else begin_prps(c, now);
      return;
    }
    case KvOpcode::retrieve:
      if (value == nullptr) return fail(c, Status::key_does_not_exist);
      c.value = value;
      space.use(*value);
      c.result = static_cast<std::uint32_t>(value->size);
      c.length = std::min<std::uint64_t>(value->size, c.sqe.cdw10);
      c.direction = Direction::to_host;
      c.io = true;
      if (c.length == 0) c.prps_ready = true;
      else {
        begin_prps(c, now, c.sqe.cdw10);
        read_chunks(c, now);
      }
      return;
    case KvOpcode::remove:
      if (value == nullptr) return fail(c, Status::key_does_not_exist);
      c.value = space.remove(key);
      return;
    case KvOpcode::exist:
      if (value == nullptr) fail(c, Status::key_does_not_exist);
      return;
    case KvOpcode::list: c.data = space.list(key, c.sqe.cdw10); return answer_with(c, c.data.size(), now);
    default: return;
  }
}

/// Nothing of the command is under way any more: a Store takes effect, and what nobody uses is unmapped, which the command waits for.
void ControllerModel::kv_finish(Command& c, Time now) {
  KvSpace& space = kv_space(*c.ns);
  Value* leaving = c.value;
  c.value = nullptr;
  if (c.sqe.opcode == static_cast<std::uint8_t>(KvOpcode::store) && c.status == Status::success && !c.abandoned) {
    const Key key = Key::of(c.sqe);
    if (const Status status = condition(c.sqe.cdw11, space.find(key) != nullptr); status != Status::success) fail(c, status);
    else leaving = space.store(key, *leaving);
  }
  std::vector<Extent> freed;
  if (leaving == nullptr || !space.leave(*leaving, freed)) return;
  for (const Extent& e : freed) simple_request(c, ftl::RequestKind::trim, e.drive, e.length, now);
}

}  // namespace flashpath::nvme

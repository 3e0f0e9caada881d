// SPDX-License-Identifier: Apache-2.0
// Parity across dies (RAIN). `rain` program units of data and one of parity, on different dies of a superblock, are a group (layout.h).
// The parity is the XOR of the others, collected in memory of its own as they are given to the flash, and programmed behind the last.
//
//   capacity, bandwidth   1 of rain + 1 program units is parity: what is programmed is (rain + 1) / rain of the data
//   a read that fails     then reads the same bytes of each other member, all at once; the XOR takes no time
//   a read of a dead die  these reads alone, once the die is known to be dead
//
// What the buffer still holds of a group needs no read; what was left out of it (a die dead at the time) or is not programmed yet is
// not in its parity. With two lost members both are lost. A dead plane counts as a dead die here.
//
// Not modelled: bandwidth and size of the XOR engine, rebuilding a dead die's data in the background, rewriting what was uncorrectable
// (each read of it is rebuilt anew), parity across a power loss or in an image.
#include <algorithm>

#include "ftl/ftl_model.h"

namespace flashpath::ftl {
namespace {
void add(unsigned char* to, const unsigned char* from, std::uint64_t n) {
  for (std::uint64_t i = 0; i < n; ++i) to[i] = static_cast<unsigned char>(to[i] ^ from[i]);
}
}  // namespace

/// Programs a unit of data that is part of its group's parity from now on.
void FtlModel::add_to_parity(WriteStream& stream, std::uint32_t id, Time now) {
  if (slots_[id].parity) {  // of a group without data
    end_group(stream, now);
    stream.parity = id;
    return end_group(stream, now);
  }
  const std::uint32_t superblock = slots_[id].superblock, pu = slots_[id].pu, parity = layout_.parity_of(layout_.group_of(pu));
  if (stream.parity != 0 && (slots_[stream.parity].superblock != superblock || slots_[stream.parity].pu != parity)) end_group(stream, now);
  if (stream.parity == 0 && !dead(layout_.die_of(parity))) stream.parity = take_slot(stream, superblock, parity, false, true);
  if (stream.parity != 0 && data_mode_) add(slots_[stream.parity].data.get(), slots_[id].data.get(), layout_.program_unit());
  program_slot(id, now);
  if (pu % config_.rain == config_.rain - 1) end_group(stream, now);
}

/// The parity is complete: programs it, if its die lives.
void FtlModel::end_group(WriteStream& stream, Time now) {
  const std::uint32_t id = stream.parity;
  stream.parity = 0;
  if (id == 0) return;
  if (!dead(layout_.die_of(slots_[id].pu))) return program_slot(id, now);
  const std::uint32_t superblock = slots_[id].superblock;
  free_slot(id);
  settle(superblock);
}

/// A program unit of data is left out. Where the whole group is, its parity is programmed all the same: a block's wordlines have no gaps.
void FtlModel::skip_member(WriteStream& stream, std::uint32_t pu) {
  std::vector<std::uint32_t>& skipped = superblocks_[stream.superblock].skipped;
  skipped.push_back(pu);
  const std::uint32_t first = layout_.group_of(pu) * config_.rain, parity = layout_.parity_of(layout_.group_of(pu));
  if (pu - first != config_.rain - 1 || skipped.size() < config_.rain || skipped[skipped.size() - config_.rain] != first) return;
  if (!dead(layout_.die_of(parity))) stream.waiting.push_back(take_slot(stream, stream.superblock, parity, false, true));
}

/// Nothing more comes to the group being programmed, though its last member was left out.
bool FtlModel::group_over(const WriteStream& stream) const {
  if (stream.waiting_head != stream.waiting.size()) return false;
  const Slot& parity = slots_[stream.parity];
  const std::uint64_t end = (layout_.group_of(parity.pu) + std::uint64_t{1}) * config_.rain * layout_.program_unit();
  return parity.superblock != stream.superblock || stream.next * unit_ >= end;
}

/// Where a program unit's share of its group's parity is to be had.
FtlModel::Member FtlModel::member(std::uint32_t superblock, std::uint32_t pu) const {
  const Superblock& sb = superblocks_[superblock];
  const bool parity = pu >= layout_.data_program_units();
  if (const std::uint32_t slot = sb.slots.empty() ? 0 : sb.slots[pu]; slot != 0)
    return parity || slots_[slot].issued ? Member::buffered : Member::zero;
  if (!parity) {
    std::uint64_t next = layout_.units();
    for (const WriteStream& s : streams_) {
      if (s.superblock == superblock) next = s.next;
    }
    if (pu * layout_.program_unit() >= next * unit_ || std::ranges::binary_search(sb.skipped, pu)) return Member::zero;
  }
  return dead(layout_.die_of(pu)) ? Member::gone : Member::flash;
}

/// Reads the others of a read's group in its place; false: another one is lost, too. The superblock is pinned for `op`.
bool FtlModel::rebuild(nand::Op& op, Time now) {
  if (static_cast<OpOwner>(op.tag & 0xffU) == OpOwner::rebuild) return false;
  const auto superblock = static_cast<std::uint32_t>(op.tag >> 8U);
  std::uint32_t lost = 0;
  std::uint64_t in_pu = 0;
  layout_.locate(op, lost, in_pu);
  const std::uint32_t group = layout_.group_of(lost), first = group * config_.rain;
  const auto pu_of = [&](std::uint32_t i) { return i == config_.rain ? layout_.parity_of(group) : first + i; };
  for (std::uint32_t i = 0; i <= config_.rain; ++i) {
    if (pu_of(i) != lost && member(superblock, pu_of(i)) == Member::gone) return false;
  }
  Rebuild& r = rebuilds_.take();
  r.op = &op;
  r.pieces = 1;  // this call
  r.failed = false;
  r.stream = {now, now};
  const std::uint64_t size = op.size.count;
  if (data_mode_) {
    r.bytes.assign(size, 0);
    r.members.resize(config_.rain + 1);
  }
  ++counts_.rebuilds;
  for (std::uint32_t i = 0; i <= config_.rain; ++i) {
    const std::uint32_t pu = pu_of(i);
    if (pu == lost) continue;
    const Member where = member(superblock, pu);
    if (where == Member::buffered && data_mode_) add(r.bytes.data(), slots_[superblocks_[superblock].slots[pu]].data.get() + in_pu, size);
    if (where != Member::flash) continue;
    nand::Op& read = take_op(OpOwner::rebuild, &r, 0);
    layout_.read(read, superblock, pu, in_pu, size);
    if (data_mode_) {
      r.members[i].resize(size);
      read.data = r.members[i].data();
    }
    read.background = op.background;
    read.journey = op.journey;
    ++r.pieces;
    ++counts_.rebuild_reads;
    issue(read, superblock, now);
  }
  if (--r.pieces == 0) agenda_.post<&FtlModel::rebuilt>(now, this, reinterpret_cast<std::uint64_t>(&r));
  return true;
}

void FtlModel::member_answered(nand::Op& op, Time now) {
  Rebuild& r = *static_cast<Rebuild*>(op.owner);
  r.failed = r.failed || op.status != nand::OpStatus::ok;
  if (op.data != nullptr) add(r.bytes.data(), op.data, op.size.count);
  r.stream.first = std::max(r.stream.first, op.stream.first);
  r.stream.last = std::max(r.stream.last, op.stream.last);
  r.op->journey = op.journey;
  ops_.give(op);
  if (--r.pieces == 0) rebuilt(now, reinterpret_cast<std::uint64_t>(&r));
}

void FtlModel::rebuilt(Time now, std::uint64_t arg) {
  Rebuild& r = *reinterpret_cast<Rebuild*>(arg);
  nand::Op& op = *r.op;
  op.stream = r.stream;
  op.status = r.failed ? nand::OpStatus::uncorrectable : nand::OpStatus::ok;
  op.dead = false;
  if (!r.failed && op.data != nullptr) std::ranges::copy(r.bytes, op.data);
  ++(r.failed ? counts_.rebuild_failures : counts_.rebuilds_done);
  if (!r.failed) counts_.rebuilt += op.size.count;
  rebuilds_.give(r);
  dispatch(op, now);
}

}  // namespace flashpath::ftl

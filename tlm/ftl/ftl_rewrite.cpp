// SPDX-License-Identifier: Apache-2.0
// Writes of part of a mapping unit: new bytes at once, old bytes behind the answer.
#include <algorithm>
#include <cstring>

#include "ftl/ftl_model.h"
#include "ftl/ftl_pieces.h"

namespace flashpath::ftl {

bool FtlModel::filling(std::uint64_t unit, std::uint64_t count) const {
  return std::ranges::any_of(fills_, [&](const auto& f) { return f->active && f->unit >= unit && f->unit < unit + count; });
}

/// Places `unit` with new bytes [begin, end) from `from`; false: no superblock to place it in.
bool FtlModel::rewrite(WriteStream& stream, bool host, std::uint64_t unit, std::uint64_t begin, std::uint64_t end,
                       const unsigned char* from, Time now) {
  if (!open(stream, host)) return false;
  if (dead_dies_ != 0 && skip_dead(stream, host, 1) == 0) return false;
  auto spare = std::ranges::find_if(fills_, [](const auto& f) { return !f->active; });
  if (spare == fills_.end()) spare = fills_.insert(spare, std::make_unique<Fill>());
  Fill& fill = **spare;
  fill.unit = unit;
  fill.begin = begin;
  fill.end = end;
  fill.lost = !lost_.empty() && lost(unit, unit);  // what is not written now stays lost
  if (data_mode_) fill.old.resize(unit_);
  ++counts_.rewrites;
  fill.pieces = fetch(unit * unit_, unit_, data_mode_ ? fill.old.data() : nullptr, OpOwner::fill, &fill, Journey{now}, now);
  if (from != nullptr) {
    scratch_.assign(fill.old.begin(), fill.old.end());
    std::memcpy(scratch_.data() + begin, from, end - begin);
  }
  const std::uint32_t superblock = stream.superblock;
  fill.position = layout_.first_of(superblock) + stream.next;
  place(stream, host, unit, 1, from == nullptr ? nullptr : scratch_.data());
  if (fill.pieces == 0) {
    if (fill.lost) lose(unit, 1);
    return true;
  }
  fill.active = true;
  ++active_fills_;
  for_each_piece(
      layout_, (fill.position - layout_.first_of(superblock)) * unit_, unit_,
      [&](std::uint32_t pu, std::uint64_t, std::uint64_t, std::uint64_t) { ++slots_[superblocks_[superblock].slots[pu]].fills; });
  return true;
}

/// The old bytes are here.
void FtlModel::fill_done(Fill& fill, Time now) {
  const std::uint32_t superblock = layout_.superblock_of(fill.position);
  const std::uint64_t offset = (fill.position - layout_.first_of(superblock)) * unit_;
  for_each_piece(layout_, offset, unit_, [&](std::uint32_t pu, std::uint64_t in_pu, std::uint64_t n, std::uint64_t done) {
    Slot& slot = slots_[superblocks_[superblock].slots[pu]];
    --slot.fills;
    if (!data_mode_) return;
    const auto copy = [&](std::uint64_t from, std::uint64_t to) {  // of the unit, cut to this piece
      from = std::max(from, done);
      to = std::min(to, done + n);
      if (from < to) std::memcpy(slot.data.get() + in_pu + (from - done), fill.old.data() + from, to - from);
    };
    copy(0, fill.begin);
    copy(fill.end, unit_);
  });
  fill.active = false;
  if (fill.lost && mapping_.at(fill.unit) == fill.position) lose(fill.unit, 1);
  --active_fills_;
  for (WriteStream& stream : streams_) issue_programs(stream, now);
  retry_reads(now);
  pump(now);
}

void FtlModel::retry_reads(Time now) {
  if (read_waits_.empty()) return;
  std::vector<Job*> waits;
  waits.swap(read_waits_);
  for (Job* job : waits) looked_up(now, reinterpret_cast<std::uint64_t>(job));
}

}  // namespace flashpath::ftl

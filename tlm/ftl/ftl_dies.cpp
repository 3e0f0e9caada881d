// SPDX-License-Identifier: Apache-2.0
// Dies that have died: nothing is written to them any more, what was on them is lost, what was on the way goes elsewhere.
//
// A die is dead from its first operation that says so (a dead plane takes its die along for writing: program units span all
// planes; reads of the other planes still work). Program units on it are left out of every superblock; superblocks shrink by
// one die's share. When what is left cannot hold the capacity and the spare superblocks, the drive becomes read-only.
#include <algorithm>

#include "base/error.h"
#include "ftl/ftl_model.h"

namespace flashpath::ftl {

void FtlModel::die_failed(nand::Op& op, Time now) {
  // Else units would lie on two dies: faults are refused there (platform/faults.h).
  invariant(layout_.program_unit() % unit_ == 0, "a dead die under mapping units that do not divide a program unit", "ftl", now);
  if (dead_.empty()) dead_.resize(layout_.dies());
  if (!dead_[op.die.value]) {
    dead_[op.die.value] = true;
    ++dead_dies_;
    const std::uint64_t spare = streams_.size() + config_.gc_victims + config_.gc_low;
    const std::uint64_t left = (usable_ - std::min(usable_, spare)) * (layout_.units() * (layout_.dies() - dead_dies_) / layout_.dies());
    read_only_ = read_only_ || left < mapping_.units();
    health_changed(now);
  }
  if (static_cast<OpOwner>(op.tag & 0xffU) == OpOwner::program) save_units(slots_[op.tag2]);
  if (op.kind != nand::OpKind::read) op.status = nand::OpStatus::ok;  // nothing of it is used again
}

/// The newest units of a program unit that could not be programmed wait for a place elsewhere; the host waits for them.
void FtlModel::save_units(const Slot& slot) {
  if (slot.parity) return;
  const std::uint64_t per_pu = layout_.program_unit() / unit_, first = slot.pu * per_pu;
  Runs::Cursor cursor;
  std::uint64_t index = 0;
  for (Run run; next_run(slot.superblock, cursor, run) && index < first + per_pu; index += run.count) {
    if (run.first == Run::hole) continue;
    for (std::uint64_t i = std::max(index, first); i < std::min(index + run.count, first + per_pu); ++i) {
      const std::uint64_t unit = run.first + (i - index);
      if (mapping_.at(unit) != layout_.first_of(slot.superblock) + i) continue;
      mapping_.replace(unit, 1, nowhere, [this](Position p, std::uint64_t n) { dropped(p, n); });
      if (read_only_) {
        lost_.insert(unit);
        ++counts_.lost_units;
        continue;
      }
      DumpedUnit saved{.unit = unit, .stream = slot.stream, .end = unit_, .bytes = {}};
      if (spare_area_) saved.sequence = spare_area_->next();
      if (data_mode_) saved.bytes.assign(slot.data.get() + (i - first) * unit_, slot.data.get() + (i - first + 1) * unit_);
      restoring_.push_back(std::move(saved));
      ++counts_.rewritten;
    }
  }
}

/// Moves the stream past program units of dead dies; returns how many of `count` units may follow in one piece (0: no superblock).
std::uint64_t FtlModel::skip_dead(WriteStream& stream, bool host, std::uint64_t count) {
  const std::uint64_t per_pu = layout_.program_unit() / unit_;
  for (;;) {
    const std::uint64_t in_pu = stream.next % per_pu;
    std::uint64_t pu = stream.next / per_pu;
    if (in_pu != 0 || !dead_[layout_.die_of(static_cast<std::uint32_t>(pu))]) {
      std::uint64_t n = per_pu - in_pu;
      while (n < count && !dead_[layout_.die_of(static_cast<std::uint32_t>(++pu))]) n += per_pu;
      return std::min(n, count);
    }
    if (dead_dies_ == layout_.dies()) return 0;
    superblocks_[stream.superblock].runs.append(Run::hole, per_pu);
    if (config_.rain != 0) skip_member(stream, static_cast<std::uint32_t>(pu));
    stream.next += per_pu;
    if (stream.next >= layout_.units()) {
      close(stream);
      if (!open(stream, host)) return 0;
    }
    count = std::min(count, layout_.units() - stream.next);
  }
}

std::uint64_t FtlModel::lose(std::uint64_t unit, std::uint64_t count) {
  mapping_.replace(unit, count, nowhere, [this](Position p, std::uint64_t n) { dropped(p, n); });
  for (std::uint64_t i = 0; i < count; ++i) lost_.insert(unit + i);
  counts_.lost_units += count;
  return count;
}

/// Written or trimmed: there is something to read again.
void FtlModel::found(std::uint64_t unit, std::uint64_t count) { lost_.erase(lost_.lower_bound(unit), lost_.lower_bound(unit + count)); }

bool FtlModel::lost(std::uint64_t first, std::uint64_t last) const {
  const auto at = lost_.lower_bound(first);
  return at != lost_.end() && *at <= last;
}

}  // namespace flashpath::ftl

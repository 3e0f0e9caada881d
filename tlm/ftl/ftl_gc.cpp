// SPDX-License-Identifier: Apache-2.0
// Garbage collection: one victim at a time; live units are read, looked up again, and appended to a stream of their own.
#include <algorithm>

#include "base/error.h"
#include "ftl/ftl_model.h"

namespace flashpath::ftl {

/// Starts, continues or ends collecting, as the free superblocks say.
void FtlModel::collect(Time now) {
  if (free_ + erasing_ <= config_.gc_low) collecting_ = true;
  if (free_ + erasing_ >= config_.gc_high) collecting_ = false;
  for (;;) {
    if (victim_ == no_superblock && !(collecting_ && choose_victim())) return;
    start_moves(now);
    if (!try_erase(now)) return;
    if (free_ + erasing_ >= config_.gc_high) collecting_ = false;
  }
}

/// Greedy: the fewest valid units; on ties the least worn, then the lowest number. False: nothing to gain anywhere.
bool FtlModel::choose_victim() {
  std::uint64_t least = layout_.units();
  for (std::uint32_t i = 0; i < superblocks_.size(); ++i) {
    const Superblock& sb = superblocks_[i];
    if (sb.state != SuperblockState::closed || sb.valid > least || sb.valid == layout_.units()) continue;
    if (sb.valid == least && victim_ != no_superblock && sb.erases >= superblocks_[victim_].erases) continue;
    least = sb.valid;
    victim_ = i;
  }
  if (victim_ == no_superblock) return false;
  superblocks_[victim_].state = SuperblockState::collecting;
  victim_cursor_ = {};
  victim_run_ = {};
  victim_in_run_ = victim_index_ = 0;
  ++counts_.gc_victims;
  return true;
}

/// What was written to a superblock, run by run.
bool FtlModel::next_run(std::uint32_t superblock, Runs::Cursor& cursor, Run& run) const {
  const Superblock& sb = superblocks_[superblock];
  if (!sb.as_started) return sb.runs.next(cursor, run);
  if (cursor.index == layout_.units()) return false;
  run = {mapping_.start().unit(superblock, cursor.index++), 1};
  return true;
}

bool FtlModel::more_runs(std::uint32_t superblock, const Runs::Cursor& cursor) const {
  const Superblock& sb = superblocks_[superblock];
  return sb.as_started ? cursor.index != layout_.units() : sb.runs.more(cursor);
}

void FtlModel::start_moves(Time now) {
  const std::uint32_t most = superblock_wait_since_ != never ? config_.gc_moves_urgent : config_.gc_moves;
  const std::uint64_t longest = std::max<std::uint64_t>(1, layout_.stripe() / unit_);
  while (moving_ < most && gc_slots_ <= layout_.dies()) {
    if (victim_in_run_ == victim_run_.count) {
      if (!next_run(victim_, victim_cursor_, victim_run_)) break;
      victim_in_run_ = 0;
    }
    const std::uint64_t left = victim_run_.count - victim_in_run_;
    std::uint64_t n = left;
    if (victim_run_.first != Run::hole) {
      const std::uint64_t unit = victim_run_.first + victim_in_run_;
      const Mapping::Extent e = mapping_.find(unit, left);
      n = e.count;
      if (const Position here = layout_.first_of(victim_) + victim_index_; e.position == here) {
        n = std::min(n, longest);
        Move& move = moves_.take();
        move.unit = unit;
        move.position = here;
        move.count = n;
        move.placed = 0;
        if (data_mode_) move.bytes.resize(n * unit_);
        ++moving_;
        move.pieces = fetch(unit * unit_, n * unit_, data_mode_ ? move.bytes.data() : nullptr, OpOwner::move, &move, Journey{now}, now);
      }
    }
    victim_in_run_ += n;
    victim_index_ += n;
  }
}

/// The units are here.
void FtlModel::move_done(Move& move, Time now) {
  if (!move_waits_.empty() || !finish_move(move, now)) move_waits_.push_back(&move);
  collect(now);
}

/// Appends what is still live; false: there is no superblock to append to.
bool FtlModel::finish_move(Move& move, Time now) {
  WriteStream& stream = streams_.back();
  while (move.placed < move.count) {
    const Mapping::Extent e = mapping_.find(move.unit + move.placed, move.count - move.placed);
    std::uint64_t n = e.count;
    if (e.position == move.position + move.placed) {
      n = place(stream, false, move.unit + move.placed, n, data_mode_ ? move.bytes.data() + move.placed * unit_ : nullptr);
      if (n == 0) break;
      counts_.gc_moved += n * unit_;
    }
    move.placed += n;
  }
  issue_programs(stream, now);
  if (move.placed < move.count) return false;
  --moving_;
  moves_.give(move);
  return true;
}

/// Erases the victim when nothing of it is left and nobody reads it. True: the next victim may be chosen.
bool FtlModel::try_erase(Time now) {
  Superblock& sb = superblocks_[victim_];
  if (victim_in_run_ != victim_run_.count || more_runs(victim_, victim_cursor_) || moving_ != 0 || sb.pins != 0) return false;
  if (!may_erase(now)) return false;
  invariant(sb.valid == 0, "a superblock with valid units is erased", "ftl", now);
  const std::uint32_t superblock = victim_;
  victim_ = no_superblock;
  start_erase(superblock, now);
  return true;
}

void FtlModel::start_erase(std::uint32_t superblock, Time now) {
  superblocks_[superblock].state = SuperblockState::erasing;
  ++erasing_;
  erases_left_[superblock] = layout_.dies();
  for (std::uint32_t die = 0; die < layout_.dies(); ++die) {
    nand::Op& op = take_op(OpOwner::erase, nullptr, 0);
    layout_.erase(op, superblock, die);
    op.journey = Journey{now};
    issue(op, now);
  }
}

void FtlModel::unpin(std::uint32_t superblock, Time now) {
  if (--superblocks_[superblock].pins == 0 && superblock == victim_) collect(now);
}

void FtlModel::erased(std::uint32_t superblock, Time now) {
  if (--erases_left_[superblock] != 0) return;
  Superblock& sb = superblocks_[superblock];
  sb.state = SuperblockState::free;
  ++sb.erases;
  sb.runs.clear();
  if (spare_area_) spare_area_->erased(superblock);
  sb.as_started = false;
  --erasing_;
  ++free_;
  while (!move_waits_.empty() && finish_move(*move_waits_.front(), now)) move_waits_.erase(move_waits_.begin());
  pump(now);
}

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
// Live units leave a victim: read, looked up again, appended to garbage collection's stream. And what host writes may do
// meanwhile (gc_pacing).
#include <algorithm>

#include "ftl/ftl_model.h"
#include "ftl/ftl_pieces.h"

namespace flashpath::ftl {

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

/// Reads what is live, as far as moves may be in flight. Units that lie side by side in a stripe are one read.
void FtlModel::start_moves(Victim& v, Time now) {
  const std::uint32_t most = superblock_wait_since_ != never || pacing_wait_since_ != never ? config_.gc_moves_urgent : config_.gc_moves;
  const std::uint64_t stripe = std::max<std::uint64_t>(1, layout_.stripe() / unit_);
  // A program unit per die, and one being filled per stream: those alone may not stop moves, they wait for what moves bring.
  const std::uint64_t slots = layout_.dies() + streams_.size() - config_.write_streams;
  Move* move = nullptr;
  for (;;) {
    if (move == nullptr && (moving_ >= most || gc_slots_ >= slots)) return;
    if (v.in_run == v.run.count) {
      if (!next_run(v.superblock, v.cursor, v.run)) break;
      v.in_run = 0;
    }
    std::uint64_t n = v.run.count - v.in_run;
    const std::uint64_t left = std::min(n, stripe - v.index % stripe);  // in this stripe
    bool live = false;
    if (v.run.first != Run::hole) {
      const std::uint64_t unit = v.run.first + v.in_run;
      const Mapping::Extent e = mapping_.find(unit, n);
      n = e.count;
      if (const Position here = layout_.first_of(v.superblock) + v.index; e.position == here) {
        live = true;
        n = std::min(n, left);
        if (move == nullptr) {
          move = &moves_.take();
          move->victim = v.superblock;
          move->position = here;
          move->count = 0;
          move->runs.clear();
        }
        move->runs.push_back({unit, n});
        move->count += n;
      }
    }
    v.in_run += n;
    v.index += n;
    if (move != nullptr && (!live || v.index % stripe == 0)) {
      start_move(*move, now);
      move = nullptr;
    }
  }
  if (move != nullptr) start_move(*move, now);
}

void FtlModel::start_move(Move& move, Time now) {
  move.run = 0;
  move.in_run = move.placed = 0;
  move.lost = false;
  move.pieces = 0;
  if (data_mode_) move.bytes.resize(move.count * unit_);
  ++moving_;
  ++victim(move.victim).moving;
  for_each_piece(layout_, (move.position - layout_.first_of(move.victim)) * unit_, move.count * unit_,
                 [&](std::uint32_t pu, std::uint64_t in_pu, std::uint64_t n, std::uint64_t done) {
                   nand::Op& op = take_op(OpOwner::move, &move, 0);
                   layout_.read(op, move.victim, pu, in_pu, n);
                   op.data = data_mode_ ? move.bytes.data() + done : nullptr;
                   op.journey = Journey{now};
                   ++move.pieces;
                   issue(op, move.victim, now);
                 });
}

/// The units are here.
void FtlModel::move_done(Move& move, Time now) {
  if (!move_waits_.empty() || !finish_move(move, now)) move_waits_.push_back(&move);
  if (pacing_wait_since_ != never) pump(now);
  else collect(now);
}

/// Appends what is still live; false: there is no superblock to append to.
bool FtlModel::finish_move(Move& move, Time now) {
  WriteStream& stream = gc_stream(move.victim);
  while (move.run < move.runs.size()) {
    const Run run = move.runs[move.run];
    const std::uint64_t unit = run.first + move.in_run, left = run.count - move.in_run;
    const Mapping::Extent e = mapping_.find(unit, left);
    std::uint64_t n = e.count;
    if (e.position == move.position + move.placed) {
      n = move.lost ? lose(unit, n) : place(stream, false, unit, n, data_mode_ ? move.bytes.data() + move.placed * unit_ : nullptr);
      if (n == 0) break;
      if (!move.lost) counts_.gc_moved += n * unit_;
    }
    move.placed += n;
    move.in_run += n;
    if (move.in_run == run.count) {
      ++move.run;
      move.in_run = 0;
    }
  }
  issue_programs(stream, now);
  if (cache_) change_map(now);
  if (move.run < move.runs.size()) return false;
  Victim& v = victim(move.victim);
  --v.moving;
  earn(v, move.count);
  --moving_;
  moves_.give(move);
  return true;
}

/// There is a superblock again.
void FtlModel::resume_moves(Time now) {
  while (!move_waits_.empty() && finish_move(*move_waits_.front(), now)) move_waits_.erase(move_waits_.begin());
}

/// `units` of what was live in the victim are out of it: host writes may place their share of what it frees. Never more
/// than a superblock is saved up.
void FtlModel::earn(Victim& v, std::uint64_t units) {
  v.moved = std::min(v.live, v.moved + units);
  const std::uint64_t earned = v.live == 0 ? v.gain : static_cast<std::uint64_t>(static_cast<Wide>(v.gain) * v.moved / v.live);
  credit_ = std::min(credit_ + (earned - v.earned), layout_.units());
  v.earned = earned;
}

/// How many of these units a host write may place now.
std::uint64_t FtlModel::allowed(std::uint64_t units) const {
  const bool paced = config_.gc_pacing == GcPacing::tokens && collecting_ && !victims_.empty();
  return paced ? std::min(units, credit_) : units;
}

}  // namespace flashpath::ftl

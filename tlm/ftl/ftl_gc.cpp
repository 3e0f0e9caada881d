// SPDX-License-Identifier: Apache-2.0
// Garbage collection: when, from which superblock, and its erase. How live units move: ftl_move.cpp.
#include <algorithm>

#include "base/error.h"
#include "ftl/ftl_model.h"

namespace flashpath::ftl {

/// Starts, continues or ends collecting, as the free superblocks say.
void FtlModel::collect(Time now) {
  if (free_ + erasing_ <= config_.gc_low) collecting_ = true;
  if (free_ + erasing_ >= config_.gc_high) collecting_ = false;
  for (;;) {
    while (victims_.size() < config_.gc_victims && choose_victim(now)) {}
    if (victims_.empty()) return;
    for (std::size_t i = 0; i < victims_.size(); ++i) {
      if (i != 0 && free_ <= config_.gc_victims) break;  // the first must find room, or nothing is ever erased
      start_moves(victims_[i], now);
    }
    if (!try_erase(now)) return;
    if (free_ + erasing_ >= config_.gc_high) collecting_ = false;
  }
}

/// What collection asks for goes before wear levelling, which takes at most one victim in eight.
bool FtlModel::choose_victim(Time now) {
  if (wiping_ != nullptr) return wipe(now);
  if (collecting_ && (victims_.empty() || free_ + erasing_ + victims_.size() < config_.gc_high)) {
    if (const std::uint32_t i = closed_.choose(); i != no_superblock) return pick(i, now);
  }
  while (!wanted_.empty() && victims_.empty() && free_ > config_.gc_victims) {
    const std::uint32_t i = wanted_.front();
    wanted_.erase(wanted_.begin());
    superblocks_[i].wanted = false;
    if (superblocks_[i].state != SuperblockState::closed) continue;
    ++counts_.refresh_victims;
    return pick(i, now);
  }
  if (config_.wear_spread != 0 && victims_.empty() && !levelling_ && free_ > config_.gc_victims &&
      counts_.gc_victims >= 8 * counts_.wear_victims) {
    const std::uint32_t cold = wear_.least_closed();
    if (cold != no_superblock && wear_.most() - superblocks_[cold].erases > config_.wear_spread) {
      levelling_ = true;
      ++counts_.wear_victims;
      return pick(cold, now);
    }
  }
  return false;
}

bool FtlModel::pick(std::uint32_t superblock, Time now) {
  if (collecting_since_ == never) collecting_since_ = now;
  Superblock& sb = superblocks_[superblock];
  closed_.remove(superblock);
  wear_.chosen(superblock);
  sb.state = SuperblockState::collecting;
  Victim& v = victims_.emplace_back();
  v.superblock = superblock;
  v.live = sb.valid;
  v.gain = layout_.units() - sb.valid;
  ++counts_.gc_victims;
  ++counts_.victims_valid[tenth(sb.valid)];
  return true;
}

std::size_t FtlModel::tenth(std::uint64_t valid) const { return std::min<std::uint64_t>(9, valid * 10 / layout_.units()); }

Tenths FtlModel::closed_valid() const {
  Tenths all{};
  for (const Superblock& sb : superblocks_) {
    if (sb.state == SuperblockState::closed) ++all[tenth(sb.valid)];
  }
  return all;
}

Victim& FtlModel::victim(std::uint32_t superblock) { return *std::ranges::find(victims_, superblock, &Victim::superblock); }

/// Erases a victim when nothing of it is left and nobody reads it. True: another one may be chosen.
bool FtlModel::try_erase(Time now) {
  const auto done = std::ranges::find_if(victims_, [this](const Victim& v) {
    const Superblock& sb = superblocks_[v.superblock];
    return v.in_run == v.run.count && !more_runs(v.superblock, v.cursor) && v.moving == 0 && sb.pins == 0;
  });
  if (done == victims_.end() || !may_erase(done->superblock, now)) return false;
  const std::uint32_t superblock = done->superblock;
  invariant(superblocks_[superblock].valid == 0, "a superblock with valid units is erased", "ftl", now);
  earn(*done, done->live);
  victims_.erase(done);
  start_erase(superblock, now);
  return true;
}

void FtlModel::start_erase(std::uint32_t superblock, Time now) {
  superblocks_[superblock].state = SuperblockState::erasing;
  ++erasing_;
  erases_left_[superblock] = layout_.dies() - dead_dies_;
  for (std::uint32_t die = 0; die < layout_.dies(); ++die) {
    if (dead(die)) continue;
    nand::Op& op = take_op(OpOwner::erase, nullptr, 0);
    layout_.erase(op, superblock, die);
    op.journey = Journey{now};
    issue(op, superblock, now);
  }
}

/// The array advises to rewrite it: read disturb or retention near the limit.
void FtlModel::want(std::uint32_t superblock) {
  Superblock& sb = superblocks_[superblock];
  if (sb.wanted || sb.state != SuperblockState::closed) return;
  sb.wanted = true;
  wanted_.push_back(superblock);
}

void FtlModel::unpin(std::uint32_t superblock, Time now) {
  Superblock& sb = superblocks_[superblock];
  if (--sb.pins == 0 && sb.state == SuperblockState::collecting) collect(now);
}

void FtlModel::erased(std::uint32_t superblock, Time now) {
  if (--erases_left_[superblock] != 0) return;
  Superblock& sb = superblocks_[superblock];
  ++sb.erases;
  sb.runs.clear();
  sb.skipped.clear();
  if (spare_area_) spare_area_->erased(superblock);
  sb.as_started = false;
  --erasing_;
  if (whole(superblock, now)) {
    sb.state = SuperblockState::free;
    ++free_;
    wear_.freed(superblock);
  }
  if (wiping_ != nullptr) wiped(now);
  resume_moves(now);
  pump(now);
  if (!victims_.empty() || erasing_ != 0 || collecting_since_ == never) return;
  counts_.gc_busy += now - collecting_since_;
  collecting_since_ = never;
}

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
// Blocks go bad (spare_blocks): spare blocks of the same die take their place, so that superblocks, map and streams stay as they are.
//
//   factory          replaced before time zero
//   program failed   what the block holds is copied wordline by wordline to a spare, then the failed program and those behind
//                    it are issued again there; their data are in the buffer until then, reads of the rest go to the old block
//   erase failed     a spare takes the block's place; without one the superblock is retired and its good blocks become spares
//   no spare left    the least worn free superblock is retired for its blocks; when that would leave too few: read-only
//   uncorrectable    when collection, copying or a rewrite reads it: the units read are lost (ftl_dies.cpp): their reads fail
//                    until they are written again
//   die dies         while one of its blocks is replaced: the data still in the buffer go elsewhere (ftl_dies.cpp)
#include <algorithm>

#include "ftl/ftl_model.h"

namespace flashpath::ftl {

void FtlModel::factory_bad(std::uint32_t die, std::uint32_t block) {
  if (config_.spare_blocks == 0) return;
  ++counts_.bad_blocks;
  if (std::erase(spares_[die], block) != 0 || block >= layout_.superblocks()) return;
  if (spares_[die].empty()) {
    throw UserErrors{"ftl.spare_blocks = " + std::to_string(config_.spare_blocks) + ": die " + std::to_string(die) +
                     " has more bad blocks from the factory"};
  }
  block_of(die, block) = spares_[die].back();
  spares_[die].pop_back();
}

std::uint32_t FtlModel::fewest_spares() const {
  std::size_t fewest = config_.spare_blocks;
  for (const auto& spares : spares_) fewest = std::min(fewest, spares.size());
  return static_cast<std::uint32_t>(fewest);
}

/// A spare block of this die, or none; then the drive takes no more writes.
std::uint32_t FtlModel::take_spare(std::uint32_t die, Time now) {
  if (spares_[die].empty() && free_ > config_.gc_victims + 1 && usable_ > fewest_superblocks()) {
    const std::uint32_t i = wear_.least_free();
    wear_.taken(i);
    --free_;
    retire(i);
  }
  if (spares_[die].empty()) {
    stuck_ = true;
    become_read_only(now);
    return no_superblock;
  }
  const std::uint32_t block = spares_[die].back();
  spares_[die].pop_back();
  health_changed(now);
  return block;
}

/// A superblock without data and a bad block in it (`bad`), or wanted for its blocks.
void FtlModel::retire(std::uint32_t superblock) {
  superblocks_[superblock].state = SuperblockState::retired;
  --usable_;
  for (std::uint32_t die = 0; die < layout_.dies(); ++die) {
    if (block_of(die, superblock) != no_superblock) spares_[die].push_back(block_of(die, superblock));
  }
}

/// `stuck_`: flushes under way will not end either.
void FtlModel::become_read_only(Time now) {
  read_only_ = true;
  health_changed(now);
  superblock_wait_since_ = pacing_wait_since_ = never;
  if (!stuck_) {
    pump(now);
    return;
  }
  for (const DumpedUnit& u : restoring_) lost_.insert(u.unit);
  counts_.lost_units += restoring_.size();
  restoring_.clear();
  retry_reads(now);
  for (Job* job : flushing_) {
    job->request->status = RequestStatus::write_fault;
    agenda_.post<&FtlModel::answer_later>(look_up(1, config_.write_latency, now), this, reinterpret_cast<std::uint64_t>(job));
  }
  flushing_.clear();
  pump(now);
}

Relocation* FtlModel::relocation(std::uint32_t superblock, std::uint32_t die) {
  for (const auto& r : relocations_) {
    if (r->superblock == superblock && r->die == die) return r.get();
  }
  return nullptr;
}

void FtlModel::program_failed(nand::Op& op, std::uint32_t superblock, Time now) {
  ++counts_.bad_blocks;
  auto& r = *relocations_.emplace_back(std::make_unique<Relocation>());
  r.superblock = superblock;
  r.die = op.die.value;
  r.end = op.page.value / layout_.bits();
  for (const Slot& slot : slots_) {
    if (slot.issued && slot.superblock == superblock && slot.pu % layout_.dies() == r.die) ++r.outstanding;
  }
  hold(r, op, now);
  r.to = take_spare(r.die, now);
  if (r.to != no_superblock) copy_next(r, now);
}

/// Programs given to the old block come back one by one.
void FtlModel::hold(Relocation& r, nand::Op& op, Time now) {
  r.held.push_back(&op);
  if (--r.outstanding == 0 && r.to != no_superblock && r.wordline == r.end) copy_next(r, now);
}

void FtlModel::copy_next(Relocation& r, Time now) {
  if (dead(r.die)) {
    r.end = r.wordline;
    if (r.outstanding == 0) abandon(r, now);
    return;
  }
  const std::uint32_t pu = r.wordline * layout_.dies() + r.die;
  if (r.wordline < r.end) {
    if (data_mode_) r.bytes.resize(layout_.program_unit());
    r.pieces = layout_.bits();
    for (std::uint32_t type = 0; type < layout_.bits(); ++type) {
      nand::Op& op = take_op(OpOwner::copy_read, &r, 0);
      layout_.read(op, r.superblock, pu, type * layout_.stripe(), layout_.stripe());
      op.data = data_mode_ ? r.bytes.data() + type * layout_.stripe() : nullptr;
      op.background = true;
      op.journey = Journey{now};
      issue(op, r.superblock, now);
    }
    return;
  }
  if (r.outstanding != 0) return;
  block_of(r.die, r.superblock) = r.to;
  std::vector<nand::Op*> held = std::move(r.held);
  std::ranges::sort(held, {}, [](const nand::Op* op) { return op->page.value; });
  const std::uint32_t superblock = r.superblock;
  std::erase_if(relocations_, [&](const auto& other) { return other.get() == &r; });
  for (nand::Op* op : held) {
    op->journey = Journey{now};
    issue(*op, superblock, now);
  }
}

/// The die has died meanwhile: what was to be programmed goes elsewhere, as ftl_dies.cpp says.
void FtlModel::abandon(Relocation& r, Time now) {
  const std::vector<nand::Op*> held = std::move(r.held);
  std::erase_if(relocations_, [&](const auto& other) { return other.get() == &r; });
  for (nand::Op* op : held) {
    const auto slot = static_cast<std::uint32_t>(op->tag2);
    save_units(slots_[slot]);
    programming_ += op->size.count;  // given back by program_done()
    counts_.flash_programmed += op->size.count;
    ops_.give(*op);
    program_done(slot, now);
  }
}

void FtlModel::copied(nand::Op& op, Time now) {
  Relocation& r = *static_cast<Relocation*>(op.owner);
  if (op.kind == nand::OpKind::read) {
    if (op.status != nand::OpStatus::ok && !dead(r.die)) lose_stripe(r, op.page.value % layout_.bits());
    ops_.give(op);
    if (--r.pieces != 0) return;
    if (dead(r.die)) {
      copy_next(r, now);
      return;
    }
    nand::Op& program = take_op(OpOwner::copy_program, &r, 0);
    layout_.program(program, r.superblock, r.wordline * layout_.dies() + r.die);
    program.data = data_mode_ ? r.bytes.data() : nullptr;
    program.background = true;
    program.journey = Journey{now};
    issue(program, r.superblock, now);
    return;
  }
  const bool failed = op.status != nand::OpStatus::ok;
  ops_.give(op);
  programming_ -= layout_.program_unit();
  if (!failed) {  // a dead die's, too: copy_next() ends it
    counts_.copied += layout_.program_unit();
    ++r.wordline;
    copy_next(r, now);
    return;
  }
  counts_.failed += layout_.program_unit();
  ++counts_.bad_blocks;
  r.wordline = 0;
  r.to = take_spare(r.die, now);
  if (r.to != no_superblock) copy_next(r, now);
}

void FtlModel::erase_failed(std::uint32_t superblock, std::uint32_t die, Time now) {
  ++counts_.bad_blocks;
  std::uint32_t& block = block_of(die, superblock);
  block = no_superblock;
  if (spares_[die].empty()) return;
  block = spares_[die].back();
  spares_[die].pop_back();
  health_changed(now);
}

/// After an erase: false, and retired, if some die has no block for it.
bool FtlModel::whole(std::uint32_t superblock, Time now) {
  if (config_.spare_blocks == 0) return true;
  for (std::uint32_t die = 0; die < layout_.dies(); ++die) {
    if (block_of(die, superblock) != no_superblock) continue;
    retire(superblock);
    if (usable_ < fewest_superblocks()) become_read_only(now);
    return false;
  }
  return true;
}

/// A stripe that was to be copied cannot be read.
void FtlModel::lose_stripe(const Relocation& r, std::uint32_t type) {
  const std::uint64_t from =
      (std::uint64_t{r.wordline} * layout_.dies() + r.die) * layout_.program_unit() + std::uint64_t{type} * layout_.stripe();
  const std::uint64_t first = from / unit_, last = std::min(ceil_div(from + layout_.stripe(), unit_), layout_.units());
  Runs::Cursor cursor;
  std::uint64_t index = 0;
  for (Run run; next_run(r.superblock, cursor, run) && index < last; index += run.count) {
    if (run.first == Run::hole) continue;
    for (std::uint64_t i = std::max(index, first); i < std::min(index + run.count, last); ++i) {
      const std::uint64_t unit = run.first + (i - index);
      if (mapping_.at(unit) == layout_.first_of(r.superblock) + i) lose(unit, 1);
    }
  }
}

}  // namespace flashpath::ftl

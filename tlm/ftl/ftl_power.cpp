// SPDX-License-Identifier: Apache-2.0
// Power loss and recovery: what is found, and a map built from nothing else.
#include "ftl/ftl_power.h"

#include <algorithm>

#include "base/error.h"
#include "ftl/ftl_model.h"

namespace flashpath::ftl {

void SpareArea::wrote(std::uint32_t superblock, std::uint64_t index, std::uint64_t unit, std::uint64_t count) {
  std::vector<SpareRun>& runs = runs_[superblock];
  const std::uint64_t first = sequence_ + 1;
  sequence_ += count;
  if (!runs.empty()) {
    SpareRun& last = runs.back();
    if (last.index + last.count == index && last.unit + last.count == unit && last.sequence + last.count == first) {
      last.count += count;
      return;
    }
  }
  runs.push_back({index, unit, first, count});
}

void SpareArea::trimmed(std::uint64_t unit, std::uint64_t count) { trims_.push_back({unit, count, ++sequence_}); }

void SpareArea::erased(std::uint32_t superblock) {
  std::vector<SpareRun>{}.swap(runs_[superblock]);
  if (trims_.empty()) return;
  std::uint64_t oldest = sequence_ + 1;
  for (const auto& runs : runs_) {
    for (const SpareRun& run : runs) oldest = std::min(oldest, run.sequence);
  }
  std::erase_if(trims_, [&](const TrimRecord& t) { return t.sequence < oldest; });
}

/// The drive as it starts: what is there already was written in order of place.
void FtlModel::keep_spare_area() {
  spare_area_ = std::make_unique<SpareArea>(layout_.superblocks());
  for (std::uint32_t i = 0; i < superblocks_.size(); ++i) {
    std::uint64_t index = 0;
    Runs::Cursor cursor;
    for (Run run; next_run(i, cursor, run); index += run.count) {
      for (std::uint64_t in = 0; in < run.count && run.first != Run::hole;) {
        const Mapping::Extent e = mapping_.find(run.first + in, run.count - in);
        if (e.position == layout_.first_of(i) + index + in) spare_area_->wrote(i, index + in, run.first + in, e.count);
        in += e.count;
      }
    }
  }
}

Persistent FtlModel::power_loss(const FindBlock& find_block) const {
  invariant(spare_area_ != nullptr, "power_loss() needs ftl.recoverable", "ftl");
  const std::uint64_t per_pu = layout_.program_unit() / unit_;
  Persistent p;
  p.superblocks.resize(superblocks_.size());
  p.sequence = spare_area_->sequence();
  std::vector<FoundBlock> blocks(layout_.dies());
  const auto programmed = [&](std::uint64_t pu) { return pu / layout_.dies() < blocks[pu % layout_.dies()].programmed; };
  for (std::uint32_t i = 0; i < superblocks_.size(); ++i) {
    Persistent::Found& found = p.superblocks[i];
    found.state = superblocks_[i].state;
    found.erases = superblocks_[i].erases;
    for (std::uint32_t s = 0; s < streams_.size(); ++s) {
      if (streams_[s].superblock == i) found.stream = s;
    }
    if (found.state == SuperblockState::free) continue;
    for (std::uint32_t d = 0; d < layout_.dies(); ++d) {
      const FoundBlock& b = blocks[d] = find_block(nand::DieId{static_cast<std::uint16_t>(d)}, nand::BlockId{i});
      const std::uint32_t begun = b.programmed + (b.torn_program ? 1U : 0U);
      found.dirty = found.dirty || begun != 0 || b.torn_erase;
      if (begun != 0) found.started = std::max(found.started, (begun - 1) * layout_.dies() + d + 1);
    }
    for (std::uint32_t pu = 0; pu < found.started; ++pu) {
      const FoundBlock& b = blocks[pu % layout_.dies()];
      if (pu / layout_.dies() >= b.programmed + (b.torn_program ? 1U : 0U)) found.skipped.push_back(pu);
    }
    for (const SpareRun& run : spare_area_->runs(i)) {
      for (std::uint64_t in = 0; in < run.count;) {
        const std::uint64_t pu = (run.index + in) / per_pu;
        const std::uint64_t n = std::min(run.count - in, (pu + 1) * per_pu - run.index - in);
        if (programmed(pu) && !blocks[pu % layout_.dies()].torn_erase)
          found.runs.push_back({run.index + in, run.unit + in, run.sequence + in, n});
        in += n;
      }
    }
  }
  save_buffer(p);
  for (const TrimRecord& t : spare_area_->trims()) {
    if (config_.power_loss_protection || t.sequence <= journalled_) p.trims.push_back(t);
  }
  return p;
}

/// The newest versions in the write buffer go to the dump, or are counted as lost.
void FtlModel::save_buffer(Persistent& p) const {
  const std::uint64_t per_pu = layout_.program_unit() / unit_;
  for (const Slot& slot : slots_) {
    if (slot.superblock == no_superblock) continue;
    for (const SpareRun& run : spare_area_->runs(slot.superblock)) {
      const std::uint64_t from = std::max<std::uint64_t>(run.index, slot.pu * per_pu);
      const std::uint64_t to = std::min<std::uint64_t>(run.index + run.count, (slot.pu + 1) * per_pu);
      for (std::uint64_t index = from; index < to; ++index) {
        DumpedUnit u{.unit = run.unit + (index - run.index), .sequence = run.sequence + (index - run.index), .end = unit_, .bytes = {}};
        const Position position = layout_.first_of(slot.superblock) + index;
        if (mapping_.at(u.unit) != position) continue;
        const Persistent::Found& found = p.superblocks[slot.superblock];
        const bool there =
            std::ranges::any_of(found.runs, [&](const SpareRun& r) { return index >= r.index && index < r.index + r.count; });
        if (there) continue;
        if (!config_.power_loss_protection) {
          p.lost += slot.host ? 1 : 0;
          continue;
        }
        for (const auto& f : fills_) {
          if (f->active && f->position == position) {
            u.begin = f->begin;
            u.end = f->end;
          }
        }
        u.stream = slot.stream;
        if (data_mode_) {
          const unsigned char* const from_slot = slot.data.get() + (index - slot.pu * per_pu) * unit_;
          u.bytes.assign(from_slot + u.begin, from_slot + u.end);
        }
        p.dump.push_back(std::move(u));
      }
    }
  }
  p.dump.insert(p.dump.end(), restoring_.begin(), restoring_.end());
  std::ranges::sort(p.dump, {}, &DumpedUnit::sequence);
}

Recovery FtlModel::recover(const Persistent& p, Time now) {
  invariant(spare_area_ != nullptr, "recover() needs ftl.recoverable", "ftl");
  invariant(counts_.submitted == 0, "recover() is the first thing a model does", "ftl", now);
  Recovery result;
  result.lost = p.lost;
  spare_area_ = std::make_unique<SpareArea>(layout_.superblocks());
  spare_area_->restore(p.sequence, p.trims);
  journalled_ = p.sequence;
  for (std::uint32_t i = 0; i < superblocks_.size(); ++i) {  // as the model was made
    if (superblocks_[i].state == SuperblockState::free) wear_.taken(i);
    if (superblocks_[i].state != SuperblockState::closed) continue;
    closed_.remove(i);
    wear_.chosen(i);
  }
  rebuild_map(p);

  std::vector<std::uint32_t> again;  // to erase
  for (std::uint32_t i = 0; i < superblocks_.size(); ++i) {
    const Persistent::Found& found = p.superblocks[i];
    switch (found.state) {
      case SuperblockState::free:
        ++free_;
        wear_.freed(i);
        break;
      case SuperblockState::erasing: again.push_back(i); break;
      case SuperblockState::open:
        result.scanned += found.started;
        result.torn += found.skipped.size();
        resume(i, found);
        break;
      default:
        ++result.scanned;
        closed_.add(i);
        wear_.closed(i);
        break;
    }
  }
  for (const std::uint32_t i : again) start_erase(i, now);
  for (const DumpedUnit& u : p.dump) {
    if (u.end - u.begin == unit_ && mapping_.at(u.unit) != nowhere) continue;  // its program had ended after all
    restoring_.push_back(u);
    ++result.restored;
  }
  const std::uint64_t reads = result.scanned + ceil_div(result.restored * unit_, layout_.stripe());
  result.time = ceil_div(reads, layout_.dies()) * config_.recovery_read;
  pump(now);
  return result;
}

/// All units found and all trims, in order of sequence numbers. Superblocks get their reverse information back.
void FtlModel::rebuild_map(const Persistent& p) {
  struct Event {
    std::uint64_t sequence, unit, count;
    Position position;
  };
  std::vector<Event> events;
  mapping_ = Mapping{mapping_.units(), layout_.units() * layout_.superblocks()};
  superblocks_.assign(superblocks_.size(), {});
  free_ = 0;
  for (std::uint32_t i = 0; i < superblocks_.size(); ++i) {
    const Persistent::Found& found = p.superblocks[i];
    Superblock& sb = superblocks_[i];
    sb.erases = found.erases;
    if (found.state == SuperblockState::free) continue;
    sb.state = SuperblockState::closed;
    std::uint64_t next = 0;
    for (const SpareRun& run : found.runs) {
      if (run.index > next) sb.runs.append(Run::hole, run.index - next);
      sb.runs.append(run.unit, run.count);
      next = run.index + run.count;
      spare_area_->found(i, run);
      events.push_back({run.sequence, run.unit, run.count, layout_.first_of(i) + run.index});
    }
    const std::uint64_t end = found.state == SuperblockState::open ? found.started * (layout_.program_unit() / unit_) : layout_.units();
    if (end > next) sb.runs.append(Run::hole, end - next);
  }
  for (const TrimRecord& t : p.trims) events.push_back({t.sequence, t.unit, t.count, nowhere});
  for (const DumpedUnit& u : p.dump) {
    if (u.end - u.begin == unit_) events.push_back({u.sequence, u.unit, 1, nowhere});
  }
  // On a tie a unit is both dumped and found: the dump first.
  std::ranges::sort(
      events, [](const Event& a, const Event& b) { return a.sequence != b.sequence ? a.sequence < b.sequence : a.position > b.position; });
  for (const Event& e : events) {
    mapping_.replace(e.unit, e.count, e.position, [this](Position old, std::uint64_t n) { dropped(old, n); });
    if (e.position != nowhere) superblocks_[layout_.superblock_of(e.position)].valid += e.count;
  }
}

/// The stream goes on in its superblock behind what was begun; wordlines left out in between are programmed with padding.
void FtlModel::resume(std::uint32_t superblock, const Persistent::Found& found) {
  Superblock& sb = superblocks_[superblock];
  WriteStream& stream = streams_[found.stream];
  sb.state = SuperblockState::open;
  sb.slots.assign(layout_.program_units(), 0);
  stream.superblock = superblock;
  stream.next = found.started * (layout_.program_unit() / unit_);
  for (const std::uint32_t pu : found.skipped) {
    stream.slot = take_slot(stream, stream.superblock, pu, false);
    seal(stream);
  }
  if (stream.next == layout_.units()) close(stream);
}

/// Dumped units go back into the write buffer, each to its own stream; what finds no superblock waits for garbage collection, and
/// the host waits for all of them. Until then their old versions are not mapped, so that collection does not give those newer
/// numbers than the dump's; a unit dumped in part is merged with whatever version there is. True: nothing waits.
bool FtlModel::restore(Time now) {
  std::erase_if(restoring_, [&](const DumpedUnit& u) {
    WriteStream& stream = streams_[u.stream];
    const bool host = u.stream < config_.write_streams;
    if (host && stream.superblock == no_superblock && free_ <= config_.gc_victims) return false;
    if (!open(stream, false)) return false;
    const unsigned char* const bytes = data_mode_ ? u.bytes.data() : nullptr;
    if (u.end - u.begin == unit_) return place(stream, host, u.unit, 1, bytes) != 0;
    return rewrite(stream, host, u.unit, u.begin, u.end, bytes, now);
  });
  for (WriteStream& stream : streams_) issue_programs(stream, now);
  if (!restoring_.empty()) return false;
  retry_reads(now);
  return true;
}

/// Without capacitors nothing may be erased before every newer version of what it held is on flash: all buffered program
/// units are padded and awaited. True: they are there.
bool FtlModel::may_erase(std::uint32_t superblock, Time now) {
  if (config_.power_loss_protection) return true;
  if (erase_after_ == 0 || erase_for_ != superblock) {
    erase_for_ = superblock;
    erase_after_ = slot_sequence_;
    erase_journal_ = spare_area_ ? spare_area_->sequence() : 0;
    for (std::size_t i = 0; i < streams_.size(); ++i) pad(streams_[i], i < config_.write_streams, now);
  }
  if (std::ranges::any_of(slots_, [&](const Slot& s) { return s.superblock != no_superblock && !s.parity && s.sequence <= erase_after_; }))
    return false;
  erase_after_ = 0;
  journalled_ = std::max(journalled_, erase_journal_);
  return true;
}

}  // namespace flashpath::ftl

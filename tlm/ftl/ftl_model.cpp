// SPDX-License-Identifier: Apache-2.0
#include "ftl/ftl_model.h"

#include <algorithm>

namespace flashpath::ftl {

namespace {
/// In steady state as many superblocks are free as garbage collection keeps on average, and one per stream is being filled.
Start start_of(const Config& c, const Layout& layout) {
  const std::uint64_t units = c.all_units();
  const std::uint64_t least = layout.units() == 0 ? ~0ULL : ceil_div(units, layout.units());
  if (c.precondition == Precondition::none || least > layout.superblocks()) return {};  // a mistake: said by Config::check
  const std::uint32_t open =
      c.write_streams + (c.gc_isolation == GcIsolation::persistent ? c.write_streams : 1) + (c.map == MapKind::cached ? 1 : 0);
  const std::uint64_t spare = (c.gc_low + c.gc_high) / 2 + open;
  const std::uint64_t used = layout.superblocks() > spare ? layout.superblocks() - spare : 0;
  return Start{c.precondition, units, layout.units(), static_cast<std::uint32_t>(std::max(used, least))};
}
}  // namespace

namespace {
Geometry without_spares(Geometry geometry, const Config& config) {
  if (config.spare_blocks < geometry.blocks_per_plane) geometry.blocks_per_plane -= config.spare_blocks;
  return geometry;
}
}  // namespace

FtlModel::FtlModel(Agenda& agenda, const Config& config, const Geometry& geometry, bool data_mode, IssueFlash issue_flash, Event accepted,
                   Event answered)
    : agenda_{agenda},
      config_{config},
      geometry_{geometry},
      layout_{without_spares(geometry, config), config.mapping_unit, config.rain},
      data_mode_{data_mode},
      issue_flash_{issue_flash},
      accepted_{accepted},
      answered_{answered},
      mapping_{config.all_units(), layout_.units() * layout_.superblocks(), start_of(config, layout_)},
      data_units_{config.data_units()},
      unit_{config.mapping_unit.count},
      superblocks_(layout_.superblocks()),
      streams_(config.write_streams + (config.gc_isolation == GcIsolation::persistent ? config.write_streams : 1U) +
               (config.map == MapKind::cached ? 1U : 0U)),
      closed_{config.gc_policy, config.gc_d, layout_.units(), superblocks_},
      wear_{superblocks_},
      erases_left_(layout_.superblocks()) {
  UserErrors errors;
  config_.check("ftl", errors);
  config_.check("ftl", geometry, errors);
  if (config_.rain != 0 && data_mode && config_.precondition != Precondition::none)
    errors.add(
        "ftl.rain: with data = true only on an empty drive (ftl.precondition = none): bytes of an aged drive and their parity are unknown");
  errors.raise_if_any();
  free_ = layout_.superblocks();
  usable_ = free_;
  if (config_.spare_blocks != 0) {
    blocks_.resize(std::size_t{layout_.superblocks()} * layout_.dies());
    for (std::size_t i = 0; i < blocks_.size(); ++i) blocks_[i] = static_cast<std::uint32_t>(i / layout_.dies());
    spares_.resize(layout_.dies());
    for (auto& spares : spares_) {
      for (std::uint32_t b = geometry.blocks_per_plane; b-- > layout_.superblocks();) spares.push_back(b);
    }
  }
  for (std::size_t i = 0; i < streams_.size(); ++i) streams_[i].handle = static_cast<std::uint16_t>(i % config_.write_streams);
  if (config_.map == MapKind::cached) {
    map_page_units_ = config_.map_page.count / unit_;
    map_entries_ = config_.map_page / config_.map_entry;
    cache_ = std::make_unique<MapCache>(config_.map_pages(), config_.map_cache / config_.map_page);
  }
  if (config_.image != "none") load(config_.image);
  for (std::uint32_t s = 0; config_.image == "none" && s < mapping_.start().used(); ++s) {
    Superblock& sb = superblocks_[s];
    sb.valid = mapping_.start().valid(s);
    sb.as_started = config_.precondition == Precondition::random;
    if (!sb.as_started) sb.runs.append(layout_.first_of(s), sb.valid);
    start_closed(s);
  }
  if (config_.recoverable) keep_spare_area();
}

/// At time zero the superblock is full.
void FtlModel::start_closed(std::uint32_t superblock) {
  superblocks_[superblock].state = SuperblockState::closed;
  wear_.taken(superblock);
  wear_.closed(superblock);
  closed_.add(superblock);
  --free_;
}

/// Books the look-up unit: 16 neighbouring entries (a cache line of four-byte entries) at a time.
Time FtlModel::look_up(std::uint64_t units, Duration latency, Time now) {
  const Duration busy = cycles(ceil_div(std::max<std::uint64_t>(units, 1), 16), config_.lookup_rate);
  counts_.lookup_busy += busy;
  return lookup_.serve(now, busy, latency).done;
}

void FtlModel::submit(Request& request, Time now) {
  Job& job = jobs_.take();
  job.request = &request;
  job.pieces = 0;
  job.entered = now;
  job.stream = {now, now};
  job.done = 0;
  job.map_waits = 0;
  job.map_wanted = false;
  request.status = RequestStatus::ok;
  ++counts_.submitted;
  inside_.enter(now);
  const bool ranged = request.kind != RequestKind::flush && request.kind != RequestKind::format;
  if (ranged && (request.address > config_.capacity || request.size > config_.capacity - request.address))
    request.status = RequestStatus::out_of_range;
  if (request.kind == RequestKind::read) {
    const std::uint64_t units = request.status == RequestStatus::ok ? layout_.unit_of(request.size.count) : 0;
    agenda_.post<&FtlModel::looked_up>(look_up(units, config_.lookup_latency, now), this, reinterpret_cast<std::uint64_t>(&job));
    return;
  }
  if (cache_ && request.kind == RequestKind::write && request.status == RequestStatus::ok && request.size.count != 0) want_map(job, now);
  line_.push(job);
  pump(now);
}

/// The request leaves; it may be gone when this returns.
void FtlModel::answer(Job& job, Time now) {
  Request& request = *job.request;
  inside_.leave(now, job.entered);
  ++counts_.answered;
  jobs_.give(job);
  answered_(request, now);
}

/// A write, trim or flush is in the map.
void FtlModel::answer_later(Time now, std::uint64_t arg) {
  Job& job = *reinterpret_cast<Job*>(arg);
  job.request->stream = {now, now};
  job.request->journey.mark(Stage::map, now);
  answer(job, now);
}

nand::Op& FtlModel::take_op(OpOwner kind, void* owner, std::uint64_t tag2) {
  nand::Op& op = ops_.take();
  op.tag = static_cast<std::uint64_t>(kind);
  op.tag2 = tag2;
  op.owner = owner;
  op.data = nullptr;
  op.dead = false;
  op.background = kind == OpOwner::move || kind == OpOwner::erase;
  return op;
}

void FtlModel::issue(nand::Op& op, std::uint32_t superblock, Time now) {
  const auto kind = static_cast<OpOwner>(op.tag & 0xffU);
  op.tag = (op.tag & 0xffU) | std::uint64_t{superblock} << 8U;
  if (!blocks_.empty()) {
    if (!relocations_.empty() && kind == OpOwner::program) {
      if (Relocation* const r = relocation(superblock, op.die.value); r != nullptr) {
        r->held.push_back(&op);
        return;
      }
    }
    op.block = {kind == OpOwner::copy_program ? static_cast<Relocation*>(op.owner)->to : block_of(op.die.value, superblock)};
  }
  op.status = nand::OpStatus::ok;
  switch (op.kind) {
    case nand::OpKind::read:
      ++superblocks_[superblock].pins;
      if (config_.rain != 0 && dead(op.die.value) && rebuild(op, now)) return;
      ++counts_.flash_reads;
      counts_.flash_read += op.size.count;
      break;
    case nand::OpKind::program:
      ++counts_.flash_programs;
      counts_.flash_programmed += op.size.count;
      programming_ += op.size.count;
      break;
    case nand::OpKind::erase: ++counts_.flash_erases; break;
  }
  issue_flash_(op, now);
}

void FtlModel::flash_answered(nand::Op& op, Time now) {
  if (op.status != nand::OpStatus::ok) {
    ++counts_.failures;
    if (op.dead) die_failed(op, now);
    else if (op.kind != nand::OpKind::read && config_.spare_blocks == 0) {  // onto a spare of equal timing
      op.status = nand::OpStatus::ok;
      op.journey = Journey{now};
      issue_flash_(op, now);
      return;
    }
    if (config_.rain != 0 && op.kind == nand::OpKind::read && static_cast<OpOwner>(op.tag & 0xffU) != OpOwner::rebuild) {
      if (rebuild(op, now)) return;
      ++counts_.rebuilds;
      ++counts_.rebuild_failures;
    }
  }
  dispatch(op, now);
}

/// An operation is over, for better or worse.
void FtlModel::dispatch(nand::Op& op, Time now) {
  const auto superblock = static_cast<std::uint32_t>(op.tag >> 8U);
  const bool ok = op.status == nand::OpStatus::ok;
  if (op.kind == nand::OpKind::read && op.refresh) want(superblock);
  void* const owner = op.owner;
  switch (static_cast<OpOwner>(op.tag & 0xffU)) {
    case OpOwner::read:
      read_answered(op, now);
      unpin(superblock, now);
      return;
    case OpOwner::fill: {
      Fill& fill = *static_cast<Fill*>(owner);
      fill.lost = fill.lost || op.status != nand::OpStatus::ok;
      ops_.give(op);
      if (--fill.pieces == 0) fill_done(fill, now);
      unpin(superblock, now);
      return;
    }
    case OpOwner::map: {
      MapPage& page = *static_cast<MapPage*>(owner);
      ops_.give(op);
      if (--page.pieces == 0) map_loaded(page, now);
      unpin(superblock, now);
      return;
    }
    case OpOwner::move: {
      Move& move = *static_cast<Move*>(owner);
      move.lost = move.lost || op.status != nand::OpStatus::ok;
      ops_.give(op);
      if (--move.pieces == 0) move_done(move, now);
      unpin(superblock, now);
      return;
    }
    case OpOwner::rebuild:
      member_answered(op, now);
      unpin(superblock, now);
      return;
    case OpOwner::program: {
      if (Relocation* const r = relocations_.empty() ? nullptr : relocation(superblock, op.die.value); r != nullptr || !ok) {
        programming_ -= op.size.count;
        counts_.failed += op.size.count;
        if (r != nullptr) hold(*r, op, now);
        else program_failed(op, superblock, now);
        return;
      }
      const auto slot = static_cast<std::uint32_t>(op.tag2);
      ops_.give(op);
      program_done(slot, now);
      return;
    }
    case OpOwner::copy_read:
    case OpOwner::copy_program: {
      const bool read = op.kind == nand::OpKind::read;
      copied(op, now);
      if (read) unpin(superblock, now);
      return;
    }
    case OpOwner::erase:
      if (!ok) erase_failed(superblock, op.die.value, now);
      ops_.give(op);
      erased(superblock, now);
      return;
  }
}

std::uint32_t FtlModel::written_wordlines(std::uint32_t superblock, std::uint32_t die) const {
  if (superblock >= superblocks_.size()) return 0;  // a spare block
  if (superblocks_[superblock].state == SuperblockState::closed) return layout_.program_units() / layout_.dies();
  for (const WriteStream& stream : streams_) {
    if (stream.superblock != superblock) continue;
    const auto pus = static_cast<std::uint32_t>(stream.next * unit_ / layout_.program_unit());  // images hold no parity
    return pus / layout_.dies() + (die < pus % layout_.dies() ? 1 : 0);
  }
  return 0;
}

Bytes FtlModel::memory() const {
  Bytes all = mapping_.memory();
  if (cache_) all += Bytes{cache_->memory()};
  for (const Superblock& sb : superblocks_) all += Bytes{sizeof sb + sb.runs.memory() + sb.slots.capacity() * sizeof(std::uint32_t)};
  return all;
}

void FtlModel::check(Laws& laws, Time now) const {
  laws.equal("requests submitted", counts_.submitted, "answered + in flight", counts_.answered + jobs_.out());
  laws.equal("bytes of host writes placed", counts_.placed, "programmed + in the buffer", counts_.programmed_host + used_);
  std::uint64_t valid = 0;
  std::uint32_t free = 0;
  for (const Superblock& sb : superblocks_) {
    valid += sb.valid;
    if (sb.state == SuperblockState::free) ++free;
  }
  laws.equal("valid units of all superblocks", valid, "mapped units", mapping_.mapped());
  laws.equal("superblocks in state free", free, "counted free", free_);
  laws.equal("bytes placed by garbage collection", counts_.placed_gc, "programmed + in the buffer", counts_.programmed_gc + gc_bytes_);
  laws.equal(
      "bytes programmed or in programming", counts_.flash_programmed, "host's + garbage collection's + padding + parity + copied",
      counts_.programmed_host + counts_.programmed_gc + counts_.padded + counts_.parity + counts_.copied + counts_.failed + programming_);
  laws.equal("rebuilds", counts_.rebuilds, "done + failed + under way", counts_.rebuilds_done + counts_.rebuild_failures + rebuilds_.out());
  laws.expect(counts_.rebuild_reads <= counts_.rebuilds * config_.rain, "a rebuild reads at most ftl.rain others");
  laws.expect(used_ <= config_.write_buffer.count, "the write buffer holds no more than its size");
  inside_.check(laws, "requests in the FTL", now);
}

void FtlModel::explain(Stall& stall) const {
  if (line_.size() != 0) {
    stall.waits(line_.size(), "writes, trims and flushes",
                superblock_wait_since_ != never ? "a free superblock" : "room in the write buffer");
  }
  if (wiping_ != nullptr) stall.waits(1, "formats", "erases of all superblocks");
  if (!flushing_.empty()) stall.waits(flushing_.size(), "flushes", "their programs");
  if (!restoring_.empty()) stall.waits(restoring_.size(), "units of a power-loss dump", "a free superblock");
  std::uint64_t loading = 0;
  if (cache_) cache_->for_each([&](const MapPage& p) { loading += p.loading ? 1U : 0U; });
  if (loading != 0) stall.waits(loading, "translation pages", "the flash");
  if (!read_waits_.empty()) stall.waits(read_waits_.size(), "reads", "the old bytes of a unit being rewritten");
  std::uint64_t programs = 0;
  for (const Slot& s : slots_) programs += s.issued ? 1U : 0U;
  if (programs != 0) stall.waits(programs, "programs", "the flash");
  if (const std::uint64_t others = ops_.out() - std::min<std::uint64_t>(ops_.out(), programs); others != 0)
    stall.waits(others, "reads and erases", "the flash");
  if (moving_ != 0) stall.waits(moving_, "moves of garbage collection", "the flash, or a free superblock");
  if (erasing_ != 0) stall.waits(erasing_, "superblocks", "their erase");
}

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
#include "nand/array_model.h"

#include "base/error.h"

namespace flashpath::nand {
Statistics::Statistics(stats::Group& group, const Geometry& geometry)
    : reads{group, "reads", stats::Unit::count, "reads answered"},
      programs{group, "programs", stats::Unit::count, "wordline programs answered"},
      erases{group, "erases", stats::Unit::count, "erases answered"},
      background{group, "background", stats::Unit::count, "operations of garbage collection among them"},
      failed{group, "failed", stats::Unit::count,
             "programs that failed: by wear, on a dead die, or refused (block not erased there, or out of order)"},
      dead{group, "dead", stats::Unit::count, "operations failed because their die or plane has died"},
      bytes_read{group, "bytes_read", stats::Unit::byte, "data asked for by the reads answered"},
      bytes_programmed{group, "bytes_programmed", stats::Unit::byte, "data of the programs answered"},
      channel_bytes{group, "channel_bytes", stats::Unit::byte, "bytes over the channels, whole codewords with parity"},
      plane_senses{group, "plane_senses", stats::Unit::count, "senses of a page in one plane, for the reads answered"},
      plane_programs{group, "plane_programs", stats::Unit::count,
                     "programs of one plane: wordlines, or with program_unit = page their pages"},
      plane_erases{group, "plane_erases", stats::Unit::count, "blocks erased in one plane"},
      sensed{stats::Counter{group, "sensed_lower", stats::Unit::count, "pages sensed, page type 0 (of one plane; each sense counts)"},
             stats::Counter{group, "sensed_middle", stats::Unit::count, "pages sensed, page type 1"},
             stats::Counter{group, "sensed_upper", stats::Unit::count, "pages sensed, page type 2"},
             stats::Counter{group, "sensed_extra", stats::Unit::count, "pages sensed, page type 3"}},
      sensed_snap{group, "sensed_snap", stats::Unit::count, "of these, in snap reads"},
      pages_programmed{group, "pages_programmed", stats::Unit::count, "pages programmed (of one plane; each pass counts)"},
      suspends{group, "suspends", stats::Unit::count, "programs and erases suspended for a read"},
      dies{group, "dies", geometry.dies(), "arrays sensing, programming or erasing in any plane"},
      channels{group, "channels", geometry.channels(), "data buses held"},
      read_latency{group, "read_latency", "submission of a read to its first decoded codeword"},
      die_wait{group, "die_wait", "submission to first command cycle or data-in"} {}

ArrayModel::ArrayModel(Agenda& agenda, const Config& config, stats::Group& group, Answered answered, bool data_mode, Random random)
    : agenda_{agenda},
      config_{config},
      geometry_{config},
      cells_{geometry_, data_mode},
      stats_{group, geometry_},
      reliability_{config.reliability.enabled ? std::make_unique<Reliability>(config, geometry_, group, random) : nullptr},
      answered_{answered},
      t_r_{config.t_r()},
      all_planes_{static_cast<PlaneMask>((1U << config.planes) - 1U)},
      merge_reads_{config.merge_planes && !config.independent_plane_reads},
      work_yields_{config.cache_program || config.program_suspends != 0 || config.erase_suspends != 0},
      codewords_per_page_{static_cast<std::uint32_t>(config.page / config.codeword)},
      dies_{geometry_.dies()},
      channels_{config.channels} {
  for (std::uint32_t p = 1; p <= config.planes; ++p) {
    t_cmd_read_[p] = config.t_cmd_read + (p - 1) * config.t_cmd_read_plane;
    t_cmd_program_[p] = config.t_cmd_program + (p - 1) * config.t_cmd_program_plane;
    t_cmd_erase_[p] = config.t_cmd_erase + (p - 1) * config.t_cmd_erase_plane;
  }
  for (std::uint32_t d = 0; d < geometry_.dies(); ++d) {
    const DieId die{static_cast<std::uint16_t>(d)};
    dies_[die].id = die;
    dies_[die].channel = geometry_.channel_of(die);
  }
  for (std::size_t type = 0; type < max_bits_per_cell; ++type) {
    t_snap_[type] = Duration{
        static_cast<std::int64_t>(ceil_div(static_cast<std::uint64_t>(t_r_[type].count()) * config.snap_percent, std::uint64_t{100}))};
  }
  if (config.cache_read) caches_.resize(geometry_.dies());
  for (std::uint64_t n = 0; n <= std::uint64_t{codewords_per_page_} * config.planes * config.bits_per_cell; ++n) {
    bus_.push_back(n * (config.codeword + config.parity) / config.bus_rate);
    decode_.push_back(n * config.codeword / config.ecc_rate);
  }
}

inline std::uint32_t ArrayModel::take(Op& op, Time now) {
  if (free_ == no_entry) {
    free_ = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
    links_.push_back({.next = no_entry, .mask = 0});
  }
  const std::uint32_t index = free_;
  Entry& e = entries_[index];
  free_ = links_[index].next;
  e.op = &op;
  e.submitted = now;
  e.die = op.die;
  e.mask = op.kind == OpKind::read && config_.independent_plane_reads ? planes_mask(op) : all_planes_;
  e.kind = op.kind;
  e.pass = 0;
  e.moved = false;
  op.retries = 0;
  op.refresh = false;
  links_[index] = {.next = no_entry, .mask = e.mask};
  return index;
}

void ArrayModel::push_front(EntryList& list, std::uint32_t entry) {
  links_[entry].next = list.head;
  list.head = entry;
  if (list.tail == no_entry) list.tail = entry;
  ++list.size;
}

/// Takes out of `list` what one multi-plane command can do with `head`: other planes, the same page number. They become its chain.
/// A program or erase that is left out keeps its planes from those behind it: a block's pages are programmed in order.
/// Returns the planes named by all of them.
std::uint32_t ArrayModel::gather(EntryList& list, std::uint32_t head) {
  const Op& first = *entries_[head].op;
  std::uint32_t planes = first.planes;
  unsigned used = planes_mask(first), passed = 0;
  std::uint32_t tail = head, before = no_entry;
  for (std::uint32_t at = list.head, next; at != no_entry && (used | passed) != all_planes_; at = next) {
    const Op& op = *entries_[at].op;
    next = links_[at].next;
    if ((planes_mask(op) & (used | passed)) != 0 || (op.kind != OpKind::erase && op.page != first.page) ||
        entries_[at].pass != entries_[head].pass) {
      if (op.kind != OpKind::read) passed |= planes_mask(op);
      before = at;
      continue;
    }
    pop(list, before);
    links_[tail].next = at;
    tail = at;
    used |= planes_mask(op);
    planes += op.planes;
  }
  return planes;
}

void ArrayModel::submit(Op& op, Time now) {
  invariant(geometry_.fault(op) == OpFault::none, "an operation that no die can do was submitted", "nand", now);
  submit_legal(op, now);
}

void ArrayModel::submit_legal(Op& op, Time now) {
  flow_.enter(now);
  wait(take(op, now), now, false);
}

/// Has the die do an operation when it can; `first`: before its other reads.
void ArrayModel::wait(std::uint32_t entry, Time now, bool first) {
  const Op& op = *entries_[entry].op;
  Die& die = dies_[op.die];
  const PlaneMask planes = entries_[entry].mask;
  if (first) die.choice = {};
  if (op.kind != OpKind::read || die.choice.what != Next::read || config_.die_policy != DiePolicy::reads_first) {
    die.choice = {};  // else an older read goes before this one
  }
  switch (op.kind) {
    case OpKind::read:
      if (first) push_front(die.reads, entry);
      else push(die.reads, entry);
      die.wanted |= planes;
      for (unsigned p = 0, mask = planes; mask != 0; ++p, mask >>= 1U) die.reads_of[p] += mask & 1U;
      if (config_.die_policy == DiePolicy::host_first && op.background) ++die.background_reads;
      if (config_.cache_read) hand_over_late(op.die, planes, now);
      break;
    case OpKind::program: push(die.programs, entry); break;
    case OpKind::erase: push(die.erases, entry); break;
  }
  if ((planes & ~unsigned{die.held} & ~unsigned{die.woken}) == 0) {  // all busy, and somebody will look when they are not
    if (work_yields_) consider(op.die, now);
    return;
  }
  offer(op.die, now);
  if (die.waiting() != 0) watch(op.die, now);
  ask(die.channel, now);
}

void ArrayModel::fail(DieId die, std::uint32_t planes) {
  if (dead_.empty()) dead_.resize(geometry_.dies());
  dead_[die.value] |= planes & all_planes_;
}

void ArrayModel::fail_if_dead(Op& op) {
  if ((dead_[op.die.value] & planes_mask(op)) == 0) return;
  op.dead = true;
  ++stats_.dead;
  switch (op.kind) {
    case OpKind::read: op.status = OpStatus::uncorrectable; break;
    case OpKind::program: op.status = OpStatus::program_failed; break;
    case OpKind::erase: op.status = OpStatus::erase_failed; break;
  }
}

void ArrayModel::answer(std::uint32_t entry, Time now) {
  const Entry& e = entries_[entry];
  Op& op = *e.op;
  flow_.leave(now, e.submitted);
  if (!dead_.empty()) fail_if_dead(op);
  if (op.background) ++stats_.background;
  switch (e.kind) {
    case OpKind::read:
      ++stats_.reads;
      stats_.bytes_read += op.size;
      stats_.plane_senses += std::uint64_t{op.planes} * (op.retries + 1U);
      stats_.read_latency.add(now - e.submitted);
      if (reliability_) reliability_->answered(op, e.rung, now - e.submitted);
      break;
    case OpKind::program:
      ++stats_.programs;
      stats_.bytes_programmed += op.size;
      stats_.plane_programs += op.planes;
      if (op.status != OpStatus::ok) ++stats_.failed;
      break;
    case OpKind::erase:
      ++stats_.erases;
      stats_.plane_erases += op.planes;
      break;
  }
  give_back(entry);
  answered_(op, now);
}

Duration ArrayModel::channel_busy(ChannelId channel, Time now) const {
  const Channel& c = channels_[channel];
  return c.busy - (c.free_at > now ? c.free_at - now : Duration{});
}

void ArrayModel::check(Laws& laws, Time now) const {
  flow_.check(laws, "operations", now);
  std::uint64_t kept = 0;
  for (std::uint32_t e = free_; e != no_entry; e = links_[e].next) ++kept;
  laws.equal("operations submitted", submitted(), "operations answered + held", answered() + (entries_.size() - kept));
  laws.equal("operations answered", answered(), "reads + programs + erases",
             stats_.reads.value + stats_.programs.value + stats_.erases.value);
  if (reliability_) {
    reliability_->check(laws);
    if (in_flight() == 0) {
      laws.equal("senses decoded", reliability_->senses(), "reads answered + retries",
                 stats_.reads.value + reliability_->statistics().retries.value);
    }
  }
  const Duration span = now - Time{};
  for (std::uint32_t d = 0; d < geometry_.dies(); ++d) {
    laws.expect(array_busy({static_cast<std::uint16_t>(d)}, now) <= span, "a die was busy for longer than the run");
  }
  for (std::uint32_t c = 0; c < geometry_.channels(); ++c) {
    laws.expect(channel_busy({static_cast<std::uint16_t>(c)}, now) <= span, "a channel was busy for longer than the run");
  }
}

void ArrayModel::explain(Stall& stall) const {
  std::uint64_t reads = 0, programs = 0, erases = 0, loading = 0, suspended = 0, outs = 0;
  for (const Die& die : dies_) {
    reads += die.reads.size;
    programs += die.programs.size;
    erases += die.erases.size;
    loading += die.loading != no_entry ? 1U : 0U;
    suspended += die.work.suspended ? 1U : 0U;
  }
  for (const Channel& channel : channels_) outs += channel.outs.size();
  stall.waits(reads, "reads", "their planes or the channel");
  stall.waits(programs, "programs", "their die to be idle, or the channel");
  stall.waits(erases, "erases", "their die to be idle, or the channel");
  stall.waits(loading, "programs", "the channel to take the rest of their data");
  stall.waits(suspended, "suspended programs and erases", "the reads of their die to end");
  stall.waits(outs, "reads with data in the page buffer", "the channel");
}

void ArrayModel::finish(Time now) {
  stats_.dies.value = stats_.channels.value = Duration{};
  for (std::uint32_t d = 0; d < geometry_.dies(); ++d) stats_.dies += array_busy({static_cast<std::uint16_t>(d)}, now);
  for (std::uint32_t c = 0; c < geometry_.channels(); ++c) stats_.channels += channel_busy({static_cast<std::uint16_t>(c)}, now);
}

}  // namespace flashpath::nand

// SPDX-License-Identifier: Apache-2.0
// The die's side of ArrayModel: what to begin next.
#include <algorithm>

#include "nand/array_model.h"

namespace flashpath::nand {

PlaneMask ArrayModel::free_planes(const Die& die, Time now) const {
  unsigned free = 0;
  for (unsigned p = 0; p < config_.planes; ++p) free |= static_cast<unsigned>(die.busy_until[p] <= now) << p;
  return static_cast<PlaneMask>(free);
}

/// No plane holds anything: a program or an erase may begin.
bool ArrayModel::idle(DieId id, Time now) const {
  if (!config_.cache_read) return true;
  for (unsigned p = 0; p < config_.planes; ++p) {
    if (caches_[id].until[p] > now) return false;
  }
  return true;
}

Choice ArrayModel::choose(const Die& die, Time now) const {
  if (die.loading != no_entry) return {};
  if (die.work.entry != no_entry) return choose_working(die, now);
  if (die.waiting() == 0) return {};
  const PlaneMask free = free_planes(die, now);
  if (free == 0) return {};
  const Choice choice = config_.die_policy == DiePolicy::fifo ? choose_fifo(die, free) : choose_by_kind(die, free);
  if (choice.what == Next::read) return choice;
  return free == all_planes_ && idle(die.id, now) ? choice : Choice{};
}

inline Choice ArrayModel::choose_by_kind(const Die& die, PlaneMask free) const {
  if (die.erases.size != 0 && die.erase_passed >= config_.die_overtakes) return {.what = Next::erase, .entry = die.erases.head};
  if (die.programs.size != 0 && die.program_passed >= config_.die_overtakes) return {.what = Next::program, .entry = die.programs.head};
  if (die.reads.size != 0) return find_read(die, free);
  if (die.programs.size != 0) return {.what = Next::program, .entry = die.programs.head};
  return {.what = Next::erase, .entry = die.erases.head};
}

/// The oldest of all; of one moment: reads, programs, erases. Reads older than what is neither go side by side.
inline Choice ArrayModel::choose_fifo(const Die& die, PlaneMask free) const {
  const auto since = [&](const EntryList& list) { return list.size != 0 ? entries_[list.head].submitted : never; };
  const Time programs = since(die.programs), erases = since(die.erases);
  if (since(die.reads) > std::min(programs, erases)) {
    if (programs <= erases) return {.what = Next::program, .entry = die.programs.head};
    return {.what = Next::erase, .entry = die.erases.head};
  }
  const Choice read = find_read(die, free);
  if (read.what == Next::read && entries_[read.entry].submitted > std::min(programs, erases)) return {};
  return read;
}

/// The oldest read whose planes are free, and not wanted by an older read.
Choice ArrayModel::find_read(const Die& die, PlaneMask free) const {
  if (die.background_reads != 0 && die.background_passed < config_.die_overtakes) {
    const Choice host = find_host_read(die, free);
    if (host.what == Next::read) return host;
  }
  unsigned open = die.wanted & free;
  std::uint32_t before = no_entry;
  for (std::uint32_t at = die.reads.head; open != 0 && at != no_entry; before = at, at = links_[at].next) {
    const unsigned mask = links_[at].mask;
    if ((mask & ~open) == 0) return {.what = Next::read, .entry = at, .before = before};
    open &= ~mask;
  }
  return {};
}

/// The same among reads of the host alone.
Choice ArrayModel::find_host_read(const Die& die, PlaneMask free) const {
  unsigned open = die.wanted & free;
  std::uint32_t before = no_entry;
  for (std::uint32_t at = die.reads.head; open != 0 && at != no_entry; before = at, at = links_[at].next) {
    if (entries_[at].op->background) continue;
    const unsigned mask = links_[at].mask;
    if ((mask & ~open) == 0) return {.what = Next::read, .entry = at, .before = before};
    open &= ~mask;
  }
  return {};
}

/// Gives a command that is no program's; false if there is none.
bool ArrayModel::begin(DieId id, const Choice& choice, Time now) {
  switch (choice.what) {
    case Next::read: begin_read(id, choice, now); return true;
    case Next::erase: begin_erase(id, now); return true;
    case Next::suspend: begin_suspend(id, now); return true;
    case Next::resume: begin_resume(id, now); return true;
    case Next::nothing:
    case Next::program: break;
  }
  return false;
}

/// Lets the die ask the channel for what it could begin now. With SCA commands other than programs are given at once.
void ArrayModel::offer(DieId id, Time now) {
  Die& die = dies_[id];
  while (!die.in_commands) {  // one that asks already decides what when it is granted
    const Choice choice = choose(die, now);
    if (choice.what == Next::nothing || (choice.what == Next::program && die.in_loads)) return;
    Channel& channel = channels_[die.channel];
    die.startable = now;
    die.choice = choice.what == Next::suspend ? Choice{} : choice;  // the array goes on meanwhile: to be thought over
    if (config_.channel_policy == ChannelPolicy::data_first && (choice.what == Next::program || !config_.sca)) {
      channel.asking |= std::uint64_t{1} << geometry_.target_of(id).value;
      die.in_commands = true;
      return;
    }
    if (choice.what == Next::program) {
      channel.loads.push_back(id.value);
      die.in_loads = true;
      return;
    }
    if (!config_.sca) {
      channel.commands.push_back(id.value);
      die.in_commands = true;
      return;
    }
    begin(id, choice, now);
  }
}

/// Makes sure that somebody looks when planes with a known end become free.
void ArrayModel::watch(DieId id, Time now) {
  Die& die = dies_[id];
  for (unsigned p = 0; p < config_.planes; ++p) {
    const Time end = die.busy_until[p];
    if (end <= now || end == never || (unsigned{die.woken} >> p & 1U) != 0) continue;
    for (unsigned q = p; q < config_.planes; ++q) {
      if (die.busy_until[q] == end) die.woken = static_cast<PlaneMask>(die.woken | 1U << q);
    }
    agenda_.post<&ArrayModel::wake_die>(end, this, id.value, 0, Priority::decide);
  }
  if (!config_.cache_read || die.programs.size + die.erases.size == 0) return;
  ReadCache& cache = caches_[id];  // they wait for the registers, too
  const Time end = *std::max_element(cache.until.begin(), cache.until.end());
  if (end <= now || end == never || end == cache.watched) return;
  cache.watched = end;
  agenda_.post<&ArrayModel::wake_die>(end, this, id.value, 0, Priority::decide);
}

void ArrayModel::wake_die(Time now, std::uint64_t die) {
  const DieId id{static_cast<std::uint16_t>(die)};
  release(id, now);
  ask(dies_[id].channel, now);
}

/// Planes of the die have become free.
void ArrayModel::release(DieId id, Time now) {
  Die& die = dies_[id];
  die.woken &= static_cast<PlaneMask>(~free_planes(die, now));
  die.choice = {};
  offer(id, now);
}

}  // namespace flashpath::nand

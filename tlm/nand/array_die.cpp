// SPDX-License-Identifier: Apache-2.0
// The die's side of ArrayModel: what to begin next.
#include "nand/array_model.h"

namespace flashpath::nand {

PlaneMask ArrayModel::free_planes(const Die& die, Time now) const {
  unsigned free = 0;
  for (unsigned p = 0; p < config_.planes; ++p) free |= static_cast<unsigned>(die.busy_until[p] <= now) << p;
  return static_cast<PlaneMask>(free);
}

Choice ArrayModel::choose(const Die& die, Time now) const {
  if (die.waiting() == 0 || die.loading != no_entry) return {};
  const PlaneMask free = free_planes(die, now);
  if (free == 0) return {};
  const bool idle = free == all_planes_;
  if (die.erases.size != 0 && die.erase_passed >= config_.die_overtakes) {
    return idle ? Choice{.what = Next::erase, .entry = die.erases.head} : Choice{};
  }
  if (die.programs.size != 0 && die.program_passed >= config_.die_overtakes) {
    return idle ? Choice{.what = Next::program, .entry = die.programs.head} : Choice{};
  }
  if (die.reads.size != 0) return find_read(die, free);
  if (!idle) return {};
  if (die.programs.size != 0) return {.what = Next::program, .entry = die.programs.head};
  return {.what = Next::erase, .entry = die.erases.head};
}

/// The oldest read whose planes are free, and not wanted by an older read.
Choice ArrayModel::find_read(const Die& die, PlaneMask free) const {
  unsigned open = die.wanted & free;
  std::uint32_t before = no_entry;
  for (std::uint32_t at = die.reads.head; open != 0 && at != no_entry; before = at, at = links_[at].next) {
    const unsigned mask = links_[at].mask;
    if ((mask & ~open) == 0) return {.what = Next::read, .entry = at, .before = before};
    open &= ~mask;
  }
  return {};
}

/// Lets the die ask the channel for what it could begin now. With SCA reads and erases begin at once.
void ArrayModel::offer(DieId id, Time now) {
  Die& die = dies_[id];
  while (!die.in_commands) {  // one that asks already decides what when it is granted
    const Choice choice = choose(die, now);
    if (choice.what == Next::nothing || (choice.what == Next::program && die.in_loads)) return;
    Channel& channel = channels_[die.channel];
    die.startable = now;
    die.choice = choice;
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
    if (choice.what == Next::read) begin_read(id, choice, now);
    else begin_erase(id, now);
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

// SPDX-License-Identifier: Apache-2.0
// What ArrayModel does with a die while its array programs or erases: suspend it for a read, resume it, take the next program's data.
//
// A suspend command stops the array; t_suspend_* later the die reads. Nothing done meanwhile counts as progress. When no read waits, and
// all have left, a resume command continues with what was left, and t_resume more. No suspend before `suspend_progress` of array time
// since the begin or the last resume; not once the data of the next program are on their way (they fill the page buffer); not if the
// array would be done as soon. Each operation ends: it is suspended *_suspends times at most, and for die_overtakes reads in all.
#include <algorithm>

#include "nand/array_model.h"

namespace flashpath::nand {

Duration ArrayModel::t_suspend(const Work& work) const {
  return entries_[work.entry].kind == OpKind::erase ? config_.t_suspend_erase : config_.t_suspend_program;
}

bool ArrayModel::host_read_waits(const Die& die) const {
  for (std::uint32_t at = die.reads.head; at != no_entry; at = links_[at].next) {
    if (!entries_[at].op->background) return true;
  }
  return false;
}

/// Could be suspended, by now or later.
bool ArrayModel::suspendable(const Die& die, Time now) const {
  const Work& work = die.work;
  const std::uint32_t most = entries_[work.entry].kind == OpKind::erase ? config_.erase_suspends : config_.program_suspends;
  if (work.suspends >= most || work.passed >= config_.die_overtakes) return false;
  if (work.cached != no_entry || die.loading != no_entry) return false;
  Time at = std::max(now, work.from + config_.suspend_progress);
  if (config_.sca) at = std::max(at, channels_[die.channel].command_bus.free_at());
  return at + config_.t_cmd_suspend + t_suspend(work) < work.until && host_read_waits(die);
}

/// What a die may begin while its array works, or is suspended.
Choice ArrayModel::choose_working(const Die& die, Time now) const {
  const Work& work = die.work;
  if (work.suspended) {
    const PlaneMask free = free_planes(die, now);
    if (free == 0) return {};
    if (die.reads.size != 0 && work.passed < config_.die_overtakes) return find_read(die, free);
    return free == all_planes_ && idle(die.id, now) ? Choice{.what = Next::resume} : Choice{};
  }
  if (now >= work.from + config_.suspend_progress && suspendable(die, now)) return {.what = Next::suspend};
  if (!config_.cache_program || work.cached != no_entry || die.programs.size == 0) return {};
  if (entries_[work.entry].kind != OpKind::program || now < work.from + config_.t_cbsy) return {};
  if (die.reads.size != 0 && die.program_passed < config_.die_overtakes) return {};  // they go first when this program ends
  if (die.erases.size != 0 && die.erase_passed >= config_.die_overtakes) return {};
  return {.what = Next::program, .entry = die.programs.head};
}

/// The die is busy with its array, and something has arrived.
void ArrayModel::consider(DieId id, Time now) {
  const Die& die = dies_[id];
  if (die.work.entry == no_entry || die.work.suspended) return;
  offer(id, now);
  ask(die.channel, now);
  watch_work(id, now);
}

/// Makes sure that somebody looks when something may be begun although the array works.
void ArrayModel::watch_work(DieId id, Time now) {
  Die& die = dies_[id];
  Work& work = die.work;
  if (work.entry == no_entry || work.suspended) return;
  Time at = never;
  if (suspendable(die, now)) at = std::max(now, work.from + config_.suspend_progress);
  if (config_.cache_program && die.programs.size != 0 && work.cached == no_entry && die.loading == no_entry) {
    at = std::min(at, std::max(now, work.from + config_.t_cbsy));
  }
  if (at >= work.until || at == work.posted) return;
  work.posted = at;
  agenda_.post<&ArrayModel::reconsider>(at, this, id.value, work.number, Priority::decide);
}

void ArrayModel::reconsider(Time now, std::uint64_t die, std::uint64_t number) {
  const DieId id{static_cast<std::uint16_t>(die)};
  Work& work = dies_[id].work;
  if (work.number != number) return;
  offer(id, now);
  ask(dies_[id].channel, now);
}

void ArrayModel::begin_suspend(DieId id, Time now) {
  Die& die = dies_[id];
  Work& work = die.work;
  die.choice = {};
  const Time given = bus_command(channels_[die.channel], now, config_.t_cmd_suspend).done;
  const Time stop = given + t_suspend(work);
  ++stats_.suspends;
  ++work.suspends;
  ++work.number;
  work.suspended = true;
  work.left = work.until - given;
  die.array.cut(stop);
  die.busy_until.fill(stop);
  die.woken = all_planes_;
  agenda_.post<&ArrayModel::wake_die>(stop, this, id.value, 0, Priority::decide);
}

void ArrayModel::begin_resume(DieId id, Time now) {
  Die& die = dies_[id];
  Work& work = die.work;
  die.choice = {};
  const Time from = bus_command(channels_[die.channel], now, config_.t_cmd_suspend).done + config_.t_wb;
  work.suspended = false;
  work.from = from + config_.t_resume;
  work.until = work.from + work.left;
  work.posted = never;
  die.array.add(from, work.until);
  die.busy_until.fill(work.until);
  die.woken = all_planes_;
  agenda_.post<&ArrayModel::array_done>(work.until, this, id.value, ++work.number);
  watch_work(id, now);
}

}  // namespace flashpath::nand

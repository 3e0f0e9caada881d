// SPDX-License-Identifier: Apache-2.0
// The channel's side of ArrayModel: who gets the bus, and what happens then.
#include <bit>

#include "nand/array_model.h"

namespace flashpath::nand {

/// Somebody may want the channel: give it away if it is idle, else have it looked at when it is.
void ArrayModel::ask_now(ChannelId id, Time now) {
  Channel& channel = channels_[id];
  if (channel.run.active) {
    if (channel.commands.empty() && channel.outs.empty()) return;  // data-in that has begun goes before others'
    cut_run(id, now);
    return;
  }
  if (channel.free_at <= now) {
    grant(id, now);
    return;
  }
  channel.woken = true;
  agenda_.post<&ArrayModel::wake_channel>(channel.free_at, this, id.value, 0, Priority::decide);
}

/// The bus is free; `die` + 1 is the die whose planes became free with it, or 0.
void ArrayModel::wake_channel(Time now, std::uint64_t channel, std::uint64_t die) {
  const ChannelId id{static_cast<std::uint16_t>(channel)};
  channels_[id].woken = false;
  if (die != 0) {
    const DieId freed{static_cast<std::uint16_t>(die - 1)};
    release(freed, now);
  }
  grant(id, now);
}

void ArrayModel::grant(ChannelId id, Time now) {
  Channel& channel = channels_[id];
  std::uint32_t freed = 0;
  while (channel.free_at <= now && channel.wanted()) { grant_one(id, now, freed); }
  if (channel.run.active || (!channel.wanted() && freed == 0)) return;  // a run's end gives the channel away by itself
  channel.woken = true;
  agenda_.post<&ArrayModel::wake_channel>(channel.free_at, this, id.value, freed, Priority::decide);
}

/// Gives the bus to one of those that asked, or finds that it has nothing to begin any more.
/// `freed` becomes the die + 1 whose planes are free, and wanted, when the bus is.
inline void ArrayModel::grant_one(ChannelId id, Time now, std::uint32_t& freed) {
  if (config_.channel_policy == ChannelPolicy::data_first) {
    grant_turn(id, now, freed);
    return;
  }
  Channel& channel = channels_[id];
  const bool load_first = !channel.loads.empty() && channel.loads_passed >= config_.bus_overtakes;
  const bool out_first = !channel.outs.empty() && channel.outs_passed >= config_.bus_overtakes;
  if (!load_first && !out_first && !channel.commands.empty()) {
    const DieId die{channel.commands.pop()};
    dies_[die].in_commands = false;
    const Choice choice = dies_[die].choice.what != Next::nothing ? dies_[die].choice : choose(dies_[die], now);
    const bool begun = begin(die, choice, now);
    offer(die, now);
    if (!begun) return;
    if (!channel.outs.empty()) ++channel.outs_passed;
    if (!channel.loads.empty()) ++channel.loads_passed;
    return;
  }
  if (!load_first && !channel.outs.empty()) {
    channel.outs_passed = 0;
    const std::uint32_t entry = channel.outs.pop();
    if (not_yet(entry, now)) return;
    if (!channel.loads.empty()) ++channel.loads_passed;
    freed = start_out(entry, now) ? entries_[entry].die.value + 1U : 0U;
    return;
  }
  const DieId die{channel.loads.pop()};
  dies_[die].in_loads = false;
  if (!load(die, now)) {
    if (channel.loads.empty()) channel.loads_passed = 0;
    return;
  }
  channel.loads_passed = 0;
  if (!channel.outs.empty()) ++channel.outs_passed;
}

/// The same under data_first: data-out in the order of readiness, then the next die in turn, a program with all its data.
void ArrayModel::grant_turn(ChannelId id, Time now, std::uint32_t& freed) {
  Channel& channel = channels_[id];
  if (!channel.outs.empty()) {
    const std::uint32_t entry = channel.outs.pop();
    if (not_yet(entry, now)) return;
    freed = start_out(entry, now) ? entries_[entry].die.value + 1U : 0U;
    return;
  }
  const std::uint64_t later = channel.asking >> channel.turn << channel.turn;
  const auto target = static_cast<std::uint16_t>(std::countr_zero(later != 0 ? later : channel.asking));
  channel.asking &= ~(std::uint64_t{1} << target);
  channel.turn = (target + 1U) % config_.dies_per_channel;
  const DieId die = geometry_.die_of(id, {target});
  dies_[die].in_commands = false;
  const Choice choice = dies_[die].choice.what != Next::nothing ? dies_[die].choice : choose(dies_[die], now);
  if (choice.what == Next::program) load(die, now);
  else begin(die, choice, now);
  offer(die, now);
}

/// Data that were ready have been handed over to the cache register since, and are not there yet: they queue again when they are.
inline bool ArrayModel::not_yet(std::uint32_t entry, Time now) {
  const Time ready = entries_[entry].out_ready;
  if (ready <= now) return false;
  agenda_.post<&ArrayModel::join_outs>(ready, this, entry, 0, Priority::decide);
  return true;
}

/// Command cycles on the bus they go over.
Window ArrayModel::bus_command(Channel& channel, Time now, Duration takes) {
  if (config_.sca) return channel.command_bus.serve(now, takes);
  channel.free_at = now + takes;
  channel.busy += takes;
  return {.accepted = now, .done = channel.free_at};
}

/// The command phase of a read or an erase; returns its end.
Time ArrayModel::command(Channel& channel, Entry& entry, Time now, Duration takes) {
  const Window window = bus_command(channel, now, takes);
  entry.begun = window.accepted;
  entry.commanded = window.done;
  entry.startable = dies_[entry.die].startable;
  if (entry.op->retries == 0) stats_.die_wait.add(entry.begun - entry.submitted);
  return entry.commanded;
}

/// What was merged with `first` shares its command.
void ArrayModel::follow(Entry& entry, const Entry& first) {
  entry.begun = first.begun;
  entry.commanded = first.commanded;
  entry.startable = first.startable;
  if (entry.op->retries == 0) stats_.die_wait.add(entry.begun - entry.submitted);
}

}  // namespace flashpath::nand

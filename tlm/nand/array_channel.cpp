// SPDX-License-Identifier: Apache-2.0
// The channel's side of ArrayModel: who gets the bus, and what happens then.
#include <algorithm>

#include "base/error.h"
#include "nand/array_model.h"

namespace flashpath::nand {

/// Somebody may want the channel: give it away if it is idle, else have it looked at when it is.
void ArrayModel::ask(ChannelId id, Time now) {
  Channel& channel = channels_[id];
  if (channel.woken || !channel.wanted()) return;
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
void ArrayModel::grant_one(ChannelId id, Time now, std::uint32_t& freed) {
  Channel& channel = channels_[id];
  const bool load_first = !channel.loads.empty() && channel.loads_passed >= config_.bus_overtakes;
  const bool out_first = !channel.outs.empty() && channel.outs_passed >= config_.bus_overtakes;
  if (!load_first && !out_first && !channel.commands.empty()) {
    const DieId die{channel.commands.pop()};
    dies_[die].in_commands = false;
    const Choice choice = dies_[die].choice.what != Next::nothing ? dies_[die].choice : choose(dies_[die], now);
    if (choice.what == Next::read) begin_read(die, choice, now);
    else if (choice.what == Next::erase) begin_erase(die, now);
    offer(die, now);
    if (choice.what != Next::read && choice.what != Next::erase) return;
    if (!channel.outs.empty()) ++channel.outs_passed;
    if (!channel.loads.empty()) ++channel.loads_passed;
    return;
  }
  if (!load_first && !channel.outs.empty()) {
    channel.outs_passed = 0;
    if (!channel.loads.empty()) ++channel.loads_passed;
    const std::uint32_t entry = channel.outs.pop();
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

/// The command phase of a read or an erase; returns its end.
Time ArrayModel::command(Channel& channel, Entry& entry, Time now, Duration takes) {
  if (config_.sca) {
    const Window window = channel.command_bus.serve(now, takes);
    entry.begun = window.accepted;
    entry.commanded = window.done;
  } else {
    entry.begun = now;
    entry.commanded = channel.free_at = now + takes;
    channel.busy += takes;
  }
  entry.startable = dies_[entry.die].startable;
  if (entry.op->retries == 0) stats_.die_wait.add(entry.begun - entry.submitted);
  return entry.commanded;
}

void ArrayModel::begin_read(DieId id, const Choice& choice, Time now) {
  Die& die = dies_[id];
  pop(die.reads, choice.before);
  Entry& e = entries_[choice.entry];
  for (unsigned p = 0, mask = e.mask; mask != 0; ++p, mask >>= 1U) {
    if ((mask & 1U) == 0) continue;
    die.busy_until[p] = never;
    if (--die.reads_of[p] == 0) die.wanted &= static_cast<std::uint8_t>(~(1U << p));
  }
  die.held |= e.mask;
  die.choice = {};
  if (die.programs.size != 0) ++die.program_passed;
  if (die.erases.size != 0) ++die.erase_passed;
  const Time sensing = command(channels_[die.channel], e, now, t_cmd_read_[e.op->planes]) + config_.t_wb;
  const Time sensed = sensing + t_r_[geometry_.type_of(e.op->page)];
  die.array.add(sensing, sensed);
  e.sensed = sensed + config_.t_rr;
  agenda_.post<&ArrayModel::sense_done>(e.sensed, this, choice.entry, 0, Priority::release);
}

void ArrayModel::begin_erase(DieId id, Time now) {
  Die& die = dies_[id];
  const std::uint32_t entry = die.erases.head;
  pop(die.erases, no_entry);
  die.choice = {};
  die.erase_passed = 0;
  if (die.programs.size != 0) ++die.program_passed;
  Entry& e = entries_[entry];
  const Time erasing = command(channels_[die.channel], e, now, t_cmd_erase_[e.op->planes]) + config_.t_wb;
  const Time end = erasing + config_.t_bers;
  die.array.add(erasing, end);
  die.busy_until.fill(end);
  die.woken = all_planes_;
  agenda_.post<&ArrayModel::array_done>(end, this, entry);
}

void ArrayModel::sense_done(Time now, std::uint64_t entry) {
  Entry& e = entries_[entry];
  cells_.read(*e.op);
  e.out_ready = now;
  if (config_.sca && config_.t_cmd_out > Duration{}) {
    e.out_ready = channels_[dies_[e.die].channel].command_bus.serve(now, config_.t_cmd_out).done;
    agenda_.post<&ArrayModel::join_outs>(e.out_ready, this, entry, 0, Priority::release);
    return;
  }
  join_outs(now, entry);
}

void ArrayModel::join_outs(Time now, std::uint64_t entry) {
  const ChannelId id = dies_[entries_[entry].die].channel;
  channels_[id].outs.push_back(static_cast<std::uint32_t>(entry));
  ask(id, now);
}

/// Moves a read's data out; from here on everything about it is known. True if somebody waits for its planes.
bool ArrayModel::start_out(std::uint32_t entry, Time now) {
  Entry& e = entries_[entry];
  Op& op = *e.op;
  Die& die = dies_[e.die];
  Channel& channel = channels_[die.channel];
  const std::uint64_t n = geometry_.codewords(op.offset, op.size);
  const auto planes = static_cast<std::int64_t>(geometry_.planes_moved(op.offset, op.size));
  Time first_byte = now;
  Time end = now + bus_[n];
  if (config_.sca) {  // the first plane's command was given; the others' overlap the data
    if (planes > 1) channel.command_bus.serve(now, (planes - 1) * config_.t_cmd_out);
  } else {
    first_byte += config_.t_cmd_out;
    end += planes * config_.t_cmd_out;
  }
  channel.free_at = end;
  channel.busy += end - now;
  stats_.channel_bytes += n * (config_.codeword + config_.parity);

  const Time decoding = std::max(first_byte + bus_[1], channel.decoder_free);
  const Time last = std::max(end, decoding + decode_[n - 1]);
  channel.decoder_free = last + decode_[1];
  Decoding decoded{.latency = config_.ecc_latency};
  op.status = OpStatus::ok;
  if (reliability_) decoded = reliability_->decode(op, e.rung, now);
  op.stream = {.first = decoding + decoded.latency, .last = last + decoded.latency};

  Journey& journey = op.journey;
  journey.mark(Stage::die_wait, e.startable);
  journey.mark(Stage::channel_wait, e.begun);
  journey.mark(Stage::transfer, e.commanded);
  journey.mark(Stage::sense, e.sensed);
  if (config_.sca) {
    journey.mark(Stage::channel_wait, e.out_ready - config_.t_cmd_out);
    journey.mark(Stage::transfer, e.out_ready);
  }
  journey.mark(Stage::channel_wait, now);
  journey.mark(Stage::transfer, first_byte + bus_[1]);
  if (decoded.again) {
    journey.mark(Stage::ecc, op.stream.last);
    agenda_.post<&ArrayModel::sense_again>(op.stream.last, this, entry);
  } else {
    journey.mark(Stage::ecc, op.stream.first);
    agenda_.post<&ArrayModel::read_done>(op.stream.first, this, entry);
  }

  for (unsigned p = 0, mask = e.mask; mask != 0; ++p, mask >>= 1U) {
    if ((mask & 1U) != 0) die.busy_until[p] = end;
  }
  die.held &= static_cast<std::uint8_t>(~e.mask);
  if (die.waiting() == 0) return false;
  die.woken |= e.mask;
  return true;
}

void ArrayModel::read_done(Time now, std::uint64_t entry) { answer(static_cast<std::uint32_t>(entry), now); }

/// The read's data could not be corrected: it is the die's next read.
void ArrayModel::sense_again(Time now, std::uint64_t entry) {
  const auto index = static_cast<std::uint32_t>(entry);
  Entry& e = entries_[index];
  ++e.op->retries;
  wait(index, now, true);
}

/// Begins a program, or goes on with one; false if the die cannot.
bool ArrayModel::load(DieId id, Time now) {
  Die& die = dies_[id];
  Channel& channel = channels_[die.channel];
  Time data = now;
  if (die.loading == no_entry) {
    const Choice choice = die.choice.what != Next::nothing ? die.choice : choose(die, now);
    if (choice.what != Next::program) {
      offer(id, now);
      return false;
    }
    begin_load(id, now);
    Entry& e = entries_[die.loading];
    const Duration takes = t_cmd_program_[e.op->planes];
    data = config_.sca ? channel.command_bus.serve(now, takes).done : now + takes;
  }
  Op& op = *entries_[die.loading].op;
  const std::uint32_t pages = op.planes * config_.bits_per_cell;
  const bool alone = channel.commands.empty() && channel.outs.empty();
  const std::uint32_t count = alone ? pages - die.loaded : 1;
  const Time end = data + load_time(die.loaded, count);
  channel.free_at = end;
  channel.busy += end - now;
  stats_.channel_bytes += std::uint64_t{count} * codewords_per_page_ * (config_.codeword + config_.parity);
  op.journey.mark(Stage::channel_wait, now);
  if (count > 1) {
    channel.run = {.active = true, .die = id, .first = die.loaded, .number = channel.run.number + 1, .data = data};
    agenda_.post<&ArrayModel::run_done>(end, this, die.channel.value, channel.run.number, Priority::decide);
    return true;
  }
  op.journey.mark(Stage::transfer, end);
  ++die.loaded;
  if (die.loaded < pages) {
    channel.loads.push_front(id.value);
    die.in_loads = true;
    return true;
  }
  loaded(die, end);
  return true;
}

/// The time that `count` pages of a wordline take on the channel, from page `first` on.
Duration ArrayModel::load_time(std::uint32_t first, std::uint32_t count) const {
  return bus_[std::size_t{first + count} * codewords_per_page_] - bus_[std::size_t{first} * codewords_per_page_];
}

/// A run of data-in ends with the wordline, unless it has been cut.
void ArrayModel::run_done(Time now, std::uint64_t channel, std::uint64_t number) {
  const ChannelId id{static_cast<std::uint16_t>(channel)};
  LoadRun& run = channels_[id].run;
  if (!run.active || run.number != number) return;
  run.active = false;
  Die& die = dies_[run.die];
  Op& op = *entries_[die.loading].op;
  op.journey.mark(Stage::transfer, now);
  die.loaded = op.planes * config_.bits_per_cell;
  loaded(die, now);
  grant(id, now);
}

/// Somebody with precedence asks during a run: the channel is theirs at the end of the page under way.
void ArrayModel::cut_run(ChannelId id, Time now) {
  Channel& channel = channels_[id];
  LoadRun& run = channel.run;
  Die& die = dies_[run.die];
  Op& op = *entries_[die.loading].op;
  const std::uint32_t pages = op.planes * config_.bits_per_cell;
  std::uint32_t count = 1;
  while (run.first + count < pages && run.data + load_time(run.first, count) < now) ++count;
  if (run.first + count == pages) return;  // the last page is under way
  const Time end = run.data + load_time(run.first, count);
  const std::uint32_t left = pages - run.first - count;
  channel.busy -= channel.free_at - end;
  channel.free_at = end;
  stats_.channel_bytes.value -= (std::uint64_t{left} * codewords_per_page_ * (config_.codeword + config_.parity)).count;
  run.active = false;
  op.journey.mark(Stage::transfer, end);
  die.loaded = run.first + count;
  channel.loads.push_front(run.die.value);
  die.in_loads = true;
  channel.woken = true;
  agenda_.post<&ArrayModel::wake_channel>(end, this, id.value, 0, Priority::decide);
}

/// The wordline's data is in the page buffer at `end`: it is being programmed.
void ArrayModel::loaded(Die& die, Time end) {
  const Time programming = end + config_.t_wb;
  const Time done = programming + config_.t_prog;
  const std::uint32_t entry = die.loading;
  die.loading = no_entry;
  die.held = 0;
  die.array.add(programming, done);
  die.busy_until.fill(done);
  die.woken = all_planes_;
  agenda_.post<&ArrayModel::array_done>(done, this, entry);
}

void ArrayModel::begin_load(DieId id, Time now) {
  Die& die = dies_[id];
  const std::uint32_t entry = die.programs.head;
  pop(die.programs, no_entry);
  die.program_passed = 0;
  if (die.erases.size != 0) ++die.erase_passed;
  die.loading = entry;
  die.loaded = 0;
  die.busy_until.fill(never);
  die.held = all_planes_;
  die.choice = {};
  Entry& e = entries_[entry];
  e.begun = now;
  e.op->journey.mark(Stage::die_wait, die.startable);
  stats_.die_wait.add(now - e.submitted);
}

/// A program or an erase ends. The die is free from now on; who waits for it is decided after all arrivals of this moment.
void ArrayModel::array_done(Time now, std::uint64_t entry) {
  const Entry& e = entries_[entry];
  const DieId id = e.die;
  Op& op = *e.op;
  if (e.kind == OpKind::program) {
    op.status = reliability_ ? reliability_->program(op, now) : OpStatus::ok;
    if (op.status == OpStatus::ok) op.status = cells_.program(op);
  } else {
    op.status = reliability_ ? reliability_->erase(op) : OpStatus::ok;
    if (op.status == OpStatus::ok) op.status = cells_.erase(op);
    op.journey.mark(Stage::die_wait, e.startable);
    op.journey.mark(Stage::channel_wait, e.begun);
    op.journey.mark(Stage::transfer, e.commanded);
  }
  op.journey.mark(Stage::program, now);
  op.stream = {.first = now, .last = now};
  Die& die = dies_[id];
  die.woken = 0;
  if (die.waiting() != 0) {
    die.woken = all_planes_;
    agenda_.post<&ArrayModel::wake_die>(now, this, id.value, 0, Priority::decide);
  }
  answer(static_cast<std::uint32_t>(entry), now);
}

}  // namespace flashpath::nand

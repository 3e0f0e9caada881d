// SPDX-License-Identifier: Apache-2.0
// Programs and erases in ArrayModel: data-in, array time, end.
#include <algorithm>

#include "nand/array_model.h"

namespace flashpath::nand {

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
    const Duration takes = t_cmd_program_[begin_load(id, now)];
    data = config_.sca ? channel.command_bus.serve(now, takes).done : now + takes;
  }
  const bool whole = config_.channel_policy == ChannelPolicy::data_first;
  const bool alone = channel.commands.empty() && channel.outs.empty();
  const std::uint32_t count = alone || whole ? die.to_load - die.loaded : 1;
  const Time end = data + load_time(die.loaded, count);
  channel.free_at = end;
  channel.busy += end - now;
  stats_.channel_bytes += std::uint64_t{count} * codewords_per_page_ * (config_.codeword + config_.parity);
  chain(die.loading, [&](std::uint32_t, Entry& e) { e.op->journey.mark(Stage::channel_wait, now); });
  if (count > 1 && !whole) {
    channel.run = {.active = true, .die = id, .first = die.loaded, .number = channel.run.number + 1, .data = data};
    agenda_.post<&ArrayModel::run_done>(end, this, die.channel.value, channel.run.number, Priority::decide);
    return true;
  }
  chain(die.loading, [&](std::uint32_t, Entry& e) { e.op->journey.mark(Stage::transfer, end); });
  die.loaded += count;
  if (die.loaded < die.to_load) {
    channel.loads.push_front(id.value);
    die.in_loads = true;
    return true;
  }
  loaded(die, now, end);
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
  chain(die.loading, [&](std::uint32_t, Entry& e) { e.op->journey.mark(Stage::transfer, now); });
  die.loaded = die.to_load;
  loaded(die, now, now);
  grant(id, now);
}

/// Somebody with precedence asks during a run: the channel is theirs at the end of the page under way.
void ArrayModel::cut_run(ChannelId id, Time now) {
  Channel& channel = channels_[id];
  LoadRun& run = channel.run;
  Die& die = dies_[run.die];
  const std::uint32_t pages = die.to_load;
  std::uint32_t count = 1;
  while (run.first + count < pages && run.data + load_time(run.first, count) < now) ++count;
  if (run.first + count == pages) return;  // the last page is under way
  const Time end = run.data + load_time(run.first, count);
  const std::uint32_t left = pages - run.first - count;
  channel.busy -= channel.free_at - end;
  channel.free_at = end;
  stats_.channel_bytes.value -= (std::uint64_t{left} * codewords_per_page_ * (config_.codeword + config_.parity)).count;
  run.active = false;
  chain(die.loading, [&](std::uint32_t, Entry& e) { e.op->journey.mark(Stage::transfer, end); });
  die.loaded = run.first + count;
  channel.loads.push_front(run.die.value);
  die.in_loads = true;
  channel.woken = true;
  agenda_.post<&ArrayModel::wake_channel>(end, this, id.value, 0, Priority::decide);
}

/// The wordline's data is in the page buffer at `end`: it is being programmed, or waits for the array (cache_program).
void ArrayModel::loaded(Die& die, Time now, Time end) {
  const std::uint32_t entry = die.loading;
  die.loading = no_entry;
  if (die.work.entry != no_entry) {
    die.work.cached = entry;
    die.work.cached_at = end + config_.t_wb;
    return;
  }
  die.held = 0;
  start_array(die.id, entry, std::max(end + config_.t_wb, die.work.opens), pass_time(entry));
  if (work_yields_) watch_work(die.id, now);
}

Duration ArrayModel::pass_time(std::uint32_t entry) const {
  return config_.program_passes == 2 && entries_[entry].pass == 0 ? config_.t_prog_first : config_.t_prog;
}

/// The die's array programs or erases from `from` on.
void ArrayModel::start_array(DieId id, std::uint32_t entry, Time from, Duration takes) {
  Die& die = dies_[id];
  Work& work = die.work;
  work = {.entry = entry, .number = work.number + 1, .from = from, .until = from + takes};
  die.array.add(from, work.until);
  die.busy_until.fill(work.until);
  die.woken = all_planes_;
  agenda_.post<&ArrayModel::array_done>(work.until, this, id.value, work.number);
}

/// Takes the oldest program, and what goes with it; returns the planes they name.
std::uint32_t ArrayModel::begin_load(DieId id, Time now) {
  Die& die = dies_[id];
  const std::uint32_t entry = die.programs.head;
  pop(die.programs, no_entry);
  die.program_passed = 0;
  const std::uint32_t planes = config_.merge_planes ? gather(die.programs, entry) : entries_[entry].op->planes;
  die.loading = entry;
  die.loaded = 0;
  die.to_load = planes * geometry_.program_pages();
  die.choice = {};
  if (die.work.entry == no_entry) {  // else the array programs until a known end (cache_program)
    die.work.opens = now;
    die.busy_until.fill(never);
    die.held = all_planes_;
  }
  chain(entry, [&](std::uint32_t, Entry& e) {
    e.begun = now;
    e.op->journey.mark(Stage::die_wait, die.startable);
    if (e.pass == 0) stats_.die_wait.add(now - e.submitted);
    if (die.erases.size != 0) ++die.erase_passed;
  });
  return planes;
}

/// A program or an erase ends. The die is free from now on; who waits for it is decided after all arrivals of this moment.
void ArrayModel::array_done(Time now, std::uint64_t die_value, std::uint64_t number) {
  const DieId id{static_cast<std::uint16_t>(die_value)};
  Die& die = dies_[id];
  if (die.work.number != number) return;  // it was suspended
  const std::uint32_t first = die.work.entry;
  die.work.entry = no_entry;
  const bool ends = !another_pass(first, now);
  if (ends) {
    chain(first, [&](std::uint32_t, Entry& e) {
      Op& op = *e.op;
      if (e.kind == OpKind::program) {
        op.status = reliability_ ? reliability_->program(op, now) : OpStatus::ok;
        op.status = op.status == OpStatus::ok ? cells_.program(op) : cells_.fail(op);
        stats_.pages_programmed += std::uint64_t{op.planes} * geometry_.program_pages();
      } else {
        op.status = reliability_ ? reliability_->erase(op) : OpStatus::ok;
        if (op.status == OpStatus::ok) op.status = cells_.erase(op);
        op.journey.mark(Stage::die_wait, e.startable);
        op.journey.mark(Stage::channel_wait, e.begun);
        op.journey.mark(Stage::transfer, e.commanded);
      }
      op.journey.mark(Stage::program, now);
      op.stream = {.first = now, .last = now};
    });
  }
  if (die.work.cached != no_entry) {
    start_array(id, die.work.cached, std::max(die.work.cached_at, now + config_.t_cbsy), pass_time(die.work.cached));
    watch_work(id, now);
  } else if (die.loading != no_entry) {
    die.work.opens = now + config_.t_cbsy;
    die.busy_until.fill(never);
    die.held = all_planes_;
    die.woken = 0;
  } else {
    die.woken = 0;
    if (die.waiting() != 0) {
      die.woken = all_planes_;
      agenda_.post<&ArrayModel::wake_die>(now, this, id.value, 0, Priority::decide);
    }
  }
  if (ends) chain(first, [&](std::uint32_t entry, Entry&) { answer(entry, now); });
}

/// The first pass of two has ended: the second is the die's next program, its data going in again. Reads may come between.
bool ArrayModel::another_pass(std::uint32_t first, Time now) {
  if (config_.program_passes == 1 || entries_[first].kind != OpKind::program || entries_[first].pass != 0) return false;
  std::array<std::uint32_t, max_planes> merged{};
  std::size_t count = 0;
  chain(first, [&](std::uint32_t entry, Entry& e) {
    e.pass = 1;
    e.op->journey.mark(Stage::program, now);
    stats_.pages_programmed += std::uint64_t{e.op->planes} * geometry_.program_pages();
    merged[count++] = entry;
  });
  EntryList& programs = dies_[entries_[first].die].programs;
  while (count != 0) push_front(programs, merged[--count]);
  return true;
}

void ArrayModel::begin_erase(DieId id, Time now) {
  Die& die = dies_[id];
  const std::uint32_t entry = die.erases.head;
  pop(die.erases, no_entry);
  die.choice = {};
  die.erase_passed = 0;
  Entry& e = entries_[entry];
  const std::uint32_t planes = config_.merge_planes ? gather(die.erases, entry) : e.op->planes;
  const Time erasing = command(channels_[die.channel], e, now, t_cmd_erase_[planes]) + config_.t_wb;
  chain(entry, [&](std::uint32_t, Entry& erase) {
    if (&erase != &e) follow(erase, e);
    if (die.programs.size != 0) ++die.program_passed;
  });
  start_array(id, entry, erasing, config_.t_bers);
  if (work_yields_) watch_work(id, now);
}

}  // namespace flashpath::nand

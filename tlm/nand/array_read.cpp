// SPDX-License-Identifier: Apache-2.0
// Reads in ArrayModel: from the command to the last byte off the die.
#include <algorithm>

#include "nand/array_model.h"

namespace flashpath::nand {

void ArrayModel::begin_read(DieId id, const Choice& choice, Time now) {
  Die& die = dies_[id];
  pop(die.reads, choice.before);
  Entry& e = entries_[choice.entry];
  const std::uint32_t planes = merge_reads_ ? gather(die.reads, choice.entry) : e.op->planes;
  chain(choice.entry, [&](std::uint32_t, Entry& read) {
    for (unsigned p = 0, mask = read.mask; mask != 0; ++p, mask >>= 1U) {
      if ((mask & 1U) == 0) continue;
      die.busy_until[p] = never;
      if (--die.reads_of[p] == 0) die.wanted &= static_cast<PlaneMask>(~(1U << p));
    }
    if (die.programs.size != 0) ++die.program_passed;
    if (die.erases.size != 0) ++die.erase_passed;
    if (die.work.suspended) ++die.work.passed;
    if (die.background_reads == 0) return;
    if (read.op->background) {
      --die.background_reads;
      die.background_passed = 0;
    } else {
      ++die.background_passed;
    }
  });
  die.held |= e.mask;
  die.choice = {};
  const Time sensing = command(channels_[die.channel], e, now, t_cmd_read_[planes]) + config_.t_wb;
  const std::uint32_t type = geometry_.type_of(e.op->page);
  const bool snap = config_.snap_read.count != 0 && snaps(choice.entry);
  const Time sensed = sensing + (snap ? t_snap_ : t_r_)[type];
  stats_.sensed[type] += planes;
  if (snap) stats_.sensed_snap += planes;
  die.array.add(sensing, sensed);
  e.sensed = sensed + config_.t_rr;
  if (links_[choice.entry].next != no_entry) {  // each leaves by itself: the planes that it named, the first one's also those nobody did
    chain(links_[choice.entry].next, [&](std::uint32_t, Entry& read) {
      follow(read, e);
      read.sensed = e.sensed;
      read.mask = planes_mask(*read.op);
      e.mask &= static_cast<PlaneMask>(~read.mask);
    });
  }
  agenda_.post<&ArrayModel::sense_done>(e.sensed, this, choice.entry, 0, Priority::release);
}

/// All that begin together read no more than an aligned piece of a page each.
bool ArrayModel::snaps(std::uint32_t entry) {
  bool all = true;
  chain(entry, [&](std::uint32_t, Entry& e) {
    const std::uint64_t piece = config_.snap_read.count;
    all = all && e.op->planes == 1 && e.op->offset.count / piece == (e.op->offset.count + e.op->size.count - 1) / piece;
  });
  return all;
}

void ArrayModel::sense_done(Time now, std::uint64_t first) {
  chain(static_cast<std::uint32_t>(first), [&](std::uint32_t entry, Entry& e) {
    cells_.read(*e.op);
    if (config_.cache_read) keep_sensed(entry, now);
    else leave(entry, now);
  });
}

/// The data may be sent from now on; with SCA once their command has been given.
void ArrayModel::leave(std::uint32_t entry, Time now) {
  Entry& e = entries_[entry];
  e.out_ready = now;
  if (config_.sca && config_.t_cmd_out > Duration{}) {
    e.out_ready = channels_[dies_[e.die].channel].command_bus.serve(now, config_.t_cmd_out).done;
    agenda_.post<&ArrayModel::join_outs>(e.out_ready, this, entry, 0, Priority::release);
  } else {
    join_outs(now, entry);
  }
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

  const bool wanted = die.waiting() != 0 || die.work.suspended;
  if (config_.cache_read) sent(e, end);
  if (e.moved) return wanted;  // the planes are free already
  for (unsigned p = 0, mask = e.mask; mask != 0; ++p, mask >>= 1U) {
    if ((mask & 1U) != 0) die.busy_until[p] = end;
  }
  die.held &= static_cast<PlaneMask>(~e.mask);
  if (!wanted) return false;
  die.woken |= e.mask;
  return true;
}

void ArrayModel::read_done(Time now, std::uint64_t entry) { answer(static_cast<std::uint32_t>(entry), now); }

/// The read's data could not be corrected: it is the die's next read.
void ArrayModel::sense_again(Time now, std::uint64_t entry) {
  const auto index = static_cast<std::uint32_t>(entry);
  Entry& e = entries_[index];
  ++e.op->retries;
  e.moved = false;
  e.mask = static_cast<PlaneMask>(links_[index].mask);  // all that it needs, also if it was merged with others
  wait(index, now, true);
}

}  // namespace flashpath::nand

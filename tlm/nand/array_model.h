// SPDX-License-Identifier: Apache-2.0
// All dies of a drive, their channels and decoders: when each operation is done.
//
//   submit ─▶ die: reads │ programs │ erases ─▶ channel ─▶ array ─▶ channel ─▶ decoder ─▶ answered
//              (waiting)                        command    tR       data-out    read
//                                               data-in    tPROG                program
//                                               command    tBERS                erase
//
// Alone (P planes, K planes whose data moves, n codewords of C data + R parity bytes, B the channel's rate, D the decoder's):
//   read     t_cmd(P) + tWB + tR(type) + tRR + K t_cmd_out + n (C + R) / B + ecc_latency         = stream.last  (D >= B)
//            t_cmd(P) + tWB + tR(type) + tRR +   t_cmd_out +   (C + R) / B + ecc_latency         = stream.first, the answer
//   program  t_cmd(P) + pages P bits (codewords per page) (C + R) / B + tWB + tPROG
//   erase    t_cmd(P) + tWB + tBERS                                       with t_cmd(P) = first + (P - 1) further
// With SCA commands go over a bus of their own (first come, first served): they cost the same latency and no data bus.
//
// Die. Independent plane reads: reads of disjoint planes run side by side; otherwise one operation per die. A read holds its planes until
// the last byte left the page buffer (unless cache_read). Programs and erases hold the whole die, from the first data-in or command on.
// Waiting reads go before programs, programs before erases, each class in order; reads keep their order per plane. What was overtaken
// `die_overtakes` times goes next: nothing else of the die begins before it. Nothing is interrupted once begun, unless suspends are on.
// A die decides what to begin when the channel is granted to it, not when it asks: a late read still overtakes.
//
// Channel. Held for one command, one read's data-out, or one page of a program's data-in at a time. Commands first (they put arrays to
// work), then data-out, then data-in, each in the order of readiness; data-out or data-in passed over `bus_overtakes` times goes next.
// A program whose data-in has begun goes before others'. Data-in that nobody else wants the channel during is one action.
//
// channel_policy data_first: data-out, then the dies in turn; a program's command and data are one action.
// merge_planes: what begins takes along what waits and fits one multi-plane command; links_[].next chains them.
//
// Decoder, one per channel: accepts a codeword every C / D, each ecc_latency deep. Codewords of one data-out count as evenly spaced.
//
// Same picosecond: arrays end first, then operations are submitted and answered, then planes and channels that became free are given
// away, so such a decision sees everything that happened at its moment. An idle die or channel goes to the first call.
//
// Reliability, if enabled (reliability.h): a read whose data does not decode goes back to its die, before other reads, as often as it must;
// its answer is that of its last sense. Programs and erases may fail.
//
// Options, all off by default: cache_read (array_cache.cpp), cache_program and program_passes (array_program.cpp), suspends
// (array_suspend.cpp), snap reads, die_policy.
//
// Not modelled: status polling, encoder latency, power limits, temperature, a bound of the decoder's input buffer.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "base/agenda.h"
#include "base/delegate.h"
#include "base/laws.h"
#include "base/stats.h"
#include "nand/array_state.h"
#include "nand/cells.h"
#include "nand/geometry.h"
#include "nand/reliability.h"

namespace flashpath::nand {

/// What the array counts.
struct Statistics {
  Statistics(stats::Group& group, const Geometry& geometry);
  stats::Counter reads, programs, erases, background, failed, dead, bytes_read, bytes_programmed, channel_bytes;
  stats::Counter plane_senses, plane_programs, plane_erases;  ///< what energy is counted by
  // What the arrays did, in pages and blocks of one plane.
  std::array<stats::Counter, max_bits_per_cell> sensed;  // by page type
  stats::Counter sensed_snap, pages_programmed, suspends;
  stats::Busy dies, channels;
  stats::Histogram read_latency, die_wait;
};

class ArrayModel {
 public:
  using Answered = Delegate<void(Op&, Time)>;
  /// `answered(op, now)` is called once per operation: a read at its stream.first, others at their end.
  ArrayModel(Agenda& agenda, const Config& config, stats::Group& group, Answered answered, bool data_mode = false,
             Random random = Random{1, "nand"});

  /// Takes a legal operation (geometry().fault(op) == none). It belongs to the caller and must stay until answered.
  void submit(Op& op, Time now);
  /// The same where the caller has asked whether it is legal.
  void submit_legal(Op& op, Time now);

  /// These planes (a bit each) of the die have died: every operation on them takes its time and fails.
  void fail(DieId die, std::uint32_t planes);

  const Geometry& geometry() const { return geometry_; }
  Cells& cells() { return cells_; }
  /// Bad in any plane: from the factory, or worn out.
  bool bad(DieId die, BlockId block) const { return reliability_ != nullptr && reliability_->bad(die, block); }
  /// Before anything is submitted: the block holds this many written wordlines.
  void precondition(DieId die, BlockId block, std::uint32_t wordlines) { cells_.precondition(die, block, wordlines); }
  const Statistics& statistics() const { return stats_; }
  /// What wears out; nullptr unless the configuration enables it.
  const Reliability* reliability() const { return reliability_.get(); }
  std::uint64_t submitted() const { return flow_.entered(); }
  std::uint64_t answered() const { return flow_.left(); }
  std::uint64_t in_flight() const { return flow_.inside(); }
  /// Time the die's array sensed, programmed or erased (in any plane) before `now`.
  Duration array_busy(DieId die, Time now) const { return dies_[die].array.until(now); }
  /// Time the channel's data bus was held before `now`.
  Duration channel_busy(ChannelId channel, Time now) const;

  void check(Laws& laws, Time now) const;
  void explain(Stall& stall) const;
  /// Sums the busy times.
  void finish(Time now);

 private:
  std::uint32_t take(Op& op, Time now);
  void give_back(std::uint32_t entry) {
    links_[entry].next = free_;
    free_ = entry;
  }
  void push(EntryList& list, std::uint32_t entry) {
    if (list.tail == no_entry) list.head = entry;
    else links_[list.tail].next = entry;
    list.tail = entry;
    ++list.size;
  }
  void push_front(EntryList& list, std::uint32_t entry);
  void wait(std::uint32_t entry, Time now, bool first);
  /// Takes out the one after `before` (none: the head).
  void pop(EntryList& list, std::uint32_t before) {
    std::uint32_t& link = before == no_entry ? list.head : links_[before].next;
    const std::uint32_t entry = link;
    link = links_[entry].next;
    if (list.tail == entry) list.tail = before;
    links_[entry].next = no_entry;
    --list.size;
  }
  std::uint32_t gather(EntryList& list, std::uint32_t head);

  PlaneMask free_planes(const Die& die, Time now) const;
  Choice choose(const Die& die, Time now) const;
  Choice choose_working(const Die& die, Time now) const;
  Choice choose_by_kind(const Die& die, PlaneMask free) const;
  Choice choose_fifo(const Die& die, PlaneMask free) const;
  Choice find_read(const Die& die, PlaneMask free) const;
  Choice find_host_read(const Die& die, PlaneMask free) const;
  bool idle(DieId die, Time now) const;
  void offer(DieId die, Time now);
  void watch(DieId die, Time now);
  void ask(ChannelId channel, Time now) {
    if (!channels_[channel].woken && channels_[channel].wanted()) ask_now(channel, now);
  }
  void ask_now(ChannelId channel, Time now);
  void grant(ChannelId channel, Time now);
  void grant_one(ChannelId channel, Time now, std::uint32_t& freed);
  void grant_turn(ChannelId channel, Time now, std::uint32_t& freed);
  void release(DieId die, Time now);
  void wake_die(Time now, std::uint64_t die);
  void wake_channel(Time now, std::uint64_t channel, std::uint64_t die);

  Window bus_command(Channel& channel, Time now, Duration takes);
  Time command(Channel& channel, Entry& entry, Time now, Duration takes);
  bool not_yet(std::uint32_t entry, Time now);
  bool begin(DieId die, const Choice& choice, Time now);
  void begin_read(DieId die, const Choice& choice, Time now);
  bool snaps(std::uint32_t entry);
  void begin_erase(DieId die, Time now);
  void start_array(DieId die, std::uint32_t entry, Time from, Duration takes);
  Duration pass_time(std::uint32_t entry) const;
  bool another_pass(std::uint32_t entry, Time now);
  bool suspendable(const Die& die, Time now) const;
  bool host_read_waits(const Die& die) const;
  Duration t_suspend(const Work& work) const;
  void begin_suspend(DieId die, Time now);
  void begin_resume(DieId die, Time now);
  void consider(DieId die, Time now);
  void watch_work(DieId die, Time now);
  void reconsider(Time now, std::uint64_t die, std::uint64_t number);
  void keep_sensed(std::uint32_t entry, Time now);
  void hand_over(std::uint32_t entry, Time at, bool asked);
  void hand_over_late(DieId die, unsigned planes, Time now);
  void sent(const Entry& entry, Time end);
  void leave(std::uint32_t entry, Time now);
  void handed_over(Time now, std::uint64_t entry, std::uint64_t asked);
  bool load(DieId die, Time now);
  Duration load_time(std::uint32_t first, std::uint32_t count) const;
  void run_done(Time now, std::uint64_t channel, std::uint64_t number);
  void cut_run(ChannelId channel, Time now);
  void loaded(Die& die, Time now, Time end);
  void follow(Entry& entry, const Entry& first);
  std::uint32_t begin_load(DieId die, Time now);
  bool start_out(std::uint32_t entry, Time now);
  void sense_done(Time now, std::uint64_t entry);
  void join_outs(Time now, std::uint64_t entry);
  void read_done(Time now, std::uint64_t entry);
  void sense_again(Time now, std::uint64_t entry);
  void array_done(Time now, std::uint64_t die, std::uint64_t number);
  void answer(std::uint32_t entry, Time now);
  void fail_if_dead(Op& op);

  /// Calls each(number, entry) for an entry and those that were merged with it.
  template <class F>
  void chain(std::uint32_t entry, F&& each) {
    for (std::uint32_t next; entry != no_entry; entry = next) {
      next = links_[entry].next;
      each(entry, entries_[entry]);
    }
  }

  Agenda& agenda_;
  Config config_;
  Geometry geometry_;
  Cells cells_;
  Statistics stats_;
  std::unique_ptr<Reliability> reliability_;
  Answered answered_;
  Flow flow_;

  std::array<Duration, max_bits_per_cell> t_r_, t_snap_;
  std::array<Duration, max_planes + 1> t_cmd_read_{}, t_cmd_program_{}, t_cmd_erase_{};  // by planes
  std::vector<Duration> bus_;                                                            // by codewords: their time on the channel
  std::vector<Duration> decode_;                                                         // by codewords: their time in the decoder
  PlaneMask all_planes_;
  bool merge_reads_;
  bool work_yields_;  ///< something can be begun while the array programs or erases: suspends, cache_program
  std::uint32_t codewords_per_page_;

  std::vector<Entry> entries_;
  std::vector<Link> links_;  // by entry
  std::uint32_t free_ = no_entry;
  std::vector<std::uint32_t> dead_;  // by die: its planes that have died; empty: none
  IndexedVector<DieId, Die> dies_;
  IndexedVector<DieId, ReadCache> caches_;  // with cache_read
  IndexedVector<ChannelId, Channel> channels_;
};

}  // namespace flashpath::nand

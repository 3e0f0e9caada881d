// SPDX-License-Identifier: Apache-2.0
// What the scheduler of array_model.h remembers: operations, dies, channels. Fixed memory in steady state.
#pragma once
#include <array>
#include <vector>

#include "nand/nand_config.h"
#include "nand/nand_op.h"

namespace flashpath::nand {

inline constexpr std::uint32_t no_entry = 0xffffffffU;

/// A first-in-first-out ring that grows when it must, and then keeps its size.
template <class T>
class Ring {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  void push_back(T item) {
    if (size_ == items_.size()) grow();
    items_[(head_ + size_++) & (items_.size() - 1)] = item;
  }
  void push_front(T item) {
    if (size_ == items_.size()) grow();
    head_ = (head_ + items_.size() - 1) & (items_.size() - 1);
    ++size_;
    items_[head_] = item;
  }
  T pop() {
    const T item = items_[head_];
    head_ = (head_ + 1) & (items_.size() - 1);
    --size_;
    return item;
  }

 private:
  void grow() {
    std::vector<T> larger(items_.empty() ? 16 : items_.size() * 2);
    for (std::size_t i = 0; i < size_; ++i) larger[i] = items_[(head_ + i) & (items_.size() - 1)];
    items_.swap(larger);
    head_ = 0;
  }
  std::vector<T> items_;
  std::size_t head_ = 0, size_ = 0;
};

/// One operation inside the array: a cache line.
struct alignas(64) Entry {
  Op* op;
  Time submitted;
  Time startable;  ///< since when its die could have begun it (waiting before: for the die; after: for the channel)
  Time begun;      ///< first command cycle
  Time commanded;  ///< last command cycle
  Time sensed;     ///< data in the page buffer
  Time out_ready;  ///< data-out may begin (with SCA: its command has been given)
  DieId die;
  PlaneMask mask;  ///< planes it holds
  OpKind kind;
  std::uint8_t rung;  ///< with reliability: how far error correction must go (ladder.h)
  std::uint8_t pass;  ///< of a program of two: 0 first, 1 second
  bool moved;         ///< cache read: its data are in the cache register, or on the way there
};
static_assert(sizeof(Entry) == 64);

inline PlaneMask planes_mask(const Op& op) { return static_cast<PlaneMask>(((1U << op.planes) - 1U) << op.plane); }

/// The lists of entries, apart from them: a search touches eight bytes per operation.
struct Link {
  std::uint32_t next;
  std::uint32_t mask;
};

/// What a die would begin next.
enum class Next : std::uint8_t { nothing, read, program, erase, suspend, resume };
struct Choice {
  Next what = Next::nothing;
  std::uint32_t entry = no_entry, before = no_entry;
};

struct EntryList {
  std::uint32_t head = no_entry, tail = no_entry;
  std::uint32_t size = 0;
};

/// Time covered by intervals whose starts never go back, as a union; exact also while the last ones still run.
class Covered {
 public:
  void add(Time from, Time to) {
    if (to <= end_) return;
    if (from > end_) {
      before_ = end_;
      run_ = from;
      total_ += to - from;
    } else {
      total_ += to - end_;
    }
    end_ = to;
  }
  /// The last interval ends at `at` already.
  void cut(Time at) {
    total_ -= end_ - at;
    end_ = at;
  }
  /// How much of the union lies before `now`.
  Duration until(Time now) const {
    if (now >= end_) return total_;
    if (now >= run_) return total_ - (end_ - now);
    return total_ - (end_ - run_) - (before_ > now ? before_ - now : Duration{});
  }

 private:
  Time run_{}, end_{}, before_{};
  Duration total_{};
};

/// The program or erase a die's array works on, or is suspended in.
struct Work {
  std::uint32_t entry = no_entry;
  std::uint32_t number = 0;    ///< of stretches of array time: the end of one that was cut is no longer looked at
  std::uint32_t suspends = 0;  ///< of this operation
  std::uint32_t passed = 0;    ///< reads begun while it was suspended
  bool suspended = false;
  std::uint32_t cached = no_entry;  ///< a program whose data are in, and wait for the array (cache_program)
  Time cached_at{};                 ///< ... and could begin from
  Time from{}, until{};             ///< array time
  Duration left{};                  ///< of it, once suspended
  Time opens{};                     ///< the next program's array time cannot begin before (cache_program)
  Time posted = never;              ///< an action looks at this die then
};

/// The cache registers of a die's planes (cache_read).
struct ReadCache {
  ReadCache() {
    buffered.fill(no_entry);
    waiting.fill(no_entry);
  }
  std::array<Time, max_planes> until{};              ///< register free from; `never` while not known
  std::array<std::uint32_t, max_planes> buffered{};  ///< read that may send from the page buffer: nobody waited for the plane
  std::array<std::uint32_t, max_planes> waiting{};   ///< read that is sensed, and waits for the register
  Time watched{};
};

struct alignas(64) Die {
  EntryList reads, programs, erases;  ///< waiting
  std::uint32_t program_passed = 0;   ///< operations begun while the oldest program waited
  std::uint32_t erase_passed = 0;
  std::uint32_t background_reads = 0;   ///< waiting (host_first)
  std::uint32_t background_passed = 0;  ///< host reads begun while they waited
  std::uint32_t loading = no_entry;     ///< the program whose data goes in
  std::uint32_t loaded = 0;             ///< its pages so far
  std::uint32_t to_load = 0;            ///< its pages, with those of programs merged with it
  PlaneMask wanted = 0;                 ///< planes that waiting reads touch
  PlaneMask held = 0;                   ///< planes of reads whose data-out has not begun, or of a program's data-in
  PlaneMask woken = 0;                  ///< planes whose end will be looked at: an action is posted
  Choice choice;                        ///< as of the last offer; `nothing` once that may have changed
  bool in_commands = false;             ///< this die waits for the channel to give a read or erase command (data_first: any)
  bool in_loads = false;                ///< ... or program data
  DieId id{};
  ChannelId channel{};
  Time startable{};
  Work work;                                         // its first bytes are read with those before
  std::array<Time, max_planes> busy_until{};         ///< `never` while its end is not known yet
  std::array<std::uint32_t, max_planes> reads_of{};  ///< waiting reads by plane they touch
  Covered array;

  std::uint32_t waiting() const { return reads.size + programs.size + erases.size; }
};

/// Data-in that nobody else wants the channel during: granted as a whole, and cut at a page when somebody does.
struct LoadRun {
  bool active = false;
  DieId die{};
  std::uint32_t first = 0;   ///< page of the wordline it began with
  std::uint32_t number = 0;  ///< of runs on this channel: a cut run's end is no longer looked at
  Time data{};               ///< first data byte
};

struct Channel {
  Time free_at{};
  bool woken = false;  ///< an action at free_at is posted
  LoadRun run;
  std::uint32_t outs_passed = 0;  ///< grants to others while data-out waited
  std::uint32_t loads_passed = 0;
  Ring<std::uint16_t> commands;  ///< dies
  Ring<std::uint32_t> outs;      ///< entries
  Ring<std::uint16_t> loads;     ///< dies
  std::uint64_t asking = 0;      ///< data_first: targets that want to give a command
  std::uint32_t turn = 0;        ///< data_first: target whose turn it is
  Server command_bus;            ///< SCA only
  Time decoder_free{};
  Duration busy{};

  bool wanted() const { return !(commands.empty() && outs.empty() && loads.empty()) || asking != 0; }
};

}  // namespace flashpath::nand

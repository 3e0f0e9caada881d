// SPDX-License-Identifier: Apache-2.0
// The platform's calendar of pending actions: plain events, ordered by (time, priority, sequence).
//
// Pure C++: SystemC sees one process and one event for the whole agenda (kernel/agenda_driver.h), and a
// test needs no SystemC at all: `agenda.run_until(t)`. Models never ask what time it is: every event
// hands its moment to the function it calls.
//
// A ring of buckets of 2^17 ps (131 ns) holds what is near, sorted within each bucket; a binary heap
// holds what lies beyond the ring's horizon (about 537 us). Posting and taking cost O(1) on the loads we see.
// Same picosecond: lower priority first, then the order of posting. That order is the same on every
// compiler, which SystemC's own queue does not promise (it is not FIFO at equal times).
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/units.h"

namespace flashpath {

/// What happens first at equal times. Named, because every race has a rule (docs/timing.md, "Races").
enum class Priority : std::uint8_t {
  release = 0,  ///< a resource becomes free before anybody asks for it
  arrive = 1,   ///< data, requests and responses arrive (the default)
  decide = 2,   ///< arbiters look at everything that arrived at this moment
  late = 3,     ///< after everything else: statistics, watchdogs
};

class Agenda {
 public:
  /// `self` is the object that posted; `arg` and `arg2` are its own.
  using Action = void (*)(void* self, Time now, std::uint64_t arg, std::uint64_t arg2);

  Agenda();
  Agenda(const Agenda&) = delete;
  Agenda& operator=(const Agenda&) = delete;

  /// Posts an action for `at`, which must not lie before now().
  void post(Time at, Action action, void* self, std::uint64_t arg = 0, std::uint64_t arg2 = 0, Priority priority = Priority::arrive) {
    if (at < now_ || free_ == none || !running_) [[unlikely]]
      post_slowly(at, action, self, arg, arg2, priority);
    else put(at, action, self, arg, arg2, priority);
  }

  /// Posts a member function: `agenda.post<&Die::sense_done>(at, this, op)`.
  template <auto Member, class T>
  void post(Time at, T* self, std::uint64_t arg = 0, std::uint64_t arg2 = 0, Priority priority = Priority::arrive) {
    post(
        at,
        [](void* s, Time now, std::uint64_t a, std::uint64_t b) {
          if constexpr (requires(T * t) { (t->*Member)(now, a, b); }) (static_cast<T*>(s)->*Member)(now, a, b);
          else if constexpr (requires(T * t) { (t->*Member)(now, a); }) (static_cast<T*>(s)->*Member)(now, a);
          else (static_cast<T*>(s)->*Member)(now);
        },
        self, arg, arg2, priority);
  }

  bool empty() const { return size() == 0; }
  std::size_t size() const { return near_ + far_.size(); }
  /// The moment of the earliest pending action, or `never`.
  Time next() const;
  /// The moment of the action being run, or of the last one.
  Time now() const { return now_; }
  /// Runs the earliest action; there must be one.
  void step();
  /// Runs the earliest action if there is one, at or before `limit`.
  bool step_until(Time limit) {
    std::uint32_t first = slots_[base_ % ring].head;
    if (first == none) {
      first = seek(limit);
      if (first == none) return false;
    } else if (pool_[first].at > limit) {
      return false;
    }
    run_first(first);
    return true;
  }
  /// Runs everything up to and including `limit`.
  void run_until(Time limit);
  /// Runs until nothing is pending.
  void run() {
    while (!empty()) step();
  }
  /// Actions run so far.
  std::uint64_t executed() const { return executed_; }
  /// For the driver: moves now() forward while nothing is pending before `at`.
  void advance_to(Time at);

  /// Called after a post that is earlier than everything pending while no action runs (the driver re-arms).
  void on_earlier(Action action, void* self) {
    earlier_ = action;
    earlier_self_ = self;
  }

 private:
  struct alignas(64) Event {
    Time at;
    std::uint64_t order;  // priority in the top bits, sequence below
    Action action;
    void* self;
    std::uint64_t arg, arg2;
    std::uint32_t next;
  };
  struct Slot {
    std::uint32_t head = none, tail = none;
  };
  static constexpr std::uint32_t none = 0xffffffffU;
  static constexpr unsigned width_bits = 17;
  static constexpr std::size_t ring = 4096;

  static std::uint64_t bucket_of(Time t) { return static_cast<std::uint64_t>(t.time_since_epoch().count()) >> width_bits; }
  static bool before(const Event& a, const Event& b) { return a.at != b.at ? a.at < b.at : a.order < b.order; }

  void put(Time at, Action action, void* self, std::uint64_t arg, std::uint64_t arg2, Priority priority) {
    const std::uint32_t index = free_;
    Event& event = pool_[index];
    free_ = event.next;
    event.at = at;
    event.order = static_cast<std::uint64_t>(priority) << 61U | sequence_++;
    event.action = action;
    event.self = self;
    event.arg = arg;
    event.arg2 = arg2;
    if (bucket_of(at) < base_ + ring) insert_near(index, event);
    else insert_far(index);
  }
  void insert_near(std::uint32_t index, Event& event) {
    const std::size_t number = bucket_of(event.at) % ring;
    Slot& slot = slots_[number];
    ++near_;
    event.next = none;
    if (slot.head == none) {
      slot.head = slot.tail = index;
      occupied_[number / 64] |= std::uint64_t{1} << (number % 64);
    } else if (!before(event, pool_[slot.tail])) {  // the common case: posted in order
      pool_[slot.tail].next = index;
      slot.tail = index;
    } else {
      insert_between(slot, index, event);
    }
  }
  /// Runs the head of the ring's first bucket.
  void run_first(std::uint32_t index) {
    const std::size_t number = base_ % ring;
    Slot& slot = slots_[number];
    Event& event = pool_[index];
    slot.head = event.next;
    if (event.next == none) occupied_[number / 64] &= ~(std::uint64_t{1} << (number % 64));
    event.next = free_;
    free_ = index;
    --near_;
    ++executed_;
    now_ = event.at;
    const bool nested = running_;
    running_ = true;
    event.action(event.self, event.at, event.arg, event.arg2);
    running_ = nested;
  }
  void post_slowly(Time at, Action action, void* self, std::uint64_t arg, std::uint64_t arg2, Priority priority);
  void insert_between(Slot& slot, std::uint32_t index, Event& event);
  void insert_far(std::uint32_t index);
  std::uint32_t seek(Time limit);
  void refill();
  void rebase(std::uint64_t bucket);
  std::uint64_t first_bucket() const;

  // What every action touches comes first.
  std::uint32_t free_ = none;
  bool running_ = false;
  std::uint64_t base_ = 0;  // absolute bucket number the ring starts at; at most that of now()
  std::size_t near_ = 0;    // events in the ring
  std::uint64_t sequence_ = 0;
  std::uint64_t executed_ = 0;
  Time now_{};
  std::vector<Event> pool_;
  Action earlier_ = nullptr;
  void* earlier_self_ = nullptr;
  std::uint64_t far_bucket_ = ~std::uint64_t{0};  // of the earliest in far_
  std::vector<std::uint32_t> far_;                // a heap by (at, order)
  std::array<std::uint64_t, ring / 64> occupied_{};
  std::array<Slot, ring> slots_{};
};

}  // namespace flashpath

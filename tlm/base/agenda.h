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
  void post(Time at, Action action, void* self, std::uint64_t arg = 0, std::uint64_t arg2 = 0, Priority priority = Priority::arrive);

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

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// The moment of the earliest pending action, or `never`.
  Time next() const;
  /// The moment of the action being run, or of the last one.
  Time now() const { return now_; }
  /// Runs the earliest action; there must be one.
  void step();
  /// Runs the earliest action if there is one, at or before `limit`.
  bool step_until(Time limit);
  /// Runs everything up to and including `limit`.
  void run_until(Time limit);
  /// Runs until nothing is pending.
  void run() {
    while (size_ != 0) step();
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
  struct Event {
    Time at;
    std::uint64_t order;  // priority in the top bits, sequence below
    Action action;
    void* self;
    std::uint64_t arg, arg2;
    std::uint32_t next;
  };
  static constexpr std::uint32_t none = 0xffffffffU;
  static constexpr unsigned width_bits = 17;
  static constexpr std::size_t ring = 4096;

  static std::uint64_t bucket_of(Time t) { return static_cast<std::uint64_t>(t.time_since_epoch().count()) >> width_bits; }
  bool before(const Event& a, const Event& b) const { return a.at != b.at ? a.at < b.at : a.order < b.order; }
  void insert_near(std::uint32_t index);
  void run_first();
  void refill();
  void rebase(std::uint64_t bucket);
  std::uint64_t first_bucket() const;

  std::vector<Event> pool_;
  std::uint32_t free_ = none;
  std::array<std::uint32_t, ring> heads_{};
  std::array<std::uint32_t, ring> tails_{};
  std::array<std::uint64_t, ring / 64> occupied_{};
  std::vector<std::uint32_t> far_;  // a heap by (at, order)
  std::uint64_t base_ = 0;          // absolute bucket number the ring starts at; at most that of now()
  std::size_t near_ = 0;            // events in the ring
  std::size_t size_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t executed_ = 0;
  Time now_{};
  bool running_ = false;
  Action earlier_ = nullptr;
  void* earlier_self_ = nullptr;
};

}  // namespace flashpath

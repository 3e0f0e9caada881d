// SPDX-License-Identifier: Apache-2.0
// The DPU's cores: each runs firmware tasks to completion, first come first served, and polls when idle.
//
//   submit(core, task) ──▶ [ FIFO of the core ] ──▶ run ──▶ free
//
// A task that arrives at an idle core starts poll_cycles / clock later: the poll that finds it. A task that arrives at
// a busy core starts the moment the one before it ends (the loop finds it without a further empty turn). A task
// takes cycles / clock + what memory took. Idle polling costs no events; utilisation counts work, not polling.
//   idle core, one task of n cycles:  start = arrival + cycles(poll), end = start + cycles(n)
//   saturated core:                   1 / cycles(n) tasks a second
// Races: a task that arrives at the very picosecond at which the core becomes free finds it idle (it pays the poll).
// Not modelled: caches (memory answers every load), SMT, migration, interrupts, frequency scaling.
#pragma once
#include <vector>

#include "base/agenda.h"
#include "base/laws.h"
#include "base/stats.h"
#include "cores/core_context.h"
#include "cores/cores_config.h"

namespace flashpath::cores {

class Model {
 public:
  Model(const Config& config, Agenda& agenda, Memory& memory, stats::Group& group);

  /// `now` is the agenda's or later (a task that hands work to another core at its own ctx.now()).
  void submit(CoreId core, const Task& task, Time now);

  std::uint32_t count() const { return static_cast<std::uint32_t>(cores_.size()); }
  Hertz clock() const { return config_.clock; }
  /// Tasks waiting for this core.
  std::size_t queued(CoreId core) const { return cores_[core].size; }
  Duration busy(CoreId core) const { return cores_[core].busy; }
  /// How many cores the utilisation is of: those that the firmware uses.
  void use(std::uint32_t cores) { busy_.servers = cores; }

  void check(Laws& laws, Time now) const;
  void explain(Stall& stall) const;

 private:
  struct Waiting {
    Task task;
    Time arrived;
  };
  struct Core {
    std::vector<Waiting> ring;  // a power of two
    std::size_t head = 0, size = 0;
    Time free_at{};
    Duration busy{};
    bool running = false;
    bool scheduled = false;
  };
  void arrive(CoreId core, const Task& task, Time now);
  void arrive_later(Time now, std::uint64_t slot);
  void run(Time now, std::uint64_t core);
  static void push(Core& core, const Waiting& waiting);

  Config config_;
  Agenda& agenda_;
  Memory& memory_;
  Duration poll_;
  IndexedVector<CoreId, Core> cores_;
  struct Later {
    Task task;
    CoreId core;
  };
  std::vector<Later> later_;  // tasks handed over at a future moment
  std::vector<std::uint32_t> later_free_;
  Flow waiting_;

  stats::Counter tasks_;
  stats::Counter core_cycles_;
  stats::Counter memory_time_;
  stats::Counter loads_;
  stats::Counter stores_;
  stats::Counter mmio_;
  stats::Counter idle_starts_;
  stats::Busy busy_;
  stats::Histogram wait_;
  stats::Histogram length_;
};

}  // namespace flashpath::cores

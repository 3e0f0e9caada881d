// SPDX-License-Identifier: Apache-2.0
#include "cores/cores_model.h"

#include <algorithm>

namespace flashpath::cores {

using stats::Unit;

Model::Model(const Config& config, Agenda& agenda, Memory& memory, stats::Group& group)
    : config_{config},
      agenda_{agenda},
      memory_{memory},
      poll_{cycles(config.poll_cycles, config.clock)},
      cores_{config.count},
      tasks_{group, "tasks", Unit::count, "firmware tasks run"},
      core_cycles_{group, "cycles", Unit::cycle, "cycles of work, polling of idle cores left out"},
      memory_time_{group, "memory_time", Unit::picosecond, "time cores waited for loads"},
      loads_{group, "loads", Unit::count, "loads that went to memory"},
      stores_{group, "stores", Unit::count, "stores"},
      mmio_{group, "mmio", Unit::count, "register reads and writes"},
      idle_starts_{group, "idle_starts", Unit::count, "tasks that found their core idle"},
      busy_{group, "busy", config.count, "cores working on tasks"},
      wait_{group, "wait", "from a task's arrival to its start"},
      length_{group, "length", "from a task's start to its end"} {}

void Model::push(Core& core, const Waiting& waiting) {
  if (core.size == core.ring.size()) {  // grows a few times, then never again
    std::vector<Waiting> larger(core.ring.empty() ? 16 : 2 * core.ring.size());
    for (std::size_t i = 0; i < core.size; ++i) larger[i] = core.ring[(core.head + i) & (core.ring.size() - 1)];
    core.ring.swap(larger);
    core.head = 0;
  }
  core.ring[(core.head + core.size) & (core.ring.size() - 1)] = waiting;
  ++core.size;
}

void Model::submit(CoreId id, const Task& task, Time now) {
  if (now <= agenda_.now()) return arrive(id, task, agenda_.now());
  if (later_free_.empty()) {
    later_free_.push_back(static_cast<std::uint32_t>(later_.size()));
    later_.emplace_back();
  }
  const std::uint32_t slot = later_free_.back();
  later_free_.pop_back();
  later_[slot] = {task, id};
  agenda_.post<&Model::arrive_later>(now, this, slot);
}

void Model::arrive_later(Time now, std::uint64_t slot) {
  const Later later = later_[slot];
  later_free_.push_back(static_cast<std::uint32_t>(slot));
  arrive(later.core, later.task, now);
}

void Model::arrive(CoreId id, const Task& task, Time now) {
  Core& core = cores_[id];
  push(core, {task, now});
  waiting_.enter(now);
  if (core.running || core.scheduled) return;
  core.scheduled = true;
  const bool idle = core.free_at <= now;
  if (idle) ++idle_starts_;
  agenda_.post<&Model::run>(idle ? now + poll_ : core.free_at, this, id.value, 0, Priority::decide);
}

void Model::run(Time now, std::uint64_t index) {
  const CoreId id{static_cast<std::uint32_t>(index)};
  Core& core = cores_[id];
  core.scheduled = false;
  const Waiting next = core.ring[core.head];
  core.head = (core.head + 1) & (core.ring.size() - 1);
  --core.size;
  waiting_.leave(now, next.arrived);
  wait_.add(now - next.arrived);

  CoreContext ctx{id, now, config_.clock, config_.store_cycles, config_.mmio_cycles, memory_};
  core.running = true;
  next.task.run(next.task.self, ctx, next.task.arg, next.task.arg2);
  core.running = false;

  core.free_at = ctx.now();
  const Duration took = core.free_at - now;
  core.busy += took;
  busy_ += took;
  ++tasks_;
  core_cycles_ += ctx.cycles_spent();
  memory_time_ += ctx.waited();
  loads_ += ctx.loads();
  stores_ += ctx.stores();
  mmio_ += ctx.mmio();
  length_.add(took);
  if (core.size != 0) {
    core.scheduled = true;
    agenda_.post<&Model::run>(core.free_at, this, index, 0, Priority::decide);
  }
}

void Model::check(Laws& laws, Time now) const {
  std::uint64_t queued = 0;
  Duration busy{};
  for (const Core& core : cores_) {
    queued += core.size;
    busy += core.busy;
    laws.expect(core.busy <= std::max(now, core.free_at) - Time{}, "a core works no longer than there is time");
  }
  laws.equal("tasks submitted", waiting_.entered(), "tasks run + waiting", tasks_.value + queued);
  laws.equal("busy of all cores", static_cast<Wide>(busy.count()), "busy", static_cast<Wide>(busy_.value.count()));
  waiting_.check(laws, "tasks waiting for a core", now);
}

void Model::explain(Stall& stall) const {
  std::uint64_t queued = 0;
  for (const Core& core : cores_) queued += core.size;
  if (queued != 0) stall.waits(queued, "firmware tasks", "their core");
}

}  // namespace flashpath::cores

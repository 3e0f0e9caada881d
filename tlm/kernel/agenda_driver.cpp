// SPDX-License-Identifier: Apache-2.0
#include "kernel/agenda_driver.h"

#include "kernel/sc_time.h"

namespace flashpath {

AgendaDriver::AgendaDriver(const sc_core::sc_module_name& name, Agenda& agenda, Duration run_ahead)
    : sc_module{name}, agenda_{agenda}, run_ahead_{run_ahead} {
  SC_METHOD(wake_up);
  sensitive << wake_;
  dont_initialize();
  agenda_.on_earlier([](void* self, Time at, std::uint64_t, std::uint64_t) { static_cast<AgendaDriver*>(self)->earlier(at); }, this);
}

Time AgendaDriver::run_until(Time limit, Delegate<bool()> until) {
  horizon_ = limit;
  until_ = until;
  reached_ = false;
  arm();
  if (sc_core::sc_get_status() < sc_core::SC_RUNNING) {
    sc_core::sc_start(sc_core::SC_ZERO_TIME);  // elaborate; threads of others start
    alone_ = !anybody_else(sc_core::sc_get_top_level_objects(), this);
  }
  while (!stopped_ && !reached_) {
    if (sc_core::sc_pending_activity_at_current_time()) {
      sc_core::sc_start(sc_core::SC_ZERO_TIME);
      continue;
    }
    if (!sc_core::sc_pending_activity_at_future_time()) break;
    const sc_core::sc_time ahead = sc_core::sc_time_to_pending_activity();
    if (limit != never && kernel_now() + from_sc(ahead) > limit) break;
    sc_core::sc_start(ahead);
  }
  if (limit != never && !stopped_ && !reached_) {
    if (kernel_now() < limit) sc_core::sc_start(to_sc(limit - kernel_now()));
    agenda_.advance_to(limit);
    return limit;
  }
  return std::max(agenda_.now(), kernel_now());
}

/// Processes spawned later by somebody who has none now are not seen: start with one.
bool AgendaDriver::anybody_else(const std::vector<sc_core::sc_object*>& objects, const sc_core::sc_object* self) {
  for (sc_core::sc_object* object : objects) {
    if (object == self) continue;
    if (dynamic_cast<sc_core::sc_process_b*>(object) != nullptr) return true;
    if (anybody_else(object->get_child_objects(), self)) return true;
  }
  return false;
}

/// How far the agenda may run now: not past an event of another process, nor past the horizon.
Time AgendaDriver::limit() const {
  const Time now = kernel_now();
  Time limit = std::min(horizon_, run_ahead_ >= never - now ? never : now + run_ahead_);
  if (alone_) return limit;
  if (sc_core::sc_pending_activity_at_current_time()) return std::min(limit, now);
  if (sc_core::sc_pending_activity_at_future_time()) limit = std::min(limit, now + from_sc(sc_core::sc_time_to_pending_activity()));
  return limit;
}

void AgendaDriver::wake_up() {
  armed_ = never;
  running_ = true;
  kernel_standstill = kernel_now();
  Time most = limit();
  if (alone_ && until_) {
    const Delegate<bool()> until = until_;
    while (!stopped_ && agenda_.step_until(most)) {
      if (!until()) continue;
      reached_ = true;
      break;
    }
  } else {
    while (!stopped_ && !reached_ && agenda_.step_until(most)) {
      if (until_ && until_()) reached_ = true;
      if (!alone_) most = limit();
    }
  }
  running_ = false;
  kernel_standstill = never;
  arm();
}

void AgendaDriver::arm() {
  if (running_ || stopped_ || reached_) return;
  const Time next = agenda_.next();
  if (next == never || next > horizon_ || next >= armed_) return;
  armed_ = next;
  wake_.notify(next > kernel_now() ? to_sc(next - kernel_now()) : sc_core::SC_ZERO_TIME);
}

void AgendaDriver::earlier(Time at) {
  if (running_ || at > horizon_ || at >= armed_) return;
  armed_ = at;
  wake_.notify(at > kernel_now() ? to_sc(at - kernel_now()) : sc_core::SC_ZERO_TIME);
}

}  // namespace flashpath

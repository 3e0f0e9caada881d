// SPDX-License-Identifier: Apache-2.0
// Runs the platform's agenda inside the SystemC kernel: one method, one event.
//
// Between two events of other SystemC processes the agenda may run ahead of the kernel's clock (up to
// `run_ahead`), since nobody outside can act before them; transport calls then carry the difference as
// their annotated delay, as TLM-2.0 intends. The result does not depend on `run_ahead` (tested); the cost does:
// a kernel event per action costs several times the action itself.
// Same picosecond: the agenda acts before other SystemC processes.
#pragma once
#include <systemc>
#include <vector>

#include "base/agenda.h"
#include "base/delegate.h"

namespace flashpath {

class AgendaDriver : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(AgendaDriver);
  AgendaDriver(const sc_core::sc_module_name& name, Agenda& agenda, Duration run_ahead);

  /// Runs everything up to and including `limit`, or until nothing is pending anywhere, or until `until` (asked after every
  /// action of the agenda) says so. Returns the moment reached. May be called again: the simulation is steppable.
  Time run_until(Time limit, Delegate<bool()> until = {});
  /// Asks the run to end after the current action (Ctrl-C, a law broken while running).
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

 private:
  void wake_up();
  void arm();
  void earlier(Time at);
  Time limit() const;

  static bool anybody_else(const std::vector<sc_core::sc_object*>& objects, const sc_core::sc_object* self);

  Agenda& agenda_;
  Duration run_ahead_;
  bool alone_ = false;  // no process but ours: nobody can act between two actions
  sc_core::sc_event wake_;
  Time horizon_ = Time{};
  Time armed_ = never;
  bool running_ = false;
  bool stopped_ = false;
  bool reached_ = false;
  Delegate<bool()> until_;
};

}  // namespace flashpath

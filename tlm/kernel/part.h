// SPDX-License-Identifier: Apache-2.0
// What the platform holds: a named SystemC module with statistics, laws and an explanation of its own stalls.
#pragma once
#include <systemc>

#include "base/agenda.h"
#include "base/laws.h"
#include "base/stats.h"

namespace flashpath {

/// What every part is built with.
struct Environment {
  Agenda& agenda;
  std::uint64_t seed = 1;
  bool data_mode = false;  ///< real bytes travel and are kept
};

class Part : public sc_core::sc_module {
 public:
  Part(const sc_core::sc_module_name& name, Environment& environment)
      : sc_module{name}, stats{basename()}, environment_{environment}, agenda_{environment.agenda} {}

  /// What must hold at the end of any run; `now` is the end.
  virtual void check(Laws& laws, Time now) const = 0;
  /// Who in here waits for what; asked when the simulation stands still with work left.
  virtual void explain(Stall& stall) const = 0;
  /// Fills in derived statistics (utilisations) before they are read.
  virtual void finish(Time) {}

  stats::Group stats;

 protected:
  Environment& environment_;
  Agenda& agenda_;
};

}  // namespace flashpath

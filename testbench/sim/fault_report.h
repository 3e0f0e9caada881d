// SPDX-License-Identifier: Apache-2.0
// Which faults happened, when, and what they cost: for the terminal and for result.json.
#pragma once
#include "sim/run.h"

namespace flashpath::sim {

/// Adds `faults` and `fault_costs` to the result and prints them; nothing if the configuration names no faults.
void report_faults(Machine& machine, Json& result);

}  // namespace flashpath::sim

// SPDX-License-Identifier: Apache-2.0
// --energy FILE: from a run's statistics to joules, in result.json and on the terminal.
#pragma once
#include <optional>

#include "energy/energy.h"
#include "sim/run.h"

namespace flashpath::sim {

/// Reads the coefficients if a file is named; mistakes go to `errors`.
std::optional<energy::Coefficients> read_energy(const std::string& file, UserErrors& errors);
/// What the machine has counted; `span` is the time that idle power is counted for.
energy::Counts energy_counts(const Machine& machine, Duration span);
/// result.json's `energy`, and a table on the terminal.
Json energy_report(const energy::Coefficients& coefficients, const energy::Counts& counts);

}  // namespace flashpath::sim

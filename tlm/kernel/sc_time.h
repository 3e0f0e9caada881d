// SPDX-License-Identifier: Apache-2.0
// The one place where our time meets SystemC's. Kernel resolution is 1 ps (its default).
#pragma once
#include <systemc>

#include "base/units.h"

namespace flashpath {
inline sc_core::sc_time to_sc(Duration d) { return sc_core::sc_time::from_value(static_cast<std::uint64_t>(d.count())); }
inline Duration from_sc(const sc_core::sc_time& t) { return Duration{static_cast<std::int64_t>(t.value())}; }
/// While the agenda's process runs, the kernel's time stands still: known without asking (sc_time_stamp() is a library call).
inline Time kernel_standstill = never;
/// Where the SystemC kernel stands. An annotated delay counts from here.
inline Time kernel_now() { return kernel_standstill != never ? kernel_standstill : Time{from_sc(sc_core::sc_time_stamp())}; }
}  // namespace flashpath

// SPDX-License-Identifier: Apache-2.0
// What tests with a SystemC kernel share: an agenda with its driver, and SystemC warnings that fail the test.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <systemc>

#include "base/agenda.h"
#include "checks/protocol_checker.h"
#include "kernel/agenda_driver.h"
#include "kernel/part.h"

namespace flashpath::test {

/// SystemC's own warnings and errors are test failures.
inline void fail_on_reports() {
  sc_core::sc_report_handler::set_handler([](const sc_core::sc_report& report, const sc_core::sc_actions& actions) {
    if (report.get_severity() >= sc_core::SC_WARNING) ADD_FAILURE() << "SystemC: " << report.what();
    if (report.get_severity() >= sc_core::SC_ERROR) sc_core::sc_report_handler::default_handler(report, actions);
  });
}

/// An agenda in a kernel. One per process: SystemC elaborates once.
struct Bench {
  explicit Bench(Duration run_ahead = std::chrono::milliseconds{1}, bool data_mode = false) : driver{"agenda", agenda, run_ahead} {
    fail_on_reports();
    environment.data_mode = data_mode;
  }
  Time run(Time limit = never) { return driver.run_until(limit); }
  Agenda agenda;
  AgendaDriver driver;
  Environment environment{agenda, 1, false};
};

inline void expect_clean(checks::ProtocolChecker& checker) {
  checker.finish();
  for (const auto& v : checker.violations()) ADD_FAILURE() << v;
  EXPECT_NE(checker.transactions(), 0U) << "the checker saw nothing: it is not bound where it should be";
}

}  // namespace flashpath::test

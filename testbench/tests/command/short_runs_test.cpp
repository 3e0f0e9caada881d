// SPDX-License-Identifier: Apache-2.0
// Runs so short that their edges show: utilisation, write amplification.
#include "command/program.h"

namespace flashpath::test {
namespace {

using ShortRuns = Program;

/// Bring-up is not part of the job: what it took of link, cores and memory does not count.
TEST_F(ShortRuns, ARunOfMicrosecondsUsesNothingMoreThanWhole) {
  const Ended e = run("io --rw randread --number_ios 1 --set ftl.precondition=sequential --out '" + in("o").string() + "'");
  EXPECT_EQ(e.code, 0) << e.err;
  const Json j = result("o");
  ASSERT_GT(j["utilisation"].size(), 8U);
  for (const auto& [name, use] : j["utilisation"].items()) EXPECT_LE(use.get<double>(), 1.0) << name;
  // One read of one die: its array, its transfers, nothing else.
  const auto given = [&](const char* key) { return std::stod(j["parameters"][key]["value"].get<std::string>()); };
  const double us = j["simulated_s"].get<double>() * 1e6;
  const double dies = j["utilisation"]["drive0.nand.dies"].get<double>() * given("nand.channels") * given("nand.dies_per_channel") * us;
  EXPECT_GT(dies, 33.0);
  EXPECT_LT(dies, us);
  EXPECT_LT(j["utilisation"]["drive0.link.up.busy"].get<double>(), 0.02);  // a page, an entry, a completion
  EXPECT_TRUE(j["flash"]["waf"].is_null());
}

/// What is still in the buffer has been written and will be programmed.
TEST_F(ShortRuns, WriteAmplificationOfAShortRunIsNotBelowOne) {
  for (const std::string ios : {"1", "100", "3000"}) {
    const Ended e = run("io --rw randwrite --number_ios " + ios + " --iodepth 32 --force --out '" + in("o").string() + "'");
    EXPECT_EQ(e.code, 0) << e.err;
    const Json j = result("o");
    EXPECT_LT(j["flash"]["flash_programmed_bytes"].get<double>(), 4096 * std::stod(ios));
    EXPECT_DOUBLE_EQ(j["flash"]["waf"].get<double>(), 1.0);
  }
}

}  // namespace
}  // namespace flashpath::test

// SPDX-License-Identifier: Apache-2.0
// Faults by the command line: what they did to a replay, and what the result says about them.
#include "command/program.h"

namespace flashpath::test {
namespace {

class Faults : public Program {
 protected:
  Json replay(const std::string& name, const std::string& more) {
    const Ended e = run("replay '" + sample + "' --limit 40 --set serving.g1=0B --set serving.g2=0B --set drives=4 " + more + " --out '" +
                        in(name).string() + "'");
    EXPECT_EQ(e.code, 0) << e.err;
    out = e.out;
    Json j = result(name);
    EXPECT_TRUE(j["laws"]["broken"].empty());
    EXPECT_TRUE(j["complete"].get<bool>());
    return j;
  }
  static double hits(const Json& j) { return j["tiers"]["G3.5 (flash)"]["hit_ratio_blocks"].get<double>(); }
  static double ttft(const Json& j) { return j["statistics"]["serving"]["ttft"]["mean_ns"].get<double>(); }
  std::string out;
};

TEST_F(Faults, ALostDriveCostsHitsAndTimeAndTwoCopiesDoNot) {
  const Json whole = replay("whole", ""), lost = replay("lost", "--fault drive:1@15s");
  EXPECT_NE(out.find("drive:1          at 15.000000 s: noticed at 15.100000 s"), std::string::npos) << out;
  EXPECT_FALSE(whole.contains("faults"));
  EXPECT_LT(hits(lost), 0.8 * hits(whole));
  EXPECT_GT(ttft(lost), 1.05 * ttft(whole));
  ASSERT_EQ(lost["faults"].size(), 1U);
  const Json& fault = lost["faults"][0];
  EXPECT_EQ(fault["fault"], "drive:1");
  EXPECT_TRUE(fault["happened"].get<bool>());
  EXPECT_NEAR(fault["noticed_s"].get<double>(), 15.1, 1e-9);
  EXPECT_GT(fault["objects_lost"].get<int>(), 100);
  EXPECT_EQ(fault["bytes_lost"].get<double>(), fault["objects_lost"].get<double>() * 16'777'216);
  EXPECT_EQ(lost["statistics"]["firmware"]["lost"]["value"], fault["objects_lost"]);
  EXPECT_EQ(lost["simulated_s"].get<double>() > 0, true);
  // The same with every object on two drives: nothing is lost, and nothing has to be computed again.
  const Json mirror = replay("mirror", "--set firmware.redundancy=mirror --fault drive:1@15s");
  EXPECT_EQ(mirror["faults"][0]["objects_lost"], 0);
  EXPECT_GT(mirror["faults"][0]["objects_degraded"].get<int>(), 100);
  EXPECT_NEAR(hits(mirror), hits(whole), 0.01 * hits(whole));
  EXPECT_NEAR(ttft(mirror), ttft(whole), 0.03 * ttft(whole));
  const auto written = [](const Json& j) { return j["flash"]["host_written_bytes"].get<double>(); };
  EXPECT_GT(written(mirror), 1.6 * written(whole));  // twice, until a drive is gone
}

TEST_F(Faults, EachIsReportedWithWhatItCost) {
  const std::string drive =
      "io --bs 4k --number_ios 4000 --iodepth 16 --set nand.channels=4 --set nand.dies_per_channel=2 "
      "--set nand.blocks_per_plane=64 --set ftl.capacity=16GiB --set ftl.write_buffer=8MiB "
      "--set ftl.precondition=sequential --fault die:0.5@0s --set faults=die:0.1@100s ";
  Ended e = run(drive + "--fault plane:0.6.1@1us --out '" + in("o").string() + "'");
  EXPECT_EQ(e.code, 0) << e.err;
  EXPECT_NE(e.out.find("die:0.1          at 100.000000 s: the run was over"), std::string::npos) << e.out;
  Json j = result("o");
  ASSERT_EQ(j["faults"].size(), 3U);  // --set's first
  EXPECT_FALSE(j["faults"][0]["happened"].get<bool>());
  EXPECT_EQ(j["faults"][2]["fault"], "plane:0.6.1");
  const Json& cost = j["fault_costs"]["drive0"];
  EXPECT_EQ(cost["media_errors"], j["errors"]);
  EXPECT_NEAR(j["errors"].get<double>(), 4000.0 * 5 / 32, 110);
  e = run(drive + "--set ftl.rain=7 --out '" + in("rain").string() + "'");
  EXPECT_EQ(e.code, 0) << e.err;
  j = result("rain");
  EXPECT_EQ(j["fault_costs"]["drive0"]["media_errors"], j["errors"]);
  EXPECT_EQ(j["errors"], 0);
  EXPECT_GT(j["fault_costs"]["drive0"]["rebuilds"].get<int>(), 400);
  expect_refused("io --fault disk:1@3s --fault drive:7@1s", {"disk:1@3s", "there is no drive 7"});
}

TEST_F(Faults, ADriveThatDiesAtTheEndIsNotNoticed) {
  const Ended e = run("io --set drives=2 --runtime 2ms --fault drive:1@1ms --out '" + in("o").string() + "'");
  EXPECT_EQ(e.code, 0) << e.err;
  EXPECT_NE(e.out.find("not noticed before the end"), std::string::npos) << e.out;
  EXPECT_TRUE(result("o")["faults"][0]["noticed_s"].is_null());
}

}  // namespace
}  // namespace flashpath::test

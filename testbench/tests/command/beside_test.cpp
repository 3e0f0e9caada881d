// SPDX-License-Identifier: Apache-2.0
// io --beside and --prio: two jobs at once, their queues in priority classes.
#include "command/program.h"

namespace flashpath::test {
namespace {

class Beside : public Program {};

TEST_F(Beside, BothJobsHaveResultsAndAnUrgentOneIsServedFirst) {
  const auto p99 = [&](const std::string& name, const std::string& more) {
    const std::string line =
        "io --rw randread --iodepth 4 --runtime 4ms --ramp 4ms --set nvme.contexts=16 --set ftl.precondition=sequential " + more +
        " --out '" + in(name).string() + "'";
    const Ended ended = run(line);
    EXPECT_EQ(ended.code, 0) << ended.err;
    const Json result = Json::parse(slurp(in(name) / "result.json"));
    EXPECT_GT(result["read"]["total_ios"], 10);
    EXPECT_EQ(result["write"]["total_ios"], 0);
    EXPECT_GT(result["beside"]["read"]["total_ios"], 500);
    return result["read"]["lat"]["p99_ns"].get<double>();
  };
  const double alike = p99("rr", "--beside rw=randread,bs=4k,iodepth=64,numjobs=8");
  const double urgent = p99("wrr", "--prio urgent --beside rw=randread,bs=4k,iodepth=64,numjobs=8,prio=low");
  EXPECT_LT(urgent, 0.6 * alike);
  const double by_key = p99("key", "--beside rw=randread,bs=4k,iodepth=64,numjobs=8 --set firmware.queue_classes=urgent,low");
  EXPECT_EQ(by_key, urgent);
}

TEST_F(Beside, MistakesAreNamed) {
  expect_refused("io --prio first", {"prio first: not one of urgent, high, medium, low"});
  expect_refused("io --beside rw=randwrite,depth=4,iodepth=x", {"--beside depth=4: not one of", "--beside iodepth=x"});
  expect_refused("io --beside rw=sideways", {"--rw sideways"});
  expect_refused("io --prio high --numjobs 20", {"20 jobs have 16 cores"});
  expect_refused("io --set firmware.queue_classes=urgent,,low", {"firmware.queue_classes"});
  expect_refused("io --set firmware.queue_classes=urgent --set nvme.weighted_arbitration=false", {"no weighted round robin (CAP.AMS)"});
}

}  // namespace
}  // namespace flashpath::test

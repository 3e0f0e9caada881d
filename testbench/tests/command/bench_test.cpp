// SPDX-License-Identifier: Apache-2.0
// `flashpath bench`: its figures are there, its guard can fail.
#include "command/program.h"

namespace flashpath::test {
namespace {

using Bench = Program;

TEST_F(Bench, Refuses) {
  expect_refused("bench --case nothing --scale 0 --rounds 0",
                 {"--case nothing: not one of read-4k, read-1m", "--scale 0: at least 1", "--rounds 0: at least 1"});
  expect_refused("bench --guard '" + file("guard.txt", "read-4k\nread-1m x\n# fine\nwrite-16k-gc -1\n") + "'",
                 {"guard.txt:1: expected a case's name", "guard.txt:2: ", "guard.txt:4: "});
  expect_refused("bench --guard '" + in("none").string() + "'", {"cannot be read"});
}

TEST_F(Bench, GuardFailsAboveTwentyPerCentAndHoldsBelow) {
  const std::string quick = "bench --case read-4k --scale 50 --rounds 2 ";
  const Ended cheap = run(quick + "--guard '" + file("low.txt", "read-4k 1e-9\n") + "'");
  EXPECT_EQ(cheap.code, 1) << cheap.err;
  EXPECT_NE(cheap.err.find("more expensive than recorded"), std::string::npos) << cheap.err;
  EXPECT_EQ(run(quick + "--guard '" + file("high.txt", "read-4k 1\n") + "'").code, 0);
}

TEST_F(Bench, JsonHoldsWhatWasAsked) {
  const std::string path = in("bench.json").string();
  ASSERT_EQ(run("bench --case start-up --case memory-sequential --scale 16 --rounds 1 --json '" + path + "'").code, 0);
  const Json json = Json::parse(slurp(path));
  EXPECT_EQ(json["schema"], "flashpath.bench/1");
  ASSERT_EQ(json["cases"].size(), 2U);
  EXPECT_EQ(json["cases"][0]["name"], "memory-sequential");
  EXPECT_GT(json["cases"][0]["value"].get<double>(), 0.0);
  EXPECT_LE(json["cases"][0]["value"].get<double>(), 2.0) << "bytes per 16 KiB unit in large sequential requests";
  EXPECT_LE(json["cases"][1]["start_rss_bytes"].get<double>(), 50e6) << "a drive of 15.36 TB before its first write";
}

}  // namespace
}  // namespace flashpath::test

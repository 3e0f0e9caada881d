// SPDX-License-Identifier: Apache-2.0
// --energy as a user has it: joules in result.json, n/a where a coefficient is missing, mistakes all at once.
#include "command/program.h"

namespace flashpath::test {
namespace {

using EnergyFile = Program;

const std::string job = "io --rw randread --bs 16k --iodepth 8 --number_ios 200 --set ftl.precondition=sequential --progress none ";
const std::string example = "--energy '" FLASHPATH_SOURCE "/tlm/energy/example.toml' ";

TEST_F(EnergyFile, JoulesAreCountsTimesCoefficients) {
  const Ended e = run(job + example + "--out " + in("out").string());
  ASSERT_EQ(e.code, 0) << e.err;
  const Json result = Json::parse(slurp(in("out") / "result.json"));
  const Json& energy = result["energy"];
  EXPECT_EQ(energy["terms"]["nand_read"]["count"], 200);
  EXPECT_DOUBLE_EQ(energy["terms"]["nand_read"]["energy_j"].get<double>(), 200 * 12.5e-6);
  EXPECT_EQ(energy["terms"]["channel"]["count"], 200 * 4 * (4096 + 448));
  EXPECT_NEAR(energy["terms"]["drive_idle"]["energy_j"].get<double>(), 5 * result["simulated_s"].get<double>(), 1e-12);
  double sum = 0;
  for (const char* term : {"nand_read", "nand_program", "nand_erase", "channel", "link", "drive_idle"})
    sum += energy["terms"][term]["energy_j"].get<double>();
  EXPECT_NEAR(energy["drives_j"].get<double>(), sum, 1e-12);
  EXPECT_NEAR(energy["drives_j_per_host_byte"].get<double>(), sum / (200 * 16384), 1e-15);
  EXPECT_TRUE(energy["terms"]["dpu_idle"]["energy_j"].is_null()) << "not in the file";
  EXPECT_TRUE(energy["total_j"].is_null());
  EXPECT_EQ(energy["coefficients"]["drive.idle"]["known"], "datasheet");
  EXPECT_NE(e.out.find("n/a"), std::string::npos);
}

TEST_F(EnergyFile, WithoutItThereIsNoEnergy) {
  const Ended e = run(job + "--out " + in("out").string());
  ASSERT_EQ(e.code, 0) << e.err;
  EXPECT_FALSE(Json::parse(slurp(in("out") / "result.json")).contains("energy"));
}

TEST_F(EnergyFile, MistakesOfBothFilesAtOnce) {
  const std::string bad =
      file("bad.toml", "[nand]\nread_tcl = { value = \"1uJ\", known = \"assumed\", source = \"x\" }\nerase = \"1mJ\"\n");
  expect_refused(job + "--set nand.chanels=3 --energy " + bad, {"did you mean \"nand.read_tlc\"", "nand.erase: no source", "nand.chanels"});
  expect_refused(job + "--energy " + in("nowhere.toml").string(), {"cannot be read"});
}

}  // namespace
}  // namespace flashpath::test

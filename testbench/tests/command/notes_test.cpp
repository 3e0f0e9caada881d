// SPDX-License-Identifier: Apache-2.0
// What works and may not be what was meant is said; what is no number or no file is refused by name.
#include "command/program.h"

namespace flashpath::test {
namespace {

using Notes = Program;

TEST_F(Notes, OtherDiesAreAnotherAmountOfFlash) {
  Ended e = run("describe --platform kioxia-cm7-r --config nand-qlc");  // 512 Gb dies there, 1 Tb ones in the fragment
  EXPECT_EQ(e.code, 0) << e.err;
  EXPECT_NE(e.err.find("note: nand-qlc: a drive has "), std::string::npos) << e.err;
  EXPECT_NE(e.err.find("it exports 7.68 TB (ftl.capacity), "), std::string::npos) << e.err;
  e = run("describe --platform kioxia-cm7-r");
  EXPECT_EQ(e.err, "");
}

TEST_F(Notes, BadBlocksWithoutSparesAreCountedOnly) {
  const std::string asked = "describe --set reliability.enabled=true --set reliability.factory_bad=0.01";
  EXPECT_NE(run(asked).err.find("give ftl.spare_blocks"), std::string::npos);
  EXPECT_EQ(run("describe --set reliability.enabled=true").err, "");
  EXPECT_EQ(run(asked + " --set ftl.spare_blocks=20").err.find("note"), std::string::npos);
}

TEST_F(Notes, FoldersAndNoNumbersAreRefused) {
  const std::string folder = folder_.string();
  expect_refused("io --number_ios 1 --energy '" + folder + "'", {folder + ": is a folder, not a file of coefficients"});
  expect_refused("io --number_ios 1 --set ftl.image='" + folder + "'", {folder + ": is a folder, not the image of a drive"});
  for (const char* option : {"-u nan", "-u inf", "--warm-up nan", "--passes -nan", "-u 0.8x"}) {
    expect_refused(std::string("waf --superblocks 128 ") + option, {"not a number from"});
  }
  expect_refused("replay '" + sample + "' --speedup nan", {"nan: not a number from 0.001"});
}

}  // namespace
}  // namespace flashpath::test

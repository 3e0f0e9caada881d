// SPDX-License-Identifier: Apache-2.0
// flashpath age, and runs that start with its image.
#include "command/program.h"

using namespace flashpath::test;

namespace {
class Age : public Program {
 protected:
  /// A small drive: 24 superblocks of 48 MiB of which 16 are exported, in units of 16 KiB.
  const std::string drive =
      "--set nand.channels=2 --set nand.dies_per_channel=2 --set nand.wordlines_per_block=64 --set nand.blocks_per_plane=24 "
      "--set ftl.mapping_unit=16KiB --set ftl.capacity=768MiB --set ftl.gc_low=3 --set ftl.gc_high=4 ";
  void make(const std::string& more) const {
    const Ended e = run("age " + in("a.img").string() + " " + drive + more);
    EXPECT_EQ(e.code, 0) << e.err;
    EXPECT_NE(e.out.find("use it with --set ftl.image="), std::string::npos) << e.out;
  }
  std::string image() const { return "--set ftl.image=" + in("a.img").string() + " "; }
};
}  // namespace

TEST_F(Age, AnAgedDriveAmplifiesFromTheFirstWrite) {
  make("--drive_writes 3 --set ftl.precondition=sequential");
  const std::string job = "io --rw randwrite --bs 16k --iodepth 32 --number_ios 20000 " + drive;
  const Ended fresh = run(job + "--out " + in("fresh").string());
  EXPECT_EQ(fresh.code, 0) << fresh.err;
  const Ended aged = run(job + image() + "--out " + in("aged").string());
  EXPECT_EQ(aged.code, 0) << aged.err;
  EXPECT_LT(result("fresh")["flash"]["waf"].get<double>(), 1.05);
  EXPECT_GT(result("aged")["flash"]["waf"].get<double>(), 1.2);
  const Ended read = run("io --rw randread --iodepth 32 --number_ios 2000 " + drive + image() + "--out " + in("read").string());
  EXPECT_EQ(read.code, 0) << read.err;
  EXPECT_EQ(read.out.find("never been written"), std::string::npos) << read.out;
}

TEST_F(Age, ReplaysStartWithItToo) {
  make("--rw write --drive_writes 1");
  const Ended e = run("replay " + sample + " --platform single-drive " + drive + image() + "--out " + in("replay").string());
  EXPECT_EQ(e.code, 0) << e.err;
}

TEST_F(Age, MistakesAreNamed) {
  make("--drive_writes 0.1");
  expect_refused("age " + in("a.img").string() + " " + drive, {"is there already; --force replaces it"});
  expect_refused("age " + in("b.img").string() + " " + drive + "--rw rw --bs 3q --drive_writes -1",
                 {"--rw rw", "--bs 3q", "--drive_writes"});
  expect_refused("io --number_ios 1 " + image(), {"blocks per plane: 24 in the image, 1360 in this drive", "bytes of capacity"});
  expect_refused("io --number_ios 1 " + drive + image() + "--set ftl.precondition=random", {"ftl.image says what the drive holds"});
  expect_refused("io --number_ios 1 " + drive + "--set ftl.image=" + file("c.img", "FPDRIVE"), {"is not the image of a drive"});
  expect_refused("io --number_ios 1 " + drive + "--set ftl.image=" + in("none").string(), {"cannot be read"});
  const Ended e = run("age " + in("no/such/folder.img").string() + " " + drive);
  EXPECT_EQ(e.code, 4) << e.err;
}

// SPDX-License-Identifier: Apache-2.0
// Platforms and command lines that cannot be: all mistakes at once, each with its place and what would have been right; exit code 2.
#include "command/program.h"

namespace flashpath::test {
namespace {

using BadSetting = Program;

TEST_F(BadSetting, UnknownNames) {
  expect_refused("io --platform single-drvie",
                 {"\"single-drvie\": no such preset", "did you mean \"single-drive\"?", "This build has: bf4-icms, bf4-stx, kioxia-cm7-r"});
  expect_refused("replay '" + sample + "' --model llama-3.1-8c",
                 {"serving.model = \"llama-3.1-8c\": no such model; did you mean \"llama-3.1-8b\"?", "deepseek-v3"});
  expect_refused("replay '" + sample + "' --accelerator 8xh10", {"no such accelerator; did you mean", "8xh100"});
  expect_refused("replay '" + sample + "' --dtype fp3", {"known: bf16, fp8"});
  expect_refused("io --set nvme.part=rtl", {"nvme.part = \"rtl\": this build has: model"});
  expect_refused("io --set fabric.part=x --set nand.part=y",
                 {"fabric.part = \"x\": this build has: model", "nand.part = \"y\": this build has: model"});
}

TEST_F(BadSetting, Keys) {
  expect_refused("io --set nand.chanels=8", {"nand.chanels: no such parameter; did you mean \"nand.channels\"?"});
  expect_refused("io --set drvies=8", {"drvies: no such parameter; did you mean \"drives\"?"});
  expect_refused("replay '" + sample + "' --set serving.instnces=8", {"did you mean \"serving.instances\"?"});
  expect_refused("io --set nand.channels", {"not an assignment"});
}

TEST_F(BadSetting, Values) {
  expect_refused("io --set nand.t_prog=1100", {"nand.t_prog = 1100: not a duration, e.g. \"45us\""});
  expect_refused("io --set ftl.write_buffer=64", {"ftl.write_buffer = 64: not a size"});
  expect_refused("io --set fabric.line_rate=800", {"fabric.line_rate = 800: not a rate"});
  expect_refused("io --set cores.clock=2", {"cores.clock = 2: not a frequency"});
  expect_refused("io --set nand.channels=many", {"nand.channels = many: not"});
  expect_refused("io --set nand.channels=0", {"nand.channels = 0: must be between 1 and 64"});
  expect_refused("io --set drives=65", {"drives = 65: must be between 1 and 64"});
  expect_refused("io --set drives=-1", {"drives = -1"});
  expect_refused("io --set nand.t_prog=5d", {"nand.t_prog = 5d: not a duration"});
}

TEST_F(BadSetting, PlatformsThatCannotWork) {
  expect_refused("io --set nvme.mdts=64KiB", {"firmware.frame = 1MiB is larger than the largest command a drive takes (nvme.mdts = 64KiB)",
                                              "lower firmware.frame or raise nvme.mdts"});
  expect_refused("io --set nvme.mdts=2KiB", {"nvme.mdts = 2KiB: must be between 4KiB"});
  expect_refused("io --set ftl.capacity=100TB", {"ftl.capacity = 100TB: needs", "the flash has 1360"});
  expect_refused("io --set firmware.cores=65 --set cores.count=64", {"firmware.cores = 65 serve, but cores.count = 64"});
  expect_refused("replay '" + sample + "' --set firmware.frame=512KiB", {"crypto.frame_size = 1MiB differs from firmware.frame = 512KiB"});
  expect_refused("replay '" + sample + "' --set firmware.drive_capacity=4KiB",
                 {"drive 0: the store's part of it is smaller than one frame of 1MiB", "firmware.drive_capacity"});
}

TEST_F(BadSetting, WhatWouldBeIgnoredOrNeverEnd) {
  expect_refused("io --platform mqsim-tlc8 --set ftl.write_streams=4 --set ftl.gc_policy=fifo --set ftl.map=cached",
                 {"ftl.write_streams: not known to ftl.part = \"static\"", "ftl.gc_policy: not known", "ftl.map: not known"});
  expect_refused("io --platform mqsim-tlc8 --set reliability.enabled=true", {"ftl.part = \"static\" does not handle flash that fails"});
  expect_refused("io --platform mqsim-tlc8 --set faults=die:0.1@5ms", {"ftl.part = \"static\" does not handle flash that fails"});
  expect_refused("io --platform mqsim-tlc8 --set 'faults=drive:0@1s, die:0.1@5ms'",
                 {"ftl.part = \"static\" does not handle flash that fails"});
  expect_refused("age --platform mqsim-tlc8 '" + in("a.img").string() + "'", {"only the FTL \"model\" starts from an image"});
  expect_refused("io --set firmware.drive_loss_time=3600s --set faults=drive:0@0ms",
                 {"firmware.drive_loss_time", "must be below watchdog"});
  expect_refused("io --set reliability.enabled=true --set reliability.program_failures=1 --set reliability.initial_pe=1000000",
                 {"above 0.5 hardly anything can be written"});
  expect_refused("io --runtime 1ms --requests '" + file("r.csv", "op,lba512,sectors\nR,0,8\n") + "'", {"--runtime: not with --requests"});
}

TEST_F(BadSetting, SeveralAtOnceWithFileAndLine) {
  const std::string path =
      file("mine.toml",
           "base = \"single-drive\"\n\n[nand]\nchanels = 3\nt_prog = 45\n[pcie]\nlanes = 99\n[nvme]\nmdts = \"1MB\"\n[nonsense]\na = 1\n");
  expect_refused(
      "io --platform '" + path + "' --set nand.planes=77",
      {"mine.toml:4: nand.chanels: no such parameter", "mine.toml:5: nand.t_prog = 45: not a duration", "mine.toml:7: pcie.lanes = 99",
       "mine.toml:11: nonsense.a: no such parameter", "--set: nand.planes = 77", "mistakes; nothing was run"});
}

TEST_F(BadSetting, Toml) {
  expect_refused("io --platform '" + file("broken.toml", "[nand\nchannels = 3\n") + "'", {"broken.toml:1"});
  expect_refused("io --platform '" + file("circle.toml", "base = \"nothing\"\n") + "'",
                 {"circle.toml:1: base = \"nothing\": no such preset; this build has: bf4-icms"});
  expect_refused("io --config '" + in("missing.toml").string() + "'", {"missing.toml: cannot be read"});
  const Ended good = run("io --number_ios 3 --platform '" + file("good.toml", "base = \"single-drive\"\n[nand]\nplanes = 6\n") + "'");
  EXPECT_EQ(good.code, 0) << good.err;
}

TEST_F(BadSetting, CommandLines) {
  expect_refused("", {"subcommand"});
  expect_refused("io --nope", {"--nope"});
  expect_refused("replay", {"log"});
  expect_refused("io --rw sideways --bs 5x --runtime 3",
                 {"--rw sideways: not one of read", "--bs 5x: not a size", "--runtime 3: not a duration", "3 mistakes"});
  expect_refused("io --verify", {"verify needs data mode"});
  expect_refused("io --iodepth 0", {"iodepth = 0"});
  expect_refused("io --numjobs 0", {"numjobs = 0"});
  expect_refused("io --bs 6000", {"not a multiple of the drive's block"});
  expect_refused("io --bs 16m", {"bs larger than the largest command"});
  expect_refused("io --size 64t", {"beyond the end of the drive"});
  expect_refused("io --rwmixread 101 --rw rw", {"rwmixread = 101"});
  expect_refused("hits --order sideways '" + sample + "'", {"sideways"});
  expect_refused("replay '" + sample + "' --instances 0", {"--instances", "0"});
  expect_refused("replay '" + sample + "' --speedup -1", {"--speedup"});
}

}  // namespace
}  // namespace flashpath::test

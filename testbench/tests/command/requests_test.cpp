// SPDX-License-Identifier: Apache-2.0
// io --requests: a list of block requests as a user has it, good and bad.
#include "command/program.h"

namespace flashpath::test {
namespace {

class Requests : public Program {};

std::string list(int n) {
  std::string text = "op,lba512,sectors\n";
  for (int i = 0; i < n; ++i) text += (i % 3 == 0 ? "W," : "R,") + std::to_string(i * 4096) + "," + std::to_string(8 << (i % 4)) + "\n";
  return text;
}

TEST_F(Requests, EachHasItsLatency) {
  const std::string path = file("list.csv", list(40));
  const Ended ended = run("io --requests '" + path + "' --iodepth 8 --out '" + in("out").string() + "'");
  ASSERT_EQ(ended.code, 0) << ended.err;
  const Json result = Json::parse(slurp(in("out") / "result.json"));
  EXPECT_EQ(result["read"]["total_ios"], 26);
  EXPECT_EQ(result["write"]["total_ios"], 14);
  EXPECT_EQ(result["job"]["requests"]["reads"], 26);
  std::uint64_t bytes = 0;
  for (int i = 0; i < 40; ++i)
    if (i % 3 != 0) bytes += 4096U << (i % 4);
  EXPECT_EQ(result["read"]["io_bytes"], bytes);
  std::istringstream csv{slurp(in("out") / "requests.csv")};
  std::string line;
  std::getline(csv, line);
  EXPECT_EQ(line, "request,line,op,lba512,sectors,created_ns,completed_ns,latency_ns,status");
  int lines = 0;
  while (std::getline(csv, line)) {
    ++lines;
    EXPECT_TRUE(line.ends_with(",ok")) << line;
  }
  EXPECT_EQ(lines, 40);
}

TEST_F(Requests, ColumnsMayBeNamedInAnyOrder) {
  const std::string path = file("list.csv", "# a trace\r\ntime, sectors ,op,lba512\r\n\r\n12,8,read,0\r\n13,16,W,64\r\n");
  const Ended ended = run("io --requests '" + path + "'");
  EXPECT_EQ(ended.code, 0) << ended.err;
}

TEST_F(Requests, BadLinesAreNamed) {
  const std::string path =
      file("list.csv", list(3) + "X,0,8\nR,-1,8\nR,0,0\nR,0,99999999999999999999\nR,1\n\xff\xfe,0,8\nR,9999999999999999,8\nR,0,8000000\n");
  expect_refused("io --requests '" + path + "'",
                 {"list.csv:5: op \"X\": neither R nor W", "list.csv:6: lba512 \"-1\": not a number",
                  "list.csv:7: sectors 0: nothing to do", "list.csv:8: sectors", "list.csv:9: 2 columns; expected op,lba512,sectors",
                  "list.csv:10: op \"?"
                  "?\"",
                  "list.csv:11: lba512 9999999999999999: beyond any drive", "list.csv:12: sectors 8000000: more than any command moves"});
  std::string many = "op,lba512,sectors\n";
  for (int i = 0; i < 25; ++i) many += "Q,0,8\n";
  expect_refused("io --requests '" + file("many.csv", many) + "'", {"many.csv:2: ", "and 15 more lines like these"});
  expect_refused("io --requests '" + file("empty.csv", "op,lba512,sectors\n") + "'", {"empty.csv: no requests"});
  expect_refused("io --requests '" + file("void.csv", "") + "'", {"void.csv"});
  expect_refused("io --requests /nowhere/list.csv", {"/nowhere/list.csv"});
}

TEST_F(Requests, WhatDoesNotFitTheDriveIsNamed) {
  const std::string path = file("list.csv", "R,1,8\nR,0,4096\nR,80000000000,8\nR,0,8\n");
  expect_refused("io --requests '" + path + "'",
                 {"line 1: not on the drive's blocks of 4096 B", "line 2: 2097152 B: more than the largest command of 1048576 B",
                  "line 3: beyond the end of the drive"});
  const std::string good = file("good.csv", "R,0,8\n");
  expect_refused("io --requests '" + good + "' --numjobs 2", {"one job's"});
  expect_refused("io --requests '" + good + "' --stripe", {"without stripe"});
}

}  // namespace
}  // namespace flashpath::test

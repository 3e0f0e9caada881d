// SPDX-License-Identifier: Apache-2.0
// Logs as they come from the wild: every defect is named with its place, and ends in exit code 2.
#include "command/program.h"

namespace flashpath::test {
namespace {

class BadLog : public Program {
 protected:
  /// One bad line among `good` ones: counted and shown, but not fatal; fatal with --strict, and alone.
  void expect_bad_line(const std::string& bad, const std::string& message) {
    const std::string path = file("log.jsonl", good_log(150) + bad + (bad.back() == '\n' ? "" : "\n"));
    const std::string place = path + ":151: ";
    const Ended counted = run("hits --capacity 10 '" + path + "'");
    EXPECT_EQ(counted.code, 0) << counted.err;
    EXPECT_NE(counted.err.find(place), std::string::npos) << counted.err;
    EXPECT_NE(counted.err.find(message), std::string::npos) << counted.err;
    EXPECT_NE(counted.out.find("150 requests"), std::string::npos) << counted.out;
    expect_refused("hits --strict '" + path + "'", {"1 of 151 lines are bad (strict allows none)", place, message});
    expect_refused("replay --strict '" + path + "'", {"1 of 151 lines are bad", message});
  }
};

TEST_F(BadLog, MalformedJson) { expect_bad_line("{\"timestamp\": 20000, \"input_length\":", "not JSON"); }
TEST_F(BadLog, NotAnObject) { expect_bad_line("[1, 2, 3]", "expected an object"); }
TEST_F(BadLog, NegativeLength) { expect_bad_line(request(20'000, -5), "input_length -5 is negative"); }
TEST_F(BadLog, NegativeOutput) { expect_bad_line(request(20'000, 700, "[1,2]", "-1"), "output_length -1 is negative"); }
TEST_F(BadLog, AbsurdLength) { expect_bad_line(request(20'000, 99'000'000), "is absurd"); }
TEST_F(BadLog, UnsortedStamp) { expect_bad_line(request(3), "timestamp goes back from 14900 to 3 ms"); }
TEST_F(BadLog, NegativeStamp) { expect_bad_line(request(-1), "timestamp -1 ms is negative"); }
TEST_F(BadLog, StampBeyondThisCentury) { expect_bad_line(request(9'000'000'000'000), "is beyond the year 2100"); }
TEST_F(BadLog, StampMonthsLater) { expect_bad_line(request(20'000'000'000), "more than 90 days after the first"); }
TEST_F(BadLog, IdsOfWrongType) { expect_bad_line(request(20'000, 700, "[\"a\",\"b\"]"), "hash_ids[0] is a string: expected integers"); }
TEST_F(BadLog, IdsNotAnArray) { expect_bad_line(request(20'000, 700, "7"), "hash_ids is an integer: expected an array"); }
TEST_F(BadLog, NegativeId) { expect_bad_line(request(20'000, 700, "[1,-2]"), "hash_ids[1] is negative (-2)"); }
TEST_F(BadLog, TooFewIds) { expect_bad_line(request(20'000, 2000), "hash_ids has 2 ids, but input_length 2000 needs 4"); }
TEST_F(BadLog, MissingField) {
  expect_bad_line("{\"timestamp\": 20000, \"input_length\": 3, \"hash_ids\": [1]}", "output_length is missing");
}

TEST_F(BadLog, MoreThanOnePercentEndsTheRun) {
  const std::string bad = "nonsense\n";
  std::string text = good_log(198) + bad + bad;  // 2 of 200: one per cent exactly
  EXPECT_EQ(run("hits --capacity 10 '" + file("just.jsonl", text) + "'").code, 0);
  text += bad;
  expect_refused("hits '" + file("more.jsonl", text) + "'",
                 {"3 of 201 lines are bad (more than 1 %)", "more.jsonl:199: not JSON", "more.jsonl:201: not JSON"});
}

TEST_F(BadLog, OnlyTheFirstTenAreShown) {
  std::string text = good_log(10);
  for (int i = 0; i < 25; ++i) text += "?\n";
  expect_refused("hits '" + file("log.jsonl", text) + "'", {"25 of 35 lines are bad", "log.jsonl:20: ", "and 15 more"});
  EXPECT_EQ(run("hits '" + in("log.jsonl").string() + "'").err.find("log.jsonl:21: "), std::string::npos);
}

TEST_F(BadLog, TruncatedZstd) {
  file("log.jsonl", good_log(3000));
  ASSERT_EQ(std::system(("cd '" + folder_.string() +
                         "' && zstd -q log.jsonl && head -c $(( $(stat -c %s log.jsonl.zst) / 2 )) log.jsonl.zst > cut.zst")
                            .c_str()),
            0);
  expect_refused("hits '" + in("cut.zst").string() + "'", {"the zstd stream ends in the middle: the file is cut"});
  EXPECT_EQ(run("hits --capacity 10 '" + in("log.jsonl.zst").string() + "'").code, 0);
}

TEST_F(BadLog, TruncatedGzip) {
  file("log.jsonl", good_log(3000));
  ASSERT_EQ(std::system(("cd '" + folder_.string() + "' && gzip -k log.jsonl && head -c 3000 log.jsonl.gz > cut.gz").c_str()), 0);
  expect_refused("hits '" + in("cut.gz").string() + "'", {"the gzip stream ends in the middle: the file is cut"});
}

TEST_F(BadLog, EmptyBinaryFolderMissing) {
  expect_refused("hits '" + file("empty", "") + "'", {"empty: the file is empty"});
  expect_refused("replay '" + in("empty").string() + "'", {"empty: the file is empty"});
  expect_refused("hits '" + file("blank", "\n\n  \n") + "'", {"only blank lines"});
  expect_refused("hits '" +
                     file("binary", std::string("\x7f"
                                                "ELF\0\0\1\2",
                                                8) +
                                        std::string(5000, '\0')) +
                     "'",
                 {"binary"});
  expect_refused("hits '" + folder_.string() + "'", {"is a folder, not a log file"});
  expect_refused("hits '" + in("nowhere").string() + "'", {"No such file or directory"});
  expect_refused("hits '" + file("text", "Dear reader,\nthis is not a log.\n") + "'",
                 {"every line (2) is bad: not a Mooncake log", "text:1: not JSON"});
  expect_refused("hits '" +
                     file("old.xz",
                          "\xfd"
                          "7zXZ" +
                              std::string(1, '\0') + "abc") +
                     "'",
                 {"xz-compressed"});
}

TEST_F(BadLog, UnreadableFile) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  fs::permissions(file("secret", good_log(3)), fs::perms::none);
  expect_refused("hits '" + in("secret").string() + "'", {"Permission denied"});
}

TEST_F(BadLog, IsInTheResult) {
  const std::string path = file("log.jsonl", good_log(150) + "?\n");
  const Ended e = run("replay '" + path + "' --limit 3 --out '" + in("out").string() + "'");
  EXPECT_EQ(e.code, 0) << e.err;
  const Json j = result("out");
  EXPECT_EQ(j["trace"]["bad_lines"], 1);
  EXPECT_EQ(j["trace"]["lines"], 151);
  EXPECT_NE(j["trace"]["first_bad"][0].get<std::string>().find(":151: not JSON"), std::string::npos);
}

}  // namespace
}  // namespace flashpath::test

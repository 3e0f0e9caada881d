// SPDX-License-Identifier: Apache-2.0
// Good lines, and each kind of bad one with its message.
#include "replay/mooncake.h"

#include "serving/support.h"

namespace flashpath::serving_test {
namespace {

using namespace flashpath::literals;
using replay::Log;
using replay::read_mooncake;
using replay::ReplayConfig;

const std::string good = R"({"timestamp": 100, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]})"
                         "\n";

std::string many_good(int n) {
  std::string all;
  for (int i = 0; i < n; ++i) all += good;
  return all;
}

TEST(Mooncake, reads_what_is_there) {
  const Folder folder;
  const Log log = read_mooncake(
      folder.write("a", R"({"timestamp": 27482, "input_length": 1025, "output_length": 52, "hash_ids": [46, 47, 18446744073709551615]})"
                        "\n\n"
                        R"({"hash_ids":[46],"output_length":0,"input_length":512,"timestamp":30000.5,"session_id":"x"})"));
  ASSERT_EQ(log.requests.size(), 2U);
  EXPECT_EQ(log.block_tokens, 512U);
  EXPECT_EQ(log.requests[0].arrival, 0_ps) << "times begin with the first request";
  EXPECT_EQ(log.requests[0].input_tokens, 1025U);
  EXPECT_EQ(log.requests[0].output_tokens, 52U);
  EXPECT_EQ(log.requests[0].line, 1U);
  const auto blocks = log.blocks(log.requests[0]);
  EXPECT_EQ(std::vector<std::uint64_t>(blocks.begin(), blocks.end()), (std::vector<std::uint64_t>{46, 47, ~std::uint64_t{0}}));
  EXPECT_EQ(log.requests[1].arrival, 2518'500us);
  EXPECT_EQ(log.requests[1].line, 3U);
  EXPECT_EQ(log.blocks(log.requests[1]).front(), 46U);
  EXPECT_EQ(log.report.lines, 3U);
  EXPECT_EQ(log.report.blank_lines, 1U);
  EXPECT_EQ(log.report.bad_lines, 0U);
  EXPECT_EQ(log.report.ignored_fields.at("session_id"), 1U) << "ignored, but counted";
  EXPECT_EQ(log.report.sha256.size(), 64U);
}

TEST(Mooncake, each_bad_line_says_why) {
  struct Case {
    const char* line;
    const char* reason;
  };
  const Case cases[] = {
      {R"({"timestamp": 100, "input_length": )", "not JSON"},
      {R"({"timestamp": 100} trailing)", "not JSON"},
      {R"([1, 2])", "expected an object {...}, found an array"},
      {R"({"input_length": 600, "output_length": 5, "hash_ids": [1, 2]})", "timestamp is missing"},
      {R"({"timestamp": 100, "output_length": 5, "hash_ids": [1, 2]})", "input_length is missing"},
      {R"({"timestamp": 100, "input_length": 600, "hash_ids": [1, 2]})", "output_length is missing"},
      {R"({"timestamp": 100, "input_length": 600, "output_length": 5})", "hash_ids is missing"},
      {R"({"timestamp": 100, "timestamp": 100, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]})", "timestamp is given twice"},
      {R"({"timestamp": -1, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]})", "timestamp -1 ms is negative"},
      {R"({"timestamp": 99, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]})", "timestamp goes back from 100 to 99 ms"},
      {R"({"timestamp": 9000000000, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]})", "more than 90 days after the first"},
      {R"({"timestamp": 5000000000000, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]})", "beyond the year 2100"},
      {R"({"timestamp": "100", "input_length": 600, "output_length": 5, "hash_ids": [1, 2]})",
       "timestamp is a string: expected milliseconds"},
      {R"({"timestamp": 100, "input_length": -600, "output_length": 5, "hash_ids": [1, 2]})", "input_length -600 is negative"},
      {R"({"timestamp": 100, "input_length": 0, "output_length": 5, "hash_ids": []})", "input_length is 0: expected at least 1"},
      {R"({"timestamp": 100, "input_length": 10000001, "output_length": 5, "hash_ids": [1, 2]})", "input_length 10000001 is absurd"},
      {R"({"timestamp": 100, "input_length": 18446744073709551615, "output_length": 5, "hash_ids": [1, 2]})",
       "input_length 18446744073709551615 is absurd"},
      {R"({"timestamp": 100, "input_length": 600.5, "output_length": 5, "hash_ids": [1, 2]})",
       "input_length is a fraction: expected a number of tokens"},
      {R"({"timestamp": 100, "input_length": 600, "output_length": -5, "hash_ids": [1, 2]})", "output_length -5 is negative"},
      {R"({"timestamp": 100, "input_length": 600, "output_length": 10000001, "hash_ids": [1, 2]})", "output_length 10000001 is absurd"},
      {R"({"timestamp": 100, "input_length": 600, "output_length": null, "hash_ids": [1, 2]})", "output_length is null"},
      {R"({"timestamp": 100, "input_length": 600, "output_length": 5, "hash_ids": ["a1", "b2"]})",
       "hash_ids[0] is a string: expected integers"},
      {R"({"timestamp": 100, "input_length": 600, "output_length": 5, "hash_ids": [1, 2.5]})",
       "hash_ids[1] is a fraction: expected integers"},
      {R"({"timestamp": 100, "input_length": 600, "output_length": 5, "hash_ids": [1, -2]})", "hash_ids[1] is negative (-2)"},
      {R"({"timestamp": 100, "input_length": 600, "output_length": 5, "hash_ids": 7})",
       "hash_ids is an integer: expected an array of integers"},
      {R"({"timestamp": 100, "input_length": 600, "output_length": 5, "hash_ids": [1]})",
       "hash_ids has 1 ids, but input_length 600 needs 2"},
      {R"({"timestamp": 100, "input_length": 512, "output_length": 5, "hash_ids": [1, 2]})",
       "hash_ids has 2 ids, but input_length 512 needs 1"},
  };
  const Folder folder;
  for (const Case& c : cases) {
    const std::string path = folder.write("log", many_good(200) + c.line + "\n" + good);
    const Log log = read_mooncake(path);
    EXPECT_EQ(log.requests.size(), 201U) << c.line;
    EXPECT_EQ(log.ids.size(), 402U) << "a bad line leaves nothing behind: " << c.line;
    EXPECT_EQ(log.blocks(log.requests.back())[1], 2U);
    ASSERT_EQ(log.report.bad_lines, 1U) << c.line;
    EXPECT_TRUE(contains(log.report.first_bad[0], path + ":201: ")) << log.report.first_bad[0];
    EXPECT_TRUE(contains(log.report.first_bad[0], c.reason)) << log.report.first_bad[0] << "\nexpected: " << c.reason;
    const std::string strict = errors_of([&] { read_mooncake(path, {.strict = true}); });
    EXPECT_TRUE(contains(strict, "1 of 202 lines are bad (strict allows none)")) << strict;
    EXPECT_TRUE(contains(strict, c.reason)) << strict;
  }
}

TEST(Mooncake, one_per_cent_of_bad_lines_pass_and_more_do_not) {
  const Folder folder;
  EXPECT_EQ(read_mooncake(folder.write("ok", many_good(99) + "x\n")).report.bad_lines, 1U);
  const std::string message = errors_of([&] { read_mooncake(folder.write("no", many_good(98) + "x\n")); });
  EXPECT_TRUE(contains(message, "1 of 99 lines are bad (more than 1 %)")) << message;
}

TEST(Mooncake, an_all_bad_file_shows_the_first_ten) {
  const Folder folder;
  std::string junk;
  for (int i = 0; i < 25; ++i) junk += "TIMESTAMP,ContextTokens\n";
  const std::string message = errors_of([&] { read_mooncake(folder.write("junk", junk)); });
  EXPECT_TRUE(contains(message, "every line (25) is bad")) << message;
  EXPECT_TRUE(contains(message, "junk:10: ")) << message;
  EXPECT_FALSE(contains(message, "junk:11: ")) << message;
  EXPECT_TRUE(contains(message, "and 15 more")) << message;
  EXPECT_TRUE(contains(errors_of([&] { read_mooncake(folder.write("blank", "\n  \n")); }), "no requests, only blank lines"));
}

TEST(Mooncake, the_limit_keeps_the_first_requests) {
  const Folder folder;
  const Log log = read_mooncake(folder.write("log", many_good(20)), {.limit = 7});
  EXPECT_EQ(log.requests.size(), 7U);
  EXPECT_EQ(log.ids.size(), 14U);
  EXPECT_EQ(log.report.lines, 20U);
}

std::string stamps(const std::vector<int>& ms) {
  std::string all;
  for (const int t : ms)
    all += R"({"timestamp": )" + std::to_string(t) +
           R"(, "input_length": 1, "output_length": 1, "hash_ids": [0]})"
           "\n";
  return all;
}

TEST(Timing, a_grid_is_seen_and_left) {
  const Folder folder;
  std::vector<int> ms;
  for (int i = 0; i < 300; ++i) ms.push_back(i / 10 * 3000 + i % 10 / 4);  // 3 s grid, with the exporter's rounding
  const std::string path = folder.write("grid", stamps(ms));
  const Log plain = read_mooncake(path, {.jitter = false});
  EXPECT_EQ(plain.report.grid, 3s);
  EXPECT_FALSE(plain.report.jittered);
  EXPECT_EQ(plain.requests.back().arrival, std::chrono::milliseconds{ms.back()});
  const Log a = read_mooncake(path, {.seed = 1}), b = read_mooncake(path, {.seed = 1}), c = read_mooncake(path, {.seed = 2});
  EXPECT_TRUE(a.report.jittered);
  int same_as_other_seed = 0;
  for (std::size_t i = 0; i < a.requests.size(); ++i) {
    EXPECT_EQ(a.requests[i].arrival, b.requests[i].arrival) << "same seed, same times";
    same_as_other_seed += a.requests[i].arrival == c.requests[i].arrival ? 1 : 0;
    const Duration stamp = plain.requests[a.requests[i].line - 1].arrival;
    EXPECT_GE(a.requests[i].arrival, stamp);
    EXPECT_LT(a.requests[i].arrival, stamp + 3s);
    if (i > 0) { EXPECT_GE(a.requests[i].arrival, a.requests[i - 1].arrival); }
  }
  EXPECT_LT(same_as_other_seed, 5);
}

TEST(Timing, what_is_on_no_grid_stays) {
  const Folder folder;
  const Log off = read_mooncake(folder.write("off", stamps({0, 3000, 6006, 9000})));
  EXPECT_EQ(off.report.grid, 0_ps) << "6 ms off is off";
  EXPECT_EQ(off.requests[2].arrival, 6006ms);
  EXPECT_EQ(read_mooncake(folder.write("on", stamps({0, 3000, 6005, 9000}))).report.grid, 3s) << "5 ms is rounding";
  EXPECT_EQ(read_mooncake(folder.write("one", stamps({5, 5, 5}))).report.grid, 0_ps) << "one stamp is no grid";
}

TEST(Timing, speedup_divides) {
  const Folder folder;
  const Log log = read_mooncake(folder.write("log", stamps({0, 1001, 2500})), {.jitter = false, .speedup = 2.0});
  EXPECT_EQ(log.requests[1].arrival, 500'500us);
  EXPECT_EQ(log.requests[2].arrival, 1250ms);
}

}  // namespace
}  // namespace flashpath::serving_test

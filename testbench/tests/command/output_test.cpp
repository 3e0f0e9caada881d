// SPDX-License-Identifier: Apache-2.0
// What a run leaves on disk: complete or marked partial, the same twice, never half a line; and the commands that only print.
#include <set>

#include "command/program.h"

namespace flashpath::test {
namespace {

class Output : public Program {
 protected:
  std::string out(const std::string& name) const { return " --out '" + in(name).string() + "' "; }
  /// Every line but the last has all columns; the last is either whole or missing its end.
  std::size_t whole_lines(const std::string& directory, bool last_may_be_cut) const {
    std::istringstream csv(slurp(in(directory) / "requests.csv"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(csv, line);) lines.push_back(line);
    EXPECT_GE(lines.size(), 1U);
    const auto columns = [](const std::string& s) { return std::count(s.begin(), s.end(), ','); };
    for (std::size_t i = 1; i + (last_may_be_cut ? 1 : 0) < lines.size(); ++i) EXPECT_EQ(columns(lines[i]), columns(lines[0])) << lines[i];
    return lines.size() - 1;
  }
};

TEST_F(Output, DirectoryThatCannotBe) {
  file("a_file", "x");
  expect_refused("io --number_ios 1" + out("a_file"), {"exists and is not a directory"});
  expect_refused("io --number_ios 1" + out("a_file/below"), {"cannot be created"});
  if (geteuid() != 0) {
    fs::create_directory(in("closed"));
    fs::permissions(in("closed"), fs::perms::owner_read | fs::perms::owner_exec);
    expect_refused("io --number_ios 1" + out("closed"), {"is not writable"});
  }
  expect_refused("io --number_ios 1 --out /proc/flashpath", {"cannot be created"});
}

TEST_F(Output, NothingIsReplacedUnasked) {
  EXPECT_EQ(run("io --number_ios 1" + out("o")).code, 0);
  const std::string before = slurp(in("o/result.json"));
  expect_refused("io --number_ios 2" + out("o"), {"already holds a result", "--force"});
  EXPECT_EQ(slurp(in("o/result.json")), before);
  EXPECT_EQ(run("io --number_ios 2 --force" + out("o")).code, 0);
  EXPECT_EQ(result("o")["read"]["total_ios"], 2);
}

TEST_F(Output, TwoRunsAgreeByteForByte) {
  const auto strip = [&](const std::string& directory) {
    Json j = result(directory);
    EXPECT_TRUE(j.contains("host"));
    j.erase("host");
    return j.dump();
  };
  for (const char* name : {"a", "b"}) {
    EXPECT_EQ(run("io --rw randrw --iodepth 16 --numjobs 4 --runtime 1ms --ramp 100us" + out(std::string("io_") + name)).code, 0);
    EXPECT_EQ(run("replay '" + sample + "' --limit 6 --set serving.g1=0B --set serving.g2=0B" + out(std::string("replay_") + name)).code,
              0);
  }
  EXPECT_EQ(strip("io_a"), strip("io_b"));
  EXPECT_EQ(strip("replay_a"), strip("replay_b"));
  EXPECT_EQ(slurp(in("replay_a/requests.csv")), slurp(in("replay_b/requests.csv")));
  EXPECT_EQ(whole_lines("replay_a", false), 6U);
}

TEST_F(Output, SchemaOfIo) {
  EXPECT_EQ(run("io --rw randrw --runtime 1ms" + out("o")).code, 0);
  const Json j = result("o");
  for (const char* key : {"schema",          "complete",      "ending",      "command",     "version", "platform",   "seed",
                          "parameters",      "job",           "laws",        "simulated_s", "read",    "write",      "errors",
                          "verified_blocks", "verify_errors", "utilisation", "bottleneck",  "flash",   "statistics", "host"})
    EXPECT_TRUE(j.contains(key)) << key;
  EXPECT_EQ(j["schema"], "flashpath.result/1");
  EXPECT_EQ(j["complete"], true);
  EXPECT_EQ(j["ending"], "finished");
  EXPECT_EQ(j["command"], "io");
  EXPECT_TRUE(j["laws"]["broken"].empty());
  EXPECT_GE(j["laws"]["checked"].get<int>(), 50);
  EXPECT_EQ(j["parameters"]["nand.channels"]["value"], "16");
  for (const auto& [name, p] : j["parameters"].items()) EXPECT_FALSE(p["source"].get<std::string>().empty()) << name;
  for (const char* d : {"read", "write"})
    for (const char* key : {"total_ios", "io_bytes", "iops", "bw_bytes_per_s", "slat", "clat", "lat"})
      EXPECT_TRUE(j[d].contains(key)) << key;
  for (const char* key : {"count", "mean_ns", "min_ns", "p50_ns", "p99_ns", "p99.99_ns", "max_ns"})
    EXPECT_TRUE(j["read"]["lat"].contains(key)) << key;
  for (const auto& [name, use] : j["utilisation"].items()) {
    EXPECT_GE(use.get<double>(), 0.0) << name;
    EXPECT_LE(use.get<double>(), 1.0) << name;
  }
}

TEST_F(Output, SchemaOfReplay) {
  const Ended e = run("replay '" + sample + "' --limit 5" + out("o"));
  EXPECT_EQ(e.code, 0) << e.err;
  const Json j = result("o");
  for (const char* key : {"schema", "complete", "ending", "command", "version", "platform", "seed", "parameters", "trace", "laws",
                          "simulated_s", "tiers", "object_time_by_stage", "utilisation", "bottleneck", "flash", "statistics", "host"})
    EXPECT_TRUE(j.contains(key)) << key;
  EXPECT_EQ(j["trace"]["requests"], 5);
  EXPECT_EQ(j["trace"]["sha256"].get<std::string>().size(), 64U);
  double stages = 0;
  for (const auto& [name, share] : j["object_time_by_stage"].items()) stages += share.get<double>();
  EXPECT_NEAR(stages, 1.0, 1e-9);
  for (const char* tier : {"G1 (HBM)", "G2 (host)", "G3.5 (flash)"}) EXPECT_TRUE(j["tiers"].contains(tier)) << tier;
  EXPECT_TRUE(j["parameters"].contains("serving.model"));
  EXPECT_TRUE(j["parameters"].contains("replay.jitter"));
  EXPECT_EQ(whole_lines("o", false), 5U);
}

// One pass touches each block once, so nothing would be read back: --size alone means two.
TEST_F(Output, VerifiedJob) {
  const Ended e = run("io --rw randrw --verify --set data=true --size 8m --iodepth 8" + out("o"));
  EXPECT_EQ(e.code, 0) << e.err;
  EXPECT_EQ(e.err, "");
  const Json j = result("o");
  EXPECT_EQ(j["verify_errors"], 0);
  EXPECT_EQ(j["read"]["total_ios"].get<int>() + j["write"]["total_ios"].get<int>(), 2 * 2048);
  EXPECT_GE(j["verified_blocks"].get<int>(), 400);  // a quarter of 2048: written first, read then
  EXPECT_LE(j["verified_blocks"].get<int>(), 624);
  const Ended nothing = run("io --rw randrw --verify --set data=true --size 8m --number_ios 2000");
  EXPECT_NE(nothing.err.find("--verify: no block was read after it had been written"), std::string::npos) << nothing.err;
}

// The file-size limit stands for a full disk: 1 block = 1 KiB for bash.
TEST_F(Output, FullDiskOfResult) {
  EXPECT_EQ(run("io --number_ios 1" + out("size")).code, 0);
  const auto whole = fs::file_size(in("size/result.json"));
  // The first result.json is smaller than the last; a limit in between lets the run begin and its end fail.
  Ended e;
  Json j;
  bool seen = false;
  for (std::uint64_t kib = whole / 1024; kib > 8 && !seen; kib = kib * 7 / 8) {
    fs::remove_all(in("o"));
    e = run("io --number_ios 1" + out("o"), "ulimit -f " + std::to_string(kib) + "; ");
    if (e.code != 4) continue;
    seen = true;
    j = result("o");
    EXPECT_EQ(j["complete"], false);
    EXPECT_EQ(j["schema"], "flashpath.result/1");
    EXPECT_NE(e.err.find("File too large"), std::string::npos) << e.err;
    EXPECT_NE(e.err.find("partial"), std::string::npos) << e.err;
    EXPECT_FALSE(fs::exists(in("o/result.json.tmp")));
  }
  EXPECT_TRUE(seen) << "no limit made the end of the run fail; last exit code " << e.code << "\n" << e.err;
}

TEST_F(Output, FullDiskOfRequests) {
  // 1500 short requests make a csv that outgrows the limit while result.json still fits.
  const std::string log = file("log.jsonl", good_log(1500));
  const Ended e = run("replay '" + log + "' --set drives=1 --set replay.speedup=1000" + out("o"), "ulimit -f 100; ");
  EXPECT_EQ(e.code, 4) << e.err;
  EXPECT_NE(e.err.find("requests.csv: File too large"), std::string::npos) << e.err;
  const Json j = result("o");
  EXPECT_EQ(j["complete"], false);
  EXPECT_GE(whole_lines("o", true), 100U);
}

TEST_F(Output, FullDiskAtTheStart) {
  const Ended e = run("io --number_ios 1" + out("o"), "ulimit -f 1; ");
  EXPECT_EQ(e.code, 4) << e.err;
  EXPECT_NE(e.err.find("File too large"), std::string::npos) << e.err;
}

TEST_F(Output, InterruptedIo) {
  const pid_t child = start("io --rw randread --iodepth 64 --numjobs 8 --runtime 60s" + out("o"));
  for (int i = 0; i < 200 && !fs::exists(in("o/result.json")); ++i) std::this_thread::sleep_for(std::chrono::milliseconds{20});
  std::this_thread::sleep_for(std::chrono::milliseconds{300});
  kill(child, SIGINT);
  const Ended e = wait(child);
  EXPECT_EQ(e.code, 130) << e.err;
  const Json j = result("o");
  EXPECT_EQ(j["complete"], false);
  EXPECT_EQ(j["ending"], "interrupted");
  EXPECT_GE(j["read"]["total_ios"].get<std::uint64_t>(), 1000U);
  EXPECT_TRUE(j["laws"]["broken"].empty()) << j["laws"].dump(1);
}

TEST_F(Output, InterruptedReplay) {
  const pid_t child = start("replay '" + sample + "' --set serving.g1=0B --set serving.g2=0B" + out("o"));
  const auto lines = [&] {
    const std::string csv = slurp(in("o/requests.csv"));
    return std::count(csv.begin(), csv.end(), '\n');
  };
  for (int i = 0; i < 500 && lines() < 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds{20});
  kill(child, SIGINT);
  const Ended e = wait(child);
  EXPECT_EQ(e.code, 130) << e.err;
  EXPECT_NE(e.err.find("interrupted; the result covers"), std::string::npos) << e.err;
  const Json j = result("o");
  EXPECT_EQ(j["complete"], false);
  EXPECT_EQ(j["ending"], "interrupted");
  EXPECT_GE(whole_lines("o", false), 2U);
  EXPECT_EQ(slurp(in("o/requests.csv")).back(), '\n');
  EXPECT_TRUE(j["laws"]["broken"].empty()) << j["laws"].dump(1);
}

TEST_F(Output, ProgressAsJson) {
  const Ended e = run("io --rw randread --iodepth 64 --numjobs 8 --runtime 20ms --progress json");
  EXPECT_EQ(e.code, 0);
  std::istringstream lines(e.err);
  int n = 0;
  for (std::string line; std::getline(lines, line); ++n) {
    const Json j = Json::parse(line, nullptr, false);
    ASSERT_FALSE(j.is_discarded()) << line;
    for (const char* key : {"progress", "elapsed_s", "left_s", "what"}) EXPECT_TRUE(j.contains(key)) << line;
    EXPECT_GE(j["progress"].get<double>(), 0.0);
    EXPECT_LE(j["progress"].get<double>(), 1.0);
  }
  EXPECT_GE(n, 1);
  EXPECT_EQ(run("io --number_ios 10").err, "") << "no terminal, no bar";
}

using Prints = Program;

TEST_F(Prints, HelpWithExamples) {
  const Ended e = run("--help");
  EXPECT_EQ(e.code, 0);
  for (const char* text : {"Examples", "flashpath replay traces/samples/conversation_small.jsonl", "flashpath io", "flashpath hits",
                           "flashpath describe", "Exit codes"})
    EXPECT_NE(e.out.find(text), std::string::npos) << text;
  for (const std::string command : {"replay", "io", "hits", "describe", "parameters"}) {
    const Ended sub = run(command + " --help");
    EXPECT_EQ(sub.code, 0) << command;
    EXPECT_NE(e.out.find(command), std::string::npos);
    EXPECT_GE(sub.out.size(), 80U) << command;
  }
  EXPECT_EQ(run("--version").out.rfind("flashpath ", 0), 0U);
}

TEST_F(Prints, DescribeWithSources) {
  for (const std::string preset : {"single-drive", "bf4-icms", "bf4-stx"}) {
    const Ended e = run("describe --platform " + preset);
    EXPECT_EQ(e.code, 0) << e.err;
    EXPECT_EQ(e.out.rfind(preset + ":", 0), 0U);
    for (const char* text : {"\nnand\n", "  t_prog ", "\nfabric\n", "  line_rate ", "assumed", "datasheet", "parameters, "})
      EXPECT_NE(e.out.find(text), std::string::npos) << preset << ": " << text;
  }
  EXPECT_NE(run("describe --platform single-drive").out.find("Micron 9550"), std::string::npos);
  const Ended mine = run("describe --platform single-drive --set nand.channels=12");
  EXPECT_NE(mine.out.find("12 channels"), std::string::npos);
  EXPECT_NE(mine.out.find("user"), std::string::npos);
  expect_refused("describe --set nand.channels=99", {"must be between 1 and 64"});
}

TEST_F(Prints, ParametersAsTheDocumentSays) {
  const Ended e = run("parameters");
  EXPECT_EQ(e.code, 0);
  for (const char* key : {"## nand", "| `t_prog` | `1.1ms` |", "## serving", "## replay"})
    EXPECT_NE(e.out.find(key), std::string::npos) << key;
  const std::string path = FLASHPATH_SOURCE "/docs/parameters.md";
  if (!fs::exists(path)) GTEST_SKIP() << path << " has not been generated";
  EXPECT_EQ(e.out, slurp(path)) << "regenerate it: flashpath parameters > docs/parameters.md";
}

TEST_F(Prints, HitsAsTheReferenceSays) {
  const std::string shared = FLASHPATH_SHARED;
  const std::string reference = shared + "/traces/reference_hit_rates.json";
  if (shared.empty() || !fs::exists(reference)) GTEST_SKIP() << "needs FLASHPATH_SHARED with the public traces";
  const Json all = Json::parse(slurp(reference));
  for (const std::string name : {"mooncake_conversation.jsonl", "mooncake_synthetic.jsonl"}) {
    ASSERT_TRUE(all["traces"].contains(name));
    for (const auto& [order, key] : {std::pair{"head-first", "lru"}, {"tail-first", "lru_tail_first"}}) {
      const Ended e = run("hits --json --order " + std::string(order) + " --capacity 1000 --capacity 10000 --capacity 50000 '" + shared +
                          "/traces/" + name + ".zst'");
      ASSERT_EQ(e.code, 0) << e.err;
      const Json rows = Json::parse(e.out);
      ASSERT_EQ(rows.size(), 3U);
      const Json& wanted = all["traces"][name]["blocks"]["policies"][key];
      int compared = 0;
      for (const Json& row : rows) {
        const std::string capacity = std::to_string(row["capacity"].get<std::uint64_t>());
        if (!wanted.contains(capacity)) continue;
        for (const char* rate : {"block_level", "strict_prefix", "token_weighted"}) {
          EXPECT_NEAR(row[rate].get<double>(), wanted[capacity][rate].get<double>(), 1e-12)
              << name << " " << order << " " << capacity << " " << rate;
          ++compared;
        }
      }
      EXPECT_GE(compared, 6) << wanted.dump().substr(0, 300);
    }
  }
}

}  // namespace
}  // namespace flashpath::test

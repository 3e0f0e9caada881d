// SPDX-License-Identifier: Apache-2.0
// The built program as a user has it: run in a child, with what it printed and how it ended.
#pragma once
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>

namespace flashpath::test {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct Ended {
  int code = -1;  ///< exit code; 128 + signal if one ended it
  std::string out, err;
};

inline std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

/// A folder of its own for each test, gone afterwards.
class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "flashpath_command_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    std::error_code ignored;
    for (const auto& entry : fs::recursive_directory_iterator(folder_, ignored)) fs::permissions(entry, fs::perms::owner_all, ignored);
    fs::remove_all(folder_, ignored);
  }

  fs::path in(const std::string& name) const { return folder_ / name; }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(in(name), std::ios::binary) << text;
    return in(name).string();
  }

  /// Starts `flashpath <arguments>` in a shell, after the commands `before` ("ulimit …;").
  pid_t start(const std::string& arguments, const std::string& before = "") const {
    const std::string line =
        before + "exec '" FLASHPATH_BINARY "' " + arguments + " >'" + in("stdout").string() + "' 2>'" + in("stderr").string() + "'";
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
      execl("/bin/bash", "bash", "-c", line.c_str(), nullptr);
      _exit(127);
    }
    return child;
  }
  Ended wait(pid_t child) const {
    int status = 0;
    waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(in("stdout")), slurp(in("stderr"))};
  }
  Ended run(const std::string& arguments, const std::string& before = "") const { return wait(start(arguments, before)); }

  /// Bad input: exit code 2, each of `messages` on stderr, and nothing that looks like our own mistake.
  void expect_refused(const std::string& arguments, const std::vector<std::string>& messages) const {
    const Ended e = run(arguments);
    EXPECT_EQ(e.code, 2) << arguments << "\n" << e.err;
    for (const auto& m : messages) EXPECT_NE(e.err.find(m), std::string::npos) << arguments << "\n\"" << m << "\" is not in:\n" << e.err;
    for (const char* ours : {"terminate called", "what():", "invariant", "Segmentation"})
      EXPECT_EQ(e.err.find(ours), std::string::npos) << e.err;
  }

  Json result(const std::string& directory) const {
    const std::string text = slurp(in(directory) / "result.json");
    Json j = Json::parse(text, nullptr, false);
    EXPECT_FALSE(j.is_discarded()) << "result.json is not JSON: " << text.substr(0, 200);
    return j;
  }

  fs::path folder_;
};

inline const std::string sample = FLASHPATH_SOURCE "/traces/samples/conversation_small.jsonl";

/// One request of a Mooncake log.
inline std::string request(std::int64_t ms, std::int64_t input = 700, const std::string& ids = "[1,2]", const std::string& output = "10") {
  return "{\"timestamp\": " + std::to_string(ms) + ", \"input_length\": " + std::to_string(input) + ", \"output_length\": " + output +
         ", \"hash_ids\": " + ids + "}\n";
}
inline std::string good_log(int lines) {
  std::string text;
  for (int i = 0; i < lines; ++i) text += request(100 * i, 700, "[" + std::to_string(2 * i) + "," + std::to_string(2 * i + 1) + "]");
  return text;
}

}  // namespace flashpath::test

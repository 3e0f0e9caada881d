// SPDX-License-Identifier: Apache-2.0
// No knob without a test that turns it: every field of the links' configuration is changed by name in some test file.
// A fixture that gives it a value does not count. What the change must do is that test's affair (flash and FTL: knob_effects_test.cpp).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "pcie/pcie_config.h"

namespace flashpath {
namespace {

std::string all_tests() {
  std::string all;
  for (const auto& file : std::filesystem::recursive_directory_iterator(std::filesystem::path{FLASHPATH_SOURCE} / "testbench/tests")) {
    const std::string name = file.path().filename().string();
    if (!name.ends_with("_test.cpp") || name == "knob_coverage_test.cpp") continue;
    std::ifstream in(file.path());
    std::ostringstream text;
    text << in.rdbuf();
    all += text.str() + "\n";
  }
  return all;
}

bool word_before(const std::string& text, std::size_t at) {
  return at != 0 && (std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0 || text[at - 1] == '_');
}

/// "block.key=" in an assignment, or ".key" and then =, +=, *=, /= or - in an initialiser - nothing else in between.
bool turned(const std::string& tests, const std::string& block, const std::string& key) {
  const std::string assignment = block + "." + key + "=";
  for (std::size_t at = tests.find(assignment); at != std::string::npos; at = tests.find(assignment, at + 1))
    if (!word_before(tests, at)) return true;
  const std::string member = "." + key;
  for (std::size_t at = tests.find(member); at != std::string::npos; at = tests.find(member, at + 1)) {
    std::size_t next = at + member.size();
    while (next < tests.size() && tests[next] == ' ') ++next;
    if (next + 1 >= tests.size()) break;
    if (std::string{"+-*/"}.find(tests[next]) != std::string::npos) ++next;
    // `c.key = ` of a configuration; ".key=" inside a string is another block's assignment.
    if (tests[next] == '=' && tests[next + 1] != '=' && (next != at + member.size())) return true;
  }
  return false;
}

template <class Config>
void expect_turned(const std::string& tests, const std::string& block) {
  Settings none;
  UserErrors errors;
  std::vector<Parameter> parameters;
  Config config;
  read(none, block, config, errors, parameters);
  EXPECT_FALSE(parameters.empty());
  for (const Parameter& p : parameters) {
    const std::string key = p.path.substr(block.size() + 1);
    EXPECT_TRUE(turned(tests, block, key)) << p.path << ": no test changes it. Write one that shows what it does, in the right direction";
  }
}

TEST(KnobCoverage, EveryFieldOfTheLinksIsTurnedByATest) {
  const std::string tests = all_tests();
  ASSERT_GT(tests.size(), 100'000U) << "the test sources are not where they were built from";
  expect_turned<pcie::Config>(tests, "pcie");
  expect_turned<pcie::SwitchConfig>(tests, "switch");
}

TEST(KnobCoverage, TheSearchFindsChangesAndNothingElse) {
  EXPECT_TRUE(turned("{\"nand.t_prog=300us\"}", "nand", "t_prog"));
  EXPECT_TRUE(turned("c.t_prog = 5us;", "nand", "t_prog"));
  EXPECT_TRUE(turned("c.t_prog *= 2;", "nand", "t_prog"));
  EXPECT_FALSE(turned("if (c.t_prog == 5us)", "nand", "t_prog"));
  EXPECT_FALSE(turned("x + c.t_prog + y", "nand", "t_prog"));
  EXPECT_FALSE(turned("c.t_prog_extra = 5us;", "nand", "t_prog"));
  EXPECT_FALSE(turned("{\"uplink_nand.t_prog=300us\"}", "nand", "t_prog"));
}

}  // namespace
}  // namespace flashpath

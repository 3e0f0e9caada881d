// SPDX-License-Identifier: Apache-2.0
// The bundled sample is what the script makes, byte for byte.
#include <cstdlib>
#include <sstream>

#include "serving/support.h"

namespace flashpath::serving_test {
namespace {

std::string content_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream{path, std::ios::binary}.rdbuf();
  return text.str();
}

TEST(MakeTrace, reproduces_the_bundled_sample) {
  if (std::system("python3 --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "python3 is not on this machine";
  const Folder folder;
  const std::string source = FLASHPATH_SOURCE, made = folder.path() + "/made.jsonl";
  ASSERT_EQ(std::system(("python3 '" + source + "/scripts/make_trace.py' --out '" + made + "'").c_str()), 0);
  const std::string bundled = content_of(source + "/traces/samples/conversation_small.jsonl");
  EXPECT_EQ(content_of(made), bundled);
  EXPECT_LT(bundled.size(), 200'000U);
  ASSERT_EQ(std::system(("python3 '" + source + "/scripts/make_trace.py' --seed 4 --out '" + made + "'").c_str()), 0);
  EXPECT_NE(content_of(made), bundled) << "another seed, another log";
}

}  // namespace
}  // namespace flashpath::serving_test

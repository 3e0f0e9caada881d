// SPDX-License-Identifier: Apache-2.0
// libFuzzer's entry: one input, one world. Anything that goes wrong is printed and ends the process.
#include <cstdio>
#include <cstdlib>

#include "fuzz/world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  flashpath::fuzz::Input input{{data, size}};
  flashpath::fuzz::World world{input};
  const auto wrong = world.run();
  for (const auto& line : wrong) std::fprintf(stderr, "fuzz: %s\n", line.c_str());
  if (!wrong.empty()) std::abort();
  return 0;
}

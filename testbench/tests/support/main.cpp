// SPDX-License-Identifier: Apache-2.0
// Our own main(): libsystemc contains one too, and linked in the wrong order it wins and runs zero tests.
#include <gtest/gtest.h>

extern "C" int sc_main(int, char**);
int sc_main(int, char**) { return 0; }

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "bus/bus_model.h"

namespace flashpath {
namespace {

TEST(BusDecoder, WholeAccessInOneWindowForThisMaster) {
  bus::Decoder d;
  ASSERT_TRUE(d.add(0x1000, 4_KiB, 0, 0b01));
  ASSERT_TRUE(d.add(0x2000, 4_KiB, 1, 0b10));
  ASSERT_TRUE(d.add(0xffff'ffff'ffff'f000U, 4_KiB, 2, 0b11));
  EXPECT_EQ(d.find(0x1000, 4_KiB, 0b01)->target, 0U);
  EXPECT_EQ(d.find(0x1fff, 1_B, 0b01)->target, 0U);
  EXPECT_EQ(d.find(0x1fff, 2_B, 0b01), nullptr) << "runs out of the window, even into another one";
  EXPECT_EQ(d.find(0x0fff, 1_B, 0b01), nullptr);
  EXPECT_EQ(d.find(0x2000, 1_B, 0b01), nullptr) << "not this master's";
  EXPECT_EQ(d.find(0x2000, 1_B, 0b10)->target, 1U);
  EXPECT_EQ(d.find(0x3000, 1_B, 0b10), nullptr);
  EXPECT_EQ(d.find(0xffff'ffff'ffff'ffffU, 1_B, 0b10)->target, 2U);
  EXPECT_EQ(d.find(0xffff'ffff'ffff'ffffU, 2_B, 0b10), nullptr) << "wraps";
  EXPECT_EQ(d.find(0x1000, 0_B, 0b01), nullptr);
}

TEST(BusDecoder, RefusesOverlapsAndNonsense) {
  bus::Decoder d;
  ASSERT_TRUE(d.add(0x2000, 4_KiB, 0, 1));
  EXPECT_FALSE(d.add(0x2fff, 1_B, 1, 1));
  EXPECT_FALSE(d.add(0x1000, Bytes{0x1001}, 1, 1));
  EXPECT_FALSE(d.add(0x5000, 0_B, 1, 1));
  EXPECT_FALSE(d.add(0xffff'ffff'ffff'f000U, 8_KiB, 1, 1));
  EXPECT_TRUE(d.add(0x1000, 4_KiB, 1, 1));
  EXPECT_EQ(d.windows().size(), 2U);
}

TEST(BusTiming, LatencyAloneOrWithABandwidth) {
  bus::Timing free{{.latency = 20ns}};
  const Stream s = free.carry({Time{} + 1ns, Time{} + 5ns}, 1_MiB);
  EXPECT_EQ(s.first, Time{} + 21ns);
  EXPECT_EQ(s.last, Time{} + 25ns);
  bus::Timing narrow{{.latency = 20ns, .bandwidth = 64_GBps}};
  Stream last{};
  for (int i = 0; i < 64; ++i) last = narrow.carry({Time{}, Time{}}, 4_KiB);
  EXPECT_EQ(last.first, Time{} + 63 * 64ns + 20ns);
  EXPECT_EQ(last.last, Time{} + 64 * 64ns + 20ns);
  EXPECT_EQ(narrow.busy(), 64 * 64ns);
  EXPECT_EQ(narrow.cross(Time{}), Time{} + 20ns) << "what carries no bytes does not queue";
}

}  // namespace
}  // namespace flashpath

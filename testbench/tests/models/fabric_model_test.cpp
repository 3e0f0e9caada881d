// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>

#include "base/random.h"
#include "fabric/fabric_model.h"
#include "fabric/journeys.h"
#include "fabric/work_request.h"

namespace flashpath {
namespace {

using fabric::Config;
using fabric::Direction;

TEST(FabricModel, WireCountsPacketsOnceHoweverItIsCut) {
  const Direction d{Config{}};
  EXPECT_EQ(d.wire({}, 1_B), 83_B);
  EXPECT_EQ(d.wire({}, 4_KiB), Bytes{4096 + 82});
  EXPECT_EQ(d.wire({}, Bytes{4097}), Bytes{4097 + 2 * 82});
  Random random{1, "wire"};
  for (int i = 0; i < 1000; ++i) {
    const Bytes size{1 + random.below(2'000'000)};
    Bytes sum{};
    for (Bytes at{}; at < size;) {
      const Bytes part{std::min((size - at).count, 1 + random.below(300'000))};
      sum += d.wire(at, part);
      at += part;
    }
    ASSERT_EQ(sum, d.wire({}, size));
  }
}

/// Goodput = rate x mtu / (mtu + 82), for 64 bursts of 36 MTUs, to the rounding of each burst.
TEST(FabricModel, GoodputByMtu) {
  struct Case {
    Bytes mtu;
    std::uint64_t mbps;
  };
  for (const auto& [mtu, mbps] : std::array<Case, 3>{{{1_KiB, 92'585}, {4_KiB, 98'037}, {Bytes{9000}, 99'097}}}) {
    Config c;
    c.mtu = mtu;
    Direction d{c};
    const Bytes size = 36 * mtu;
    for (int i = 0; i < 64; ++i) d.bulk({}, {}, size);
    const auto ps = static_cast<std::uint64_t>(d.busy().count());
    EXPECT_EQ(64 * size.count * 1'000'000 / ps, mbps) << mtu.count;
    EXPECT_EQ(d.moved(), 64 * 36 * Bytes{mtu.count + 82});
  }
}

TEST(FabricModel, BulkIsServedInOrderAndStreams) {
  Config c;
  c.packet_overhead = 0_B;
  Direction d{c};  // 4 KiB is 40.96 ns
  const Stream a = d.bulk({Time{} + 1ns, Time{} + 1ns}, {}, 4_KiB);
  EXPECT_EQ(a.first, Time{} + 1ns);
  EXPECT_EQ(a.last, Time{} + 41'960_ps);
  const Stream b = d.bulk({Time{} + 2ns, Time{} + 2ns}, {}, 4_KiB);
  EXPECT_EQ(b.first, Time{} + 41'960_ps);
  EXPECT_EQ(b.last, Time{} + 82'920_ps);
  const Stream slow = d.bulk({Time{} + 1us, Time{} + 9us}, {}, 64_KiB);
  EXPECT_EQ(slow.last, Time{} + 9us + 40'960_ps) << "the last packet leaves after its last byte has come";
}

TEST(FabricModel, SmallDoesNotWaitForBulkButIsCharged) {
  Direction d{Config{}};
  const Time bulk = d.bulk({}, {}, 1_MiB).last;
  const Duration own = 146_B / 800_Gbps;
  EXPECT_EQ(d.small(Time{} + 5ns, 64_B).last, Time{} + 5ns + own);
  EXPECT_EQ(d.small(Time{} + 5ns, 64_B).last, Time{} + 5ns + 2 * own) << "small ones queue among themselves";
  EXPECT_EQ(d.bulk({}, {}, 4_KiB).first, bulk + 2 * own);
}

TEST(FabricModel, MessageRateBoundsSmallMessages) {
  Config c;
  c.message_rate = 100_MHz;
  Direction d{c};
  EXPECT_EQ(d.cost(), 10ns);
  Time last{};
  for (int i = 0; i < 64; ++i) last = d.message(Time{}).done;
  EXPECT_EQ(last, Time{} + 640ns);
  EXPECT_EQ(d.message(Time{} + 640ns - 1_ps).accepted, Time{} + 640ns);
}

TEST(FabricModel, SlowerLine) {
  Config c;
  c.line_rate = 400_Gbps;
  c.packet_overhead = 18_B;
  Direction d{c};
  EXPECT_EQ(d.small(Time{}, 32_B).last, Time{} + 1ns);
}

TEST(FabricJourneys, HandlesAreReusedOnlyWhenGivenBack) {
  fabric::Journeys j;
  const auto a = j.add(Journey{Time{} + 1ns});
  const auto b = j.add(Journey{Time{} + 2ns});
  EXPECT_NE(a, 0U);
  EXPECT_NE(a, b);
  EXPECT_EQ(j.find(b)->begin(), Time{} + 2ns);
  Journey piece{Time{} + 2ns};
  piece.mark(Stage::dram, Time{} + 9ns);
  j.join(b, piece);
  piece = Journey{Time{} + 2ns};
  piece.mark(Stage::fabric, Time{} + 8ns);
  j.join(b, piece);
  EXPECT_EQ((*j.find(b))[Stage::dram], 7ns) << "the piece that ended last wins";
  EXPECT_EQ((*j.find(b))[Stage::fabric], 0ns);
  j.remove(a);
  j.remove(a);
  EXPECT_EQ(j.find(a), nullptr);
  EXPECT_EQ(j.find(0), nullptr);
  EXPECT_EQ(j.live(), 1U);
  EXPECT_EQ(j.add(Journey{}), a);
}

TEST(FabricRings, KeysSpreadEvenlyOverCores) {
  std::array<int, 12> hits{};
  Random random{9, "keys"};
  for (int i = 0; i < 120'000; ++i) {
    fabric::Key key{};
    const std::uint64_t a = i % 2 == 0 ? random.next() : static_cast<std::uint64_t>(i);  // random and counting keys
    for (unsigned b = 0; b < 8; ++b) key[b] = static_cast<std::uint8_t>(a >> (8 * b));
    ++hits[fabric::core_of(key, 12)];
  }
  for (const int h : hits) EXPECT_NEAR(h, 10'000, 600);
}

}  // namespace
}  // namespace flashpath

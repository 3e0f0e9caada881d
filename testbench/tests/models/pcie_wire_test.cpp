// SPDX-License-Identifier: Apache-2.0
// Arithmetic of TLPs, against a count of one TLP after the other and against the published efficiencies.
#include <gtest/gtest.h>

#include "base/random.h"
#include "pcie/wire.h"

using namespace flashpath;
using namespace flashpath::pcie;

namespace {

/// Expected payload, GB/s x 1000: lanes x GT/s / 8 x encoding x MPS / (MPS + header).
struct Row {
  std::uint32_t generation, lanes;
  double write[3], completion[3];  // MPS 128, 256, 512
};
constexpr Row table[] = {
    {4, 4, {6.63, 7.20, 7.52}, {6.81, 7.31, 7.58}},        {5, 4, {13.27, 14.40, 15.05}, {13.62, 14.61, 15.16}},
    {5, 8, {26.5, 28.8, 30.1}, {27.3, 29.2, 30.3}},        {5, 16, {53.1, 57.6, 60.2}, {54.5, 58.5, 60.7}},
    {6, 4, {26.22, 27.76, 28.61}, {26.97, 28.18, 28.82}},  {6, 8, {52.4, 55.5, 57.2}, {53.9, 56.4, 57.7}},
    {6, 16, {104.9, 111.1, 114.4}, {107.9, 112.7, 115.3}},
};

Config config_of(const Row& row, unsigned column) {
  Config c;
  c.generation = row.generation;
  c.lanes = row.lanes;
  c.mps = Bytes{128U << column};
  c.overhead = c.flit_overhead = 0;
  return c;
}

// One TLP after the other.
std::uint64_t count_pieces(std::uint64_t a, std::uint64_t n, std::uint64_t most) {
  std::uint64_t pieces = 0;
  for (const std::uint64_t end = a + n; a < end; ++pieces) {
    const std::uint64_t page_end = (a / 4096 + 1) * 4096;
    a = std::min({end, page_end, a + most});
  }
  return pieces;
}
std::uint64_t count_completions(std::uint64_t a, std::uint64_t n, const Config& c) {
  std::uint64_t pieces = 0;
  const std::uint64_t run = std::min(c.mps, c.completion_run).count;
  for (const std::uint64_t end = a + n; a < end;) {
    const std::uint64_t page_end = (a / 4096 + 1) * 4096;
    const std::uint64_t request_end = std::min({end, page_end, a + c.mrrs.count});
    for (bool first = true; a < request_end; ++pieces, first = false) {
      std::uint64_t to = a + run;
      if (first && to < request_end) to -= to % c.rcb.count;
      a = std::min(request_end, to);
    }
  }
  return pieces;
}

}  // namespace

TEST(PcieWire, PublishedEfficiencies) {
  int cells = 0;
  for (const Row& row : table) {
    for (unsigned column = 0; column < 3; ++column) {
      const Wire wire{config_of(row, column)};
      const Bytes n = 1_MiB;
      const double write = static_cast<double>(n.count) / to_seconds(wire.time(wire.write(0, n).wire)) * 1e-9;
      const double completion = static_cast<double>(n.count) / to_seconds(wire.time(wire.completion(0, n).wire)) * 1e-9;
      EXPECT_NEAR(write / row.write[column], 1.0, 0.005) << "gen" << row.generation << " x" << row.lanes << " write, column " << column;
      EXPECT_NEAR(completion / row.completion[column], 1.0, 0.005)
          << "gen" << row.generation << " x" << row.lanes << " completion, column " << column;
      cells += 2;
    }
  }
  EXPECT_EQ(cells, 42);
}

TEST(PcieWire, EncodingOfEveryGeneration) {
  // 1 MiB of TLP bytes on one lane, in picoseconds: rounded up once.
  const auto takes = [](std::uint32_t generation) {
    return Wire{Config{.generation = generation, .lanes = 1, .overhead = 0, .flit_overhead = 0}}.time(1_MiB);
  };
  EXPECT_EQ(takes(1), 1'048'576 * 4_ps * 1000);  // 2.5 GT/s, 8b/10b: 4 ns per byte
  EXPECT_EQ(takes(2), 1'048'576 * 2_ps * 1000);
  EXPECT_EQ(takes(3), Duration{1'048'576 * 130 / 128 * 1000});  // 1 ns x 130/128
  EXPECT_EQ(takes(4), Duration{1'048'576 / 128 * 130 * 500});
  EXPECT_EQ(takes(5), Duration{1'048'576 / 128 * 130 * 250});
  EXPECT_EQ(takes(6), Duration{(1'048'576LL * 256 * 125 + 235) / 236});
}

TEST(PcieWire, CountsAgreeWithOneTlpAfterTheOther) {
  Random random{1, "wire"};
  for (int i = 0; i < 20'000; ++i) {
    Config c;
    c.mps = Bytes{128U << random.below(6)};
    c.mrrs = Bytes{128U << random.below(6)};
    c.rcb = Bytes{64U << random.below(2)};
    c.completion_run = Bytes{128U << random.below(6)};
    const Wire wire{c};
    const std::uint64_t a = random.below(3) == 0 ? random.below(64) * 4096 : random.below(1U << 20U);
    const std::uint64_t n = 1 + random.below(random.below(2) == 0 ? 600 : 200'000);
    ASSERT_EQ(wire.write(a, Bytes{n}).tlps, count_pieces(a, n, c.mps.count)) << a << "+" << n;
    ASSERT_EQ(wire.read(a, Bytes{n}).tlps, count_pieces(a, n, c.mrrs.count)) << a << "+" << n;
    ASSERT_EQ(wire.completion(a, Bytes{n}).tlps, count_completions(a, n, c))
        << a << "+" << n << " mps " << c.mps.count << " mrrs " << c.mrrs.count;
    // Byte enables of a first and a last TLP that are not aligned to 4 bytes.
    const std::uint64_t tlps = wire.write(a, Bytes{n}).tlps;
    const std::uint64_t first = a % 4 != 0 ? 1 : 0, last = (a + n) % 4 != 0 ? 1 : 0;
    const std::uint64_t enables = tlps == 1 ? (a % 4 != 0 || n % 4 != 0 ? 1 : 0) : first + last;
    ASSERT_EQ(wire.write(a, Bytes{n}).wire.count, n + tlps * 16 + enables * 4);
  }
}

TEST(PcieWire, NoTlpCrossesAPage) {
  const Wire wire{Config{.mps = 4096_B, .mrrs = 4096_B, .completion_run = 4096_B}};
  EXPECT_EQ(wire.write(4095, 1_B).tlps, 1U);
  EXPECT_EQ(wire.write(4095, 2_B).tlps, 2U);
  EXPECT_EQ(wire.write(1, 4_KiB).tlps, 2U);
  EXPECT_EQ(wire.write(0, 4_KiB).tlps, 1U);
  EXPECT_EQ(wire.read(4095, 4_KiB + 2_B).tlps, 3U);
}

TEST(PcieWire, ReadCompletionBoundaryCutsUnalignedReads) {
  Config c{.mps = 128_B, .mrrs = 512_B, .rcb = 64_B, .completion_run = 128_B};
  // The request 80 .. 320, at most 128 B each.
  EXPECT_EQ(Wire{c}.completion(80, 240_B).tlps, 2U);  // 80-192, 192-320
  c.rcb = 128_B;
  EXPECT_EQ(Wire{c}.completion(80, 240_B).tlps, 3U);  // 80-128, 128-256, 256-320
}

TEST(PcieWire, EveryHeaderAndOverheadCounts) {
  const Bytes n = 4_KiB;
  Config c{.generation = 5, .mps = 256_B, .mrrs = 256_B};
  EXPECT_EQ(Wire{c}.write(0, n).wire, 4096_B + 16 * 24_B);
  EXPECT_EQ(Wire{c}.read(0, n).wire, 16 * 24_B);
  EXPECT_EQ(Wire{c}.completion(0, n).wire, 4096_B + 16 * 20_B);
  c.write_header = 28_B, c.read_header = 20_B, c.completion_header = 24_B;
  EXPECT_EQ(Wire{c}.write(0, n).wire, 4096_B + 16 * 28_B);
  EXPECT_EQ(Wire{c}.read(0, n).wire, 16 * 20_B);
  EXPECT_EQ(Wire{c}.completion(0, n).wire, 4096_B + 16 * 24_B);
  c.generation = 6;
  EXPECT_EQ(Wire{c}.write(0, n).wire, 4096_B + 16 * 16_B);
  EXPECT_EQ(Wire{c}.read(0, n).wire, 16 * 16_B);
  EXPECT_EQ(Wire{c}.completion(0, n).wire, 4096_B + 16 * 12_B);
  c.flit_write_header = 20_B, c.flit_read_header = 20_B, c.flit_completion_header = 16_B;
  EXPECT_EQ(Wire{c}.write(0, n).wire, 4096_B + 16 * 20_B);
  EXPECT_EQ(Wire{c}.read(0, n).wire, 16 * 20_B);
  EXPECT_EQ(Wire{c}.completion(0, n).wire, 4096_B + 16 * 16_B);
  // 236 bytes in 8 ns; with 2 in 1000 lost: 8 / 0.998, rounded up.
  EXPECT_EQ((Wire{Config{.flit_overhead = 2}}.time(236_B)), Duration{8017});
  EXPECT_EQ((Wire{Config{.generation = 5, .overhead = 20}}.time(128_B)), Duration{8291});  // 8125 / 0.98 = 8290.8
}

TEST(PcieWire, LatencyOfAFlit) {
  EXPECT_EQ((Wire{Config{.generation = 6, .lanes = 4, .latency = 50ns, .fec_latency = 2ns}}.latency()), 60ns);   // 8 ns of flit
  EXPECT_EQ((Wire{Config{.generation = 6, .lanes = 16, .latency = 50ns, .fec_latency = 3ns}}.latency()), 55ns);  // 2 ns of flit
  EXPECT_EQ((Wire{Config{.generation = 5, .lanes = 4, .latency = 50ns, .fec_latency = 2ns}}.latency()), 50ns);
}

TEST(PcieWire, ConfigChecksRulesBetweenKeys) {
  const auto mistakes = [](Config c) {
    UserErrors errors;
    c.check("link", errors);
    return errors.list;
  };
  EXPECT_TRUE(mistakes({}).empty());
  EXPECT_EQ(mistakes({.lanes = 3}).size(), 1U);
  EXPECT_EQ(mistakes({.mps = 192_B}).front(), "link.mps: must be a power of two");
  EXPECT_EQ(mistakes({.rcb = 128_B, .completion_run = 64_B}).front(), "link.completion_run: must be at least rcb");
  EXPECT_EQ(mistakes({.latency = 126ns}).front(), "link.credit_round_trip: must be at least twice the latency");
  EXPECT_TRUE(mistakes({.latency = 125ns}).empty());
}

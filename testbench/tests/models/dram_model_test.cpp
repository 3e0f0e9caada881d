// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "base/random.h"
#include "base/sparse_memory.h"
#include "dram/dram_model.h"

namespace flashpath {
namespace {

using dram::Booking;
using dram::Config;
using dram::Timing;

/// Round numbers: 64 GB/s, so that a granule of 64 B is 1 ns.
Config simple() {
  Config c;
  c.peak = 64_GBps;
  c.efficiency = 1000;
  c.read_latency = 160ns;
  c.write_latency = 60ns;
  c.queue = 0_B;
  return c;
}
constexpr Time at(Duration d) { return Time{} + d; }

TEST(DramModel, ReadAlone) {
  Timing t{simple()};
  const Booking b = t.read(at(5ns), 4_KiB);
  EXPECT_EQ(b.accepted, at(5ns));
  EXPECT_EQ(b.data.first, at(5ns + 1ns + 160ns));
  EXPECT_EQ(b.data.last, at(5ns + 64ns + 160ns));
}

TEST(DramModel, WithoutALimitOnlyLatenciesCount) {
  Config c = simple();
  c.peak = Rate{0};
  Timing t{c};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(t.read(at(5ns), 1_MiB).data.last, at(165ns));
    EXPECT_EQ(t.write({at(5ns), at(7ns)}, 1_MiB).data.last, at(67ns));
  }
  EXPECT_EQ(t.busy(), 0ns);
}

TEST(DramModel, WriteIsVisibleAfterItsLastByte) {
  Timing t{simple()};
  EXPECT_EQ(t.write({at(0ns), at(0ns)}, 4_KiB).data.last, at(64ns + 60ns));
  EXPECT_EQ(t.write({at(1us), at(9us)}, 4_KiB).data.last, at(9us + 1ns + 60ns));  // a slow stream: last granule, then latency
  EXPECT_EQ(t.free_at(), at(1us + 64ns)) << "a slow stream does not hold the memory";
}

TEST(DramModel, ReadsAndWritesShareOneBandwidth) {
  Timing t{simple()};
  Time last{};
  for (int i = 0; i < 64; ++i) last = i % 2 == 0 ? t.read(Time{}, 4_KiB).data.last : t.write({Time{}, Time{}}, 4_KiB).data.last;
  EXPECT_EQ(last, at(64 * 64ns + 60ns));
  EXPECT_EQ(t.busy(), 64 * 64ns);
}

TEST(DramModel, AcceptedWhenServiceBeginsNotBefore) {
  Timing t{simple()};
  t.read(Time{}, 4_KiB);
  EXPECT_EQ(t.read(at(64ns - 1_ps), 64_B).accepted, at(64ns));
  EXPECT_EQ(t.read(at(65ns), 64_B).accepted, at(65ns));
}

TEST(DramModel, QueueAcceptsEarlier) {
  Config c = simple();
  c.queue = 4_KiB;
  Timing t{c};
  t.read(Time{}, 4_KiB);
  EXPECT_EQ(t.read(Time{}, 4_KiB).accepted, Time{}) << "exactly the queue is before it";
  EXPECT_EQ(t.read(Time{}, 4_KiB).accepted, at(64ns));
}

TEST(DramModel, SmallAccessDoesNotQueueButIsCharged) {
  Timing t{simple()};
  t.read(Time{}, 1_MiB);
  const Duration bulk = 1_MiB / 64_GBps;
  EXPECT_EQ(t.small_read(at(10ns), 64_B).data.last, at(10ns + 1ns + 160ns));
  EXPECT_EQ(t.small_write(at(10ns), 128_B).data.last, at(10ns + 2ns + 60ns));
  EXPECT_EQ(t.read(at(20ns), 64_B).data.last, at(bulk + 3ns + 1ns + 160ns));
}

TEST(DramModel, SmallAccessInIdleTimeDelaysNobody) {
  Timing t{simple()};
  t.small_read(at(10ns), 64_B);
  EXPECT_EQ(t.read(at(12ns), 64_B).accepted, at(12ns));
}

TEST(DramModel, SmallAccessOfTheFutureBooksNothing) {
  Timing t{simple()};
  t.small_read(at(500ns), 64_B);  // a core that runs ahead
  EXPECT_EQ(t.read(at(100ns), 64_B).accepted, at(100ns));
}

TEST(DramModel, ShortAccessCostsAGranule) {
  Timing t{simple()};
  EXPECT_EQ(t.own(1_B), 1ns);
  EXPECT_EQ(t.own(65_B), 2ns);
  Config c = simple();
  c.granule = 128_B;
  EXPECT_EQ(Timing{c}.own(1_B), 2ns);
}

TEST(DramModel, EveryKnob) {
  Config c = simple();
  c.efficiency = 500;
  EXPECT_EQ(Timing{c}.own(64_B), 2ns);
  c = simple();
  c.peak = 128_GBps;
  EXPECT_EQ(Timing{c}.own(128_B), 1ns);
  c = simple();
  c.read_latency = 1ns;
  c.write_latency = 2ns;
  EXPECT_EQ(Timing{c}.read(Time{}, 64_B).data.first, at(2ns));
  EXPECT_EQ(Timing{c}.write({}, 64_B).data.first, at(3ns));
  EXPECT_EQ(Timing{Config{}}.rate(), (Rate{240'289'280'000}));  // 273.056 GB/s x 0.88
}

TEST(DramModel, CompletionNeverVisibleBeforeItsData) {
  Random random{1, "dram"};
  Timing t{Config{}};
  Time now{};
  for (int i = 0; i < 10'000; ++i) {
    now += Duration{static_cast<std::int64_t>(random.below(3'000'000))};
    const Time last = now + Duration{static_cast<std::int64_t>(random.below(2'000'000))};
    const Time data = t.write({now, last}, Bytes{1 + random.below(300'000)}).data.last;
    EXPECT_GE(t.write({last, last}, 16_B).data.last, data);
    now = last;
  }
}

TEST(SparseMemory, UntouchedIsZeroAndPagesMeet) {
  SparseMemory m;
  std::vector<unsigned char> in(200'000), out(200'002, 7);
  std::iota(in.begin(), in.end(), static_cast<unsigned char>(0));
  m.write(0xffff'0000'fff0U, in);
  m.read(0xffff'0000'ffefU, out);
  EXPECT_EQ(out.front(), 0);
  EXPECT_EQ(out.back(), 0);
  EXPECT_TRUE(std::equal(in.begin(), in.end(), out.begin() + 1));
  EXPECT_EQ(m.pages(), 5U);
}

TEST(SparseMemory, DiscardFreesWholePagesAndClearsEdges) {
  SparseMemory m;
  const std::vector<unsigned char> in(4 * SparseMemory::page_bytes, 0xaa);
  m.write(0, in);
  m.discard(100, Bytes{2 * SparseMemory::page_bytes});
  EXPECT_EQ(m.pages(), 3U);
  std::vector<unsigned char> out(in.size());
  m.read(0, out);
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], i < 100 || i >= 100 + 2 * SparseMemory::page_bytes ? 0xaa : 0) << i;
}

TEST(SparseMemory, AgreesWithAMapUnderRandomUse) {
  SparseMemory m;
  std::map<std::uint64_t, unsigned char> model;
  Random random{3, "sparse"};
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t page = random.below(200) * 977;
    const std::uint64_t address = page * SparseMemory::page_bytes + random.below(4);
    if (random.below(4) == 0) {
      m.discard(page * SparseMemory::page_bytes, Bytes{SparseMemory::page_bytes});
      model.erase(model.lower_bound(page * SparseMemory::page_bytes), model.lower_bound((page + 1) * SparseMemory::page_bytes));
    } else {
      const auto byte = static_cast<unsigned char>(random.next());
      m.write(address, {&byte, 1});
      model[address] = byte;
    }
    const std::uint64_t look = random.below(200) * 977 * SparseMemory::page_bytes + random.below(4);
    unsigned char seen = 1;
    m.read(look, {&seen, 1});
    const auto found = model.find(look);
    ASSERT_EQ(seen, found == model.end() ? 0 : found->second);
  }
}

}  // namespace
}  // namespace flashpath

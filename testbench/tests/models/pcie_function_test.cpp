// SPDX-License-Identifier: Apache-2.0
// Configuration space, BAR and MSI-X of a function, as a host finds and programs them; the device behind is a few registers.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "pcie/function.h"

namespace flashpath::pcie {
namespace {

constexpr Identity identity{.vendor = 0x1234,
                            .device = 0xf1a5,
                            .class_code = 0x010802,
                            .bar = 16_MiB,
                            .vectors = 70,
                            .table = 0xc00000,
                            .pending = 0xc80000,
                            .generation = 5,
                            .lanes = 4};

struct Bench {
  std::uint64_t read(std::uint64_t offset, unsigned size) {
    reads.push_back(size);
    std::uint64_t v = 0;
    for (unsigned i = 0; i < size; ++i) v |= ((offset + i) & 0xffU) << (8U * i);
    return v;
  }
  void write(std::uint64_t offset, unsigned size, std::uint64_t value, Time) { writes.push_back({offset, size, value}); }
  void reset(Time) { ++resets; }
  void message(std::uint64_t address, std::uint32_t data, Time now) { messages.push_back({address, data, now}); }
  struct Write {
    std::uint64_t offset;
    unsigned size;
    std::uint64_t value;
  };
  struct Message {
    std::uint64_t address;
    std::uint32_t data;
    Time at;
  };
  Bench()
      : f{identity,
          {.read = Delegate<std::uint64_t(std::uint64_t, unsigned)>::to<&Bench::read>(this),
           .write = Delegate<void(std::uint64_t, unsigned, std::uint64_t, Time)>::to<&Bench::write>(this),
           .reset = Delegate<void(Time)>::to<&Bench::reset>(this)}} {
    f.on_message(Msix::Message::to<&Bench::message>(this));
  }
  void command(std::uint32_t value) { f.cfg_write(ConfigSpace::command, 2, value, now); }
  void vector(std::uint32_t v, std::uint64_t address, std::uint32_t data, bool masked) {
    f.bar_write(identity.table + v * 16ULL, 8, address, now);
    f.bar_write(identity.table + v * 16ULL + 8, 4, data, now);
    f.bar_write(identity.table + v * 16ULL + 12, 4, masked ? 1 : 0, now);
  }
  /// Finds a capability as a host does.
  std::uint32_t capability(std::uint32_t id) const {
    for (std::uint32_t at = f.cfg_read(0x34, 1), n = 0; at != 0 && n < 48; at = f.cfg_read(at + 1, 1), ++n)
      if (f.cfg_read(at, 1) == id) return at;
    return 0;
  }
  void expect_laws() {
    Laws laws;
    laws.about("function");
    f.check(laws);
    EXPECT_EQ(laws.checked(), 1U);
    for (const auto& b : laws.broken()) ADD_FAILURE() << b;
  }
  Function f;
  Time now{};
  std::vector<unsigned> reads;
  std::vector<Write> writes;
  std::vector<Message> messages;
  int resets = 0;
};

TEST(PcieFunction, IsEnumeratedAsAnNvmeController) {
  Bench b;
  EXPECT_EQ(b.f.cfg_read(0, 4), 0xf1a51234U);
  EXPECT_EQ(b.f.cfg_read(0, 2), 0x1234U);
  EXPECT_EQ(b.f.cfg_read(2, 2), 0xf1a5U);
  EXPECT_EQ(b.f.cfg_read(0x09, 1) | b.f.cfg_read(0x0a, 2) << 8U, 0x010802U);
  EXPECT_EQ(b.f.cfg_read(0x0e, 1), 0U);          // type 0, one function
  EXPECT_NE(b.f.cfg_read(0x06, 2) & 0x10U, 0U);  // a capabilities list
  EXPECT_EQ(b.f.cfg_read(0x04, 2), 0U);          // nothing is on after power-on
  EXPECT_NE(b.capability(0x01), 0U);
  EXPECT_NE(b.capability(0x11), 0U);
  const std::uint32_t express = b.capability(0x10);
  ASSERT_NE(express, 0U);
  EXPECT_EQ(b.f.cfg_read(express + 2, 2) & 0xffU, 2U);                 // version 2, endpoint
  EXPECT_NE(b.f.cfg_read(express + 4, 4) & 1U << 28U, 0U);             // function level reset
  EXPECT_EQ(b.f.cfg_read(express + 0x12, 2) & 0x3ffU, 5U | 4U << 4U);  // link: Gen5 x4
  EXPECT_EQ(b.f.cfg_read(0x100, 4), 0U);                               // no extended capability
  // What no configuration TLP can carry.
  EXPECT_EQ(b.f.cfg_read(3, 2), 0xffffU);
  EXPECT_EQ(b.f.cfg_read(0x1000, 4), ~0U);
  b.f.cfg_write(5, 4, ~0U, b.now);
  EXPECT_EQ(b.f.cfg_read(0x04, 2), 0U);
}

TEST(PcieFunction, ItsBarIsSizedAndPlaced) {
  Bench b;
  b.f.cfg_write(0x10, 4, ~0U, b.now);
  b.f.cfg_write(0x14, 4, ~0U, b.now);
  EXPECT_EQ(b.f.cfg_read(0x10, 4) & 0xfU, 4U);  // memory, 64-bit, not prefetchable
  const std::uint64_t mask = (b.f.cfg_read(0x10, 4) & ~0xfU) | std::uint64_t{b.f.cfg_read(0x14, 4)} << 32U;
  EXPECT_EQ(~mask + 1, (16_MiB).count);
  b.f.cfg_write(0x10, 4, 0x1234'5678, b.now);
  b.f.cfg_write(0x14, 4, 0x200, b.now);
  EXPECT_EQ(b.f.config().bar(), 0x200'1200'0000U);     // its lower bits are not there
  for (std::uint32_t at = 0x18; at < 0x28; at += 4) {  // no other BAR
    b.f.cfg_write(at, 4, ~0U, b.now);
    EXPECT_EQ(b.f.cfg_read(at, 4), 0U);
  }
  b.f.cfg_write(0, 4, 0, b.now);  // read-only
  EXPECT_EQ(b.f.cfg_read(0, 4), 0xf1a51234U);
}

TEST(PcieFunction, MemoryEnableGatesTheBarAndBusMasterDma) {
  Bench b;
  EXPECT_EQ(b.f.bar_read(0, 4), 0xffff'ffffU);
  EXPECT_EQ(b.f.bar_read(0, 8), ~0ULL);
  b.f.bar_write(0x14, 4, 1, b.now);
  EXPECT_TRUE(b.writes.empty());
  EXPECT_TRUE(b.reads.empty());
  EXPECT_EQ(b.f.unsupported(), 3U);
  EXPECT_NE(b.f.cfg_read(ConfigSpace::device_control + 2, 2) & 8U, 0U);  // Unsupported Request Detected, cleared by writing 1
  b.f.cfg_write(ConfigSpace::device_control + 2, 2, 8, b.now);
  EXPECT_EQ(b.f.cfg_read(ConfigSpace::device_control + 2, 2) & 8U, 0U);
  b.command(2);
  EXPECT_EQ(b.f.bar_read(0, 4), 0x03020100U);
  EXPECT_FALSE(b.f.may_master());
  b.command(6);
  EXPECT_TRUE(b.f.may_master());
  b.f.cfg_write(ConfigSpace::power, 1, 3, b.now);  // D3hot: nothing but configuration
  EXPECT_FALSE(b.f.may_master());
  EXPECT_EQ(b.f.bar_read(0, 4), 0xffff'ffffU);
  b.f.cfg_write(ConfigSpace::power, 1, 1, b.now);  // there is no D1: stays
  EXPECT_EQ(b.f.cfg_read(ConfigSpace::power, 1) & 3U, 3U);
  b.f.cfg_write(ConfigSpace::power, 1, 0, b.now);
  EXPECT_TRUE(b.f.may_master());
  EXPECT_EQ(b.f.cfg_read(ConfigSpace::command, 2), 6U);  // nothing was forgotten
}

TEST(PcieFunction, ReadsOfAnySizeAndPlaceGiveTheBytesThere) {
  Bench b;
  b.command(2);
  for (std::uint64_t offset = 0; offset < 16; ++offset) {
    for (unsigned size = 1; size <= 8; ++size) {
      std::uint64_t expected = 0;
      for (unsigned i = 0; i < size; ++i) expected |= (offset + i) << (8U * i);
      EXPECT_EQ(b.f.bar_read(offset, size), expected) << offset << " " << size;
    }
  }
  for (const unsigned size : b.reads) EXPECT_TRUE(size == 4 || size == 8);
  EXPECT_EQ(b.f.bar_read((16_MiB).count - 4, 8), ~0ULL);  // out of the window
  EXPECT_EQ(b.f.bar_read(0, 9), ~0ULL);
  b.f.bar_write(0x1001, 3, 7, b.now);  // the device's own business
  ASSERT_EQ(b.writes.size(), 1U);
  EXPECT_EQ(b.writes[0].size, 3U);
}

TEST(PcieFunction, AVectorIsSentWhereItsEntrySays) {
  Bench b;
  b.command(6);
  b.vector(69, 0x8000'0000'1230, 0xabcd, false);
  EXPECT_EQ(b.f.bar_read(identity.table + 69 * 16, 8), 0x8000'0000'1230U);
  EXPECT_EQ(b.f.bar_read(identity.table + 69 * 16 + 8, 4), 0xabcdU);
  b.f.raise(69, b.now);  // MSI-X is off: the host polls
  EXPECT_TRUE(b.messages.empty());
  b.f.cfg_write(ConfigSpace::msix + 2, 2, 0x8000, b.now);
  EXPECT_TRUE(b.messages.empty());  // what was not signalled is not remembered
  b.f.raise(69, Time{} + 5us);
  ASSERT_EQ(b.messages.size(), 1U);
  EXPECT_EQ(b.messages[0].address, 0x8000'0000'1230U);
  EXPECT_EQ(b.messages[0].data, 0xabcdU);
  EXPECT_EQ(b.messages[0].at, Time{} + 5us);
  b.f.raise(70, b.now);  // of no entry
  EXPECT_EQ(b.messages.size(), 1U);
  EXPECT_EQ(b.f.cfg_read(ConfigSpace::msix + 2, 2) & 0x7ffU, 69U);  // table size - 1
  b.expect_laws();
}

TEST(PcieFunction, MaskedVectorsArePendingAndNoneIsLost) {
  Bench b;
  b.command(6);
  b.f.cfg_write(ConfigSpace::msix + 2, 2, 0x8000, b.now);
  for (std::uint32_t v = 0; v < 70; ++v) b.vector(v, 0x1000 + 4 * v, v, true);
  for (std::uint32_t v = 0; v < 70; ++v) b.f.raise(v, b.now);
  b.f.raise(3, b.now);  // merged with the first
  EXPECT_TRUE(b.messages.empty());
  EXPECT_EQ(b.f.bar_read(identity.pending, 8), ~0ULL);
  EXPECT_EQ(b.f.bar_read(identity.pending + 8, 8), 0x3fU);
  b.f.bar_write(identity.pending, 8, 0, b.now);  // read-only
  EXPECT_EQ(b.f.bar_read(identity.pending, 4), 0xffff'ffffU);
  b.expect_laws();
  b.vector(64, 0x1100, 64, false);  // one is unmasked: it comes at once, the others stay
  ASSERT_EQ(b.messages.size(), 1U);
  EXPECT_EQ(b.messages[0].data, 64U);
  EXPECT_EQ(b.f.bar_read(identity.pending + 8, 8), 0x3eU);
  b.f.cfg_write(ConfigSpace::msix + 2, 2, 0xc000, b.now);  // function mask
  for (std::uint32_t v = 0; v < 70; ++v) b.vector(v, 0x1000 + 4 * v, v, false);
  EXPECT_EQ(b.messages.size(), 1U);
  b.command(2);  // no bus master: stays pending
  b.f.cfg_write(ConfigSpace::msix + 2, 2, 0x8000, b.now);
  EXPECT_EQ(b.messages.size(), 1U);
  b.command(6);
  ASSERT_EQ(b.messages.size(), 70U);
  std::map<std::uint32_t, int> seen;
  for (const auto& m : b.messages) ++seen[m.data];
  EXPECT_EQ(seen.size(), 70U);
  EXPECT_EQ(b.f.bar_read(identity.pending, 8), 0U);
  EXPECT_EQ(b.f.msix().merged(), 1U);
  b.expect_laws();
}

TEST(PcieFunction, OddWritesDoNotChangeTheTable) {
  Bench b;
  b.command(6);
  for (const auto& [offset, size] : {std::pair{0U, 1U}, {0U, 2U}, {1U, 4U}, {4U, 8U}, {0U, 3U}, {2U, 8U}})
    b.f.bar_write(identity.table + offset, size, ~0ULL, b.now);
  EXPECT_EQ(b.f.bar_read(identity.table, 8), 0U);
  EXPECT_EQ(b.f.bar_read(identity.table + 8, 8), 1ULL << 32U);  // masked after power-on
  EXPECT_TRUE(b.writes.empty());
  b.f.bar_write(identity.table, 4, 0xffff'ffff, b.now);
  EXPECT_EQ(b.f.bar_read(identity.table, 4), 0xffff'fffcU);  // messages are dwords
}

TEST(PcieFunction, AFunctionLevelResetForgetsEverything) {
  Bench b;
  b.command(6);
  b.f.cfg_write(0x10, 4, 0x0400'0000, b.now);
  b.f.cfg_write(ConfigSpace::msix + 2, 2, 0x8000, b.now);
  b.vector(0, 0x1000, 1, true);
  b.f.raise(0, b.now);
  b.f.cfg_write(ConfigSpace::device_control, 2, 0x0fff, b.now);
  EXPECT_EQ(b.resets, 0);
  b.f.cfg_write(ConfigSpace::device_control, 2, 0x8000, b.now);
  EXPECT_EQ(b.resets, 1);
  EXPECT_EQ(b.f.cfg_read(ConfigSpace::device_control, 2) & 0x8000U, 0U);  // always reads 0
  EXPECT_EQ(b.f.cfg_read(ConfigSpace::command, 2), 0U);
  EXPECT_EQ(b.f.config().bar(), 0U);
  EXPECT_EQ(b.f.cfg_read(ConfigSpace::msix + 2, 2) & 0x8000U, 0U);
  b.command(6);
  b.f.cfg_write(ConfigSpace::msix + 2, 2, 0x8000, b.now);
  b.vector(0, 0x1000, 1, false);
  EXPECT_TRUE(b.messages.empty());  // the one of before is gone
  b.expect_laws();
}

TEST(PcieFunction, FailedDmaIsSeenInTheStatusRegister) {
  Bench b;
  b.f.received(DmaStatus::ok);
  EXPECT_EQ(b.f.cfg_read(0x06, 2), 0x10U);
  b.f.received(DmaStatus::unsupported_request);
  EXPECT_EQ(b.f.cfg_read(0x06, 2), 0x2010U);
  b.f.received(DmaStatus::completer_abort);
  EXPECT_EQ(b.f.cfg_read(0x06, 2), 0x3010U);
  b.f.received(DmaStatus::timeout);
  EXPECT_EQ(b.f.failed(), 3U);
  b.f.cfg_write(0x06, 2, 0x2000, b.now);
  EXPECT_EQ(b.f.cfg_read(0x06, 2), 0x1010U);
}

}  // namespace
}  // namespace flashpath::pcie

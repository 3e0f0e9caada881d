// SPDX-License-Identifier: Apache-2.0
// Shadow doorbells: a host that rings the register only when the event index says so never waits in vain, and rings seldom.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000, shadow_at = 0x7000'0000, events_at = 0x7000'1000;

struct Rig : Host {
  explicit Rig(const std::vector<std::uint32_t>& sizes = {64}) { bring_up(sizes); }
  Status configure(std::uint64_t shadow = shadow_at, std::uint64_t events = events_at) {
    const std::array<unsigned char, 4096> zeros{};
    if (shadow % 4096 == 0) memory.write(shadow, zeros.data(), 4096);
    if (events % 4096 == 0) memory.write(events, zeros.data(), 4096);
    return admin_command({.opcode = 0x7c, .prp1 = shadow, .prp2 = events}).code();
  }
  /// As a driver does: the shadow first; the register if the new value passes the event index. True: it was written.
  bool update(std::uint32_t index, std::uint32_t value) {
    const auto old = memory.at<std::uint32_t>(shadow_at + 4 * index);
    memory.write(shadow_at + 4 * index, &value, 4);
    const auto event = memory.at<std::uint32_t>(events_at + 4 * index);
    const bool needed = static_cast<std::uint16_t>(value - event - 1) < static_cast<std::uint16_t>(value - old);
    if (needed) write32(0x1000 + 4 * index, value);
    rings += needed ? 1 : 0;
    return needed;
  }
  bool tail(HostQueue& q) { return update(2U * q.id, q.tail); }
  std::size_t take(HostQueue& q) {
    const std::size_t n = poll(q, false).size();
    if (n != 0) update(2U * q.id + 1, q.head);
    return n;
  }
  int rings = 0;
};

TEST(NvmeShadow, ItsPagesAreChecked) {
  Rig rig;
  EXPECT_EQ(rig.configure(shadow_at + 4), Status::invalid_field);
  EXPECT_EQ(rig.configure(shadow_at, events_at + 2048), Status::invalid_field);
  EXPECT_EQ(rig.configure(), Status::success);
  EXPECT_NE(rig.memory.at<IdentifyController>(0x40000).oacs & 1U << 8U, 0U);
}

TEST(NvmeShadow, AnIdleQueueIsRungABusyOneIsNot) {
  Rig rig;
  ASSERT_EQ(rig.configure(), Status::success);
  HostQueue& q = rig.queues[1];
  rig.put(q, Host::rw(IoOpcode::read, 0, 1, data_at));
  EXPECT_TRUE(rig.tail(q));
  rig.put(q, Host::rw(IoOpcode::read, 0, 1, data_at));
  EXPECT_FALSE(rig.tail(q));  // the event index is behind: the controller will look
  rig.agenda.run();
  EXPECT_EQ(rig.take(q), 2U);
  EXPECT_EQ(rig.memory.at<std::uint32_t>(events_at + 8), 2U);
  rig.put(q, Host::rw(IoOpcode::read, 0, 1, data_at));
  EXPECT_TRUE(rig.tail(q));
  rig.agenda.run();
  EXPECT_EQ(rig.take(q), 1U);
  rig.expect_laws();
}

/// Two queues that wrap many times, random batches and pauses of which some fall between the controller's look and its event index.
TEST(NvmeShadow, NothingIsEverForgotten) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rig rig{{16, 8}};
    ASSERT_EQ(rig.configure(), Status::success);
    Random random{seed, "shadow"};
    rig.read_time = 3us;
    std::uint64_t put = 0, got = 0;
    std::array<std::uint32_t, 3> inside{};
    rig.rings = 0;
    for (int step = 0; step < 3000; ++step) {
      const auto id = static_cast<std::uint16_t>(1 + random.below(2));
      HostQueue& q = rig.queues[id];
      std::uint32_t n = 0;
      for (; n < 1 + random.below(4) && inside[id] + n + 1 < q.size; ++n) rig.put(q, Host::rw(IoOpcode::read, 0, 1, data_at));
      if (n != 0) rig.tail(q);
      inside[id] += n;
      put += n;
      rig.agenda.run_until(rig.agenda.now() +
                           Duration{static_cast<std::int64_t>(random.below(random.below(4) == 0 ? 20'000'000 : 900'000))});
      for (std::uint16_t k = 1; k <= 2; ++k) {
        const auto done = static_cast<std::uint32_t>(rig.take(rig.queues[k]));
        inside[k] -= done;
        got += done;
      }
      rig.dmas.clear();
      rig.sent.clear();
      rig.requests.clear();
      rig.done.clear();
    }
    for (int i = 0; i < 20; ++i) {
      rig.agenda.run();
      for (std::uint16_t k = 1; k <= 2; ++k) got += rig.take(rig.queues[k]);
    }
    EXPECT_EQ(got, put) << seed;
    EXPECT_GT(put, 3000U);
    rig.expect_laws();
    rig.write32(0x14, 0);
    EXPECT_TRUE(rig.controller.idle());
  }
}

/// Depth 64 kept full: with the shadow the registers are hardly written.
TEST(NvmeShadow, AtDepth64TheRegistersRest) {
  Rig rig{{128}};
  ASSERT_EQ(rig.configure(), Status::success);
  HostQueue& q = rig.queues[1];
  std::uint64_t inside = 0, done = 0;
  while (done < 5000) {
    bool any = false;
    for (; inside < 64; ++inside, any = true) rig.put(q, Host::rw(IoOpcode::read, 0, 1, data_at));
    if (any) rig.tail(q);
    rig.agenda.step();
    const std::size_t n = rig.take(q);
    inside -= n;
    done += n;
  }
  EXPECT_LT(rig.rings, 1000);  // two per command without: 10,000
  EXPECT_EQ(rig.controller.statistics().bad_doorbells.value, 0U);
  rig.agenda.run();
  rig.expect_laws();
}

TEST(NvmeShadow, MemoryThatDoesNotAnswerIsFatalAndAResetEndsIt) {
  Rig rig;
  rig.bad_address = shadow_at + 8;
  ASSERT_EQ(rig.admin_command({.opcode = 0x7c, .prp1 = shadow_at, .prp2 = events_at}).code(), Status::success);
  rig.agenda.run();
  EXPECT_TRUE(rig.csts().cfs());
  rig.write32(0x14, 0);
  rig.bring_up();
  const std::uint64_t before = rig.controller.statistics().shadow_accesses.value;
  EXPECT_EQ(rig.io(Host::rw(IoOpcode::read, 0, 1, data_at)).code(), Status::success);
  EXPECT_EQ(rig.controller.statistics().shadow_accesses.value, before);
}

}  // namespace
}  // namespace flashpath::nvme::test

// SPDX-License-Identifier: Apache-2.0
// Interrupt coalescing to the picosecond: the threshold, the time, vectors that are taken out, the admin queue.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;

struct Rig : Host {
  explicit Rig() {
    bring_up({256, 256});
    controller.outside.interrupt = Delegate<void(std::uint16_t, Time)>::to<&Rig::raised>(this);
  }
  void raised(std::uint16_t vector, Time now) {
    EXPECT_EQ(now, agenda.now());
    if (vector != 0) at.push_back({vector, now});
  }
  void coalesce(std::uint32_t threshold, std::uint32_t hundreds_of_us) {
    EXPECT_EQ(admin_command({.opcode = 0x09, .cdw10 = 8, .cdw11 = (threshold - 1) | hundreds_of_us << 8U}).code(), Status::success);
  }
  /// `n` flushes at once; when their completion entries are in memory.
  std::vector<Time> flushes(std::uint16_t q, int n) {
    sent.clear();
    for (int i = 0; i < n; ++i) put(queues[q], {.opcode = 0x00, .nsid = 1});
    ring(queues[q]);
    agenda.run_until(agenda.now() + 50us);
    std::vector<Time> out;
    for (const Completion& c : sent) out.push_back(c.sent + dma_latency);
    EXPECT_EQ(out.size(), static_cast<std::size_t>(n));
    poll(queues[q]);
    return out;
  }
  struct Raised {
    std::uint16_t vector;
    Time at;
  };
  std::vector<Raised> at;
};

TEST(NvmeInterrupts, WithoutCoalescingEachCompletionIsOne) {
  Rig rig;
  const auto done = rig.flushes(1, 64);
  ASSERT_EQ(rig.at.size(), 64U);
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(rig.at[i].at, done[i]);
  rig.at.clear();
  rig.coalesce(8, 0);  // no time: no delay
  rig.flushes(1, 64);
  EXPECT_EQ(rig.at.size(), 64U);
  rig.at.clear();
  rig.coalesce(1, 5);  // one is enough
  rig.flushes(1, 64);
  EXPECT_EQ(rig.at.size(), 64U);
}

TEST(NvmeInterrupts, TheThresholdSignalsAtItsCompletion) {
  Rig rig;
  rig.coalesce(8, 255);
  const auto done = rig.flushes(1, 64);
  ASSERT_EQ(rig.at.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(rig.at[i].at, done[8 * i + 7]);
}

/// Seven of eight: nothing one picosecond before the first one's time is over, one interrupt on it; the timer of those that the
/// threshold signalled is not heard.
TEST(NvmeInterrupts, TheTimeSignalsWhatIsThere) {
  Rig rig;
  rig.coalesce(8, 3);
  const auto done = rig.flushes(1, 8 + 7);
  ASSERT_EQ(rig.at.size(), 1U);
  rig.agenda.run_until(done[8] + 300us - 1_ps);
  EXPECT_EQ(rig.at.size(), 1U);
  rig.agenda.run_until(done[8] + 300us);
  ASSERT_EQ(rig.at.size(), 2U);
  EXPECT_EQ(rig.at[1].at, done[8] + 300us);
  rig.agenda.run();
  EXPECT_EQ(rig.at.size(), 2U);
}

TEST(NvmeInterrupts, VectorsAreCountedApartAndCanBeTakenOut) {
  Rig rig;
  rig.coalesce(8, 255);
  rig.flushes(1, 5);
  rig.flushes(2, 5);
  EXPECT_TRUE(rig.at.empty());
  EXPECT_EQ(rig.admin_command({.opcode = 0x09, .cdw10 = 9, .cdw11 = 2U | 1U << 16U}).code(), Status::success);
  EXPECT_EQ(rig.admin_command({.opcode = 0x0a, .cdw10 = 9, .cdw11 = 2}).dw0, 2U | 1U << 16U);
  EXPECT_EQ(rig.admin_command({.opcode = 0x0a, .cdw10 = 9, .cdw11 = 1}).dw0, 1U);
  rig.at.clear();  // the admin commands ran until the timers were over
  rig.flushes(2, 5);
  EXPECT_EQ(rig.at.size(), 5U);
  rig.at.clear();
  rig.flushes(1, 7);
  EXPECT_TRUE(rig.at.empty());
  rig.flushes(1, 1);
  ASSERT_EQ(rig.at.size(), 1U);
  EXPECT_EQ(rig.at[0].vector, 1U);
}

TEST(NvmeInterrupts, TheAdminQueueIsNeverDelayed) {
  Rig rig;
  rig.coalesce(8, 255);
  const std::uint64_t before = rig.controller.statistics().interrupts.value;
  rig.put(rig.admin, {.opcode = 0x0a, .cdw10 = 1});
  rig.ring(rig.admin);
  rig.agenda.run_until(rig.agenda.now() + 100us);
  EXPECT_EQ(rig.poll(rig.admin).size(), 1U);
  EXPECT_EQ(rig.controller.statistics().interrupts.value, before + 1);
}

TEST(NvmeInterrupts, AResetForgetsWhatWaits) {
  Rig rig;
  rig.coalesce(8, 255);
  rig.flushes(1, 5);
  rig.write32(0x14, 0);
  rig.bring_up();
  rig.agenda.run();
  EXPECT_TRUE(rig.at.empty());
  rig.flushes(1, 2);
  EXPECT_EQ(rig.at.size(), 2U);  // and coalescing is off
}

}  // namespace
}  // namespace flashpath::nvme::test

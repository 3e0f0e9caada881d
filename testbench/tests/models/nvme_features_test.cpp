// SPDX-License-Identifier: Apache-2.0
// Get Features and Set Features, NVMe 2.0 §5.15 and §5.27: a table of every feature, then what the values do.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;

struct Rig : Host {
  explicit Rig(const Config& config = quick()) : Host{config} { enable(); }
  Cqe get(std::uint32_t dw10, std::uint32_t dw11 = 0, std::uint32_t nsid = 0) {
    return admin_command({.opcode = 0x0a, .nsid = nsid, .prp1 = data_at, .cdw10 = dw10, .cdw11 = dw11});
  }
  Cqe set(std::uint32_t dw10, std::uint32_t dw11, std::uint32_t nsid = 0) {
    return admin_command({.opcode = 0x09, .nsid = nsid, .prp1 = data_at, .cdw10 = dw10, .cdw11 = dw11});
  }
};

TEST(NvmeFeatures, AnswerAsTheStandardSays) {
  Rig host;
  EXPECT_EQ(host.get(0x01).dw0, 0x1f0f'0704U);  // bursts of 16, weights 32, 16, 8
  EXPECT_EQ(host.set(0x01, 2).code(), Status::success);
  EXPECT_EQ(host.get(0x01).dw0, 2U);
  EXPECT_EQ(host.get(0x101).dw0, 0x1f0f'0704U);
  EXPECT_EQ(host.get(0x401).code(), Status::invalid_field);
  EXPECT_EQ(host.set(0x0b, 0x1f).code(), Status::success);
  EXPECT_EQ(host.get(0x0b).dw0, 0x1fU);
  EXPECT_EQ(host.set(0x04, 0x150).code(), Status::success);
  EXPECT_EQ(host.set(0x02, 1).code(), Status::invalid_field);
  EXPECT_EQ(host.get(0x09, 3).dw0, 3U);
  EXPECT_EQ(host.get(0x09, 129).code(), Status::invalid_field);
  EXPECT_EQ(host.set(0x07, 0x0001'ffff).code(), Status::invalid_field);
  EXPECT_EQ(host.set(0x07, 0xffff'0001).code(), Status::invalid_field);
  EXPECT_EQ(host.set(0x07, 0x0003'0003).dw0, 0x007f'007fU);
  host.create(1, 16, 16);
  EXPECT_EQ(host.set(0x07, 0x0003'0003).code(), Status::command_sequence_error);
  EXPECT_EQ(host.set(0x05, 1U << 16U, 1).code(), Status::invalid_field);  // DULBE
}

/// Get with Select 3: saveable 0, per namespace 1, changeable 2. What is not in the table is not supported.
TEST(NvmeFeatures, EveryIdentifier) {
  Rig host;
  const std::map<std::uint32_t, std::uint32_t> capabilities{{0x01, 5}, {0x02, 5}, {0x04, 4}, {0x05, 6}, {0x07, 4},
                                                            {0x08, 5}, {0x09, 4}, {0x0a, 5}, {0x0b, 5}, {0x0e, 4},
                                                            {0x0f, 4}, {0x16, 4}, {0x80, 5}, {0x19, 4}, {0x1d, 4}};
  for (std::uint32_t id = 0; id < 256; ++id) {
    const auto found = capabilities.find(id);
    const std::uint32_t nsid = id == 5 ? 1 : 0;
    const Cqe cqe = host.get(id | 0x300, 0, nsid);
    if (found == capabilities.end()) {
      EXPECT_EQ(cqe.code(), Status::invalid_field) << id;
      EXPECT_EQ(host.get(id).code(), Status::invalid_field) << id;
      EXPECT_EQ(host.set(id, 0).code(), Status::invalid_field) << id;
      continue;
    }
    EXPECT_EQ(cqe.code(), Status::success) << id;
    EXPECT_EQ(cqe.dw0, found->second) << id;
    EXPECT_EQ(host.get(id, id == 0x1d ? 1 : 0, nsid).code(), Status::success) << id;
    const Status saved = host.set(id | 1U << 31U, 0, nsid).code();
    EXPECT_EQ(saved, (found->second & 1U) != 0 ? Status::success : Status::feature_not_saveable) << id;
    if (id == 5) {
      EXPECT_EQ(host.get(id, 0, 0).code(), Status::invalid_namespace);
      EXPECT_EQ(host.get(id, 0, 0xffff'ffff).code(), Status::invalid_namespace);
      EXPECT_EQ(host.set(id, 3, 0xffff'ffff).code(), Status::success);
      EXPECT_EQ(host.set(id, 3, 9).code(), Status::invalid_field);
    } else {
      EXPECT_EQ(host.set(id, 0, 1).code(), Status::feature_not_per_namespace) << id;
      EXPECT_EQ(host.set(id, 0, 77).code(), Status::invalid_namespace) << id;
    }
  }
}

TEST(NvmeFeatures, SavedValuesOutliveAReset) {
  Rig host;
  EXPECT_EQ(host.set(0x01 | 1U << 31U, 2).code(), Status::success);
  EXPECT_EQ(host.set(0x01, 0).code(), Status::success);
  EXPECT_EQ(host.get(0x01).dw0, 0U);
  EXPECT_EQ(host.get(0x201).dw0, 2U);
  EXPECT_EQ(host.get(0x101).dw0, 0x1f0f'0704U);
  EXPECT_EQ(host.set(0x0b, 0xff).code(), Status::success);
  host.write32(0x14, 0);
  host.enable();
  EXPECT_EQ(host.get(0x01).dw0, 2U);
  EXPECT_EQ(host.get(0x0b).dw0, 0U);
  // In force, too: bursts of 4 entries at most.
  host.create(1, 64, 64);
  for (int i = 0; i < 20; ++i) host.put(host.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.dmas.clear();
  host.ring(host.queues[1]);
  host.agenda.run();
  std::uint64_t most = 0;
  for (const Host::SeenDma& d : host.dmas) {
    if (d.purpose == DmaRequest::Purpose::sqe_fetch) most = std::max(most, d.size.count);
  }
  EXPECT_EQ(most, 4 * 64U);
}

TEST(NvmeFeatures, TimestampRunsInMilliseconds) {
  Rig host;
  const std::uint64_t given = 1'700'000'000'123;
  host.memory.write(data_at, &given, 8);
  ASSERT_EQ(host.set(0x0e, 0).code(), Status::success);
  host.agenda.run_until(host.agenda.now() + 5s);
  ASSERT_EQ(host.get(0x0e).code(), Status::success);
  const auto value = host.memory.at<std::uint64_t>(data_at);
  EXPECT_EQ(value & 0xffff'ffff'ffff, given + 5000);
  EXPECT_EQ(value >> 48U, 2U);  // its origin is Set Features
}

TEST(NvmeFeatures, HostBehaviorIsTakenAndForgottenByAReset) {
  Rig host;
  std::array<std::uint8_t, 512> behavior{1, 0, 1};
  host.memory.write(data_at, behavior.data(), behavior.size());
  ASSERT_EQ(host.set(0x16, 0).code(), Status::success);
  behavior = {0, 2};
  host.memory.write(data_at, behavior.data(), behavior.size());
  EXPECT_EQ(host.set(0x16, 0).code(), Status::invalid_field);
  ASSERT_EQ(host.get(0x16).code(), Status::success);
  EXPECT_EQ(host.memory.at<std::uint32_t>(data_at), 0x00'01'00'01U);
  host.write32(0x14, 0);
  host.enable();
  ASSERT_EQ(host.get(0x16).code(), Status::success);
  EXPECT_EQ(host.memory.at<std::uint32_t>(data_at), 0U);
}

/// One picosecond before the timer ends the controller works, at its end it has given the host up.
TEST(NvmeFeatures, KeepAliveEndsInAFatalStatusUnlessItIsRenewed) {
  Rig host;
  Sqe set{.opcode = 0x09, .cid = 1, .cdw10 = 0x0f, .cdw11 = 1500};  // rounded up to 2 s
  host.put(host.admin, set);
  host.ring(host.admin);
  host.agenda.run_until(host.agenda.now() + 1ms);
  const Time set_at = host.sent.back().sent - host.config.completion_latency;
  host.agenda.run_until(set_at + 2s - 1ms);
  Sqe alive{.opcode = 0x18, .cid = 2};
  host.put(host.admin, alive);
  host.ring(host.admin);
  host.agenda.run_until(set_at + 2s);
  EXPECT_FALSE(host.csts().cfs());
  const Time renewed = host.sent.back().sent - host.config.completion_latency;
  host.agenda.run_until(renewed + 2s - 1_ps);
  EXPECT_FALSE(host.csts().cfs());
  host.agenda.run_until(renewed + 2s);
  EXPECT_TRUE(host.csts().cfs());
  host.write32(0x14, 0);
  host.enable();
  host.agenda.run_until(host.agenda.now() + 10s);
  EXPECT_FALSE(host.csts().cfs());  // not saved: off again
}

}  // namespace
}  // namespace flashpath::nvme::test

// SPDX-License-Identifier: Apache-2.0
// Format NVM: its fields, and the I/O commands before it and behind it.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;

Sqe format(std::uint32_t secure = 0, std::uint32_t nsid = 1) { return {.opcode = 0x80, .nsid = nsid, .cdw10 = secure << 9U}; }

TEST(NvmeFormat, IsAnnounced) {
  Host host;
  host.bring_up();
  const auto id = host.memory.at<IdentifyController>(0x40000);
  EXPECT_NE(id.oacs & 2U, 0U);
  EXPECT_EQ(id.fna, 6U);  // one namespace; secure erase of all; cryptographic erase
}

TEST(NvmeFormat, EveryFieldIsChecked) {
  Host host;
  host.bring_up();
  const auto code = [&](Sqe sqe) { return host.admin_command(sqe).code(); };
  EXPECT_EQ(code(format(0, 0)), Status::invalid_namespace);
  EXPECT_EQ(code(format(0, 33)), Status::invalid_namespace);
  EXPECT_EQ(code(format(0, 2)), Status::invalid_field);  // inactive
  EXPECT_EQ(code(format(3)), Status::invalid_field);
  EXPECT_EQ(code(format(7)), Status::invalid_field);
  for (const std::uint32_t bad : {2U, 15U, 1U << 5U, 7U << 5U, 1U << 12U, 1U << 13U}) {
    EXPECT_EQ(code({.opcode = 0x80, .nsid = 1, .cdw10 = bad}), Status::invalid_format) << bad;
  }
  EXPECT_TRUE(host.requests.empty());
  EXPECT_EQ(code(format(0)), Status::success);
  EXPECT_EQ(code(format(1)), Status::success);
  EXPECT_EQ(code(format(1, 0xffff'ffff)), Status::success);
  EXPECT_EQ(code(format(2)), Status::success);  // a new key: nothing is erased
  ASSERT_EQ(host.requests.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(host.requests[i].kind, ftl::RequestKind::format);
    EXPECT_EQ(host.requests[i].erase, i == 1 || i == 2);
  }
  host.expect_laws();
}

/// 64 reads are inside: the format waits for the last, and reads that come meanwhile are told so, to be tried again.
TEST(NvmeFormat, WaitsForCommandsBeforeItAndRefusesThoseBehindIt) {
  Host host;
  host.bring_up({128});
  host.other_time = 5ms;
  HostQueue& q = host.queues.at(1);
  const Time begin = host.agenda.now();
  for (std::uint16_t i = 0; i < 64; ++i) {
    Sqe sqe = Host::rw(IoOpcode::read, i, 1, data_at);
    sqe.cid = i;
    host.put(q, sqe);
  }
  host.read_time = 1ms;
  host.ring(q);
  host.agenda.run_until(begin + 100us);
  Sqe f = format(1);
  f.cid = 500;
  host.put(host.admin, f);
  host.ring(host.admin);
  host.agenda.run_until(begin + 200us);
  EXPECT_EQ(host.requests.size(), 64U);  // not yet
  const auto late = [&](std::uint16_t cid, Sqe sqe) {
    sqe.cid = cid;
    host.put(q, sqe);
    host.ring(q);
    host.agenda.run_until(host.agenda.now() + 100us);
    const std::vector<Cqe> done = host.poll(q);
    ASSERT_EQ(done.size(), 1U);
    EXPECT_EQ(done[0].cid, cid);
    EXPECT_EQ(done[0].code(), Status::format_in_progress);
    EXPECT_FALSE(done[0].dnr());
  };
  late(100, Host::rw(IoOpcode::read, 0, 1, data_at));
  late(101, {.opcode = 0x00, .nsid = 1});
  host.agenda.run_until(begin + 2ms);
  EXPECT_EQ(host.poll(q).size(), 64U);
  ASSERT_EQ(host.requests.size(), 65U);
  EXPECT_EQ(host.requests.back().kind, ftl::RequestKind::format);
  EXPECT_GT(host.requests.back().at, begin + 1ms);
  late(102, Host::rw(IoOpcode::write, 0, 1, data_at));
  Sqe again = format();
  again.cid = 501;
  host.put(host.admin, again);
  host.ring(host.admin);
  host.agenda.run_until(begin + 3ms);
  std::vector<Cqe> done = host.poll(host.admin);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].cid, 501);
  EXPECT_EQ(done[0].code(), Status::format_in_progress);
  host.agenda.run();
  done = host.poll(host.admin);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].cid, 500);
  EXPECT_EQ(done[0].code(), Status::success);
  EXPECT_EQ(host.io(Host::rw(IoOpcode::read, 0, 1, data_at)).code(), Status::success);
  EXPECT_TRUE(host.controller.idle());
  host.expect_laws();
}

/// A reset while it waits forgets it; one while the drive works is ready again when the drive has finished.
TEST(NvmeFormat, AResetWhileItWaitsOrWorks) {
  for (const bool works : {false, true}) {
    Host host;
    host.bring_up();
    host.other_time = 5ms;
    host.read_time = 1ms;
    HostQueue& q = host.queues.at(1);
    if (!works) {
      host.put(q, Host::rw(IoOpcode::read, 0, 1, data_at));
      host.ring(q);
      host.agenda.run_until(host.agenda.now() + 100us);
    }
    host.put(host.admin, format(1));
    host.ring(host.admin);
    host.agenda.run_until(host.agenda.now() + 100us);
    host.write32(0x14, 0);
    host.agenda.run();
    EXPECT_FALSE(host.csts().rdy());
    EXPECT_EQ(host.requests.back().kind, works ? ftl::RequestKind::format : ftl::RequestKind::read);
    host.bring_up();
    EXPECT_EQ(host.io(Host::rw(IoOpcode::read, 0, 1, data_at)).code(), Status::success);
    EXPECT_EQ(host.admin_command(format(1)).code(), Status::success);
    host.expect_laws();
  }
}

}  // namespace
}  // namespace flashpath::nvme::test

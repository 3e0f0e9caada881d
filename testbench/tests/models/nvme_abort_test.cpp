// SPDX-License-Identifier: Apache-2.0
// Abort: what can still be ended is, with its completion first; what cannot ends by itself. And every way to reset and shut down.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;

Sqe abort(std::uint32_t sq, std::uint32_t victim, std::uint16_t cid) { return {.opcode = 0x08, .cid = cid, .cdw10 = sq | victim << 16U}; }

TEST(NvmeAbort, WhatCannotBeAborted) {
  Host host;
  host.bring_up();
  EXPECT_EQ(host.admin_command({.opcode = 0x08, .cdw10 = 1U | 77U << 16U}).dw0, 1U);  // no such command
  EXPECT_EQ(host.admin_command({.opcode = 0x08, .cdw10 = 2}).code(), Status::invalid_field);
  EXPECT_EQ(host.admin_command({.opcode = 0x08, .cdw10 = 0xffff}).code(), Status::invalid_field);
  host.read_time = 1ms;
  Sqe read = Host::rw(IoOpcode::read, 0, 1, data_at);
  read.cid = 5;
  host.put(host.queues[1], read);
  host.ring(host.queues[1]);
  host.agenda.run_until(host.agenda.now() + 100us);  // the flash is at it
  EXPECT_EQ(host.admin_command(abort(1, 5, 0)).dw0, 1U);
  const auto done = host.poll(host.queues[1]);
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].code(), Status::success);
}

/// In its front end (4 ms a command): one of 64 is ended without touching the FTL.
TEST(NvmeAbort, ACommandInItsFrontEndNeverBegins) {
  Config c = Host::quick();
  c.engines = 1;
  c.command_time = 1us;
  c.read_latency = 500us;
  c.admin_latency = 1us;
  Host host{c};
  host.bring_up({128});
  for (std::uint16_t i = 0; i < 64; ++i) {
    Sqe read = Host::rw(IoOpcode::read, i, 1, data_at);
    read.cid = i;
    host.put(host.queues[1], read);
  }
  host.ring(host.queues[1]);
  host.agenda.run_until(host.agenda.now() + 200us);
  host.put(host.admin, abort(1, 40, 900));
  host.ring(host.admin);
  host.agenda.run();
  EXPECT_EQ(host.requests.size(), 63U);
  const auto done = host.poll(host.queues[1]);
  ASSERT_EQ(done.size(), 64U);
  for (const Cqe& cqe : done) EXPECT_EQ(cqe.code(), cqe.cid == 40 ? Status::abort_requested : Status::success);
  const auto answer = host.poll(host.admin);
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0].dw0, 0U);
  Time victim{}, aborter{};
  for (const Completion& s : host.sent) {
    if (s.cqe.cid == 40 && s.cqe.sqid == 1) victim = s.sent;
    if (s.cqe.cid == 900) aborter = s.sent;
  }
  EXPECT_GE(aborter, victim + host.dma_latency);
  EXPECT_EQ(host.controller.statistics().aborted.value, 1U);
  host.expect_laws();
}

TEST(NvmeAbort, AWriteThatWaitsForStagingAndAnEventRequest) {
  Config c = Host::quick();
  c.staging = 256_KiB;
  Host host{c};
  host.bring_up();
  host.write_accept = 1ms;
  for (std::uint16_t i = 0; i < 3; ++i) {
    Sqe write = Host::rw(IoOpcode::write, i * 64, 64, 0);
    host.describe(write, data_at, 64 * 4096, 0x5000'0000);
    write.cid = i;
    host.put(host.queues[1], write);
  }
  host.ring(host.queues[1]);
  for (std::uint16_t i = 0; i < 2; ++i) host.put(host.admin, {.opcode = 0x0c, .cid = static_cast<std::uint16_t>(0x700 + i)});
  host.ring(host.admin);
  host.agenda.run_until(host.agenda.now() + 200us);
  host.put(host.admin, abort(1, 2, 900));
  host.put(host.admin, abort(0, 0x701, 901));
  host.put(host.admin, abort(1, 0, 902));  // its data are here: too late
  host.ring(host.admin);
  host.agenda.run();
  for (const Cqe& cqe : host.poll(host.queues[1])) EXPECT_EQ(cqe.code(), cqe.cid == 2 ? Status::abort_requested : Status::success);
  EXPECT_EQ(host.requests.size(), 2U);
  const auto done = host.poll(host.admin);
  ASSERT_EQ(done.size(), 4U);
  for (const Cqe& cqe : done) {
    if (cqe.cid == 0x701) EXPECT_EQ(cqe.code(), Status::abort_requested);
    else EXPECT_EQ(cqe.dw0, cqe.cid == 902 ? 1U : 0U) << cqe.cid;
  }
  host.write32(0x14, 0);
  EXPECT_TRUE(host.controller.idle());
  host.expect_laws();
}

TEST(NvmeAbort, MoreAtOnceThanAnnounced) {
  Config c = Host::quick();
  c.read_latency = 1ms;
  c.command_time = 100ns;
  c.admin_latency = 1us;
  Host host{c};
  host.bring_up();
  EXPECT_EQ(host.memory.at<IdentifyController>(0x40000).acl, 3U);
  for (std::uint16_t i = 0; i < 8; ++i) {
    Sqe read = Host::rw(IoOpcode::read, i, 1, data_at);
    read.cid = static_cast<std::uint16_t>(i + 1);
    host.put(host.queues[1], read);
  }
  host.ring(host.queues[1]);
  host.agenda.run_until(host.agenda.now() + 20us);
  for (std::uint16_t i = 0; i < 5; ++i)
    host.put(host.admin, abort(1, static_cast<std::uint16_t>(i + 1), static_cast<std::uint16_t>(900 + i)));
  host.ring(host.admin);
  host.agenda.run_until(host.agenda.now() + 50us);
  const auto early = host.poll(host.admin);
  ASSERT_EQ(early.size(), 1U);
  EXPECT_EQ(early[0].code(), Status::abort_limit_exceeded);
  host.write32(0x14, 0);  // a reset in the middle
  host.agenda.run();
  EXPECT_TRUE(host.controller.idle());
  host.expect_laws();
  host.bring_up();
  EXPECT_EQ(host.admin_command(abort(1, 3, 0)).dw0, 1U);
}

TEST(NvmeReset, SubsystemReset) {
  Host host;
  host.bring_up();
  EXPECT_NE(Cap{host.controller.mmio_read(0, 8)}.raw >> 36U & 1U, 0U);
  host.put(host.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.ring(host.queues[1]);
  host.agenda.run_until(host.agenda.now() + 10us);
  host.write32(0x20, 0x1234);
  EXPECT_TRUE(host.csts().rdy());
  host.write32(0x20, 0x4e56'4d65);
  EXPECT_EQ(host.read32(0x14), 0U);
  EXPECT_EQ(host.read32(0x24), 0U);
  EXPECT_EQ(host.controller.mmio_read(0x28, 8), 0U);
  host.agenda.run();
  EXPECT_EQ(host.csts().raw, 1U << 4U);
  EXPECT_TRUE(host.poll(host.queues[1]).empty());
  host.bring_up();
  EXPECT_EQ(host.csts().raw, 1U | 1U << 4U);  // it is remembered until it is cleared
  host.write32(0x1c, 1U << 4U);
  EXPECT_EQ(host.csts().raw, 1U);
  EXPECT_EQ(host.io(Host::rw(IoOpcode::read, 0, 1, data_at)).code(), Status::success);
  host.expect_laws();
}

TEST(NvmeReset, AnAbruptShutdownDoesNotFlushAndAReservedOneIsNone) {
  Host host;
  host.bring_up();
  host.write32(0x14, Cc::make(true, 0, 3).raw);
  EXPECT_EQ(host.csts().shst(), 0U);
  host.write32(0x14, Cc::make(true, 0, 0).raw);
  host.write32(0x14, Cc::make(true, 0, 2).raw);
  EXPECT_EQ(host.csts().shst(), 2U);
  EXPECT_TRUE(host.requests.empty());
  host.write32(0x14, 0);
  host.bring_up();
  EXPECT_EQ(host.csts().shst(), 0U);
}

}  // namespace
}  // namespace flashpath::nvme::test

// SPDX-License-Identifier: Apache-2.0
// Registers, enable, reset, shutdown, doorbells, admin commands.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;
constexpr std::uint64_t list_at = 0x3000'0000;

TEST(NvmeRegisters, SayWhatTheConfigurationSays) {
  Config config = Host::quick();
  config.max_queue_entries = 1024;
  config.doorbell_stride = 32_B;
  config.max_page = 16_KiB;
  const Host host{config};
  const Cap cap{host.controller.mmio_read(0, 8)};
  EXPECT_EQ(cap.mqes(), 1023U);
  EXPECT_TRUE(cap.cqr());
  EXPECT_EQ(cap.dstrd(), 3U);
  EXPECT_EQ(cap.mpsmin(), 0U);
  EXPECT_EQ(cap.mpsmax(), 2U);
  EXPECT_EQ(cap.to(), 1U);
  EXPECT_EQ(host.read32(0) | (static_cast<std::uint64_t>(host.read32(4)) << 32U), cap.raw);
  EXPECT_EQ(host.read32(0x08), 0x00020000U);
}

TEST(NvmeRegisters, OddAccessesReadZeroAndWriteNothing) {
  Host host;
  host.write32(0x24, 0x001f001f);
  for (const unsigned size : {1U, 2U, 3U, 5U, 6U, 7U, 16U}) {
    EXPECT_EQ(host.controller.mmio_read(0, size), 0U);
    host.controller.mmio_write(0x24, size, 0, host.agenda.now());
  }
  EXPECT_EQ(host.controller.mmio_read(2, 4), 0U);
  EXPECT_EQ(host.controller.mmio_read(4, 8), 0U);
  EXPECT_EQ(host.controller.mmio_read(0x1000, 4), 0U);
  EXPECT_EQ(host.controller.mmio_read(~std::uint64_t{3}, 4), 0U);
  host.controller.mmio_write(0x25, 4, 0, host.agenda.now());
  EXPECT_EQ(host.read32(0x24), 0x001f001fU);
  EXPECT_EQ(host.controller.statistics().ignored_writes.value, 8U);
  host.write32(0x28, 0x1234'5fff);
  host.write32(0x2c, 0x9);
  EXPECT_EQ(host.controller.mmio_read(0x28, 8), 0x9'1234'5000U);
  host.write32(0x0c, 0xf0);
  host.write32(0x10, 0x30);
  EXPECT_EQ(host.read32(0x0c), 0xc0U);
}

TEST(NvmeRegisters, ReadyComesAfterEnableTimeNotBefore) {
  Host host;
  host.write32(0x24, 0x001f001f);
  host.write32(0x14, Cc::make(true).raw);
  host.agenda.run_until(Time{} + 1us - 1_ps);
  EXPECT_FALSE(host.csts().rdy());
  host.agenda.run_until(Time{} + 1us);
  EXPECT_TRUE(host.csts().rdy());
  host.write32(0x24, 0);  // fixed while enabled
  EXPECT_EQ(host.read32(0x24), 0x001f001fU);
  host.write32(0x14, Cc::make(false).raw);
  EXPECT_FALSE(host.csts().rdy());
}

TEST(NvmeRegisters, WhatCannotBeEnabledIsFatal) {
  for (const std::uint32_t cc : {Cc::make(true, 5).raw, Cc::make(true).raw | (1U << 4U), Cc::make(true).raw | (2U << 11U)}) {
    Host host;
    host.write32(0x24, 0x001f001f);
    host.write32(0x14, cc);
    host.agenda.run();
    EXPECT_TRUE(host.csts().cfs());
    EXPECT_FALSE(host.csts().rdy());
    host.write32(0x14, 0);
    EXPECT_FALSE(host.csts().cfs());
    host.enable();
  }
  Host host;
  host.write32(0x14, Cc::make(true).raw);  // admin queues of one entry
  EXPECT_TRUE(host.csts().cfs());
}

TEST(NvmeRegisters, ADisableBeforeReadyIsNotForgotten) {
  Host host;
  host.write32(0x24, 0x001f001f);
  host.write32(0x14, Cc::make(true).raw);
  host.write32(0x14, 0);
  host.write32(0x14, Cc::make(true).raw);
  host.agenda.run_until(Time{} + 999ns);
  host.write32(0x14, 0);
  host.agenda.run();
  EXPECT_FALSE(host.csts().rdy());
}

TEST(NvmeRegisters, ShutdownFlushesFirst) {
  Host host;
  host.bring_up();
  const Time begin = host.agenda.now();
  host.write32(0x14, Cc::make(true, 0, 1).raw);
  EXPECT_EQ(host.csts().shst(), 1U);
  host.agenda.run_until(begin + 2us - 1_ps);
  EXPECT_EQ(host.csts().shst(), 1U);
  host.agenda.run_until(begin + 2us);
  EXPECT_EQ(host.csts().shst(), 2U);
  EXPECT_EQ(host.requests.back().kind, ftl::RequestKind::flush);
  host.put(host.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.ring(host.queues[1]);
  host.agenda.run();
  EXPECT_TRUE(host.poll(host.queues[1]).empty());
  host.write32(0x14, 0);
  EXPECT_EQ(host.csts().shst(), 2U);
  host.bring_up();
  EXPECT_EQ(host.csts().shst(), 0U);
  EXPECT_EQ(host.io(Host::rw(IoOpcode::read, 0, 1, data_at)).code(), Status::success);
}

TEST(NvmeRegisters, ResetInTheMiddleOfEverythingPostsNothingAndReturnsEverything) {
  for (int moment = 0; moment < 120; moment += 4) {
    Host host{Host::quick(), true};
    host.bring_up({64, 64});
    host.write_accept = 20us;
    for (std::uint16_t q = 1; q <= 2; ++q) {
      for (std::uint32_t i = 0; i < 20; ++i) {
        Sqe sqe = Host::rw(i % 2 == 0 ? IoOpcode::read : IoOpcode::write, i * 256, 256, 0);
        host.describe(sqe, data_at, (1_MiB).count, list_at);
        host.put(host.queues[q], sqe);
      }
      host.ring(host.queues[q]);
    }
    host.put(host.admin, {.opcode = 0x0c});
    host.ring(host.admin);
    host.agenda.run_until(host.agenda.now() + moment * 1us);
    host.write32(0x14, 0);
    const std::size_t posted = host.sent.size();
    host.agenda.run();
    EXPECT_EQ(host.sent.size(), posted);
    EXPECT_FALSE(host.csts().rdy());
    EXPECT_TRUE(host.controller.idle()) << moment;
    host.expect_laws();
    host.write_accept = 1us;
    host.bring_up();
    EXPECT_EQ(host.io(Host::rw(IoOpcode::read, 0, 1, data_at)).code(), Status::success);
    host.expect_laws();
  }
}

TEST(NvmeRegisters, ReadyFallsOnlyWhenNothingTouchesHostMemoryAnyMore) {
  Host host;
  host.bring_up();
  host.put(host.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.ring(host.queues[1]);
  const Time begin = host.agenda.now();
  host.agenda.run_until(begin + 10us);
  host.write32(0x14, 0);
  host.write32(0x14, Cc::make(true).raw);  // at once: it counts when the reset is over
  host.agenda.run_until(begin + 4800ns + 50us - 1_ps);
  EXPECT_TRUE(host.csts().rdy());
  host.agenda.run_until(begin + 4800ns + 50us);
  EXPECT_FALSE(host.csts().rdy());
  host.agenda.run_until(begin + 4800ns + 50us + 1us);
  EXPECT_TRUE(host.csts().rdy());
}

TEST(NvmeRegisters, QueueMemoryThatDoesNotAnswerIsFatalUntilReset) {
  Host host;
  host.bring_up({64, 64});
  host.put(host.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.bad_address = host.queues[1].sq;
  host.ring(host.queues[1]);
  host.agenda.run();
  EXPECT_TRUE(host.csts().cfs());
  host.expect_laws();
  host.bad_address = ~std::uint64_t{0};
  host.write32(0x14, 0);
  host.bring_up();
  host.put(host.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.put(host.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.bad_address = host.queues[1].cq;
  host.ring(host.queues[1]);
  host.agenda.run();
  EXPECT_TRUE(host.csts().cfs());
  host.expect_laws();
  host.write32(0x14, 0);
  EXPECT_TRUE(host.controller.idle());
}

TEST(NvmeRegisters, BadDoorbellsAreLoggedAndRaiseOneEventUntilTheLogIsRead) {
  Host host;
  host.bring_up();
  for (int i = 0; i < 3; ++i) { host.put(host.admin, {.opcode = 0x0c, .cid = static_cast<std::uint16_t>(0x700 + i)}); }
  host.ring(host.admin);
  host.agenda.run();
  EXPECT_TRUE(host.poll(host.admin).empty());
  host.write32(sq_tail_doorbell(2), 1);      // no such queue
  host.write32(sq_tail_doorbell(60000), 1);  // no such register
  host.write32(sq_tail_doorbell(1), 64);     // beyond the queue: another event, same type
  host.write32(cq_head_doorbell(1), 1);      // nothing to take
  host.write32(0x1000 + 2, 1);               // not a register: ignored
  host.controller.mmio_write(0x1008, 8, 1, host.agenda.now());
  host.agenda.run();
  EXPECT_EQ(host.controller.statistics().bad_doorbells.value, 4U);
  std::vector<Cqe> events = host.poll(host.admin);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].cid, 0x700);
  EXPECT_EQ(events[0].dw0,
            async_event(AsyncEventType::error_status, AsyncErrorInfo::invalid_doorbell_register, LogPage::error_information));
  const Sqe get_log{.opcode = 0x02, .cid = 0x999, .nsid = 0xffff'ffff, .prp1 = data_at, .cdw10 = 1U | (127U << 16U)};
  host.put(host.admin, get_log);
  host.ring(host.admin);
  host.agenda.run();
  events = host.poll(host.admin);
  ASSERT_EQ(events.size(), 2U);  // the log and the next event
  EXPECT_EQ(host.memory.at<ErrorEntry>(data_at).error_count, 4U);
  EXPECT_EQ(host.memory.at<ErrorEntry>(data_at).sqid, 1U);
  EXPECT_EQ(host.memory.at<ErrorEntry>(data_at + 3 * 64).sqid, 2U);
  EXPECT_EQ(host.memory.at<ErrorEntry>(data_at + 4 * 64).error_count, 0U);
  EXPECT_EQ(host.io(Host::rw(IoOpcode::read, 0, 1, data_at)).code(), Status::success);
  host.expect_laws();
}

TEST(NvmeAdmin, IdentifyDescribesControllerAndNamespace) {
  Host host;
  host.bring_up();
  const auto ask = [&](std::uint32_t cns, std::uint32_t nsid) {
    return host.admin_command({.opcode = 0x06, .nsid = nsid, .prp1 = data_at + 0x800, .prp2 = data_at + 0x5000, .cdw10 = cns}).code();
  };
  const auto answer = [&](auto what) {
    host.memory.read(data_at + 0x800, &what, 0x800);
    host.memory.read(data_at + 0x5000, reinterpret_cast<unsigned char*>(&what) + 0x800, 0x800);
    return what;
  };
  ASSERT_EQ(ask(1, 0), Status::success);
  const auto controller = answer(IdentifyController{});
  EXPECT_EQ(controller.mdts, 8);  // 2^8 pages: 1 MiB
  EXPECT_EQ(controller.nn, 32U);
  EXPECT_EQ(controller.sqes, 0x66);
  EXPECT_EQ(controller.ver, version_2_0);
  EXPECT_EQ((std::string_view{controller.sn.data(), 4}), "S1  ");
  EXPECT_EQ(controller.vwc & 1U, 0U);
  EXPECT_EQ(std::string_view{controller.subnqn.data()}, "nqn.2024-01.org.flashpath:S1");
  ASSERT_EQ(ask(0, 1), Status::success);
  const auto ns = answer(IdentifyNamespace{});
  EXPECT_EQ(ns.nsze, 262144U);
  EXPECT_EQ(ns.lbaf[0].lbads, 12);
  EXPECT_EQ(ask(0, 33), Status::invalid_namespace);
  ASSERT_EQ(ask(0, 2), Status::success);  // inactive: zeros
  EXPECT_EQ(answer(IdentifyNamespace{}).nsze, 0U);
  ASSERT_EQ(ask(2, 0), Status::success);
  EXPECT_EQ(host.memory.at<std::uint64_t>(data_at + 0x800), 1U);
  ASSERT_EQ(ask(2, 1), Status::success);
  EXPECT_EQ(host.memory.at<std::uint32_t>(data_at + 0x800), 0U);
  EXPECT_EQ(ask(2, 0xffff'fffe), Status::invalid_namespace);
  ASSERT_EQ(ask(3, 1), Status::success);
  EXPECT_EQ(host.memory.at<std::uint16_t>(data_at + 0x800), 0x1002U);
  EXPECT_EQ(ask(8, 1), Status::success);
  EXPECT_EQ(ask(0x14, 1), Status::invalid_field);
  EXPECT_EQ(host.admin_command({.opcode = 0x06, .prp1 = unmapped, .cdw10 = 1}).code(), Status::data_transfer_error);
  EXPECT_EQ(host.admin_command({.opcode = 0x06, .prp1 = data_at + 1, .cdw10 = 1}).code(), Status::prp_offset_invalid);
}

TEST(NvmeAdmin, QueuesAreCheckedAsTheStandardSays) {
  Host host;
  host.bring_up();
  const auto cq = [&](std::uint32_t id, std::uint32_t size, std::uint32_t dw11, std::uint64_t at = 0x200'0000) {
    return host.admin_command({.opcode = 0x05, .prp1 = at, .cdw10 = id | ((size - 1) << 16U), .cdw11 = dw11}).code();
  };
  const auto sq = [&](std::uint32_t id, std::uint32_t size, std::uint32_t dw11, std::uint64_t at = 0x200'0000) {
    return host.admin_command({.opcode = 0x01, .prp1 = at, .cdw10 = id | ((size - 1) << 16U), .cdw11 = dw11}).code();
  };
  const auto remove = [&](std::uint8_t opcode, std::uint32_t id) { return host.admin_command({.opcode = opcode, .cdw10 = id}).code(); };
  EXPECT_EQ(cq(0, 16, 1), Status::invalid_qid);
  EXPECT_EQ(cq(1, 16, 1), Status::invalid_qid);  // exists
  EXPECT_EQ(cq(129, 16, 1), Status::invalid_qid);
  EXPECT_EQ(cq(0xffff, 16, 1), Status::invalid_qid);
  EXPECT_EQ(cq(2, 1, 1), Status::invalid_queue_size);
  EXPECT_EQ(cq(2, 4097, 1), Status::invalid_queue_size);
  EXPECT_EQ(cq(2, 16, 0), Status::invalid_field);  // not contiguous
  EXPECT_EQ(cq(2, 16, 3U | (129U << 16U)), Status::invalid_interrupt_vector);
  EXPECT_EQ(cq(2, 16, 1, 0x200'0010), Status::prp_offset_invalid);
  EXPECT_EQ(sq(2, 16, 1U | (2U << 16U)), Status::cq_invalid);
  EXPECT_EQ(sq(2, 16, 1), Status::invalid_qid);  // CQ 0 is for the admin queue
  EXPECT_EQ(cq(2, 4096, 1), Status::success);
  EXPECT_EQ(sq(0, 16, 1U | (2U << 16U)), Status::invalid_qid);
  EXPECT_EQ(sq(2, 1, 1U | (2U << 16U)), Status::invalid_queue_size);
  EXPECT_EQ(sq(2, 16, 2U << 16U), Status::invalid_field);
  EXPECT_EQ(sq(2, 16, 1U | (2U << 16U), 0x201'0008), Status::prp_offset_invalid);
  EXPECT_EQ(sq(2, 16, 1U | (2U << 16U), 0x201'0000), Status::success);
  EXPECT_EQ(sq(3, 16, 1U | (2U << 16U), 0x202'0000), Status::success);  // two submission queues, one completion queue
  EXPECT_EQ(remove(0x04, 2), Status::invalid_queue_deletion);
  EXPECT_EQ(remove(0x04, 0), Status::invalid_qid);
  EXPECT_EQ(remove(0x00, 0), Status::invalid_qid);
  EXPECT_EQ(remove(0x00, 2), Status::success);
  EXPECT_EQ(remove(0x00, 2), Status::invalid_qid);
  EXPECT_EQ(remove(0x00, 3), Status::success);
  EXPECT_EQ(remove(0x04, 2), Status::success);
  EXPECT_EQ(remove(0x04, 2), Status::invalid_qid);
}

TEST(NvmeAdmin, ADeletedQueueEndsWhatItHadStarted) {
  Host host;
  host.bring_up({64, 64});
  for (int i = 0; i < 10; ++i) host.put(host.queues[2], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.ring(host.queues[2]);
  host.agenda.run_until(host.agenda.now() + 5us);
  EXPECT_EQ(host.admin_command({.opcode = 0x00, .cdw10 = 2}).code(), Status::success);
  EXPECT_EQ(host.poll(host.queues[2]).size(), 10U);  // before the deletion's own completion
  EXPECT_EQ(host.sent.back().cqe.sqid, 0);
  host.expect_laws();

  host.queues[2] = host.queues[1];
  HostQueue& tiny = host.create(3, 64, 4);  // room for three completions
  for (int i = 0; i < 10; ++i) host.put(tiny, Host::rw(IoOpcode::read, 0, 1, data_at));
  host.ring(tiny);
  host.agenda.run();
  EXPECT_EQ(host.admin_command({.opcode = 0x00, .cdw10 = 3}).code(), Status::success);
  EXPECT_EQ(host.poll(tiny).size(), 3U);
  host.expect_laws();
  EXPECT_EQ(host.controller.inside(), 0U);
}

TEST(NvmeAdmin, LogsCountWhatHappened) {
  Host host;
  host.bring_up();
  Sqe large = Host::rw(IoOpcode::read, 0, 250, 0);
  host.describe(large, data_at, 250 * 4096, list_at);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(host.io(large).code(), Status::success);
  host.ftl_status = ftl::RequestStatus::uncorrectable;
  EXPECT_EQ(host.io(Host::rw(IoOpcode::read, 77, 1, data_at)).code(), Status::unrecovered_read_error);
  const auto log = [&](std::uint32_t page, std::uint32_t bytes, std::uint32_t offset = 0) {
    const std::uint32_t dw10 = page | ((bytes / 4 - 1) << 16U);
    return host.admin_command({.opcode = 0x02, .nsid = 0xffff'ffff, .prp1 = data_at, .cdw10 = dw10, .cdw12 = offset}).code();
  };
  ASSERT_EQ(log(2, 512), Status::success);
  const auto smart = host.memory.at<SmartLog>(data_at);
  EXPECT_EQ(smart.host_read_commands[0], 3U);
  EXPECT_EQ(smart.data_units_read[0], 4U);  // 2 x 1 024 000 bytes, thousands of 512
  EXPECT_EQ(smart.media_errors[0], 1U);
  EXPECT_EQ(smart.error_log_entries[0], 1U);
  ASSERT_EQ(log(1, 64), Status::success);
  const auto entry = host.memory.at<ErrorEntry>(data_at);
  EXPECT_EQ(entry.lba, 77U);
  EXPECT_EQ(entry.status >> 1U, 0x281);
  ASSERT_EQ(log(2, 16, 112), Status::success);  // power cycles, by offset
  EXPECT_EQ(host.memory.at<std::uint64_t>(data_at), 1U);
  EXPECT_EQ(log(3, 512), Status::success);
  EXPECT_EQ(host.memory.at<std::uint8_t>(data_at), 1U);
  EXPECT_EQ(log(0, 1024), Status::success);
  EXPECT_EQ(log(5, 4096), Status::success);
  EXPECT_EQ(host.memory.at<std::uint32_t>(data_at + 1024 + 4), 3U);
  EXPECT_EQ(log(0xc0, 512), Status::invalid_log_page);
  EXPECT_EQ(log(2, 16, 516), Status::invalid_field);
  EXPECT_EQ(log(2, 16, 2), Status::invalid_field);
}

TEST(NvmeAdmin, OtherCommands) {
  Host host;
  host.bring_up();
  EXPECT_EQ(host.admin_command({.opcode = 0x08, .cdw10 = 1}).dw0, 1U);  // not aborted
  EXPECT_EQ(host.admin_command({.opcode = 0x84}).code(), Status::invalid_opcode);
  EXPECT_EQ(host.admin_command({.opcode = 0x06, .flags = 0x40}).code(), Status::invalid_field);
  for (int i = 0; i < 4; ++i) host.put(host.admin, {.opcode = 0x0c});
  host.ring(host.admin);
  host.agenda.run();
  EXPECT_TRUE(host.poll(host.admin).empty());
  EXPECT_EQ(host.admin_command({.opcode = 0x0c}).code(), Status::aer_limit_exceeded);
  host.expect_laws();
}

}  // namespace
}  // namespace flashpath::nvme::test

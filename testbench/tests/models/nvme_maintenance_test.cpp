// SPDX-License-Identifier: Apache-2.0
// Self-tests, firmware slots, telemetry, the logs of data placement, and every admin opcode that there is not.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;

struct Rig : Host {
  explicit Rig(const Config& config = quick()) : Host{config} {
    controller.outside.health = Delegate<ftl::Health()>::to<&Rig::get>(this);
    bring_up();
  }
  ftl::Health get() { return health; }
  Cqe admin_at(Sqe sqe) {  // without running what is posted for later
    sqe.cid = next_cid++;
    put(admin, sqe);
    ring(admin);
    agenda.run_until(agenda.now() + 100us);
    const std::vector<Cqe> done = poll(admin);
    EXPECT_EQ(done.size(), 1U);
    return done.empty() ? Cqe{} : done[0];
  }
  Status log(std::uint32_t page, std::uint32_t bytes, std::uint32_t specific = 0, std::uint32_t lsp = 0) {
    return admin_at({.opcode = 0x02,
                     .nsid = 0xffff'ffff,
                     .prp1 = data_at,
                     .cdw10 = page | lsp << 8U | (bytes / 4 - 1) << 16U,
                     .cdw11 = specific << 16U})
        .code();
  }
  SelfTestLog self_test_log() {
    EXPECT_EQ(log(6, 564), Status::success);
    return memory.at<SelfTestLog>(data_at);
  }
  Status self_test(std::uint32_t code, std::uint32_t nsid = 0) { return admin_at({.opcode = 0x14, .nsid = nsid, .cdw10 = code}).code(); }
  ftl::Health health;
};

TEST(NvmeSelfTest, OneAtATimeAndLoggedNewestFirst) {
  Config c = Host::quick();
  c.self_test = 50s;
  c.extended_self_test = 600s;
  Rig rig{c};
  EXPECT_EQ(rig.memory.at<IdentifyController>(0x40000).edstt, 10U);
  EXPECT_EQ(rig.self_test_log().results[0].status, 0x0fU);
  EXPECT_EQ(rig.self_test(3), Status::invalid_field);
  EXPECT_EQ(rig.self_test(1, 33), Status::invalid_namespace);
  EXPECT_EQ(rig.self_test(1, 2), Status::invalid_field);
  EXPECT_EQ(rig.self_test(0xf), Status::success);  // nothing to abort
  EXPECT_EQ(rig.self_test_log().results[0].status, 0x0fU);
  const Time begin = rig.agenda.now();
  EXPECT_EQ(rig.self_test(1, 1), Status::success);
  EXPECT_EQ(rig.self_test(2), Status::self_test_in_progress);
  EXPECT_EQ(rig.self_test_log().operation, 1U);
  rig.agenda.run_until(begin + 26s);
  EXPECT_EQ(rig.self_test_log().completion, 52U);
  rig.agenda.run_until(begin + 51s);
  SelfTestLog log = rig.self_test_log();
  EXPECT_EQ(log.operation, 0U);
  EXPECT_EQ(log.results[0].status, 0x10U);  // short, passed
  EXPECT_EQ(log.results[0].nsid, 1U);
  EXPECT_EQ(rig.self_test(2), Status::success);
  EXPECT_EQ(rig.self_test(0xf), Status::success);
  log = rig.self_test_log();
  EXPECT_EQ(log.results[0].status, 0x21U);  // extended, aborted
  EXPECT_EQ(log.results[1].status, 0x10U);
  EXPECT_EQ(rig.self_test(1), Status::success);
  EXPECT_EQ(rig.admin_at({.opcode = 0x80, .nsid = 1}).code(), Status::success);
  EXPECT_EQ(rig.self_test_log().results[0].status, 0x14U);
  EXPECT_EQ(rig.self_test(1), Status::success);
  rig.write32(0x14, 0);
  rig.enable();
  EXPECT_EQ(rig.self_test_log().results[0].status, 0x12U);
  EXPECT_EQ(rig.self_test(2), Status::success);
  rig.write32(0x14, 0);
  rig.enable();
  EXPECT_EQ(rig.self_test_log().operation, 2U);  // an extended one goes on
  rig.agenda.run();
  EXPECT_EQ(rig.self_test_log().results[0].status, 0x20U);
}

TEST(NvmeFirmware, SlotsAreTakenAndChangeAtAReset) {
  Rig rig;
  const auto commit = [&](std::uint32_t slot, std::uint32_t action) {
    return rig.admin_command({.opcode = 0x10, .cdw10 = slot | action << 3U}).code();
  };
  const auto afi = [&] {
    EXPECT_EQ(rig.log(3, 512), Status::success);
    return rig.memory.at<FirmwareSlotLog>(data_at);
  };
  EXPECT_EQ(rig.memory.at<IdentifyController>(0x40000).frmw, 7U);
  EXPECT_EQ(afi().afi, 1U);
  EXPECT_EQ(commit(2, 0), Status::firmware_image);  // nothing has been downloaded
  EXPECT_EQ(rig.admin_command({.opcode = 0x11, .prp1 = data_at, .cdw10 = 1023}).code(), Status::success);
  EXPECT_EQ(rig.admin_command({.opcode = 0x11, .prp1 = data_at, .cdw10 = 1U << 20U}).code(), Status::invalid_field);
  EXPECT_EQ(rig.admin_command({.opcode = 0x11, .prp1 = unmapped, .cdw10 = 0}).code(), Status::data_transfer_error);
  EXPECT_EQ(commit(1, 0), Status::firmware_slot);
  EXPECT_EQ(commit(4, 0), Status::firmware_slot);
  EXPECT_EQ(commit(2, 4), Status::invalid_field);
  EXPECT_EQ(commit(3, 2), Status::firmware_image);  // an empty slot
  EXPECT_EQ(commit(2, 1), Status::firmware_needs_reset);
  EXPECT_EQ(afi().afi, 0x21U);
  EXPECT_EQ(afi().frs[1][0], '1');
  EXPECT_EQ(afi().frs[2][0], '\0');
  rig.write32(0x14, 0);
  rig.enable();
  EXPECT_EQ(afi().afi, 2U);
}

TEST(NvmeLogs, TelemetryIsAHeadAndCountsCreations) {
  Rig rig;
  EXPECT_EQ(rig.log(7, 512), Status::success);
  EXPECT_EQ(rig.memory.at<TelemetryLog>(data_at).host_generation, 0U);
  EXPECT_EQ(rig.log(7, 512, 0, 1), Status::success);
  const auto log = rig.memory.at<TelemetryLog>(data_at);
  EXPECT_EQ(log.id, 7U);
  EXPECT_EQ(log.host_generation, 1U);
  EXPECT_EQ(log.last_block[2], 0U);
  EXPECT_EQ(rig.log(8, 512), Status::success);
  EXPECT_EQ(rig.memory.at<TelemetryLog>(data_at).controller_available, 0U);
}

TEST(NvmeFdp, LogsSayWhatTheFlashIsAndDoes) {
  Rig rig;
  rig.controller.media({.unit = 4_KiB, .handles = 5, .reclaim_unit = 6_MiB, .persistent = true});
  EXPECT_NE(rig.memory.at<IdentifyController>(0x40000).ctratt & 1U << 19U, 0U);
  EXPECT_EQ(rig.log(0x20, 512, 2), Status::invalid_field);
  ASSERT_EQ(rig.log(0x20, 104, 1), Status::success);
  const auto head = rig.memory.at<FdpConfigurationsHead>(data_at);
  const auto config = rig.memory.at<FdpConfiguration>(data_at + 16);
  EXPECT_EQ(head.count, 0U);
  EXPECT_EQ(head.size, 16U + config.size);
  EXPECT_EQ(config.size, 88U);
  EXPECT_EQ(config.attributes, 0x80U);
  EXPECT_EQ(config.handles, 5U);
  EXPECT_EQ(config.placement_ids, 4U);
  EXPECT_EQ(config.unit, (6_MiB).count);
  EXPECT_EQ(rig.memory.at<std::uint8_t>(data_at + 16 + 64 + 4 * 4), 2U);  // persistently isolated
  rig.health = {.programmed = {300}, .host_written = {100}, .erased = {700}};
  ASSERT_EQ(rig.log(0x22, 64, 1), Status::success);
  EXPECT_EQ(rig.memory.at<std::uint64_t>(data_at), 100U);
  EXPECT_EQ(rig.memory.at<std::uint64_t>(data_at + 16), 300U);
  EXPECT_EQ(rig.memory.at<std::uint64_t>(data_at + 32), 700U);
  ASSERT_EQ(rig.log(0x21, 48, 1), Status::success);
  EXPECT_EQ(rig.memory.at<std::uint16_t>(data_at), 5U);
  EXPECT_EQ(rig.memory.at<std::uint8_t>(data_at + 8), 1U);
  EXPECT_EQ(rig.log(0x23, 64, 1), Status::success);
}

/// It can be turned off where there is no namespace; then identifiers are refused, and the logs are.
TEST(NvmeFdp, CanBeTurnedOff) {
  for (const bool at_first : {true, false}) {
    Config c = Host::quick();
    c.fdp = at_first;
    Rig rig{c};
    const auto placed = [&] {
      Sqe sqe = Host::rw(IoOpcode::write, 0, 1, data_at);
      sqe.cdw12 |= 2U << 20U;
      return rig.io(sqe).code();
    };
    const auto set = [&](std::uint32_t group, std::uint32_t cdw12) {
      return rig.admin_command({.opcode = 0x09, .cdw10 = 0x1d, .cdw11 = group, .cdw12 = cdw12}).code();
    };
    EXPECT_EQ(placed(), at_first ? Status::success : Status::invalid_field);
    EXPECT_EQ(rig.log(0x22, 64, 1), at_first ? Status::success : Status::fdp_disabled);
    EXPECT_EQ(rig.admin_command({.opcode = 0x0a, .cdw10 = 0x1d, .cdw11 = 1}).dw0, at_first ? 1U : 0U);
    EXPECT_EQ(rig.admin_command({.opcode = 0x0a, .cdw10 = 0x1d, .cdw11 = 0}).code(), Status::invalid_field);
    EXPECT_EQ(set(1, at_first ? 0 : 1), Status::command_sequence_error);
    ASSERT_EQ(rig.admin_command({.opcode = 0x0d, .nsid = 1, .cdw10 = 1}).code(), Status::success);
    EXPECT_EQ(set(2, 1), Status::invalid_field);
    EXPECT_EQ(set(1, 1U | 1U << 8U), Status::invalid_field);
    EXPECT_EQ(set(1, at_first ? 0 : 1), Status::success);
    rig.write32(0x14, 0);
    rig.enable();
    EXPECT_EQ(rig.admin_command({.opcode = 0x0a, .cdw10 = 0x1d, .cdw11 = 1}).dw0, at_first ? 0U : 1U);
    EXPECT_EQ(rig.log(0x23, 64, 1), at_first ? Status::fdp_disabled : Status::success);
  }
}

/// Sanitize, Security Send and Receive, Directives, Virtualization …: not supported, so the opcode is invalid.
TEST(NvmeAdmin, OpcodesThatThereAreNot) {
  Rig rig;
  const std::set<unsigned> known{0x00, 0x01, 0x02, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0a,
                                 0x0c, 0x0d, 0x10, 0x11, 0x14, 0x15, 0x18, 0x7c, 0x80};
  ASSERT_EQ(rig.log(5, 4096), Status::success);
  const auto effects = rig.memory.at<CommandEffectsLog>(data_at);
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    EXPECT_EQ((effects.admin[opcode] & 1U) != 0, known.contains(opcode)) << opcode;
    if (known.contains(opcode)) continue;
    EXPECT_EQ(rig.admin_command({.opcode = static_cast<std::uint8_t>(opcode)}).code(), Status::invalid_opcode) << opcode;
  }
}

}  // namespace
}  // namespace flashpath::nvme::test

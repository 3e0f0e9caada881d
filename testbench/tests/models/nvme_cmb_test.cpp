// SPDX-License-Identifier: Apache-2.0
// Controller memory buffer, NVMe 2.0 §8.5: registers, what it saves, and hosts that use it wrongly.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;
constexpr std::uint64_t base = unmapped + 0x100'0000;  // where the host says that it is
constexpr std::uint64_t in_bar = 8U << 20U;

Config with_cmb() {
  Config c = Host::quick();
  c.cmb = 64_KiB;
  return c;
}

struct CmbHost : Host {
  explicit CmbHost(const Config& c = with_cmb(), bool data_mode = false) : Host{c, data_mode} {}
  void open() { write64(0x50, base | 3U); }
  void put(std::uint64_t at, const void* bytes, std::size_t size) {
    ASSERT_TRUE(controller.in_cmb(in_bar + at, size));
    controller.cmb_write(in_bar + at, static_cast<const unsigned char*>(bytes), size);
  }
  /// A queue pair whose submission queue, and completion queue if `both`, lie in the buffer.
  void create_inside(bool both) {
    const Sqe cq{.opcode = 0x05, .prp1 = both ? base + 0x8000 : 0x700'0000, .cdw10 = 1U | 63U << 16U, .cdw11 = 1};
    const Sqe sq{.opcode = 0x01, .prp1 = base, .cdw10 = 1U | 63U << 16U, .cdw11 = 1U | 1U << 16U};
    ASSERT_EQ(admin_command(cq).code(), Status::success);
    ASSERT_EQ(admin_command(sq).code(), Status::success);
  }
  Duration read_inside(Sqe sqe) {
    sqe.cid = next_cid++;
    put(slot * 64, &sqe, sizeof sqe);
    write32(sq_tail_doorbell(1), ++slot);
    const std::size_t before = done.size();
    agenda.run();
    EXPECT_EQ(done.size(), before + 1);
    return done.back().journey.total();
  }
  std::uint32_t slot = 0;
};

TEST(NvmeCmb, ShowsItselfWhenAsked) {
  CmbHost host;
  EXPECT_EQ(host.controller.mmio_read(0, 8) >> 57U & 1U, 1U);
  EXPECT_EQ(host.read32(0x38), 0U);
  EXPECT_EQ(host.read32(0x3c), 0U);
  host.write32(0x50, 1);
  EXPECT_EQ(host.read32(0x38), in_bar);
  EXPECT_EQ(host.read32(0x3c), 0x1fU | 16U << 12U);
  host.write64(0x50, base | 3U);
  EXPECT_EQ(host.controller.mmio_read(0x50, 8), base | 3U);
  EXPECT_EQ(host.read32(0x58), 0U);
  host.write64(0x50, (~0ULL & ~0xfffULL) | 3U);  // it would wrap around
  EXPECT_EQ(host.read32(0x58), 1U);
  Host none;
  EXPECT_EQ(none.controller.mmio_read(0, 8) >> 57U & 1U, 0U);
  none.write64(0x50, base | 3U);
  EXPECT_EQ(none.controller.mmio_read(0x50, 8), 0U);
  EXPECT_FALSE(none.controller.in_cmb(in_bar, 1));
}

TEST(NvmeCmb, ASubmissionQueueInsideSavesTheRoundTripOfItsFetch) {
  CmbHost host;
  host.open();
  host.enable();
  host.create_inside(false);
  // 64 B at 8 GB/s and 100 ns instead of 1 us
  const Duration expected = 8ns + 100ns + 800ns + 3us + 50us + 1us + 300ns;
  EXPECT_EQ(host.read_inside(Host::rw(IoOpcode::read, 0, 1, data_at)), expected);
  EXPECT_EQ(host.controller.statistics().cmb_accesses.value, 1U);
  EXPECT_EQ(host.memory.at<Cqe>(0x700'0000).code(), Status::success);
  host.expect_laws();
}

TEST(NvmeCmb, ItsTimesShow) {
  for (const auto& [latency, rate, extra] : {std::tuple{100ns, 4'000'000'000ULL, 8ns}, std::tuple{150ns, 8'000'000'000ULL, 50ns}}) {
    Config config = with_cmb();
    config.cmb_latency = latency;
    config.cmb_rate = Rate{rate};
    CmbHost host{config};
    host.open();
    host.enable();
    host.create_inside(false);
    EXPECT_EQ(host.read_inside(Host::rw(IoOpcode::read, 0, 1, data_at)), 8ns + 100ns + 800ns + 3us + 50us + 1us + 300ns + extra);
  }
}

TEST(NvmeCmb, QueuesListsAndDataInside) {
  CmbHost host{with_cmb(), true};
  host.open();
  host.enable();
  host.create_inside(true);
  std::vector<unsigned char> bytes(3 * 4096);
  for (auto& b : bytes) b = static_cast<unsigned char>(host.random.next());
  host.flash.write(0, bytes.data(), bytes.size());
  const std::array<std::uint64_t, 2> list{base + 0x4000, data_at};
  host.put(0x7000, list.data(), sizeof list);
  const std::size_t outside = host.dmas.size();
  host.read_inside(Host::rw(IoOpcode::read, 0, 3, base + 0x3000, base + 0x7000));
  EXPECT_EQ(host.dmas.size(), outside + 1);  // the third page only
  std::vector<unsigned char> got(3 * 4096);
  host.controller.cmb_read(in_bar + 0x3000, got.data(), 8192);
  host.memory.read(data_at, got.data() + 8192, 4096);
  EXPECT_EQ(got, bytes);
  Cqe cqe;
  host.controller.cmb_read(in_bar + 0x8000, reinterpret_cast<unsigned char*>(&cqe), sizeof cqe);
  EXPECT_TRUE(cqe.phase());
  EXPECT_EQ(cqe.code(), Status::success);
  host.read_inside(Host::rw(IoOpcode::write, 9, 2, base + 0x3000, base + 0x4000));
  std::vector<unsigned char> written(8192);
  host.flash.read(9 * 4096, written.data(), 8192);
  EXPECT_TRUE(std::equal(written.begin(), written.end(), bytes.begin()));
  host.expect_laws();
}

TEST(NvmeCmb, WhatLiesAcrossItsEndOrIsTakenAwayIsAnError) {
  CmbHost host;
  host.open();
  host.enable();
  host.create_inside(false);
  host.read_inside(Host::rw(IoOpcode::read, 0, 2, base + 0xf000, base + 0x10000));  // half inside, half in the host's hole
  EXPECT_EQ(host.memory.at<Cqe>(0x700'0000).code(), Status::data_transfer_error);
  EXPECT_FALSE(host.controller.in_cmb(in_bar + 0x10000, 1));
  EXPECT_FALSE(host.controller.in_cmb(in_bar + 0xffff, 2));
  EXPECT_FALSE(host.controller.in_cmb(in_bar - 1, 1));
  EXPECT_FALSE(host.controller.in_cmb(~0ULL, 2));
  Sqe sqe = Host::rw(IoOpcode::read, 0, 1, data_at);
  host.put(host.slot * 64, &sqe, sizeof sqe);
  host.write32(sq_tail_doorbell(1), ++host.slot);
  host.agenda.run_until(host.agenda.now() + 50ns);
  host.write64(0x50, 0);  // under the controller's feet
  host.agenda.run();
  EXPECT_TRUE(host.csts().cfs());
  host.write32(0x14, 0);
  host.agenda.run();
  EXPECT_TRUE(host.controller.idle());
  Config odd = with_cmb();
  odd.cmb = 5000_B;
  UserErrors errors;
  odd.check("nvme", errors);
  EXPECT_EQ(errors.list.size(), 1U);
}

}  // namespace
}  // namespace flashpath::nvme::test

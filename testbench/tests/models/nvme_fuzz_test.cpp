// SPDX-License-Identifier: Apache-2.0
// A hostile host: random commands in every field, random register accesses of every size, resets at any moment,
// memory and FTL that answer inside the call, later, or with errors. Nothing may crash or be lost.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;

class Hostile {
 public:
  explicit Hostile(std::uint64_t seed, bool data_mode) : host{small(), data_mode}, random{seed, "hostile"} {
    host.jitter = true;
    host.write_accept = 2us;
  }
  static Config small() {
    Config c = Host::quick();
    c.staging = 256_KiB;
    c.mdts = 256_KiB;
    c.dma_outstanding = 3;
    c.contexts = 24;
    c.max_queues = 8;
    return c;
  }
  std::uint64_t address() {
    switch (random.below(8)) {
      case 0: return random.next();
      case 1: return unmapped - random.below(8192);
      case 2: return data_at + random.below(0x10000);
      default: return data_at + random.below(64) * 4096;
    }
  }
  /// Fields that are legal often enough to get deep.
  Sqe sqe(bool admin) {
    Sqe s;
    constexpr std::array<std::uint8_t, 12> io{0, 1, 2, 1, 2, 4, 5, 8, 9, 0x0c, 0x19, 0x7f};
    constexpr std::array<std::uint8_t, 8> adm{0x02, 0x06, 0x08, 0x09, 0x0a, 0x0c, 0x80, 0xff};
    s.opcode = admin ? adm[random.below(adm.size())] : io[random.below(io.size())];
    s.flags = random.below(20) == 0 ? static_cast<std::uint8_t>(random.next()) : std::uint8_t{0};
    if (!admin && random.below(4) == 0) s.flags = 0x40;  // what the PRPs say, read as an SGL descriptor
    s.nsid = random.below(10) == 0 ? static_cast<std::uint32_t>(random.next()) : 1;
    s.prp1 = address();
    s.prp2 = address() & ~std::uint64_t{random.below(4) == 0 ? 7U : 0xfffU};
    const std::uint64_t lba = random.below(random.below(50) == 0 ? ~0U : 262144);
    s.cdw10 = static_cast<std::uint32_t>(admin ? random.below(16) | (random.below(64) << 16U) : lba);
    s.cdw11 = random.below(10) == 0 ? static_cast<std::uint32_t>(random.next()) : (s.opcode == 9 ? 4U : 0U);
    s.cdw12 = static_cast<std::uint32_t>(random.below(random.below(8) == 0 ? 300 : 64));
    s.cdw13 = static_cast<std::uint32_t>(random.next());
    s.cid = next_cid++;
    if (next_cid == 0) next_cid = 1;
    return s;
  }

  Host host;
  Random random;
  std::uint16_t next_cid = 1;
};

TEST(NvmeFuzz, EveryRandomCommandIsAnsweredExactlyOnce) {
  Hostile h{7, true};
  Host& host = h.host;
  for (std::uint64_t a = 0; a < 64; ++a) {  // list pages: mostly plausible entries
    for (std::uint64_t i = 0; i < 512; ++i) {
      const std::uint64_t entry = h.random.below(100) == 0 ? h.random.next() : data_at + h.random.below(64) * 4096;
      host.memory.write(data_at + a * 4096 + i * 8, &entry, 8);
    }
  }
  host.bring_up({16, 8, 32, 64});
  std::array<std::set<std::uint16_t>, 5> open;
  std::uint64_t submitted = 0;
  std::uint64_t answered = 0;
  std::uint64_t good = 0;
  std::uint64_t asynchronous = 0;
  const auto collect = [&] {
    for (std::uint16_t q = 0; q <= 4; ++q) {
      HostQueue& queue = q == 0 ? host.admin : host.queues[q];
      for (const Cqe& cqe : host.poll(queue)) {
        EXPECT_EQ(cqe.sqid, q);
        EXPECT_EQ(open[q].erase(cqe.cid), 1U);
        ++answered;
        if (cqe.code() == Status::success) ++good;
      }
    }
  };
  while (submitted < 100'000) {
    const auto q = static_cast<std::uint16_t>(h.random.below(20) == 0 ? 0 : 1 + h.random.below(4));
    HostQueue& queue = q == 0 ? host.admin : host.queues[q];
    for (std::uint64_t n = h.random.below(6); n > 0; --n) {
      if (open[q].size() + 1 >= queue.size) break;
      const Sqe sqe = h.sqe(q == 0);
      if (!open[q].insert(sqe.cid).second) break;
      if (q == 0 && sqe.opcode == 0x0c) ++asynchronous;
      host.put(queue, sqe);
      ++submitted;
    }
    host.ring(queue);
    host.ftl_status = h.random.below(10) == 0 ? ftl::RequestStatus::uncorrectable : ftl::RequestStatus::ok;
    host.agenda.run_until(host.agenda.now() + Duration{static_cast<std::int64_t>(h.random.below(20'000'000))});
    collect();
    host.requests.clear();
    host.dmas.clear();
    host.done.clear();
    host.sent.clear();
    ASSERT_FALSE(host.csts().cfs());
  }
  for (int i = 0; i < 20; ++i) {
    host.agenda.run();
    collect();
  }
  for (std::uint16_t q = 1; q <= 4; ++q) EXPECT_TRUE(open[q].empty());
  Stall stall;
  host.controller.explain(stall);
  EXPECT_TRUE(stall.lines().empty()) << stall.lines().front();
  EXPECT_EQ(submitted, answered + open[0].size());
  EXPECT_LE(open[0].size(), std::min<std::uint64_t>(asynchronous, 4));
  EXPECT_GT(good, submitted / 5);
  EXPECT_GT(submitted - good, submitted / 5);
  host.expect_laws();
  host.write32(0x14, 0);
  EXPECT_TRUE(host.controller.idle());
}

TEST(NvmeFuzz, RandomRegisterAccessesAndQueuesNeverCrashAndAlwaysRecover) {
  Hostile h{11, false};
  Host& host = h.host;
  for (int round = 0; round < 400; ++round) {
    host.bring_up({16, 8, 32, 64});
    for (int step = 0; step < 60; ++step) {
      if (h.random.below(3) == 0) {  // anything anywhere
        constexpr std::array<std::uint64_t, 12> spots{0, 8, 0xc, 0x10, 0x14, 0x1c, 0x20, 0x24, 0x28, 0x30, 0x1000, 0x1008};
        const std::uint64_t near = spots[h.random.below(12)] + h.random.below(9);
        const std::uint64_t offset = h.random.below(2) == 0 ? h.random.next() >> h.random.below(64) : near;
        const auto size = static_cast<unsigned>(h.random.below(10));
        const std::uint64_t value = h.random.next() >> h.random.below(64);
        if (h.random.below(2) == 0) host.controller.mmio_write(offset, size, value, host.agenda.now());
        else (void)host.controller.mmio_read(offset, size);
      }
      for (std::uint16_t q = 0; q <= 4; ++q) {
        HostQueue& queue = q == 0 ? host.admin : host.queues[q];
        Sqe sqe = h.sqe(q == 0);
        if (q == 0 && h.random.below(4) == 0) {  // queues come and go
          sqe.opcode = static_cast<std::uint8_t>(h.random.below(6));
          sqe.cdw10 = static_cast<std::uint32_t>(h.random.below(10) | (h.random.below(40) << 16U));
          sqe.cdw11 = static_cast<std::uint32_t>(1 | (h.random.below(10) << 16U));
          sqe.prp1 &= ~std::uint64_t{0xfff};
        }
        host.put(queue, sqe);  // overrunning the queue now and then: the host's own loss
        host.ring(queue);
      }
      host.agenda.run_until(host.agenda.now() + Duration{static_cast<std::int64_t>(h.random.below(30'000'000))});
      for (std::uint16_t q = 0; q <= 4; ++q) {
        if (h.random.below(3) != 0) host.poll(q == 0 ? host.admin : host.queues[q]);
      }
    }
    host.controller.mmio_write(0x14, 4, 0, host.agenda.now());
    host.agenda.run();
    EXPECT_FALSE(host.csts().rdy());
    EXPECT_TRUE(host.controller.idle());
    host.expect_laws();
    host.requests.clear();
    host.dmas.clear();
    host.done.clear();
    host.sent.clear();
    ASSERT_FALSE(HasFailure()) << round;
  }
}

}  // namespace
}  // namespace flashpath::nvme::test

// SPDX-License-Identifier: Apache-2.0
// A controller behind its function port: everything the host does goes through configuration space and BAR.
#include "nvme/nvme_function.h"

#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

using pcie::ConfigSpace;

struct Slot {
  explicit Slot(const Config& config = Host::quick()) : host{config, true}, function{host.controller, config} {
    function.dma = Delegate<void(DmaRequest&, Time)>::to<&Host::dma>(&host);
    function.on_message(pcie::Msix::Message::to<&Slot::message>(this));
  }
  void message(std::uint64_t address, std::uint32_t data, Time now) {
    EXPECT_TRUE(host.controller.statistics().posted.value > 0);
    messages.push_back({address, data, now});
  }
  void cfg(std::uint32_t offset, unsigned bytes, std::uint32_t value) { function.cfg_write(offset, bytes, value, host.agenda.now()); }
  void vector(std::uint32_t v, bool masked) {
    const std::uint64_t at = NvmeFunction::table_offset + v * 16ULL;
    function.bar_write(at, 8, 0xfee0'0000 + v * 16, host.agenda.now());
    function.bar_write(at + 8, 4, 100 + v, host.agenda.now());
    function.bar_write(at + 12, 4, masked ? 1 : 0, host.agenda.now());
  }
  struct Message {
    std::uint64_t address;
    std::uint32_t data;
    Time at;
  };
  Host host;
  NvmeFunction function;
  std::vector<Message> messages;
};

TEST(NvmeFunction, IsFoundAndBroughtUpThroughItsPort) {
  Slot s;
  EXPECT_EQ(s.function.cfg_read(0x08, 4) >> 8U, 0x010802U);
  EXPECT_EQ(s.function.cfg_read(ConfigSpace::msix + 2, 2) & 0x7ffU, s.host.config.max_queues);
  EXPECT_EQ(s.function.bar_read(0, 8), ~0ULL);  // memory space is off
  s.function.place(0x1'0000'0000, Time{});
  EXPECT_EQ(s.function.bar_read(0, 8), s.host.controller.mmio_read(0, 8));
  EXPECT_EQ(s.function.bar_read(9, 2), version_2_0 >> 8U & 0xffffU);
  s.host.bring_up();
  const auto id = s.host.memory.at<IdentifyController>(0x40000);
  EXPECT_EQ(id.vid, s.function.cfg_read(0, 2));
}

TEST(NvmeFunction, TheIdsAreTheConfigurations) {
  Config c = Host::quick();
  c.vendor_id = 0x4321;
  c.device_id = 0xabcd;
  Slot s{c};
  EXPECT_EQ(s.function.cfg_read(0, 4), 0xabcd4321U);
  s.function.place(0, Time{});
  s.host.bring_up();
  EXPECT_EQ(s.host.memory.at<IdentifyController>(0x40000).vid, 0x4321U);
}

TEST(NvmeFunction, EveryCompletionIsAnnouncedAfterItsEntry) {
  Slot s;
  s.function.place(0, Time{});
  s.host.bring_up();
  s.cfg(ConfigSpace::msix + 2, 2, 0x8000);
  s.vector(1, false);
  HostQueue& q = s.host.queues[1];
  for (std::uint64_t i = 0; i < 40; ++i) s.host.put(q, Host::rw(IoOpcode::read, i, 1, 0x50000 + i * 4096));
  s.host.ring(q);
  s.host.agenda.run();
  EXPECT_EQ(s.host.poll(q).size(), 40U);
  ASSERT_EQ(s.messages.size(), 40U);
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(s.messages[i].address, 0xfee0'0010U);
    EXPECT_EQ(s.messages[i].data, 101U);
    EXPECT_EQ(s.messages[i].at, s.host.sent[s.host.sent.size() - 40 + i].sent + s.host.dma_latency);  // the moment the entry is in memory
  }
  s.vector(1, true);  // masked: pending, one message for all when it is unmasked
  for (std::uint64_t i = 0; i < 5; ++i) s.host.put(q, Host::rw(IoOpcode::read, i, 1, 0x50000));
  s.host.ring(q);
  s.host.agenda.run();
  EXPECT_EQ(s.messages.size(), 40U);
  EXPECT_EQ(s.function.bar_read(NvmeFunction::pending_offset, 8), 2U);
  s.vector(1, false);
  EXPECT_EQ(s.messages.size(), 41U);
  EXPECT_EQ(s.function.bar_read(NvmeFunction::pending_offset, 8), 0U);
  Laws laws;
  s.function.check(laws);
  for (const auto& b : laws.broken()) ADD_FAILURE() << b;
}

TEST(NvmeFunction, WithoutBusMasterNothingLeaves) {
  Slot s;
  s.function.place(0, Time{});
  s.host.bring_up();
  const std::size_t before = s.host.dmas.size();
  s.cfg(ConfigSpace::command, 2, ConfigSpace::memory_enable);
  HostQueue& q = s.host.queues[1];
  s.host.put(q, Host::rw(IoOpcode::read, 0, 1, 0x50000));
  s.host.ring(q);
  s.host.agenda.run();
  EXPECT_EQ(s.host.dmas.size(), before);
  EXPECT_EQ(s.function.function().refused_accesses(), 1U);
  EXPECT_TRUE(s.host.csts().cfs());  // its queue cannot be read
  s.cfg(ConfigSpace::command, 2, ConfigSpace::memory_enable | ConfigSpace::bus_master);
  s.host.write32(0x14, 0);
  s.host.agenda.run();
  s.host.bring_up();  // and all is well again
}

TEST(NvmeFunction, AFunctionLevelResetUnderLoadLeavesNothing) {
  for (const Duration when : {0us, 1us, 4us, 20us, 55us, 56us, 60us}) {
    Slot s;
    s.function.place(0, Time{});
    s.host.bring_up();
    s.cfg(ConfigSpace::msix + 2, 2, 0x8000);
    s.vector(1, true);
    HostQueue& q = s.host.queues[1];
    for (std::uint64_t i = 0; i < 60; ++i) s.host.put(q, Host::rw(i % 2 == 0 ? IoOpcode::read : IoOpcode::write, i, 1, 0x50000 + i * 4096));
    s.host.ring(q);
    s.host.agenda.run_until(s.host.agenda.now() + when);
    s.cfg(ConfigSpace::device_control, 2, 0x8000);
    EXPECT_FALSE(s.function.function().may_master());
    const std::size_t accesses = s.host.dmas.size();
    s.host.agenda.run();
    EXPECT_EQ(s.host.dmas.size(), accesses) << "an access after the reset";
    EXPECT_TRUE(s.host.controller.idle());
    EXPECT_EQ(s.function.bar_read(0x1c, 4), 0xffff'ffffU);
    s.function.place(0, s.host.agenda.now());
    for (const std::uint64_t r : {0x14U, 0x1cU, 0x24U, 0x28U, 0x2cU, 0x30U, 0x34U}) EXPECT_EQ(s.function.bar_read(r, 4), 0U) << r;
    EXPECT_EQ(s.function.bar_read(NvmeFunction::table_offset + 16, 8), 0U);
    EXPECT_EQ(s.function.bar_read(NvmeFunction::pending_offset, 8), 0U);
    s.host.queues.clear();
    s.host.bring_up();
    s.host.expect_laws();
    Laws laws;
    s.function.check(laws);
    for (const auto& b : laws.broken()) ADD_FAILURE() << b;
  }
}

}  // namespace
}  // namespace flashpath::nvme::test

// SPDX-License-Identifier: Apache-2.0
// Namespaces: created, attached, written, formatted, deleted; nobody reads another's bytes, and every mistake has its status.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000, list_at = 0x5000'0000;
constexpr std::uint64_t mib = 1U << 20U;

struct Rig : Host {
  explicit Rig(const Config& config = quick(), bool data = false, Bytes capacity = 64_MiB) : Host{config, data, capacity} { bring_up(); }
  Cqe create_ns(std::uint64_t blocks, std::uint8_t format, auto change) {
    IdentifyNamespace wanted{};
    wanted.nsze = wanted.ncap = blocks;
    wanted.flbas = format;
    Sqe sqe{.opcode = 0x0d, .prp1 = data_at, .cdw10 = 0};
    change(wanted, sqe);
    memory.write(data_at, &wanted, sizeof wanted);
    return admin_command(sqe);
  }
  std::uint32_t create_ns(std::uint64_t blocks, std::uint8_t format = 0) {
    const Cqe cqe = create_ns(blocks, format, [](auto&, auto&) {});
    EXPECT_EQ(cqe.code(), Status::success);
    return cqe.dw0;
  }
  Status attach(std::uint32_t nsid, bool detach = false, std::uint16_t count = 1, std::uint16_t first = 0) {
    const std::array<std::uint16_t, 4> list{count, first, 1, 0};
    memory.write(data_at, list.data(), sizeof list);
    return admin_command({.opcode = 0x15, .nsid = nsid, .prp1 = data_at, .cdw10 = detach ? 1U : 0U}).code();
  }
  Status remove(std::uint32_t nsid) { return admin_command({.opcode = 0x0d, .nsid = nsid, .cdw10 = 1}).code(); }
  template <class T>
  T identify(std::uint32_t cns, std::uint32_t nsid, std::uint32_t cdw11 = 0) {
    EXPECT_EQ(admin_command({.opcode = 0x06, .nsid = nsid, .prp1 = data_at, .cdw10 = cns, .cdw11 = cdw11}).code(), Status::success);
    return memory.at<T>(data_at);
  }
  std::vector<std::uint32_t> ids(std::uint32_t cns, std::uint32_t after = 0) {
    std::vector<std::uint32_t> out;
    for (const std::uint32_t id : identify<std::array<std::uint32_t, 1024>>(cns, after)) {
      if (id == 0) break;
      out.push_back(id);
    }
    return out;
  }
  Status rw_at(IoOpcode op, std::uint32_t nsid, std::uint64_t lba, std::uint32_t blocks, std::uint64_t bytes) {
    Sqe sqe = rw(op, lba, blocks, 0);
    sqe.nsid = nsid;
    describe(sqe, list_at, bytes, 0x6000'0000);
    return io(sqe).code();
  }
};
using Ids = std::vector<std::uint32_t>;

TEST(NvmeNamespaces, LifeOfOne) {
  Rig rig;
  EXPECT_EQ(rig.ids(0x02), Ids{1});
  EXPECT_EQ(rig.identify<IdentifyController>(1, 0).unvmcap[0], 0U);
  EXPECT_EQ(rig.create_ns(1, 0, [](auto&, auto&) {}).code(), Status::namespace_capacity);
  EXPECT_EQ(rig.remove(1), Status::success);
  EXPECT_EQ(rig.ids(0x02), Ids{});
  EXPECT_EQ(rig.ids(0x10), Ids{});
  EXPECT_EQ(rig.identify<IdentifyController>(1, 0).unvmcap[0], 64 * mib);
  EXPECT_EQ(rig.io(Host::rw(IoOpcode::read, 0, 1, data_at)).code(), Status::invalid_field);
  EXPECT_EQ(rig.create_ns(1000), 1U);  // 4 MB: four granules
  EXPECT_EQ(rig.create_ns(8 * mib / 512, 1), 2U);
  EXPECT_EQ(rig.ids(0x10), (Ids{1, 2}));
  EXPECT_EQ(rig.ids(0x10, 1), Ids{2});
  EXPECT_EQ(rig.ids(0x02), Ids{});
  EXPECT_EQ(rig.identify<IdentifyController>(1, 0).unvmcap[0], 52 * mib);
  EXPECT_EQ(rig.io(Host::rw(IoOpcode::read, 0, 1, data_at)).code(), Status::invalid_field);  // not attached
  EXPECT_EQ(rig.identify<IdentifyNamespace>(0, 1).nsze, 0U);
  EXPECT_EQ(rig.identify<IdentifyNamespace>(0x11, 1).nsze, 1000U);
  EXPECT_EQ(rig.attach(2), Status::success);
  EXPECT_EQ(rig.attach(2), Status::namespace_attached);
  EXPECT_EQ(rig.ids(0x02), Ids{2});
  EXPECT_EQ(rig.ids(0x07), Ids{2});
  const auto ns = rig.identify<IdentifyNamespace>(0, 2);
  EXPECT_EQ(ns.nsze, 8 * mib / 512);
  EXPECT_EQ(ns.flbas, 1U);
  EXPECT_EQ(ns.nlbaf, 1U);
  EXPECT_EQ(ns.lbaf[1].lbads, 9U);
  EXPECT_EQ(ns.nvmcap[0], 8 * mib);
  EXPECT_EQ(rig.rw_at(IoOpcode::write, 2, 16383, 1, 512), Status::success);
  EXPECT_EQ(rig.rw_at(IoOpcode::write, 2, 16384, 1, 512), Status::lba_out_of_range);
  EXPECT_EQ(rig.requests.back().address.count, 12 * mib - 512);
  EXPECT_EQ(rig.attach(2, true), Status::success);
  EXPECT_EQ(rig.attach(2, true), Status::namespace_not_attached);
  EXPECT_EQ(rig.rw_at(IoOpcode::read, 2, 0, 1, 512), Status::invalid_field);
  EXPECT_EQ(rig.remove(0xffff'ffff), Status::success);
  EXPECT_EQ(rig.ids(0x10), Ids{});
  rig.expect_laws();
}

TEST(NvmeNamespaces, EveryFieldIsChecked) {
  Config c = Host::quick();
  c.max_namespaces = 3;
  Rig rig{c};
  ASSERT_EQ(rig.remove(1), Status::success);
  const auto create = [&](auto change) { return rig.create_ns(256, 0, change).code(); };
  EXPECT_EQ(create([](auto& ns, auto&) { ns.nsze = ns.ncap = 0; }), Status::invalid_field);
  EXPECT_EQ(create([](auto& ns, auto&) { ns.ncap = 255; }), Status::thin_provisioning);
  EXPECT_EQ(create([](auto& ns, auto&) { ns.ncap = 257; }), Status::thin_provisioning);
  EXPECT_EQ(create([](auto& ns, auto&) { ns.flbas = 2; }), Status::invalid_format);
  EXPECT_EQ(create([](auto& ns, auto&) { ns.flbas = 0x20; }), Status::invalid_format);
  EXPECT_EQ(create([](auto& ns, auto&) { ns.dps = 1; }), Status::invalid_format);
  EXPECT_EQ(create([](auto& ns, auto&) { ns.nmic = 1; }), Status::invalid_field);
  EXPECT_EQ(create([](auto& ns, auto&) { ns.anagrpid = 1; }), Status::invalid_field);
  EXPECT_EQ(create([](auto& ns, auto&) { ns.nvmsetid = 1; }), Status::invalid_field);
  EXPECT_EQ(create([](auto& ns, auto&) { ns.endgid = 2; }), Status::invalid_field);
  EXPECT_EQ(create([](auto& ns, auto&) { ns.nsze = ns.ncap = ~0ULL; }), Status::namespace_capacity);
  EXPECT_EQ(create([](auto& ns, auto&) { ns.nsze = ns.ncap = 64 * mib / 4096 + 1; }), Status::namespace_capacity);
  EXPECT_EQ(create([](auto&, auto& sqe) { sqe.cdw11 = 2U << 24U; }), Status::command_set_not_supported);
  EXPECT_EQ(create([](auto&, auto& sqe) { sqe.cdw10 = 2; }), Status::invalid_field);
  EXPECT_EQ(create([](auto&, auto& sqe) { sqe.prp1 = unmapped; }), Status::data_transfer_error);
  EXPECT_EQ(rig.ids(0x10), Ids{});
  for (std::uint32_t id = 1; id <= 3; ++id) EXPECT_EQ(rig.create_ns(1), id);
  EXPECT_EQ(create([](auto&, auto&) {}), Status::namespace_id_unavailable);
  EXPECT_EQ(rig.remove(2), Status::success);
  EXPECT_EQ(rig.remove(2), Status::invalid_field);
  EXPECT_EQ(rig.remove(0), Status::invalid_namespace);
  EXPECT_EQ(rig.remove(4), Status::invalid_namespace);
  EXPECT_EQ(rig.create_ns(1), 2U);
  EXPECT_EQ(rig.attach(0), Status::invalid_namespace);
  EXPECT_EQ(rig.attach(4), Status::invalid_namespace);
  EXPECT_EQ(rig.attach(0xffff'ffff), Status::invalid_namespace);
  EXPECT_EQ(rig.attach(1, false, 0), Status::controller_list_invalid);
  EXPECT_EQ(rig.attach(1, false, 2), Status::controller_list_invalid);
  EXPECT_EQ(rig.attach(1, false, 2048), Status::controller_list_invalid);
  EXPECT_EQ(rig.attach(1, false, 1, 7), Status::controller_list_invalid);
  EXPECT_EQ(rig.admin_command({.opcode = 0x15, .nsid = 1, .prp1 = data_at, .cdw10 = 2}).code(), Status::invalid_field);
  EXPECT_EQ(rig.attach(1), Status::success);
}

/// Sixteen small ones, every other one deleted, then one as large as all holes together: its pieces lie where they should, and
/// nothing of the others' data is seen or lost.
TEST(NvmeNamespaces, HolesAreFilledAndNobodySeesAnothersBytes) {
  Rig rig{Host::quick(), true};
  ASSERT_EQ(rig.remove(1), Status::success);
  const auto fill = [&](std::uint64_t seed, std::uint64_t bytes) {
    std::vector<unsigned char> data(bytes);
    Random random{seed, "fill"};
    for (auto& b : data) b = static_cast<unsigned char>(random.next());
    rig.memory.write(list_at, data.data(), data.size());
    return data;
  };
  const auto read = [&](std::uint32_t nsid, std::uint64_t lba, std::uint32_t blocks, std::uint64_t bytes) {
    std::vector<unsigned char> data(bytes, 0x55);
    rig.memory.write(list_at, data.data(), data.size());
    EXPECT_EQ(rig.rw_at(IoOpcode::read, nsid, lba, blocks, bytes), Status::success);
    rig.memory.read(list_at, data.data(), data.size());
    return data;
  };
  std::vector<std::vector<unsigned char>> written(17);
  for (std::uint32_t id = 1; id <= 16; ++id) {
    ASSERT_EQ(rig.create_ns(1024), id);
    ASSERT_EQ(rig.attach(id), Status::success);
    written[id] = fill(id, mib);
    EXPECT_EQ(rig.rw_at(IoOpcode::write, id, 1024 - 256, 256, mib), Status::success);
  }
  for (std::uint32_t id = 1; id <= 16; id += 2) EXPECT_EQ(rig.remove(id), Status::success);
  ASSERT_EQ(rig.create_ns(8 * 1024), 1U);
  ASSERT_EQ(rig.attach(1), Status::success);
  EXPECT_EQ(rig.create_ns(1, 0, [](auto&, auto&) {}).code(), Status::namespace_capacity);
  rig.requests.clear();
  const auto across = fill(99, mib);
  EXPECT_EQ(rig.rw_at(IoOpcode::write, 1, 1024 - 128, 256, mib), Status::success);  // over the end of the first hole
  for (const Host::SeenRequest& r : rig.requests) { EXPECT_TRUE(r.address.count + r.size.count <= 4 * mib || r.address.count >= 8 * mib); }
  EXPECT_EQ(read(1, 1024 - 128, 256, mib), across);
  for (std::uint32_t id = 2; id <= 16; id += 2) EXPECT_EQ(read(id, 1024 - 256, 256, mib), written[id]) << id;
  // Deallocate across the hole, too.
  const DsmRange range{.context = 0, .length = 8 * 1024, .slba = 0};
  rig.memory.write(data_at, &range, sizeof range);
  rig.requests.clear();
  EXPECT_EQ(rig.io({.opcode = 0x09, .nsid = 1, .prp1 = data_at, .cdw10 = 0, .cdw11 = 4}).code(), Status::success);
  ASSERT_EQ(rig.requests.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(rig.requests[i].kind, ftl::RequestKind::trim);
    EXPECT_EQ(rig.requests[i].address.count, i * 8 * mib);
    EXPECT_EQ(rig.requests[i].size, 4_MiB);
  }
  rig.expect_laws();
}

/// A capacity that is not whole granules can be had to the last block, again and again.
TEST(NvmeNamespaces, TheShortLastGranuleCounts) {
  Rig rig{Host::quick(), false, Bytes{5 * mib + 12'288}};
  const std::uint64_t all = (5 * mib + 12'288) / 4096;
  EXPECT_EQ(rig.identify<IdentifyNamespace>(0, 1).nsze, all);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(rig.remove(1), Status::success);
    EXPECT_EQ(rig.create_ns(all + 1, 0, [](auto&, auto&) {}).code(), Status::namespace_capacity);
    ASSERT_EQ(rig.create_ns(all), 1U);
    ASSERT_EQ(rig.attach(1), Status::success);
    EXPECT_EQ(rig.rw_at(IoOpcode::write, 1, all - 1, 1, 4096), Status::success);
    EXPECT_EQ(rig.identify<IdentifyController>(1, 0).unvmcap[0], 0U);
  }
}

/// 64 reads are inside when their namespace is to go: they end well, those behind find nothing, the answer comes last.
TEST(NvmeNamespaces, ADeletionWaitsForTheCommandsBeforeItAtDepth64) {
  Config c = Host::quick();
  Rig rig{c};
  ASSERT_EQ(rig.remove(1), Status::success);
  ASSERT_EQ(rig.create_ns(1024), 1U);
  ASSERT_EQ(rig.create_ns(1024), 2U);
  ASSERT_EQ(rig.attach(1), Status::success);
  ASSERT_EQ(rig.attach(2), Status::success);
  HostQueue& q = rig.create(2, 256, 256);
  rig.requests.clear();
  rig.read_time = 1ms;
  const auto read = [&](std::uint16_t cid, std::uint32_t nsid) {
    Sqe sqe = Host::rw(IoOpcode::read, 0, 1, data_at);
    sqe.nsid = nsid;
    sqe.cid = cid;
    rig.put(q, sqe);
  };
  for (std::uint16_t i = 0; i < 64; ++i) read(i, 1);
  rig.ring(q);
  rig.agenda.run_until(rig.agenda.now() + 100us);
  rig.put(rig.admin, {.opcode = 0x0d, .cid = 900, .nsid = 1, .cdw10 = 1});
  rig.ring(rig.admin);
  rig.agenda.run_until(rig.agenda.now() + 100us);
  for (std::uint16_t i = 100; i < 110; ++i) read(i, 1);
  for (std::uint16_t i = 200; i < 210; ++i) read(i, 2);
  rig.ring(q);
  rig.agenda.run();
  std::uint64_t good = 0, gone = 0;
  for (const Cqe& cqe : rig.poll(q)) {
    const bool late = cqe.cid >= 100 && cqe.cid < 200;
    EXPECT_EQ(cqe.code(), late ? Status::invalid_field : Status::success) << cqe.cid;
    ++(late ? gone : good);
  }
  EXPECT_EQ(good, 74U);
  EXPECT_EQ(gone, 10U);
  ASSERT_EQ(rig.poll(rig.admin).size(), 1U);
  std::size_t trims = 0;
  Time last_read{}, trim{};
  for (const Host::SeenRequest& r : rig.requests) {
    if (r.kind == ftl::RequestKind::read && r.address.count < 4 * mib) last_read = r.at + 1ms;
    if (r.kind != ftl::RequestKind::trim) continue;
    ++trims;
    trim = r.at;
    EXPECT_EQ(r.size, 4_MiB);
  }
  EXPECT_EQ(trims, 1U);
  EXPECT_GE(trim, last_read);
  rig.expect_laws();
}

TEST(NvmeNamespaces, AResetEndsADeletionThatWaits) {
  for (int moment = 0; moment < 30; ++moment) {
    Rig rig;
    rig.read_time = 10us;
    rig.other_time = 5us;
    for (int i = 0; i < 20; ++i) rig.put(rig.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
    rig.ring(rig.queues[1]);
    rig.put(rig.admin, {.opcode = 0x0d, .cid = 900, .nsid = 1, .cdw10 = 1});
    rig.ring(rig.admin);
    rig.agenda.run_until(rig.agenda.now() + moment * 1us);
    rig.write32(0x14, 0);
    rig.agenda.run();
    EXPECT_TRUE(rig.controller.idle()) << moment;
    rig.bring_up();
    const Ids left = rig.ids(0x02);
    EXPECT_TRUE(left.empty() || left == Ids{1});
    EXPECT_EQ(rig.ids(0x10), left);
    const Status status = rig.io(Host::rw(IoOpcode::read, 0, 1, data_at)).code();
    EXPECT_EQ(status, left.empty() ? Status::invalid_field : Status::success);
    EXPECT_EQ(rig.remove(0xffff'ffff), Status::success);
    rig.expect_laws();
  }
}

TEST(NvmeNamespaces, FormatOfOneLeavesTheOthersAlone) {
  Rig rig{Host::quick(), true};
  ASSERT_EQ(rig.remove(1), Status::success);
  for (std::uint32_t id = 1; id <= 2; ++id) {
    ASSERT_EQ(rig.create_ns(1024), id);
    ASSERT_EQ(rig.attach(id), Status::success);
  }
  rig.requests.clear();
  EXPECT_EQ(rig.admin_command({.opcode = 0x80, .nsid = 2, .cdw10 = 1}).code(), Status::success);
  ASSERT_EQ(rig.requests.size(), 1U);
  EXPECT_EQ(rig.requests[0].kind, ftl::RequestKind::trim);
  EXPECT_EQ(rig.requests[0].address, 4_MiB);
  EXPECT_EQ(rig.identify<IdentifyNamespace>(0, 2).nsze, 8192U);
  EXPECT_EQ(rig.identify<IdentifyNamespace>(0, 1).nsze, 1024U);
  EXPECT_EQ(rig.rw_at(IoOpcode::read, 2, 8191, 1, 512), Status::success);
  EXPECT_EQ(rig.requests.back().address.count, 8 * mib - 512);
  // A secure erase is of all, but the other keeps its format.
  EXPECT_EQ(rig.admin_command({.opcode = 0x80, .nsid = 2, .cdw10 = 1U << 9U}).code(), Status::success);
  EXPECT_EQ(rig.requests.back().kind, ftl::RequestKind::format);
  EXPECT_TRUE(rig.requests.back().erase);
  EXPECT_EQ(rig.identify<IdentifyNamespace>(0, 2).nsze, 1024U);
  EXPECT_EQ(rig.identify<IdentifyNamespace>(0, 1).flbas, 0U);
}

TEST(NvmeNamespaces, ChangesAreListedAndToldOnce) {
  Rig rig;
  EXPECT_NE(rig.identify<IdentifyController>(1, 0).oaes & 1U << 8U, 0U);
  EXPECT_EQ(rig.admin_command({.opcode = 0x09, .cdw10 = 0x0b, .cdw11 = 1U << 8U}).code(), Status::success);
  rig.put(rig.admin, {.opcode = 0x0c, .cid = 0x700});
  rig.ring(rig.admin);
  rig.agenda.run();
  rig.put(rig.admin, {.opcode = 0x0d, .cid = 0x701, .nsid = 1, .cdw10 = 1});
  rig.ring(rig.admin);
  rig.agenda.run();
  const std::vector<Cqe> done = rig.poll(rig.admin);
  ASSERT_EQ(done.size(), 2U);
  const Cqe& event = done[done[0].cid == 0x700 ? 0 : 1];
  EXPECT_EQ(event.dw0, 0x04'00'02U);
  const auto changed = [&] {
    EXPECT_EQ(rig.admin_command({.opcode = 0x02, .nsid = 0xffff'ffff, .prp1 = data_at, .cdw10 = 4U | (1023U << 16U)}).code(),
              Status::success);
    return rig.memory.at<std::array<std::uint32_t, 2>>(data_at);
  };
  EXPECT_EQ(changed(), (std::array<std::uint32_t, 2>{1, 0}));
  EXPECT_EQ(changed(), (std::array<std::uint32_t, 2>{0, 0}));
}

/// What a driver asks for: each Identify that there is, and the first byte of each that there is not.
TEST(NvmeNamespaces, EveryIdentify) {
  Rig rig;
  const std::set<std::uint32_t> known{0, 1, 2, 3, 5, 6, 7, 8, 9, 0xa, 0x10, 0x11, 0x12, 0x13, 0x16, 0x19, 0x1a, 0x1c};
  for (std::uint32_t cns = 0; cns < 256; ++cns) {
    const Status status = rig.admin_command({.opcode = 0x06, .nsid = 1, .prp1 = data_at, .cdw10 = cns}).code();
    EXPECT_EQ(status, known.contains(cns) ? Status::success : Status::invalid_field) << cns;
  }
  const auto code = [&](std::uint32_t cdw10, std::uint32_t nsid, std::uint32_t cdw11 = 0) {
    return rig.admin_command({.opcode = 0x06, .nsid = nsid, .prp1 = data_at, .cdw10 = cdw10, .cdw11 = cdw11}).code();
  };
  for (const std::uint32_t cns : {0U, 3U, 5U, 8U, 0x11U, 0x12U}) {
    EXPECT_EQ(code(cns, 33), Status::invalid_namespace) << cns;
    EXPECT_EQ(code(cns, 0), Status::invalid_namespace) << cns;
  }
  for (const std::uint32_t cns : {2U, 7U, 0x10U, 0x1aU}) {
    EXPECT_EQ(code(cns, 0xffff'fffe), Status::invalid_namespace) << cns;
    EXPECT_EQ(code(cns, 0xffff'ffff), Status::invalid_namespace) << cns;
  }
  for (const std::uint32_t cns : {5U, 6U, 7U, 0xaU, 0x1aU}) EXPECT_EQ(code(cns, 1, 9U << 24U), Status::invalid_field) << cns;
  EXPECT_EQ(code(3, 2), Status::invalid_field);
  EXPECT_EQ(code(9, 0, 2), Status::invalid_field);
  EXPECT_EQ(code(0x1c | 5U << 16U, 0), Status::invalid_field);
  // NGUID, EUI64, UUID, CSI.
  const auto descriptors = rig.identify<std::array<std::uint8_t, 64>>(3, 1);
  EXPECT_EQ(descriptors[0], 2U);
  EXPECT_EQ(descriptors[20], 1U);
  EXPECT_EQ(descriptors[32], 3U);
  EXPECT_EQ(descriptors[32 + 4 + 6] >> 4U, 8U);
  EXPECT_EQ(descriptors[32 + 4 + 8] >> 6U, 2U);
  EXPECT_EQ(descriptors[52], 4U);
  EXPECT_EQ(descriptors[56], 0U);
  EXPECT_EQ(rig.identify<IdentifyNamespace>(0, 0xffff'ffff).nlbaf, 1U);
  EXPECT_EQ(rig.identify<IdentifyNamespace>(9, 0, 1).lbaf[1].lbads, 9U);
  EXPECT_EQ((rig.identify<std::array<std::uint16_t, 2>>(0x13, 0)), (std::array<std::uint16_t, 2>{1, 0}));
  EXPECT_EQ((rig.identify<std::array<std::uint16_t, 2>>(0x19, 0)), (std::array<std::uint16_t, 2>{1, 1}));
  EXPECT_EQ(rig.identify<std::uint64_t>(0x1c, 0) & 1U, 1U);
  // No two namespaces that ever were have the same identifier.
  std::set<std::array<std::uint8_t, 16>> seen;
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(seen.insert(rig.identify<IdentifyNamespace>(0, 1).nguid).second);
    ASSERT_EQ(rig.remove(1), Status::success);
    ASSERT_EQ(rig.create_ns(100), 1U);
    ASSERT_EQ(rig.attach(1), Status::success);
  }
}

}  // namespace
}  // namespace flashpath::nvme::test

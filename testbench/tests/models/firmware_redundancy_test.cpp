// SPDX-License-Identifier: Apache-2.0
// Objects on two drives, objects under placement handles, and evicted objects the drives are told of.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "models/firmware_rig.h"

using namespace firmware_rig;
using fabric::Opcode;

namespace {

constexpr auto ok = static_cast<std::uint16_t>(KvStatus::ok);

Config mirrored() {
  Config c;
  c.cores = 1;
  c.redundancy = Redundancy::mirror;
  return c;
}
ObjectId stored(KvStore& store, std::uint64_t key, Bytes size) {
  ObjectId id{};
  EXPECT_EQ(store.begin_store(key_of(key), size, id), StoreResult::ok);
  store.commit(id);
  return id;
}
/// Commands of a kind that the drive was given.
std::uint64_t seen(const FakeDrive& drive, nvme::IoOpcode opcode) {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(drive.seen, [&](const nvme::Sqe& s) { return s.opcode == static_cast<std::uint8_t>(opcode); }));
}
void lose(Rig& rig, std::uint32_t drive) {
  rig.drives[drive]->hold = true;
  rig.driver->lose(drive, rig.agenda.now());
  rig.service->drive_lost(drive, rig.agenda.now());
  rig.agenda.run();
}

}  // namespace

TEST(Mirror, TakesTwiceTheSpaceAndKeepsWhatOneDriveHeld) {
  Config c = mirrored();
  KvStore store{c, {8, 8, 8, 8}};
  for (std::uint64_t k = 0; k < 8; ++k) stored(store, k, 2_MiB);  // 32 extents: full
  EXPECT_EQ(store.evictions(), 0U);
  for (std::uint32_t d = 0; d < 4; ++d) EXPECT_EQ(store.extents().used(d), 8U);
  stored(store, 8, 2_MiB);
  EXPECT_EQ(store.evictions(), 1U);
  EXPECT_EQ(store.objects(), 8U);
  store.lose(2);
  EXPECT_EQ(store.lost(), 0U);
  EXPECT_EQ(store.objects(), 8U);
  EXPECT_EQ(store.degraded(), 8U);  // drives 0 1 2 or 2 3 0
  EXPECT_TRUE(broken(store).empty());
  store.lose(1);  // what began at drive 0 had extent 1 on drives 1 and 2: the five of keys 2, 4, 6, 8 - key 0 was evicted
  EXPECT_EQ(store.lost(), 4U);
  for (std::uint64_t k = 1; k < 9; ++k) EXPECT_EQ(store.find(key_of(k)) == KvStore::none, k % 2 == 0) << k;
  EXPECT_TRUE(broken(store).empty());
}

TEST(Mirror, OneDriveLeftHoldsOneCopy) {
  Config c = mirrored();
  KvStore store{c, {8, 8}};
  stored(store, 0, 3_MiB);
  store.lose(0);
  EXPECT_EQ(store.lost(), 0U);
  const ObjectId id = stored(store, 1, 5_MiB);
  EXPECT_EQ(store.mirror_slab(id), Extents::none);
  EXPECT_EQ(store.extents().used(1), 8U);
  EXPECT_TRUE(broken(store).empty());
  store.lose(1);
  EXPECT_EQ(store.lost(), 2U);
  EXPECT_TRUE(broken(store).empty());
}

TEST(Mirror, WritesTwiceAndReadsOnce) {
  const auto written = [](bool mirror) {
    Config c = mirrored();
    if (!mirror) c.redundancy = Redundancy::none;
    Rig rig{c, 3};
    rig.bring_up();
    rig.capsule(Opcode::store, 1, Bytes{40_MiB} + 123_B, 1, rig.agenda.now());
    rig.agenda.run();
    rig.capsule(Opcode::retrieve, 1, 64_MiB, 2, rig.agenda.now());
    rig.agenda.run();
    EXPECT_EQ(rig.responses.back().status, ok);
    EXPECT_TRUE(rig.broken().empty());
    EXPECT_EQ(rig.counter("other_copy"), 0U);
    EXPECT_EQ(rig.counter("bytes_read"), (40U << 20U) + 4096U);
    return rig.counter("bytes_written");
  };
  EXPECT_EQ(written(false), (40U << 20U) + 4096U);
  EXPECT_EQ(written(true), 2 * ((40U << 20U) + 4096U));
}

TEST(Mirror, TheOtherCopyHasTheBytes) {
  for (std::uint32_t dead = 0; dead < 3; ++dead) {
    Rig rig{mirrored(), 3};
    rig.data = true;
    rig.bring_up();
    const std::uint64_t size = (9U << 20U) + 5000;
    std::vector<unsigned char> bytes(size), back(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(mix64(i / 512) >> 7U);
    rig.client.write(0, bytes);
    rig.capsule(Opcode::store, 1, {size}, 1, rig.agenda.now());
    rig.agenda.run();
    lose(rig, dead);
    EXPECT_EQ(rig.counter("lost"), 0U);
    EXPECT_EQ(rig.counter("degraded"), 1U);
    rig.capsule(Opcode::retrieve, 1, {size}, 2, rig.agenda.now(), 1U << 30U);
    rig.agenda.run();
    ASSERT_EQ(rig.responses.size(), 2U);
    EXPECT_EQ(rig.responses.back().status, ok);
    rig.client.read(1U << 30U, back);
    EXPECT_TRUE(back == bytes);
    EXPECT_GE(rig.counter("other_copy"), 3U);
    EXPECT_EQ(rig.counter("aborted"), 0U);
    EXPECT_TRUE(rig.broken().empty());
  }
}

TEST(Mirror, ReadsAndWritesUnderWayOutliveADrive) {
  Rig rig{mirrored(), 3};
  rig.bring_up();
  for (std::uint64_t k = 0; k < 8; ++k) rig.capsule(Opcode::store, k, 6_MiB, k, rig.agenda.now());
  rig.agenda.run();
  rig.drives[1]->hold = true;
  for (std::uint64_t k = 0; k < 8; ++k) rig.capsule(Opcode::retrieve, k, 6_MiB, 100 + k, rig.agenda.now());
  for (std::uint64_t k = 0; k < 8; ++k) rig.capsule(Opcode::store, 50 + k, 6_MiB, 200 + k, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.service->in_flight(), 16U);
  lose(rig, 1);
  ASSERT_EQ(rig.responses.size(), 24U);
  for (const auto& r : rig.responses) EXPECT_EQ(r.status, ok) << r.command;
  EXPECT_EQ(rig.counter("lost"), 0U);
  EXPECT_EQ(rig.counter("other_copy"), 16U);  // a third of 48 extents
  EXPECT_EQ(rig.counter("aborted"), 16U + 32U);
  for (std::uint64_t k = 0; k < 8; ++k) rig.capsule(Opcode::retrieve, 50 + k, 6_MiB, 300 + k, rig.agenda.now());
  rig.agenda.run();
  ASSERT_EQ(rig.responses.size(), 32U);
  for (std::size_t i = 24; i < 32; ++i) EXPECT_EQ(rig.responses[i].status, ok);
  EXPECT_EQ(rig.service->staging().available(), 4096U);
  EXPECT_TRUE(rig.broken().empty());
}

TEST(Mirror, AnUnreadableExtentIsReadFromTheOtherDrive) {
  Rig rig{mirrored(), 2};
  rig.bring_up();
  rig.capsule(Opcode::store, 1, 4_MiB, 1, rig.agenda.now());  // extents 0 2 first on drive 0, slabs 0 1
  rig.agenda.run();
  rig.drives[0]->fail[256] = nvme::Status::unrecovered_read_error;
  rig.capsule(Opcode::retrieve, 1, 4_MiB, 2, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.responses.back().status, ok);
  EXPECT_EQ(rig.counter("other_copy"), 1U);
  EXPECT_EQ(rig.counter("errors"), 1U);
  for (auto& drive : rig.drives)
    for (std::uint64_t slab = 0; slab < 4; ++slab) drive->fail[256 * slab] = nvme::Status::unrecovered_read_error;
  rig.capsule(Opcode::retrieve, 1, 4_MiB, 3, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.responses.back().status, static_cast<std::uint16_t>(KvStatus::unrecovered_error));
  // A write that a living drive refuses is a failure, mirrored or not.
  rig.drives[1]->fail.clear();
  rig.drives[0]->fail[256 * 4] = nvme::Status::write_fault;
  rig.capsule(Opcode::store, 2, 4_MiB, 4, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.responses.back().status, static_cast<std::uint16_t>(KvStatus::unrecovered_error));
  EXPECT_TRUE(rig.broken().empty());
}

TEST(Placement, ObjectsWrittenTogetherHaveDifferentHandles) {
  Config c;
  c.cores = 1;
  c.placement = Placement::object;
  c.placement_handles = 4;
  Rig rig{c};
  rig.bring_up();
  for (int round = 0; round < 5; ++round) {
    rig.drives[0]->seen.clear();
    for (std::uint64_t k = 0; k < 4; ++k)
      rig.capsule(Opcode::store, 10 * static_cast<std::uint64_t>(round) + k, 3_MiB, k, rig.agenda.now());
    rig.agenda.run();
    std::map<std::uint32_t, std::uint64_t> writes;  // by handle
    for (const nvme::Sqe& s : rig.drives[0]->seen) {
      EXPECT_EQ(s.cdw12 >> 20U & 0xfU, 2U);
      ++writes[s.cdw13 >> 16U];
    }
    EXPECT_EQ(writes, (std::map<std::uint32_t, std::uint64_t>{{0, 3}, {1, 3}, {2, 3}, {3, 3}})) << round;
  }
  rig.drives[0]->seen.clear();
  rig.capsule(Opcode::retrieve, 0, 3_MiB, 9, rig.agenda.now());
  rig.agenda.run();
  for (const nvme::Sqe& s : rig.drives[0]->seen) EXPECT_EQ(s.cdw12 >> 20U, 0U);
}

TEST(Placement, TenantsKeepTheirHandles) {
  const auto handles = [](Placement placement) {
    Config c;
    c.cores = 1;
    c.placement = placement;
    c.placement_handles = 3;
    c.tenant_connections = 8;
    Rig rig{c};
    rig.bring_up();
    std::set<std::pair<std::uint32_t, std::uint32_t>> pairs;  // tenant, handle
    for (std::uint32_t connection = 0; connection < 40; ++connection) {
      rig.drives[0]->seen.clear();
      rig.capsule(Opcode::store, connection, 1_MiB, connection, rig.agenda.now(), 0, 0, connection);
      rig.agenda.run();
      const nvme::Sqe& s = rig.drives[0]->seen.at(0);
      pairs.insert({connection / 8, (s.cdw12 >> 20U & 0xfU) == 0 ? 99U : s.cdw13 >> 16U});
    }
    return pairs;
  };
  using Pairs = std::set<std::pair<std::uint32_t, std::uint32_t>>;
  EXPECT_EQ(handles(Placement::tenant), (Pairs{{0, 0}, {1, 1}, {2, 2}, {3, 0}, {4, 1}}));
  EXPECT_EQ(handles(Placement::none), (Pairs{{0, 99}, {1, 99}, {2, 99}, {3, 99}, {4, 99}}));
  EXPECT_EQ(handles(Placement::object).size(), 15U);
}

TEST(Deallocate, EvictedAheadOfNeedAndTold) {
  struct Outcome {
    std::uint64_t told, evictions, objects;
  };
  const auto run = [](bool deallocate, std::uint32_t percent) {
    Config c;
    c.cores = 1;
    c.deallocate = deallocate;
    c.evict_ahead = percent;
    c.drive_capacity = 100_MiB;
    Rig rig{c, 2};
    rig.bring_up();
    for (std::uint64_t k = 0; k < 150; ++k) {
      rig.capsule(Opcode::store, k, 2_MiB, k, rig.agenda.now());
      rig.agenda.run();
    }
    EXPECT_EQ(rig.responses.size(), 150U);
    for (const auto& r : rig.responses) EXPECT_EQ(r.status, ok);
    EXPECT_TRUE(rig.broken().empty());
    EXPECT_EQ(rig.counter("deallocated"),
              seen(*rig.drives[0], nvme::IoOpcode::dataset_management) + seen(*rig.drives[1], nvme::IoOpcode::dataset_management));
    return Outcome{rig.counter("deallocated"), rig.counter("evicted"), rig.service->store()->objects()};
  };
  const Outcome off = run(false, 10), need = run(true, 0), ahead = run(true, 10);
  EXPECT_EQ(off.told, 0U);
  EXPECT_EQ(off.objects, 100U);
  EXPECT_EQ(need.told, 0U);
  EXPECT_EQ(need.evictions, 50U);
  EXPECT_EQ(ahead.objects, 90U);  // 20 of 200 extents are kept free
  EXPECT_EQ(ahead.evictions, 60U);
  EXPECT_EQ(ahead.told, 120U);
}

TEST(Mirror, StressWithHandlesDeallocationAndThreeLossesKeepsAllLaws) {
  Config c = mirrored();
  c.cores = 4;
  c.frames = 64;
  c.window = 4;
  c.drive_capacity = 100_MiB;
  c.deallocate = true;
  c.evict_ahead = 5;
  c.placement = Placement::object;
  Rig rig{c, 4};
  rig.bring_up();
  Random random{12, "stress"};
  std::uint64_t sent = 0;
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 10; ++i) {
      const std::uint64_t key = random.below(60);
      const Opcode op = std::array{Opcode::store, Opcode::retrieve, Opcode::retrieve, Opcode::remove}[random.below(4)];
      rig.capsule(op, key, op == Opcode::store ? Bytes{1 + random.below(12U << 20U)} : 12_MiB, ++sent, rig.agenda.now(), 0,
                  random.below(4));
    }
    rig.agenda.run_until(rig.agenda.now() + Duration{static_cast<std::int64_t>(random.below(400'000'000))});
    if (round % 75 == 74 && round < 230) {
      const std::uint32_t dead = round == 74 ? 1 : round == 149 ? 3 : 2;
      rig.drives[dead]->hold = true;
      rig.agenda.run_until(rig.agenda.now() + 100us);
      rig.driver->lose(dead, rig.agenda.now());
      rig.service->drive_lost(dead, rig.agenda.now());
      if (dead != 2) { EXPECT_EQ(rig.counter("lost"), 0U) << "1 and 3 were never neighbours"; }
    }
    ASSERT_TRUE(rig.broken().empty()) << rig.broken().front();
  }
  rig.agenda.run();
  EXPECT_EQ(rig.responses.size(), sent);
  EXPECT_EQ(rig.service->in_flight(), 0U);
  EXPECT_EQ(rig.service->staging().available(), 64U);
  EXPECT_TRUE(rig.broken().empty());
}

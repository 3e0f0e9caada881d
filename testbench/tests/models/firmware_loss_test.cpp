// SPDX-License-Identifier: Apache-2.0
// A drive is lost: its commands end, its objects are gone, and the others go on.
#include <gtest/gtest.h>

#include "models/firmware_rig.h"

using namespace firmware_rig;
using fabric::Opcode;

namespace {
Config one_core() {
  Config c;
  c.cores = 1;
  return c;
}
}  // namespace

TEST(DriveLoss, ObjectsWithAPartOnItAreGoneAndNewOnesGoElsewhere) {
  Config c;
  KvStore store{c, {100, 100, 100, 100}};
  std::vector<ObjectId> ids;
  for (std::uint64_t k = 0; k < 8; ++k) {  // two extents each: drives 0 1, 2 3, 0 1, …
    ObjectId id{};
    ASSERT_EQ(store.begin_store(key_of(k), 2_MiB, id), StoreResult::ok);
    store.commit(id);
    ids.push_back(id);
  }
  store.pin(ids[0]);  // being read
  ObjectId writing{};
  ASSERT_EQ(store.begin_store(key_of(50), 3_MiB, writing), StoreResult::ok);  // on 0 1 2
  store.lose(1);
  EXPECT_EQ(store.lost(), 4U);
  EXPECT_EQ(store.lost_bytes(), 8_MiB);
  EXPECT_EQ(store.objects(), 4U);
  for (std::uint64_t k = 0; k < 8; ++k) EXPECT_EQ(store.find(key_of(k)) == KvStore::none, k % 2 == 0);
  EXPECT_FALSE(store.intact(writing));
  EXPECT_TRUE(store.intact(ids[1]));
  EXPECT_TRUE(broken(store).empty());
  store.unpin(ids[0]);
  store.abort(writing);
  for (std::uint64_t k = 100; k < 130; ++k) {
    ObjectId id{};
    ASSERT_EQ(store.begin_store(key_of(k), 3_MiB, id), StoreResult::ok);
    EXPECT_TRUE(store.intact(id));
    store.commit(id);
  }
  EXPECT_EQ(store.extents().used(1), 0U);
  EXPECT_EQ(store.extents().used(0) + store.extents().used(2) + store.extents().used(3), 30U * 3 + 4 * 2);
  EXPECT_TRUE(broken(store).empty());
  store.lose(1);  // twice is once
  EXPECT_EQ(store.lost(), 4U);
  for (const std::uint32_t d : {0U, 2U, 3U}) store.lose(d);
  EXPECT_EQ(store.objects(), 0U);
  ObjectId id{};
  EXPECT_EQ(store.begin_store(key_of(7), 1_MiB, id), StoreResult::no_space);
  EXPECT_TRUE(broken(store).empty());
}

TEST(DriveLoss, CommandsInFlightAndLaterOnesEndWithoutTheDrive) {
  Rig rig{one_core(), 2};
  rig.bring_up();
  for (std::uint64_t k = 0; k < 4; ++k) rig.capsule(Opcode::store, k, 4_MiB, k, rig.agenda.now());  // on both drives
  rig.agenda.run();
  rig.drives[1]->hold = true;  // dead: takes commands and does not answer
  for (std::uint64_t k = 0; k < 3; ++k) rig.capsule(Opcode::retrieve, k, 4_MiB, 10 + k, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.responses.size(), 4U);
  EXPECT_EQ(rig.service->in_flight(), 3U);
  rig.driver->lose(1, rig.agenda.now());
  rig.service->drive_lost(1, rig.agenda.now());
  rig.agenda.run();
  ASSERT_EQ(rig.responses.size(), 7U);
  for (std::size_t i = 4; i < 7; ++i) EXPECT_EQ(rig.responses[i].status, static_cast<std::uint16_t>(KvStatus::unrecovered_error));
  EXPECT_EQ(rig.service->in_flight(), 0U);
  EXPECT_EQ(rig.driver->in_flight(), 0U);
  EXPECT_EQ(rig.counter("aborted"), 6U);
  EXPECT_EQ(rig.counter("lost"), 4U);
  EXPECT_EQ(rig.service->staging().available(), 4096U);
  rig.capsule(Opcode::retrieve, 3, 4_MiB, 20, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.responses.back().status, static_cast<std::uint16_t>(KvStatus::key_not_found));
  rig.capsule(Opcode::store, 9, 4_MiB, 21, rig.agenda.now());
  rig.agenda.run();
  rig.capsule(Opcode::retrieve, 9, 4_MiB, 22, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.responses.back().status, static_cast<std::uint16_t>(KvStatus::ok));  // from the drive that is left
  EXPECT_EQ(rig.counter("aborted"), 6U);
  EXPECT_TRUE(rig.broken().empty());
}

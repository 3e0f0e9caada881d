// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <list>
#include <map>

#include "base/random.h"
#include "bus/address_map.h"
#include "firmware/kv_store.h"
#include "firmware/staging.h"

using namespace flashpath;
using namespace flashpath::firmware;

namespace {

Key key_of(std::uint64_t n) {
  Key key{};
  std::memcpy(key.data(), &n, sizeof n);
  return key;
}

Config small() {
  Config c;
  c.max_object = 64_MiB;
  return c;
}

std::vector<std::string> broken(const KvStore& store) {
  Laws laws;
  store.check(laws);
  return laws.broken();
}

/// An LRU cache as one would write it on a blackboard: same stripe, same rule, no cleverness.
struct Reference {
  std::vector<std::uint64_t> available;
  std::list<std::uint64_t> lru;  // least recent first
  struct Entry {
    std::uint64_t extents;
    std::uint32_t start;
  };
  std::map<std::uint64_t, Entry> entries;
  std::uint32_t next = 0;
  void place(std::uint32_t start, std::uint64_t n, bool give) {
    for (std::uint64_t i = 0; i < n; ++i) available[(start + i) % available.size()] += give ? 1ULL : ~0ULL;
  }
  bool fits(std::uint64_t n) {
    std::vector<std::uint64_t> need(available.size());
    for (std::uint64_t i = 0; i < n; ++i) ++need[(next + i) % need.size()];
    for (std::size_t d = 0; d < need.size(); ++d)
      if (need[d] > available[d]) return false;
    return true;
  }
  void drop(std::uint64_t key) {
    place(entries[key].start, entries[key].extents, true);
    entries.erase(key);
    lru.remove(key);
  }
  void store(std::uint64_t key, std::uint64_t n) {
    while (!fits(n)) drop(lru.front());
    const std::uint32_t start = next;
    place(start, n, false);
    next = static_cast<std::uint32_t>((next + n) % available.size());
    if (entries.contains(key)) drop(key);
    entries[key] = {n, start};
    lru.push_back(key);
  }
  void use(std::uint64_t key) {
    lru.remove(key);
    lru.push_back(key);
  }
};

}  // namespace

TEST(KvStore, EvictionIsExactlyLruAgainstAReference) {
  KvStore store{small(), std::vector<std::uint64_t>(5, 60)};
  Reference reference;
  reference.available.assign(5, 60);
  Random random{7, "lru"};
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t key = random.below(120);
    const std::uint64_t what = random.below(100);
    if (what < 45) {
      const std::uint64_t n = 1 + random.below(12);
      ObjectId id = KvStore::none;
      ASSERT_EQ(store.begin_store(key_of(key), {(n - 1) * (1U << 20U) + 1 + random.below(1U << 20U)}, id), StoreResult::ok);
      store.commit(id);
      reference.store(key, n);
    } else if (what < 95) {
      const ObjectId id = store.find(key_of(key));
      ASSERT_EQ(id != KvStore::none, reference.entries.contains(key)) << "step " << i << " key " << key;
      if (id == KvStore::none) continue;
      ASSERT_EQ(store.extents_of(id), reference.entries[key].extents);
      ASSERT_EQ(store.drive_of(id), reference.entries[key].start);
      store.pin(id);
      store.unpin(id);
      reference.use(key);
    } else {
      ASSERT_EQ(store.remove(key_of(key)), reference.entries.contains(key));
      if (reference.entries.contains(key)) reference.drop(key);
    }
    if (i % 5000 == 0) { ASSERT_TRUE(broken(store).empty()) << broken(store).front(); }
  }
  EXPECT_EQ(store.objects(), reference.entries.size());
  EXPECT_TRUE(broken(store).empty());
  EXPECT_GT(store.evictions(), 10'000U);
}

TEST(KvStore, StripesRoundRobinAndGoesOnWhereTheLastObjectEnded) {
  KvStore store{small(), std::vector<std::uint64_t>(4, 100)};
  ObjectId a = 0, b = 0;
  ASSERT_EQ(store.begin_store(key_of(1), 6_MiB + 1_B, a), StoreResult::ok);
  ASSERT_EQ(store.begin_store(key_of(2), 2_MiB, b), StoreResult::ok);
  EXPECT_EQ(store.extents_of(a), 7U);
  EXPECT_EQ(store.drive_of(a), 0U);
  EXPECT_EQ(store.drive_of(b), 3U);
  EXPECT_EQ(store.extents().used(0), 3U);  // a: 0,4 · b: 1
  EXPECT_EQ(store.extents().used(1), 2U);
  EXPECT_EQ(store.extents().used(2), 2U);
  EXPECT_EQ(store.extents().used(3), 2U);
  // No two extents share a slab: walk both.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> seen;
  for (const ObjectId id : {a, b}) {
    std::uint32_t drive = store.drive_of(id), slab = store.first_slab(id);
    for (std::uint64_t i = 0; i < store.extents_of(id); ++i) {
      seen.emplace_back(drive, slab);
      slab = store.extents().next(drive, slab);
      drive = (drive + 1) % 4;
    }
    EXPECT_EQ(slab, Extents::none);
  }
  std::ranges::sort(seen);
  EXPECT_TRUE(std::ranges::adjacent_find(seen) == seen.end());
}

TEST(KvStore, WhatIsBeingWrittenIsInvisibleUntilCommitAndGoneAfterAbort) {
  KvStore store{small(), {10}};
  ObjectId id = 0, other = 0;
  ASSERT_EQ(store.begin_store(key_of(1), 1_MiB, id), StoreResult::ok);
  EXPECT_EQ(store.find(key_of(1)), KvStore::none);
  EXPECT_EQ(store.begin_store(key_of(1), 1_MiB, other), StoreResult::exists);  // somebody is at it
  store.commit(id);
  EXPECT_EQ(store.find(key_of(1)), id);
  ASSERT_EQ(store.begin_store(key_of(2), 1_MiB, id), StoreResult::ok);
  store.abort(id);
  EXPECT_EQ(store.find(key_of(2)), KvStore::none);
  EXPECT_EQ(store.extents().used(0), 1U);
  EXPECT_TRUE(broken(store).empty());
}

TEST(KvStore, PinnedObjectsSurviveEvictionRemovalAndOverwrite) {
  KvStore store{small(), {4}};
  ObjectId a = 0, b = 0, c = 0;
  ASSERT_EQ(store.begin_store(key_of(1), 2_MiB, a), StoreResult::ok);
  store.commit(a);
  ASSERT_EQ(store.begin_store(key_of(2), 2_MiB, b), StoreResult::ok);
  store.commit(b);
  store.pin(a);
  ASSERT_EQ(store.begin_store(key_of(3), 1_MiB, c), StoreResult::ok);  // evicts b, though a is older
  EXPECT_EQ(store.find(key_of(2)), KvStore::none);
  EXPECT_EQ(store.find(key_of(1)), a);
  store.commit(c);
  EXPECT_EQ(store.begin_store(key_of(4), 3_MiB, b), StoreResult::no_space);  // c goes, a cannot
  EXPECT_TRUE(store.remove(key_of(1)));
  EXPECT_EQ(store.extents().used(0), 2U);  // still read
  store.unpin(a);
  EXPECT_EQ(store.extents().used(0), 0U);
  EXPECT_TRUE(broken(store).empty());
}

TEST(KvStore, ExistingAndMaxObjectKnobs) {
  Config c = small();
  c.existing = "refuse";
  c.max_object = 1_MiB;
  KvStore store{c, {10}};
  ObjectId id = 0;
  ASSERT_EQ(store.begin_store(key_of(1), 1_MiB, id), StoreResult::ok);
  store.commit(id);
  EXPECT_EQ(store.begin_store(key_of(1), 1_MiB, id), StoreResult::exists);
  EXPECT_EQ(store.begin_store(key_of(2), 1_MiB + 1_B, id), StoreResult::bad_size);
  EXPECT_EQ(store.begin_store(key_of(2), 0_B, id), StoreResult::bad_size);
  EXPECT_EQ(store.begin_store(key_of(2), 1_MiB, id), StoreResult::ok);
}

TEST(KvStore, IndexLiesInMemoryAsBucketsThenEntries) {
  Config c = small();
  c.index_buckets = 16;
  KvStore store{c, {10}};
  for (std::uint64_t k = 0; k < 100; ++k) {
    EXPECT_GE(store.bucket_address(key_of(k)), bus::index_base);
    EXPECT_LT(store.bucket_address(key_of(k)), bus::index_base + 16 * 64);
    EXPECT_EQ(store.bucket_address(key_of(k)) % 64, 0U);
  }
  EXPECT_EQ(store.entry_address(3), bus::index_base + 16 * 64 + 3 * 64);
}

TEST(KvStore, MillionsOfObjectsFitInLittleMemory) {
  KvStore store{small(), std::vector<std::uint64_t>(9, 2'000'000)};
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < 1'000'000; ++i) {
    ObjectId id = 0;
    ASSERT_EQ(store.begin_store(key_of(i), 16_MiB, id), StoreResult::ok);
    store.commit(id);
  }
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%lld ns per store of 16 extents\n", static_cast<long long>(ns / 1'000'000));
  EXPECT_EQ(store.objects(), 1'000'000U);
  for (std::uint64_t i = 0; i < 1'000'000; i += 997) EXPECT_NE(store.find(key_of(i)), KvStore::none);
}

TEST(KvStore, RemovedObjectsKeepTheirExtentsUntilTheDrivesKnow) {
  struct Owner {
    bool freed(ObjectId id) {
      asked.push_back(id);
      return true;
    }
    std::vector<ObjectId> asked;
  } owner;
  KvStore store{small(), {4}, KvStore::Freed::to<&Owner::freed>(&owner)};
  ObjectId id = 0;
  ASSERT_EQ(store.begin_store(key_of(1), 2_MiB, id), StoreResult::ok);
  store.commit(id);
  EXPECT_TRUE(store.remove(key_of(1)));
  ASSERT_EQ(owner.asked.size(), 1U);
  EXPECT_EQ(store.extents().used(0), 2U);
  store.deallocated(owner.asked[0]);
  EXPECT_EQ(store.extents().used(0), 0U);
  EXPECT_TRUE(broken(store).empty());
}

namespace {
struct Takers {
  void granted(std::uint64_t tag, std::span<const std::uint32_t> f, Time now) {
    order.push_back(tag);
    held[tag].assign(f.begin(), f.end());
    at.push_back(now);
  }
  std::vector<std::uint64_t> order;
  std::vector<Time> at;
  std::map<std::uint64_t, std::vector<std::uint32_t>> held;
};
}  // namespace

TEST(Staging, ExhaustedFramesAreGrantedFirstComeFirstServed) {
  Config c;
  c.frames = 8;
  stats::Group group{"fw"};
  Takers takers;
  Staging staging{c, group, Staging::Granted::to<&Takers::granted>(&takers)};
  std::vector<std::uint32_t> first, no;
  ASSERT_TRUE(staging.take(7, 0, Time{}, first));
  EXPECT_FALSE(staging.take(4, 1, Time{1ns}, no));  // one is free, four are needed
  EXPECT_FALSE(staging.take(1, 2, Time{2ns}, no));  // would fit, but does not overtake
  EXPECT_TRUE(no.empty());
  staging.give(std::span{first}.first(2), Time{10ns});
  EXPECT_TRUE(takers.order.empty());  // three free: one short
  staging.give(std::span{first}.subspan(2, 1), Time{11ns});
  EXPECT_EQ(takers.order, (std::vector<std::uint64_t>{1}));
  staging.give(std::span{first}.subspan(3), Time{12ns});
  EXPECT_EQ(takers.order, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(takers.at[0], Time{11ns});
  EXPECT_EQ(staging.available(), 3U);
  EXPECT_EQ(staging.address_of(3), bus::staging_base + 3 * (1U << 20U));
  Laws laws;
  staging.check(laws);
  EXPECT_TRUE(laws.broken().empty());
}

TEST(Staging, NoFrameIsHeldTwiceUnderStress) {
  Config c;
  c.frames = 64;
  stats::Group group{"fw"};
  Takers takers;
  Staging staging{c, group, Staging::Granted::to<&Takers::granted>(&takers)};
  Random random{3, "staging"};
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const auto n = static_cast<std::uint32_t>(1 + random.below(16));
    std::vector<std::uint32_t> got;
    if (staging.take(n, i, Time{Duration{static_cast<std::int64_t>(i)}}, got)) takers.held[i] = got;
    while (takers.held.size() > 3 || (staging.waiting() != 0 && !takers.held.empty())) {
      auto victim = takers.held.begin();
      std::advance(victim, static_cast<std::ptrdiff_t>(random.below(takers.held.size())));
      const auto frames = victim->second;
      takers.held.erase(victim);
      staging.give(frames, Time{Duration{static_cast<std::int64_t>(i)}});
    }
    std::vector<std::uint32_t> all;
    for (const auto& [tag, f] : takers.held) all.insert(all.end(), f.begin(), f.end());
    std::ranges::sort(all);
    ASSERT_TRUE(std::ranges::adjacent_find(all) == all.end());
    ASSERT_EQ(all.size() + staging.available(), 64U);
  }
  EXPECT_TRUE(std::ranges::is_sorted(takers.order));  // grants in the order of asking
  Laws laws;
  staging.check(laws);
  EXPECT_TRUE(laws.broken().empty());
}

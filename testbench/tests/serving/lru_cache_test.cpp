// SPDX-License-Identifier: Apache-2.0
// Against the obvious implementation: a list, searched.
#include "serving/lru_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

namespace flashpath::serving_test {
namespace {

using serving::LruCache;

struct Collide {
  std::uint64_t operator()(std::uint64_t key) const { return key % 5; }
};

template <class Cache>
void against_a_list(std::uint64_t capacity, std::uint64_t keys) {
  Cache cache{capacity};
  std::deque<std::uint64_t> list;  // newest first
  Random random{7, "lru_test"};
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t key = random.below(keys);
    const auto found = std::find(list.begin(), list.end(), key);
    ASSERT_EQ(cache.contains(key), found != list.end());
    if (random.below(8) == 0) {
      ASSERT_EQ(cache.erase(key), found != list.end());
      if (found != list.end()) list.erase(found);
    } else {
      const bool was = found != list.end();
      if (was) list.erase(found);
      list.push_front(key);
      const auto touched = cache.touch(key);
      ASSERT_EQ(touched.present, was);
      ASSERT_EQ(touched.evicted.has_value(), list.size() > capacity);
      if (list.size() > capacity) {
        ASSERT_EQ(*touched.evicted, list.back());
        list.pop_back();
      }
    }
    ASSERT_EQ(cache.size(), list.size());
    if (!list.empty()) { ASSERT_EQ(cache.oldest(), list.back()); }
  }
}

TEST(LruCache, does_what_a_list_does) {
  against_a_list<LruCache<>>(1, 4);
  against_a_list<LruCache<>>(10, 30);
  against_a_list<LruCache<>>(100, 120);
  against_a_list<LruCache<>>(LruCache<>::unlimited, 500);
  against_a_list<LruCache<std::uint64_t, Collide>>(20, 40);
}

TEST(LruCache, without_capacity_keeps_nothing) {
  LruCache<> cache{0};
  const auto touched = cache.touch(3);
  EXPECT_FALSE(touched.present);
  EXPECT_EQ(touched.evicted, 3U);
  EXPECT_FALSE(cache.contains(3));
}

}  // namespace
}  // namespace flashpath::serving_test

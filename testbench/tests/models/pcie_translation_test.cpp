// SPDX-License-Identifier: Apache-2.0
// The translation cache: closed forms, and exact LRU against a list.
#include <gtest/gtest.h>

#include <list>

#include "base/random.h"
#include "pcie/translation_model.h"

using namespace flashpath;
using namespace flashpath::pcie;

namespace {
constexpr Time zero{};
Config iommu(std::uint32_t entries) {
  return Config{.translation = Translation::iommu, .translation_entries = entries, .translation_page = 4_KiB, .walk_latency = 500ns};
}
}  // namespace

TEST(PcieTranslation, AMissIsAWalkAHitIsFreeAndOrderIsKept) {
  stats::Group group{"g"};
  TranslationCache cache{iommu(4), group};
  EXPECT_EQ(cache.ready(0, 4_KiB, zero), zero + 500ns);
  EXPECT_EQ(cache.ready(64, 64_B, zero + 100ns), zero + 500ns);  // a hit behind a miss
  EXPECT_EQ(cache.ready(64, 64_B, zero + 600ns), zero + 600ns);
  EXPECT_EQ(cache.ready(4095, 2_B, zero + 1us), zero + 1500ns);          // the second page of the two
  EXPECT_EQ(cache.ready(1U << 20U, 16_KiB, zero + 2us), zero + 2500ns);  // four walks at once
  EXPECT_EQ(cache.lookups.value, 9U);
  EXPECT_EQ(cache.misses.value, 6U);
  EXPECT_EQ(cache.wait.value, 500'000U * 3 + 400'000U);
}

TEST(PcieTranslation, LeastRecentlyUsedLeaves) {
  stats::Group group{"g"};
  TranslationCache cache{iommu(64), group};
  std::list<std::uint64_t> reference;
  Random random{5, "pages"};
  std::uint64_t misses = 0;
  for (int i = 0; i < 50'000; ++i) {
    const std::uint64_t page = random.below(random.below(2) == 0 ? 40 : 400);
    const auto found = std::find(reference.begin(), reference.end(), page);
    if (found != reference.end()) {
      reference.erase(found);
    } else {
      ++misses;
      if (reference.size() == 64) reference.pop_back();
    }
    reference.push_front(page);
    cache.ready(page * 4096, 64_B, zero);
    ASSERT_EQ(cache.misses.value, misses);
  }
}

TEST(PcieTranslation, MoreEntriesLargerPagesFewerMisses) {
  const auto misses = [](std::uint32_t entries, Bytes page) {
    Config c = iommu(entries);
    c.translation_page = page;
    stats::Group group{"g"};
    TranslationCache cache{c, group};
    Random random{6, "pages"};
    for (int i = 0; i < 20'000; ++i) cache.ready(random.below(1024) * 4096, 4_KiB, zero);
    return cache.misses.value;
  };
  EXPECT_NEAR(static_cast<double>(misses(512, 4_KiB)) / 20'000, 0.5, 0.03);  // half of the pages fit
  EXPECT_LT(misses(768, 4_KiB), misses(512, 4_KiB));
  EXPECT_EQ(misses(512, 64_KiB), 64U);
}

TEST(PcieTranslation, AtsAsksOverTheLink) {
  Config c{.generation = 5, .lanes = 4, .overhead = 0, .latency = 40ns, .translation = Translation::ats, .walk_latency = 500ns};
  stats::Group group{"g"};
  TranslationCache cache{c, group};
  // A request of 24 B, a completion of 28 B, 1523.4 and 1777.4 ps, each rounded up; the link twice.
  EXPECT_EQ(cache.ready(0, 4_KiB, zero), zero + 1'524_ps + 1'778_ps + 80ns + 500ns);
}

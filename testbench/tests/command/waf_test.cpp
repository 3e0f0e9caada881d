// SPDX-License-Identifier: Apache-2.0
// flashpath waf --object: whole objects of tenants, in one stream, with a placement handle each, aligned to reclaim units.
#include "command/program.h"

using namespace flashpath::test;

namespace {
struct Waf : Program {
  /// 256 reclaim units of 4 MiB, nine tenths in use; four tenants, each one's objects live twice as long as the last one's.
  Json objects(const std::string& more) const {
    const Ended e = run("waf --json --superblocks 256 --units 1024 -u 0.9 --warm-up 4 --passes 4 " + more);
    EXPECT_EQ(e.code, 0) << e.err;
    Json j = Json::parse(e.out, nullptr, false);
    EXPECT_FALSE(j.is_discarded()) << e.out;
    const auto number = [&](const char* key) { return j.value(key, std::uint64_t{0}); };
    EXPECT_NEAR(static_cast<double>(number("writes")), 4.0 * static_cast<double>(number("objects") * number("object")), 2048);
    EXPECT_GT(number("victims"), 500U);
    return j;
  }
  double waf(const std::string& more) const { return objects(more).value("waf", 0.0); }
};
}  // namespace

/// The oldest object goes: with a handle each, a tenant's reclaim units are invalidated whole, however small its objects are.
TEST_F(Waf, AHandlePerLifetimeInvalidatesWholeReclaimUnits) {
  for (const std::string object : {"64", "512", "1024"}) {
    const double mixed = waf("--object " + object);
    const Json handles = objects("--placement handles --object " + object);
    EXPECT_GT(mixed, 1.7) << object;
    EXPECT_LT(mixed, 2.3) << object;
    EXPECT_GE(handles["waf"], 1.0) << object;
    EXPECT_LT(handles["waf"], 1.01) << object;
    EXPECT_EQ(handles["victims_below_tenth"], handles["victims"]) << object;
  }
}

/// One lifetime, in the order of writing: nothing to tell apart, the drive is a ring.
TEST_F(Waf, OneLifetimeNeedsNoHandle) {
  EXPECT_LT(waf("--object 512 --lifetimes 1"), 1.01);
  EXPECT_LT(waf("--object 512 --tenants 1 --writers 1"), 1.01);
}

/// Any object may go: a handle per lifetime helps little, objects of whole reclaim units written one by one always.
TEST_F(Waf, AlignedObjectsDoNotCareWhichIsEvicted) {
  const std::string any = "--eviction random ";
  const double mixed = waf(any + "--object 1024"), handles = waf(any + "--object 1024 --placement handles");
  EXPECT_GT(mixed, 2.5);
  EXPECT_LT(handles, 0.95 * mixed);
  EXPECT_GT(handles, 2);
  EXPECT_EQ(waf(any + "--object 1024 --placement aligned"), 1.0);
  EXPECT_EQ(waf(any + "--object 2048 --placement aligned"), 1.0);
  // Half a reclaim unit: two neighbours that go at different times.
  const double half = waf(any + "--object 512 --placement aligned");
  EXPECT_GT(half, 1.4);
  EXPECT_LT(half, waf(any + "--object 512"));
}

/// What is evicted ahead of need is room for collection, if the drive is told.
TEST_F(Waf, DeallocationOfEvictedObjectsLowersIt) {
  const Json kept = objects("--object 512 --eviction random --evict 10"),
             told = objects("--object 512 --eviction random --evict 10 --deallocate");
  EXPECT_EQ(kept["trimmed_units"], 0);
  EXPECT_GT(told["trimmed_units"], told["writes"].get<double>() * 0.9);
  EXPECT_LT(told["trimmed_units"], told["writes"].get<double>() * 1.1);
  EXPECT_LT(told["waf"], 0.85 * kept["waf"].get<double>());
}

TEST_F(Waf, TooFewObjectsAreRefused) { expect_refused("waf --object 100000", {"0 objects of 100000 units", "2 x (--writers + 1) = 10"}); }

// SPDX-License-Identifier: Apache-2.0
// The order checker finds each violation made on purpose, and nothing in what is allowed.
#include <gtest/gtest.h>

#include "checks/order_checker.h"

using namespace flashpath;
using checks::OrderChecker;

namespace {
constexpr Time zero{};
std::size_t broken(OrderChecker& c) {
  c.finish();
  return c.violations().size();
}
}  // namespace

TEST(OrderChecker, AllowsWhatTheStandardAllows) {
  OrderChecker c{"link"};
  c.entered(true, false, 0, 64, zero);
  c.entered(false, false, 4096, 64, zero + 1ns);  // a read behind the write
  c.entered(true, false, 64, 64, zero + 2ns);
  c.entered(false, true, 8, 4, zero + 3ns);  // a completion
  c.left(true, false, 0, 64, zero + 10ns);
  c.left(true, false, 64, 64, zero + 11ns);  // posted pass the read
  c.left(false, true, 8, 4, zero + 11ns);    // the completion too
  c.left(false, false, 4096, 64, zero + 12ns);
  EXPECT_EQ(broken(c), 0U);
  EXPECT_EQ(c.posted(), 2U);
  EXPECT_EQ(c.others(), 2U);
}

TEST(OrderChecker, ReadsAndCompletionsMayNotPassPosted) {
  for (const bool completion : {false, true}) {
    OrderChecker c{"link"};
    c.entered(true, false, 0, 64, zero);
    c.entered(false, completion, 4096, 64, zero + 1_ps);
    c.left(false, completion, 4096, 64, zero + 10ns - 1_ps);
    c.left(true, false, 0, 64, zero + 10ns);
    EXPECT_EQ(broken(c), 1U);
    EXPECT_EQ(c.violations()[0], "link at 9999 ps: a read or a completion passed a posted write");
    OrderChecker same{"link"};
    same.entered(true, false, 0, 64, zero);
    same.entered(false, completion, 4096, 64, zero);  // at the same moment: either may go
    same.left(false, completion, 4096, 64, zero + 9ns);
    same.left(true, false, 0, 64, zero + 10ns);
    EXPECT_EQ(broken(same), 0U);
  }
}

TEST(OrderChecker, PostedKeepTheirOrderAndNothingIsLostOrInvented) {
  OrderChecker c{"link"};
  c.entered(true, false, 0, 64, zero);
  c.entered(true, false, 64, 64, zero + 1ns);
  c.left(true, false, 64, 64, zero + 2ns);
  c.left(true, false, 0, 64, zero + 3ns);
  EXPECT_EQ(c.violations().size(), 2U);
  c.left(true, false, 0, 64, zero + 4ns);
  c.left(false, false, 0, 64, zero + 4ns);
  EXPECT_EQ(c.violations().size(), 4U);
  OrderChecker lost{"link"};
  lost.entered(true, false, 0, 64, zero);
  lost.entered(false, false, 0, 64, zero);
  EXPECT_EQ(broken(lost), 2U);
  OrderChecker early{"link"};
  early.entered(false, false, 0, 64, zero + 1ns);
  early.left(false, false, 0, 64, zero);
  EXPECT_EQ(broken(early), 1U);
}

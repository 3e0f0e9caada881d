// SPDX-License-Identifier: Apache-2.0
// The link against its closed forms, to the picosecond.
#include <gtest/gtest.h>

#include "base/random.h"
#include "models/pcie_rig.h"
#include "pcie/switch_model.h"

using namespace flashpath;
using namespace flashpath::pcie;
using namespace flashpath::test::pcie_rig;

TEST(PcieLink, PostedBurstAlone) {
  Rig rig{gen5()};
  // 4 KiB: 16 TLPs of 280 B at 16 GB/s x 128/130: 284.375 ns; the first takes 17.7734 ns.
  Burst& b = rig.post(4_KiB);
  rig.agenda.run();
  EXPECT_EQ(b.start, zero);
  EXPECT_EQ(b.sent, zero + 284'375_ps);
  EXPECT_EQ(b.out.first, zero + 17'774_ps + 40ns);
  EXPECT_EQ(b.out.last, zero + 284'375_ps + 40ns);
  EXPECT_EQ(rig.laws(), std::vector<std::string>{});
}

// Whole messages, whole nanoseconds, no encoding: 4 KiB at MPS 128 with 28 B around each TLP is 32 x 156 B, 312 ns at 16 GB/s.
TEST(PcieLink, StoreAndForward) {
  Config c{.generation = 5,
           .lanes = 4,
           .forwarding = Forwarding::store_and_forward,
           .mps = 128_B,
           .write_header = 28_B,
           .read_header = 32_B,
           .completion_header = 28_B,
           .overhead = 0,
           .latency = 40ns};
  Rig rig{c, 4};
  Burst& b = rig.make(Kind::posted, 0, 4_KiB, {zero + 10ns, zero + 500ns});  // its last byte comes at 500 ns
  rig.link.up.offer(b, zero);
  Burst& small = rig.post(16_B, zero + 490ns);  // whole before the other: it goes first
  rig.agenda.run();
  EXPECT_EQ(small.start, zero + 490ns);
  EXPECT_EQ(small.sent, zero + 492ns);  // 44 B: 2.75 ns, truncated
  EXPECT_EQ(b.start, zero + 500ns);
  EXPECT_EQ(b.out.first, zero + 812ns + 40ns);
  EXPECT_EQ(b.out.last, b.out.first);
  // A read of any size is one request and one message, and takes no tags: 64 KiB are 512 x 156 B.
  const Time then = zero + 10us;
  Burst& r = rig.read(64_KiB, then);
  rig.agenda.run();
  EXPECT_EQ(r.out.last, then + 2ns + 40ns + rig.host + 4'992ns + 40ns);
  EXPECT_EQ(rig.link.tag_waiting(), 0U);
  EXPECT_EQ(rig.laws(), std::vector<std::string>{});
}

TEST(PcieLink, StarvedBySourceEndsOneTlpAfterItsLastByte) {
  Rig rig{gen5()};
  Burst& b = rig.make(Kind::posted, 0, 4_KiB, {zero, zero + 1us});
  rig.link.up.offer(b, zero);
  Burst& behind = rig.post(64_B);
  rig.agenda.run();
  EXPECT_EQ(b.sent, zero + 1us + 17'774_ps);
  EXPECT_EQ(b.out.first, zero + 17'774_ps + 40ns);
  EXPECT_EQ(b.out.last, b.sent + 40ns);
  EXPECT_EQ(behind.start, zero + 284'375_ps);  // unused serialiser time is lent
}

TEST(PcieLink, ReadAlone) {
  Rig rig{gen5(), 768};
  rig.host = 300ns;
  Burst& b = rig.read(4_KiB, zero);
  rig.agenda.run_until(zero + 45ns);
  // 8 requests of 24 B; the first arrives after 24 B of wire and the latency: 1523.4 ps rounded up.
  ASSERT_EQ(rig.ups.size(), 1U);
  EXPECT_EQ(b.out.first, zero + 1'524_ps + 40ns);
  EXPECT_EQ(b.out.last, zero + 12'188_ps + 40ns);
  rig.agenda.run();
  const Time at = zero + 41'524_ps + 300ns;
  // 16 completions of 276 B: 280.3125 ns; one takes 17.5195 ns.
  EXPECT_EQ(b.start, at);
  EXPECT_EQ(b.out.first, at + 17'520_ps + 40ns);
  EXPECT_EQ(b.out.last, at + 280'313_ps + 40ns);
}

TEST(PcieLink, SaturatedRunsReachThePublishedRates) {
  // {generation, lanes, {MWr at MPS 128, 256, 512}, {CplD}} in GB/s.
  struct Row {
    std::uint32_t generation, lanes;
    double rate[2][3];
  };
  constexpr Row table[] = {{4, 4, {{6.63, 7.20, 7.52}, {6.81, 7.31, 7.58}}},       {5, 4, {{13.27, 14.40, 15.05}, {13.62, 14.61, 15.16}}},
                           {5, 8, {{26.5, 28.8, 30.1}, {27.3, 29.2, 30.3}}},       {5, 16, {{53.1, 57.6, 60.2}, {54.5, 58.5, 60.7}}},
                           {6, 4, {{26.22, 27.76, 28.61}, {26.97, 28.18, 28.82}}}, {6, 8, {{52.4, 55.5, 57.2}, {53.9, 56.4, 57.7}}},
                           {6, 16, {{104.9, 111.1, 114.4}, {107.9, 112.7, 115.3}}}};
  for (const Row& row : table) {
    for (unsigned column = 0; column < 3; ++column) {
      for (const Kind kind : {Kind::posted, Kind::completion}) {
        Config c{.generation = row.generation, .lanes = row.lanes, .mps = Bytes{128U << column}, .overhead = 0, .flit_overhead = 0};
        c.posted_headers = 1024;
        Rig rig{c};
        for (unsigned i = 0; i < 64; ++i) rig.link.up.offer(rig.make(kind, i * 16384, 16_KiB, {zero, zero}), zero);
        rig.agenda.run();
        ASSERT_EQ(rig.ups.size(), 64U);
        const Duration span = rig.ups.back()->out.first - rig.ups.front()->out.first;
        const double rate = 63 * 16384 / to_seconds(span) * 1e-9;
        EXPECT_NEAR(rate / row.rate[kind == Kind::posted ? 0 : 1][column], 1.0, 0.005)
            << "gen" << row.generation << " x" << row.lanes << " column " << column;
      }
    }
  }
}

TEST(PcieLink, CreditsPerRoundTripLimitTheRate) {
  Config c = gen5();
  c.credit_round_trip = 400ns;
  c.posted_data = 2_KiB;  // 2 KiB per 400 ns = 5.12 GB/s, far below 14.4
  Rig rig{c};
  for (unsigned i = 0; i < 64; ++i) rig.post(4_KiB);
  rig.agenda.run();
  for (unsigned i = 0; i < 64; ++i) EXPECT_EQ(rig.ups[i]->start, zero + i * 800ns);
  EXPECT_EQ(rig.link.up.credit_stall.value, 64U * (800'000 - 284'375));
  EXPECT_EQ(rig.link.up.busy.value, 64 * 284'375_ps);
  EXPECT_EQ(rig.laws(), std::vector<std::string>{});
}

TEST(PcieLink, HeaderCreditsLimitSmallWrites) {
  Config c = gen5();
  c.credit_round_trip = 400ns;
  c.posted_headers = 4;
  Rig rig{c};
  for (unsigned i = 0; i < 64; ++i) rig.post(16_B);
  rig.agenda.run();
  for (unsigned i = 0; i < 64; ++i) EXPECT_EQ(rig.ups[i]->start, zero + i * 100ns);  // 4 TLPs per 400 ns
}

TEST(PcieLink, NonPostedAndCompletionCreditsLimitToo) {
  Config c = gen5();
  c.credit_round_trip = 400ns;
  c.non_posted_headers = 2;
  c.completion_data = 1_KiB;
  Rig rig{c};
  rig.host = 0ns;
  for (unsigned i = 0; i < 16; ++i) rig.read(512_B, zero);  // one request each: 200 ns apart
  rig.agenda.run();
  for (unsigned i = 0; i < 16; ++i) EXPECT_EQ(rig.downs[i]->asked, zero + i * 200ns);
  Rig other{c};
  for (unsigned i = 0; i < 16; ++i) other.link.down.offer(other.make(Kind::completion, 0, 4_KiB, {zero, zero}), zero);
  other.agenda.run();
  for (unsigned i = 0; i < 16; ++i) EXPECT_EQ(other.downs[i]->start, zero + i * 1600ns);
}

TEST(PcieLink, StalledReceiverStopsTheLinkAndItResumesOnThePicosecond) {
  Config c = gen5();
  c.posted_data = 8_KiB;
  Rig rig{c};
  rig.takes = false;
  for (unsigned i = 0; i < 5; ++i) rig.post(4_KiB);
  Burst& cpl = rig.make(Kind::completion, 0, 64_B, {zero, zero});
  rig.link.up.offer(cpl, zero);
  rig.agenda.run();
  EXPECT_EQ(rig.starts.size(), 2U);  // 8 KiB are out
  EXPECT_TRUE(rig.link.up.blocked());
  EXPECT_EQ(rig.link.up.waiting(), 4U);
  const Time t = zero + 5us + 1_ps;
  rig.agenda.post(
      t,
      [](void* self, Time now, std::uint64_t, std::uint64_t) {
        Rig& r = *static_cast<Rig*>(self);
        r.link.up.taken(*r.starts[0], now);
      },
      &rig);
  rig.agenda.run_until(t - 1_ps);
  EXPECT_EQ(rig.starts.size(), 2U);
  rig.agenda.run();
  ASSERT_EQ(rig.starts.size(), 3U);
  EXPECT_EQ(rig.starts[2]->start, t);
  EXPECT_EQ(rig.link.up.credit_stall.value, static_cast<std::uint64_t>((t - zero - 2 * 284'375_ps).count()));
  rig.link.up.taken(*rig.starts[1], t + 1us);
  rig.link.up.taken(*rig.starts[2], t + 1us);
  rig.agenda.run();
  ASSERT_EQ(rig.starts.size(), 6U);  // the completion stayed behind the writes
  EXPECT_EQ(rig.starts[5], &cpl);
  EXPECT_EQ(cpl.start, t + 1us + 2 * 284'375_ps);
  EXPECT_EQ(rig.laws(), std::vector<std::string>{});
}

TEST(PcieLink, OneBurstLargerThanTheBufferMayGo) {
  Config c = gen5();
  c.posted_data = 4_KiB;
  Rig rig{c};
  rig.takes = false;
  Burst& big = rig.post(64_KiB);
  Burst& next = rig.post(64_B);
  rig.agenda.run();
  EXPECT_EQ(rig.starts.size(), 1U);
  rig.link.up.taken(big, rig.agenda.now() + 1ns);
  EXPECT_EQ(next.start, rig.agenda.now() + 1ns);
}

TEST(PcieLink, TagsBind) {
  Config c = gen5();
  Rig rig{c, 8};  // one 4 KiB read = 8 requests of 512 B: one at a time
  for (unsigned i = 0; i < 64; ++i) rig.read(4_KiB, zero);
  Burst& write = rig.post(64_B);
  rig.agenda.run();
  const Duration loop = 41'524_ps + 300ns + 280'313_ps + 40ns;  // request, host, completions, latency
  for (unsigned i = 0; i < 64; ++i) EXPECT_EQ(rig.downs[i]->out.last, zero + (i + 1) * loop);
  EXPECT_EQ(write.start, zero + 12'188_ps);  // passes the reads that wait for tags
  EXPECT_EQ(rig.link.reads_waited.value, 63U);
  EXPECT_EQ(rig.link.tag_stall.value, static_cast<std::uint64_t>(loop.count()) * (63U * 64U / 2U));
  EXPECT_EQ(rig.laws(), std::vector<std::string>{});

  Rig twice{c, 16};
  for (unsigned i = 0; i < 3; ++i) twice.read(4_KiB, zero);
  twice.agenda.run();
  EXPECT_EQ(twice.downs[1]->asked, zero + 12'188_ps);
  EXPECT_EQ(twice.downs[2]->asked, twice.downs[0]->out.last);  // on the picosecond the tags are back
}

TEST(PcieLink, ReadOfMoreRequestsThanTagsStretches) {
  Rig rig{gen5(), 2};
  Burst& b = rig.read(4_KiB, zero);  // 8 requests, 2 tags
  rig.agenda.run();
  const Duration loop = b.out.first - zero;
  EXPECT_EQ(loop, 41'524_ps + 300ns + 17'520_ps + 40ns);
  EXPECT_EQ(b.out.last, b.out.first + 3 * loop);
}

TEST(PcieLink, DirectionsAreIndependent) {
  Rig rig{gen5()};
  for (unsigned i = 0; i < 64; ++i) {
    rig.post(4_KiB);
    rig.link.down.offer(rig.make(Kind::posted, 0, 4_KiB, {zero, zero}), zero);
  }
  rig.agenda.run();
  for (unsigned i = 0; i < 64; ++i) {
    EXPECT_EQ(rig.ups[i]->start, zero + i * 284'375_ps);
    EXPECT_EQ(rig.downs[i]->start, zero + i * 284'375_ps);
  }
}

TEST(PcieLink, SamePicosecondTheSerialiserIsFreeFirst) {
  for (const Duration d : {284'374_ps, 284'375_ps, 284'376_ps}) {
    Rig rig{gen5()};
    rig.post(4_KiB);
    Burst& second = rig.make(Kind::posted, 0, 64_B, {zero + d, zero + d});
    rig.agenda.post(
        zero + d,
        [](void* self, Time now, std::uint64_t b, std::uint64_t) {
          static_cast<Rig*>(self)->link.up.offer(*reinterpret_cast<Burst*>(b), now);
        },
        &rig, reinterpret_cast<std::uint64_t>(&second));
    rig.agenda.run();
    EXPECT_EQ(second.start, zero + std::max(d, 284'375_ps));
  }
}

TEST(PcieLink, CountsTlpsAndFlits) {
  Rig rig{Config{.generation = 6, .mps = 512_B}};
  rig.post(4_KiB);
  rig.agenda.run();
  rig.link.finish(rig.agenda.now());
  EXPECT_EQ(rig.link.up.tlps.value, 8U);
  EXPECT_EQ(rig.link.up.payload.value, 4096U);
  EXPECT_EQ(rig.link.up.wire_bytes.value, 4096U + 8 * 16);
  EXPECT_EQ(rig.link.up.flits.value, 18U);  // 4224 / 236 = 17.9
  EXPECT_EQ(rig.link.down.flits.value, 0U);
}

TEST(PcieLink, RandomTrafficKeepsOrderAndConserves) {
  Config c = gen5();
  c.posted_data = 8_KiB;
  Rig rig{c, 24};
  Random random{7, "link"};
  Time t = zero;
  std::vector<Burst*> offered;
  for (int i = 0; i < 20'000; ++i) {
    t += Duration{static_cast<std::int64_t>(random.below(600'000))};
    rig.agenda.run_until(t);
    const Bytes size{1 + random.below(8192)};
    if (random.below(3) == 0) {
      rig.read(size, t);
    } else {
      Burst& b = rig.make(Kind::posted, random.below(1U << 20U), size, {t, t + Duration{static_cast<std::int64_t>(random.below(200'000))}});
      offered.push_back(&b);
      rig.link.up.offer(b, t);
    }
    if (i % 500 == 0) { ASSERT_EQ(rig.laws(), std::vector<std::string>{}); }
  }
  rig.agenda.run();
  // An independent look at all starts: no two overlap, posted in order, nothing starts early.
  std::size_t next = 0;
  for (Burst* b : rig.starts) {
    if (b->kind != Kind::posted) continue;
    ASSERT_EQ(b, offered[next++]);
    ASSERT_GE(b->start, b->offered);
    ASSERT_GE(b->out.last, b->in.last + b->piece + 40ns);
    ASSERT_EQ(b->out.first, b->start + b->piece + 40ns);
  }
  ASSERT_EQ(next, offered.size());
  for (std::size_t i = 1; i < offered.size(); ++i) ASSERT_GE(offered[i]->start, offered[i - 1]->start + offered[i - 1]->wire);
  EXPECT_EQ(rig.downs.size() + offered.size(), 20'000U);
  EXPECT_EQ(rig.laws(), std::vector<std::string>{});
}

TEST(PcieLink, BusyEndsWithTheRun) {
  Rig rig{gen5()};
  for (unsigned i = 0; i < 4; ++i) rig.link.down.offer(rig.make(Kind::completion, 0, 4_KiB, {zero, zero}), zero);
  rig.agenda.run_until(zero + 100ns);
  rig.link.finish(zero + 100ns);
  EXPECT_EQ(rig.link.down.busy.value, 100ns);  // of 4 x 280.313 ns
  rig.agenda.run();
  rig.link.finish(zero + 2us);
  EXPECT_EQ(rig.link.down.busy.value, 4 * 280'313_ps);
}

TEST(PcieLink, OfferedWhileAnotherStarts) {
  Rig rig{gen5()};
  Burst& first = rig.make(Kind::posted, 0, 4_KiB, {zero, zero + 1us});  // sent long after the serialiser is free again
  rig.offer_next = &rig.make(Kind::posted, 4096, 4_KiB, {zero, zero});
  Burst& second = *rig.offer_next;
  rig.link.up.offer(first, zero);
  rig.agenda.run();
  EXPECT_EQ(second.start, zero + 284'375_ps);
}

TEST(PcieLink, DataCreditsCountInUnitsOf16Bytes) {
  Config c = gen5();
  c.credit_round_trip = 400ns;
  c.posted_data = 128_B;  // 8 units per 400 ns
  Rig rig{c};
  for (unsigned i = 0; i < 64; ++i) rig.post(8_B);
  rig.agenda.run();
  for (unsigned i = 0; i < 64; ++i) EXPECT_EQ(rig.ups[i]->start, zero + i * 50ns);
}

TEST(PcieLink, SmallReadDoesNotPassOneThatWaitsForTags) {
  Rig rig{gen5(), 8};
  rig.read(3_KiB, zero);                 // 6 tags
  Burst& large = rig.read(2_KiB, zero);  // 4: must wait
  Burst& small = rig.read(512_B, zero);  // 1 would fit, but waits its turn
  rig.agenda.run();
  EXPECT_EQ(large.asked, rig.downs[0]->out.last);
  EXPECT_EQ(small.asked, large.asked + 6'094_ps);  // 4 requests of 24 B
}

TEST(PcieTags, ReturnInAnyOrder) {
  Tags tags{4};
  EXPECT_TRUE(tags.take(2, zero));
  EXPECT_TRUE(tags.take(2, zero));
  EXPECT_FALSE(tags.take(1, zero));
  EXPECT_EQ(tags.enough(1), never);
  tags.give_back(2, zero + 20ns);
  tags.give_back(2, zero + 10ns);
  EXPECT_EQ(tags.enough(1), zero + 10ns);
  EXPECT_EQ(tags.enough(4), zero + 20ns);
  EXPECT_FALSE(tags.take(1, zero + 10ns - 1_ps));
  EXPECT_TRUE(tags.take(2, zero + 10ns));
  EXPECT_FALSE(tags.take(1, zero + 20ns - 1_ps));
  EXPECT_TRUE(tags.take(2, zero + 20ns));
}

TEST(PcieSwitch, RoutesByBar) {
  static_assert(drive_of(bus::bar_base + 3 * bus::bar_stride + 0x1000, 9) == 3);
  EXPECT_EQ(drive_of(0, 9), 9U);
}

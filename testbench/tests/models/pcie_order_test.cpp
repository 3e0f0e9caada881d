// SPDX-License-Identifier: Apache-2.0
// Ordering rules, shared credits and arbitration of the link.
#include "base/random.h"
#include "models/pcie_rig.h"

using namespace flashpath;
using namespace flashpath::pcie;
using namespace flashpath::test::pcie_rig;

namespace {
Config rules() {
  Config c = gen5();
  c.ordering = Ordering::rules;
  c.posted_data = 8_KiB;
  c.non_posted_headers = 8;
  return c;
}
}  // namespace

TEST(PcieOrder, TheTableOfTheStandard) {
  const auto burst = [](Kind kind, std::uint16_t id, bool relaxed) {
    Burst b;
    b.kind = kind;
    b.id = id;
    b.relaxed = relaxed;
    return b;
  };
  const Kind p = Kind::posted, n = Kind::non_posted, c = Kind::completion;
  struct Row {
    Kind late, early;
    bool plain, relaxed, stranger;
  };
  for (const Row& r : {Row{p, p, false, false, false},
                       {p, n, true, true, true},
                       {p, c, true, true, true},
                       {n, p, false, false, true},
                       {n, n, false, false, false},
                       {n, c, true, true, true},
                       {c, p, false, true, true},
                       {c, n, true, true, true},
                       {c, c, false, false, false}}) {
    EXPECT_EQ(may_pass(burst(r.late, 0, false), burst(r.early, 0, false), true), r.plain);
    EXPECT_EQ(may_pass(burst(r.late, 0, true), burst(r.early, 0, false), true), r.relaxed);
    EXPECT_EQ(may_pass(burst(r.late, 1, false), burst(r.early, 0, false), true), r.stranger);
    EXPECT_EQ(may_pass(burst(r.late, 1, false), burst(r.early, 0, false), false), r.plain);  // IDO off
  }
}

TEST(PcieOrder, PostedPassNonPostedThatWaitForCredits) {
  for (const bool by_rules : {false, true}) {
    Config c = rules();
    if (!by_rules) c.ordering = Ordering::strict;
    Rig rig{c};
    rig.takes = rig.answers = false;
    Burst& first = rig.read(4_KiB, zero);  // 8 headers: all there are
    Burst& second = rig.read(512_B, zero);
    Burst& write = rig.post(64_B);
    rig.agenda.run_until(zero + 10us);
    EXPECT_EQ(second.start, Time{});  // not started
    EXPECT_EQ(rig.link.up.waiting(), by_rules ? 1U : 2U);
    if (by_rules) {
      EXPECT_EQ(write.start, zero + 250ns);  // 8 of 8 headers take a round trip
      EXPECT_EQ(rig.count("passed"), 1U);
    }
    rig.link.up.taken(first, zero + 10us);
    EXPECT_EQ(second.start, zero + 10us);
    rig.agenda.run_until(zero + 11us);
    if (!by_rules) { EXPECT_EQ(write.start, zero + 10us + 31'250_ps); }
  }
}

TEST(PcieOrder, NothingPassesPostedUnlessItMay) {
  for (const bool relaxed : {false, true}) {
    Rig rig{rules()};
    rig.takes = rig.answers = false;
    Burst& full = rig.post(8_KiB);
    rig.post(4_KiB);  // waits for credits
    Burst& completion = rig.make(Kind::completion, 0, 64_B, {zero, zero});
    completion.relaxed = relaxed;
    rig.link.up.offer(completion, zero);
    Burst& read = rig.make(Kind::non_posted, 0, 64_B, {zero, zero});
    rig.link.read(read, zero);
    rig.agenda.run_until(zero + 10us);
    EXPECT_EQ(rig.starts.size(), relaxed ? 2U : 1U);
    EXPECT_EQ(rig.link.up.waiting(), relaxed ? 2U : 3U);
    rig.link.up.taken(full, zero + 10us);
    rig.agenda.run_until(zero + 11us);
    EXPECT_EQ(rig.starts.size(), 4U);
    EXPECT_EQ(rig.starts[relaxed ? 2 : 1]->kind, Kind::posted);
    EXPECT_GT(rig.count("order_stall"), 0U);
    EXPECT_EQ(rig.count("passed"), relaxed ? 1U : 0U);
  }
}

TEST(PcieOrder, AnotherRequesterMayPassWithIdOrdering) {
  for (const bool ido : {false, true}) {
    Config c = rules();
    c.id_ordering = ido;
    Rig rig{c};
    rig.takes = rig.answers = false;
    rig.post(8_KiB);
    rig.post(4_KiB);
    Burst& read = rig.make(Kind::non_posted, 0, 64_B, {zero, zero});
    read.id = 7;
    rig.link.read(read, zero);
    rig.agenda.run_until(zero + 10us);
    EXPECT_EQ(rig.starts.size(), ido ? 2U : 1U);
  }
}

// Seeded streams of all kinds through small buffers, taken late and in order: in = out, and nobody passes whom he may not.
TEST(PcieOrder, LoopbackOfRandomStreams) {
  for (const std::uint64_t seed : {1ULL, 2ULL, 3ULL, 4ULL}) {
    Config c{.generation = seed % 2 == 0 ? 6U : 5U, .lanes = 4, .mps = 256_B, .latency = 40ns, .ordering = Ordering::rules};
    c.posted_data = 4_KiB;
    c.posted_headers = 16;
    c.non_posted_headers = 4;
    c.completion_data = 2_KiB;
    c.completion_headers = 8;
    c.relaxed_ordering = seed > 2;
    c.id_ordering = seed == 4;
    if (c.flit()) {
      c.shared_data = 4_KiB;
      c.shared_headers = 8;
      c.packing = Packing::exact;
      c.fber = 1e-5;
    }
    Rig rig{c};
    rig.takes = rig.answers = false;
    Random random{seed, "loopback"};
    std::vector<Burst*> offered;
    std::map<const Burst*, std::size_t> place;
    std::size_t taken = 0;
    Time t = zero;
    const auto take = [&](Time now) {
      for (; taken < rig.ups.size(); ++taken)
        if (rig.ups[taken]->kind != Kind::completion) rig.link.up.taken(*rig.ups[taken], now);
    };
    for (int i = 0; i < 4000; ++i) {
      t += Duration{static_cast<std::int64_t>(random.below(400'000))};
      rig.agenda.run_until(t);
      const auto kind = static_cast<Kind>(random.below(3));
      Burst& b =
          rig.make(kind, random.below(1U << 20U) & ~3ULL, Bytes{4 * (1 + random.below(kind == Kind::non_posted ? 512 : 1024))}, {t, t});
      b.id = static_cast<std::uint16_t>(random.below(3));
      b.relaxed = kind == Kind::completion && c.relaxed_ordering;
      b.offered = t;
      place[&b] = offered.size();
      offered.push_back(&b);
      rig.link.up.offer(b, t);
      if (random.below(4) == 0) take(t);
      if (i % 400 == 0) { ASSERT_EQ(rig.laws(), std::vector<std::string>{}); }
    }
    for (int rounds = 0; rounds < 10'000 && rig.ups.size() < offered.size(); ++rounds) {
      t += 1us;
      rig.agenda.run_until(t);
      take(t);
    }
    ASSERT_EQ(rig.ups.size(), offered.size()) << "seed " << seed;
    // Each once, and whoever is late was passed by those who may.
    std::vector<bool> out(offered.size(), false);
    std::size_t low = 0, passed = 0;
    for (const Burst* b : rig.ups) {
      const std::size_t at = place.at(b);
      ASSERT_FALSE(out[at]);
      for (std::size_t e = low; e < at; ++e) {
        if (out[e]) continue;
        ++passed;
        const Burst& early = *offered[e];
        const bool stranger = c.id_ordering && early.id != b->id;
        ASSERT_NE(b->kind, early.kind);
        if (early.kind == Kind::posted) { ASSERT_TRUE(stranger || (b->kind == Kind::completion && c.relaxed_ordering)) << "seed " << seed; }
      }
      out[at] = true;
      while (low < out.size() && out[low]) ++low;
    }
    EXPECT_GT(passed, 0U);
    take(t);
    EXPECT_EQ(rig.laws(), std::vector<std::string>{});
  }
}

TEST(PcieOrder, SharedCreditsAreWhatTheOwnOnesLack) {
  Config c{.lanes = 4, .mps = 256_B, .flit_overhead = 0, .latency = 40ns};
  c.posted_data = 4_KiB;
  c.posted_headers = 16;
  c.non_posted_headers = 2;
  c.shared_data = 4_KiB;
  c.shared_headers = 18;
  Rig rig{c};
  rig.takes = rig.answers = false;
  for (int i = 0; i < 3; ++i) rig.post(4_KiB);  // 16 headers each
  rig.agenda.run();
  EXPECT_EQ(rig.starts.size(), 2U);  // its own, and the shared ones
  Rig reads{c};
  reads.takes = reads.answers = false;
  for (int i = 0; i < 30; ++i) reads.link.up.offer(reads.make(Kind::non_posted, 0, 512_B, {zero, zero}), zero);
  reads.agenda.run();
  EXPECT_EQ(reads.starts.size(), 20U);  // 2 of their own and 18 shared
  Rig both{c};
  both.takes = both.answers = false;
  both.post(4_KiB);
  both.post(4_KiB);  // 16 of the 18 shared headers
  for (int i = 0; i < 30; ++i) both.link.up.offer(both.make(Kind::non_posted, 0, 512_B, {zero, zero}), zero);
  both.agenda.run();
  EXPECT_EQ(both.starts.size(), 2U + 4U);
}

TEST(PcieOrder, SharedCreditsWidenTheWindow) {
  Config c{.lanes = 4, .mps = 256_B, .flit_overhead = 0, .latency = 40ns, .credit_round_trip = 400ns};
  c.posted_data = 1_KiB;
  c.shared_data = 1_KiB;
  Rig rig{c};
  for (unsigned i = 0; i < 64; ++i) rig.post(4_KiB);
  rig.agenda.run();
  for (unsigned i = 0; i < 64; ++i) EXPECT_EQ(rig.ups[i]->start, zero + i * 800ns);  // 2 KiB per 400 ns
}

TEST(PcieOrder, CompletionHeadersLimitSmallReads) {
  Config c = gen5();
  c.credit_round_trip = 400ns;
  c.completion_headers = 4;
  Rig rig{c};
  for (unsigned i = 0; i < 64; ++i) rig.link.down.offer(rig.make(Kind::completion, 0, 64_B, {zero, zero}), zero);
  rig.agenda.run();
  for (unsigned i = 0; i < 64; ++i) EXPECT_EQ(rig.downs[i]->start, zero + i * 100ns);  // 4 per 400 ns
}

TEST(PcieOrder, PortsShareAsArbitrationSays) {
  const auto shares = [](Arbitration arbitration, const std::vector<std::uint32_t>& weights) {
    Rig rig{gen5(), 0, Surroundings{.arbitration = arbitration, .shares = weights}};
    // Port 0 has 16 KiB bursts, ports 1 and 2 4 KiB ones; all at once, port 0 first.
    for (std::uint16_t port = 0; port < 3; ++port) {
      for (int i = 0; i < 400; ++i) {
        Burst& b = rig.make(Kind::posted, 0, port == 0 ? 16_KiB : 4_KiB, {zero, zero});
        b.port = port;
        rig.link.up.offer(b, zero);
      }
    }
    rig.agenda.run_until(zero + 100us);
    std::array<double, 3> bytes{};
    for (const Burst* b : rig.ups) bytes[b->port] += static_cast<double>(b->size.count);
    const double all = bytes[0] + bytes[1] + bytes[2];
    return std::array{bytes[0] / all, bytes[1] / all, bytes[2] / all};
  };
  EXPECT_EQ(shares(Arbitration::fifo, {})[0], 1.0);                     // first come, first served
  EXPECT_NEAR(shares(Arbitration::round_robin, {})[0], 4.0 / 6, 0.02);  // a burst each
  EXPECT_NEAR(shares(Arbitration::round_robin, {})[1], 1.0 / 6, 0.02);
  EXPECT_NEAR(shares(Arbitration::weighted, {1})[0], 1.0 / 3, 0.02);
  EXPECT_NEAR(shares(Arbitration::weighted, {2, 1, 1})[0], 0.5, 0.02);
  EXPECT_NEAR(shares(Arbitration::weighted, {1, 1, 6})[2], 0.75, 0.02);
}

TEST(PcieOrder, WeightsAreChecked) {
  const auto mistakes = [](SwitchConfig c) {
    UserErrors errors;
    c.check("switch", errors);
    return errors.list.size();
  };
  EXPECT_EQ(mistakes({.arbitration = Arbitration::weighted, .weights = "4,1"}), 0U);
  for (const char* bad : {"0", "1,", ",1", "a", "1;2", "-1", "1001"})
    EXPECT_EQ(mistakes({.arbitration = Arbitration::weighted, .weights = bad}), 1U) << bad;
  EXPECT_EQ(mistakes({.weights = "1,2"}), 1U);
}

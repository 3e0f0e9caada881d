// SPDX-License-Identifier: Apache-2.0
// Errors and replay: the rates against published ones and against a simulation of bursts and FEC groups, the costs as closed forms.
#include <cmath>

#include "base/random.h"
#include "models/pcie_rig.h"

using namespace flashpath;
using namespace flashpath::pcie;
using namespace flashpath::test::pcie_rig;

namespace {
/// A thousand million bits would be too many: bursts are placed on one flit, their number drawn.
double simulated(double fber, double c, int flits) {
  Random random{11, "bursts"};
  const double mean = 2048 * fber;
  int bad = 0;
  for (int f = 0; f < flits; ++f) {
    int bursts = 0;
    for (double p = random.unit(), term = std::exp(-mean), sum = term; p > sum && bursts < 50; sum += term) term *= mean / ++bursts;
    int hits[3] = {0, 0, 0};
    for (int b = 0; b < bursts; ++b) {
      const auto offset = random.below(8);
      std::uint64_t bits = 1;
      while (random.unit() < c && bits < 200) ++bits;
      const std::uint64_t group = random.below(3);
      for (std::uint64_t n = 0; n <= (offset + bits - 1) / 8; ++n) ++hits[(group + n) % 3];
    }
    bad += hits[0] > 1 || hits[1] > 1 || hits[2] > 1;
  }
  return static_cast<double>(bad) / flits;
}
Config errors(double fber) { return Config{.generation = 6, .lanes = 4, .flit_overhead = 0, .fber = fber}; }
}  // namespace

TEST(PcieReplay, FlitErrorRates) {
  EXPECT_NEAR(unit_error_rate(errors(1e-6)), 5e-6, 0.1e-6);  // the published retry probability
  Config independent = errors(1e-6);
  independent.burst_continuation = 0;
  EXPECT_NEAR(unit_error_rate(independent), 2.048e-3 * 2.048e-3 / 2 / 3, 2e-9);  // two single bytes in one of three groups
  EXPECT_EQ(unit_error_rate(errors(0)), 0.0);
  for (const double c : {0.0, 0.5, 0.727, 0.9}) {
    Config k = errors(1e-4);
    k.burst_continuation = c;
    const double p = unit_error_rate(k), s = simulated(1e-4, c, 400'000);
    EXPECT_NEAR(s, p, 5 * std::sqrt(p / 400'000)) << c;
    EXPECT_GT(unit_error_rate([&] {
                k.burst_continuation = std::min(0.95, c + 0.05);
                return k;
              }()),
              p);
  }
  EXPECT_NEAR(unit_error_rate(Config{.generation = 5, .fber = 1e-12}) * 1e12, 8.0, 1e-6);
  EXPECT_NEAR(unit_error_rate(Config{.generation = 5, .fber = 1e-4}), 1 - std::pow(1 - 1e-4, 8), 1e-12);
}

TEST(PcieReplay, DistancesAreGeometric) {
  stats::Group group{"g"};
  Config c = errors(1e-3);
  Replay replay{c, 1, "x", 8ns, group};
  const double p = replay.rate();
  double sum = 0;
  int ones = 0;
  constexpr int n = 100'000;
  for (int i = 0; i < n; ++i) {
    const auto d = replay.units_to_next();
    sum += static_cast<double>(d);
    ones += d == 1;
  }
  EXPECT_NEAR(sum / n * p, 1.0, 5 / std::sqrt(n));
  EXPECT_NEAR(static_cast<double>(ones) / n, p, 5 * std::sqrt(p / n));
}

// Expected: p / (1 - p) replays per flit, each a round trip of the line.
TEST(PcieReplay, StandardCostsARoundTripOfTheLine) {
  Config c = errors(1e-4);
  c.replay_timeout = c.replay_round_trip;  // a lost NAK costs the same here
  Rig rig{c};
  constexpr unsigned n = 4000;
  for (unsigned i = 0; i < n; ++i) rig.post(16_KiB, zero, 0);
  rig.agenda.run();
  const double p = unit_error_rate(c), flits = n * 16'896 / 236.0;
  const double expected = flits * p / (1 - p), replays = static_cast<double>(rig.count("replays"));
  EXPECT_NEAR(replays, expected, 5 * std::sqrt(expected));
  // To the picosecond: without errors it would have taken n bursts.
  const Duration one = rig.wire.time(rig.ups[0]->load.wire);
  const auto trips = static_cast<std::int64_t>(rig.count("replays")) * c.replay_round_trip +
                     static_cast<std::int64_t>(rig.count("retrains")) * c.retrain_time;
  EXPECT_EQ(rig.ups.back()->sent, zero + n * one + trips);
  EXPECT_EQ(rig.count("line"), static_cast<std::uint64_t>(trips.count()));
  EXPECT_EQ(rig.laws(), std::vector<std::string>{});
  for (unsigned i = 1; i < n; ++i) ASSERT_GE(rig.ups[i]->out.first, rig.ups[i - 1]->out.first);
}

TEST(PcieReplay, SelectiveCostsAFlitOfTheLineAndKeepsOrder) {
  Config c = errors(1e-4);
  c.replay_timeout = c.replay_round_trip;
  c.retrain_time = 1_ps;
  Config selective = c;
  selective.nak = Nak::selective;
  const auto run = [](const Config& k) {
    auto rig = std::make_unique<Rig>(k);
    for (unsigned i = 0; i < 2000; ++i) rig->post(16_KiB, zero, 0);
    rig->agenda.run();
    return rig;
  };
  const auto all = run(c), one = run(selective);
  EXPECT_EQ(all->count("replays"), one->count("replays"));  // the same errors
  EXPECT_EQ(one->count("line"), one->count("replays") * 8000 + one->count("retrains"));
  EXPECT_LT(one->ups.back()->sent, all->ups.back()->sent);
  const Duration plain = one->wire.time(one->ups[0]->load.wire);
  unsigned late = 0;
  for (unsigned i = 1; i < 2000; ++i) {
    ASSERT_GE(one->ups[i]->out.first, one->ups[i - 1]->out.first);
    ASSERT_GE(one->ups[i]->out.last, one->ups[i]->out.first);
    late += one->ups[i]->out.last - one->ups[i]->start > plain + one->link.up.latency() + 8ns;
  }
  EXPECT_GT(late, 100U);  // those with a bad flit wait for it, though the line goes on
}

/// A lost NAK holds a burst for the timeout; one behind it that only waits for a replay must not overtake it.
TEST(PcieReplay, SelectiveKeepsOrderWhenNaksAreLost) {
  Config c = errors(1e-3);
  c.nak = Nak::selective;
  c.replay_timeout = 3us;
  Rig rig{c};
  for (unsigned i = 0; i < 5000; ++i) rig.post(220_B, zero, 0);
  rig.agenda.run();
  EXPECT_GT(rig.count("nak_lost"), 10U);
  for (unsigned i = 1; i < 5000; ++i) ASSERT_GE(rig.ups[i]->out.first, rig.ups[i - 1]->out.first) << i;
}

TEST(PcieReplay, AShortBurstIsLateByARoundTripOrNot) {
  Config c = errors(1e-3);
  c.burst_continuation = 0;
  c.replay_timeout = 3us;
  Rig rig{c};
  std::map<Duration, int> seen;
  for (int i = 0; i < 20'000; ++i) {
    const Time t = zero + i * 100us;
    rig.agenda.run_until(t);
    Burst& b = rig.post(220_B, t);  // a flit
    ++seen[b.out.first - b.start - b.piece - rig.link.up.latency()];
  }
  const double p = unit_error_rate(c);
  EXPECT_NEAR(seen[0ns], 20'000 * (1 - p), 5 * std::sqrt(20'000 * p));
  EXPECT_NEAR(seen[250ns], 20'000 * p * (1 - p) * (1 - p), 5 * std::sqrt(20'000 * p));
  EXPECT_GT(seen[500ns], 0);  // its replay was bad too
  EXPECT_GT(seen[3us], 0);    // the NAK was lost
  EXPECT_GT(rig.count("nak_lost"), 0U);
  EXPECT_GT(rig.count("retrains"), 0U);
}

TEST(PcieReplay, BelowGen6ErrorsHitTlps) {
  Config c = gen5();
  c.fber = 1e-7;
  c.replay_round_trip = 300ns;
  Rig rig{c};
  for (unsigned i = 0; i < 4000; ++i) rig.post(16_KiB, zero, 0);
  rig.agenda.run();
  const double expected = 4000.0 * (16'384 + 64 * 24) * 8e-7;
  EXPECT_NEAR(static_cast<double>(rig.count("replays")), expected, 5 * std::sqrt(expected));
  EXPECT_EQ(rig.count("line"), rig.count("replays") * 300'000);
}

TEST(PcieReplay, SameSeedSameErrorsOtherPathOthers) {
  const auto last = [](std::uint64_t seed, const std::string& path) {
    Rig rig{errors(1e-4), 0, Surroundings{.seed = seed, .path = path}};
    for (unsigned i = 0; i < 500; ++i) rig.post(16_KiB, zero, 0);
    rig.agenda.run();
    return rig.ups.back()->out.last;
  };
  EXPECT_EQ(last(1, "a"), last(1, "a"));
  EXPECT_NE(last(1, "a"), last(2, "a"));
  EXPECT_NE(last(1, "a"), last(1, "b"));
}

TEST(PcieReplay, RetrainStopsBothWays) {
  Config c = gen5();
  c.retrain_time = 5us;
  Rig rig{c};
  rig.link.retrain(zero);
  Burst& up = rig.post(64_B);
  Burst& down = rig.make(Kind::completion, 0, 64_B, {zero, zero});
  rig.link.down.offer(down, zero);
  rig.agenda.run();
  EXPECT_EQ(up.start, zero + 5us);
  EXPECT_EQ(down.start, zero + 5us);
  // In the middle of a burst: what is behind it waits.
  const Time t = zero + 10us;
  rig.agenda.run_until(t);
  rig.post(4_KiB, t);
  Burst& next = rig.post(64_B, t);
  rig.agenda.run_until(t + 100ns);
  rig.link.retrain(t + 100ns);
  rig.agenda.run();
  EXPECT_EQ(next.start, t + 284'375_ps + 5us);
  EXPECT_EQ(rig.laws(), std::vector<std::string>{});
}

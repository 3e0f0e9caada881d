// SPDX-License-Identifier: Apache-2.0
// Bit errors and their correction, without time: the error rate's formula, the binomial's tail against an independent sum in long
// double, and the ladder's probabilities against draws.
#include <gtest/gtest.h>

#include <cmath>

#include "base/exact_math.h"
#include "base/random.h"
#include "nand/ladder.h"

namespace flashpath::nand {
namespace {

/// P(X > limit) for X ~ B(bits, p), term by term from factorials: slow, and nothing shared with the model.
long double oracle(unsigned bits, long double p, unsigned limit) {
  long double sum = 0;
  for (unsigned k = limit + 1; k <= bits && k < limit + 4000; ++k) {
    sum += std::exp(std::lgamma(static_cast<long double>(bits) + 1) - std::lgamma(static_cast<long double>(k) + 1) -
                    std::lgamma(static_cast<long double>(bits - k) + 1) + k * std::log(p) + (bits - k) * std::log1p(-p));
  }
  return sum;
}

double likely(std::uint64_t threshold) { return static_cast<double>(threshold) * 0x1p-64; }

TEST(ExactMath, AgreesWithTheLibrary) {
  Random random{1, "math"};
  for (int i = 0; i < 20'000; ++i) {
    const double x = std::exp(random.unit() * 80 - 40);
    EXPECT_NEAR(exact::ln(x), std::log(x), 4e-15 * std::max(1.0, std::abs(std::log(x)))) << x;
    const double y = random.unit() * 200 - 100;
    EXPECT_NEAR(exact::exp(y) / std::exp(y), 1, 3e-14) << y;
    const double k = random.unit() * 3;
    EXPECT_NEAR(exact::power(1 + x, k) / std::pow(1 + x, k), 1, 1e-13) << x << " ^ " << k;
  }
  EXPECT_EQ(exact::ln(1), 0);
  EXPECT_EQ(exact::exp(0), 1);
  EXPECT_EQ(exact::power_of_two(-3), 0.125);
}

TEST(NandErrors, RateIsTheFormula) {
  const ReliabilityConfig c;
  const ErrorRate rate{c};
  const double types[] = {c.rber_lower, c.rber_middle, c.rber_upper, c.rber_extra};
  for (const std::uint32_t cycles : {0U, 1U, 255U, 256U, 512U, 3000U, 100'000U}) {
    for (const Duration age : {Duration{}, Duration{1h}, Duration{24h}, Duration{90 * 24h}}) {
      for (const std::uint64_t reads : {0U, 1U, 50'000U}) {
        for (std::uint32_t type = 0; type < 4; ++type) {
          const double days = to_seconds(age) / 86'400;
          const double expected =
              types[type] * (c.rber_fresh + c.wear * std::pow(cycles, c.wear_exponent) + c.retention_loss * cycles * std::log1p(days) +
                             c.read_disturb * static_cast<double>(reads));
          EXPECT_NEAR(rate.at(cycles, age, reads, type) / expected, 1, 1e-12) << cycles << " " << reads << " " << type;
        }
      }
    }
  }
  EXPECT_EQ(rate.floor(2), c.rber_upper * c.rber_fresh);
  ReliabilityConfig extreme;
  extreme.wear = 1;
  EXPECT_EQ(ErrorRate(extreme).at(5000, Duration{}, 0, 0), 0.5) << "no worse than a coin";
}

TEST(NandErrors, EachTermRaisesTheRate) {
  const auto rate = [](auto change) {
    ReliabilityConfig c;
    change(c);
    return ErrorRate{c}.at(3000, 30 * 24h, 1000, 1);
  };
  const double usual = rate([](ReliabilityConfig&) {});
  EXPECT_GT(rate([](ReliabilityConfig& c) { c.rber_fresh *= 2; }), usual);
  EXPECT_GT(rate([](ReliabilityConfig& c) { c.rber_middle *= 2; }), usual * 1.999);
  EXPECT_GT(rate([](ReliabilityConfig& c) { c.wear *= 2; }), usual * 1.1);
  EXPECT_GT(rate([](ReliabilityConfig& c) { c.wear_exponent += 0.1; }), usual * 1.1);
  EXPECT_GT(rate([](ReliabilityConfig& c) { c.retention_loss *= 2; }), usual * 1.1);
  EXPECT_LT(rate([](ReliabilityConfig& c) { c.retention_scale *= 2; }), usual);
  EXPECT_GT(rate([](ReliabilityConfig& c) { c.read_disturb *= 2; }), usual);
  EXPECT_EQ(rate([](ReliabilityConfig& c) { c.rber_upper *= 2; }), usual) << "another page type";
  ReliabilityConfig extra;
  const double before = ErrorRate{extra}.at(3000, 30 * 24h, 1000, 3);
  extra.rber_extra *= 2;
  EXPECT_GT(ErrorRate{extra}.at(3000, 30 * 24h, 1000, 3), before * 1.999);
}

TEST(NandErrors, QualityOfWordlinesIsLognormal) {
  ReliabilityConfig c;
  c.variation = 0.3;
  const ErrorRate rate{c};
  Random random{7, "wordlines"};
  constexpr int n = 200'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double z = std::log(rate.quality(random.next()));
    sum += z;
    squares += z * z;
  }
  EXPECT_NEAR(sum / n, 0, 5 * 0.3 / std::sqrt(n));
  EXPECT_NEAR(std::sqrt(squares / n), 0.3, 5 * 0.3 / std::sqrt(2.0 * n));
  c.variation = 0;
  EXPECT_EQ(ErrorRate(c).quality(random.next()), 1);
}

TEST(NandErrors, TailIsTheBinomials) {
  for (const unsigned bits : {512U, 4544U * 8}) {
    for (const double p : {1e-6, 3e-5, 1e-3, 4e-3, 5e-3, 6e-3, 0.02, 0.2}) {
      for (const unsigned limit : {0U, 1U, 8U, 180U, 480U}) {
        const auto expected = static_cast<double>(oracle(bits, static_cast<long double>(p), limit));
        if (expected < 1e-250 || limit >= bits) continue;
        EXPECT_NEAR(tail(bits, p, limit) / expected, 1, 1e-9) << bits << " bits, " << p << ", more than " << limit;
      }
    }
  }
  EXPECT_EQ(tail(100, 0, 0), 0);
  EXPECT_EQ(tail(100, 0.3, 100), 0);
  EXPECT_NEAR(tail(1, 0.25, 0), 0.25, 1e-15);
  EXPECT_EQ(threshold(0.25), std::uint64_t{1} << 62U);
  EXPECT_EQ(threshold(0), 0U);
  EXPECT_EQ(threshold(1), ~std::uint64_t{0});
}

TEST(NandErrors, LadderIsMadeOfTails) {
  ReliabilityConfig c;
  c.retry_steps = 3;
  c.retry_gain = 0.9;
  Ladder ladder{c, 4_KiB, 448_B, 4};
  EXPECT_EQ(ladder.bits(), 4544U * 8);
  EXPECT_EQ(ladder.hard_limit(), 180U);
  EXPECT_EQ(ladder.soft_limit(), 480U);
  EXPECT_EQ(ladder.uncorrectable(), c.iterations + 4);
  const double fresh = 3e-5;
  for (const double middle : {(1 + 0.5 / 128) * 0x1p-8, (1 + 20.5 / 128) * 0x1p-8, (1 + 64.5 / 128) * 0x1p-8}) {  // where steps are exact
    for (const std::uint32_t n : {1U, 4U}) {
      const auto any = [&](double p) { return -std::expm1(n * std::log1p(-p)); };
      const auto bits = static_cast<unsigned>(ladder.bits());
      double least = 1;
      for (std::uint32_t i = 1; i <= c.iterations; ++i) {
        unsigned most = 0;  // errors that i iterations correct
        for (unsigned e = 0; e <= 180; ++e)
          if (1 + (c.iterations - 1) * e / 180 <= i) most = e;
        least = std::min(least, any(static_cast<double>(oracle(bits, static_cast<long double>(middle), most))));
        EXPECT_NEAR(likely(ladder.beyond(i - 1, middle, fresh, 1, n)), least, 1e-9) << i << " iterations";
      }
      double rate = middle;
      for (std::uint32_t r = 1; r <= 3; ++r) {
        rate *= 0.9;
        least = std::min(least, any(static_cast<double>(oracle(bits, static_cast<long double>(rate), 180))));
        EXPECT_NEAR(likely(ladder.beyond(c.iterations + r - 1, middle, fresh, 1, n)), least, 1e-6 * least + 1e-19) << "retry " << r;
      }
      least = std::min(least, any(static_cast<double>(oracle(bits, static_cast<long double>(rate), 480))));
      EXPECT_NEAR(likely(ladder.beyond(ladder.soft(), middle, fresh, 1, n)), least, 1e-19);
    }
  }
}

/// 5 sigma around the expectation of a sum of independent events.
void expect_count(std::uint64_t seen, double n, double p, const char* what) {
  EXPECT_NEAR(static_cast<double>(seen), n * p, 5 * std::sqrt(n * p * (1 - p)) + 1e-9) << what;
}

TEST(NandErrors, DrawsFollowTheLadder) {
  ReliabilityConfig c;
  c.retry_gain = 0.97;  // slow, so that every rung is used
  c.soft_bits = 50;
  Ladder ladder{c, 4_KiB, 448_B, 4};
  Random random{3, "draws"};
  constexpr std::uint32_t n = 200'000;
  const double rber = 5.6e-3;
  std::vector<std::uint64_t> passed(ladder.uncorrectable() + 1);
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t rung = ladder.draw(rber, 3e-5, 0, 2, random.next());
    ASSERT_LE(rung, ladder.uncorrectable());
    for (std::uint32_t r = 0; r < rung; ++r) ++passed[r];
  }
  for (std::uint32_t r = 0; r < ladder.uncorrectable(); ++r) {
    expect_count(passed[r], n, likely(ladder.beyond(r, rber, 3e-5, 0, 2)), ("rung " + std::to_string(r)).c_str());
  }
  EXPECT_GT(passed[ladder.soft()], 100U) << "some could not be read at all";
}

TEST(NandErrors, LadderKnobs) {
  const double rber = 5.2e-3;
  const auto beyond = [&](auto change, auto rung) {
    ReliabilityConfig c;
    change(c);
    Ladder ladder{c, 4_KiB, 448_B, 4};
    return ladder.beyond(rung(ladder), rber, 3e-5, 1, 1);
  };
  const auto hard = [](const Ladder& l) { return l.iterations() - 1; };
  const auto last = [](const Ladder& l) { return l.uncorrectable() - 1; };
  const auto none = [](ReliabilityConfig&) {};
  const auto weak = [](ReliabilityConfig& c) {
    c.retry_gain = 0.995;
    c.retry_steps = 2;
    c.soft_senses = 0;
  };
  EXPECT_LT(beyond([](ReliabilityConfig& c) { c.hard_bits = 52; }, hard), beyond(none, hard) / 4);
  EXPECT_LT(beyond(
                [&](ReliabilityConfig& c) {
                  weak(c);
                  c.retry_steps = 30;
                },
                last),
            beyond(weak, last) / 2);
  EXPECT_LT(beyond(
                [&](ReliabilityConfig& c) {
                  weak(c);
                  c.retry_gain = 0.9;
                },
                last),
            beyond(weak, last) / 2);
  EXPECT_LT(beyond(
                [&](ReliabilityConfig& c) {
                  weak(c);
                  c.soft_senses = 1;
                },
                last),
            beyond(weak, last) / 2);
  const auto soft = [&](ReliabilityConfig& c) {
    weak(c);
    c.soft_senses = 1;
    c.soft_bits = 46;
  };
  EXPECT_LT(beyond(
                [&](ReliabilityConfig& c) {
                  soft(c);
                  c.soft_bits = 52;
                },
                last),
            beyond(soft, last) / 2);
}

TEST(NandErrors, LadderTakesAnyRate) {
  ReliabilityConfig c;
  Ladder ladder{c, 4_KiB, 448_B, 4};
  EXPECT_EQ(ladder.draw(0, 0, 0, 1, 0), 0U) << "no errors at all";
  EXPECT_EQ(ladder.draw(1e-300, 0, 0, 4, 5), 0U);
  ReliabilityConfig hopeless;
  hopeless.retry_gain = 1;
  Ladder bad{hopeless, 4_KiB, 448_B, 4};
  EXPECT_EQ(bad.draw(0.5, 0.5, 3, 4, 12345), bad.uncorrectable());
  for (const Bytes codeword : {512_B, 64_KiB}) {
    Ladder other{c, codeword, 0_B, 1};
    EXPECT_LT(other.hard_limit(), other.bits());
    EXPECT_LE(other.draw(3e-3, 3e-5, 0, 1, ~std::uint64_t{0}), 0U);
  }
}

}  // namespace
}  // namespace flashpath::nand

// SPDX-License-Identifier: Apache-2.0
#include "pcie/replay_model.h"

#include <array>

#include "base/exact_math.h"
#include "pcie/wire.h"

namespace flashpath::pcie {
namespace {

/// ln(1 - p); for small p by its series, where 1 - p would lose digits.
double log_of_rest(double p) { return p > 1e-3 ? exact::ln(1 - p) : -p * (1 + p * (0.5 + p * (1.0 / 3 + p / 4))); }

double flit_error_rate(double fber, double c) {
  // A burst of B bits (P(B > k) = c^k) that begins at bit `o` of a byte spans more than n bytes if B > 8 n - o.
  std::array<double, 4> beyond{1, 0, 0, 0};
  double power = 1;
  for (int k = 1; k <= 24; ++k) {
    power *= c;
    for (int n = 1; n <= 3; ++n)
      if (k > 8 * n - 8 && k <= 8 * n) beyond[static_cast<std::size_t>(n)] += power / 8;
  }
  const double s1 = 1 - beyond[1], s2 = beyond[1] - beyond[2], longer = beyond[3];
  const double b = 8 * static_cast<double>(flit_bytes.count) * fber;
  const double two = 2.0 / 3 * s1 * s1 + 2.0 / 3 * s1 * s2;  // both orders of (1, 2) fit in a third of all places
  // 1 - e^-b (1 + b (1 - longer) + b^2/2 two), without the loss of digits at small b: e^b - 1 - b by its series.
  double rest = 0, term = b;
  for (int n = 2; n <= 30; ++n) {
    term *= b / n;
    rest += term;
  }
  return exact::exp(-b) * (rest + b * longer - b * b / 2 * two);
}

}  // namespace

double unit_error_rate(const Config& c) {
  if (c.fber <= 0) return 0;
  if (c.flit()) return flit_error_rate(c.fber, c.burst_continuation);
  return 1 - exact::exp(8 * log_of_rest(c.fber)) > 1e-6 ? 1 - exact::exp(8 * log_of_rest(c.fber)) : 8 * c.fber;
}

Replay::Replay(const Config& c, std::uint64_t seed, std::string_view path, Duration unit_time, stats::Group& parent)
    : p_{unit_error_rate(c)},
      log_{log_of_rest(p_)},
      unit_{c.flit() ? flit_tlp_bytes.count : 1},
      selective_{c.nak == Nak::selective},
      round_trip_{c.replay_round_trip},
      timeout_{c.replay_timeout},
      retrain_{c.retrain_time},
      unit_time_{unit_time},
      random_{seed, path},
      group_{"replay", parent} {
  if (p_ > 0) bad_at_ = units_to_next() * unit_;
}

std::uint64_t Replay::units_to_next() {
  const double n = exact::ln(1 - random_.unit()) / log_;
  return 1 + (n < 1e15 ? static_cast<std::uint64_t>(n) : 1'000'000'000'000'000U);
}

bool Replay::hit(std::uint64_t begin, Cost& cost) {
  while (bad_at_ <= sent_) {
    ++replays;
    const bool lost = random_.unit() < p_;
    if (lost) ++nak_lost;
    const Duration trip = lost ? timeout_ : round_trip_;
    Duration line_time = selective_ ? unit_time_ : trip, late = trip;
    const bool again = in_a_row_ == 3;  // bad for the fourth time
    if (again) {
      ++retrains;
      line_time += retrain_;
      late += retrain_;
    }
    const std::uint64_t distance = units_to_next();
    in_a_row_ = distance == 1 && !again ? in_a_row_ + 1 : 0;
    line += line_time;
    cost.line += line_time;
    const std::uint64_t at = bad_at_ - begin;
    if (cost.first_at == ~0ULL) cost.first_at = at;
    if (cost.first_at == at) cost.first += late;
    cost.last = cost.last_at == at ? cost.last + late : late;
    cost.last_at = at;
    bad_at_ += (distance - 1) * unit_;
  }
  return true;
}

}  // namespace flashpath::pcie

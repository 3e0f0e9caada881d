// SPDX-License-Identifier: Apache-2.0
#include "nand/rber.h"

#include <algorithm>
#include <bit>

#include "base/exact_math.h"

namespace flashpath::nand {

ErrorRate::ErrorRate(const ReliabilityConfig& c)
    : types_{c.page_types()},
      fresh_{c.rber_fresh},
      wear_{c.wear},
      exponent_{c.wear_exponent},
      loss_{c.retention_loss},
      disturb_{c.read_disturb},
      scale_{static_cast<double>(c.retention_scale.count())} {
  for (int ones = 0; ones <= 64; ++ones) quality_[static_cast<std::size_t>(ones)] = exact::exp(c.variation * (ones - 32) / 4.0);
}

double ErrorRate::quality(std::uint64_t hash) const { return quality_[static_cast<std::size_t>(std::popcount(hash))]; }

double ErrorRate::wear(std::uint32_t cycles) const {
  if (cycles == 0) return 0;
  Wear& known = known_[cycles % known_.size()];
  if (known.cycles != cycles) known = {.cycles = cycles, .rate = wear_ * exact::power(cycles, exponent_)};
  return known.rate;
}

double ErrorRate::at(std::uint32_t cycles, Duration age, std::uint64_t reads, std::uint32_t type) const {
  const double time = static_cast<double>(std::max(age, Duration{}).count()) / scale_;
  const double lost = cycles == 0 || time == 0 ? 0 : loss_ * cycles * exact::ln(1 + time);
  return std::min(0.5, types_[type] * (fresh_ + wear(cycles) + lost + disturb_ * static_cast<double>(reads)));
}

/// The terms of the binomial by their ratios, from the most probable one outwards: no factorials, and nothing overflows.
double tail(std::uint64_t bits, double rber, std::uint64_t limit) {
  if (limit >= bits || rber <= 0) return 0;
  const double odds = rber / (1 - rber);
  const auto mode = std::min(bits, static_cast<std::uint64_t>(static_cast<double>(bits + 1) * rber));
  constexpr double negligible = 1e-40;
  double below = 0, above = 0;  // up to the limit, and beyond it
  const auto count = [&](std::uint64_t k, double term) { (k > limit ? above : below) += term; };
  double term = 1;
  for (std::uint64_t k = mode; term > 0; ++k) {
    if (term < negligible && term < (k > limit ? above * 1e-20 : 1e-290)) break;
    count(k, term);
    if (k == bits) break;
    term *= static_cast<double>(bits - k) / static_cast<double>(k + 1) * odds;
  }
  term = 1;
  for (std::uint64_t k = mode; k != 0;) {
    term *= static_cast<double>(k) / (static_cast<double>(bits - k + 1) * odds);
    if (term < negligible) break;
    count(--k, term);
  }
  return above / (above + below);
}

std::uint64_t threshold(double probability) {
  if (probability >= 1) return ~std::uint64_t{0};
  return probability <= 0 ? 0 : static_cast<std::uint64_t>(probability * 0x1p64);
}

}  // namespace flashpath::nand

// SPDX-License-Identifier: Apache-2.0
// The raw bit error rate of a page, and how the errors of a codeword are distributed. Pure arithmetic, the same on every compiler.
//
//   RBER = type x quality x (r0 + a PE^k + b PE ln(1 + t / t0) + c N)
//
// type: the page type's multiple. quality: the wordline's, e^(variation x z) with z = (number of set bits of a hash - 32) / 4, which is
// a normal variable but for its steps of a quarter. t: age of the block's oldest data. N: senses of the block since its erase.
// Errors of a codeword: binomial over its bits, data and parity.
#pragma once
#include <array>
#include <cstdint>

#include "nand/reliability_config.h"

namespace flashpath::nand {

class ErrorRate {
 public:
  explicit ErrorRate(const ReliabilityConfig& config);

  /// Of an average wordline.
  double at(std::uint32_t cycles, Duration age, std::uint64_t reads, std::uint32_t type) const;
  /// The multiple of a wordline whose hash is `hash`.
  double quality(std::uint64_t hash) const;
  /// The error rate that no shifting of read levels goes below.
  double floor(std::uint32_t type) const { return types_[type] * fresh_; }

 private:
  struct Wear {
    std::uint32_t cycles = 0;
    double rate = 0;
  };
  double wear(std::uint32_t cycles) const;

  std::array<double, 4> types_;
  std::array<double, 65> quality_{};
  double fresh_, wear_, exponent_, loss_, disturb_, scale_;
  mutable std::array<Wear, 256> known_{};  // a PE^k of the cycle counts seen last
};

/// P(more than `limit` of `bits` are wrong) at error rate `rber`.
double tail(std::uint64_t bits, double rber, std::uint64_t limit);

/// A probability as a threshold for 64 random bits: they lie below it with that probability.
std::uint64_t threshold(double probability);

}  // namespace flashpath::nand

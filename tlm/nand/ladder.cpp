// SPDX-License-Identifier: Apache-2.0
#include "nand/ladder.h"

#include <algorithm>
#include <bit>

namespace flashpath::nand {
namespace {
constexpr std::size_t page_types = 4;
}

Ladder::Ladder(const ReliabilityConfig& c, Bytes data, Bytes parity, std::uint32_t most)
    : bits_{(data + parity).count * 8},
      hard_{std::min(bits_ - 1, data.count * c.hard_bits / 1024)},
      soft_{std::min(bits_ - 1, data.count * c.soft_bits / 1024)},
      iterations_{c.iterations},
      retries_{c.retry_steps},
      uncorrectable_{c.iterations + c.retry_steps + (c.soft_senses != 0 ? 1U : 0U)},
      has_soft_{c.soft_senses != 0},
      gain_{c.retry_gain},
      most_{most},
      index_((std::size_t{octaves} << step_bits) * page_types * most) {}

const std::uint64_t* Ladder::row(double rber, double fresh, std::uint32_t type, std::uint32_t codewords) {
  constexpr std::uint64_t top = std::uint64_t{1023} << step_bits;  // of 1.0
  constexpr std::uint64_t lowest = top - (std::uint64_t{octaves} << step_bits);
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(rber) >> (52U - step_bits);
  const std::uint64_t step = std::clamp(bits, lowest, top - 1);
  std::uint32_t& at = index_[((step - lowest) * page_types + type) * most_ + codewords - 1];
  if (at == 0) {
    const double middle = std::bit_cast<double>((step << (52U - step_bits)) | (std::uint64_t{1} << (51U - step_bits)));
    at = make(rber <= 0 ? 0 : middle, fresh, codewords) + 1;
  }
  return &rungs_[at - 1];
}

/// A function of the step alone, but that `fresh` differs by page type; hence a row per type.
std::uint32_t Ladder::make(double rber, double fresh, std::uint32_t codewords) {
  const auto begin = static_cast<std::uint32_t>(rungs_.size());
  double least = 1;
  const auto rung = [&](double rate, std::uint64_t limit) {
    const double p = tail(bits_, rate, limit);
    // 1 - (1 - p)^n without cancellation: p + (1 - p) (what the others do)
    double any = 0;
    for (std::uint32_t n = 0; n < codewords; ++n) any = p + (1 - p) * any;
    least = std::min(least, any);
    rungs_.push_back(threshold(least));
  };
  for (std::uint32_t i = 1; i < iterations_; ++i) {
    // Errors e with floor((I - 1) e / hard) < i
    rung(rber, std::min(hard_, (i * hard_ + iterations_ - 2) / (iterations_ - 1) - 1));
  }
  rung(rber, hard_);
  double rate = rber;
  for (std::uint32_t r = 0; r < retries_; ++r) {
    rate = std::max(rate * gain_, std::min(rate, fresh));
    rung(rate, hard_);
  }
  if (has_soft_) rung(rate, soft_);
  return begin;
}

}  // namespace flashpath::nand

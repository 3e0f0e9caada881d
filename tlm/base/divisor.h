// SPDX-License-Identifier: Apache-2.0
// Division by what stays the same: a multiplication and one correction in place of a division, exact for every dividend.
#pragma once
#include <cstdint>

#include "base/units.h"

namespace flashpath {

class Divisor {
 public:
  /// 0 may be held, but nothing divided by it.
  constexpr explicit Divisor(std::uint64_t d) : divisor_{d}, factor_{d == 0 ? 0 : ~std::uint64_t{0} / d} {}
  constexpr std::uint64_t value() const { return divisor_; }
  constexpr std::uint64_t of(std::uint64_t n) const {
    const auto quotient = static_cast<std::uint64_t>(static_cast<Wide>(n) * factor_ >> 64U);  // at most 1 too small
    return quotient + (n - quotient * divisor_ >= divisor_ ? 1 : 0);
  }
  constexpr std::uint64_t rest(std::uint64_t n) const { return n - of(n) * divisor_; }

 private:
  std::uint64_t divisor_, factor_;
};
static_assert(Divisor{1}.of(~0ULL) == ~0ULL && Divisor{~0ULL}.of(~0ULL) == 1 && Divisor{3}.of(8) == 2 && Divisor{4}.rest(7) == 3);

}  // namespace flashpath

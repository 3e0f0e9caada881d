// SPDX-License-Identifier: Apache-2.0
// Random streams, one per (seed, module path): adding a module or a draw somewhere does not change the
// numbers anywhere else. SplitMix64 (Steele, Lea, Flood, OOPSLA'14); integer arithmetic only in decisions.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/units.h"

namespace flashpath {

constexpr std::uint64_t mix64(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

constexpr std::uint64_t hash_text(std::string_view text) {  // FNV-1a
  std::uint64_t h = 0xcbf29ce484222325U;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return h;
}

class Random {
 public:
  constexpr Random(std::uint64_t seed, std::string_view path) : state_{mix64(seed + 0x9e3779b97f4a7c15U) ^ hash_text(path)} {}

  constexpr std::uint64_t next() { return mix64(state_ += 0x9e3779b97f4a7c15U); }

  /// Uniform in [0, bound): Lemire's multiply; the bias is below 2^-64 * bound.
  constexpr std::uint64_t below(std::uint64_t bound) { return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64U); }

  /// Uniform in [0, 1) with 53 bits.
  constexpr double unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

}  // namespace flashpath

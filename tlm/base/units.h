// SPDX-License-Identifier: Apache-2.0
// Quantities. A bare number never carries a time, a size, a rate or a frequency.
//
//   Duration, Time  std::chrono at 1 ps: adding two Times, or losing picoseconds, does not compile
//   Bytes, Rate     Bytes / Rate is a Duration, rounded up: a transfer ends when its last byte has
//   Hertz           cycles(n, hertz) is a Duration computed from the total, never from a rounded period
//   KiB is 1024 and kB is 1000; there is no "K"
#pragma once
#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>

namespace flashpath {

using Duration = std::chrono::duration<std::int64_t, std::pico>;

struct SimClock {  // never read: the simulation kernel owns "now" and passes it in
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<SimClock>;
  static constexpr bool is_steady = true;
};
/// A moment of simulated time. Range: +-106 days.
using Time = SimClock::time_point;

inline constexpr Time never{Duration{std::numeric_limits<std::int64_t>::max()}};

__extension__ using Wide = unsigned __int128;
__extension__ using SignedWide = __int128;

struct Bytes {
  std::uint64_t count = 0;
  constexpr auto operator<=>(const Bytes&) const = default;
  constexpr Bytes& operator+=(Bytes b) {
    count += b.count;
    return *this;
  }
  constexpr Bytes& operator-=(Bytes b) {
    count -= b.count;
    return *this;
  }
};
constexpr Bytes operator+(Bytes a, Bytes b) { return {a.count + b.count}; }
constexpr Bytes operator-(Bytes a, Bytes b) { return {a.count - b.count}; }
constexpr Bytes operator*(std::uint64_t n, Bytes b) { return {n * b.count}; }
constexpr Bytes operator*(Bytes b, std::uint64_t n) { return {n * b.count}; }
constexpr std::uint64_t operator/(Bytes a, Bytes b) { return a.count / b.count; }
constexpr Bytes operator%(Bytes a, Bytes b) { return {a.count % b.count}; }

struct Rate {
  std::uint64_t bytes_per_second = 0;
  constexpr auto operator<=>(const Rate&) const = default;
};

struct Hertz {
  std::uint64_t per_second = 0;
  constexpr auto operator<=>(const Hertz&) const = default;
};

/// `n * 1 s / d`, rounded up once.
constexpr Duration seconds_ratio(std::uint64_t n, std::uint64_t d) {
  if (n < (1ULL << 23U) && d < (1ULL << 62U))  // 64 bits hold it
    return Duration{static_cast<std::int64_t>((n * 1'000'000'000'000U + d - 1) / d)};
  const Wide ps = static_cast<Wide>(n) * 1'000'000'000'000U;
  return Duration{static_cast<std::int64_t>((ps + d - 1) / d)};
}

constexpr Duration operator/(Bytes b, Rate r) { return seconds_ratio(b.count, r.bytes_per_second); }
constexpr Duration cycles(std::uint64_t n, Hertz f) { return seconds_ratio(n, f.per_second); }

/// `r * num / den`, rounded down: an efficiency as a ratio of integers, so that every compiler agrees.
constexpr Rate scaled(Rate r, std::uint64_t num, std::uint64_t den) {
  return {static_cast<std::uint64_t>(static_cast<Wide>(r.bytes_per_second) * num / den)};
}

/// For reports only; never for a decision of the model.
constexpr double to_seconds(Duration d) { return static_cast<double>(d.count()) * 1e-12; }
constexpr double to_us(Duration d) { return static_cast<double>(d.count()) * 1e-6; }

constexpr std::uint64_t ceil_div(std::uint64_t a, std::uint64_t b) { return (a + b - 1) / b; }
constexpr std::uint64_t align_up(std::uint64_t a, std::uint64_t b) { return ceil_div(a, b) * b; }

inline namespace literals {
using namespace std::chrono_literals;
constexpr Duration operator""_ps(unsigned long long n) { return Duration{static_cast<std::int64_t>(n)}; }
constexpr Bytes operator""_B(unsigned long long n) { return {n}; }
constexpr Bytes operator""_KiB(unsigned long long n) { return {n << 10U}; }
constexpr Bytes operator""_MiB(unsigned long long n) { return {n << 20U}; }
constexpr Bytes operator""_GiB(unsigned long long n) { return {n << 30U}; }
constexpr Bytes operator""_GB(unsigned long long n) { return {n * 1'000'000'000}; }
constexpr Bytes operator""_TB(unsigned long long n) { return {n * 1'000'000'000'000}; }
constexpr Rate operator""_MBps(unsigned long long n) { return {n * 1'000'000}; }
constexpr Rate operator""_GBps(unsigned long long n) { return {n * 1'000'000'000}; }
constexpr Rate operator""_Gbps(unsigned long long n) { return {n * 125'000'000}; }
constexpr Hertz operator""_MHz(unsigned long long n) { return {n * 1'000'000}; }
constexpr Hertz operator""_GHz(unsigned long long n) { return {n * 1'000'000'000}; }
}  // namespace literals

}  // namespace flashpath

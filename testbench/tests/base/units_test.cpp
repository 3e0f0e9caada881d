// SPDX-License-Identifier: Apache-2.0
// Quantities and timelines are constexpr, so most of these tests are over when the compiler is.
#include "base/units.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/timeline.h"

namespace flashpath {
namespace {

// A transfer ends when its last byte has: always rounded up, and by less than a picosecond.
static_assert(4_KiB / 4_GBps == 1024ns);
static_assert(1_B / 3_GBps == 334_ps);
static_assert(3_B / 3_GBps == 1ns);
static_assert(4_B / 3_GBps == 1334_ps);
static_assert(0_B / 1_GBps == 0_ps);
static_assert(1_B / Rate{1} == 1s);
static_assert(9_TB / 1_MBps == 9'000'000s);  // 10^25 ps-bytes on the way: needs the 128 bits
static_assert(cycles(1, 3_GHz) == 334_ps && cycles(3, 3_GHz) == 1ns && cycles(3'000'000'000, 3_GHz) == 1s);  // not 333 ps a cycle
static_assert(scaled(100_GBps, 128, 130) == Rate{98'461'538'461} && scaled(1_GBps, 1, 1) == 1_GBps);
static_assert(1_KiB == 1024_B && 1_MiB == 1024 * 1_KiB && 1_GiB == 1024 * 1_MiB && 1_GB == 1'000'000'000_B && 8_Gbps == 1_GBps);
static_assert(ceil_div(0, 4) == 0 && ceil_div(1, 4) == 1 && ceil_div(4, 4) == 1 && ceil_div(5, 4) == 2 && align_up(5, 4) == 8);
static_assert(10_KiB / 4_KiB == 2 && 10_KiB % 4_KiB == 2_KiB && 10_KiB - 4_KiB == 6_KiB);

// What must not compile.
template <class A, class B>
concept adds = requires(A a, B b) {
  a + b;
};
template <class A, class B>
concept divides = requires(A a, B b) {
  a / b;
};
template <class A, class B>
concept multiplies = requires(A a, B b) {
  a* b;
};
template <class A, class B>
concept compares = requires(A a, B b) {
  a < b;
};
static_assert(adds<Time, Duration> && adds<Bytes, Bytes> && divides<Bytes, Rate> && compares<Bytes, Bytes>);
static_assert(!adds<Time, Time> && !adds<Bytes, Duration> && !adds<Bytes, int> && !adds<Duration, int> && !adds<Rate, Rate>);
static_assert(!divides<Bytes, Duration> && !divides<Rate, Bytes> && !divides<Bytes, Hertz> && !multiplies<Bytes, Bytes>);
static_assert(!compares<Bytes, int> && !compares<Bytes, Rate> && !compares<Rate, Hertz> && !compares<Time, Duration>);
static_assert(!std::is_convertible_v<Duration, std::chrono::nanoseconds> && std::is_convertible_v<std::chrono::nanoseconds, Duration>);
static_assert(!std::is_convertible_v<int, Bytes> && !std::is_convertible_v<int, Duration> && !std::is_convertible_v<Duration, Time>);
static_assert(!std::is_convertible_v<double, Rate> && !std::is_convertible_v<Bytes, std::uint64_t>);
static_assert(!std::is_constructible_v<Duration, double>);

constexpr Time at(std::int64_t ps) { return Time{Duration{ps}}; }

// One server: alone at once, then back to back; latency does not occupy it.
static_assert([] {
  Server server;
  const Window first = server.serve(at(100), 10_ps, 3_ps);
  const Window second = server.serve(at(109), 10_ps, 3_ps);  // one picosecond before it is free
  const Window third = server.serve(at(120), 10_ps);         // at the moment it is free
  const Window fourth = server.serve(at(131), 10_ps);        // one after
  return first.accepted == at(100) && first.done == at(113) && second.accepted == at(110) && second.done == at(123) &&
         third.accepted == at(120) && third.done == at(130) && fourth.accepted == at(131) && server.free_at() == at(141) &&
         server.busy() == 40_ps;
}());

// A stream that arrives faster than it is served ends with the service, a slower one with its last piece.
static_assert([] {
  Server server;
  return server.serve(Stream{at(0), at(50)}, 100_ps, 10_ps, 1_ps).done == at(101);
}());
static_assert([] {
  Server server;
  return server.serve(Stream{at(0), at(90)}, 100_ps, 10_ps).done == at(100);  // both at once
}());
static_assert([] {
  Server server;
  return server.serve(Stream{at(0), at(91)}, 100_ps, 10_ps).done == at(101);  // one picosecond later
}());
static_assert([] {
  Server server;
  server.serve(at(0), 40_ps);
  const Window before = Server{server}.serve(Stream{at(39), at(39)}, 5_ps, 1_ps);
  const Window open = Server{server}.serve(Stream{at(40), at(40)}, 5_ps, 1_ps);
  const Window after = Server{server}.serve(Stream{at(41), at(41)}, 5_ps, 1_ps);
  return before.accepted == at(40) && open.accepted == at(40) && after.accepted == at(41) && after.done == at(46);
}());

// A pipe: size / rate + latency alone; under load it moves its rate, and the latency is paid once.
static_assert([] {
  Pipe pipe{4_GBps, 64ns};
  const Window first = pipe.serve(at(0), 4_KiB);
  Window last = first;
  for (int i = 1; i < 1000; ++i) last = pipe.serve(at(0), 4_KiB);
  return first.done == Time{1024ns + 64ns} && last.done == Time{1000 * 1024ns + 64ns} && pipe.busy() == 1'024'000ns;
}());
static_assert([] {
  Pipe pipe{4_GBps, 64ns};
  return pipe.serve(Stream{Time{}, Time{10us}}, 4_KiB, 64_B).done == Time{10us + 16ns + 64ns};
}());

TEST(Units, DivisionRoundsUpByLessThanOne) {
  Random random{1, "units"};
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t n = random.below(std::uint64_t{1} << 40U);
    const std::uint64_t d = 1'000'000 + random.below(std::uint64_t{1} << 38U);
    const auto ps = static_cast<Wide>((Bytes{n} / Rate{d}).count());
    const Wide exact = static_cast<Wide>(n) * 1'000'000'000'000U;
    ASSERT_TRUE(ps * d >= exact && ps * d < exact + d) << n << " B at " << d;
  }
}

TEST(Units, RangeReachesAHundredDays) { EXPECT_EQ((never - Time{}) / std::chrono::hours{24}, 106); }

}  // namespace
}  // namespace flashpath

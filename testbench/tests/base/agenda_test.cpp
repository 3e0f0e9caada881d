// SPDX-License-Identifier: Apache-2.0
// The agenda against a sorted map: whatever is posted, from wherever, leaves in the order (time, priority, posting).
#include "base/agenda.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <tuple>
#include <vector>

#include "base/random.h"

namespace flashpath {
namespace {

constexpr Time at(std::uint64_t ps) { return Time{Duration{static_cast<std::int64_t>(ps)}}; }

struct Log {
  std::vector<std::pair<Time, std::uint64_t>> seen;
  static void note(void* self, Time now, std::uint64_t arg, std::uint64_t) { static_cast<Log*>(self)->seen.emplace_back(now, arg); }
  std::vector<std::uint64_t> args() const {
    std::vector<std::uint64_t> list;
    for (const auto& [when, arg] : seen) list.push_back(arg);
    return list;
  }
};
using Args = std::vector<std::uint64_t>;

TEST(Agenda, EqualTimesGoByPriorityThenByPosting) {
  Agenda agenda;
  Log log;
  agenda.post(at(5), Log::note, &log, 6, 0, Priority::late);
  agenda.post(at(5), Log::note, &log, 2);
  agenda.post(at(5), Log::note, &log, 5, 0, Priority::decide);
  agenda.post(at(5), Log::note, &log, 3);
  agenda.post(at(5), Log::note, &log, 1, 0, Priority::release);
  agenda.post(at(4), Log::note, &log, 0, 0, Priority::late);
  agenda.post(at(5), Log::note, &log, 4);
  agenda.run();
  EXPECT_EQ(log.args(), (Args{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(agenda.now(), at(5));
  EXPECT_EQ(agenda.executed(), 7U);
}

TEST(Agenda, FarEventsCrossTheHorizonInOrder) {
  Agenda agenda;
  Log log;
  const std::uint64_t horizon = std::uint64_t{4096} << 17U;
  const std::vector<std::uint64_t> times{horizon * 1'000'000, horizon + 1,     horizon,     horizon - 1, 1,
                                         horizon * 2,         horizon * 2 - 1, horizon + 1, horizon * 3};
  for (std::size_t i = 0; i < times.size(); ++i) agenda.post(at(times[i]), Log::note, &log, i);
  agenda.run();
  EXPECT_EQ(log.args(), (Args{4, 3, 2, 1, 7, 6, 5, 8, 0}));
  EXPECT_EQ(agenda.next(), never);
}

TEST(Agenda, RunUntilIncludesItsLimitAndMovesNow) {
  Agenda agenda;
  Log log;
  agenda.post(at(10), Log::note, &log, 1);
  agenda.post(at(11), Log::note, &log, 2);
  agenda.run_until(at(9));
  EXPECT_EQ(log.args(), Args{});
  EXPECT_EQ(agenda.now(), at(9));
  agenda.run_until(at(10));
  EXPECT_EQ(log.args(), (Args{1}));
  agenda.run_until(at(1'000'000'000'000));
  EXPECT_EQ(log.args(), (Args{1, 2}));
  EXPECT_EQ(agenda.now(), at(1'000'000'000'000));
  agenda.post(at(1'000'000'000'000), Log::note, &log, 3);
  agenda.run();
  EXPECT_EQ(log.args(), (Args{1, 2, 3}));
}

TEST(Agenda, PostsAheadOfWhatNextHasSeen) {
  Agenda agenda;
  Log log;
  agenda.post(at(std::uint64_t{1} << 45U), Log::note, &log, 9);
  EXPECT_EQ(agenda.next(), at(std::uint64_t{1} << 45U));
  agenda.post(at(700'000), Log::note, &log, 2);
  EXPECT_EQ(agenda.next(), at(700'000));
  agenda.post(at(3), Log::note, &log, 1);
  agenda.post(at(800'000'000), Log::note, &log, 3);
  EXPECT_EQ(agenda.next(), at(3));
  agenda.run();
  EXPECT_EQ(log.args(), (Args{1, 2, 3, 9}));
}

TEST(Agenda, TellsTheDriverOnlyOfAnEarlierMoment) {
  Agenda agenda;
  Log calls;
  Log log;
  agenda.on_earlier([](void* self, Time now, std::uint64_t, std::uint64_t) { static_cast<Log*>(self)->seen.emplace_back(now, 0); }, &calls);
  agenda.post(at(100), Log::note, &log);
  agenda.post(at(100), Log::note, &log);
  agenda.post(at(101), Log::note, &log);
  agenda.post(at(99), Log::note, &log);
  ASSERT_EQ(calls.seen.size(), 2U);
  EXPECT_EQ(calls.seen[0].first, at(100));
  EXPECT_EQ(calls.seen[1].first, at(99));
  struct Inner {
    Agenda& agenda;
    Log& log;
    void act(Time now) { agenda.post(now, Log::note, &log, 7); }
  } inner{agenda, log};
  agenda.post<&Inner::act>(at(98), &inner);
  EXPECT_EQ(calls.seen.size(), 3U);
  agenda.run();
  EXPECT_EQ(calls.seen.size(), 3U);  // nothing while an action runs: the driver looks again by itself
  EXPECT_EQ(log.args().front(), 7U);
}

TEST(AgendaDeathTest, ThePastIsRefused) {
  Agenda agenda;
  Log log;
  agenda.run_until(at(10));
  EXPECT_DEATH(agenda.post(at(9), Log::note, &log), "posted for the past");
  EXPECT_DEATH(agenda.step(), "empty agenda");
}

/// Posts from outside and from inside actions, keeps the same in a multimap, and compares at each step.
class Stress {
 public:
  explicit Stress(std::uint64_t seed) : random_{seed, "agenda"} {}

  void run(std::uint64_t posts) {
    left_ = posts;
    while (left_ != 0 || !agenda_.empty()) {
      if (left_ != 0 && (agenda_.empty() || random_.below(4) == 0)) post(agenda_.now());
      if (random_.below(8) == 0) { ASSERT_EQ(agenda_.next(), reference_.empty() ? never : std::get<0>(reference_.begin()->first)); }
      if (random_.below(16) == 0) agenda_.run_until(agenda_.now() + Duration{static_cast<std::int64_t>(distance())});
      else if (!agenda_.empty()) agenda_.step();
      ASSERT_EQ(agenda_.size(), reference_.size());
    }
    EXPECT_EQ(agenda_.executed(), posts);
    EXPECT_EQ(wrong_, 0U);
  }

 private:
  std::uint64_t distance() {
    static constexpr std::array<std::uint64_t, 6> spans{1, 4, 200'000, 50'000'000, 600'000'000, 5'000'000'000};
    return random_.below(spans[random_.below(spans.size())]);
  }
  void post(Time from) {
    const Time when = from + Duration{static_cast<std::int64_t>(distance())};
    const auto priority = static_cast<Priority>(random_.below(4));
    reference_.emplace(std::tuple{when, priority, sequence_}, sequence_);
    --left_;
    agenda_.post<&Stress::act>(when, this, sequence_++, 0, priority);
  }
  void act(Time now, std::uint64_t id) {
    const auto first = reference_.begin();
    if (std::get<0>(first->first) != now || first->second != id || agenda_.now() != now) ++wrong_;
    reference_.erase(first);
    for (std::uint64_t n = random_.below(4); n != 0 && left_ != 0 && reference_.size() < 500; --n) post(now);
  }

  Agenda agenda_;
  Random random_;
  std::multimap<std::tuple<Time, Priority, std::uint64_t>, std::uint64_t> reference_;
  std::uint64_t sequence_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t wrong_ = 0;
};

TEST(Agenda, AgreesWithASortedMap) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) Stress{seed}.run(100'000);
}

/// Host time of posting and running 40'000 events, one per 10 ns, with or without a timer at one second.
std::chrono::duration<double> crowd(bool timer) {
  const auto begin = std::chrono::steady_clock::now();
  Agenda agenda;
  Log log;
  if (timer) agenda.post(at(1'000'000'000'000), Log::note, &log, 1);
  EXPECT_EQ(agenda.next(), timer ? at(1'000'000'000'000) : never);
  for (std::uint64_t i = 0; i < 40'000; ++i) agenda.post(at(1 + i * 10'000), Log::note, &log, 0);
  agenda.run();
  EXPECT_EQ(log.seen.size(), timer ? 40'001U : 40'000U);
  return std::chrono::steady_clock::now() - begin;
}

// Looking at a lone far timer must not drag the ring's start there: every near post would land in one bucket
// and walk its list, 800 million steps here, some thousand times slower.
TEST(Agenda, ALoneFarTimerDoesNotCrowdOneBucket) {
  const auto without = std::min(crowd(false), crowd(false));
  const auto with = std::min(crowd(true), crowd(true));
  EXPECT_LT(with, 50 * without);
}

}  // namespace
}  // namespace flashpath

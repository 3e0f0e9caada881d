// SPDX-License-Identifier: Apache-2.0
// Errors on the wire, and what sending again costs. Not drawn per flit: "how many units until the next bad one".
//
// A unit is a flit (236 bytes of TLPs), below Gen6 a byte (the TLP that holds it fails its LCRC).
//   below Gen6     p = 1 - (1 - fber)^8
//   flit           errors come in bursts, Poisson with mean b = 2048 fber per flit; a burst goes on by one more bit with probability c.
//                  Bytes of a lane that follow each other lie in different groups of the FEC (1, 2, 4, 8, 16 mod 3 is not 0), and each
//                  of the three groups corrects one byte: a burst of up to 3 bytes is corrected, one of 4 is not, and two bursts are
//                  only if they touch no group twice. With s(n) the chance that a burst spans n bytes, begun at any bit of a byte:
//                  p = 1 - e^-b (1 + b (s1 + s2 + s3) + b^2/2 (2/3 s1^2 + 2/3 s1 s2));   three bursts: not corrected
//   distance       1 + floor(ln u / ln(1 - p)) units from a bad one, of which the first is its own replay
//
// A bad unit whose end is `x` into a burst's transmission, R = replay_round_trip (replay_timeout if the NAK is lost too, with
// probability p):
//   standard       all behind it is sent again: the serialiser and everything after x are late by R
//   selective      it alone: the serialiser loses one unit; what follows is held until x + R, since order is kept
//   the fourth replay of one unit retrains the link: retrain_time more, for all
// Expected: replays per unit p / (1 - p); the line's loss in standard mode is that times R.
#pragma once
#include "base/random.h"
#include "base/stats.h"
#include "pcie/pcie_config.h"

namespace flashpath::pcie {

/// Probability that a unit is bad.
double unit_error_rate(const Config& config);

class Replay {
 public:
  Replay(const Config& config, std::uint64_t seed, std::string_view path, Duration unit_time, stats::Group& parent);

  struct Cost {
    Duration line{};                 ///< taken from the serialiser
    std::uint64_t first_at = ~0ULL;  ///< byte of the burst at which the first bad unit ended
    Duration first{};                ///< by what that one delays
    std::uint64_t last_at = 0;       ///< of the last bad unit
    Duration last{};
  };
  /// `bytes` more go over the wire. Almost always: nothing happens.
  bool send(std::uint64_t bytes, Cost& cost) {
    sent_ += bytes;
    return bad_at_ <= sent_ && hit(sent_ - bytes, cost);
  }
  bool selective() const { return selective_; }
  double rate() const { return p_; }
  std::uint64_t units_to_next();

 private:
  bool hit(std::uint64_t begin, Cost& cost);

  double p_, log_;  // log_ = ln(1 - p)
  std::uint64_t unit_;
  bool selective_;
  Duration round_trip_, timeout_, retrain_, unit_time_;
  Random random_;
  std::uint64_t sent_ = 0, bad_at_ = ~0ULL;  // bytes; bad_at_: where the next bad unit ends
  std::uint32_t in_a_row_ = 0;
  stats::Group group_;

 public:
  stats::Counter replays{group_, "replays", stats::Unit::count, "flits (below Gen6: TLPs) that came bad and were asked for again"};
  stats::Counter nak_lost{group_, "nak_lost", stats::Unit::count, "of these, replayed only after the timeout"};
  stats::Counter retrains{group_, "retrains", stats::Unit::count, "retrains after four replays of one unit"};
  stats::Counter line{group_, "line", stats::Unit::picosecond, "time of the serialiser spent on replays"};
};

}  // namespace flashpath::pcie

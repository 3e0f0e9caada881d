// SPDX-License-Identifier: Apache-2.0
// What a direction of a link does beyond the plain arithmetic; only there when the configuration asks for it.
//
//   exact packing   The line is a row of flits, one each F = 256 B / raw rate / (1 - overhead), whether there is anything to send or
//                   not. Bytes of TLPs lie one behind the other in each flit's first 236, as at the raw rate; a burst begins with the
//                   next free 4 bytes, and a TLP is handed on when its last flit is complete (the latency is without the flit that
//                   the fluid adds to it).
//   DLLPs counted   n TLPs the other way bring n / ack_tlps ACKs and n / update_fc_tlps UpdateFCs of 8 B, as whole DLLPs. They fill
//                   idle time first; what is left lengthens the next burst.
//   replay buffer   a burst takes at least bytes x replay_round_trip / replay_buffer
//   L0p             after l0p_idle without traffic both directions keep l0p_lanes. The next burst wakes the others: for l0p_up its bytes
//                   go at the narrow rate, then at the full one.
//   replay          replay_model.h
#pragma once
#include <memory>
#include <string>

#include "pcie/burst.h"
#include "pcie/replay_model.h"
#include "pcie/wire.h"

namespace flashpath::pcie {

/// The width of a link with L0p; its directions share it.
class Width {
 public:
  Width(const Config& config, stats::Group& parent)
      : lanes_{config.lanes}, few_{config.l0p_lanes}, idle_{config.l0p_idle}, up_{config.l0p_up}, group_{"l0p", parent} {}
  /// Traffic begins at `at`.
  void wake(Time at);
  /// How long what takes `full` on all lanes takes from `at`.
  Duration stretch(Time at, Duration full) const;
  /// Traffic until then.
  void active(Time until) { active_until_ = std::max(active_until_, until); }
  void finish(Time now);

 private:
  std::int64_t lanes_, few_;
  Duration idle_, up_, total_{};
  Time active_until_{}, full_from_{};
  stats::Group group_;

 public:
  stats::Counter entries{group_, "entries", stats::Unit::count, "times that lanes were put to rest"};
  stats::Counter narrow{group_, "narrow", stats::Unit::picosecond, "time with l0p_lanes only"};
  stats::Counter lane_time{group_, "lane_time", stats::Unit::picosecond, "active lanes x time: what the power follows"};
};

/// One direction as a row of flits.
class FlitRow {
 public:
  FlitRow(const Wire& wire, const Config& config) : flit_time_{wire.flit_time()}, useful_{1000U - config.flit_overhead} {}
  /// The first byte of TLPs, counted from time zero, that can still be filled at `at`; a multiple of 4.
  std::uint64_t position(Time at) const;
  /// When byte `n` of TLPs begins.
  Time begins(std::uint64_t n) const;
  /// When the flit with byte `n` has been sent.
  Time complete(std::uint64_t n) const { return flit(n / flit_tlp_bytes.count + 1); }

 private:
  Time flit(std::uint64_t k) const;  // when flit k begins
  Duration flit_time_;
  std::uint64_t useful_;
};

class Options {
 public:
  /// `latency` is the direction's, one flit included.
  Options(const Config& config, const Wire& wire, Duration latency, std::uint64_t seed, const std::string& path, Width* width,
          stats::Group& parent);

  /// The serialiser, free since `free`, takes the burst at `at`; `takes` by the plain arithmetic. How long it really takes it.
  Duration occupy(Burst& burst, Time at, Time free, Duration takes);
  /// Corrects the times of its arrival.
  void deliver(Burst& burst);
  /// That many TLPs went the other way.
  void answer(std::uint64_t n);

 private:
  Bytes first_tlp(const Burst& burst) const;

  const Wire& wire_;
  Duration latency_;  // without a flit
  std::uint64_t ack_ = 0, update_ = 0, acks_ = 0, updates_ = 0, owed_ = 0;
  std::uint64_t buffer_, round_trip_;
  Width* width_;
  std::unique_ptr<FlitRow> row_;
  std::uint64_t next_ = 0;           // the first free byte of the row
  Time first_flit_{}, last_flit_{};  // of the burst at hand: when the flits with its first TLP's end and its own have been sent
  std::unique_ptr<Replay> replay_;
  Replay::Cost cost_;
  bool hit_ = false;
  Time held_{};  // selective replay: nothing is handed on before
  stats::Group group_;

 public:
  stats::Counter dllps{group_, "dllps", stats::Unit::count, "ACKs and UpdateFCs sent (dllps = counted)"};
  stats::Counter dllp_time{group_, "dllp_time", stats::Unit::picosecond, "time by which they lengthened bursts"};
  stats::Counter packed{group_, "packed", stats::Unit::picosecond,
                        "time lost in flits that were begun when a burst came (packing = exact)"};
};

}  // namespace flashpath::pcie

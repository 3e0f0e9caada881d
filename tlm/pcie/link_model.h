// SPDX-License-Identifier: Apache-2.0
// One point-to-point PCIe link: two directions that know nothing of each other, and the requester's tags.
//
//            offer                start                       delivered
//   burst ─────▶ [ FIFO ] ─────▶ [ serialiser | credits ] ── latency ──▶ next stage ── taken ──▶ credits come back
//                 wait for:  the serialiser, the receiver's buffer
//
// Closed form of a burst of n bytes whose data is there during `in`:
//   start     = the first moment >= offered, after all bursts before it, with the serialiser free and room at the receiver
//   pace      = max(wire time, data x credit_round_trip / data credits, TLPs x credit_round_trip / header credits), rounded up
//   piece     = wire time of one full TLP, or of the burst if that is shorter
//   sent      = max(start + pace, in.last + piece)           the serialiser is free again at start + pace
//   out.first = start + piece + latency                      a TLP is handed on whole, after its check
//   out.last  = sent + latency
// Credits twice: `pace` is the steady state (a window per round trip, as a fluid: no burst pays a whole round trip for its
// last few bytes). And a receiver that does not empty its buffer stops the link: from start until taken() a burst holds its
// bytes and headers; the next one of its kind waits while they would not fit (one burst may always go, however large).
//
// Order is first come, first served, over all kinds: posted writes stay in order, reads and completions do not pass them. A
// read that waits for tags waits in the requester and is passed by posted writes (PCIe Base 6.x §2.4.1 allows it). With
// ordering = rules, or a switch that arbitrates, order_model.h says who goes.
// Tags: a read holds one per request from its start until the last byte of its completions; a read of more requests than
// there are tags goes alone, and its completions stretch to (requests - tags) x round trip / tags after the first.
//
// As messages (forwarding = store_and_forward): a burst enters the line when its last byte is there, and is handed on when its
// last byte has left: start >= in.last, out.first = out.last = start + message time + latency. Reads need no tags.
//
// Same picosecond: the serialiser is free, and tags are back, before anybody asks for them.
// Options (options.h, replay_model.h): exact flits, DLLPs counted, replay, L0p. They cost a comparison when off.
// Not modelled: several virtual channels, interleaving of TLPs of two bursts in one direction, L1 and below. The second and later requests of a read burst cost upstream
// time only. A burst that is starved by its source (in.last late) lends its unused serialiser time to the next.
#pragma once
#include <array>
#include <memory>
#include <string>

#include "base/agenda.h"
#include "base/delegate.h"
#include "base/laws.h"
#include "base/stats.h"
#include "pcie/options.h"
#include "pcie/order_model.h"

namespace flashpath::pcie {

/// What a link has from outside beside its configuration.
struct Surroundings {
  std::uint64_t seed = 1;
  std::string path = "link";                    ///< names its random streams
  Arbitration arbitration = Arbitration::fifo;  ///< of Burst::port, upstream
  std::vector<std::uint32_t> shares = {};       ///< by port, for weighted
};

class Direction {
 public:
  using Event = Delegate<void(Burst&, Time)>;
  struct Events {
    Event started;    ///< its times are known; called at its start, for reads and completions it may be earlier (`at` is the start)
    Event delivered;  ///< at out.first
    Event sent;       ///< posted bursts whose `unsent` still stands: the last byte has left
  };
  /// `extra` is added to the latency of the link (a switch behind it).
  Direction(const char* name, const Config& config, Duration extra, Agenda& agenda, stats::Group& parent, const Surroundings& around,
            Width* width);
  /// The other direction: it carries this one's acknowledgements.
  void answered_by(Direction& other) { back_ = other.options_.get(); }
  void connect(const Events& events) { events_ = events; }

  void offer(Burst& burst, Time now);
  /// The next stage has taken the burst: its credits come back. For posted and non-posted bursts.
  void taken(const Burst& burst, Time now);

  /// Nothing starts for that long (a retrain). What is on the wire arrives.
  void stop(Time now, Duration time);

  const Wire& wire() const { return wire_; }
  Duration latency() const { return latency_; }
  std::uint64_t waiting() const { return ordered_ != nullptr ? ordered_->size() : queue_.size(); }
  std::uint64_t untaken() const { return held_[0].bursts + held_[1].bursts; }
  bool blocked() const { return blocked_since_ != never; }
  void check(Laws& laws, Time now) const;
  void finish(Time now);

 private:
  struct Held {
    std::uint64_t bursts = 0, data = 0, headers = 0;
  };
  struct Credits {
    std::uint64_t data, headers;  // 0: infinite
  };
  /// What a burst costs follows from its kind, its size and how it lies to pages and read completion boundaries.
  struct Measured {
    std::uint64_t key = ~std::uint64_t{0};
    Load load{};
    Duration wire{}, piece{}, pace{};
  };
  Measured& measured(const Burst& b);
  void measure(const Burst& b, Measured& m) const;
  Duration pace(Kind kind, const Measured& m) const;
  bool room(const Burst& b) const;
  bool none_waits() const { return ordered_ != nullptr ? ordered_->empty() : queue_.empty(); }
  void line_up_ordered(Burst& b, Time now);
  void pump_ordered(Time now);
  void start(Burst& b, Time at);
  void pump(Time now);
  void arm();
  void turn(Time now);
  void line_up(Burst& b, Time now);
  void complete_here(Time now, std::uint64_t burst);
  void delivered(Time now, std::uint64_t burst);
  void sent(Time now, std::uint64_t burst);

  Agenda& agenda_;
  Wire wire_;
  Duration latency_;
  std::uint64_t round_trip_;
  Credits credits_[3];  // by Kind
  Credits shared_;
  std::unique_ptr<Options> options_;
  std::unique_ptr<Waiting> ordered_;  // instead of queue_
  Options* back_ = nullptr;
  bool flit_;
  Events events_;
  std::uint64_t rcb_;
  std::array<Measured, 32> known_{};
  Server server_;
  BurstQueue queue_;
  Held held_[2];          // posted, non-posted
  Time pump_at_ = never;  // an event that will look at the queue
  Time blocked_since_ = never;
  Duration trimmed_{};
  bool starting_ = false;

  stats::Group group_;
  Flow flow_;
  std::uint64_t offered_bytes_ = 0, delivered_bytes_ = 0, waiting_bytes_ = 0, flying_bytes_ = 0;

 public:
  stats::Counter bursts{group_, "bursts", stats::Unit::count, "bursts started"};
  stats::Counter payload{group_, "payload", stats::Unit::byte, "data bytes started"};
  stats::Counter wire_bytes{group_, "wire", stats::Unit::byte, "data and headers started"};
  stats::Counter tlps{group_, "tlps", stats::Unit::count, "TLPs started"};
  stats::Counter flits{group_, "flits", stats::Unit::count, "flits that these TLPs fill (flit mode only)"};
  stats::Counter wait{group_, "wait", stats::Unit::picosecond, "time from offered to started, summed over bursts"};
  stats::Counter credit_stall{group_, "credit_stall", stats::Unit::picosecond, "time the wire was idle for want of credits"};
  stats::Busy busy{group_, "busy", 1, "wire time"};
};

/// Read requests that a requester may have outstanding. Times of return are booked ahead.
class Tags {
 public:
  explicit Tags(std::uint32_t count) : count_{count} {}
  /// Takes `n` if that many are free, or if all are.
  bool take(std::uint32_t n, Time now);
  /// `n` come back at `at`.
  void give_back(std::uint32_t n, Time at);
  /// The first moment at which take(n) will succeed, as far as known; else `never`.
  Time enough(std::uint32_t n) const;
  std::uint32_t count() const { return count_; }
  std::uint32_t in_use() const { return in_use_; }

 private:
  struct Return {
    Time at;
    std::uint32_t n;
  };
  std::uint32_t count_;
  std::uint32_t in_use_ = 0;
  std::vector<Return> returns_;  // sorted by time, from head_ on
  std::size_t head_ = 0;
};

class Link {
 public:
  /// `tags` = 0: unlimited (a switch: tags are the requester's).
  Link(const Config& config, Duration extra, std::uint32_t tags, Agenda& agenda, stats::Group& parent, const Surroundings& around = {});
  /// `up` is towards the host.
  void connect(const Direction::Events& up, const Direction::Events& down);

  /// A read by the device: upstream when its tags are there. The caller answers it with complete().
  void read(Burst& burst, Time now);
  /// The data of a device's read is there (burst.in), or its failure (size 0): back downstream.
  void complete(Burst& burst, Time now);

  /// The link trains again: nothing starts, in either direction, for retrain_time.
  void retrain(Time now);

  std::uint64_t tag_waiting() const { return tag_queue_.size(); }
  void check(Laws& laws, Time now) const;
  void finish(Time now);

 private:
  std::unique_ptr<Width> width_;

 public:
  Direction up, down;

 private:
  void down_started(Burst& burst, Time at);
  void retry(Time now);
  void arm();

  Agenda& agenda_;
  Duration retrain_time_;
  Tags tags_;
  bool limited_;
  BurstQueue tag_queue_;
  Time retry_at_ = never;
  Direction::Event down_started_;
  Flow reads_;  // from read() to complete()
  stats::Group group_;

 public:
  stats::Counter tag_stall{group_, "tag_stall", stats::Unit::picosecond, "time reads waited for tags, summed"};
  stats::Counter reads_waited{group_, "reads_waited", stats::Unit::count, "reads that had to wait for tags"};
};

}  // namespace flashpath::pcie

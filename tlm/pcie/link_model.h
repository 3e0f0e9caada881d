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
// read that waits for tags waits in the requester and is passed by posted writes (PCIe Base 6.x §2.4.1 allows it).
// Tags: a read holds one per request from its start until the last byte of its completions; a read of more requests than
// there are tags goes alone, and its completions stretch to (requests - tags) x round trip / tags after the first.
//
// As messages (forwarding = store_and_forward): a burst enters the line when its last byte is there, and is handed on when its
// last byte has left: start >= in.last, out.first = out.last = start + message time + latency. Reads need no tags.
//
// Same picosecond: the serialiser is free, and tags are back, before anybody asks for them.
// Not modelled: virtual channels, relaxed ordering, interleaving of TLPs of two bursts in one direction, DLLP traffic as such
// (a fraction of the rate), flit retry, link power states. The second and later requests of a read burst cost upstream
// time only. A burst that is starved by its source (in.last late) lends its unused serialiser time to the next.
#pragma once
#include <array>

#include "base/agenda.h"
#include "base/delegate.h"
#include "base/laws.h"
#include "base/stats.h"
#include "base/timeline.h"
#include "pcie/wire.h"

namespace flashpath::pcie {

enum class Kind : std::uint8_t { posted, non_posted, completion };

/// A burst on its way. The owner keeps it alive from offer() until delivered, sent and taken() have all passed.
struct Burst {
  Kind kind = Kind::posted;
  std::uint64_t address = 0;
  Bytes size;   ///< of the data; for a read request, of the data asked for
  Stream in{};  ///< when the data is there
  // Filled in by the model.
  Time offered{}, start{}, sent{};
  Stream out{};  ///< at the other end
  Load load{};
  Duration wire{};   ///< time of all its TLPs
  Duration piece{};  ///< time of one
  Duration pace{};   ///< of all, with its credits
  std::uint32_t tags = 0;
  std::uint32_t requests = 0;
  bool unsent = false;  ///< posted: `sent` is to be called; its owner may clear that in `started`, when it needs no such call
  Time asked{};         ///< a completion: when the first request started
  Burst* next = nullptr;
};

/// A first-in-first-out list through Burst::next.
class BurstQueue {
 public:
  bool empty() const { return head_ == nullptr; }
  std::uint64_t size() const { return size_; }
  Burst& front() { return *head_; }
  void push(Burst& b) {
    b.next = nullptr;
    (head_ == nullptr ? head_ : tail_->next) = &b;
    tail_ = &b;
    ++size_;
  }
  Burst& pop() {
    Burst& b = *head_;
    head_ = b.next;
    --size_;
    return b;
  }

 private:
  Burst* head_ = nullptr;
  Burst* tail_ = nullptr;
  std::uint64_t size_ = 0;
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
  Direction(const char* name, const Config& config, Duration extra, Agenda& agenda, stats::Group& parent);
  void connect(const Events& events) { events_ = events; }

  void offer(Burst& burst, Time now);
  /// The next stage has taken the burst: its credits come back. For posted and non-posted bursts.
  void taken(const Burst& burst, Time now);

  const Wire& wire() const { return wire_; }
  Duration latency() const { return latency_; }
  std::uint64_t waiting() const { return queue_.size(); }
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
  Link(const Config& config, Duration extra, std::uint32_t tags, Agenda& agenda, stats::Group& parent);
  /// `up` is towards the host.
  void connect(const Direction::Events& up, const Direction::Events& down);

  /// A read by the device: upstream when its tags are there. The caller answers it with complete().
  void read(Burst& burst, Time now);
  /// The data of a device's read is there (burst.in), or its failure (size 0): back downstream.
  void complete(Burst& burst, Time now);

  std::uint64_t tag_waiting() const { return tag_queue_.size(); }
  void check(Laws& laws, Time now) const;
  void finish(Time now);

  Direction up, down;

 private:
  void down_started(Burst& burst, Time at);
  void retry(Time now);
  void arm();

  Agenda& agenda_;
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

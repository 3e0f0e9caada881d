// SPDX-License-Identifier: Apache-2.0
// Who goes next, where bursts may pass each other: ordering rules (ordering = rules) and arbitration between ports (a switch's uplink).
//
// May the row pass the column? (PCIe Base 6.x §2.4.1; y: it may here; those in brackets the standard allows and nobody here uses)
//                  posted           non-posted   completion
//   posted         no (RO, IDO)     yes          yes
//   non-posted     IDO              no (y/n)     yes
//   completion     RO or IDO        yes          no (y/n)
// Posted must be able to pass non-posted and completions must pass non-posted, or full buffers could lock each other.
// Passing happens only when what is passed waits for credits: the first burst that has room, and may pass all before it, goes.
//
// Between ports: fifo by arrival, over all of them; round_robin a burst each; weighted by start-time fair queueing: a port's virtual time
// grows by bytes / share, the port furthest behind goes, and one that was idle begins where the others are.
#pragma once
#include <vector>

#include "base/stats.h"
#include "pcie/burst.h"

namespace flashpath::pcie {

/// Whether a later burst may pass an earlier one of the same port.
constexpr bool may_pass(const Burst& late, const Burst& early, bool id_ordering) {
  const bool stranger = id_ordering && late.id != early.id;
  switch (early.kind) {
    case Kind::posted: return late.kind == Kind::non_posted ? stranger : late.kind == Kind::completion && (late.relaxed || stranger);
    case Kind::non_posted: return late.kind != Kind::non_posted;
    case Kind::completion: return late.kind != Kind::completion;
  }
  return false;
}

/// The bursts that wait for one direction.
class Waiting {
 public:
  Waiting(const Config& config, Arbitration arbitration, const std::vector<std::uint32_t>& shares, stats::Group& parent)
      : rules_{config.ordering == Ordering::rules},
        id_ordering_{config.id_ordering},
        arbitration_{arbitration},
        shares_{shares},
        group_{"order", parent} {}

  bool empty() const { return size_ == 0; }
  std::uint64_t size() const { return size_; }
  void push(Burst& burst);

  /// Takes out the one that goes now; nullptr: all wait. `room`: whether there are credits for it.
  template <class Room>
  Burst* pick(Room room, Time now) {
    bool held = false;
    Port* best = nullptr;
    Burst* best_before = nullptr;
    const std::size_t n = ports_.size();
    for (std::size_t i = 0; i < n; ++i) {
      Port& port = ports_[(turn_ + i) % n];
      if (port.queue.empty()) continue;
      if (best != nullptr && (arbitration_ != Arbitration::weighted || port.virtual_time >= best->virtual_time)) continue;
      Burst* before = nullptr;
      if (!candidate(port, room, before, held)) continue;
      best = &port;
      best_before = before;
      if (arbitration_ != Arbitration::weighted) break;
    }
    if (best == nullptr) {
      if (held && held_since_ == never) held_since_ = now;
      return nullptr;
    }
    if (held_since_ != never) {
      order_stall += now - held_since_;
      held_since_ = never;
    }
    return &take(*best, best_before);
  }

 private:
  struct Port {
    BurstQueue queue;
    Wide virtual_time = 0;
    std::uint64_t share = 1;
  };
  /// The first of a port that may go; `before`: the one it stands behind.
  template <class Room>
  bool candidate(Port& port, Room room, Burst*& before, bool& held) {
    for (Burst *b = port.queue.first(), *last = nullptr; b != nullptr; last = b, b = b->next) {
      bool allowed = true;
      for (const Burst* e = port.queue.first(); e != b && allowed; e = e->next) allowed = may_pass(*b, *e, id_ordering_);
      if (room(*b)) {
        if (allowed) {
          before = last;
          return true;
        }
        held = true;
      }
      if (!rules_) return false;
    }
    return false;
  }
  Burst& take(Port& port, Burst* before);

  bool rules_, id_ordering_;
  Arbitration arbitration_;
  std::vector<std::uint32_t> shares_;
  std::vector<Port> ports_;
  std::size_t turn_ = 0;
  std::uint64_t size_ = 0;
  Wide virtual_now_ = 0;
  Time held_since_ = never;
  stats::Group group_;

 public:
  stats::Counter passed{group_, "passed", stats::Unit::count, "bursts that went before one that waited for credits"};
  stats::Counter order_stall{group_, "order_stall", stats::Unit::picosecond,
                             "idle time while a burst had credits and had to keep its place"};
};

}  // namespace flashpath::pcie

// SPDX-License-Identifier: Apache-2.0
// A TLM-2.0 initiator socket, approximately timed: requests go out in order, one request phase at a time;
// responses come back whenever they are ready. What waits for END_REQ waits in this port, in order.
#pragma once
#include <tlm_utils/simple_initiator_socket.h>

#include "base/agenda.h"
#include "base/delegate.h"
#include "base/ring.h"
#include "kernel/short_cut.h"
#include "kernel/transfer.h"

namespace flashpath {

class InitiatorPort final : public Requester {
 public:
  using Event = Delegate<void(Payload&, Time)>;
  /// `responded`: the result is there (the payload is still the caller's: release() it when used).
  /// `accepted`: the target has taken the request; optional, for routers and whoever owns a finite buffer.
  /// What its owner can take when it is announced for a later moment, with that moment, instead of when the moment comes:
  /// an event less each.
  struct Ahead {
    bool accepted = false;
    bool write_responses = false;
    bool read_responses = false;
  };
  InitiatorPort(const char* name, Agenda& agenda, Event responded, Event accepted, Ahead ahead);
  InitiatorPort(const char* name, Agenda& agenda, Event responded, Event accepted = {})
      : InitiatorPort{name, agenda, responded, accepted, Ahead{}} {}

  /// Sends now, or when the requests before it have been accepted. `now` is the agenda's.
  void send(Payload& payload, Time now) { send(payload, now, now); }
  /// The same, for a request that is at the socket only at `when` >= now: the delay is annotated, no event is spent on it.
  void send(Payload& payload, Time now, Time when) {
    ++unanswered_;
    if (requesting_ == nullptr && when >= free_at_ && queue_.empty()) issue(payload, now, when);
    else queue_up(payload, now, when);
  }
  /// Who takes requests of this type as they are, and answers `asker`; nullptr: send payloads. Once everything is bound.
  template <class Request>
  Taker<Request>* taker(Asker<Request>& asker) {
    Responder* const target = peer();
    return target == nullptr ? nullptr : static_cast<Taker<Request>*>(target->taker(typeid(Request), &asker));
  }
  /// b_transport at `at` (not from a thread that may not wait, unless the target answers with a delay): when it is done.
  Time call(Payload& payload, Time at);

  void request_taken(Payload& payload, Time at) override;
  void response(Payload& payload, Time at) override;

  /// Requests not yet accepted by the target, the one in its request phase included.
  std::size_t waiting() const { return queue_.size() + (requesting_ != nullptr ? 1U : 0U); }
  std::size_t unanswered() const { return unanswered_; }

  tlm_utils::simple_initiator_socket<InitiatorPort> socket;

 private:
  tlm::tlm_sync_enum nb_transport_bw(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  struct Waiting {
    Payload* payload;
    Time when;
  };
  void seek_peer();
  Responder* peer() {
    if (!sought_) [[unlikely]]
      seek_peer();
    return direct_;
  }
  Responder::Reply begin(Payload& payload, Time& at);
  void queue_up(Payload& payload, Time now, Time when);
  void issue(Payload& payload, Time now, Time when);
  void end_request(Payload& payload, Time now);
  void go_on(Time now);
  void request_ended(Time now, std::uint64_t payload);
  void response_arrived(Time now, std::uint64_t payload);

  Agenda& agenda_;
  Responder* direct_ = nullptr;    // the target, if it is a port of ours
  Payload* requesting_ = nullptr;  // between its BEGIN_REQ and END_REQ
  Time free_at_{};                 // when the last request phase ends, if that was announced ahead
  std::size_t unanswered_ = 0;
  Event responded_, accepted_;
  bool sought_ = false;
  bool going_on_ = false;  // go_on() is posted
  Ahead ahead_;
  Ring<Waiting> queue_;
};

}  // namespace flashpath

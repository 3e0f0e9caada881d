// SPDX-License-Identifier: Apache-2.0
// A TLM-2.0 target socket for blocks that learn later when a request is done.
//
// The block is told of a request when it arrives; it calls accept() when it takes the request off the caller's
// hands (END_REQ: until then the caller may send nothing more, which is how back-pressure travels), and respond()
// when the result is there. Both coding styles are answered: four-phase nb_transport, and b_transport, which
// blocks its calling thread. Both are registered on purpose: SystemC's own converter would hold END_REQ back until
// the response, and so turn a pipelined target into one request at a time.
#pragma once
#include <tlm_utils/simple_target_socket.h>
#include <deque>
#include <map>
#include <memory>

#include "base/agenda.h"
#include "base/delegate.h"
#include "kernel/short_cut.h"
#include "kernel/transfer.h"

namespace flashpath {

class SplitPort final : public Responder {
 public:
  using Arrived = Delegate<void(Payload&, Time)>;
  using Loose = Delegate<Time(Payload&, Time)>;
  /// `loose`: for routers; takes b_transport calls instead of blocking them, and so may be called from any process.
  /// `ahead`: a request whose delay is annotated into the future is handed over at once, with its own moment, instead of when that comes.
  /// For routers that only add to it, and callers that annotate the little they know.
  SplitPort(const char* name, Agenda& agenda, Arrived arrived, Loose loose = {}, bool ahead = false);
  ~SplitPort();
  SplitPort(const SplitPort&) = delete;
  SplitPort& operator=(const SplitPort&) = delete;

  /// Takes the request off the caller's hands. Inside the arrived call it costs nothing extra.
  void accept(Payload& payload, Time now) {
    if (inside(payload)) inside_->accepted = true;
    else accept_later(payload, now);
  }
  /// The result is there, now. Implies accept(). The payload may be gone when this returns.
  void respond(Payload& payload, Time now) {
    if (inside(payload)) inside_->responded = now;
    else respond_later(payload, now);
  }
  /// Whether we are inside the arrived call of this request: then it may be answered for a later moment, respond(payload, later),
  /// which ends the transaction in that call (TLM_COMPLETED, delay annotated) and spends no event.
  bool inside(const Payload& payload) const { return inside_ != nullptr && inside_->payload == &payload; }

  /// Takes plain data, too. `asker` becomes who asks, once somebody does.
  template <class Request>
  void also(Taker<Request>& taker, Asker<Request>*& asker) {
    taker_type_ = &typeid(Request);
    taker_ = &taker;
    set_asker_ = [](void* into, void* who) { *static_cast<Asker<Request>**>(into) = static_cast<Asker<Request>*>(who); };
    asker_ = &asker;
  }
  void* taker(const std::type_info& request, void* asker) override {
    if (taker_type_ == nullptr || *taker_type_ != request) return nullptr;
    set_asker_(asker_, asker);
    return taker_;
  }

  Reply request(Payload& payload, Time& at, Requester& from) override;
  Time loose(Payload& payload, Time at) override;

  tlm_utils::simple_target_socket<SplitPort> socket;

 private:
  Reply begin(Payload& payload, Time& at);
  void accept_later(Payload& payload, Time now);
  void respond_later(Payload& payload, Time now);
  void b_transport(Payload& payload, sc_core::sc_time& delay);
  tlm::tlm_sync_enum nb_transport_fw(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  void arrived_later(Time now, std::uint64_t payload);
  void end_response(Time now, std::uint64_t payload);
  void send_responses(Time now);

  Agenda& agenda_;
  Arrived arrived_;
  Loose loose_;
  bool ahead_;
  struct Inside {  // a request whose BEGIN_REQ call we are in
    Payload* payload;
    Inside* outer;
    Time responded = never;  // for when
    bool accepted = false;
  };
  Inside* inside_ = nullptr;
  std::map<Payload*, std::unique_ptr<sc_core::sc_event>> blocked_;  // callers inside b_transport
  std::map<Payload*, Time> blocked_done_;
  std::deque<Payload*> finished_;
  const std::type_info* taker_type_ = nullptr;
  void* taker_ = nullptr;
  void* asker_ = nullptr;
  void (*set_asker_)(void*, void*) = nullptr;
  Requester* direct_ = nullptr;    // the initiator, if it is a port of ours
  Payload* responding_ = nullptr;  // BEGIN_RESP sent, END_RESP not yet seen
};

}  // namespace flashpath

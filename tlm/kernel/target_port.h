// SPDX-License-Identifier: Apache-2.0
// A TLM-2.0 target socket that asks its block one question: when?
//
// Loosely timed, b_transport: the window comes back as an annotated delay. Approximately timed: END_REQ at
// `accepted`, BEGIN_RESP at `done`. The caller chooses by how it calls; the block cannot tell.
// Limit of the loose style (docs/fidelity.md): a timeline books in call order, and there is no back-pressure.
#pragma once
#include "base/timeline.h"
#include "kernel/split_port.h"

namespace flashpath {

class TargetPort final : public Responder {
 public:
  using Serve = Delegate<Window(Payload&, Time)>;
  /// `ahead`: a request whose delay is annotated into the future is served at once, with its own moment, instead of when that
  /// comes. For timelines whose callers all annotate the same delay (then call order is order of arrival), and that have
  /// no other idea of now.
  TargetPort(const char* name, Agenda& agenda, Serve serve, bool ahead = false);
  ~TargetPort();
  TargetPort(const TargetPort&) = delete;
  TargetPort& operator=(const TargetPort&) = delete;

  Reply request(Payload& payload, Time& at, Requester& from) override;
  Time loose(Payload& payload, Time at) override { return serve_(payload, at).done; }

  tlm_utils::simple_target_socket<TargetPort> socket;

 private:
  Reply begin(Payload& payload, Time& at);
  void b_transport(Payload& payload, sc_core::sc_time& delay);
  tlm::tlm_sync_enum nb_transport_fw(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  void arrived_later(Time now, std::uint64_t payload);
  void respond(Time now, std::uint64_t payload);
  void end_response(Time now, std::uint64_t payload);
  void send_responses(Time now);

  Agenda& agenda_;
  Serve serve_;
  bool ahead_;
  std::deque<Payload*> finished_;
  Requester* direct_ = nullptr;  // the initiator, if it is a port of ours
  Payload* responding_ = nullptr;
};

}  // namespace flashpath

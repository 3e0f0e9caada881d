// SPDX-License-Identifier: Apache-2.0
#include "kernel/initiator_port.h"

#include "kernel/sc_time.h"

namespace flashpath {
namespace {
std::uint64_t as_arg(Payload& p) { return reinterpret_cast<std::uint64_t>(&p); }
Payload& as_payload(std::uint64_t arg) { return *reinterpret_cast<Payload*>(arg); }
}  // namespace

InitiatorPort::InitiatorPort(const char* name, Agenda& agenda, Event responded, Event accepted, Ahead ahead)
    : socket{name}, agenda_{agenda}, responded_{responded}, accepted_{accepted}, ahead_{ahead} {
  socket.register_nb_transport_bw(this, &InitiatorPort::nb_transport_bw);
}

void InitiatorPort::queue_up(Payload& payload, Time now, Time when) {
  queue_.push_back({&payload, when});
  if (requesting_ == nullptr && !going_on_) {
    going_on_ = true;
    agenda_.post<&InitiatorPort::go_on>(std::max(free_at_, now), this, 0, 0, Priority::release);
  }
}

/// An END_REQ announced ahead has come.
void InitiatorPort::go_on(Time now) {
  going_on_ = false;
  if (requesting_ != nullptr || queue_.empty()) return;
  const Waiting next = queue_.front();
  queue_.pop_front();
  issue(*next.payload, now, std::max(now, next.when));
  if (requesting_ == nullptr && !queue_.empty() && !going_on_) {
    going_on_ = true;
    agenda_.post<&InitiatorPort::go_on>(std::max(free_at_, now), this, 0, 0, Priority::release);
  }
}

/// Looked for once everything is bound.
void InitiatorPort::seek_peer() {
  sought_ = true;
  direct_ = Responder::behind(socket.operator->());
}

Time InitiatorPort::call(Payload& payload, Time at) {
  if (Responder* const target = peer()) return target->loose(payload, at);
  sc_core::sc_time delay = to_sc(at - kernel_now());
  socket->b_transport(payload, delay);
  return kernel_now() + from_sc(delay);
}

/// BEGIN_REQ at `at`; it becomes the moment of what the target says to it.
inline Responder::Reply InitiatorPort::begin(Payload& payload, Time& at) {
  if (Responder* const target = peer()) return target->request(payload, at, *this);
  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time delay = to_sc(at - kernel_now());
  const auto status = socket->nb_transport_fw(payload, phase, delay);
  if (status == tlm::TLM_ACCEPTED) return Responder::Reply::later;
  at = kernel_now() + from_sc(delay);
  return status == tlm::TLM_UPDATED && phase == tlm::END_REQ ? Responder::Reply::taken : Responder::Reply::completed;
}

/// Called for the request whose phase it is.
inline void InitiatorPort::end_request(Payload& payload, Time now) {
  requesting_ = nullptr;
  if (accepted_) accepted_(payload, now);
  if (requesting_ == nullptr && !queue_.empty() && !going_on_) go_on(now);
}

void InitiatorPort::request_ended(Time now, std::uint64_t arg) {
  Payload& payload = as_payload(arg);
  if (requesting_ == &payload) end_request(payload, now);  // else the response came first and ended the request phase
}

void InitiatorPort::response_arrived(Time now, std::uint64_t arg) {
  Payload& payload = as_payload(arg);
  if (requesting_ == &payload) end_request(payload, now);  // BEGIN_RESP implies END_REQ, for its own request only
  --unanswered_;
  responded_(payload, now);
}

void InitiatorPort::issue(Payload& payload, Time now, Time when) {
  requesting_ = &payload;
  Time at = when;
  switch (begin(payload, at)) {
    case Responder::Reply::later: return;
    case Responder::Reply::taken:
      if (at > now && ahead_.accepted) {
        requesting_ = nullptr;
        free_at_ = at;
        if (accepted_) accepted_(payload, at);
      } else if (at > now) {
        agenda_.post<&InitiatorPort::request_ended>(at, this, as_arg(payload), 0, Priority::release);
      } else {
        request_ended(at, as_arg(payload));
      }
      return;
    case Responder::Reply::completed:  // ends the request phase too, where it began
      if (when > now && ahead_.accepted) {
        requesting_ = nullptr;
        free_at_ = when;
        if (accepted_) accepted_(payload, when);
      } else if (when <= now) {
        request_ended(now, as_arg(payload));
      }
      response(payload, at);
  }
}

void InitiatorPort::request_taken(Payload& payload, Time at) {
  if (at > agenda_.now()) agenda_.post<&InitiatorPort::request_ended>(at, this, as_arg(payload), 0, Priority::release);
  else request_ended(at, as_arg(payload));
}

void InitiatorPort::response(Payload& payload, Time at) {
  if (at > agenda_.now() && !(payload.is_read() ? ahead_.read_responses : ahead_.write_responses)) {
    agenda_.post<&InitiatorPort::response_arrived>(at, this, as_arg(payload));
  } else {
    response_arrived(at, as_arg(payload));
  }
}

tlm::tlm_sync_enum InitiatorPort::nb_transport_bw(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  const Time at = kernel_now() + from_sc(delay);
  if (phase == tlm::END_REQ) {
    request_taken(payload, at);
    return tlm::TLM_ACCEPTED;
  }
  response(payload, at);
  phase = tlm::END_RESP;
  return tlm::TLM_COMPLETED;
}

}  // namespace flashpath

// SPDX-License-Identifier: Apache-2.0
#include "kernel/target_port.h"

#include "base/error.h"
#include "kernel/sc_time.h"

namespace flashpath {
namespace {
std::uint64_t as_arg(Payload& p) { return reinterpret_cast<std::uint64_t>(&p); }
Payload& as_payload(std::uint64_t arg) { return *reinterpret_cast<Payload*>(arg); }
}  // namespace

TargetPort::TargetPort(const char* name, Agenda& agenda, Serve serve, bool ahead)
    : socket{name}, agenda_{agenda}, serve_{serve}, ahead_{ahead} {
  socket.register_b_transport(this, &TargetPort::b_transport);
  socket.register_nb_transport_fw(this, &TargetPort::nb_transport_fw);
  Responder::offer(socket, this);
}

TargetPort::~TargetPort() { Responder::offer(socket, nullptr); }

void TargetPort::b_transport(Payload& payload, sc_core::sc_time& delay) {
  const Window window = serve_(payload, kernel_now() + from_sc(delay));
  delay = to_sc(window.done - kernel_now());
}

/// BEGIN_REQ. `at` becomes the moment of END_REQ, or of the response if all of it is known.
inline Responder::Reply TargetPort::begin(Payload& payload, Time& at) {
  if (at > agenda_.now() && !ahead_) {
    agenda_.post<&TargetPort::arrived_later>(at, this, as_arg(payload));
    return Reply::later;
  }
  const Window window = serve_(payload, at);
  if (payload.is_write() && window.accepted <= at) {  // nobody waits for bytes: no event for an answer
    at = window.done;
    return Reply::completed;
  }
  agenda_.post<&TargetPort::respond>(window.done, this, as_arg(payload));
  at = std::max(window.accepted, at);
  return Reply::taken;
}

Responder::Reply TargetPort::request(Payload& payload, Time& at, Requester& from) {
  direct_ = &from;
  return begin(payload, at);
}

tlm::tlm_sync_enum TargetPort::nb_transport_fw(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  Time at = kernel_now() + from_sc(delay);
  if (phase == tlm::BEGIN_REQ) {
    payload.acquire();
    const Reply reply = begin(payload, at);
    if (reply == Reply::later) return tlm::TLM_ACCEPTED;
    delay = to_sc(at - kernel_now());
    if (reply == Reply::completed) {
      payload.release();
      return tlm::TLM_COMPLETED;
    }
    phase = tlm::END_REQ;
    return tlm::TLM_UPDATED;
  }
  if (phase == tlm::END_RESP) {
    if (at > agenda_.now()) agenda_.post<&TargetPort::end_response>(at, this, as_arg(payload));
    else end_response(at, as_arg(payload));
  }
  return tlm::TLM_ACCEPTED;
}

void TargetPort::arrived_later(Time now, std::uint64_t arg) {
  Payload& payload = as_payload(arg);
  const Window window = serve_(payload, now);
  agenda_.post<&TargetPort::respond>(window.done, this, arg);
  if (direct_ != nullptr) {
    direct_->request_taken(payload, std::max(window.accepted, now));
    return;
  }
  tlm::tlm_phase phase = tlm::END_REQ;
  sc_core::sc_time delay = to_sc(std::max(window.accepted, now) - kernel_now());
  socket->nb_transport_bw(payload, phase, delay);
}

void TargetPort::respond(Time now, std::uint64_t payload) {
  if (direct_ != nullptr) {
    direct_->response(as_payload(payload), now);
    return;
  }
  finished_.push_back(&as_payload(payload));
  if (responding_ == nullptr) send_responses(now);
}

void TargetPort::send_responses(Time now) {
  while (!finished_.empty() && responding_ == nullptr) {
    Payload& payload = *finished_.front();
    finished_.pop_front();
    responding_ = &payload;
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay = to_sc(now - kernel_now());
    const auto status = socket->nb_transport_bw(payload, phase, delay);
    if (status == tlm::TLM_ACCEPTED) return;
    const Time ended = kernel_now() + from_sc(delay);
    if (ended > now) {
      agenda_.post<&TargetPort::end_response>(ended, this, as_arg(payload));
      return;
    }
    responding_ = nullptr;
    payload.release();
  }
}

void TargetPort::end_response(Time now, std::uint64_t payload) {
  invariant(responding_ == &as_payload(payload), "END_RESP for a response that was not sent", socket.name(), now);
  responding_ = nullptr;
  as_payload(payload).release();
  send_responses(now);
}

}  // namespace flashpath

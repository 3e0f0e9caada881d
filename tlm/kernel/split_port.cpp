// SPDX-License-Identifier: Apache-2.0
#include "kernel/split_port.h"

#include "base/error.h"
#include "kernel/sc_time.h"

namespace flashpath {
namespace {
std::uint64_t as_arg(Payload& p) { return reinterpret_cast<std::uint64_t>(&p); }
Payload& as_payload(std::uint64_t arg) { return *reinterpret_cast<Payload*>(arg); }
}  // namespace

SplitPort::SplitPort(const char* name, Agenda& agenda, Arrived arrived, Loose loose, bool ahead)
    : socket{name}, agenda_{agenda}, arrived_{arrived}, loose_{loose}, ahead_{ahead} {
  socket.register_b_transport(this, &SplitPort::b_transport);
  socket.register_nb_transport_fw(this, &SplitPort::nb_transport_fw);
  Responder::offer(socket, this);
}

SplitPort::~SplitPort() { Responder::offer(socket, nullptr); }

void SplitPort::b_transport(Payload& payload, sc_core::sc_time& delay) {
  if (loose_) {
    delay = to_sc(loose_(payload, kernel_now() + from_sc(delay)) - kernel_now());
    return;
  }
  const Time arrival = kernel_now() + from_sc(delay);
  delay = sc_core::SC_ZERO_TIME;
  auto& responded = *blocked_.emplace(&payload, std::make_unique<sc_core::sc_event>()).first->second;
  agenda_.post<&SplitPort::arrived_later>(arrival, this, as_arg(payload));
  sc_core::wait(responded);
  const Time done = blocked_done_[&payload];
  blocked_.erase(&payload);
  blocked_done_.erase(&payload);
  if (done > kernel_now()) delay = to_sc(done - kernel_now());
}

Time SplitPort::loose(Payload& payload, Time at) {
  if (loose_) return loose_(payload, at);
  sc_core::sc_time delay = to_sc(at - kernel_now());
  b_transport(payload, delay);
  return kernel_now() + from_sc(delay);
}

/// BEGIN_REQ. `at` becomes the moment of the response if that is known already.
inline Responder::Reply SplitPort::begin(Payload& payload, Time& at) {
  if (at > agenda_.now() && !ahead_) {  // annotated into the future, or the agenda has been idle: arrive at the right moment
    agenda_.post<&SplitPort::arrived_later>(at, this, as_arg(payload));
    return Reply::later;
  }
  Inside call{.payload = &payload, .outer = inside_};
  inside_ = &call;
  arrived_(payload, at);
  inside_ = call.outer;
  if (call.responded == never) return call.accepted ? Reply::taken : Reply::later;
  at = call.responded;
  return Reply::completed;
}

Responder::Reply SplitPort::request(Payload& payload, Time& at, Requester& from) {
  direct_ = &from;
  return begin(payload, at);
}

tlm::tlm_sync_enum SplitPort::nb_transport_fw(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  Time at = kernel_now() + from_sc(delay);
  if (phase == tlm::BEGIN_REQ) {
    payload.acquire();
    switch (begin(payload, at)) {
      case Reply::later: return tlm::TLM_ACCEPTED;
      case Reply::taken: phase = tlm::END_REQ; return tlm::TLM_UPDATED;
      case Reply::completed:
        delay = to_sc(at - kernel_now());
        payload.release();
        return tlm::TLM_COMPLETED;
    }
  }
  if (phase == tlm::END_RESP) {
    if (at > agenda_.now()) agenda_.post<&SplitPort::end_response>(at, this, as_arg(payload));
    else end_response(at, as_arg(payload));
  }
  return tlm::TLM_ACCEPTED;
}

void SplitPort::arrived_later(Time now, std::uint64_t payload) { arrived_(as_payload(payload), now); }

void SplitPort::accept_later(Payload& payload, Time now) {
  if (!blocked_.empty() && blocked_.contains(&payload)) return;
  if (direct_ != nullptr) {
    direct_->request_taken(payload, now);
    return;
  }
  tlm::tlm_phase phase = tlm::END_REQ;
  sc_core::sc_time delay = to_sc(now - kernel_now());
  socket->nb_transport_bw(payload, phase, delay);
}

void SplitPort::respond_later(Payload& payload, Time now) {
  if (!blocked_.empty()) {
    if (const auto caller = blocked_.find(&payload); caller != blocked_.end()) {
      blocked_done_[&payload] = now;
      caller->second->notify(to_sc(now - kernel_now()));
      return;
    }
  }
  if (direct_ != nullptr) {
    direct_->response(payload, now);
    return;
  }
  finished_.push_back(&payload);
  if (responding_ == nullptr) send_responses(now);
}

/// One response on the socket at a time (the base protocol's response exclusion rule).
void SplitPort::send_responses(Time now) {
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
      agenda_.post<&SplitPort::end_response>(ended, this, as_arg(payload));
      return;
    }
    responding_ = nullptr;
    payload.release();
  }
}

void SplitPort::end_response(Time now, std::uint64_t payload) {
  invariant(responding_ == &as_payload(payload), "END_RESP for a response that was not sent", socket.name(), now);
  responding_ = nullptr;
  as_payload(payload).release();
  send_responses(now);
}

}  // namespace flashpath

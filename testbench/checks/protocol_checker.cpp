// SPDX-License-Identifier: Apache-2.0
#include "checks/protocol_checker.h"

#include "kernel/sc_time.h"

namespace flashpath::checks {

ProtocolChecker::ProtocolChecker(const sc_core::sc_module_name& name) : sc_module{name} {
  in.register_nb_transport_fw(this, &ProtocolChecker::forward);
  in.register_b_transport(this, &ProtocolChecker::blocking);
  out.register_nb_transport_bw(this, &ProtocolChecker::backward);
}

void ProtocolChecker::complain(const std::string& what, Time at) {
  if (violations_.size() < 100)
    violations_.push_back(std::string(name()) + " at " + std::to_string(at.time_since_epoch().count()) + " ps: " + what);
}

void ProtocolChecker::inspect(const Payload& payload, Time at) {
  if (payload.get_data_ptr() == nullptr) complain("payload: no data pointer", at);
  if (payload.get_data_length() == 0) complain("payload: length is zero", at);
  if (payload.get_streaming_width() == 0) complain("payload: streaming width is zero", at);
  if (payload.get_response_status() != tlm::TLM_INCOMPLETE_RESPONSE) complain("status: not INCOMPLETE at the request", at);
}

void ProtocolChecker::request(Payload& payload, Time at) {
  ++transactions_;
  tell(payload, at, false);
  inspect(payload, at);
  if (!payload.has_mm()) complain("payload: no memory manager in nb_transport", at);
  if (open_.contains(&payload)) complain("order: BEGIN_REQ of a transaction that is still open", at);
  if (requesting_ != nullptr) complain("request: BEGIN_REQ while another request phase is open", at);
  if (at < request_free_) complain("request: BEGIN_REQ before the END_REQ of the request before it", at);
  requesting_ = &payload;
  open_[&payload] = {State::begin_req, at, payload.get_command(), payload.get_data_length(), payload.get_data_ptr()};
}

void ProtocolChecker::end_request(Payload& payload, Time at) {
  const auto it = open_.find(&payload);
  if (it == open_.end() || it->second.state != State::begin_req) {
    complain("order: END_REQ without an open BEGIN_REQ", at);
    return;
  }
  if (at < it->second.last) complain("time: END_REQ before its BEGIN_REQ", at);
  it->second.state = State::end_req;
  it->second.last = at;
  requesting_ = nullptr;
  request_free_ = at;
}

void ProtocolChecker::response(Payload& payload, Time at) {
  tell(payload, at, true);
  const auto it = open_.find(&payload);
  if (it == open_.end() || it->second.state == State::begin_resp) {
    complain("order: BEGIN_RESP without an open request", at);
    return;
  }
  Open& open = it->second;
  if (open.state == State::begin_req) {
    requesting_ = nullptr;
    request_free_ = at;
  }
  if (at < open.last) complain("time: BEGIN_RESP before the phase before it", at);
  if (responding_ != nullptr) complain("response: BEGIN_RESP while another response phase is open", at);
  if (at < response_free_) complain("response: BEGIN_RESP before the END_RESP of the response before it", at);
  if (payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE) complain("status: still INCOMPLETE at the response", at);
  if (open.command != payload.get_command()) complain("unchanged: the command was changed", at);
  if (open.length != payload.get_data_length()) complain("unchanged: the length was changed", at);
  if (open.data != payload.get_data_ptr()) complain("unchanged: the data pointer was changed", at);
  open.state = State::begin_resp;
  open.last = at;
  responding_ = &payload;
}

/// Early completion: no phase but BEGIN_REQ is on the socket, so the exclusion rules see a request that ended where it began.
void ProtocolChecker::completed(Payload& payload, Time begun, Time at) {
  tell(payload, at, true);
  const auto it = open_.find(&payload);
  if (it == open_.end() || it->second.state != State::begin_req) {
    complain("order: TLM_COMPLETED without an open BEGIN_REQ", at);
    return;
  }
  const Open open = it->second;
  open_.erase(it);
  requesting_ = nullptr;
  request_free_ = begun;
  if (at < begun) complain("time: completed before its BEGIN_REQ", at);
  if (payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE) complain("status: still INCOMPLETE at the response", at);
  if (open.command != payload.get_command()) complain("unchanged: the command was changed", at);
  if (open.length != payload.get_data_length()) complain("unchanged: the length was changed", at);
  if (open.data != payload.get_data_ptr()) complain("unchanged: the data pointer was changed", at);
}

void ProtocolChecker::end_response(Payload& payload, Time at) {
  const auto it = open_.find(&payload);
  if (it == open_.end() || it->second.state != State::begin_resp) {
    complain("order: END_RESP without an open BEGIN_RESP", at);
    return;
  }
  if (at < it->second.last) complain("time: END_RESP before its BEGIN_RESP", at);
  open_.erase(it);
  responding_ = nullptr;
  response_free_ = at;
}

tlm::tlm_sync_enum ProtocolChecker::forward(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  const tlm::tlm_phase sent = phase;
  const Time at = kernel_now() + from_sc(delay);
  if (sent == tlm::BEGIN_REQ) request(payload, at);
  else if (sent == tlm::END_RESP) end_response(payload, at);
  else complain("order: a phase that does not travel forward", at);
  const auto status = out->nb_transport_fw(payload, phase, delay);
  const Time then = kernel_now() + from_sc(delay);
  if (sent == tlm::BEGIN_REQ) {
    if (status == tlm::TLM_UPDATED && phase == tlm::END_REQ) {
      end_request(payload, then);
    } else if (status == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP) {
      response(payload, then);
    } else if (status == tlm::TLM_COMPLETED) {
      completed(payload, at, then);
    } else if (status == tlm::TLM_UPDATED) {
      complain("order: BEGIN_REQ answered with a wrong phase", then);
    }
  }
  return status;
}

tlm::tlm_sync_enum ProtocolChecker::backward(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  const tlm::tlm_phase sent = phase;
  const Time at = kernel_now() + from_sc(delay);
  if (sent == tlm::END_REQ) end_request(payload, at);
  else if (sent == tlm::BEGIN_RESP) response(payload, at);
  else complain("order: a phase that does not travel backward", at);
  const auto status = in->nb_transport_bw(payload, phase, delay);
  if (sent == tlm::BEGIN_RESP && (status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::END_RESP))) {
    end_response(payload, kernel_now() + from_sc(delay));
  }
  return status;
}

void ProtocolChecker::blocking(Payload& payload, sc_core::sc_time& delay) {
  const Time at = kernel_now() + from_sc(delay);
  ++transactions_;
  inspect(payload, at);
  tell(payload, at, false);
  out->b_transport(payload, delay);
  tell(payload, kernel_now() + from_sc(delay), true);
  if (payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE) complain("status: still INCOMPLETE after b_transport", at);
  if (kernel_now() + from_sc(delay) < at) complain("time: b_transport returned before it was called", at);
}

void ProtocolChecker::finish() {
  for (const auto& [payload, open] : open_) {
    complain(std::string("finished: a transaction was left open after ") + (open.state == State::begin_req ? "BEGIN_REQ"
                                                                            : open.state == State::end_req ? "END_REQ"
                                                                                                           : "BEGIN_RESP"),
             open.last);
  }
  open_.clear();
}

}  // namespace flashpath::checks

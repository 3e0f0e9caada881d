// SPDX-License-Identifier: Apache-2.0
// A TLM-2.0 base-protocol checker that sits between an initiator socket and a target socket and passes
// everything on unchanged. References: IEEE 1666-2011, 14.1 (generic payload) and 15.2 (base protocol).
//
// Rules, each tested by a violation on purpose (testbench/tests/parts/protocol_checker_test.cpp):
//   order        BEGIN_REQ, END_REQ, BEGIN_RESP, END_RESP per transaction, BEGIN_RESP implying END_REQ   15.2.4
//   request      no BEGIN_REQ while another request phase is open on this socket                         15.2.6
//   response     no BEGIN_RESP while another response phase is open on this socket                       15.2.6
//   time         phases of one transaction never go back in time                                         15.2.7
//   payload      a data pointer, length > 0, streaming width > 0; a memory manager for nb_transport      14.7, 14.5
//   status       INCOMPLETE at the request, something else at the response                               14.17
//   unchanged    command, length and data pointer stay as sent until the response                        14.7
//   finished     no transaction left open at the end (asked by finish())
// Delays are annotated: the moment of a phase is the kernel's time plus the delay.
#pragma once
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "kernel/transfer.h"

namespace flashpath::checks {

class ProtocolChecker : public sc_core::sc_module {
 public:
  explicit ProtocolChecker(const sc_core::sc_module_name& name);
  tlm_utils::simple_target_socket<ProtocolChecker> in{"in"};
  tlm_utils::simple_initiator_socket<ProtocolChecker> out{"out"};

  /// Everything seen that the protocol forbids.
  const std::vector<std::string>& violations() const { return violations_; }
  /// To be asked when the simulation has drained: open transactions are violations too.
  void finish();
  std::uint64_t transactions() const { return transactions_; }
  /// Who else wants to see requests (BEGIN_REQ) and responses (BEGIN_RESP, or what stands for it), with their moments.
  using Observer = std::function<void(const Payload& payload, Time at, bool response)>;
  void observe(Observer observer) { observers_.push_back(std::move(observer)); }

 private:
  enum class State : std::uint8_t { begin_req, end_req, begin_resp };
  struct Open {
    State state;
    Time last;
    tlm::tlm_command command;
    unsigned length;
    const unsigned char* data;
  };
  tlm::tlm_sync_enum forward(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  tlm::tlm_sync_enum backward(Payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  void blocking(Payload& payload, sc_core::sc_time& delay);
  void request(Payload& payload, Time at);
  void end_request(Payload& payload, Time at);
  void response(Payload& payload, Time at);
  void end_response(Payload& payload, Time at);
  void completed(Payload& payload, Time begun, Time at);
  void tell(const Payload& payload, Time at, bool is_response) const {
    for (const Observer& o : observers_) o(payload, at, is_response);
  }
  void complain(const std::string& what, Time at);
  void inspect(const Payload& payload, Time at);

  std::map<const Payload*, Open> open_;
  const Payload* requesting_ = nullptr;
  const Payload* responding_ = nullptr;
  Time request_free_{};  // when the last request phase ended: it may be annotated into the future
  Time response_free_{};
  std::vector<std::string> violations_;
  std::uint64_t transactions_ = 0;
  std::vector<Observer> observers_;
};

}  // namespace flashpath::checks

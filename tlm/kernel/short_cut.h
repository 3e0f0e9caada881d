// SPDX-License-Identifier: Apache-2.0
// A short cut between two of our ports that are bound to each other with nothing in between.
//
// They say the same to each other as over the TLM-2.0 interface (BEGIN_REQ, END_REQ, BEGIN_RESP, TLM_COMPLETED, b_transport), in the
// same order and with the same moments, but in our own time and without the sockets' wrappers: a third of the cost of a hop.
// Whatever stands in between (a checker, an RTL wrapper, somebody else's module) is seen at the first request, and TLM is spoken.
// The result does not depend on it (tested: platform tests run with and without).
//
// Where a payload only wraps plain data that both ends know (an FTL's read, a flash operation), and the target accepts every request
// at once, the data itself is handed over: no payload, no copies (Taker, Asker).
#pragma once
#include "base/units.h"
#include "kernel/transfer.h"

namespace flashpath {

/// The initiator's side: hears of its requests.
class Requester {
 public:
  virtual void request_taken(Payload& payload, Time at) = 0;  ///< END_REQ
  virtual void response(Payload& payload, Time at) = 0;       ///< BEGIN_RESP; it has ended when this returns

 protected:
  ~Requester() = default;
};

/// The target's side, for requests of a type that it accepts at once, always.
template <class Request>
class Taker {
 public:
  /// As BEGIN_REQ and END_REQ at `now`, the agenda's. False: not like this, send a payload.
  virtual bool take(Request& request, Time now) = 0;

 protected:
  ~Taker() = default;
};

/// The initiator's side of that.
template <class Request>
class Asker {
 public:
  virtual void reply(Request& request, Time now) = 0;  ///< as BEGIN_RESP; the answer is in the request

 protected:
  ~Asker() = default;
};

/// The target's side.
class Responder {
 public:
  enum class Reply : std::uint8_t { later, taken, completed };
  /// BEGIN_REQ at `at`; taken: END_REQ at `at`; completed: the response is there at the new `at`.
  virtual Reply request(Payload& payload, Time& at, Requester& from) = 0;
  /// b_transport at `at`: when it is done.
  virtual Time loose(Payload& payload, Time at) = 0;
  /// A Taker of requests of this type whose answers go to `asker`, an Asker of the same; nullptr: there is none.
  virtual void* taker(const std::type_info& /*request*/, void* /*asker*/) { return nullptr; }

  static inline bool enabled = true;  ///< false: every port speaks TLM (for tests)
  /// Called by a port that offers itself behind its socket's interface, and when it goes (nullptr).
  static void offer(sc_core::sc_export<tlm::tlm_fw_transport_if<>>& socket, Responder* responder);
  /// Who is behind the interface; nullptr: somebody else.
  static Responder* behind(const void* interface);

 protected:
  ~Responder() = default;
};

}  // namespace flashpath

// SPDX-License-Identifier: Apache-2.0
// Each rule of the protocol checker, broken once on purpose: a checker that cannot complain proves nothing.
#include <functional>

#include "kernel/sc_time.h"
#include "support/sc_fixture.h"

namespace flashpath {
namespace {

/// An initiator and a target that do exactly what the test tells them.
struct Puppet : sc_core::sc_module {
  SC_HAS_PROCESS(Puppet);
  using Body = std::function<void(Puppet&)>;
  Puppet(const sc_core::sc_module_name& name, Body b) : sc_module{name}, body{std::move(b)} {
    out.register_nb_transport_bw(this, &Puppet::ignore);
    in.register_nb_transport_fw(this, &Puppet::ignore);
    in.register_b_transport(this, &Puppet::nothing);
    SC_THREAD(run);
  }
  void run() { body(*this); }
  tlm::tlm_sync_enum ignore(Payload&, tlm::tlm_phase&, sc_core::sc_time&) { return tlm::TLM_ACCEPTED; }
  void nothing(Payload&, sc_core::sc_time&) {}
  Payload& make() {
    Payload& p = pool.take(tlm::TLM_WRITE_COMMAND, 0, 64_B);
    return p;
  }
  void forward(Payload& p, tlm::tlm_phase phase, Duration delay = {}) {
    sc_core::sc_time d = to_sc(delay);
    out->nb_transport_fw(p, phase, d);
  }
  void backward(Payload& p, tlm::tlm_phase phase, Duration delay = {}) {
    if (phase == tlm::BEGIN_RESP && ok) p.set_response_status(tlm::TLM_OK_RESPONSE);
    sc_core::sc_time d = to_sc(delay);
    in->nb_transport_bw(p, phase, d);
  }
  Body body;
  bool ok = true;
  PayloadPool<> pool;
  tlm_utils::simple_initiator_socket<Puppet> out{"out"};
  tlm_utils::simple_target_socket<Puppet> in{"in"};
};

void expect_violation(const std::string& rule, Puppet::Body body, bool finish = false) {
  test::Bench bench;
  Puppet puppet{"puppet", std::move(body)};
  checks::ProtocolChecker checker{"checker"};
  puppet.out.bind(checker.in);
  checker.out.bind(puppet.in);
  bench.run(Time{} + 1ms);
  if (finish) checker.finish();
  if (rule.empty()) {
    for (const auto& v : checker.violations()) ADD_FAILURE() << v;
    return;
  }
  ASSERT_FALSE(checker.violations().empty()) << "the broken rule was not noticed: " << rule;
  EXPECT_NE(checker.violations().front().find(rule), std::string::npos) << checker.violations().front();
}

TEST(ProtocolChecker, CleanTrafficIsClean) {
  expect_violation(
      "",
      [](Puppet& p) {
        Payload& a = p.make();
        p.forward(a, tlm::BEGIN_REQ);
        p.backward(a, tlm::END_REQ);
        p.backward(a, tlm::BEGIN_RESP, 5ns);
        p.forward(a, tlm::END_RESP, 6ns);
      },
      true);
}
TEST(ProtocolChecker, SecondRequestWhileOneIsOpen) {
  expect_violation("request:", [](Puppet& p) {
    p.forward(p.make(), tlm::BEGIN_REQ);
    p.forward(p.make(), tlm::BEGIN_REQ);
  });
}
TEST(ProtocolChecker, RequestBeforeAnAnnotatedEndOfRequest) {
  expect_violation("request:", [](Puppet& p) {
    Payload& a = p.make();
    p.forward(a, tlm::BEGIN_REQ);
    p.backward(a, tlm::END_REQ, 10ns);
    p.forward(p.make(), tlm::BEGIN_REQ, 10ns - 1_ps);
  });
}
TEST(ProtocolChecker, SecondResponseWhileOneIsOpen) {
  expect_violation("response:", [](Puppet& p) {
    Payload &a = p.make(), &b = p.make();
    for (Payload* x : {&a, &b}) {
      p.forward(*x, tlm::BEGIN_REQ);
      p.backward(*x, tlm::END_REQ);
    }
    p.backward(a, tlm::BEGIN_RESP);
    p.backward(b, tlm::BEGIN_RESP);
  });
}
TEST(ProtocolChecker, ResponseWithoutARequest) {
  expect_violation("order:", [](Puppet& p) { p.backward(p.make(), tlm::BEGIN_RESP); });
}
TEST(ProtocolChecker, TimeRunsBackwards) {
  expect_violation("time:", [](Puppet& p) {
    Payload& a = p.make();
    p.forward(a, tlm::BEGIN_REQ, 10ns);
    p.backward(a, tlm::BEGIN_RESP, 10ns - 1_ps);
  });
}
TEST(ProtocolChecker, ResponseWithoutAStatus) {
  expect_violation("status:", [](Puppet& p) {
    p.ok = false;
    Payload& a = p.make();
    p.forward(a, tlm::BEGIN_REQ);
    p.backward(a, tlm::BEGIN_RESP);
  });
}
TEST(ProtocolChecker, LengthChangedUnderway) {
  expect_violation("unchanged:", [](Puppet& p) {
    Payload& a = p.make();
    p.forward(a, tlm::BEGIN_REQ);
    a.set_data_length(32);
    p.backward(a, tlm::BEGIN_RESP);
  });
}
TEST(ProtocolChecker, NoDataPointer) {
  expect_violation("payload:", [](Puppet& p) {
    Payload& a = p.make();
    a.set_data_ptr(nullptr);
    p.forward(a, tlm::BEGIN_REQ);
  });
}
TEST(ProtocolChecker, LeftOpenAtTheEnd) {
  expect_violation(
      "finished:",
      [](Puppet& p) {
        Payload& a = p.make();
        p.forward(a, tlm::BEGIN_REQ);
        p.backward(a, tlm::END_REQ);
      },
      true);
}

}  // namespace
}  // namespace flashpath

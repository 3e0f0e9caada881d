// SPDX-License-Identifier: Apache-2.0
// Every port, in either coding style, alone and 64 deep, gives the closed form to the picosecond.
#include <tlm_utils/peq_with_get.h>

#include "kernel/initiator_port.h"
#include "kernel/sc_time.h"
#include "kernel/target_port.h"
#include "support/sc_fixture.h"

namespace flashpath {
namespace {

/// 64 GB/s, 64 ns deep, behind a TargetPort.
struct Timeline : sc_core::sc_module {
  Timeline(const sc_core::sc_module_name& name, Agenda& agenda)
      : sc_module{name}, port{"in", agenda, TargetPort::Serve::to<&Timeline::serve>(this)} {}
  Window serve(Payload& p, Time at) {
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    return pipe.serve(at, size_of(p));
  }
  Pipe pipe{64_GBps, 64ns};
  TargetPort port;
};

/// The same pipe behind a SplitPort: it accepts when the pipe starts and responds when it is done.
struct Scheduled : sc_core::sc_module {
  Scheduled(const sc_core::sc_module_name& name, Agenda& a)
      : sc_module{name}, agenda{a}, port{"in", a, SplitPort::Arrived::to<&Scheduled::arrived>(this)} {}
  void arrived(Payload& p, Time at) {
    const Window w = pipe.serve(at, size_of(p));
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    if (w.accepted == at) port.accept(p, at);
    else agenda.post<&Scheduled::take>(w.accepted, this, reinterpret_cast<std::uint64_t>(&p));
    agenda.post<&Scheduled::finish>(w.done, this, reinterpret_cast<std::uint64_t>(&p));
  }
  void take(Time now, std::uint64_t p) { port.accept(*reinterpret_cast<Payload*>(p), now); }
  void finish(Time now, std::uint64_t p) { port.respond(*reinterpret_cast<Payload*>(p), now); }
  Agenda& agenda;
  Pipe pipe{64_GBps, 64ns};
  SplitPort port;
};

/// Sends n writes through an InitiatorPort.
struct Sender : sc_core::sc_module {
  Sender(const sc_core::sc_module_name& name, Agenda& a, int n)
      : sc_module{name},
        port{"out", a, InitiatorPort::Event::to<&Sender::responded>(this), InitiatorPort::Event::to<&Sender::accepted>(this)},
        left{n} {
    a.post<&Sender::start>(Time{}, this);
  }
  void start(Time now) {
    for (; left > 0; --left) port.send(pool.take(tlm::TLM_WRITE_COMMAND, 0, 4_KiB), now);
  }
  void accepted(Payload&, Time now) { last_accepted = now; }
  void responded(Payload& p, Time now) {
    EXPECT_TRUE(p.is_response_ok());
    ++done;
    last = now;
    p.release();
  }
  PayloadPool<> pool;
  InitiatorPort port;
  int left;
  int done = 0;
  Time last{}, last_accepted{};
};

/// An outsider in the classic styles: b_transport from a thread, or four phases with a slow END_RESP.
struct Outsider : sc_core::sc_module {
  SC_HAS_PROCESS(Outsider);
  Outsider(const sc_core::sc_module_name& name, int n, bool blocking, bool slow) : sc_module{name}, n{n}, blocking{blocking}, slow{slow} {
    socket.register_nb_transport_bw(this, &Outsider::backward);
    SC_THREAD(run);
    SC_METHOD(end);
    sensitive << ends.get_event();
    dont_initialize();
  }
  void run() {
    for (int i = 0; i < n; ++i) {
      Payload& p = pool.take(slow ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND, 0, 4_KiB);  // a write may be completed early
      if (blocking) {
        sc_core::sc_time delay;
        socket->b_transport(p, delay);
        last = std::max(last, kernel_now() + from_sc(delay));
        ++done;
        p.release();
      } else {
        while (requesting != nullptr) wait(end_req);
        requesting = &p;
        tlm::tlm_phase phase = tlm::BEGIN_REQ;
        sc_core::sc_time delay;
        const auto status = socket->nb_transport_fw(p, phase, delay);
        if (status == tlm::TLM_UPDATED) {
          wait(delay);
          requesting = nullptr;
        } else if (status == tlm::TLM_COMPLETED) {
          requesting = nullptr;
          last = std::max(last, kernel_now() + from_sc(delay));
          ++done;
          p.release();
        }
      }
    }
  }
  tlm::tlm_sync_enum backward(Payload& p, tlm::tlm_phase& phase, sc_core::sc_time& delay) {
    if (phase == tlm::END_REQ) {
      end_req.notify(delay);
      requesting = nullptr;
      return tlm::TLM_ACCEPTED;
    }
    if (requesting == &p) {
      requesting = nullptr;
      end_req.notify(delay);
    }
    last = kernel_now() + from_sc(delay);
    ++done;
    if (slow) {
      ends.notify(p, delay + to_sc(100ns));
      return tlm::TLM_ACCEPTED;
    }
    phase = tlm::END_RESP;
    p.release();
    return tlm::TLM_COMPLETED;
  }
  void end() {
    while (Payload* p = ends.get_next_transaction()) {
      tlm::tlm_phase phase = tlm::END_RESP;
      sc_core::sc_time zero;
      socket->nb_transport_fw(*p, phase, zero);
      p->release();
    }
  }
  int n;
  bool blocking, slow;
  PayloadPool<> pool;
  tlm_utils::simple_initiator_socket<Outsider> socket{"socket"};
  tlm_utils::peq_with_get<Payload> ends{"ends"};
  sc_core::sc_event end_req;
  Payload* requesting = nullptr;
  int done = 0;
  Time last{};
};

constexpr Duration slot = 4_KiB / 64_GBps;

template <class Target>
void through_initiator_port(int n, Duration run_ahead) {
  test::Bench bench{run_ahead};
  Target target{"target", bench.agenda};
  Sender sender{"sender", bench.agenda, n};
  checks::ProtocolChecker checker{"checker"};
  sender.port.socket.bind(checker.in);
  checker.out.bind(target.port.socket);
  bench.run();
  EXPECT_EQ(sender.done, n);
  EXPECT_EQ(sender.last, Time{} + n * slot + 64ns);
  EXPECT_EQ(sender.last_accepted, Time{} + (n - 1) * slot) << "END_REQ says when the pipe took the request";
  EXPECT_EQ(sender.pool.outstanding(), 0U);
  test::expect_clean(checker);
}

template <class Target>
void from_outside(int n, bool blocking, bool slow, Duration expected) {
  test::Bench bench;
  Target target{"target", bench.agenda};
  Outsider outsider{"outsider", n, blocking, slow};
  checks::ProtocolChecker checker{"checker"};
  outsider.socket.bind(checker.in);
  checker.out.bind(target.port.socket);
  bench.run();
  EXPECT_EQ(outsider.done, n);
  EXPECT_EQ(outsider.last, Time{} + expected);
  EXPECT_EQ(outsider.pool.outstanding(), 0U);
  test::expect_clean(checker);
}

TEST(Ports, TimelineAlone) { through_initiator_port<Timeline>(1, 1ms); }
TEST(Ports, Timeline64Deep) { through_initiator_port<Timeline>(64, 1ms); }
TEST(Ports, Timeline64DeepLockStep) { through_initiator_port<Timeline>(64, 0ns); }
TEST(Ports, ScheduledAlone) { through_initiator_port<Scheduled>(1, 1ms); }
TEST(Ports, Scheduled64Deep) { through_initiator_port<Scheduled>(64, 1ms); }
TEST(Ports, Scheduled64DeepLockStep) { through_initiator_port<Scheduled>(64, 0ns); }

TEST(Ports, OutsiderFourPhaseTimeline64) { from_outside<Timeline>(64, false, false, 64 * slot + 64ns); }
TEST(Ports, OutsiderFourPhaseScheduled64) { from_outside<Scheduled>(64, false, false, 64 * slot + 64ns); }
TEST(Ports, OutsiderLooseTimeline64) { from_outside<Timeline>(64, true, false, 64 * slot + 64ns); }
// A thread blocks in b_transport until the response: one at a time through a scheduled part (fidelity.md).
TEST(Ports, OutsiderLooseScheduled64) { from_outside<Scheduled>(64, true, false, 64 * (slot + 64ns)); }
// An initiator slow to end its responses paces them, one per 100 ns; nothing is lost and the order stays.
TEST(Ports, SlowResponsesTimeline) { from_outside<Timeline>(64, false, true, slot + 64ns + 63 * 100ns); }
TEST(Ports, SlowResponsesScheduled) { from_outside<Scheduled>(64, false, true, slot + 64ns + 63 * 100ns); }

TEST(Ports, RunUntilStopsOnTheMomentAndGoesOn) {
  test::Bench bench;
  Timeline target{"target", bench.agenda};
  Sender sender{"sender", bench.agenda, 2};
  sender.port.socket.bind(target.port.socket);
  EXPECT_EQ(bench.run(Time{} + slot + 64ns - 1_ps), Time{} + slot + 64ns - 1_ps);
  EXPECT_EQ(sender.done, 0);
  bench.run(Time{} + slot + 64ns);
  EXPECT_EQ(sender.done, 1);
  bench.run();
  EXPECT_EQ(sender.done, 2);
}

}  // namespace
}  // namespace flashpath

// SPDX-License-Identifier: Apache-2.0
// What the tests of bus, dram, crypto and fabric share: an initiator that remembers, and a target that can stall.
#pragma once
#include <cstring>
#include <vector>

#include "kernel/initiator_port.h"
#include "kernel/sc_time.h"
#include "kernel/split_port.h"
#include "support/sc_fixture.h"

namespace flashpath::test {

struct Answer {
  Time sent{}, accepted{never}, at{never};
  Stream stream{};
  tlm::tlm_response_status status = tlm::TLM_INCOMPLETE_RESPONSE;
  std::vector<unsigned char> bytes;
};

/// Sends accesses and keeps the answers, by number.
class Initiator : public sc_core::sc_module {
 public:
  Initiator(const sc_core::sc_module_name& name, Agenda& agenda)
      : sc_module{name},
        port{"out", agenda, InitiatorPort::Event::to<&Initiator::responded>(this), InitiatorPort::Event::to<&Initiator::accepted>(this)},
        agenda_{agenda} {}

  /// At `at`; `bytes` empty: timing only. Returns its number.
  std::size_t access(tlm::tlm_command command, std::uint64_t address, Bytes size, Time at, std::vector<unsigned char> bytes = {},
                     Duration streaming = {}, std::uint16_t source = 0) {
    answers.emplace_back().sent = at;
    plans_.push_back({command, address, size, std::move(bytes), streaming, source});
    agenda_.post<&Initiator::go>(at, this, answers.size() - 1);
    return answers.size() - 1;
  }
  std::size_t write(std::uint64_t address, std::vector<unsigned char> bytes, Time at) {
    const Bytes size{bytes.size()};
    return access(tlm::TLM_WRITE_COMMAND, address, size, at, std::move(bytes));
  }
  std::size_t read(std::uint64_t address, Bytes size, Time at) {
    return access(tlm::TLM_READ_COMMAND, address, size, at, std::vector<unsigned char>(size.count));
  }
  const Answer& operator[](std::size_t i) const { return answers.at(i); }

  Master master = Master::none;
  std::vector<Answer> answers;
  std::size_t done = 0;
  PayloadPool<> pool;
  InitiatorPort port;

 private:
  struct Plan {
    tlm::tlm_command command;
    std::uint64_t address;
    Bytes size;
    std::vector<unsigned char> bytes;
    Duration streaming;
    std::uint16_t source;
  };
  void go(Time now, std::uint64_t i) {
    Plan& plan = plans_[i];
    Payload& p = pool.take(plan.command, plan.address, plan.size, plan.bytes.empty() ? nullptr : plan.bytes.data());
    Transfer& t = transfer_of(p);
    t.tag = i;
    t.hop = this;  // must still be there in the answer
    t.stream = {now, now + plan.streaming};
    t.master = master;
    t.source = plan.source;
    t.journey = Journey{now};
    port.send(p, now);
  }
  void accepted(Payload& p, Time now) { answers[transfer_of(p).tag].accepted = now; }
  void responded(Payload& p, Time now) {
    const Transfer& t = transfer_of(p);
    Answer& a = answers[t.tag];
    a.at = now;
    a.stream = t.stream;
    a.status = p.get_response_status();
    a.bytes = plans_[t.tag].bytes;
    EXPECT_EQ(t.hop, this);
    EXPECT_EQ(t.journey.sum(), t.journey.total());
    ++done;
    p.release();
  }
  Agenda& agenda_;
  std::vector<Plan> plans_;
};

/// Takes requests and answers each after `delay`; while `stalled` it takes none.
class StallingTarget : public sc_core::sc_module {
 public:
  StallingTarget(const sc_core::sc_module_name& name, Agenda& agenda)
      : sc_module{name}, port{"in", agenda, SplitPort::Arrived::to<&StallingTarget::arrived>(this)}, agenda_{agenda} {}
  void release_at(Time at) { agenda_.post<&StallingTarget::go_on>(at, this); }
  bool stalled = false;
  Duration delay = 100ns;
  std::vector<std::uint64_t> addresses;
  SplitPort port;

 private:
  void arrived(Payload& p, Time now) {
    addresses.push_back(p.get_address());
    if (stalled) waiting_.push_back(&p);
    else take(p, now);
  }
  void take(Payload& p, Time now) {
    port.accept(p, now);
    agenda_.post<&StallingTarget::answer>(now + delay, this, reinterpret_cast<std::uint64_t>(&p));
  }
  void answer(Time now, std::uint64_t arg) {
    auto& p = *reinterpret_cast<Payload*>(arg);
    p.set_response_status(tlm::TLM_OK_RESPONSE);
    transfer_of(p).stream = {now, now};
    port.respond(p, now);
  }
  void go_on(Time now) {
    stalled = false;
    auto waiting = std::move(waiting_);
    waiting_.clear();
    for (Payload* p : waiting) take(*p, now);
  }
  Agenda& agenda_;
  std::vector<Payload*> waiting_;
};

inline void expect_lawful(Part& part, Time now) {
  Laws laws;
  laws.about(part.name());
  part.check(laws, now);
  part.finish(now);
  for (const auto& broken : laws.broken()) ADD_FAILURE() << broken;
  EXPECT_GT(laws.checked(), 2U);
}

}  // namespace flashpath::test

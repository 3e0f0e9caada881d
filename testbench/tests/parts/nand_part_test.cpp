// SPDX-License-Identifier: Apache-2.0
// The array behind its socket: the same moments as the model alone, bytes, statuses, refusals, laws; both coding styles.
#include <cstring>
#include <vector>

#include "base/random.h"
#include "kernel/initiator_port.h"
#include "kernel/sc_time.h"
#include "nand/nand_part.h"
#include "support/sc_fixture.h"

namespace flashpath::nand {
namespace {

struct Client : sc_core::sc_module {
  Client(const sc_core::sc_module_name& name, Agenda& a)
      : sc_module{name}, agenda{a}, port{"out", a, InitiatorPort::Event::to<&Client::responded>(this)} {}
  struct Answer {
    std::uint64_t tag;
    Time at;
    tlm::tlm_response_status response;
    Op op;
    Stream stream;
    Duration journey;
  };
  Payload& make(const Op& op, Time at, unsigned char* data = nullptr) {
    const auto command = op.kind == OpKind::read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND;
    Payload& p = pool.take(command, 0, std::max(op.size, 1_B), data);
    FlashCommand& flash = *p.get_extension<FlashCommand>();
    flash.op = op;
    flash.op.journey = Journey{at};
    return p;
  }
  void send(Time at, Payload& p) { agenda.post<&Client::go>(at, this, reinterpret_cast<std::uint64_t>(&p)); }
  void send(Time at, const Op& op, unsigned char* data = nullptr) { send(at, make(op, at, data)); }
  void go(Time now, std::uint64_t p) { port.send(*reinterpret_cast<Payload*>(p), now); }
  void responded(Payload& p, Time now) {
    const Op& op = p.get_extension<FlashCommand>()->op;
    const Transfer& t = transfer_of(p);
    answers.push_back({op.tag, now, p.get_response_status(), op, t.stream, t.journey.total()});
    p.release();
  }
  Agenda& agenda;
  PayloadPool<FlashCommand> pool;
  InitiatorPort port;
  std::vector<Answer> answers;
};

struct Rig : test::Bench {
  explicit Rig(bool data_mode = false, Duration run_ahead = 1ms) : Bench{run_ahead, data_mode} {
    config.channels = 2;
    config.dies_per_channel = 4;
    array = std::make_unique<ModelArray>("nand", environment, config);
    client = std::make_unique<Client>("client", agenda);
    checker = std::make_unique<checks::ProtocolChecker>("checker");
    client->port.socket.bind(checker->in);
    checker->out.bind(array->in());
  }
  void finish() {
    const Time now = agenda.now();
    array->finish(now);
    Laws laws;
    array->check(laws, now);
    EXPECT_TRUE(laws.broken().empty()) << laws.broken().front();
    EXPECT_EQ(client->pool.outstanding(), 0U);
    test::expect_clean(*checker);
  }
  Config config;
  std::unique_ptr<ModelArray> array;
  std::unique_ptr<Client> client;
  std::unique_ptr<checks::ProtocolChecker> checker;
};

Op random_op(Random& random, const Geometry& g, std::uint64_t tag) {
  Op op{.die = {static_cast<std::uint16_t>(random.below(g.dies()))},
        .block = {static_cast<std::uint32_t>(random.below(g.blocks()))},
        .page = {static_cast<std::uint32_t>(random.below(g.pages()))},
        .plane = static_cast<std::uint8_t>(random.below(g.planes())),
        .size = 4_KiB,
        .tag = tag};
  const std::uint64_t dice = random.below(20);
  if (dice == 0) op.kind = OpKind::erase;
  if (dice == 1) {
    op.kind = OpKind::program;
    op.page = g.page_of({0}, 0);
    op.size = g.wordline_bytes(1);
  }
  return op;
}

struct Mirror {  // the model without a kernel
  explicit Mirror(const Config& c) : model{agenda, c, group, ArrayModel::Answered::to<&Mirror::answered>(this)} {}
  void arrive(Time now, std::uint64_t op) { model.submit(*reinterpret_cast<Op*>(op), now); }
  void answered(Op& op, Time now) { answers.emplace_back(op.tag, now); }
  Agenda agenda;
  stats::Group group{"mirror"};
  ArrayModel model;
  std::vector<std::pair<std::uint64_t, Time>> answers;
};

TEST(NandPart, AnswersWhenTheModelDoes) {
  Rig rig;
  Mirror mirror{rig.config};
  Random random{3, "part"};
  std::vector<Op> ops(2000);
  Time at{};
  for (std::uint64_t i = 0; i < ops.size(); ++i) {
    ops[i] = random_op(random, rig.array->geometry(), i);
    at += Duration{static_cast<std::int64_t>(random.below(4'000'000))};
    rig.client->send(at, ops[i]);
    ops[i].journey = Journey{at};
    mirror.agenda.post<&Mirror::arrive>(at, &mirror, reinterpret_cast<std::uint64_t>(&ops[i]));
  }
  rig.run();
  mirror.agenda.run();
  ASSERT_EQ(rig.client->answers.size(), ops.size());
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const Client::Answer& a = rig.client->answers[i];
    ASSERT_EQ(std::pair(a.tag, a.at), mirror.answers[i]) << i;
    EXPECT_EQ(a.stream.first, a.at);
    EXPECT_EQ(a.stream.last, ops[a.tag].stream.last);
    EXPECT_EQ(a.journey, ops[a.tag].journey.total());
    EXPECT_EQ(a.response, tlm::TLM_OK_RESPONSE);
  }
  rig.finish();
}

TEST(NandPart, AcceptsAtOnceHoweverMuchIsQueued) {
  Rig rig;
  for (unsigned i = 0; i < 500; ++i) rig.client->send(Time{}, Op{.size = 4_KiB, .tag = i});
  rig.run(Time{} + 1_ps);
  EXPECT_EQ(rig.client->port.waiting(), 0U);
  EXPECT_EQ(rig.client->port.unanswered(), 500U);
  Stall stall;
  rig.array->explain(stall);
  ASSERT_FALSE(stall.lines().empty());
  EXPECT_NE(stall.lines()[0].find("nand: 499 reads wait"), std::string::npos) << stall.lines()[0];
  rig.run();
  EXPECT_EQ(rig.client->answers.size(), 500U);
  for (unsigned i = 0; i < 500; ++i) EXPECT_EQ(rig.client->answers[i].tag, i);
  rig.finish();
}

TEST(NandPart, BytesGoInAndComeBackOut) {
  Rig rig{true};
  std::vector<unsigned char> in(3 * 16384), out(4096), never_written(4096);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<unsigned char>(i * 7 + i / 251);
  rig.client->send(Time{}, Op{.kind = OpKind::program, .size = 48_KiB}, in.data());
  rig.client->send(Time{} + 5ms, Op{.page = {2}, .offset = 8_KiB, .size = 4_KiB}, out.data());
  rig.client->send(Time{} + 5ms, Op{.block = {1}, .size = 4_KiB}, never_written.data());
  rig.client->send(Time{} + 6ms, Op{.kind = OpKind::program, .size = 48_KiB, .tag = 9}, in.data());
  rig.run();
  EXPECT_EQ(std::memcmp(out.data(), in.data() + 2 * 16384 + 8192, 4096), 0);
  EXPECT_EQ(never_written, std::vector<unsigned char>(4096, 0xFF));
  ASSERT_EQ(rig.client->answers.size(), 4U);
  EXPECT_EQ(rig.client->answers[3].response, tlm::TLM_OK_RESPONSE);  // the device's own error is a status
  EXPECT_EQ(rig.client->answers[3].op.status, OpStatus::program_failed);
  rig.finish();
}

TEST(NandPart, WhatDoesNotExistIsRefusedAtOnceAndCostsNothing) {
  Rig rig;
  Op op{.size = 4_KiB};
  op.die = {8};
  rig.client->send(Time{}, op);
  op = {.offset = 16_KiB, .size = 4_KiB};
  rig.client->send(Time{}, op);
  op = {.size = 4_KiB};
  Payload& wrong_command = rig.client->make(op, Time{});
  wrong_command.set_command(tlm::TLM_WRITE_COMMAND);
  rig.client->send(Time{}, wrong_command);
  Payload& wrong_length = rig.client->make(op, Time{});
  wrong_length.set_data_length(512);
  rig.client->send(Time{}, wrong_length);
  op.tag = 5;
  rig.client->send(Time{}, op);
  rig.run();
  ASSERT_EQ(rig.client->answers.size(), 5U);
  EXPECT_EQ(rig.client->answers[0].response, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(rig.client->answers[1].response, tlm::TLM_BURST_ERROR_RESPONSE);
  EXPECT_EQ(rig.client->answers[2].response, tlm::TLM_COMMAND_ERROR_RESPONSE);
  EXPECT_EQ(rig.client->answers[3].response, tlm::TLM_BURST_ERROR_RESPONSE);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(rig.client->answers[static_cast<std::size_t>(i)].at, Time{});
  EXPECT_EQ(rig.client->answers[4].response, tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(rig.client->answers[4].at, Time{} + 1320ns + 33'750ns + 1'262'223_ps + 2us);
  EXPECT_EQ(rig.array->model().submitted(), 1U);
  rig.finish();
}

struct Blocking : sc_core::sc_module {
  SC_HAS_PROCESS(Blocking);
  explicit Blocking(const sc_core::sc_module_name& name) : sc_module{name}, socket{"socket"} { SC_THREAD(run); }
  void run() {
    FlashCommand flash;
    for (int i = 0; i < 3; ++i) {
      flash.op = Op{.kind = i == 1 ? OpKind::erase : OpKind::read, .size = 4_KiB};
      Payload p;
      std::vector<unsigned char> bytes(4096);
      p.set_command(i == 1 ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
      p.set_data_ptr(bytes.data());
      p.set_data_length(4096);
      p.set_streaming_width(4096);
      if (i != 2) p.set_extension(&flash);
      sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
      socket->b_transport(p, delay);
      sc_core::wait(delay);
      done.push_back(kernel_now());
      responses.push_back(p.get_response_status());
      p.clear_extension(&flash);
    }
  }
  tlm_utils::simple_initiator_socket<Blocking> socket;
  std::vector<Time> done;
  std::vector<tlm::tlm_response_status> responses;
};

TEST(NandPart, BlockingCallersAreServedToo) {
  test::Bench bench;
  const Config config;
  ModelArray array{"nand", bench.environment, config};
  Blocking caller{"caller"};
  caller.socket.bind(array.in());
  bench.run();
  ASSERT_EQ(caller.done.size(), 3U);
  const Time read = Time{} + 1320ns + 33'750ns + 1'262'223_ps + 2us;
  EXPECT_EQ(caller.done[0], read);
  EXPECT_EQ(caller.done[1], read + 300ns + 100ns + 5ms);
  EXPECT_EQ(caller.done[2], caller.done[1]);
  EXPECT_EQ(caller.responses[0], tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(caller.responses[2], tlm::TLM_GENERIC_ERROR_RESPONSE);
}

}  // namespace
}  // namespace flashpath::nand

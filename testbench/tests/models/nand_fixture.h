// SPDX-License-Identifier: Apache-2.0
// What the tests of the NAND model share: an array, its agenda, operations that remember when they were answered.
#pragma once
#include <gtest/gtest.h>

#include <deque>

#include "base/random.h"
#include "nand/array_model.h"

namespace flashpath::nand {

struct TestOp {
  Op op;
  Time answered = never;
  std::uint64_t order = 0;
};

/// Small, and with numbers that are easy to add: 1 GB/s, no parity, no waits, no decoder latency.
inline Config plain_config() {
  Config c;
  c.channels = 1;
  c.dies_per_channel = 2;
  c.planes = 4;
  c.blocks_per_plane = 8;
  c.wordlines_per_block = 4;
  c.bus_rate = 1_GBps;
  c.parity = 0_B;
  c.ecc_latency = 0ns;
  c.ecc_rate = 64_GBps;
  c.t_wb = c.t_rr = 0ns;
  c.t_cmd_read = c.t_cmd_out = c.t_cmd_program = c.t_cmd_erase = 1us;
  c.t_cmd_read_plane = c.t_cmd_program_plane = c.t_cmd_erase_plane = 100ns;
  c.t_r_lower = 30us;
  c.t_r_middle = 40us;
  c.t_r_upper = 50us;
  c.t_prog = 1ms;
  c.t_bers = 5ms;
  return c;
}

class ArrayUnderTest {
 public:
  explicit ArrayUnderTest(const Config& config, bool data_mode = false)
      : model{agenda, config, group, ArrayModel::Answered::to<&ArrayUnderTest::answered>(this), data_mode} {}

  /// Submits at `at` (an agenda action: the past is past).
  TestOp& submit(Time at, const Op& op) {
    TestOp& t = ops.emplace_back();
    t.op = op;
    t.op.journey = Journey{at};
    t.op.owner = &t;
    agenda.post<&ArrayUnderTest::arrive>(at, this, reinterpret_cast<std::uint64_t>(&t));
    return t;
  }
  TestOp& read(Time at, unsigned die, unsigned plane, Bytes size = 16_KiB, unsigned planes = 1, unsigned page = 0) {
    return submit(at, {.die = {static_cast<std::uint16_t>(die)},
                       .page = {page},
                       .plane = static_cast<std::uint8_t>(plane),
                       .planes = static_cast<std::uint8_t>(planes),
                       .size = size});
  }
  TestOp& program(Time at, unsigned die, unsigned wordline = 0, unsigned block = 0, unsigned plane = 0, unsigned planes = 4) {
    const Geometry& g = model.geometry();
    return submit(at, {.kind = OpKind::program,
                       .die = {static_cast<std::uint16_t>(die)},
                       .block = {block},
                       .page = g.page_of({wordline}, 0),
                       .plane = static_cast<std::uint8_t>(plane),
                       .planes = static_cast<std::uint8_t>(planes),
                       .size = g.wordline_bytes(planes)});
  }
  TestOp& erase(Time at, unsigned die, unsigned block = 0, unsigned planes = 4) {
    return submit(
        at,
        {.kind = OpKind::erase, .die = {static_cast<std::uint16_t>(die)}, .block = {block}, .planes = static_cast<std::uint8_t>(planes)});
  }
  void run() { agenda.run(); }
  void expect_lawful() {
    Laws laws;
    model.check(laws, agenda.now());
    EXPECT_TRUE(laws.broken().empty()) << laws.broken().front();
  }

  Agenda agenda;
  stats::Group group{"nand"};
  ArrayModel model;
  std::deque<TestOp> ops;
  std::uint64_t count = 0;

 private:
  void arrive(Time now, std::uint64_t op) { model.submit(reinterpret_cast<TestOp*>(op)->op, now); }
  void answered(Op& op, Time now) {
    TestOp& t = *static_cast<TestOp*>(op.owner);
    EXPECT_EQ(t.answered, never) << "answered twice";
    t.answered = now;
    t.order = count++;
    EXPECT_EQ(op.stream.first, now);
    EXPECT_EQ(op.journey.at(), now);
    EXPECT_EQ(op.journey.sum(), op.journey.total());
  }
};

}  // namespace flashpath::nand

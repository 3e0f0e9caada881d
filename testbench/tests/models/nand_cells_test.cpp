// SPDX-License-Identifier: Apache-2.0
// Content, the rules of programming, geometry, and the configuration's own checks.
#include <vector>

#include "models/nand_fixture.h"

namespace flashpath::nand {
namespace {

std::vector<unsigned char> noise(std::size_t size, std::uint64_t seed) {
  Random random{seed, "cells"};
  std::vector<unsigned char> bytes(size);
  for (auto& b : bytes) b = static_cast<unsigned char>(random.next());
  return bytes;
}

TEST(NandCells, WhatWasProgrammedIsReadAndErasedIsFF) {
  ArrayUnderTest t{plain_config(), true};
  const Geometry& g = t.model.geometry();
  std::vector<unsigned char> in = noise(g.wordline_bytes(4).count, 1);
  t.program(Time{}, 1, 0, 3).op.data = in.data();
  std::vector<unsigned char> middle(64 << 10), part(6000), after(64 << 10), other(4096, 0);
  Op op{.die = {1}, .block = {3}, .page = {1}, .planes = 4, .size = 64_KiB, .data = middle.data()};
  t.submit(Time{} + 10ms, op);
  op.plane = 1;  // planes 1 and 2, across their border
  op.planes = 2;
  op.page = {2};
  op.offset = 12_KiB;
  op.size = {6000};
  op.data = part.data();
  t.submit(Time{} + 10ms, op);
  t.submit(Time{} + 10ms, {.die = {0}, .block = {3}, .size = 4_KiB, .data = other.data()});
  t.erase(Time{} + 20ms, 1, 3);
  t.submit(Time{} + 30ms, {.die = {1}, .block = {3}, .page = {1}, .planes = 4, .size = 64_KiB, .data = after.data()});
  t.agenda.run_until(Time{} + 15ms);
  const std::size_t page = 16384;
  EXPECT_TRUE(std::equal(middle.begin(), middle.end(), in.begin() + 4 * page));  // the middle pages: one slice
  EXPECT_TRUE(std::equal(part.begin(), part.end(), in.begin() + (2 * 4 + 1) * page + 12288));
  EXPECT_EQ(other, std::vector<unsigned char>(4096, 0xFF));
  EXPECT_EQ(t.model.cells().kept(), 4U);
  t.run();
  EXPECT_EQ(after, std::vector<unsigned char>(64 << 10, 0xFF));
  EXPECT_EQ(t.model.cells().kept(), 0U);
}

TEST(NandCells, AReadBeforeTheProgramSeesTheOldAndOneBehindItTheNew) {
  ArrayUnderTest t{plain_config(), true};
  std::vector<unsigned char> in = noise(t.model.geometry().wordline_bytes(4).count, 2), before(4096), behind(4096);
  t.submit(Time{}, {.size = 4_KiB, .data = before.data()});
  t.program(Time{} + 1us, 0).op.data = in.data();
  t.submit(Time{} + 200us, {.size = 4_KiB, .data = behind.data()});
  t.run();
  EXPECT_EQ(before, std::vector<unsigned char>(4096, 0xFF));
  EXPECT_TRUE(std::equal(behind.begin(), behind.end(), in.begin()));
}

TEST(NandCells, WordlinesAreProgrammedInOrderOncePerErase) {
  for (const bool data_mode : {false, true}) {
    ArrayUnderTest t{plain_config(), data_mode};
    std::vector<unsigned char> in = noise(t.model.geometry().wordline_bytes(4).count, 3);
    std::vector<TestOp*> ops;
    Time at{};
    const auto program = [&](unsigned wordline, unsigned plane = 0, unsigned planes = 4) {
      TestOp& p = t.program(at += 10ms, 0, wordline, 0, plane, planes);
      p.op.data = data_mode ? in.data() : nullptr;
      ops.push_back(&p);
    };
    program(1);  // not the first
    program(0);
    program(0);        // not erased
    program(1, 2, 1);  // one plane alone
    program(1);        // plane 2 has it already: fails as a whole
    program(1, 0, 2);
    program(3, 2, 1);  // leaves out wordline 2
    t.erase(at += 10ms, 0);
    program(0);
    t.run();
    using enum OpStatus;
    const std::array expected{program_failed, ok, program_failed, ok, program_failed, ok, program_failed, ok};
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(ops[i]->op.status, expected[i]) << i << " data mode " << data_mode;
    EXPECT_EQ(t.model.statistics().failed.value, 4U);
    EXPECT_EQ(t.model.statistics().programs.value, 8U);
    EXPECT_EQ(t.model.cells().next_wordline({0}, {0}, 2), 1U);
    EXPECT_EQ(t.model.cells().kept(), data_mode ? 4U : 0U);
  }
}

TEST(NandCells, AFullBlockTakesNoMoreAndPreconditionedOnesGoOnWhereTheyAre) {
  ArrayUnderTest t{plain_config()};
  t.model.cells().precondition({0}, {5}, 3);
  TestOp& early = t.program(Time{}, 0, 0, 5);
  TestOp& next = t.program(Time{} + 10ms, 0, 3, 5);
  t.run();
  EXPECT_EQ(early.op.status, OpStatus::program_failed);
  EXPECT_EQ(next.op.status, OpStatus::ok);
  EXPECT_EQ(t.model.cells().next_wordline({0}, {5}, 0), 4U);
  EXPECT_EQ(t.model.cells().next_wordline({1}, {5}, 0), 0U);
}

TEST(NandGeometry, IdsGoThereAndBack) {
  Config c;
  c.channels = 6;
  c.dies_per_channel = 5;
  const Geometry g{c};
  for (std::uint16_t d = 0; d < 30; ++d) {
    EXPECT_EQ(g.die_of(g.channel_of({d}), g.target_of({d})).value, d);
    EXPECT_EQ(g.channel_of({d}).value, d % 6);
    EXPECT_EQ(g.target_of({d}).value, d / 6);
  }
  EXPECT_EQ(g.page_of(g.wordline_of({1000}), g.type_of({1000})).value, 1000U);
  EXPECT_EQ(g.wordline_of({1000}).value, 333U);
  EXPECT_EQ(g.type_of({1000}), 1U);
}

TEST(NandGeometry, TheDefaultIsAOneTerabitDie) {
  const Geometry g{Config{}};
  EXPECT_EQ(g.block_bytes(), 24_MiB);
  EXPECT_EQ(g.wordline_bytes(4), 192_KiB);
  EXPECT_EQ(g.die_bytes(), 129_GiB);
  EXPECT_EQ(g.drive_bytes(), 128 * 129_GiB);
}

TEST(NandGeometry, OperationsThatDoNotExist) {
  const Geometry g{plain_config()};
  const auto fault = [&](auto change) {
    Op op{.die = {1}, .block = {7}, .page = {11}, .plane = 3, .size = 16_KiB};
    change(op);
    return g.fault(op);
  };
  EXPECT_EQ(fault([](Op&) {}), OpFault::none);
  EXPECT_EQ(fault([](Op& o) { o.die = {2}; }), OpFault::die);
  EXPECT_EQ(fault([](Op& o) { o.planes = 2; }), OpFault::plane);
  EXPECT_EQ(fault([](Op& o) { o.planes = 0; }), OpFault::plane);
  EXPECT_EQ(fault([](Op& o) { o.block = {8}; }), OpFault::block);
  EXPECT_EQ(fault([](Op& o) { o.page = {12}; }), OpFault::page);
  EXPECT_EQ(fault([](Op& o) { o.size = 0_B; }), OpFault::size);
  EXPECT_EQ(fault([](Op& o) { o.offset = 1_B; }), OpFault::size);
  EXPECT_EQ(fault([](Op& o) { o.offset = Bytes{~std::uint64_t{0}}; }), OpFault::size);
  EXPECT_EQ(fault([](Op& o) { o.size = Bytes{~std::uint64_t{0}}; }), OpFault::size);
  EXPECT_EQ(fault([](Op& o) {
              o.kind = OpKind::program;
              o.size = 48_KiB;
            }),
            OpFault::page);
  EXPECT_EQ(fault([](Op& o) {
              o.kind = OpKind::program;
              o.page = {9};
            }),
            OpFault::size);
  EXPECT_EQ(fault([](Op& o) {
              o.kind = OpKind::program;
              o.page = {9};
              o.size = 48_KiB;
            }),
            OpFault::none);
  EXPECT_EQ(fault([](Op& o) {
              o.kind = OpKind::erase;
              o.size = 0_B;
            }),
            OpFault::none);
}

TEST(NandConfig, DefaultsPassAndBrokenOnesAreNamed) {
  UserErrors errors;
  Config c;
  c.check("nand", errors);
  EXPECT_TRUE(errors.empty());
  c.codeword = {3000};
  c.channels = 64;
  c.dies_per_channel = 2000;
  c.check("nand", errors);
  ASSERT_EQ(errors.list.size(), 2U);
  EXPECT_NE(errors.list[0].find("nand.codeword"), std::string::npos);
  EXPECT_NE(errors.list[1].find("65535"), std::string::npos);
}

}  // namespace
}  // namespace flashpath::nand

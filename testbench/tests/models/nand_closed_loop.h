// SPDX-License-Identifier: Apache-2.0
// A NAND array kept busy: a fixed number of random operations always inside.
#pragma once
#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "nand/array_model.h"

namespace flashpath::nand {

/// Mean time per operation from a quarter of `count` on to the last submission, `depth` of them always inside.
class ClosedLoop {
 public:
  ClosedLoop(const Config& c, std::size_t depth, std::uint64_t count, Bytes size, unsigned programs_of_100 = 0)
      : left_{count},
        skip_{count / 4},
        size_{size},
        programs_{programs_of_100},
        model{agenda, c, group, ArrayModel::Answered::to<&ClosedLoop::answered>(this)},
        ops_(depth) {
    for (Op& op : ops_) again(op, Time{});
    agenda.run();
  }
  double per_operation() const { return static_cast<double>((end_ - begin_).count()) / static_cast<double>(measured_ - skip_); }

 private:
  void answered(Op& op, Time now) {
    EXPECT_GE(op.stream.last, now);
    EXPECT_EQ(op.journey.sum(), now - op.journey.begin());
    if (model.answered() == skip_) begin_ = now;
    if (left_ == 0) return;  // the drain is not steady state
    end_ = now;
    measured_ = model.answered();
    again(op, now);
  }
  void again(Op& op, Time now) {
    --left_;
    const Geometry& g = model.geometry();
    const std::uint64_t dice = random_.below(100);
    op = {};
    op.die = {static_cast<std::uint16_t>(random_.below(g.dies()))};
    op.block = {static_cast<std::uint32_t>(random_.below(g.blocks()))};
    op.plane = static_cast<std::uint8_t>(random_.below(g.planes()));
    op.size = size_;
    op.page = {static_cast<std::uint32_t>(random_.below(g.pages()))};
    op.journey = Journey{now};
    op.background = dice % 3 == 0;
    if (dice < programs_) {
      op.planes = static_cast<std::uint8_t>(1 + random_.below(g.planes() - op.plane));
      if (dice % 4 == 0) op.kind = OpKind::erase;
      else if (dice % 4 == 1) op.size = g.page() * op.planes;
      else {
        op.kind = OpKind::program;
        op.page = g.page_of(g.wordline_of(op.page), 0);
        op.size = g.program_bytes(op.planes);
      }
    }
    model.submit(op, now);
  }
  std::uint64_t left_, skip_, measured_ = 0;
  Bytes size_;
  unsigned programs_;
  Random random_{7, "closed loop"};
  Time begin_{}, end_{};

 public:
  Agenda agenda;
  stats::Group group{"nand"};
  ArrayModel model;

 private:
  std::vector<Op> ops_;
};

}  // namespace flashpath::nand

// SPDX-License-Identifier: Apache-2.0
// Dead dies and planes: operations take their time, then fail.
#include "models/nand_fixture.h"

using namespace flashpath;
using namespace flashpath::nand;

TEST(NandDead, OperationsTakeTheirTimeAndFail) {
  ArrayUnderTest alive{plain_config()}, dead{plain_config()};
  dead.model.fail(DieId{0}, ~0U);
  for (ArrayUnderTest* a : {&alive, &dead}) {
    a->submit(Time{}, {.kind = OpKind::erase, .planes = 4});
    a->submit(Time{}, {.kind = OpKind::program, .planes = 4, .size = 4 * 3 * 16_KiB});
    a->read(Time{} + 10ms, 0, 0);
    a->read(Time{} + 10ms, 1, 0);
    a->agenda.run();
  }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(alive.ops[i].answered, dead.ops[i].answered);
  EXPECT_EQ(dead.ops[0].op.status, OpStatus::erase_failed);
  EXPECT_EQ(dead.ops[1].op.status, OpStatus::program_failed);
  EXPECT_EQ(dead.ops[2].op.status, OpStatus::uncorrectable);
  EXPECT_TRUE(dead.ops[2].op.dead);
  EXPECT_EQ(dead.ops[3].op.status, OpStatus::ok);  // the other die
  EXPECT_FALSE(dead.ops[3].op.dead);
  EXPECT_EQ(dead.model.statistics().dead.value, 3U);
  EXPECT_EQ(alive.model.statistics().dead.value, 0U);
}

TEST(NandDead, APlaneTakesOnlyWhatTouchesIt) {
  ArrayUnderTest a{plain_config()};
  a.model.fail(DieId{1}, 1U << 2U);
  a.read(Time{}, 1, 1);
  a.read(Time{}, 1, 2);
  a.read(Time{}, 1, 0, 48_KiB, 3);
  a.agenda.run();
  EXPECT_EQ(a.ops[0].op.status, OpStatus::ok);
  EXPECT_EQ(a.ops[1].op.status, OpStatus::uncorrectable);
  EXPECT_EQ(a.ops[2].op.status, OpStatus::uncorrectable);
}

// SPDX-License-Identifier: Apache-2.0
// What wears out, counted: cycles, senses, age, bad blocks, failures; rates against their closed forms within 5 sigma.
#include <cmath>

#include "models/nand_fixture.h"

namespace flashpath::nand {
namespace {

Config worn_config() {
  Config c = plain_config();
  c.reliability.enabled = true;
  c.reliability.factory_bad = 0;
  return c;
}

struct Wear {
  explicit Wear(const Config& c, std::uint64_t seed = 1) : geometry{c}, model{c, geometry, group, Random{seed, "wear"}} {}
  Op op(OpKind kind, unsigned die, unsigned block, unsigned page = 0, unsigned planes = 1) const {
    return {.kind = kind,
            .die = {static_cast<std::uint16_t>(die)},
            .block = {block},
            .page = {page},
            .planes = static_cast<std::uint8_t>(planes),
            .size = 4_KiB};
  }
  Op read(Time now, unsigned block = 0, unsigned page = 0, Bytes size = 4_KiB, unsigned planes = 1) {
    Op o = op(OpKind::read, 0, block, page, planes);
    o.size = size;
    std::uint8_t rung = 0;
    while (model.decode(o, rung, now).again) ++o.retries;
    model.answered(o, rung, Duration{});
    return o;
  }
  stats::Group group{"nand"};
  Geometry geometry;
  Reliability model;
};

void expect_count(std::uint64_t seen, double expected, double variance, const char* what) {
  EXPECT_NEAR(static_cast<double>(seen), expected, 5 * std::sqrt(variance) + 1e-9) << what;
}

TEST(NandWear, OffThereIsNone) {
  ArrayUnderTest t{plain_config()};
  EXPECT_EQ(t.model.reliability(), nullptr);
  for (const auto* c : t.group.counters()) EXPECT_NE(c->name, "retries");
}

TEST(NandWear, CyclesAndReadsPerBlockOfAPlane) {
  Config c = worn_config();
  c.reliability.initial_pe = 100;
  Wear w{c};
  EXPECT_EQ(w.model.cycles({1}, {3}, 2), 100U);
  w.read(Time{}, 3);
  w.read(Time{}, 3, 0, 64_KiB, 4);
  EXPECT_EQ(w.model.reads({0}, {3}, 0), 2U);
  EXPECT_EQ(w.model.reads({0}, {3}, 3), 1U);
  EXPECT_EQ(w.model.reads({1}, {3}, 0), 0U);
  EXPECT_EQ(w.model.erase(w.op(OpKind::erase, 0, 3, 0, 2)), OpStatus::ok);
  EXPECT_EQ(w.model.cycles({0}, {3}, 0), 101U);
  EXPECT_EQ(w.model.cycles({0}, {3}, 1), 101U);
  EXPECT_EQ(w.model.cycles({0}, {3}, 2), 100U);
  EXPECT_EQ(w.model.reads({0}, {3}, 0), 0U);
  EXPECT_EQ(w.model.reads({0}, {3}, 3), 1U);
}

TEST(NandWear, AgeCountsFromTheFirstWordline) {
  Config c = worn_config();
  c.reliability.initial_pe = 1000;
  c.reliability.retention = std::chrono::hours{240};
  c.reliability.variation = 0;
  c.reliability.read_disturb = 0;
  Wear w{c};
  const ErrorRate rate{c.reliability};
  const auto rber = [&](Time now) { return w.model.rber({0}, {0}, 0, {1}, now); };
  EXPECT_DOUBLE_EQ(rber(Time{}), rate.at(1000, std::chrono::hours{240}, 0, 1));
  EXPECT_DOUBLE_EQ(rber(Time{} + 24h), rate.at(1000, std::chrono::hours{264}, 0, 1));
  w.model.erase(w.op(OpKind::erase, 0, 0));
  w.model.program(w.op(OpKind::program, 0, 0, 0), Time{} + 24h);
  EXPECT_DOUBLE_EQ(rber(Time{} + 24h), rate.at(1001, Duration{}, 0, 1));
  w.model.program(w.op(OpKind::program, 0, 0, 3), Time{} + 30h);
  EXPECT_DOUBLE_EQ(rber(Time{} + 48h), rate.at(1001, 24h, 0, 1)) << "the oldest data of the block";
}

TEST(NandWear, RefreshIsAdvisedExactlyAtTheLimits) {
  Config c = worn_config();
  c.reliability.refresh_reads = 50;
  c.reliability.refresh_age = std::chrono::hours{1};
  Wear w{c};
  for (int i = 1; i < 50; ++i) EXPECT_FALSE(w.read(Time{}).refresh) << i;
  EXPECT_TRUE(w.read(Time{}).refresh);
  EXPECT_TRUE(w.read(Time{}).refresh);
  EXPECT_FALSE(w.read(Time{}, 1).refresh) << "another block";
  EXPECT_FALSE(w.read(Time{} + 1h - 1_ps, 1).refresh);
  EXPECT_TRUE(w.read(Time{} + 1h, 1).refresh);
  w.model.erase(w.op(OpKind::erase, 0, 0));
  w.model.program(w.op(OpKind::program, 0, 0), Time{} + 1h);
  EXPECT_FALSE(w.read(Time{} + 1h).refresh) << "rewritten";
  EXPECT_EQ(w.model.statistics().refresh_advised.value, 3U);
}

TEST(NandWear, ReadDisturbEndsInRetries) {
  Config c = worn_config();
  c.reliability.read_disturb = 1e-6;
  c.reliability.variation = 0;
  Wear w{c};
  unsigned first = 0;
  for (unsigned i = 1; i <= 10'000 && first == 0; ++i) {
    if (w.read(Time{}).retries != 0) first = i;
  }
  // 180 errors in 32768 bits are expected after 7800 reads; the first of so many draws beyond 180 comes at 150 or so
  EXPECT_GT(first, 5500U);
  EXPECT_LT(first, 7500U);
  w.model.erase(w.op(OpKind::erase, 0, 0));
  EXPECT_EQ(w.read(Time{}).retries, 0) << "an erase ends it";
}

TEST(NandWear, FactoryBadBlocks) {
  Config c = worn_config();
  c.blocks_per_plane = 3000;
  c.dies_per_channel = 20;
  c.reliability.factory_bad = 0.01;
  Wear w{c};
  const double n = 20.0 * 3000 * 4;
  expect_count(w.model.statistics().factory_bad.value, n * 0.01, n * 0.01 * 0.99, "bad planes' blocks");
  std::uint64_t any = 0;
  for (std::uint16_t d = 0; d < 20; ++d)
    for (std::uint32_t b = 0; b < 3000; ++b) any += w.model.bad({d}, {b}) ? 1U : 0U;
  const double p = 1 - std::pow(0.99, 4);
  expect_count(any, 60'000 * p, 60'000 * p * (1 - p), "blocks bad in any plane");
  Wear other{c, 2};
  unsigned both = 0;
  for (std::uint32_t b = 0; b < 3000; ++b) both += w.model.bad({0}, {b}) && other.model.bad({0}, {b}) ? 1U : 0U;
  EXPECT_LT(both, 40U) << "another seed, other blocks";
  c.reliability.factory_bad = 0;
  EXPECT_EQ(Wear{c}.model.statistics().factory_bad.value, 0U);
}

TEST(NandWear, FailuresAreProportionalToCycles) {
  for (const std::uint32_t cycles : {1000U, 3000U}) {
    Config c = worn_config();
    c.blocks_per_plane = 5000;
    c.reliability.initial_pe = cycles;
    c.reliability.erase_failures = 0.01;
    c.reliability.program_failures = 0.002;
    Wear w{c};
    const double share = cycles / 5000.0;
    std::uint64_t erase_failures = 0, program_failures = 0;
    for (unsigned b = 0; b < 5000; ++b) {
      erase_failures += w.model.erase(w.op(OpKind::erase, 0, b, 0, 1)) == OpStatus::erase_failed ? 1U : 0U;
      for (unsigned i = 0; i < 8; ++i)
        program_failures += w.model.program(w.op(OpKind::program, 1, b, 0, 4), Time{}) == OpStatus::program_failed ? 1U : 0U;
    }
    const double e = 0.01 * share, p = 1 - std::pow(1 - 0.002 * share, 4);  // any of four planes
    expect_count(erase_failures, 5000 * e, 5000 * e, "erases");             // at one cycle more: 0.1 %, far below a sigma
    expect_count(program_failures, 40'000 * p, 40'000 * p, "programs");
    EXPECT_EQ(w.model.statistics().erase_failures.value, erase_failures);
    EXPECT_EQ(w.model.statistics().program_failures.value, program_failures);
    std::uint64_t bad = 0;
    for (unsigned b = 0; b < 5000; ++b) bad += w.model.bad({0}, {b}) ? 1U : 0U;
    EXPECT_EQ(bad, erase_failures) << "each failed once";
    EXPECT_GE(w.model.statistics().grown_bad.value, erase_failures);
  }
  Config fresh = worn_config();
  fresh.reliability.program_failures = 1;
  Wear w{fresh};
  EXPECT_EQ(w.model.program(w.op(OpKind::program, 0, 0, 0, 4), Time{}), OpStatus::ok) << "nothing fails that was never cycled";
}

TEST(NandWear, EnduranceScalesFailures) {
  const auto failures = [](std::uint32_t endurance) {
    Config c = worn_config();
    c.blocks_per_plane = 5000;
    c.reliability.initial_pe = 1000;
    c.reliability.erase_failures = 0.1;
    c.reliability.endurance = endurance;
    Wear w{c};
    for (unsigned b = 0; b < 5000; ++b) w.model.erase(w.op(OpKind::erase, 0, b, 0, 1));
    return w.model.statistics().erase_failures.value;
  };
  EXPECT_NEAR(static_cast<double>(failures(1000)), 500, 5 * std::sqrt(450.0));
  EXPECT_NEAR(static_cast<double>(failures(4000)), 125, 5 * std::sqrt(122.0));
}

TEST(NandWear, RetriesAndUncorrectablePagesComeAtTheLaddersRate) {
  Config c = worn_config();
  c.wordlines_per_block = 1000;
  c.reliability.initial_pe = 8000;
  c.reliability.retention = std::chrono::hours{24 * 90};
  c.reliability.read_disturb = 0;
  c.reliability.retry_gain = 0.95;
  c.reliability.retry_steps = 3;
  c.reliability.soft_bits = 46;  // so weak that something cannot be read
  Wear w{c};
  Ladder ladder{c.reliability, c.codeword, c.parity, 4};
  const ErrorRate rate{c.reliability};
  double retries = 0, squares = 0, lost = 0;
  std::uint64_t seen = 0;
  for (unsigned i = 0; i < 100'000; ++i) {
    const PageId page{i % 3000};
    const std::uint32_t type = page.value % 3;
    const double rber = w.model.rber({0}, {i % 8}, 0, page, Time{});
    const auto beyond = [&](std::uint32_t rung) {
      return static_cast<double>(ladder.beyond(rung, rber, rate.floor(type), type, 1)) * 0x1p-64;
    };
    double mean = 0, square = 0, before = 1;  // P(at least r senses more) and their sum
    const std::uint32_t rungs[] = {19, 20, 21, 22};
    const double senses[] = {1, 1, 1, 2};
    double total = 0;
    for (int r = 0; r < 4; ++r) {
      before = beyond(rungs[r]);
      square += before * ((total + senses[r]) * (total + senses[r]) - total * total);
      total += senses[r];
      mean += before * senses[r];
    }
    retries += mean;
    squares += square - mean * mean;
    lost += beyond(23);
    seen += w.read(Time{}, i % 8, page.value).retries;
  }
  expect_count(seen, retries, squares, "further senses");
  EXPECT_GT(seen, 1000U);
  expect_count(w.model.statistics().uncorrectable.value, lost, lost, "uncorrectable reads");
  EXPECT_GT(lost, 30);
}

TEST(NandWear, WideReadsFailAsOftenAsTheirPlanesTogether) {
  Config c = worn_config();
  c.reliability.initial_pe = 5000;
  c.reliability.variation = 0;
  c.reliability.read_disturb = 0;
  c.reliability.wear = 1.28e-7;  // near the limit, upper pages
  const auto retried = [&](unsigned planes) {
    Wear w{c};
    for (unsigned i = 0; i < 20'000; ++i) w.read(Time{}, 0, 2, planes * 4_KiB * 4, planes);
    return static_cast<double>(w.model.statistics().retried.value) / 20'000;
  };
  const double one = retried(1), four = retried(4);
  EXPECT_GT(one, 0.005);
  EXPECT_NEAR(four, 1 - std::pow(1 - one, 4), 5 * std::sqrt(one * 4 / 20'000) * 3);
}

TEST(NandWear, SeedsDecideAndRepeat) {
  Config c = worn_config();
  c.reliability.initial_pe = 6000;
  c.reliability.retention = std::chrono::hours{24 * 90};
  const auto digest = [&](std::uint64_t seed) {
    Wear w{c, seed};
    std::uint64_t h = 0;
    for (unsigned i = 0; i < 5000; ++i) h = h * 31 + w.read(Time{}, i % 8, i % 12).retries;
    return h;
  };
  EXPECT_EQ(digest(1), digest(1));
  EXPECT_NE(digest(1), digest(2));
}

TEST(NandWear, AFailedProgramDoesNotHoldUpTheNextAndMayBeRepeatedOnce) {
  const Geometry g{worn_config()};
  Cells cells{g, true};
  std::vector<unsigned char> bytes(g.wordline_bytes(4).count, 0x5a);
  const auto op = [&](unsigned wordline, unsigned plane = 0, unsigned planes = 4) {
    return Op{.kind = OpKind::program,
              .page = g.page_of({wordline}, 0),
              .plane = static_cast<std::uint8_t>(plane),
              .planes = static_cast<std::uint8_t>(planes),
              .size = g.wordline_bytes(planes),
              .data = bytes.data()};
  };
  EXPECT_EQ(cells.fail(op(1)), OpStatus::program_failed) << "out of order: changes nothing";
  EXPECT_EQ(cells.next_wordline({0}, {0}, 0), 0U);
  EXPECT_EQ(cells.fail(op(0)), OpStatus::program_failed);
  EXPECT_EQ(cells.kept(), 0U);
  EXPECT_EQ(cells.program(op(1)), OpStatus::ok);
  EXPECT_EQ(cells.fail(op(0)), OpStatus::program_failed) << "the repetition may fail too";
  EXPECT_EQ(cells.program(op(0)), OpStatus::ok);
  EXPECT_EQ(cells.next_wordline({0}, {0}, 3), 2U);
  EXPECT_EQ(cells.kept(), 8U);
  EXPECT_EQ(cells.program(op(0)), OpStatus::program_failed) << "programmed now";
  EXPECT_EQ(cells.program(op(1)), OpStatus::program_failed);
  EXPECT_EQ(cells.fail(op(2)), OpStatus::program_failed);
  EXPECT_EQ(cells.erase({.kind = OpKind::erase, .planes = 4}), OpStatus::ok);
  EXPECT_EQ(cells.program(op(2)), OpStatus::program_failed) << "an erase forgets what had failed";
}

TEST(NandWear, ArraysPassFailuresOnAndCellsKeepWhatTheyHeld) {
  Config c = worn_config();
  c.reliability.initial_pe = 5000;
  c.reliability.program_failures = c.reliability.erase_failures = 1;
  ArrayUnderTest t{c};
  TestOp& p = t.program(Time{}, 0);
  TestOp& e = t.erase(Time{}, 1);
  t.run();
  EXPECT_EQ(p.op.status, OpStatus::program_failed);
  EXPECT_EQ(e.op.status, OpStatus::erase_failed);
  EXPECT_EQ(p.answered - Time{}, 1300ns + 1300ns + 12 * Duration{16'384ns} + 1ms) << "the erase's command, then as long as ever";
  EXPECT_EQ(e.answered - Time{} >= 5ms, true);
  EXPECT_EQ(t.model.cells().next_wordline({0}, {0}, 0), 1U) << "its wordline is used up";
  EXPECT_TRUE(t.model.reliability()->bad({0}, {0}));
  EXPECT_TRUE(t.model.reliability()->bad({1}, {0}));
  EXPECT_FALSE(t.model.reliability()->bad({0}, {1}));
  t.expect_lawful();
}

}  // namespace
}  // namespace flashpath::nand

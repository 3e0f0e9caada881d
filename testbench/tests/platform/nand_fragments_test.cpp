// SPDX-License-Identifier: Apache-2.0
// The fragments that this build carries (`--config nand-qlc`): each makes a drive that works, and a read as long as its numbers say.
#include "platform/bench.h"

namespace flashpath::test {
namespace {

struct Die {
  const char* name;
  const char* capacity;  ///< nullptr: single-drive's own fits
};
constexpr std::array dies{Die{"nand-pslc", "ftl.capacity=2000GB"}, Die{"nand-qlc", nullptr}, Die{"nand-slc", "ftl.capacity=800GB"},
                          Die{"nand-tlc4", nullptr}, Die{"nand-tlc6", nullptr}};

platform::Config with(const Die& die, Settings settings = {}) {
  if (die.capacity != nullptr) settings.emplace_back(die.capacity);
  settings.emplace_back("ftl.precondition=sequential");
  return platform::load("single-drive", {die.name}, settings).config;
}

TEST(PlatformFragments, AreTheFive) {
  std::vector<std::string> names;
  for (const Die& die : dies) names.emplace_back(die.name);
  EXPECT_EQ(platform::fragments(), names);
}

TEST(PlatformFragments, EachNumberKeepsItsSource) {
  const auto base = platform::load("single-drive", {}, {}).parameters;
  for (const Die& die : dies) {
    Settings settings;
    if (die.capacity != nullptr) settings.emplace_back(die.capacity);
    const auto list = platform::load("single-drive", {die.name}, settings).parameters;
    ASSERT_EQ(list.size(), base.size());
    std::size_t found = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (list[i].source == base[i].source || list[i].path == "ftl.capacity") continue;
      ++found;
      EXPECT_TRUE(list[i].path.starts_with("nand.")) << list[i].path;
      EXPECT_FALSE(list[i].source.empty()) << die.name << ' ' << list[i].path;
    }
    EXPECT_GE(found, 4U) << die.name;
  }
}

TEST(PlatformFragments, ADieThatHoldsLessAsksForTheDrivesCapacity) {
  for (const Die& die : dies) {
    try {
      platform::load("single-drive", {die.name}, {});
      EXPECT_EQ(die.capacity, nullptr) << die.name;
    } catch (const UserErrors& errors) {
      EXPECT_NE(die.capacity, nullptr) << die.name;
      ASSERT_EQ(errors.list.size(), 1U);
      EXPECT_NE(errors.list[0].find("ftl.capacity = 6.4TB: needs"), std::string::npos) << errors.list[0];
    }
  }
}

TEST(PlatformFragments, AMisspeltOneIsNamedWithThoseThereAre) {
  try {
    platform::load("single-drive", {"nand-xlc"}, {});
    FAIL() << "nothing was said";
  } catch (const UserErrors& errors) {
    ASSERT_EQ(errors.list.size(), 1U);
    EXPECT_NE(errors.list[0].find("nand-xlc"), std::string::npos);
    EXPECT_NE(errors.list[0].find("nand-qlc"), std::string::npos);
  }
}

TEST(PlatformFragments, FilesAndAssignmentsWinOverThem) {
  const auto config = platform::load("single-drive", {"nand-qlc", "nand-tlc6"}, {"nand.t_bers=7ms"}).config;
  EXPECT_EQ(config.nand.bits_per_cell, 3U);
  EXPECT_EQ(config.nand.planes, 6U);
  EXPECT_EQ(config.nand.t_bers, 7ms);
}

Duration read_alone(const platform::Config& config) {
  return in_child([&] {
    Rig rig{config};
    firmware::JobSpec spec;
    spec.rw = firmware::Rw::read;
    spec.bs = 4_KiB;
    spec.number_ios = 1;
    const Duration lat = rig.job(spec).direction[0].lat.max();
    EXPECT_EQ(rig.count("nand", "reads"), 1U);
    rig.expect_sound({"client", "fabric_mem", "bus_crypto", "drive0_write"});
    return lat;
  });
}

/// The array's part of a 4 KiB read of a lower page.
Duration in_array(const nand::Config& c) {
  const Duration sense = c.snap_read >= 4_KiB ? Duration{(c.t_r_lower.count() * c.snap_percent + 99) / 100} : c.t_r_lower;
  return c.t_cmd_read + c.t_wb + sense + c.t_rr + c.t_cmd_out + (c.codeword + c.parity) / c.bus_rate + c.ecc_latency;
}

TEST(PlatformFragments, MoveAReadAloneByTheClosedForm) {
  const platform::Config base = load("single-drive", {"ftl.precondition=sequential"});
  const Duration lat = read_alone(base);
  for (const Die& die : dies) {
    const platform::Config config = with(die);
    EXPECT_EQ(read_alone(config) - lat, in_array(config.nand) - in_array(base.nand)) << die.name;
  }
}

TEST(PlatformFragments, SustainedWritesFollowTheCells) {
  const auto written = [&](const Die& die) {
    return in_child([&] {
      Rig rig{with(die, {"ftl.precondition=none"})};
      firmware::JobSpec spec;
      spec.rw = firmware::Rw::write;
      spec.bs = 128_KiB;
      spec.iodepth = 64;
      spec.ramp = 30ms;
      spec.runtime = 20ms;
      return rig.job(spec).bytes_per_second(1);
    });
  };
  const double qlc = written(dies[1]), tlc = written(dies[3]);
  // 64 dies of 256 KiB in 6 ms, the data going in twice: 2.8 GB/s at most. TLC: 192 KiB in 1.1 ms, the host's link is the bound.
  EXPECT_LT(qlc, 2.8e9);
  EXPECT_GT(qlc, 2.3e9);
  EXPECT_GT(tlc, 2 * qlc);
}

}  // namespace
}  // namespace flashpath::test

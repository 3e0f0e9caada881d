// SPDX-License-Identifier: Apache-2.0
// Every field of nand, ftl and reliability changes a result in the right direction, on the whole platform; what a drive alone does not
// show is a test of its own, named at the end. A field without a row fails.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "platform/knob_effects.h"

namespace flashpath::test {
namespace {

using enum Load;
using enum Must;

// Reads that saturate one channel, programs that wait for data, dies that are suspended, a cached map, wear.
const Settings one_channel{"nand.channels=1", "nand.dies_per_channel=4"};
const Settings slow_bus{"nand.bus_rate=400MB/s"};
const Settings sca{"nand.channels=1", "nand.dies_per_channel=4", "nand.sca=true", "nand.bus_rate=400MB/s"};
const Settings suspends{"nand.program_suspends=5", "nand.t_prog=3ms"};
const Settings erase_suspends{"nand.erase_suspends=5", "nand.t_bers=20ms"};
const Settings two_passes{"nand.program_passes=2"};
const Settings cached{"ftl.map=cached", "ftl.map_cache=64KiB"};
const Settings worn{"reliability.enabled=true",        "reliability.initial_pe=5000",  "reliability.retention=7776000s",
                    "reliability.program_failures=0",  "reliability.erase_failures=0", "reliability.factory_bad=0",
                    "reliability.refresh_age=8640000s"};
const Settings lost = [] {  // retries and soft decoding do not bring all back
  Settings s = worn;
  s.insert(s.end(), {"reliability.initial_pe=16000", "reliability.retry_gain=0.95", "reliability.retry_steps=2"});
  return s;
}();
const Settings failing = [] {
  Settings s = worn;
  s.insert(s.end(), {"ftl.spare_blocks=8", "ftl.capacity=200MiB", "reliability.program_failures=2e-4", "reliability.erase_failures=2e-3",
                     "reliability.retention=0s", "reliability.hard_bits=200", "reliability.soft_bits=300"});
  return s;
}();
const Settings refreshed = [] {
  Settings s = failing;
  s.insert(s.end(), {"reliability.program_failures=0", "reliability.erase_failures=0", "reliability.refresh_reads=1000000"});
  return s;
}();
Settings with(Settings s, std::initializer_list<const char*> more) {
  s.insert(s.end(), more.begin(), more.end());
  return s;
}

const std::vector<Knob> flash{
    {"nand.channels", reads, {}, "2", "4", "seconds", fall},
    {"nand.dies_per_channel", reads, {}, "2", "4", "seconds", fall},
    {"nand.planes", reads, {"ftl.precondition=sequential"}, "2", "4", "seconds", fall},
    {"nand.blocks_per_plane", overwrites, {}, "64", "80", "ftl.gc_moved", fall},
    {"nand.wordlines_per_block", overwrites, {}, "16", "20", "ftl.gc_moved", fall},
    {"nand.bits_per_cell", read_one, {"ftl.capacity=128MiB"}, "3", "2", "read_us", fall},
    {"nand.page", writes, {"ftl.capacity=128MiB"}, "16KiB", "8KiB", "seconds", rise},
    {"nand.bus_rate", read_page, {}, "3600MB/s", "400MB/s", "read_us", rise},
    {"nand.sca", reads, one_channel, "false", "true", "seconds", fall},
    {"nand.independent_plane_reads", reads, {}, "true", "false", "seconds", rise},
    {"nand.cache_read", page_reads, with(slow_bus, {"nand.independent_plane_reads=false"}), "false", "true", "seconds", fall},
    {"nand.cache_program", writes, slow_bus, "false", "true", "seconds", fall},
    {"nand.program_passes", writes, {}, "1", "2", "seconds", rise},
    {"nand.program_suspends", mixed, {}, "0", "5", "read_us", fall},
    {"nand.erase_suspends", churn, {"nand.t_bers=20ms"}, "0", "5", "read_us", fall},
    {"nand.t_r_lower", read_one, {}, "33750ns", "67500ns", "read_us", rise},
    {"nand.t_r_middle", read_one, {}, "45us", "90us", "read_us", rise},
    {"nand.t_r_upper", read_one, {}, "58500ns", "117us", "read_us", rise},
    {"nand.t_r_extra", read_one, {"nand.bits_per_cell=4"}, "70us", "140us", "read_us", rise},
    {"nand.snap_read", read_one, {}, "0B", "4KiB", "read_us", fall},
    {"nand.snap_percent", read_one, {"nand.snap_read=4KiB"}, "80", "40", "read_us", fall},
    {"nand.t_prog", writes, {}, "1100us", "2200us", "seconds", rise},
    {"nand.t_prog_first", writes, two_passes, "600us", "1200us", "seconds", rise},
    {"nand.t_bers", overwrites, {}, "5ms", "20ms", "seconds", rise},
    {"nand.t_rcbsy", page_reads, with(slow_bus, {"nand.independent_plane_reads=false", "nand.cache_read=true"}), "3us", "30us", "seconds",
     rise},
    {"nand.t_cbsy", writes, with(slow_bus, {"nand.cache_program=true"}), "3us", "300us", "seconds", rise},
    {"nand.t_suspend_program", mixed, suspends, "30us", "300us", "read_us", rise},
    {"nand.t_suspend_erase", churn, erase_suspends, "35us", "10ms", "read_us", rise},
    {"nand.t_resume", mixed, suspends, "30us", "1ms", "busy:nand.dies", rise},
    {"nand.suspend_progress", mixed, suspends, "100us", "2ms", "nand.suspends", fall},
    {"nand.t_cmd_read", read_one, {}, "600ns", "1600ns", "read_us", rise},
    {"nand.t_cmd_read_plane", read_stripe, {}, "600ns", "1600ns", "read_us", rise},
    {"nand.t_cmd_out", read_one, {}, "600ns", "1600ns", "read_us", rise},
    {"nand.t_cmd_program", writes, {}, "600ns", "100us", "seconds", rise},
    {"nand.t_cmd_program_plane", writes, {}, "600ns", "100us", "seconds", rise},
    {"nand.t_cmd_erase", overwrites, {}, "300ns", "30us", "busy:nand.channels", rise},
    {"nand.t_cmd_erase_plane", overwrites, {}, "300ns", "30us", "busy:nand.channels", rise},
    {"nand.t_cmd_suspend", mixed, suspends, "100ns", "50us", "busy:nand.channels", rise},
    {"nand.t_wb", read_one, {}, "100ns", "1100ns", "read_us", rise},
    {"nand.t_rr", read_one, {}, "20ns", "1020ns", "read_us", rise},
    {"nand.codeword", read_one, {}, "4KiB", "16KiB", "read_us", rise},
    {"nand.parity", read_one, {}, "448B", "4KiB", "read_us", rise},
    {"nand.ecc_latency", read_one, {}, "2us", "12us", "read_us", rise},
    {"nand.ecc_rate", read_page, {}, "4GB/s", "100MB/s", "read_us", rise},
    {"nand.die_overtakes", mixed, {}, "64", "0", "read_us", rise},
};

const std::vector<Knob> translation{
    {"ftl.capacity", overwrites, {}, "200MiB", "256MiB", "ftl.gc_moved", rise},
    {"ftl.mapping_unit", small_writes, {}, "4KiB", "16KiB", "ftl.placed", scale, 4},
    {"ftl.precondition", read_one, {}, "none", "sequential", "ftl.flash_reads", rise},
    {"ftl.map", reads, {}, "full", "cached", "ftl.map_reads", rise},
    {"ftl.map_cache", read_one, cached, "64KiB", "128KiB", "ftl.map_misses", fall},
    {"ftl.map_page", reads, cached, "16KiB", "32KiB", "ftl.map_reads", fall},
    {"ftl.map_entry", read_one, cached, "4B", "8B", "ftl.map_misses", rise},
    {"ftl.write_buffer", small_writes, {}, "1MiB", "8MiB", "write_us", fall},
    {"ftl.rain", writes, {"ftl.capacity=128MiB"}, "0", "3", "ftl.parity", rise},
    {"ftl.lookup_latency", read_one, {}, "500ns", "10500ns", "read_us", rise},
    {"ftl.lookup_rate", reads, {}, "12MHz", "10kHz", "seconds", rise},
    {"ftl.write_latency", write_one, {}, "2us", "12us", "write_us", rise},
    {"ftl.gc_policy", overwrites, {}, "greedy", "fifo", "ftl.gc_moved", rise},
    {"ftl.gc_d", overwrites, {"ftl.gc_policy=d_choices"}, "1", "10", "ftl.gc_moved", fall},
    {"ftl.gc_pacing", overwrites, {}, "threshold", "tokens", "ftl.pacing_wait", rise},
    {"ftl.gc_low", overwrites, {"ftl.gc_high=12"}, "3", "11", "ftl.gc_moved", rise},
    {"ftl.gc_high", overwrites, {}, "5", "12", "ftl.gc_moved", rise},
    {"ftl.gc_moves_urgent", overwrites, {"ftl.gc_moves=1"}, "1", "128", "seconds", fall},
    {"ftl.spare_blocks", overwrites, with(failing, {"ftl.capacity=180MiB"}), "0", "8", "ftl.bad_blocks", rise},
    {"ftl.plane_victims",
     overwrites,
     {"ftl.part=static", "ftl.precondition=none", "ftl.mapping_unit=16KiB", "ftl.gc_low=12", "ftl.gc_high=12", "nand.bits_per_cell=1",
      "nand.wordlines_per_block=48"},
     "2",
     "12",
     "ftl.gc_moved",
     rise},
    {"ftl.wear_spread", few_writes, {}, "0", "2", "ftl.wear_victims", rise},
};

const std::vector<Knob> errors{
    {"reliability.enabled", reads, worn, "false", "true", "read_us", rise},
    {"reliability.initial_pe", reads, worn, "0", "8000", "nand.retries", rise},
    {"reliability.retention", reads, worn, "0s", "7776000s", "nand.retries", rise},
    {"reliability.rber_fresh", reads, worn, "3e-5", "3e-3", "nand.retries", rise},
    {"reliability.rber_lower", reads, worn, "0.7", "2", "nand.retries", rise},
    {"reliability.rber_middle", reads, worn, "1", "2", "nand.retries", rise},
    {"reliability.rber_upper", reads, worn, "1.3", "2.6", "nand.retries", rise},
    {"reliability.rber_extra", reads, with(worn, {"nand.bits_per_cell=4"}), "1.6", "3", "nand.retries", rise},
    {"reliability.wear", reads, worn, "3e-8", "3e-7", "nand.retries", rise},
    {"reliability.wear_exponent", reads, worn, "1.2", "1.4", "nand.retries", rise},
    {"reliability.retention_loss", reads, worn, "6.6e-8", "6.6e-7", "nand.retries", rise},
    {"reliability.retention_scale", reads, with(worn, {"reliability.retention_loss=4e-7"}), "3600s", "7776000s", "nand.retries", fall},
    {"reliability.read_disturb", few_reads, worn, "0", "1e-5", "nand.retries", rise},
    {"reliability.variation", reads, worn, "0", "0.5", "nand.retries", rise},
    {"reliability.hard_bits", reads, worn, "30", "60", "nand.retries", fall},
    {"reliability.soft_bits", reads, lost, "60", "200", "errors", fall},
    {"reliability.iterations", read_one, worn, "20", "60", "read_us", rise},
    {"reliability.decode_latency", read_one, worn, "1us", "11us", "read_us", rise},
    {"reliability.iteration_latency", read_one, worn, "100ns", "1us", "read_us", rise},
    {"reliability.retry_steps", reads, with(worn, {"reliability.initial_pe=10000"}), "1", "8", "nand.soft_decoded", fall},
    {"reliability.retry_gain", reads, with(worn, {"reliability.initial_pe=10000"}), "0.5", "0.95", "nand.retries", rise},
    {"reliability.soft_senses", reads, lost, "0", "2", "errors", fall},
    {"reliability.soft_latency", reads, lost, "10us", "1ms", "read_us", rise},
    {"reliability.endurance", writes, with(failing, {"reliability.program_failures=4e-3"}), "5000", "50000", "nand.program_failures", fall},
    {"reliability.program_failures", writes, failing, "0", "4e-3", "nand.program_failures", rise},
    {"reliability.erase_failures", overwrites, failing, "0", "4e-3", "nand.erase_failures", rise},
    {"reliability.factory_bad", write_one, failing, "0", "0.02", "nand.factory_bad", rise},
    {"reliability.refresh_reads", mixed, refreshed, "1000000", "5", "ftl.refresh_victims", rise},
    {"reliability.refresh_age", mixed, with(refreshed, {"reliability.retention=7776000s"}), "8640000s", "7200000s", "ftl.refresh_victims",
     rise},
};

const std::vector<Elsewhere> elsewhere{
    {"nand.merge_planes", "NandMerge.MergedReadsRaiseWhatOneDieDelivers"},
    {"nand.program_unit", "NandMerge.SinglePagesAreProgrammedInOrderAndKeepTheirBytes"},
    {"nand.channel_policy", "NandMerge.DataFirstLetsFinishedReadsGoBeforeCommands"},
    {"nand.die_policy", "NandModes.SixtyFourDeepTheHostsReadsAreFasterThanWithoutPriority"},
    {"nand.bus_overtakes", "NandSchedule.DataInWaitsForNoMoreThanItsBound"},
    {"ftl.image", "FtlImage.TheLoadedDriveGoesOnLikeTheSavedOne"},
    {"ftl.flush_programs", "FtlModel.FlushIsAtOnceOrWaitsForPrograms"},
    {"ftl.power_loss_protection", "FtlPower.WithoutCapacitorsAFlushProgramsAndErasesWait"},
    {"ftl.recoverable", "FtlPower.WithCapacitorsEveryAcknowledgedWriteIsThereAfterAnyOfAThousandLosses"},
    {"ftl.recovery_read", "FtlPower.RecoveryTimeIsTheScanAndTheDumpOnAllDies"},
    {"ftl.write_streams", "FtlModel.StreamsHaveSuperblocksOfTheirOwn"},
    {"ftl.gc_isolation", "FtlGc.HandlesKeepLifetimesApartWhereCollectionDoesToo"},
    {"ftl.gc_moves", "FtlModel.MoreMovesInFlightShortenTheWaitForASuperblock"},
    {"ftl.gc_victims", "FtlGc.SeveralVictimsCloseTheGapsBetweenThem"},
};

class KnobEffect : public ::testing::TestWithParam<Knob> {};

TEST_P(KnobEffect, IsInTheRightDirection) {
  const Knob& k = GetParam();
  const double from = measure(k, k.from), to = measure(k, k.to);
  std::printf("effect %s %s: %g with %s, %g with %s\n", k.key, k.metric, from, k.from, to, k.to);
  switch (k.must) {  // half a percent at least: no knob moves a mean by accident of rounding
    case rise: EXPECT_GT(to, 1.005 * from); break;
    case fall: EXPECT_LT(to, 0.995 * from); break;
    case scale: EXPECT_NEAR(to / from, k.ratio, 0.02 * k.ratio); break;
  }
}

std::string name_of_knob(const ::testing::TestParamInfo<Knob>& info) {
  std::string name = info.param.key;
  std::ranges::replace(name, '.', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Nand, KnobEffect, ::testing::ValuesIn(flash), name_of_knob);
INSTANTIATE_TEST_SUITE_P(Ftl, KnobEffect, ::testing::ValuesIn(translation), name_of_knob);
INSTANTIATE_TEST_SUITE_P(Reliability, KnobEffect, ::testing::ValuesIn(errors), name_of_knob);

/// The sources of all tests, one after the other: "" where they are not what this was built from.
std::map<std::string, std::string> test_sources() {
  std::map<std::string, std::string> all;
  for (const auto& file : std::filesystem::recursive_directory_iterator(std::filesystem::path{FLASHPATH_SOURCE} / "testbench/tests")) {
    if (!file.path().filename().string().ends_with("_test.cpp")) continue;
    std::ifstream in(file.path());
    std::ostringstream text;
    text << in.rdbuf();
    all[file.path().string()] = text.str();
  }
  return all;
}

/// Whether a file gives the field a value: "block.key=" in an assignment, `.key =` of a configuration.
bool sets(const std::string& text, const std::string& path) {
  const std::string key = path.substr(path.find('.') + 1);
  return text.find("\"" + path + "=") != std::string::npos || text.find("." + key + " = ") != std::string::npos;
}

template <class Config>
std::vector<std::string> paths_of(const std::string& block) {
  UserErrors mistakes;
  std::vector<Parameter> parameters;
  Config config;
  flashpath::Settings nothing;
  read(nothing, block, config, mistakes, parameters);
  std::vector<std::string> paths;
  for (const Parameter& p : parameters) paths.push_back(p.path);
  return paths;
}

TEST(KnobEffects, EveryFieldOfFlashAndFtlHasARow) {
  std::set<std::string> rows;
  for (const auto* table : {&flash, &translation, &errors})
    for (const Knob& k : *table) EXPECT_TRUE(rows.insert(k.key).second) << k.key << " twice";
  for (const Elsewhere& e : elsewhere) EXPECT_TRUE(rows.insert(e.key).second) << e.key << " twice";
  std::set<std::string> fields;
  for (const auto& paths : {paths_of<nand::Config>("nand"), paths_of<nand::ReliabilityConfig>("reliability"), paths_of<ftl::Config>("ftl")})
    for (const auto& path : paths) {
      fields.insert(path);
      EXPECT_TRUE(rows.contains(path)) << path << ": no test of what it does. Add a row, or a test of its own and its name";
    }
  EXPECT_GT(fields.size(), 100U);
  for (const auto& row : rows) EXPECT_TRUE(fields.contains(row)) << row << ": no such field any more";
}

TEST(KnobEffects, TestsElsewhereAreThereAndSetTheField) {
  const auto sources = test_sources();
  ASSERT_GT(sources.size(), 50U) << "the test sources are not where they were built from";
  for (const Elsewhere& e : elsewhere) {
    const std::string test = e.test;
    const auto dot = test.find('.');
    const std::string macro = "(" + test.substr(0, dot) + ", " + test.substr(dot + 1) + ")";
    bool found = false;
    for (const auto& [file, text] : sources) {
      if (text.find("TEST" + macro) == std::string::npos && text.find("TEST_F" + macro) == std::string::npos) continue;
      found = true;
      EXPECT_TRUE(sets(text, e.key)) << file << " does not set " << e.key;
    }
    EXPECT_TRUE(found) << "no test " << e.test << " for " << e.key;
  }
  EXPECT_TRUE(sets("c.t_prog = 5us;", "nand.t_prog"));
  EXPECT_FALSE(sets("if (c.t_prog == 5us)", "nand.t_prog"));
  EXPECT_FALSE(sets("{\"uplink_nand.t_prog=300us\"}", "nand.t_prog"));
}

}  // namespace
}  // namespace flashpath::test

// SPDX-License-Identifier: Apache-2.0
// Energy: counts times coefficients, by hand; and what is not known stays unknown.
#include "energy/energy.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace flashpath::energy {
namespace {

std::string given(const std::string& key, const std::string& value) {
  return key + " = { value = \"" + value + "\", known = \"assumed\", source = \"a test\" }\n";
}

const std::string whole = "[nand]\n" + given("read_tlc", "10uJ") + given("program_tlc", "300uJ") + given("erase", "2mJ") +
                          given("channel", "2pJ/bit") + given("read_slc", "4uJ") + given("program_slc", "100uJ") + "[drive]\n" +
                          given("link", "40pJ/B") + given("idle", "4W") + "[dpu]\n" + given("dram", "4.5pJ/bit") +
                          given("fabric", "0.02nJ/bit") + given("idle", "50W");

Coefficients good(const std::string& text) {
  UserErrors errors;
  Coefficients c = read(text, "energy.toml", errors);
  for (const auto& e : errors.list) ADD_FAILURE() << e;
  return c;
}

std::string wrong(const std::string& text) {
  UserErrors errors;
  read(text, "energy.toml", errors);
  std::string all;
  for (const auto& e : errors.list) all += e + "\n";
  return all;
}

const Counts counts{.bits_per_cell = 3,
                    .plane_senses = 1000,
                    .plane_programs = 20,
                    .plane_erases = 3,
                    .channel = {5'000'000},
                    .link = {4'000'000},
                    .dram = {8'000'000},
                    .fabric = {1'000'000},
                    .drives = 2,
                    .seconds = 0.25,
                    .host = {2'000'000}};

TEST(Energy, TermsAndSumsByHand) {
  const Report r = report(good(whole), counts);
  ASSERT_EQ(r.terms.size(), 9U);
  const auto term = [&](std::string_view name) {
    for (const Term& t : r.terms)
      if (t.name == name) return t.joules.value();
    ADD_FAILURE() << name;
    return 0.0;
  };
  EXPECT_DOUBLE_EQ(term("nand_read"), 1000 * 10e-6);
  EXPECT_DOUBLE_EQ(term("nand_program"), 20 * 300e-6);
  EXPECT_DOUBLE_EQ(term("nand_erase"), 3 * 2e-3);
  EXPECT_DOUBLE_EQ(term("channel"), 5e6 * 8 * 2e-12);
  EXPECT_DOUBLE_EQ(term("link"), 4e6 * 40e-12);
  EXPECT_DOUBLE_EQ(term("drive_idle"), 2 * 4 * 0.25);
  EXPECT_DOUBLE_EQ(term("dram"), 8e6 * 8 * 4.5e-12);
  EXPECT_DOUBLE_EQ(term("fabric"), 1e6 * 8 * 20e-12);
  EXPECT_DOUBLE_EQ(term("dpu_idle"), 50 * 0.25);
  const double drives = 0.01 + 0.006 + 0.006 + 80e-6 + 160e-6 + 2;
  EXPECT_NEAR(r.drives.value(), drives, 1e-12);
  EXPECT_NEAR(r.total.value(), drives + 288e-6 + 160e-6 + 12.5, 1e-11);
  EXPECT_NEAR(r.drives_per_byte.value(), drives / 2e6, 1e-17);
  EXPECT_NEAR(r.per_byte.value(), r.total.value() / 2e6, 1e-17);
}

TEST(Energy, PageWiseProgramsShareTheirWordline) {
  Counts pages = counts;
  pages.programs_per_wordline = 3;
  EXPECT_DOUBLE_EQ(report(good(whole), pages).terms[1].joules.value(), 20 * 100e-6);
}

TEST(Energy, CellsHaveTheirOwnCoefficients) {
  Counts slc = counts;
  slc.bits_per_cell = 1;
  EXPECT_DOUBLE_EQ(report(good(whole), slc).terms[0].joules.value(), 1000 * 4e-6);
  EXPECT_DOUBLE_EQ(report(good(whole), slc).terms[1].joules.value(), 20 * 100e-6);
  Counts qlc = counts;
  qlc.bits_per_cell = 4;
  EXPECT_FALSE(report(good(whole), qlc).terms[0].joules.has_value());
  EXPECT_FALSE(report(good(whole), qlc).drives.has_value());
}

TEST(Energy, WhatIsMissingIsUnknownAndSoAreItsSums) {
  const std::vector<std::pair<std::string, bool>> keys{{"read_tlc", true}, {"program_tlc", true}, {"erase", true},  {"channel", true},
                                                       {"link", true},     {"dram", false},       {"fabric", false}};
  for (const auto& [key, of_drive] : keys) {
    std::string text;
    std::istringstream lines{whole};
    for (std::string line; std::getline(lines, line);)
      if (!line.starts_with(key + " ")) text += line + "\n";
    const Report r = report(good(text), counts);
    unsigned unknown = 0;
    for (const Term& t : r.terms) unknown += t.joules ? 0U : 1U;
    EXPECT_EQ(unknown, 1U) << key;
    EXPECT_EQ(r.drives.has_value(), !of_drive) << key;
    EXPECT_EQ(r.drives_per_byte.has_value(), !of_drive) << key;
    EXPECT_EQ(r.dpu.has_value(), of_drive) << key;
    EXPECT_FALSE(r.total.has_value()) << key;
    EXPECT_FALSE(r.per_byte.has_value()) << key;
  }
  Counts none = counts;
  none.plane_erases = 0;
  std::string text = whole;
  text.replace(text.find("erase"), 5, "read_qlc");
  EXPECT_FALSE(report(good(text), none).terms[2].joules.has_value()) << "not even for no erase at all";
  none.host = {};
  EXPECT_FALSE(report(good(whole), none).per_byte.has_value()) << "per byte of nothing";
}

TEST(Energy, EveryMistakeIsSaid) {
  EXPECT_NE(wrong("[nand]\nerase = \"2mJ\"\n").find("energy.toml:2: nand.erase: no source"), std::string::npos);
  EXPECT_NE(wrong("[nand]\nerase = { value = \"2mJ\", source = \"a\" }\n").find("how is it known"), std::string::npos);
  EXPECT_NE(wrong("[nand]\n" + given("reed_tlc", "2mJ")).find("did you mean \"nand.read_tlc\""), std::string::npos);
  EXPECT_NE(wrong("[nand]\n" + given("erase", "2mW")).find("not an energy, e.g. \"50uJ\""), std::string::npos);
  EXPECT_NE(wrong("[nand]\n" + given("channel", "2pJ")).find("not an energy per bit"), std::string::npos);
  EXPECT_NE(wrong("[drive]\n" + given("idle", "5J")).find("not a power"), std::string::npos);
  for (const char* bad : {"-5W", "W", "5", "5 W", "1.2.3W", "1e3W", ".W", "5w", ""})
    EXPECT_NE(wrong("[drive]\n" + given("idle", bad)).find("not a power"), std::string::npos) << bad;
  EXPECT_NE(wrong("").find("no coefficient"), std::string::npos);
  EXPECT_NE(wrong("base = \"bf4-icms\"\n" + whole).find("base"), std::string::npos);
  EXPECT_NE(wrong("[nand\n").find("energy.toml:1"), std::string::npos);
  const std::string both = wrong("[nand]\nerase = \"2mJ\"\n" + given("nothing_like_it_at_all", "1J"));
  EXPECT_NE(both.find("erase"), std::string::npos);
  EXPECT_NE(both.find("nothing_like"), std::string::npos);
  UserErrors errors;
  load("/nowhere/energy.toml", errors);
  EXPECT_EQ(errors.list.size(), 1U);
}

TEST(Energy, PrintsWhatItRead) {
  const Coefficients c = good(whole);
  ASSERT_EQ(c.given.size(), 11U);
  const auto value = [&](std::string_view path) {
    for (const auto& p : c.given)
      if (p.path == path) return p.value;
    return std::string{};
  };
  EXPECT_EQ(value("nand.read_tlc"), "10uJ");
  EXPECT_EQ(value("nand.erase"), "2mJ");
  EXPECT_EQ(value("drive.link"), "5pJ/bit");
  EXPECT_EQ(value("dpu.fabric"), "20pJ/bit");
  EXPECT_EQ(value("dpu.idle"), "50W");
  for (const auto& p : c.given) EXPECT_EQ(p.source, "a test");
}

TEST(Energy, TheExampleIsGoodAndHonest) {
  UserErrors errors;
  const Coefficients c = load(FLASHPATH_SOURCE "/tlm/energy/example.toml", errors);
  for (const auto& e : errors.list) ADD_FAILURE() << e;
  const Report r = report(c, counts);
  EXPECT_TRUE(r.drives.has_value());
  EXPECT_FALSE(r.total.has_value()) << "nobody has published what the DPU takes";
}

TEST(Energy, LanesThatRestSaveTheirShare) {
  UserErrors errors;
  const auto c = read("[drive]\nlane = { value = \"200mW\", known = \"assumed\", source = \"a guess\" }\n", "test", errors);
  ASSERT_TRUE(errors.empty());
  Counts wide, narrow;
  wide.lane_ns = 4'000'000'000;  // four lanes for a second
  narrow.lane_ns = 1'000'000'000;
  const auto joules = [&](const Counts& n) {
    for (const auto& term : report(c, n).terms)
      if (term.name == "link_lanes") return term.joules.value();
    return 0.0;
  };
  EXPECT_DOUBLE_EQ(joules(wide), 0.8);
  EXPECT_DOUBLE_EQ(joules(narrow), 0.2);
}

}  // namespace
}  // namespace flashpath::energy

// SPDX-License-Identifier: Apache-2.0
// The sentences a user reads are part of the interface, so every one of them is compared word by word.
#include "base/config.h"

#include <gtest/gtest.h>

#include <array>

#include "base/parameters_doc.h"

namespace flashpath {
namespace {

enum class Order : std::uint8_t { fifo, reads_first };
std::string_view name_of(Order order) { return order == Order::fifo ? "fifo" : "reads_first"; }
std::span<const Order> all_of(const Order*) {
  static constexpr std::array all{Order::fifo, Order::reads_first};
  return all;
}

struct Nand {
  Duration t_r = 45us;
  std::uint32_t channels = 16;
  Bytes page = 16_KiB;
  Rate rate = 3600_MBps;
  Hertz clock = 1200_MHz;
  std::uint64_t seed = 1;
  double spare = 0.07;
  bool cache = true;
  std::string part = "any";
  Order order = Order::fifo;

  static constexpr auto schema() {
    using C = Nand;
    return std::tuple{
        Field{"t_r", &C::t_r, "page read time", Known::datasheet, "ONFI 5.1", Range{1us, 10ms}},
        Field{"channels", &C::channels, "flash channels", Known::assumed, "a common drive", Range{1U, 64U}},
        Field{"page", &C::page, "page size", Known::datasheet, "ONFI 5.1", Range{4_KiB, 64_KiB}},
        Field{"rate", &C::rate, "channel rate", Known::spec, "ONFI 5.1", Range{1_MBps, 8_GBps}},
        Field{"clock", &C::clock, "controller clock", Known::assumed, "none", Range{1_MHz, 4_GHz}},
        Field{"seed", &C::seed, "seed", Known::assumed, "none"},
        Field{"spare", &C::spare, "spare area", Known::assumed, "none", Range{0.0, 0.5}},
        Field{"cache", &C::cache, "cache reads", Known::assumed, "none"},
        Field{"part", &C::part, "part name", Known::assumed, "none"},
        Field{"order", &C::order, "who goes first", Known::assumed, "none"},
    };
  }
  void check(const std::string& where, UserErrors& errors) const {
    if (channels == 13) errors.add(where + ".channels: thirteen is refused");
  }
};

struct Result {
  Nand nand;
  UserErrors errors;
  std::vector<Parameter> parameters;
  Settings settings;
};

Result resolve(std::string_view toml, const std::vector<std::string>& sets = {}) {
  Result r;
  r.settings.read_toml(toml, "a.toml", r.errors);
  for (const std::string& s : sets) r.settings.set(s, r.errors);
  read(r.settings, "nand", r.nand, r.errors, r.parameters);
  check_unused(r.settings, r.parameters, r.errors);
  return r;
}

using Lines = std::vector<std::string>;
Lines errors_of(std::string_view toml, const std::vector<std::string>& sets = {}) { return resolve(toml, sets).errors.list; }

template <class T>
std::optional<T> parsed(std::string text, Given::Kind kind = Given::Kind::text) {
  T out{};
  Given given;
  given.kind = kind;
  given.text = std::move(text);
  return parse(given, out) ? std::optional<T>{out} : std::nullopt;
}

TEST(Config, ReadsEveryType) {
  const Result r = resolve(R"(
[nand]
t_r = "50us"
channels = 8
page = "8KiB"
rate = "3.2GB/s"
clock = "1.7GHz"
seed = 9
spare = 0.25
cache = false
part = "x"
order = "reads_first"
)");
  EXPECT_EQ(r.errors.list, Lines{});
  EXPECT_EQ(r.nand.t_r, 50us);
  EXPECT_EQ(r.nand.channels, 8U);
  EXPECT_EQ(r.nand.page, 8_KiB);
  EXPECT_EQ(r.nand.rate, 3200_MBps);
  EXPECT_EQ(r.nand.clock, 1700_MHz);
  EXPECT_EQ(r.nand.seed, 9U);
  EXPECT_EQ(r.nand.spare, 0.25);
  EXPECT_FALSE(r.nand.cache);
  EXPECT_EQ(r.nand.part, "x");
  EXPECT_EQ(r.nand.order, Order::reads_first);
  ASSERT_EQ(r.parameters.size(), 10U);
  const Lines types{"duration", "count", "size", "rate", "frequency", "count", "number", "switch", "name", "choice"};
  const Lines values{"50us", "8", "8KiB", "3.2GB/s", "1.7GHz", "9", "0.25", "false", "x", "reads_first"};
  for (std::size_t i = 0; i < types.size(); ++i) {
    EXPECT_EQ(r.parameters[i].type, types[i]);
    EXPECT_EQ(r.parameters[i].value, values[i]);
    EXPECT_EQ(r.parameters[i].known, Known::user);
  }
}

TEST(Config, EachWrongTypeSaysWhatIsMeant) {
  const auto one = [](const char* line) { return errors_of(std::string{"[nand]\n"} + line); };
  EXPECT_EQ(one(R"(t_r = "45")"), Lines{R"(a.toml:2: nand.t_r = "45": not a duration, e.g. "45us")"});
  EXPECT_EQ(one("t_r = 45"), Lines{R"(a.toml:2: nand.t_r = 45: not a duration, e.g. "45us")"});
  EXPECT_EQ(one(R"(t_r = "45KiB")"), Lines{R"(a.toml:2: nand.t_r = "45KiB": not a duration, e.g. "45us")"});
  EXPECT_EQ(one("t_r = 2020-01-02"), Lines{R"(a.toml:2: nand.t_r = 2020-01-02: not a duration, e.g. "45us")"});
  EXPECT_EQ(one(R"(page = "4K")"), Lines{R"(a.toml:2: nand.page = "4K": not a size, e.g. "64KiB")"});
  EXPECT_EQ(one(R"(rate = "3GB")"), Lines{R"(a.toml:2: nand.rate = "3GB": not a rate, e.g. "3.6GB/s" or "800Gbit/s")"});
  EXPECT_EQ(one(R"(clock = "1ns")"), Lines{R"(a.toml:2: nand.clock = "1ns": not a frequency, e.g. "1.7GHz")"});
  EXPECT_EQ(one("channels = 1.0"), Lines{"a.toml:2: nand.channels = 1.0: not a whole number from 0 to 4294967295, e.g. 16"});
  EXPECT_EQ(one("channels = -1"), Lines{"a.toml:2: nand.channels = -1: not a whole number from 0 to 4294967295, e.g. 16"});
  EXPECT_EQ(one("channels = 4294967297"), Lines{"a.toml:2: nand.channels = 4294967297: not a whole number from 0 to 4294967295, e.g. 16"});
  EXPECT_EQ(one(R"(seed = "1")"), Lines{R"(a.toml:2: nand.seed = "1": not a whole number from 0 to 18446744073709551615, e.g. 16)"});
  EXPECT_EQ(one("spare = nan"), Lines{"a.toml:2: nand.spare = nan: not a number, e.g. 0.5"});
  EXPECT_EQ(one(R"(cache = "true")"), Lines{R"(a.toml:2: nand.cache = "true": not a switch: true or false, without quotes)"});
  EXPECT_EQ(one("part = 7"), Lines{R"(a.toml:2: nand.part = 7: not a text in quotes, e.g. "name")"});
  EXPECT_EQ(one(R"(order = "lifo")"), Lines{R"(a.toml:2: nand.order = "lifo": not one of "fifo", "reads_first")"});
}

TEST(Config, RangeEdgesAreInsideAndOneStepBeyondIsNot) {
  for (const char* ok : {"t_r=1us", "t_r=10ms", "channels=1", "channels=64", "page=4KiB", "page=64KiB", "spare=0", "spare=0.5",
                         "rate=8GB/s", "clock=4GHz"}) {
    EXPECT_EQ(errors_of("", {std::string{"nand."} + ok}), Lines{}) << ok;
  }
  EXPECT_EQ(errors_of("[nand]\nchannels = 0"), Lines{"a.toml:2: nand.channels = 0: must be between 1 and 64"});
  EXPECT_EQ(errors_of("", {"nand.channels=65"}), Lines{"--set: nand.channels = 65: must be between 1 and 64"});
  EXPECT_EQ(errors_of("", {"nand.t_r=999999ps"}), Lines{"--set: nand.t_r = 999999ps: must be between 1us and 10ms"});
  EXPECT_EQ(errors_of("", {"nand.t_r=10000000001ps"}), Lines{"--set: nand.t_r = 10000000001ps: must be between 1us and 10ms"});
  EXPECT_EQ(errors_of("[nand]\npage = \"65537B\""), Lines{"a.toml:2: nand.page = \"65537B\": must be between 4KiB and 64KiB"});
  EXPECT_EQ(errors_of("", {"nand.spare=0.5000001"}), Lines{"--set: nand.spare = 0.5000001: must be between 0 and 0.5"});
}

TEST(Config, AllMistakesAtOnceAndDefaultsStay) {
  const Result r = resolve("[nand]\nt_r = \"45\"\nchannels = 0\nchanels = 3\n[nadn]\nx = 1\n", {"nand.order=lifo", "nonsense"});
  EXPECT_EQ(r.errors.list,
            (Lines{"--set nonsense: not an assignment; write path=value, e.g. --set nand.channels=32",
                   R"(a.toml:2: nand.t_r = "45": not a duration, e.g. "45us")", "a.toml:3: nand.channels = 0: must be between 1 and 64",
                   R"(--set: nand.order = lifo: not one of "fifo", "reads_first")", "a.toml:6: nadn.x: no such parameter",
                   R"(a.toml:4: nand.chanels: no such parameter; did you mean "nand.channels"?)"}));
  EXPECT_EQ(r.nand.t_r, 45us);
  EXPECT_EQ(r.nand.channels, 16U);
  EXPECT_EQ(r.parameters[0].known, Known::datasheet);
}

TEST(Config, RulesBetweenKeysRunOnlyOnGoodBlocks) {
  EXPECT_EQ(errors_of("", {"nand.channels=13"}), Lines{"nand.channels: thirteen is refused"});
  EXPECT_EQ(errors_of("", {"nand.channels=13", "nand.t_r=1"}), Lines{R"(--set: nand.t_r = 1: not a duration, e.g. "45us")"});
}

TEST(Config, SourcesAreKeptAndTheLastWordWins) {
  const char* preset = "base = \"g5\"\n[nand]\nt_r = { value = \"60us\", known = \"measured\", source = \"our bench\" }\nchannels = 8\n";
  Result r = resolve(preset, {"nand.channels=32"});
  EXPECT_EQ(r.errors.list, Lines{});
  ASSERT_TRUE(r.settings.base.has_value());
  EXPECT_EQ(r.settings.base->text, "g5");
  EXPECT_EQ(r.settings.base->where, "a.toml:1");
  EXPECT_EQ(r.nand.t_r, 60us);
  EXPECT_EQ(r.parameters[0].known, Known::measured);
  EXPECT_EQ(r.parameters[0].source, "our bench");
  EXPECT_EQ(r.nand.channels, 32U);
  EXPECT_EQ(r.parameters[1].known, Known::user);
  EXPECT_EQ(r.parameters[1].source, "--set");
  EXPECT_EQ(r.parameters[2].known, Known::datasheet);
  EXPECT_EQ(r.parameters[2].source, "ONFI 5.1");
  r.settings.read_toml("[nand]\nt_r = \"70us\"\n", "mine.toml", r.errors);
  EXPECT_FALSE(r.settings.base.has_value());  // belongs to the text read last
  std::vector<Parameter> out;
  read(r.settings, "nand", r.nand, r.errors, out);
  EXPECT_EQ(r.nand.t_r, 70us);
  EXPECT_EQ(out[0].known, Known::user);
  EXPECT_EQ(out[0].source, "mine.toml:2");
}

TEST(Config, DoubtfulToml) {
  EXPECT_EQ(errors_of("[nand]\nt_r = [\"45us\"]"),
            Lines{"a.toml:2: nand.t_r: a list, where one value is meant; lists and [[tables]] are not used"});
  EXPECT_EQ(errors_of("[[nand]]\nt_r = \"45us\""),
            Lines{"a.toml:1: nand: a list, where one value is meant; lists and [[tables]] are not used"});
  EXPECT_EQ(errors_of("base = 3"), Lines{"a.toml:1: base: not the name of a preset; write base = \"name\""});
  EXPECT_EQ(errors_of("nand.t_r = { value = \"45us\", knwon = \"spec\" }"),
            Lines{"a.toml:1: nand.t_r: knwon: not one of value, known, source"});
  EXPECT_EQ(errors_of("nand.t_r = { value = \"45us\", known = \"guess\" }"),
            Lines{R"(a.toml:1: nand.t_r: known = "guess": not one of "spec", "datasheet", "measured", "assumed")"});
  EXPECT_EQ(errors_of("nand.t_r = { value = \"45us\", known = \"user\" }").size(), 1U);
  EXPECT_EQ(errors_of("nand.t_r = { value = \"45us\", source = 3 }"), Lines{"a.toml:1: nand.t_r: source: not a text in quotes"});
  EXPECT_EQ(errors_of("nand.t_r = { known = \"spec\" }"),
            Lines{R"(a.toml:1: nand.t_r: no value; write { value = ..., known = "...", source = "..." })"});
  EXPECT_EQ(errors_of("nand.t_r = { value = [1] }"), Lines{"a.toml:1: nand.t_r: value: must be one value, not a list or a table"});
  EXPECT_EQ(errors_of("nand = { t_r = \"45us\", channels = 4 }"), Lines{});  // a block on one line
  const Lines syntax = errors_of("[nand]\nchannels = 8\nt_r = \n");
  ASSERT_EQ(syntax.size(), 1U);
  EXPECT_TRUE(syntax[0].starts_with("a.toml:3: ")) << syntax[0];
  const Lines twice = errors_of("[nand]\nchannels = 8\nchannels = 9\n");
  ASSERT_EQ(twice.size(), 1U);
  EXPECT_TRUE(twice[0].starts_with("a.toml:3: ")) << twice[0];
}

TEST(Config, SetDecidesTheKindOfABareWord) {
  const Result r = resolve("", {"nand.cache=false", "nand.part=45", "nand.spare=1e-1", "nand.t_r='2us'",
                                " nand.seed = 18446744073709551615 ", "nand.order=\"reads_first\""});
  EXPECT_EQ(r.errors.list, Lines{});
  EXPECT_FALSE(r.nand.cache);
  EXPECT_EQ(r.nand.part, "45");
  EXPECT_EQ(r.nand.spare, 0.1);
  EXPECT_EQ(r.nand.t_r, 2us);
  EXPECT_EQ(r.nand.seed, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(r.nand.order, Order::reads_first);
  EXPECT_EQ(errors_of("", {"=3"}), Lines{"--set =3: not an assignment; write path=value, e.g. --set nand.channels=32"});
  EXPECT_EQ(errors_of("", {"nand.channels=\"8\""}),
            Lines{R"(--set: nand.channels = "8": not a whole number from 0 to 4294967295, e.g. 16)"});
}

TEST(Config, FractionsAreExactOrRefused) {
  EXPECT_EQ(parsed<Duration>("0.5ns"), 500_ps);
  EXPECT_EQ(parsed<Duration>("1.5us"), 1500ns);
  EXPECT_EQ(parsed<Duration>("0.3ps"), std::nullopt);
  EXPECT_EQ(parsed<Duration>("1.0005ns"), std::nullopt);
  EXPECT_EQ(parsed<Duration>("1.000ps"), 1_ps);
  EXPECT_EQ(parsed<Duration>("0.000000000001s"), 1_ps);
  EXPECT_EQ(parsed<Rate>("3.6GB/s"), 3600_MBps);
  EXPECT_EQ(parsed<Rate>("800Gbit/s"), 100_GBps);
  EXPECT_EQ(parsed<Rate>("0.1Gbit/s"), Rate{12'500'000});
  EXPECT_EQ(parsed<Rate>("8bit/s"), Rate{1});
  EXPECT_EQ(parsed<Rate>("9bit/s"), std::nullopt);
  EXPECT_EQ(parsed<Rate>("1.6Tbit/s"), 200_GBps);
  EXPECT_EQ(parsed<Rate>("2GiB/s"), Rate{2ULL << 30U});
  EXPECT_EQ(parsed<Bytes>("0.5KiB"), 512_B);
  EXPECT_EQ(parsed<Bytes>("0.3KiB"), std::nullopt);
  EXPECT_EQ(parsed<Bytes>("3.84TB"), Bytes{3'840'000'000'000});
  EXPECT_EQ(parsed<Hertz>("1.7GHz"), 1700_MHz);
  for (const char* bad :
       {"", "us", "-1us", "+1us", "1 us", " 1us", "1us ", ".5us", "1.us", "1..5us", "1.2.3us", "1e3us", "0x1us", "1US", "1"}) {
    EXPECT_EQ(parsed<Duration>(bad), std::nullopt) << bad;
  }
  for (const char* bad : {"1K", "1KB", "1k", "1Kb", "1GB/s", "1b"}) EXPECT_EQ(parsed<Bytes>(bad), std::nullopt) << bad;
}

TEST(Config, OverflowIsRefusedAtTheLastStep) {
  EXPECT_EQ(parsed<Duration>("9223372036854775807ps"), Duration::max());
  EXPECT_EQ(parsed<Duration>("9223372.036854775807s"), Duration::max());
  EXPECT_EQ(parsed<Duration>("9223372036854775808ps"), std::nullopt);
  EXPECT_EQ(parsed<Duration>("9223372.036854775808s"), std::nullopt);
  EXPECT_EQ(parsed<Bytes>("16777215TiB"), Bytes{16'777'215ULL << 40U});
  EXPECT_EQ(parsed<Bytes>("16777216TiB"), std::nullopt);
  EXPECT_EQ(parsed<Bytes>("99999999999999999999999999B"), std::nullopt);
  EXPECT_EQ(parsed<Bytes>("0." + std::string(60, '0') + "1TB"), std::nullopt);
  EXPECT_EQ(parsed<std::uint32_t>("4294967295", Given::Kind::integer), 4294967295U);
  EXPECT_EQ(parsed<std::uint32_t>("4294967296", Given::Kind::integer), std::nullopt);
  EXPECT_EQ(parsed<double>("1e999", Given::Kind::real), std::nullopt);
}

TEST(Config, PrintsTheShortestExactForm) {
  EXPECT_EQ(print(Duration{45us}), "45us");
  EXPECT_EQ(print(Duration{1500ns}), "1.5us");
  EXPECT_EQ(print(500_ps), "500ps");
  EXPECT_EQ(print(Duration{}), "0s");
  EXPECT_EQ(print(Duration{-45us}), "-45us");
  EXPECT_EQ(print(64_KiB), "64KiB");
  EXPECT_EQ(print(64_GB), "64GB");
  EXPECT_EQ(print(Bytes{1537}), "1537B");
  EXPECT_EQ(print(3600_MBps), "3.6GB/s");
  EXPECT_EQ(print(1700_MHz), "1.7GHz");
  for (std::uint64_t v = 1; v < (std::uint64_t{1} << 62U); v = v * 3 + v / 7) {
    EXPECT_EQ(parsed<Duration>(print(Duration{static_cast<std::int64_t>(v)})), Duration{static_cast<std::int64_t>(v)});
    EXPECT_EQ(parsed<Bytes>(print(Bytes{v})), Bytes{v});
    EXPECT_EQ(parsed<Rate>(print(Rate{v})), Rate{v});
    EXPECT_EQ(parsed<Hertz>(print(Hertz{v})), Hertz{v});
  }
}

TEST(Config, NearestGivesUpBeyondHalfTheLength) {
  EXPECT_EQ(nearest("key_setpu", {"rate", "key_setup"}), "key_setup");
  EXPECT_EQ(nearest("abcd", {"abxy"}), "abxy");
  EXPECT_EQ(nearest("abcd", {"axyz"}), "");
  EXPECT_EQ(nearest("abcd", {}), "");
}

TEST(Config, Documents) {
  const std::vector<Parameter> parameters{{"nand.t_r", "45us", "duration", "read | time", Known::datasheet, "ONFI §5", "1us", "10ms"},
                                          {"nand.channels", "16", "count", "channels", Known::assumed, "none", "1", "64"},
                                          {"dpu.name", "", "name", "name", Known::spec, "x", "", ""}};
  EXPECT_EQ(parameters_markdown(parameters),
            "## nand\n\n| key | default | type | range | known | source | meaning |\n|---|---|---|---|---|---|---|\n"
            "| `t_r` | `45us` | duration | 1us to 10ms | datasheet | ONFI §5 | read \\| time |\n"
            "| `channels` | `16` | count | 1 to 64 | assumed | none | channels |\n\n"
            "## dpu\n\n| key | default | type | range | known | source | meaning |\n|---|---|---|---|---|---|---|\n"
            "| `name` |  | name |  | spec | x | name |\n");
  EXPECT_EQ(parameters_text(parameters, ParameterOrder::assumed_first),
            "nand\n  channels  16    1 to 64      assumed    channels     none\n"
            "  t_r       45us  1us to 10ms  datasheet  read | time  ONFI §5\n\n"
            "dpu\n  name      \"\"                 spec       name         x\n");
}

}  // namespace
}  // namespace flashpath

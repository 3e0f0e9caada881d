// SPDX-License-Identifier: Apache-2.0
// Quantities as text, read and written exactly: "3.6GB/s" is 3'600'000'000 bytes per second and not one less.
// A decimal is a whole number over a power of ten and a unit is a ratio, so 128-bit integers decide whether the
// product is whole. At most 19 significant digits; more would not fit any of our quantities anyway.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

#include "base/config.h"

namespace flashpath {
namespace {

/// `num / den` of the stored unit (ps, bytes, bytes per second, Hz).
struct UnitName {
  std::string_view name;
  std::uint64_t num;
  std::uint64_t den = 1;
  bool printed = true;  ///< used when writing back
};

constexpr std::uint64_t kilo = 1'000, mega = 1'000'000, giga = 1'000'000'000, tera = 1'000'000'000'000;

constexpr std::array durations{UnitName{"ps", 1}, UnitName{"ns", kilo}, UnitName{"us", mega}, UnitName{"ms", giga}, UnitName{"s", tera}};
constexpr std::array sizes{UnitName{"B", 1},
                           UnitName{"kB", kilo},
                           UnitName{"KiB", 1ULL << 10U},
                           UnitName{"MB", mega},
                           UnitName{"MiB", 1ULL << 20U},
                           UnitName{"GB", giga},
                           UnitName{"GiB", 1ULL << 30U},
                           UnitName{"TB", tera},
                           UnitName{"TiB", 1ULL << 40U}};
constexpr std::array rates{UnitName{"B/s", 1},
                           UnitName{"kB/s", kilo},
                           UnitName{"KiB/s", 1ULL << 10U},
                           UnitName{"MB/s", mega},
                           UnitName{"MiB/s", 1ULL << 20U},
                           UnitName{"GB/s", giga},
                           UnitName{"GiB/s", 1ULL << 30U},
                           UnitName{"TB/s", tera},
                           UnitName{"TiB/s", 1ULL << 40U},
                           UnitName{"bit/s", 1, 8, false},
                           UnitName{"kbit/s", kilo, 8, false},
                           UnitName{"Mbit/s", mega, 8, false},
                           UnitName{"Gbit/s", giga, 8, false},
                           UnitName{"Tbit/s", tera, 8, false}};
constexpr std::array frequencies{UnitName{"Hz", 1}, UnitName{"kHz", kilo}, UnitName{"MHz", mega}, UnitName{"GHz", giga}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "12.50" as 125 over 10^1. False when it is no plain decimal, or has too many digits to be one of ours.
bool read_decimal(std::string_view text, std::uint64_t& number, unsigned& places) {
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  std::string_view fraction = point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
  if (whole.empty() || (point != std::string_view::npos && fraction.empty())) return false;
  while (fraction.ends_with('0')) fraction.remove_suffix(1);
  if (fraction.size() > 38) return false;  // 10^38 is the last power of ten below 2^128
  places = static_cast<unsigned>(fraction.size());
  number = 0;
  for (const std::string_view part : {whole, fraction}) {
    for (const char c : part) {
      if (!is_digit(c) || number >= 1'000'000'000'000'000'000U) return false;
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
  }
  return true;
}

/// Reads a decimal with one of the units; false unless the result is whole and at most `limit`.
bool read_quantity(const Given& given, std::span<const UnitName> units, std::uint64_t limit, std::uint64_t& out) {
  if (given.kind != Given::Kind::text) return false;
  const std::string_view text = given.text;
  const auto end = std::find_if(text.begin(), text.end(), [](char c) { return !is_digit(c) && c != '.'; });
  const auto length = static_cast<std::size_t>(end - text.begin());
  const std::string_view name = text.substr(length);
  const auto unit = std::find_if(units.begin(), units.end(), [&](const UnitName& u) { return u.name == name; });
  std::uint64_t number = 0;
  unsigned places = 0;
  if (unit == units.end() || !read_decimal(text.substr(0, length), number, places)) return false;
  const Wide product = static_cast<Wide>(number) * unit->num;  // below 10^19 * 2^40
  Wide divisor = 1;
  for (unsigned i = 0; i < places; ++i) divisor *= 10;
  if (product % divisor != 0) return false;
  const Wide scaled = product / divisor;
  if (scaled % unit->den != 0 || scaled / unit->den > limit) return false;
  out = static_cast<std::uint64_t>(scaled / unit->den);
  return true;
}

/// `value` in `unit`, exactly; "" when it has no short form there.
std::string write_in(std::uint64_t value, const UnitName& unit) {
  const std::uint64_t whole = value / unit.num;
  std::uint64_t rest = value % unit.num;
  if (rest == 0) return fmt::format("{}{}", whole, unit.name);
  const bool decimal = unit.name.find('i') == std::string_view::npos;  // a fraction of a KiB is no decimal worth reading
  if (whole == 0 || !decimal) return {};
  std::string digits;
  for (std::uint64_t place = unit.num / 10; rest != 0; place /= 10) {
    digits += static_cast<char>('0' + rest / place);
    rest %= place;
  }
  return fmt::format("{}.{}{}", whole, digits, unit.name);
}

/// The shortest of all exact forms; at equal length a whole number, then the larger unit.
std::string write_quantity(std::uint64_t value, std::span<const UnitName> units) {
  std::string best;
  const auto dotted = [](const std::string& s) { return s.find('.') != std::string::npos; };
  for (const UnitName& unit : units) {
    std::string form = unit.printed ? write_in(value, unit) : std::string{};
    if (form.empty() || form.size() > best.size() + (best.empty() ? form.size() : 0)) continue;
    if (form.size() == best.size() && dotted(form) && !dotted(best)) continue;
    best = std::move(form);
  }
  return best;
}

template <class T>
bool read_integer(const Given& given, T& out) {
  if (given.kind != Given::Kind::integer) return false;
  std::string_view text = given.text;
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return false;
  out = value;
  return true;
}

constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();

}  // namespace

bool parse(const Given& given, Duration& out) {
  std::uint64_t ps = 0;
  if (!read_quantity(given, durations, static_cast<std::uint64_t>(Duration::max().count()), ps)) return false;
  out = Duration{static_cast<std::int64_t>(ps)};
  return true;
}
bool parse(const Given& given, Bytes& out) { return read_quantity(given, sizes, any, out.count); }
bool parse(const Given& given, Rate& out) { return read_quantity(given, rates, any, out.bytes_per_second); }
bool parse(const Given& given, Hertz& out) { return read_quantity(given, frequencies, any, out.per_second); }
bool parse(const Given& given, std::uint32_t& out) { return read_integer(given, out); }
bool parse(const Given& given, std::uint64_t& out) { return read_integer(given, out); }

bool parse(const Given& given, double& out) {
  if (given.kind != Given::Kind::real && given.kind != Given::Kind::integer) return false;
  std::string_view text = given.text;
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return false;
  out = value;
  return true;
}

bool parse(const Given& given, bool& out) {
  if (given.kind != Given::Kind::boolean) return false;
  out = given.text == "true";
  return true;
}

bool parse(const Given& given, std::string& out) {
  if (given.kind != Given::Kind::text && !given.bare) return false;
  out = given.text;
  return true;
}

std::string print(Duration value) {
  const auto ps = static_cast<std::uint64_t>(value.count());
  return value < Duration{} ? "-" + write_quantity(std::uint64_t{0} - ps, durations) : write_quantity(ps, durations);
}
std::string print(Bytes value) { return write_quantity(value.count, sizes); }
std::string print(Rate value) { return write_quantity(value.bytes_per_second, rates); }
std::string print(Hertz value) { return write_quantity(value.per_second, frequencies); }
std::string print(std::uint32_t value) { return fmt::format("{}", value); }
std::string print(std::uint64_t value) { return fmt::format("{}", value); }
std::string print(double value) { return fmt::format("{}", value); }
std::string print(bool value) { return value ? "true" : "false"; }
std::string print(const std::string& value) { return value; }

std::string_view expected(const Duration&) { return "a duration, e.g. \"45us\""; }
std::string_view expected(const Bytes&) { return "a size, e.g. \"64KiB\""; }
std::string_view expected(const Rate&) { return "a rate, e.g. \"3.6GB/s\" or \"800Gbit/s\""; }
std::string_view expected(const Hertz&) { return "a frequency, e.g. \"1.7GHz\""; }
std::string_view expected(const std::uint32_t&) { return "a whole number from 0 to 4294967295, e.g. 16"; }
std::string_view expected(const std::uint64_t&) { return "a whole number from 0 to 18446744073709551615, e.g. 16"; }
std::string_view expected(const double&) { return "a number, e.g. 0.5"; }
std::string_view expected(const bool&) { return "a switch: true or false, without quotes"; }
std::string_view expected(const std::string&) { return "a text in quotes, e.g. \"name\""; }

std::string_view type_of(const Duration&) { return "duration"; }
std::string_view type_of(const Bytes&) { return "size"; }
std::string_view type_of(const Rate&) { return "rate"; }
std::string_view type_of(const Hertz&) { return "frequency"; }
std::string_view type_of(const std::uint32_t&) { return "count"; }
std::string_view type_of(const std::uint64_t&) { return "count"; }
std::string_view type_of(const double&) { return "number"; }
std::string_view type_of(const bool&) { return "switch"; }
std::string_view type_of(const std::string&) { return "name"; }

}  // namespace flashpath

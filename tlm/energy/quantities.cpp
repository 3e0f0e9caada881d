// SPDX-License-Identifier: Apache-2.0
#include "energy/quantities.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <span>

namespace flashpath::energy {
namespace {

struct Unit {
  std::string_view name;
  double value;
};
constexpr Unit energies[] = {{"pJ", 1e-12}, {"nJ", 1e-9}, {"uJ", 1e-6}, {"mJ", 1e-3}, {"J", 1}};
constexpr Unit per_bits[] = {{"fJ/bit", 1e-15}, {"pJ/bit", 1e-12}, {"nJ/bit", 1e-9}, {"pJ/B", 1e-12 / 8}, {"nJ/B", 1e-9 / 8}};
constexpr Unit powers[] = {{"mW", 1e-3}, {"W", 1}, {"kW", 1e3}};

bool read(const Given& given, std::span<const Unit> units, std::optional<double>& out) {
  if (given.kind != Given::Kind::text) return false;
  const std::string_view text = given.text;
  const auto end = std::find_if(text.begin(), text.end(), [](char c) { return (c < '0' || c > '9') && c != '.'; });
  const auto length = static_cast<std::size_t>(end - text.begin());
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == text.substr(length); });
  double number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + length, number, std::chars_format::fixed);
  if (unit == units.end() || length == 0 || error != std::errc{} || stop != text.data() + length) return false;
  out = number * unit->value;
  return true;
}

/// In the largest unit of which it is at least one.
std::string write(const std::optional<double>& value, std::span<const Unit> units) {
  if (!value) return "n/a";
  const Unit* best = units.data();
  for (const Unit& unit : units) {
    if (*value >= unit.value * 0.999 && unit.value > best->value) best = &unit;
  }
  return fmt::format("{:.6g}{}", *value / best->value, best->name);
}

}  // namespace

bool parse(const Given& given, PerOperation& out) { return read(given, energies, out.value); }
bool parse(const Given& given, PerBit& out) { return read(given, per_bits, out.value); }
bool parse(const Given& given, Power& out) { return read(given, powers, out.value); }
std::string print(const PerOperation& value) { return write(value.value, energies); }
std::string print(const PerBit& value) { return write(value.value, std::span{per_bits}.first(3)); }
std::string print(const Power& value) { return write(value.value, powers); }
std::string_view expected(const PerOperation&) { return "an energy, e.g. \"50uJ\""; }
std::string_view expected(const PerBit&) { return "an energy per bit or byte, e.g. \"3pJ/bit\" or \"24pJ/B\""; }
std::string_view expected(const Power&) { return "a power, e.g. \"5W\""; }
std::string_view type_of(const PerOperation&) { return "energy"; }
std::string_view type_of(const PerBit&) { return "energy per bit"; }
std::string_view type_of(const Power&) { return "power"; }

}  // namespace flashpath::energy

// SPDX-License-Identifier: Apache-2.0
// TOML to settings: a tree of tables becomes a flat list of paths, each with the line it was written on.
// This is the only file that knows the TOML library; its exceptions end here.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <utility>

#include "base/config.h"

namespace flashpath {
namespace {

constexpr std::array sources{Known::spec, Known::datasheet, Known::measured, Known::assumed};

std::string real_text(double value) {
  std::string text = fmt::format("{}", value);
  return std::isfinite(value) && text.find_first_of(".e") == std::string::npos ? text + ".0" : text;  // 1.0 stays no integer
}

/// Walks one text. Complaints are kept with their line, since the library sorts keys by name.
class Walk {
 public:
  Walk(Settings& settings, const std::string& file) : settings_{settings}, file_{file} {}

  void top(const toml::table& root) {
    for (const auto& [key, node] : root) {
      if (key == "base") preset(node);
      else visit(std::string{key.str()}, node);
    }
  }

  void complain(toml::source_index line, std::string_view message) {
    complaints_.emplace_back(line, fmt::format("{}:{}: {}", file_, line, message));
  }

  void report(UserErrors& errors) {
    std::stable_sort(complaints_.begin(), complaints_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [line, message] : complaints_) errors.add(std::move(message));
  }

 private:
  static toml::source_index line_of(const toml::node& node) { return node.source().begin.line; }

  Given scalar(const toml::node& node) const {
    Given given;
    given.where = fmt::format("{}:{}", file_, line_of(node));
    if (const auto* text = node.as_string()) {
      given.text = text->get();
    } else if (const auto* integer = node.as_integer()) {
      given.kind = Given::Kind::integer;
      given.text = fmt::format("{}", integer->get());
    } else if (const auto* real = node.as_floating_point()) {
      given.kind = Given::Kind::real;
      given.text = real_text(real->get());
    } else if (const auto* boolean = node.as_boolean()) {
      given.kind = Given::Kind::boolean;
      given.text = boolean->get() ? "true" : "false";
    } else {
      given.kind = Given::Kind::other;
      std::ostringstream out;
      node.visit([&](const auto& n) {
        if constexpr (toml::is_date<decltype(n)> || toml::is_time<decltype(n)> || toml::is_date_time<decltype(n)>) out << n.get();
      });
      given.text = out.str();
    }
    return given;
  }

  void preset(const toml::node& node) {
    if (!node.is_string()) complain(line_of(node), "base: not the name of a preset; write base = \"name\"");
    else settings_.base = scalar(node);
  }

  void visit(const std::string& path, const toml::node& node) {
    if (node.is_array()) {
      complain(line_of(node), path + ": a list, where one value is meant; lists and [[tables]] are not used");
    } else if (const toml::table* table = node.as_table()) {
      if (is_sourced(*table)) sourced(path, *table);
      else
        for (const auto& [key, child] : *table) visit(path + "." + std::string{key.str()}, child);
    } else {
      settings_.values[path] = scalar(node);
    }
  }

  /// { value = …, known = …, source = … }, not a block that happens to be written in one line.
  static bool is_sourced(const toml::table& table) {
    return table.is_inline() && (table.contains("value") || table.contains("known") || table.contains("source"));
  }

  void sourced(const std::string& path, const toml::table& table) {
    Given given;
    bool any = false;
    std::string source;
    Known known = Known::user;
    for (const auto& [key, node] : table) {
      if (key == "value" && !node.is_table() && !node.is_array()) {
        given = scalar(node);
        any = true;
      } else if (key == "value") {
        complain(line_of(node), path + ": value: must be one value, not a list or a table");
        any = true;
      } else if (key == "known") {
        read_known(path, node, known);
      } else if (key == "source") {
        if (const auto* text = node.as_string()) source = text->get();
        else complain(line_of(node), path + ": source: not a text in quotes");
      } else {
        complain(line_of(node), fmt::format("{}: {}: not one of value, known, source", path, key.str()));
      }
    }
    if (!any) complain(line_of(table), path + ": no value; write { value = ..., known = \"...\", source = \"...\" }");
    if (given.where.empty()) return;
    given.known = known;
    given.source = std::move(source);
    settings_.values[path] = std::move(given);
  }

  void read_known(const std::string& path, const toml::node& node, Known& known) {
    const std::string text = node.value_or(std::string{});
    const auto* const found = std::find_if(sources.begin(), sources.end(), [&](Known k) { return name_of(k) == text; });
    if (found != sources.end()) known = *found;
    else
      complain(line_of(node), fmt::format("{}: known = \"{}\": not one of \"spec\", \"datasheet\", \"measured\", \"assumed\"", path, text));
  }

  Settings& settings_;
  const std::string& file_;
  std::vector<std::pair<toml::source_index, std::string>> complaints_;
};

}  // namespace

void Settings::read_toml(std::string_view text, const std::string& file, UserErrors& errors) {
  base.reset();
  Walk walk{*this, file};
  try {
    walk.top(toml::parse(text));
  } catch (const toml::parse_error& error) { walk.complain(error.source().begin.line, error.description()); }
  walk.report(errors);
}

}  // namespace flashpath

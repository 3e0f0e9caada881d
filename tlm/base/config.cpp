// SPDX-License-Identifier: Apache-2.0
// Settings by path, and the sentences a user reads when one of them is wrong.
#include "base/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace flashpath {

std::string_view name_of(Known known) {
  switch (known) {
    case Known::spec: return "spec";
    case Known::datasheet: return "datasheet";
    case Known::measured: return "measured";
    case Known::assumed: return "assumed";
    case Known::user: return "user";
  }
  return "?";
}

namespace {

/// Levenshtein's distance, one row at a time.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_integer(std::string_view word) {
  if (word.starts_with('-') || word.starts_with('+')) word.remove_prefix(1);
  return !word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_real(std::string_view word) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc{} && end == word.data() + word.size() && std::isfinite(value);
}

/// What a bare word of the command line is, read as TOML would.
Given::Kind kind_of(std::string_view word) {
  if (word == "true" || word == "false") return Given::Kind::boolean;
  if (is_integer(word)) return Given::Kind::integer;
  return is_real(word) ? Given::Kind::real : Given::Kind::text;
}

std::string as_written(const Given& given) { return given.kind == Given::Kind::text && !given.bare ? '"' + given.text + '"' : given.text; }

}  // namespace

std::string nearest(std::string_view key, const std::vector<std::string_view>& keys) {
  std::string_view best;
  std::size_t least = key.size() / 2 + 1;  // half of what was written may be wrong, no more
  for (const std::string_view candidate : keys) {
    const std::size_t d = distance(key, candidate);
    if (d >= least) continue;
    least = d;
    best = candidate;
  }
  return std::string{best};
}

void Settings::set(std::string_view assignment, UserErrors& errors) {
  const std::size_t equals = assignment.find('=');
  const std::string_view path = trimmed(assignment.substr(0, equals));
  if (equals == std::string_view::npos || path.empty()) {
    errors.add(fmt::format("--set {}: not an assignment; write path=value, e.g. --set nand.channels=32", assignment));
    return;
  }
  Given given;
  given.where = "--set";
  std::string_view word = trimmed(assignment.substr(equals + 1));
  if (word.size() >= 2 && (word.front() == '"' || word.front() == '\'') && word.back() == word.front()) {
    word = word.substr(1, word.size() - 2);
  } else {
    given.bare = true;
    given.kind = kind_of(word);
  }
  given.text = word;
  values[std::string{path}] = std::move(given);
}

void check_unused(const Settings& settings, const std::vector<Parameter>& known, UserErrors& errors) {
  std::vector<std::string_view> paths;
  paths.reserve(known.size());
  for (const Parameter& parameter : known) paths.emplace_back(parameter.path);
  for (const auto& [path, given] : settings.values) {
    if (settings.used.contains(path)) continue;
    const std::string near = nearest(path, paths);
    errors.add(near.empty() ? fmt::format("{}: {}: no such parameter", given.where, path)
                            : fmt::format("{}: {}: no such parameter; did you mean \"{}\"?", given.where, path, near));
  }
}

namespace config_detail {

std::string join(const std::string& prefix, std::string_view key) {
  return prefix.empty() ? std::string{key} : fmt::format("{}.{}", prefix, key);
}

const Given* take(Settings& settings, const std::string& path) {
  const auto found = settings.values.find(path);
  if (found == settings.values.end()) return nullptr;
  settings.used[path] = true;
  return &found->second;
}

std::string not_expected(const std::string& path, const Given& given, std::string_view expected) {
  return fmt::format("{}: {} = {}: not {}", given.where, path, as_written(given), expected);
}

std::string not_between(const std::string& path, const Given& given, const std::string& low, const std::string& high) {
  return fmt::format("{}: {} = {}: must be between {} and {}", given.where, path, as_written(given), low, high);
}

void tell_source(Parameter& parameter, Known known, std::string_view source, const Given* given) {
  parameter.known = given == nullptr ? known : given->known;
  if (given == nullptr) parameter.source = source;
  else parameter.source = given->source.empty() ? given->where : given->source;
}

}  // namespace config_detail
}  // namespace flashpath

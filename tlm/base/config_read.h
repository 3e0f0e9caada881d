// SPDX-License-Identifier: Apache-2.0
// The half of base/config.h that has to be a template: walking a schema. Included by config.h, not by you.
// Whatever does not depend on the type of a field is a plain function in config.cpp.
#pragma once
#include "base/config.h"

namespace flashpath {

template <Choice E>
bool parse(const Given& given, E& out) {
  if (given.kind != Given::Kind::text && !given.bare) return false;
  for (const E e : std::span<const E>{all_of(static_cast<const E*>(nullptr))}) {
    if (name_of(e) != given.text) continue;
    out = e;
    return true;
  }
  return false;
}

template <Choice E>
std::string print(E value) {
  return std::string{name_of(value)};
}

template <Choice E>
std::string expected(const E&) {
  std::string list;
  for (const E e : std::span<const E>{all_of(static_cast<const E*>(nullptr))}) {
    list.append(list.empty() ? "one of \"" : ", \"").append(name_of(e)).append("\"");
  }
  return list;
}

template <Choice E>
std::string_view type_of(const E&) {
  return "choice";
}

namespace config_detail {

std::string join(const std::string& prefix, std::string_view key);
/// The value given at `path`, now marked as used; nullptr when there is none.
const Given* take(Settings& settings, const std::string& path);
std::string not_expected(const std::string& path, const Given& given, std::string_view expected);
std::string not_between(const std::string& path, const Given& given, const std::string& low, const std::string& high);
/// Fills in where the value comes from: from the schema, or from what was given.
void tell_source(Parameter& parameter, Known known, std::string_view source, const Given* given);

template <class Struct, class M, class R>
void read_field(Settings& settings, const std::string& prefix, const Field<Struct, M, R>& field, Struct& value, UserErrors& errors,
                std::vector<Parameter>& out) {
  constexpr bool ranged = !std::is_same_v<R, NoRange>;
  Parameter parameter{.path = join(prefix, field.key),
                      .value = {},
                      .type = std::string{type_of(value.*field.member)},
                      .doc = std::string{field.doc},
                      .known = field.known,
                      .source = {},
                      .low = {},
                      .high = {}};
  if constexpr (ranged) {
    parameter.low = print(static_cast<M>(field.range.low));
    parameter.high = print(static_cast<M>(field.range.high));
  }
  const Given* given = take(settings, parameter.path);
  if (given != nullptr) {
    M parsed{};
    bool good = parse(*given, parsed);
    if (!good) {
      errors.add(not_expected(parameter.path, *given, expected(parsed)));
    } else if constexpr (ranged) {
      good = parsed >= static_cast<M>(field.range.low) && parsed <= static_cast<M>(field.range.high);
      if (!good) errors.add(not_between(parameter.path, *given, parameter.low, parameter.high));
    }
    if (good) value.*field.member = std::move(parsed);
    else given = nullptr;  // the default stays, and so does its source
  }
  parameter.value = print(value.*field.member);
  tell_source(parameter, field.known, field.source, given);
  out.push_back(std::move(parameter));
}

}  // namespace config_detail

template <class Struct>
void read(Settings& settings, const std::string& prefix, Struct& value, UserErrors& errors, std::vector<Parameter>& out) {
  const std::size_t before = errors.list.size();
  std::apply([&](const auto&... field) { (config_detail::read_field(settings, prefix, field, value, errors, out), ...); },
             Struct::schema());
  if constexpr (requires { value.check(prefix, errors); }) {
    if (errors.list.size() == before) value.check(prefix, errors);
  }
}

}  // namespace flashpath

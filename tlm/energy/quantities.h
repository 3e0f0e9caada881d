// SPDX-License-Identifier: Apache-2.0
// Energies as a file of coefficients has them. What is not given is not known: it is never taken for zero.
// The functions are what base/config.h asks of a type that a schema may hold.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/config.h"

namespace flashpath::energy {

enum class Dimension : std::uint8_t { per_operation, per_bit, power };

/// In joules, joules per bit, or watts.
template <Dimension D>
struct Quantity {
  std::optional<double> value;
};
using PerOperation = Quantity<Dimension::per_operation>;
using PerBit = Quantity<Dimension::per_bit>;
using Power = Quantity<Dimension::power>;

bool parse(const Given& given, PerOperation& out);
bool parse(const Given& given, PerBit& out);
bool parse(const Given& given, Power& out);
std::string print(const PerOperation& value);
std::string print(const PerBit& value);
std::string print(const Power& value);
std::string_view expected(const PerOperation&);
std::string_view expected(const PerBit&);
std::string_view expected(const Power&);
std::string_view type_of(const PerOperation&);
std::string_view type_of(const PerBit&);
std::string_view type_of(const Power&);

}  // namespace flashpath::energy

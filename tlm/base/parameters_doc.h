// SPDX-License-Identifier: Apache-2.0
// The resolved parameters as a page (docs/parameters.md) and as a table for the terminal (`describe`).
// A block is everything before the last dot of a path; blocks keep the order in which they were read.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "base/config.h"

namespace flashpath {

enum class ParameterOrder : std::uint8_t {
  as_read,        ///< the order of the schema
  assumed_first,  ///< within each block, what nobody has published or measured comes first
};

/// One markdown heading and table per block: key, default, type, range, known, source, meaning.
std::string parameters_markdown(std::span<const Parameter> parameters);

/// The same as aligned columns: key, value, range, known, meaning, source.
std::string parameters_text(std::span<const Parameter> parameters, ParameterOrder order = ParameterOrder::as_read);

}  // namespace flashpath

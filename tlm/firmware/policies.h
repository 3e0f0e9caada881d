// SPDX-License-Identifier: Apache-2.0
// The object service's choices, as configuration names them.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace flashpath::firmware {

/// none: a lost drive's objects are gone. mirror: every extent lies on two drives.
enum class Redundancy : std::uint8_t { none, mirror };
/// none: writes carry no placement handle. object: objects written at the same time have different ones.
/// tenant: one per serving instance (a group of connections).
enum class Placement : std::uint8_t { none, object, tenant };

std::string_view name_of(Redundancy redundancy);
std::string_view name_of(Placement placement);
std::span<const Redundancy> all_of(const Redundancy*);
std::span<const Placement> all_of(const Placement*);

}  // namespace flashpath::firmware

// SPDX-License-Identifier: Apache-2.0
// The FTL's choices, as configuration names them.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace flashpath::ftl {

/// full: the whole map is in the controller's memory. cached: on flash, a part of it in memory.
enum class MapKind : std::uint8_t { full, cached };
/// The victim of garbage collection (victims.h).
enum class GcPolicy : std::uint8_t { greedy, cost_benefit, d_choices, fifo };
/// threshold: host writes wait when no superblock is left to them. tokens: while collecting, as fast as it gains.
enum class GcPacing : std::uint8_t { threshold, tokens };
/// initial: collected data share one stream. persistent: one stream of collection per placement handle.
enum class GcIsolation : std::uint8_t { initial, persistent };

std::string_view name_of(MapKind kind);
std::string_view name_of(GcPolicy policy);
std::string_view name_of(GcPacing pacing);
std::string_view name_of(GcIsolation isolation);
std::span<const MapKind> all_of(const MapKind*);
std::span<const GcPolicy> all_of(const GcPolicy*);
std::span<const GcPacing> all_of(const GcPacing*);
std::span<const GcIsolation> all_of(const GcIsolation*);

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
#include "ftl/policies.h"

#include <array>

namespace flashpath::ftl {

std::string_view name_of(MapKind kind) { return kind == MapKind::full ? "full" : "cached"; }
std::string_view name_of(GcPacing pacing) { return pacing == GcPacing::threshold ? "threshold" : "tokens"; }
std::string_view name_of(GcIsolation isolation) { return isolation == GcIsolation::initial ? "initial" : "persistent"; }

std::string_view name_of(GcPolicy policy) {
  switch (policy) {
    case GcPolicy::greedy: return "greedy";
    case GcPolicy::cost_benefit: return "cost_benefit";
    case GcPolicy::d_choices: return "d_choices";
    case GcPolicy::fifo: return "fifo";
  }
  return "";
}

std::span<const MapKind> all_of(const MapKind*) {
  static constexpr std::array all{MapKind::full, MapKind::cached};
  return all;
}
std::span<const GcPolicy> all_of(const GcPolicy*) {
  static constexpr std::array all{GcPolicy::greedy, GcPolicy::cost_benefit, GcPolicy::d_choices, GcPolicy::fifo};
  return all;
}
std::span<const GcPacing> all_of(const GcPacing*) {
  static constexpr std::array all{GcPacing::threshold, GcPacing::tokens};
  return all;
}
std::span<const GcIsolation> all_of(const GcIsolation*) {
  static constexpr std::array all{GcIsolation::initial, GcIsolation::persistent};
  return all;
}

}  // namespace flashpath::ftl

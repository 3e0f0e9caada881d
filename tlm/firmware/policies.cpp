// SPDX-License-Identifier: Apache-2.0
#include "firmware/policies.h"

#include <array>

namespace flashpath::firmware {

std::string_view name_of(Redundancy redundancy) { return redundancy == Redundancy::none ? "none" : "mirror"; }

std::string_view name_of(Placement placement) {
  switch (placement) {
    case Placement::none: return "none";
    case Placement::object: return "object";
    case Placement::tenant: return "tenant";
  }
  return "";
}

std::span<const Redundancy> all_of(const Redundancy*) {
  static constexpr std::array all{Redundancy::none, Redundancy::mirror};
  return all;
}
std::span<const Placement> all_of(const Placement*) {
  static constexpr std::array all{Placement::none, Placement::object, Placement::tenant};
  return all;
}

}  // namespace flashpath::firmware

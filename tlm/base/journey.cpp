// SPDX-License-Identifier: Apache-2.0
#include "base/journey.h"

namespace flashpath {

std::string_view name_of(Stage stage) {
  static constexpr std::array<std::string_view, stage_count> names{
      "fabric", "core_wait",    "firmware", "staging_wait", "submit",  "sq_wait",   "fetch", "control", "map",  "buffer_wait", "die_wait",
      "sense",  "channel_wait", "transfer", "ecc",          "program", "link_wait", "link",  "crypto",  "dram", "completion"};
  return names[static_cast<std::size_t>(stage)];
}

}  // namespace flashpath

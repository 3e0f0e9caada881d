// SPDX-License-Identifier: Apache-2.0
// The priority class of each core's queues, as text: "urgent,low" gives core 0 urgent queues and all others low ones.
#pragma once
#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "nvme/nvme_arbiter.h"

namespace flashpath::firmware {

inline std::optional<nvme::QueueClass> queue_class(std::string_view name) {
  if (name == "urgent") return nvme::QueueClass::urgent;
  if (name == "high") return nvme::QueueClass::high;
  if (name == "medium") return nvme::QueueClass::medium;
  if (name == "low") return nvme::QueueClass::low;
  return std::nullopt;
}

/// In order of cores, the last one standing for all that follow. Empty text: no classes, round robin. nullopt: a word that is none.
inline std::optional<std::vector<nvme::QueueClass>> queue_classes(std::string_view text) {
  std::vector<nvme::QueueClass> all;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const auto one = queue_class(text.substr(0, comma));
    if (!one || comma + 1 == text.size()) return std::nullopt;
    all.push_back(*one);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return all;
}

}  // namespace flashpath::firmware

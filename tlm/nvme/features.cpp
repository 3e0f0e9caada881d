// SPDX-License-Identifier: Apache-2.0
#include "nvme/features.h"

#include <bit>

namespace flashpath::nvme {

Features::Features(const Config& config) {
  const auto factory = [&](Feature id, std::uint32_t value) {
    for (auto& values : values_) values[at(id)] = value;
  };
  factory(Feature::data_placement, config.fdp ? 1 : 0);
  factory(Feature::arbitration, static_cast<std::uint32_t>(std::countr_zero(config.arbitration_burst)) | (config.weight_low - 1) << 8U |
                                    (config.weight_medium - 1) << 16U | (config.weight_high - 1) << 24U);
  factory(Feature::number_of_queues, (config.max_queues - 1) | ((config.max_queues - 1) << 16U));
}

void Features::set(Feature id, std::uint32_t value, bool save) {
  values_[0][at(id)] = value;
  if (save) values_[2][at(id)] = value;
}

}  // namespace flashpath::nvme

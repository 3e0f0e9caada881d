// SPDX-License-Identifier: Apache-2.0
// Features, NVMe 2.0 §5.27.1: which there are, and their values - in force, saved, and of the factory. A controller reset puts the
// saved values in force. What a value does is the controller's affair (nvme_features.cpp).
#pragma once
#include <array>
#include <bitset>
#include <cstdint>

#include "base/units.h"
#include "nvme/nvme_config.h"
#include "nvme/spec.h"

namespace flashpath::nvme {

/// Select of Get Features, §5.15.
enum class FeatureSelect : std::uint8_t { current = 0, factory = 1, saved = 2, capabilities = 3 };

struct FeatureTraits {
  bool supported = false;
  bool changeable = false;
  bool saveable = false;
  bool per_namespace = false;
  std::uint16_t data = 0;  ///< bytes of its data structure; 0: its value is a dword
  constexpr std::uint32_t capabilities() const { return (saveable ? 1U : 0U) | (per_namespace ? 2U : 0U) | (changeable ? 4U : 0U); }
};

constexpr FeatureTraits traits_of(std::uint8_t id) {
  constexpr bool yes = true, no = false;
  switch (static_cast<Feature>(id)) {
    case Feature::arbitration:
    case Feature::power_management:
    case Feature::interrupt_coalescing:
    case Feature::write_atomicity:
    case Feature::async_event_configuration:
    case Feature::software_progress: return {yes, yes, yes, no};
    case Feature::temperature_threshold:
    case Feature::number_of_queues:
    case Feature::interrupt_vector_configuration:
    case Feature::keep_alive:
    case Feature::command_set_profile: return {yes, yes, no, no};
    case Feature::data_placement: return {yes, yes, no, no};
    case Feature::error_recovery: return {yes, yes, no, yes};
    case Feature::timestamp: return {yes, yes, no, no, 8};
    case Feature::host_behavior: return {yes, yes, no, no, 512};
    // No volatile write cache, no autonomous power states, no host memory buffer, no thermal management by the host.
    default: return {};
  }
}

class Features {
 public:
  explicit Features(const Config& config);

  std::uint32_t get(Feature id, FeatureSelect select = FeatureSelect::current) const { return values_[slot(select)][at(id)]; }
  void set(Feature id, std::uint32_t value, bool save);
  void reset() { values_[0] = values_[2]; }

 private:
  static std::size_t at(Feature id) { return static_cast<std::size_t>(id); }
  static std::size_t slot(FeatureSelect s) { return static_cast<std::size_t>(s); }
  std::array<std::array<std::uint32_t, 256>, 3> values_{};  // in force, factory, saved
};

/// The Timestamp feature, §5.27.1.11: milliseconds since 1970 if the host has set it, else since the controller began.
class Timestamp {
 public:
  static constexpr std::uint64_t field = (std::uint64_t{1} << 48U) - 1;
  void set(std::uint64_t data, Time now) {
    base_ = data & field;
    at_ = now;
    origin_ = 1;
  }
  std::uint64_t get(Time now) const {
    const auto ms = static_cast<std::uint64_t>((now - at_) / Duration{1ms});
    return ((base_ + ms) & field) | origin_ << 49U;
  }

 private:
  std::uint64_t base_ = 0, origin_ = 0;
  Time at_{};
};

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
// Get Features and Set Features, NVMe 2.0 §5.15 and §5.27: which values are legal, and what each does.
#include <bit>
#include <cstring>

#include "nvme/fill.h"
#include "nvme/nvme_model.h"

namespace flashpath::nvme {

/// Whom a feature's value belongs to, and whether the command says so.
bool ControllerModel::feature_scope(Command& c, const FeatureTraits& traits, bool setting) {
  const std::uint32_t nsid = c.sqe.nsid;
  const bool all = nsid == 0xffff'ffffU, valid = namespaces_.valid(nsid);
  if (traits.per_namespace && setting && all) return true;
  if (traits.per_namespace) return known_namespace(c);
  if (nsid != 0 && !all && !valid) fail(c, Status::invalid_namespace);
  else if (setting && valid) fail(c, Status::feature_not_per_namespace);
  return c.status == Status::success;
}

void ControllerModel::get_feature(Command& c, Time now) {
  const auto id = static_cast<std::uint8_t>(c.sqe.cdw10 & 0xffU);
  const auto feature = static_cast<Feature>(id);
  const auto select = static_cast<FeatureSelect>(c.sqe.cdw10 >> 8U & 7U);
  const FeatureTraits traits = traits_of(id);
  if (!traits.supported || select > FeatureSelect::capabilities) return fail(c, Status::invalid_field);
  if (!feature_scope(c, traits, false)) return;
  if (select == FeatureSelect::capabilities) {
    c.result = traits.capabilities();
    return;
  }
  const bool current = select == FeatureSelect::current;
  switch (feature) {
    case Feature::temperature_threshold:
      if (!smart_.threshold(c.sqe.cdw11, !current, c.result)) fail(c, Status::invalid_field);
      return;
    case Feature::interrupt_vector_configuration: {
      const std::uint32_t vector = c.sqe.cdw11 & 0xffffU;
      if (vector > config_.max_queues) return fail(c, Status::invalid_field);
      c.result = vector | (current && coalescer_.excluded(static_cast<std::uint16_t>(vector)) ? 1U << 16U : 0U);
      return;
    }
    case Feature::timestamp: {
      const std::uint64_t value = current ? timestamp_.get(now) : 0;
      c.data.assign(traits.data, 0);
      put(c.data, value);
      return answer_with(c, traits.data, now);
    }
    case Feature::host_behavior:
      c.data.assign(traits.data, 0);
      if (current) put(c.data, host_behavior_);
      return answer_with(c, traits.data, now);
    case Feature::data_placement:
      if ((c.sqe.cdw11 & 0xffffU) != 1) return fail(c, Status::invalid_field);  // the endurance group
      [[fallthrough]];
    default: c.result = features_.get(feature, select);
  }
}

void ControllerModel::set_feature(Command& c, Time now) {
  const auto id = static_cast<std::uint8_t>(c.sqe.cdw10 & 0xffU);
  const auto feature = static_cast<Feature>(id);
  const std::uint32_t value = c.sqe.cdw11;
  const bool save = (c.sqe.cdw10 >> 31U) != 0;
  const FeatureTraits traits = traits_of(id);
  if (!traits.supported) return fail(c, Status::invalid_field);
  if (!feature_scope(c, traits, true)) return;
  if (!traits.changeable) return fail(c, Status::feature_not_changeable);
  if (save && !traits.saveable) return fail(c, Status::feature_not_saveable);
  if (traits.data != 0) return take_from_host(c, traits.data, now);  // feature_data() goes on
  switch (feature) {
    case Feature::number_of_queues:
      if ((value & 0xffffU) == 0xffffU || (value >> 16U) == 0xffffU) return fail(c, Status::invalid_field);
      if (!queues_negotiable_) return fail(c, Status::command_sequence_error);
      c.result = features_.get(feature);
      return;
    case Feature::power_management:
      if ((value & 0x1fU) != 0) return fail(c, Status::invalid_field);  // one power state
      break;
    case Feature::error_recovery:
      if ((value >> 16U & 1U) != 0) return fail(c, Status::invalid_field);  // DULBE: deallocated blocks read as zeros, never as errors
      break;
    case Feature::data_placement:
      if ((value & 0xffffU) != 1 || (c.sqe.cdw12 >> 8U & 0xffU) != 0)
        return fail(c, Status::invalid_field);  // one group, one configuration
      if (namespaces_.count() != 0) return fail(c, Status::command_sequence_error);
      return features_.set(feature, c.sqe.cdw12 & 1U, true);  // it outlives resets
    case Feature::command_set_profile:
      if ((value & 0x1ffU) != 0) return fail(c, Status::command_set_combination);  // there is one
      break;
    case Feature::temperature_threshold:
      if (!smart_.set_threshold(value)) return fail(c, Status::invalid_field);
      return health_changed(now);
    case Feature::interrupt_vector_configuration:
      if ((value & 0xffffU) > config_.max_queues) return fail(c, Status::invalid_field);
      coalescer_.exclude(static_cast<std::uint16_t>(value), (value >> 16U & 1U) != 0);
      return;
    default: break;
  }
  features_.set(feature, value, save);
  apply_feature(feature, now);
}

/// A value has come into force.
void ControllerModel::apply_feature(Feature feature, Time now) {
  const std::uint32_t value = features_.get(feature);
  switch (feature) {
    case Feature::arbitration:
      burst_ = (value & 7U) == 7U ? 0xffff'ffffU : 1U << (value & 7U);
      arbiter_.configure(burst_, {(value >> 24U) + 1, ((value >> 16U) & 0xffU) + 1, ((value >> 8U) & 0xffU) + 1});
      return;
    case Feature::async_event_configuration:
      events_.configure(value);
      health_changed(now);
      return;
    case Feature::interrupt_coalescing: coalescer_.configure(value); return;
    case Feature::keep_alive: keep_alive(now); return;
    default: return;
  }
}

/// The data structure of a feature is here.
void ControllerModel::feature_data(Command& c, Time now) {
  if (static_cast<Feature>(c.sqe.cdw10 & 0xffU) == Feature::timestamp) {
    std::uint64_t value = 0;
    std::memcpy(&value, c.data.data(), sizeof value);
    timestamp_.set(value, now);
    return;
  }
  std::array<std::uint8_t, 3> flags{};  // ACRE, ETDAS, LBAFEE: each 0 or 1
  std::memcpy(flags.data(), c.data.data(), flags.size());
  for (const std::uint8_t flag : flags) {
    if (flag > 1) return fail(c, Status::invalid_field);
  }
  host_behavior_ = flags;
}

// ---- Keep Alive, §3.9 and §5.27.1.12 ----

/// The timer starts anew; when it ends the host is given up: Controller Fatal Status.
void ControllerModel::keep_alive(Time now) {
  const std::uint64_t timeout = features_.get(Feature::keep_alive);
  ++keep_alive_serial_;
  if (timeout == 0) return;
  const Duration length = Duration{keep_alive_unit} * static_cast<std::int64_t>(ceil_div(timeout, keep_alive_unit_ms));
  agenda_.post<&ControllerModel::keep_alive_over>(now + length, this, keep_alive_serial_);
}

void ControllerModel::keep_alive_over(Time now, std::uint64_t serial) {
  if (serial == keep_alive_serial_ && running_) fatal(now);
}

}  // namespace flashpath::nvme

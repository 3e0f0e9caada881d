// SPDX-License-Identifier: Apache-2.0
// What the host is told without having asked: the error log, asynchronous events (§5.2), SMART warnings.
#include "nvme/nvme_model.h"

namespace flashpath::nvme {

void ControllerModel::log_error(const Command* command, Status status, std::uint16_t sq) {
  ErrorEntry& entry = errors_[error_count_ % error_log_entries];
  entry = ErrorEntry{};
  entry.error_count = ++error_count_;
  entry.sqid = sq;
  entry.cid = 0xffff;
  entry.parameter_location = 0xffff;
  entry.status = static_cast<std::uint16_t>(static_cast<std::uint32_t>(status) << 1U);
  if (command != nullptr) {
    entry.cid = command->sqe.cid;
    entry.nsid = command->sqe.nsid;
    entry.lba = command->sqe.slba();
  }
}

void ControllerModel::async_event_request(Command& c, Time now) {
  if (async_requests_.size() >= async_event_limit) return fail(c, Status::aer_limit_exceeded);
  ++c.pending;
  async_requests_.push(c);
  deliver_events(now);
}

void ControllerModel::raise_event(AsyncEventType type, std::uint8_t info, LogPage page, Time now) {
  if (events_.raise(type, info, page)) deliver_events(now);
}

void ControllerModel::deliver_events(Time now) {
  while (!async_requests_.empty()) {
    const std::optional<std::uint32_t> event = events_.take();
    if (!event) return;
    Command& request = async_requests_.pop();
    request.result = *event;
    ++stats_.events;
    release(request, now);
  }
}

// ---- SMART, §5.16.1.3 ----

/// Warnings that the host wants to hear of and that were not there before: one event per kind.
void ControllerModel::health_changed(Time now) {
  if (!running_) return;
  const std::uint8_t wanted = smart_.warnings(health()) & static_cast<std::uint8_t>(events_.configuration());
  const unsigned fresh = wanted & ~unsigned{warned_};
  warned_ = wanted;
  const auto raise = [&](unsigned bits, AsyncSmartInfo info) {
    if ((fresh & bits) != 0) raise_event(AsyncEventType::smart_health, static_cast<std::uint8_t>(info), LogPage::smart_health, now);
  };
  raise(warning::degraded | warning::read_only | warning::backup_failed, AsyncSmartInfo::reliability);
  raise(warning::temperature, AsyncSmartInfo::temperature_threshold);
  raise(warning::spare, AsyncSmartInfo::spare_below_threshold);
}

void ControllerModel::set_temperature(std::uint32_t kelvin, Time now) {
  smart_.set_temperature(kelvin, now);
  health_changed(now);
}

void ControllerModel::finish(Time) {
  const ftl::Health h = health();
  stats_.critical_warning.value = smart_.warnings(h);
  stats_.available_spare.value = h.spare;
  stats_.percentage_used.value = h.percentage_used;
}

HostCounts ControllerModel::host_counts(Time now) const {
  return {.read = {stats_.bytes_read.value},
          .written = {stats_.bytes_written.value},
          .reads = stats_.reads.value,
          .writes = stats_.writes.value,
          .media_errors = stats_.media_errors.value,
          .errors = error_count_,
          .busy = io_busy_ + (io_inside_ != 0 ? now - io_since_ : Duration{})};
}

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
// Admin commands, NVMe 2.0 §5.
#include <algorithm>
#include <bit>
#include <cstring>

#include "nvme/nvme_model.h"

namespace flashpath::nvme {

void ControllerModel::execute_admin(Command& c, Time now) {
  if (c.sqe.psdt() != 0 || c.sqe.fuse() != 0) {
    fail(c, Status::invalid_field);
    return;
  }
  switch (static_cast<AdminOpcode>(c.sqe.opcode)) {
    case AdminOpcode::identify: identify(c, now); return;
    case AdminOpcode::get_log_page: log_page(c, now); return;
    case AdminOpcode::create_io_cq: create_cq(c); return;
    case AdminOpcode::create_io_sq: create_sq(c); return;
    case AdminOpcode::delete_io_cq: delete_cq(c); return;
    case AdminOpcode::delete_io_sq: delete_sq(c, now); return;
    case AdminOpcode::set_features: set_feature(c); return;
    case AdminOpcode::get_features: get_feature(c); return;
    case AdminOpcode::async_event_request: async_event_request(c, now); return;
    case AdminOpcode::format_nvm: format_nvm(c, now); return;
    case AdminOpcode::abort: c.result = 1; return;  // bit 0: the command was not aborted; it ends by itself
    default: fail(c, Status::invalid_opcode); return;
  }
}

/// Sends the first `size` bytes of `c.data` to the host.
void ControllerModel::answer_with(Command& c, std::size_t size, Time now) {
  c.direction = Direction::to_host;
  c.length = size;
  begin_prps(c, now);
}

// ---- queues, §5.4 to §5.7 ----

void ControllerModel::create_cq(Command& c) {
  const std::uint32_t id = c.sqe.cdw10 & 0xffffU;
  const std::uint32_t size = (c.sqe.cdw10 >> 16U) + 1;
  const std::uint32_t vector = c.sqe.cdw11 >> 16U;
  if (id == 0 || id >= cqs_.size() || cqs_[id].exists) return fail(c, Status::invalid_qid);
  if (size < 2 || size > config_.max_queue_entries || cc_.iocqes() != 4) return fail(c, Status::invalid_queue_size);
  if ((c.sqe.cdw11 & 1U) == 0) return fail(c, Status::invalid_field);  // CAP.CQR: contiguous queues only
  if (c.sqe.prp1 % page_.count != 0) return fail(c, Status::prp_offset_invalid);
  if (vector > config_.max_queues) return fail(c, Status::invalid_interrupt_vector);
  CompletionQueue& cq = cqs_[id];
  cq = CompletionQueue{};
  cq.exists = true;
  cq.interrupts = (c.sqe.cdw11 & 2U) != 0;
  cq.vector = static_cast<std::uint16_t>(vector);
  cq.base = c.sqe.prp1;
  cq.size = size;
  queues_negotiable_ = false;
}

void ControllerModel::create_sq(Command& c) {
  const std::uint32_t id = c.sqe.cdw10 & 0xffffU;
  const std::uint32_t size = (c.sqe.cdw10 >> 16U) + 1;
  const std::uint32_t cq = c.sqe.cdw11 >> 16U;
  if (cq == 0 || cq >= cqs_.size()) return fail(c, Status::invalid_qid);
  if (!cqs_[cq].exists) return fail(c, Status::cq_invalid);
  if (id == 0 || id >= sqs_.size() || sqs_[id].exists) return fail(c, Status::invalid_qid);
  if (size < 2 || size > config_.max_queue_entries || cc_.iosqes() != 6) return fail(c, Status::invalid_queue_size);
  if ((c.sqe.cdw11 & 1U) == 0) return fail(c, Status::invalid_field);
  if (c.sqe.prp1 % page_.count != 0) return fail(c, Status::prp_offset_invalid);
  SubmissionQueue& sq = sqs_[id];
  sq = SubmissionQueue{};
  sq.exists = true;
  sq.cq = static_cast<std::uint16_t>(cq);
  sq.base = c.sqe.prp1;
  sq.size = size;
  sq.rung.assign(size, Time{});
  ++cqs_[cq].submission_queues;
  queues_negotiable_ = false;
}

void ControllerModel::delete_cq(Command& c) {
  const std::uint32_t id = c.sqe.cdw10 & 0xffffU;
  if (id == 0 || id >= cqs_.size() || !cqs_[id].exists) return fail(c, Status::invalid_qid);
  if (cqs_[id].submission_queues != 0) return fail(c, Status::invalid_queue_deletion);
  cqs_[id] = CompletionQueue{};
}

void ControllerModel::delete_sq(Command& c, Time now) {
  const std::uint32_t id = c.sqe.cdw10 & 0xffffU;
  if (id == 0 || id >= sqs_.size() || !sqs_[id].exists || sqs_[id].deleting) return fail(c, Status::invalid_qid);
  SubmissionQueue& sq = sqs_[id];
  sq.deleting = true;
  sq.delete_command = &c;
  ++c.pending;
  mark_ready(static_cast<std::uint16_t>(id));
  // Completions that no room was left for are implied by the deletion.
  CompletionQueue& cq = cqs_[sq.cq];
  for (std::size_t i = cq.backlog.size(); i != 0; --i) {
    Command& waiting = cq.backlog.pop();
    if (waiting.sq != id) {
      cq.backlog.push(waiting);
      continue;
    }
    waiting.abandoned = true;
    --sq.inside;
    release(waiting, now);
  }
  sq_deleted(static_cast<std::uint16_t>(id), now);
}

// ---- features, §5.15 and §5.27 ----

bool ControllerModel::feature_value(std::uint8_t id, std::uint32_t cdw11, std::uint32_t& value) const {
  switch (static_cast<Feature>(id)) {
    case Feature::arbitration:
    case Feature::power_management:
    case Feature::temperature_threshold:
    case Feature::error_recovery:
    case Feature::interrupt_coalescing:
    case Feature::write_atomicity:
    case Feature::async_event_configuration: value = features_[id]; return true;
    case Feature::number_of_queues: value = (config_.max_queues - 1) | ((config_.max_queues - 1) << 16U); return true;
    case Feature::interrupt_vector_configuration: value = cdw11 & 0xffffU; return value <= config_.max_queues;
    default: return false;  // no volatile write cache: its feature is not supported either (§5.27.1.4)
  }
}

void ControllerModel::get_feature(Command& c) {
  const auto id = static_cast<std::uint8_t>(c.sqe.cdw10 & 0xffU);
  const unsigned select = (c.sqe.cdw10 >> 8U) & 7U;
  std::uint32_t value = 0;
  if (select > 3 || !feature_value(id, c.sqe.cdw11, value)) return fail(c, Status::invalid_field);
  const bool changeable = id != static_cast<std::uint8_t>(Feature::interrupt_vector_configuration);
  const bool fixed_default = id == static_cast<std::uint8_t>(Feature::number_of_queues) || !changeable;
  switch (select) {
    case 0: c.result = value; return;
    case 3: c.result = changeable ? 4U : 0U; return;  // changeable; not saveable, not per namespace
    default:                                          // default and saved values
      c.result = fixed_default ? value : 0;
      if (id == static_cast<std::uint8_t>(Feature::arbitration)) {
        c.result = static_cast<std::uint32_t>(std::countr_zero(config_.arbitration_burst));
      }
  }
}

void ControllerModel::set_feature(Command& c) {
  const auto id = static_cast<std::uint8_t>(c.sqe.cdw10 & 0xffU);
  const std::uint32_t value = c.sqe.cdw11;
  std::uint32_t current = 0;
  if (!feature_value(id, value, current)) return fail(c, Status::invalid_field);
  if ((c.sqe.cdw10 >> 31U) != 0) return fail(c, Status::feature_not_saveable);
  switch (static_cast<Feature>(id)) {
    case Feature::arbitration:
      features_[id] = value;
      burst_ = (value & 7U) == 7U ? 0xffff'ffffU : 1U << (value & 7U);
      return;
    case Feature::number_of_queues:
      if ((value & 0xffffU) == 0xffffU || (value >> 16U) == 0xffffU) return fail(c, Status::invalid_field);
      if (!queues_negotiable_) return fail(c, Status::command_sequence_error);
      c.result = current;
      return;
    case Feature::power_management:
      if ((value & 0x1fU) != 0) return fail(c, Status::invalid_field);  // one power state
      features_[id] = value;
      return;
    case Feature::interrupt_vector_configuration: return fail(c, Status::feature_not_changeable);
    default: features_[id] = value; return;
  }
}

// ---- Format NVM, §5.14 ----

/// I/O commands before it end first; those that come while it waits or works get Format In Progress.
void ControllerModel::format_nvm(Command& c, Time now) {
  const std::uint32_t options = c.sqe.cdw10;
  const unsigned lbaf = (options & 0xfU) | (options >> 8U & 0x30U), protection = options >> 5U & 7U, secure = options >> 9U & 7U;
  if ((c.sqe.nsid == 0 || c.sqe.nsid > namespaces) && c.sqe.nsid != 0xffff'ffffU) return fail(c, Status::invalid_namespace);
  if (lbaf != 0 || protection != 0) return fail(c, Status::invalid_format);  // one LBA format, without metadata
  if (secure > 1) return fail(c, Status::invalid_field);                     // no cryptographic erase
  if (format_ != nullptr) return fail(c, Status::format_in_progress);
  format_ = &c;
  ++c.pending;
  format_waits_ = 0;
  for (const Command* other = newest_; other != nullptr; other = other->older) format_waits_ += other->executing ? 1U : 0U;
  if (format_waits_ == 0) send_format(now);
}

void ControllerModel::send_format(Time now) {
  Command& c = *format_;
  if (c.abandoned) {  // a reset came first
    format_ = nullptr;
  } else {
    Chunk& chunk = new_chunk(c, ftl::RequestKind::format, 0, 0);
    chunk.request.address = {};
    chunk.request.erase = (c.sqe.cdw10 >> 9U & 7U) == 1;
    outside.ftl(chunk.request, now);
  }
  release(c, now);
}

// ---- asynchronous events, §5.2 ----

void ControllerModel::async_event_request(Command& c, Time now) {
  if (async_requests_.size() >= async_event_limit) return fail(c, Status::aer_limit_exceeded);
  ++c.pending;
  async_requests_.push(c);
  deliver_events(now);
}

}  // namespace flashpath::nvme

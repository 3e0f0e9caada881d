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
    case AdminOpcode::set_features: set_feature(c, now); return;
    case AdminOpcode::get_features: get_feature(c, now); return;
    case AdminOpcode::async_event_request: async_event_request(c, now); return;
    case AdminOpcode::keep_alive: keep_alive(now); return;
    case AdminOpcode::device_self_test: device_self_test(c, now); return;
    case AdminOpcode::firmware_download: firmware_download(c, now); return;
    case AdminOpcode::firmware_commit: firmware_commit(c); return;
    case AdminOpcode::namespace_management: namespace_management(c, now); return;
    case AdminOpcode::namespace_attachment: namespace_attachment(c, now); return;
    case AdminOpcode::format_nvm: format_nvm(c, now); return;
    case AdminOpcode::abort: abort(c, now); return;
    case AdminOpcode::doorbell_buffer_config: doorbell_buffers(c, now); return;
    default: fail(c, Status::invalid_opcode); return;
  }
}

/// Sends the first `size` bytes of `c.data` to the host.
void ControllerModel::answer_with(Command& c, std::size_t size, Time now) {
  c.direction = Direction::to_host;
  c.length = size;
  begin_prps(c, now);
}

/// Asks the host for `size` bytes; control_arrived() when they are here.
void ControllerModel::take_from_host(Command& c, std::size_t size, Time now) {
  c.direction = Direction::from_host;
  c.length = size;
  c.data.assign(size, 0);
  begin_prps(c, now);
}

/// What a command that is not a user's read or write has asked of the host.
void ControllerModel::control_arrived(Command& c, Time now) {
  if (!c.admin) return io_ranges(c, now);
  switch (static_cast<AdminOpcode>(c.sqe.opcode)) {
    case AdminOpcode::set_features: return feature_data(c, now);
    case AdminOpcode::firmware_download: return firmware_.downloaded();
    case AdminOpcode::namespace_management: return create_namespace(c);
    case AdminOpcode::namespace_attachment: return attach(c, now);
    default: return;
  }
}

// ---- queues, §5.4 to §5.7 ----

void ControllerModel::create_cq(Command& c) {
  const std::uint32_t id = c.sqe.cdw10 & 0xffffU;
  const std::uint32_t size = (c.sqe.cdw10 >> 16U) + 1;
  const std::uint32_t vector = c.sqe.cdw11 >> 16U;
  if (id == 0 || id > config_.max_queues || (id < cqs_.size() && cqs_[id].exists)) return fail(c, Status::invalid_qid);
  if (size < 2 || size > config_.max_queue_entries || cc_.iocqes() != 4) return fail(c, Status::invalid_queue_size);
  if ((c.sqe.cdw11 & 1U) == 0) return fail(c, Status::invalid_field);  // CAP.CQR: contiguous queues only
  if (c.sqe.prp1 % page_.count != 0) return fail(c, Status::prp_offset_invalid);
  if (vector > config_.max_queues) return fail(c, Status::invalid_interrupt_vector);
  CompletionQueue& cq = grow_cq(id);
  cq = CompletionQueue{};
  cq.exists = true;
  cq.interrupts = (c.sqe.cdw11 & 2U) != 0;
  cq.vector = static_cast<std::uint16_t>(vector);
  cq.base = c.sqe.prp1;
  forget_shadow(2 * std::size_t{id} + 1);
  cq.size = size;
  queues_negotiable_ = false;
}

void ControllerModel::create_sq(Command& c) {
  const std::uint32_t id = c.sqe.cdw10 & 0xffffU;
  const std::uint32_t size = (c.sqe.cdw10 >> 16U) + 1;
  const std::uint32_t cq = c.sqe.cdw11 >> 16U;
  if (cq == 0 || cq > config_.max_queues) return fail(c, Status::invalid_qid);
  if (cq >= cqs_.size() || !cqs_[cq].exists) return fail(c, Status::cq_invalid);
  if (id == 0 || id > config_.max_queues || (id < sqs_.size() && sqs_[id].exists)) return fail(c, Status::invalid_qid);
  if (size < 2 || size > config_.max_queue_entries || cc_.iosqes() != 6) return fail(c, Status::invalid_queue_size);
  if ((c.sqe.cdw11 & 1U) == 0) return fail(c, Status::invalid_field);
  if (c.sqe.prp1 % page_.count != 0) return fail(c, Status::prp_offset_invalid);
  SubmissionQueue& sq = grow_sq(id);
  sq = SubmissionQueue{};
  sq.exists = true;
  sq.priority = static_cast<QueueClass>((c.sqe.cdw11 >> 1U) & 3U);
  sq.cq = static_cast<std::uint16_t>(cq);
  sq.base = c.sqe.prp1;
  forget_shadow(2 * std::size_t{id});
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
  if (cq.backlog.empty() && !cq.blocked.empty()) unblock(cq);
  sq_deleted(static_cast<std::uint16_t>(id), now);
}

}  // namespace flashpath::nvme

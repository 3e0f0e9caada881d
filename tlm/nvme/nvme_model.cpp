// SPDX-License-Identifier: Apache-2.0
#include "nvme/nvme_model.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace flashpath::nvme {
namespace {
constexpr Duration cap_to_unit = 500ms;

unsigned log2_of(Bytes size, Bytes unit) { return static_cast<unsigned>(std::countr_zero(size / unit)); }
std::uint64_t low(std::uint64_t whole, std::uint32_t value) { return (whole & 0xffff'ffff'0000'0000U) | value; }
std::uint64_t high(std::uint64_t whole, std::uint32_t value) { return (whole & 0xffff'ffffU) | (static_cast<std::uint64_t>(value) << 32U); }
}  // namespace

ControllerModel::ControllerModel(Agenda& agenda, const Config& config, Bytes capacity, bool data_mode, std::string serial,
                                 stats::Group& group)
    : agenda_{agenda},
      config_{config},
      capacity_{capacity},
      data_mode_{data_mode},
      serial_{std::move(serial)},
      stats_{group, config.engines},
      namespaces_{config, capacity},
      smart_{config},
      features_{config},
      self_test_{config} {
  const auto timeout = static_cast<std::uint32_t>(
      ceil_div(static_cast<std::uint64_t>(config_.enable_time.count()), static_cast<std::uint64_t>(Duration{cap_to_unit}.count())));
  cap_ = Cap::make(config_.max_queue_entries - 1, std::max(timeout, 1U), log2_of(config_.doorbell_stride, 4_B),
                   log2_of(config_.min_page, 4_KiB), log2_of(config_.max_page, 4_KiB), config_.weighted_arbitration);
  cmb_.resize(config_.cmb.count);
  if (!cmb_.empty()) cap_.raw |= 1ULL << 57U;  // CMBS
  kv_spaces_.resize(config_.max_namespaces);
  sqs_.resize(1);  // they grow to the highest id created
  cqs_.resize(1);
  engines_.resize(config_.engines);
  errors_.resize(error_log_entries);
  free_contexts_ = {config_.contexts, admin_contexts};
}

bool ControllerModel::idle() const {
  return commands_.outstanding() == 0 && chunks_.outstanding() == 0 && dmas_.outstanding() == 0 && fetch_pool_.outstanding() == 0 &&
         free_buffers_.size() == buffers_.size() && staged_ == Bytes{};
}

// ---- registers ----

std::uint64_t ControllerModel::mmio_read(std::uint64_t offset, unsigned size) const {
  if ((size != 4 && size != 8) || offset % size != 0 || offset >= static_cast<std::uint64_t>(Register::doorbells)) return 0;
  if (dead_) return size == 4 ? 0xffff'ffffU : ~std::uint64_t{0};
  if (size == 4) return read32(offset);
  return read32(offset) | (static_cast<std::uint64_t>(read32(offset + 4)) << 32U);
}

std::uint32_t ControllerModel::read32(std::uint64_t offset) const {
  switch (offset) {
    case 0x00: return static_cast<std::uint32_t>(cap_.raw);
    case 0x04: return static_cast<std::uint32_t>(cap_.raw >> 32U);
    case 0x08: return version_2_0;
    case 0x0c:
    case 0x10: return intms_;
    case 0x14: return cc_.raw;
    case 0x1c: return csts_;
    case 0x24: return aqa_;
    case 0x28: return static_cast<std::uint32_t>(asq_);
    case 0x2c: return static_cast<std::uint32_t>(asq_ >> 32U);
    case 0x30: return static_cast<std::uint32_t>(acq_);
    case 0x34: return static_cast<std::uint32_t>(acq_ >> 32U);
    case 0x38:
    case 0x3c:
    case 0x50:
    case 0x54:
    case 0x58: return cmb_register(offset);
    case 0x68: return cap_.to();  // CRTO.CRWMT
    default: return 0;
  }
}

void ControllerModel::mmio_write(std::uint64_t offset, unsigned size, std::uint64_t value, Time now) {
  if (dead_) return;
  const bool doorbells = offset >= static_cast<std::uint64_t>(Register::doorbells);
  if ((size != 4 && size != 8) || offset % size != 0 || (doorbells && size != 4)) {
    ++stats_.ignored_writes;
    return;
  }
  if (doorbells) {
    doorbell(offset - static_cast<std::uint64_t>(Register::doorbells), static_cast<std::uint32_t>(value), now);
    return;
  }
  write32(offset, static_cast<std::uint32_t>(value), now);
  if (size == 8) write32(offset + 4, static_cast<std::uint32_t>(value >> 32U), now);
}

void ControllerModel::write32(std::uint64_t offset, std::uint32_t value, Time now) {
  const bool enabled = cc_.en();  // the admin queue's registers are fixed while enabled
  switch (offset) {
    case 0x0c: intms_ |= value; return;
    case 0x10: intms_ &= ~value; return;
    case 0x14: write_cc(Cc{value}, now); return;
    case 0x1c: csts_ &= ~(value & csts_nssro); return;  // write one to clear; the rest is read only
    case 0x20:
      if (value == nssr_signature) subsystem_reset(now);
      return;
    case 0x24:
      if (!enabled) aqa_ = value & 0x0fff'0fffU;
      return;
    case 0x28:
      if (!enabled) asq_ = low(asq_, value & 0xffff'f000U);
      return;
    case 0x2c:
      if (!enabled) asq_ = high(asq_, value);
      return;
    case 0x30:
      if (!enabled) acq_ = low(acq_, value & 0xffff'f000U);
      return;
    case 0x34:
      if (!enabled) acq_ = high(acq_, value);
      return;
    case 0x50: set_cmbmsc(low(cmbmsc_, value)); return;
    case 0x54: set_cmbmsc(high(cmbmsc_, value)); return;
    default: ++stats_.ignored_writes; return;
  }
}

// ---- enable, reset, shutdown: §3.5, §3.6, §3.7 ----

void ControllerModel::write_cc(Cc value, Time now) {
  const Cc before = cc_;
  cc_ = value;
  if (before.en() && !value.en()) reset(now);
  if (!before.en() && value.en() && !resetting_) enable(now);
  if ((value.shn() == 1 || value.shn() == 2) && before.shn() == 0) shutdown(value.shn() == 1, now);
}

void ControllerModel::enable(Time now) {
  ++epoch_;
  csts_ &= csts_nssro;
  shut_down_ = false;
  ++shutdowns_;
  const bool valid = (cc_.css() == 0 || cc_.css() == css_all) && (cc_.ams() == 0 || (cc_.ams() == 1 && cap_.weighted())) &&
                     cc_.mps() >= cap_.mpsmin() && cc_.mps() <= cap_.mpsmax() && (aqa_ & 0xfffU) != 0 && (aqa_ >> 16U) != 0;
  if (!valid) {
    csts_ |= csts_cfs;
    return;
  }
  agenda_.post<&ControllerModel::became_ready>(now + config_.enable_time, this, epoch_);
}

void ControllerModel::became_ready(Time now, std::uint64_t epoch) {
  if (epoch != epoch_) return;  // disabled meanwhile
  page_ = {std::uint64_t{4096} << cc_.mps()};
  SubmissionQueue& sq = sqs_[0];
  sq.exists = true;
  sq.base = asq_;
  sq.size = (aqa_ & 0xfffU) + 1;
  sq.rung.assign(sq.size, Time{});
  CompletionQueue& cq = cqs_[0];
  cq.exists = true;
  cq.interrupts = true;
  cq.base = acq_;
  cq.size = (aqa_ >> 16U) + 1;
  cq.submission_queues = 1;
  queues_negotiable_ = true;
  arbiter_.reset(cc_.ams() == 1);
  events_.clear();
  smart_.default_thresholds();
  warned_ = 0;
  features_.reset();
  host_behavior_ = {};
  firmware_.reset();
  coalescer_.reset(config_.max_queues + 1U);
  shadowing_ = false;
  for (const Feature f : {Feature::arbitration, Feature::interrupt_coalescing, Feature::async_event_configuration, Feature::keep_alive})
    apply_feature(f, now);
  running_ = true;
  csts_ |= csts_rdy;
  health_changed(now);
}

/// Every command inside ends without a completion; what only waits is let go at once.
void ControllerModel::abandon_all(Time now) {
  for (Command* c = newest_; c != nullptr; c = c->older) c->abandoned = true;
  while (!async_requests_.empty()) release(async_requests_.pop(), now);
  for (CompletionQueue& cq : cqs_) {
    while (!cq.backlog.empty()) release(cq.backlog.pop(), now);
  }
  for (SubmissionQueue& sq : sqs_) {
    if (sq.delete_command == nullptr) continue;
    Command& waiting = *sq.delete_command;
    sq.delete_command = nullptr;
    release(waiting, now);
  }
  for (Fifo<DmaRequest>& queue : dma_queue_) {
    while (!queue.empty()) {
      DmaRequest& dma = queue.pop();
      dma.ok = false;
      data_done(dma, now);
    }
  }
  pump_writes(now);  // lets go of abandoned writes
}

void ControllerModel::reset(Time now) {
  ++stats_.resets;
  if (self_test_.kind() == SelfTest::Kind::brief) self_test_.end(SelfTest::Result::reset, now);  // an extended one goes on
  ++epoch_;
  running_ = false;
  resetting_ = true;
  shut_down_ = false;
  ++shutdowns_;
  abandon_all(now);
  for (SubmissionQueue& sq : sqs_) { sq = SubmissionQueue{}; }
  for (CompletionQueue& cq : cqs_) { cq = CompletionQueue{}; }
  arbiter_.reset(false);
  intms_ = 0;
  drained(now);
}

/// NSSR, §3.7.1: as a reset, and the admin queue's registers are forgotten, too.
void ControllerModel::subsystem_reset(Time now) {
  const bool enabled = cc_.en();
  cc_ = {};
  aqa_ = 0;
  asq_ = acq_ = 0;
  csts_ |= csts_nssro;
  if (enabled) reset(now);
  ++shutdowns_;
  csts_ &= ~(csts_shst_occurring | csts_shst_complete);
}

/// CSTS.RDY falls when nothing of the past is under way any more: the host may then reuse its memory.
void ControllerModel::drained(Time now) {
  if (!resetting_ || commands_.outstanding() != 0 || fetches_ != 0 || shadow_dmas_ != 0) return;
  resetting_ = false;
  csts_ &= csts_shst_occurring | csts_shst_complete | csts_nssro;
  if (cc_.en()) enable(now);
}

/// A normal one flushes first; an abrupt one trusts the capacitors.
void ControllerModel::shutdown(bool normal, Time now) {
  shut_down_ = true;
  if (!normal) {
    ++shutdowns_;
    csts_ = (csts_ & ~csts_shst_occurring) | csts_shst_complete;
    return;
  }
  csts_ = (csts_ & ~csts_shst_complete) | csts_shst_occurring;
  Chunk& chunk = chunks_.take();
  chunk = Chunk{};
  chunk.request.kind = ftl::RequestKind::flush;
  chunk.request.owner = &chunk;
  chunk.request.journey = Journey{now};
  chunk.offset = ++shutdowns_;
  outside.ftl(chunk.request, now);
}

/// What is inside ends without a completion; what comes is not seen.
void ControllerModel::fail(Time now) {
  if (dead_) return;
  dead_ = true;
  ++epoch_;
  fatal(now);
}

/// Controller fatal status, §9.5: nothing moves until the host resets.
void ControllerModel::fatal(Time now) {
  csts_ |= csts_cfs;
  running_ = false;
  abandon_all(now);
}

// ---- doorbells, §3.3.1.2 ----

void ControllerModel::doorbell(std::uint64_t offset, std::uint32_t value, Time now) {
  ++stats_.doorbells;
  const std::uint64_t stride = config_.doorbell_stride.count;
  if (offset % stride != 0) {
    ++stats_.ignored_writes;
    return;
  }
  if (!running_) return;
  const std::uint64_t index = offset / stride;
  const std::uint64_t qid = index / 2;
  const bool completion = index % 2 != 0;
  if (qid >= (completion ? cqs_.size() : sqs_.size()) || !(completion ? cqs_[qid].exists : sqs_[qid].exists)) {
    bad_doorbell(static_cast<std::uint32_t>(qid), AsyncErrorInfo::invalid_doorbell_register, now);
    return;
  }
  if (completion) head_is(static_cast<std::uint16_t>(qid), value, now);
  else tail_is(static_cast<std::uint16_t>(qid), value, now);
}

void ControllerModel::tail_is(std::uint16_t qid, std::uint32_t value, Time now) {
  SubmissionQueue& sq = sqs_[qid];
  if (value >= sq.size) return bad_doorbell(qid, AsyncErrorInfo::invalid_doorbell_value, now);
  while (sq.tail != value) {
    sq.rung[sq.tail] = now;
    sq.tail = sq.tail + 1 == sq.size ? 0 : sq.tail + 1;
  }
  mark_ready(qid);
  wake_arbiter(now);
}

void ControllerModel::head_is(std::uint16_t qid, std::uint32_t value, Time now) {
  CompletionQueue& cq = cqs_[qid];
  const std::uint32_t unread = cq.tail >= cq.head ? cq.tail - cq.head : cq.tail + cq.size - cq.head;
  const std::uint32_t taken = value >= cq.head ? value - cq.head : value + cq.size - cq.head;
  if (value >= cq.size || taken > unread) return bad_doorbell(qid, AsyncErrorInfo::invalid_doorbell_value, now);
  cq.head = value;
  while (!cq.backlog.empty() && !cq.full()) post(cq.backlog.pop(), now);
  if (!cq.backlog.empty()) return look_at_shadow(std::size_t{2} * qid + 1, now);
  if (!cq.blocked.empty()) unblock(cq);
  wake_arbiter(now);
}

void ControllerModel::bad_doorbell(std::uint32_t qid, AsyncErrorInfo info, Time now) {
  ++stats_.bad_doorbells;
  log_error(nullptr, Status::success, static_cast<std::uint16_t>(qid));
  raise_event(AsyncEventType::error_status, static_cast<std::uint8_t>(info), LogPage::error_information, now);
}

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
#include "nand/nand_part.h"

namespace flashpath::nand {

ModelArray::ModelArray(const sc_core::sc_module_name& name, Environment& environment, const Config& config)
    : Array{name, environment},
      port_{"in", agenda_, SplitPort::Arrived::to<&ModelArray::arrived>(this)},
      model_{agenda_,
             config,
             stats,
             ArrayModel::Answered::to<&ModelArray::answered>(this),
             environment.data_mode,
             Random{environment.seed, this->name()}},
      refused_{stats, "refused", stats::Unit::count, "operations that do not exist: wrong address, size or command"} {
  port_.also<Op>(*this, asker_);
}

/// An operation as plain data. One that does not exist is to come as a payload, to be refused.
bool ModelArray::take(Op& op, Time now) {
  if (model_.geometry().fault(op) != OpFault::none) return false;
  op.inside = nullptr;
  model_.submit_legal(op, now);
  return true;
}

tlm::tlm_response_status ModelArray::judge(const Payload& payload, const FlashCommand* command) const {
  if (command == nullptr) return tlm::TLM_GENERIC_ERROR_RESPONSE;
  const Op& op = command->op;
  if (op.kind == OpKind::read ? !payload.is_read() : !payload.is_write()) return tlm::TLM_COMMAND_ERROR_RESPONSE;
  switch (model_.geometry().fault(op)) {
    case OpFault::none: break;
    case OpFault::size: return tlm::TLM_BURST_ERROR_RESPONSE;
    default: return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  }
  if (op.kind != OpKind::erase && size_of(payload) != op.size) return tlm::TLM_BURST_ERROR_RESPONSE;
  return tlm::TLM_OK_RESPONSE;
}

void ModelArray::arrived(Payload& payload, Time now) {
  auto* const command = extension_of<FlashCommand>(payload);
  payload.set_response_status(judge(payload, command));
  Transfer& transfer = transfer_of(payload);
  if (!payload.is_response_ok()) {
    ++refused_;
    transfer.stream = {.first = now, .last = now};
    port_.respond(payload, now);
    return;
  }
  port_.accept(payload, now);
  Op& op = command->op;
  if (op.data == nullptr && environment_.data_mode && transfer.carries_data) op.data = payload.get_data_ptr();
  op.inside = &payload;
  model_.submit_legal(op, now);
}

void ModelArray::answered(Op& op, Time now) {
  if (op.inside == nullptr) {
    asker_->reply(op, now);
    return;
  }
  Payload& payload = *static_cast<Payload*>(op.inside);
  op.inside = nullptr;
  Transfer& transfer = transfer_of(payload);
  transfer.stream = op.stream;
  transfer.journey = op.journey;
  port_.respond(payload, now);
}

void ModelArray::check(Laws& laws, Time now) const {
  laws.about(name());
  model_.check(laws, now);
}

void ModelArray::explain(Stall& stall) const {
  stall.about(name());
  model_.explain(stall);
}

}  // namespace flashpath::nand

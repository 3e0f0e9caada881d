// SPDX-License-Identifier: Apache-2.0
#include "ftl/ftl_sockets_part.h"

#include <algorithm>

namespace flashpath::ftl {

FtlSockets::FtlSockets(Agenda& agenda, Submit submit, FlashAnswered flash_answered)
    : read{"in_read", agenda, SplitPort::Arrived::to<&FtlSockets::arrived>(this)},
      write{"in_write", agenda, SplitPort::Arrived::to<&FtlSockets::arrived>(this)},
      flash{"flash", agenda, InitiatorPort::Event::to<&FtlSockets::flash_responded>(this)},
      submit_{submit},
      flash_answered_{flash_answered} {
  read.also<Request>(*this, asker_);
}

/// A read as plain data.
bool FtlSockets::take(Request& request, Time now) {
  if (request.kind != RequestKind::read) return false;
  request.carrier = nullptr;
  submit_(request, now);
  return true;
}

void FtlSockets::arrived(Payload& payload, Time now) {
  FtlCommand* const command = extension_of<FtlCommand>(payload);
  const bool reads = payload.is_read();
  if (command == nullptr || reads != (command->request.kind == RequestKind::read)) {
    payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    (reads ? read : write).respond(payload, now);
    return;
  }
  command->request.carrier = &payload;
  if (reads) read.accept(payload, now);
  submit_(command->request, now);
}

void FtlSockets::accepted(Request& request, Time now) { write.accept(*static_cast<Payload*>(request.carrier), now); }

void FtlSockets::answered(Request& request, Time now) {
  if (request.carrier == nullptr) {
    asker_->reply(request, now);
    return;
  }
  Payload& payload = *static_cast<Payload*>(request.carrier);
  payload.set_response_status(request.status == RequestStatus::ok             ? tlm::TLM_OK_RESPONSE
                              : request.status == RequestStatus::out_of_range ? tlm::TLM_ADDRESS_ERROR_RESPONSE
                                                                              : tlm::TLM_GENERIC_ERROR_RESPONSE);
  Transfer& transfer = transfer_of(payload);
  transfer.stream = request.stream;
  transfer.journey = request.journey;
  (payload.is_read() ? read : write).respond(payload, now);
}

void FtlSockets::issue(nand::Op& op, Time now) {
  if (!array_sought_) {
    array_sought_ = true;
    array_ = flash.taker<nand::Op>(*this);
  }
  if (array_ != nullptr && array_->take(op, now)) return;
  const Bytes size{std::max<std::uint64_t>(op.size.count, 1)};
  Payload& payload = pool_.take(op.kind == nand::OpKind::read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND, 0, size, op.data);
  extension_of<nand::FlashCommand>(payload)->op = op;
  Transfer& transfer = transfer_of(payload);
  transfer.owner = &op;
  transfer.stream = {now, now};
  flash.send(payload, now);
}

void FtlSockets::flash_responded(Payload& payload, Time now) {
  nand::Op& op = *static_cast<nand::Op*>(transfer_of(payload).owner);
  const nand::Op& answer = extension_of<nand::FlashCommand>(payload)->op;
  op.status = answer.status;
  op.dead = answer.dead;
  op.retries = answer.retries;
  op.refresh = answer.refresh;
  op.stream = answer.stream;
  op.journey = answer.journey;
  payload.release();
  flash_answered_(op, now);
}

void FtlSockets::check(Laws& laws) const {
  laws.equal("payloads out", pool_.outstanding(), "flash operations in the port", flash.unanswered());
}

void FtlSockets::explain(Stall& stall) const {
  if (flash.waiting() != 0) stall.waits(flash.waiting(), "flash operations", "the array to accept them");
}

}  // namespace flashpath::ftl

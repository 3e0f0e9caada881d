// SPDX-License-Identifier: Apache-2.0
#include "ftl/static_part.h"

#include <algorithm>

namespace flashpath::ftl {

StaticFtl::StaticFtl(const sc_core::sc_module_name& name, Environment& environment, const Config& config, const Geometry& geometry)
    : Ftl{name, environment},
      read_port_{"in_read", agenda_, SplitPort::Arrived::to<&StaticFtl::arrived>(this)},
      write_port_{"in_write", agenda_, SplitPort::Arrived::to<&StaticFtl::arrived>(this)},
      flash_port_{"flash", agenda_, InitiatorPort::Event::to<&StaticFtl::flash_responded>(this)},
      capacity_{config.capacity},
      model_{agenda_,
             config,
             geometry,
             environment.data_mode,
             stats,
             StaticModel::IssueFlash::to<&StaticFtl::issue>(this),
             StaticModel::Event::to<&StaticFtl::accepted>(this),
             StaticModel::Event::to<&StaticFtl::answered>(this)} {}

void StaticFtl::arrived(Payload& payload, Time now) {
  FtlCommand* const command = payload.get_extension<FtlCommand>();
  const bool read = payload.is_read();
  if (command == nullptr || read != (command->request.kind == RequestKind::read)) {
    payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    (read ? read_port_ : write_port_).respond(payload, now);
    return;
  }
  command->request.carrier = &payload;
  if (read) read_port_.accept(payload, now);
  model_.submit(command->request, now);
}

void StaticFtl::accepted(Request& request, Time now) { write_port_.accept(*static_cast<Payload*>(request.carrier), now); }

void StaticFtl::answered(Request& request, Time now) {
  Payload& payload = *static_cast<Payload*>(request.carrier);
  payload.set_response_status(request.status == RequestStatus::ok             ? tlm::TLM_OK_RESPONSE
                              : request.status == RequestStatus::out_of_range ? tlm::TLM_ADDRESS_ERROR_RESPONSE
                                                                              : tlm::TLM_GENERIC_ERROR_RESPONSE);
  Transfer& transfer = transfer_of(payload);
  transfer.stream = request.stream;
  transfer.journey = request.journey;
  (payload.is_read() ? read_port_ : write_port_).respond(payload, now);
}

void StaticFtl::issue(nand::Op& op, Time now) {
  const Bytes size{std::max<std::uint64_t>(op.size.count, 1)};
  Payload& payload = pool_.take(op.kind == nand::OpKind::read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND, 0, size, op.data);
  payload.get_extension<nand::FlashCommand>()->op = op;
  payload.get_extension<Transfer>()->owner = &op;
  payload.get_extension<Transfer>()->stream = {now, now};
  flash_port_.send(payload, now);
}

void StaticFtl::flash_responded(Payload& payload, Time now) {
  nand::Op& op = *static_cast<nand::Op*>(payload.get_extension<Transfer>()->owner);
  const nand::Op& answer = payload.get_extension<nand::FlashCommand>()->op;
  op.status = answer.status;
  op.stream = answer.stream;
  op.journey = answer.journey;
  payload.release();
  model_.flash_answered(op, now);
}

void StaticFtl::check(Laws& laws, Time now) const {
  laws.about(name());
  model_.check(laws, now);
  laws.equal("payloads out", pool_.outstanding(), "flash operations in the port", flash_port_.unanswered());
}

void StaticFtl::explain(Stall& stall) const {
  stall.about(name());
  model_.explain(stall);
  if (flash_port_.waiting() != 0) stall.waits(flash_port_.waiting(), "flash operations", "the array to accept them");
}

}  // namespace flashpath::ftl

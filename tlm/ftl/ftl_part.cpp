// SPDX-License-Identifier: Apache-2.0
#include "ftl/ftl_part.h"

#include <algorithm>

namespace flashpath::ftl {

ModelFtl::ModelFtl(const sc_core::sc_module_name& name, Environment& environment, const Config& config, const Geometry& geometry)
    : Ftl{name, environment},
      read_port_{"in_read", agenda_, SplitPort::Arrived::to<&ModelFtl::arrived>(this)},
      write_port_{"in_write", agenda_, SplitPort::Arrived::to<&ModelFtl::arrived>(this)},
      flash_port_{"flash", agenda_, InitiatorPort::Event::to<&ModelFtl::flash_responded>(this)},
      capacity_{config.capacity},
      model_{agenda_,
             config,
             geometry,
             environment.data_mode,
             FtlModel::IssueFlash::to<&ModelFtl::issue>(this),
             FtlModel::Event::to<&ModelFtl::accepted>(this),
             FtlModel::Event::to<&ModelFtl::answered>(this)} {}

void ModelFtl::arrived(Payload& payload, Time now) {
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

void ModelFtl::accepted(Request& request, Time now) { write_port_.accept(*static_cast<Payload*>(request.carrier), now); }

void ModelFtl::answered(Request& request, Time now) {
  Payload& payload = *static_cast<Payload*>(request.carrier);
  payload.set_response_status(request.status == RequestStatus::ok             ? tlm::TLM_OK_RESPONSE
                              : request.status == RequestStatus::out_of_range ? tlm::TLM_ADDRESS_ERROR_RESPONSE
                                                                              : tlm::TLM_GENERIC_ERROR_RESPONSE);
  Transfer& transfer = transfer_of(payload);
  transfer.stream = request.stream;
  transfer.journey = request.journey;
  (payload.is_read() ? read_port_ : write_port_).respond(payload, now);
}

void ModelFtl::issue(nand::Op& op, Time now) {
  const Bytes size{std::max<std::uint64_t>(op.size.count, 1)};
  Payload& payload = pool_.take(op.kind == nand::OpKind::read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND, 0, size, op.data);
  payload.get_extension<nand::FlashCommand>()->op = op;
  payload.get_extension<Transfer>()->owner = &op;
  payload.get_extension<Transfer>()->stream = {now, now};
  flash_port_.send(payload, now);
}

void ModelFtl::flash_responded(Payload& payload, Time now) {
  nand::Op& op = *static_cast<nand::Op*>(payload.get_extension<Transfer>()->owner);
  const nand::Op& answer = payload.get_extension<nand::FlashCommand>()->op;
  op.status = answer.status;
  op.dead = answer.dead;
  op.retries = answer.retries;
  op.refresh = answer.refresh;
  op.stream = answer.stream;
  op.journey = answer.journey;
  payload.release();
  model_.flash_answered(op, now);
}

void ModelFtl::check(Laws& laws, Time now) const {
  laws.about(name());
  model_.check(laws, now);
  laws.equal("payloads out", pool_.outstanding(), "flash operations in the port", flash_port_.unanswered());
}

void ModelFtl::explain(Stall& stall) const {
  stall.about(name());
  model_.explain(stall);
  if (flash_port_.waiting() != 0) stall.waits(flash_port_.waiting(), "flash operations", "the array to accept them");
}

void ModelFtl::finish(Time now) {
  const Counts& c = model_.counts();
  host_read_.value = c.host_read;
  host_written_.value = c.host_written;
  flash_read_.value = c.flash_read;
  flash_programmed_.value = c.flash_programmed;
  flash_reads_.value = c.flash_reads;
  flash_programs_.value = c.flash_programs;
  flash_erases_.value = c.flash_erases;
  gc_moved_.value = c.gc_moved;
  gc_victims_.value = c.gc_victims;
  buffer_hit_.value = c.buffer_hit;
  unmapped_read_.value = c.unmapped_read;
  rewrites_.value = c.rewrites;
  map_hits_.value = c.map_hits;
  map_misses_.value = c.map_misses;
  map_reads_.value = c.map_reads;
  map_written_.value = c.map_written;
  trimmed_.value = c.trimmed;
  failures_.value = c.failures;
  placed_.value = c.placed;
  padded_.value = c.padded;
  wear_victims_.value = c.wear_victims;
  gc_busy_.value = static_cast<std::uint64_t>(model_.gc_busy(now).count());
  pacing_wait_.value = static_cast<std::uint64_t>(c.pacing_wait.count());
  const WearSummary wear = model_.wear();
  wear_least_.value = wear.least;
  wear_most_.value = wear.most;
  wear_sum_.value = wear.sum;
  wear_.set(wear.classes);
  superblocks_.value = model_.layout().superblocks();
  victims_valid_.set(c.victims_valid);
  closed_valid_.set(model_.closed_valid());
  dead_dies_.value = model_.dead_dies();
  lost_units_.value = c.lost_units;
  rewritten_.value = c.rewritten;
  free_superblocks_.value = model_.free_superblocks();
  map_bytes_.value = model_.memory().count;
  buffer_wait_.value = static_cast<std::uint64_t>(c.buffer_wait.count());
  superblock_wait_.value = static_cast<std::uint64_t>(c.superblock_wait.count());
  lookup_.value = c.lookup_busy;
}

}  // namespace flashpath::ftl

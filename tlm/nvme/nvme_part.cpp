// SPDX-License-Identifier: Apache-2.0
#include "nvme/nvme_part.h"

#include <algorithm>
#include <cstring>

#include "bus/address_map.h"

namespace flashpath::nvme {
namespace {
constexpr Bytes least_payload{1};  // TLM-2.0 forbids empty payloads: flush

pcie::DmaStatus status_of(tlm::tlm_response_status response) {
  switch (response) {
    case tlm::TLM_OK_RESPONSE: return pcie::DmaStatus::ok;
    case tlm::TLM_ADDRESS_ERROR_RESPONSE: return pcie::DmaStatus::unsupported_request;
    case tlm::TLM_INCOMPLETE_RESPONSE: return pcie::DmaStatus::timeout;
    default: return pcie::DmaStatus::completer_abort;
  }
}
}  // namespace

ModelController::ModelController(const sc_core::sc_module_name& name, Environment& environment, const Config& config, Bytes capacity,
                                 std::uint16_t drive)
    : Controller{name, environment},
      register_latency_{config.register_latency},
      drive_{drive},
      model_{environment.agenda, config, capacity, environment.data_mode, "FP" + std::to_string(drive), stats},
      function_{model_, config},
      bar_{"bar", environment.agenda, TargetPort::Serve::to<&ModelController::serve_register>(this)},
      dma_{"dma",
           environment.agenda,
           InitiatorPort::Event::to<&ModelController::dma_responded>(this),
           {},
           InitiatorPort::Ahead{.write_responses = true}},
      ftl_read_{"ftl_read", environment.agenda, InitiatorPort::Event::to<&ModelController::ftl_responded>(this)},
      ftl_write_{"ftl_write", environment.agenda, InitiatorPort::Event::to<&ModelController::ftl_responded>(this),
                 InitiatorPort::Event::to<&ModelController::ftl_write_accepted>(this)} {
  function_.dma = Delegate<void(DmaRequest&, Time)>::to<&ModelController::send_dma>(this);
  function_.on_message(pcie::Msix::Message::to<&ModelController::send_message>(this));
  function_.place(bus::bar_base + drive * bus::bar_stride, Time{});
  model_.outside.ftl = Delegate<void(ftl::Request&, Time)>::to<&ModelController::send_ftl>(this);
}

Window ModelController::serve_register(Payload& payload, Time at) {
  const std::uint64_t offset = payload.get_address() % NvmeFunction::bar_window.count;
  const unsigned size = payload.get_data_length();
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  if (payload.get_byte_enable_ptr() != nullptr) {
    payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  } else if (model_.in_cmb(offset, size)) {
    if (payload.is_write()) model_.cmb_write(offset, payload.get_data_ptr(), size);
    else model_.cmb_read(offset, payload.get_data_ptr(), size);
    if (payload.is_read()) return {.accepted = at, .done = at + register_latency_};
  } else if (payload.is_write()) {
    std::uint64_t value = 0;
    if (size <= sizeof value) std::memcpy(&value, payload.get_data_ptr(), size);
    function_.bar_write(offset, size, value, at);
  } else if (payload.is_read()) {
    const std::uint64_t value = function_.bar_read(offset, size);
    std::memset(payload.get_data_ptr(), 0, size);
    std::memcpy(payload.get_data_ptr(), &value, std::min<std::size_t>(size, sizeof value));
    return {.accepted = at, .done = at + register_latency_};
  }
  return {.accepted = at, .done = at};
}

void ModelController::send_dma(DmaRequest& request, Time now) {
  const tlm::tlm_command command = request.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND;
  PooledPayload& payload =
      dma_pool_.take(command, request.address, request.size, request.bytes, request.journey, request.stream, Master::drive, drive_);
  payload.transfer.owner = &request;
  payload.transfer.hop = nullptr;
  dma_.send(payload, now);
}

void ModelController::dma_responded(Payload& payload, Time now) {
  const Transfer& transfer = transfer_of(payload);
  DmaRequest& request = *static_cast<DmaRequest*>(transfer.owner);
  const pcie::DmaStatus status = status_of(payload.get_response_status());
  request.stream = transfer.stream;
  request.journey = transfer.journey;
  payload.release();
  if (request.owner == this) messages_.give(static_cast<Message&>(request));
  else function_.dma_done(request, status, now);
}

void ModelController::send_message(std::uint64_t address, std::uint32_t data, Time now) {
  Message& message = messages_.take();
  message.value = data;
  message.write = true;
  message.address = address;
  message.size = {sizeof message.value};
  message.bytes = reinterpret_cast<unsigned char*>(&message.value);
  message.stream = {now, now};
  message.journey = Journey{now};
  message.owner = this;
  send_dma(message, now);
}

void ModelController::send_ftl(ftl::Request& request, Time now) {
  const bool read = request.kind == ftl::RequestKind::read;
  if (read) {
    if (!ftl_sought_) {
      ftl_sought_ = true;
      ftl_ = ftl_read_.taker<ftl::Request>(*this);
    }
    if (ftl_ != nullptr && now == agenda_.now() && ftl_->take(request, now)) return;
  }
  const bool bulk = request.kind == ftl::RequestKind::read || request.kind == ftl::RequestKind::write;
  const tlm::tlm_command command = read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND;
  Payload& payload = ftl_pool_.take(command, request.address.count, bulk ? request.size : least_payload, request.data);
  extension_of<ftl::FtlCommand>(payload)->request = request;
  Transfer& transfer = transfer_of(payload);
  transfer.owner = &request;
  transfer.master = Master::drive;
  transfer.source = drive_;
  (read ? ftl_read_ : ftl_write_).send(payload, now);
}

void ModelController::ftl_write_accepted(Payload& payload, Time now) {
  model_.ftl_accepted(*static_cast<ftl::Request*>(transfer_of(payload).owner), now);
}

void ModelController::ftl_responded(Payload& payload, Time now) {
  const ftl::Request& answer = extension_of<ftl::FtlCommand>(payload)->request;
  ftl::Request& request = *static_cast<ftl::Request*>(transfer_of(payload).owner);
  request.status = answer.status;
  if (!payload.is_response_ok() && answer.status == ftl::RequestStatus::ok) request.status = ftl::RequestStatus::write_fault;
  request.stream = answer.stream;
  request.journey = answer.journey;
  payload.release();
  model_.ftl_answered(request, now);
}

void ModelController::check(Laws& laws, Time now) const {
  model_.check(laws, now);
  function_.check(laws);
  if (model_.idle()) {
    laws.equal("DMA payloads out", dma_pool_.outstanding(), "none", 0);
    laws.equal("FTL payloads out", ftl_pool_.outstanding(), "none", 0);
  }
}

}  // namespace flashpath::nvme

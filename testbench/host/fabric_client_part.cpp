// SPDX-License-Identifier: Apache-2.0
#include "host/fabric_client_part.h"

#include <cstring>

#include "base/random.h"
#include "firmware/kv_service.h"

namespace flashpath::host {
namespace {

/// Byte `offset` of an object, a function of its key: eight at a time.
std::uint64_t object_word(const serving::ObjectKey& key, std::uint64_t offset) { return mix64(key.high ^ mix64(key.low + (offset >> 3U))); }
unsigned char object_byte(const serving::ObjectKey& key, std::uint64_t offset) {
  return static_cast<unsigned char>(object_word(key, offset) >> (8U * (offset & 7U)));
}

fabric::Key wire_key(const serving::ObjectKey& key) {
  fabric::Key out{};
  const auto bytes = key.bytes();
  std::memcpy(out.data(), bytes.data(), out.size());
  return out;
}

}  // namespace

FabricClient::FabricClient(const sc_core::sc_module_name& name, Environment& environment, std::uint32_t per_instance,
                           std::uint32_t connections)
    : Part{name, environment},
      per_instance_{per_instance},
      connections_{connections},
      out_{"out", agenda_, InitiatorPort::Event::to<&FabricClient::answered>(this)},
      in_{"in", agenda_, SplitPort::Arrived::to<&FabricClient::arrived>(this)} {}

void FabricClient::load(Time now, const serving::ObjectKey& key, Bytes size, std::uint32_t instance, serving::StoreClient& client,
                        std::uint64_t tag) {
  ++loads_;
  submit(now, key, size, instance, client, tag, false);
}

void FabricClient::store(Time now, const serving::ObjectKey& key, Bytes size, std::uint32_t instance, serving::StoreClient& client,
                         std::uint64_t tag) {
  ++stores_;
  submit(now, key, size, instance, client, tag, true);
}

void FabricClient::submit(Time now, const serving::ObjectKey& key, Bytes size, std::uint32_t instance, serving::StoreClient& client,
                          std::uint64_t tag, bool is_store) {
  if (free_.empty()) {
    free_.push_back(commands_.size());
    commands_.emplace_back();
  }
  const std::uint64_t id = free_.back();
  free_.pop_back();
  if (next_connection_.size() <= instance) next_connection_.resize(instance + 1U);
  const std::uint32_t stream = next_connection_[instance]++ % per_instance_;
  commands_[id] = {&client, tag, key, size, {}, now, (instance * per_instance_ + stream) % connections_, is_store, true};
  flow_.enter(now);
  Payload& p = pool_.take(tlm::TLM_WRITE_COMMAND, 0, fabric::capsule_bytes);
  fabric::Message message;
  message.kind = fabric::MessageKind::capsule;
  message.opcode = is_store ? fabric::Opcode::store : fabric::Opcode::retrieve;
  message.connection = commands_[id].connection;
  message.key = wire_key(key);
  message.remote = id << offset_bits;
  message.size = size;
  message.command = id;
  transfer_of(p).journey = Journey{now};
  send(p, message, now);
}

void FabricClient::send(Payload& payload, const fabric::Message& message, Time now) {
  *fabric::message_of(payload) = message;
  transfer_of(payload).stream = {now, now};
  out_.send(payload, now);
}

void FabricClient::answered(Payload& payload, Time) {
  if (payload.get_response_status() != tlm::TLM_OK_RESPONSE) ++strays_;
  if (transfer_of(payload).carries_data) free_buffers_.push_back(std::move(buffers_[transfer_of(payload).tag]));
  payload.release();
}

void FabricClient::arrived(Payload& payload, Time now) {
  const fabric::Message* message = fabric::message_of(payload);
  const std::uint64_t id = message == nullptr                               ? ~0ULL
                           : message->kind == fabric::MessageKind::response ? message->command
                                                                            : message->remote >> offset_bits;
  if (message == nullptr || id >= commands_.size() || !commands_[id].busy) {
    ++strays_;
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    in_.respond(payload, now);
    return;
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  switch (message->kind) {
    case fabric::MessageKind::read_request: send_data(*message, now); break;
    case fabric::MessageKind::write_data: take_data(payload, *message); break;
    case fabric::MessageKind::response: finish_command(*message, now); break;
    default: ++strays_; break;
  }
  in_.respond(payload, now);
}

void FabricClient::send_data(const fabric::Message& request, Time now) {
  Command& command = commands_[request.remote >> offset_bits];
  const std::uint64_t offset = request.remote & ((1ULL << offset_bits) - 1U);
  unsigned char* data = nullptr;
  std::uint64_t slot = 0;
  if (environment_.data_mode) {
    // Buffers are kept by slot until their message has been taken.
    while (slot < buffers_.size() && !buffers_[slot].empty()) ++slot;
    if (slot == buffers_.size()) buffers_.emplace_back();
    if (!free_buffers_.empty()) {
      buffers_[slot] = std::move(free_buffers_.back());
      free_buffers_.pop_back();
    }
    buffers_[slot].resize(request.size.count);
    for (std::uint64_t i = 0; i < request.size.count; ++i) buffers_[slot][i] = object_byte(command.key, offset + i);
    data = buffers_[slot].data();
  }
  Payload& p = pool_.take(tlm::TLM_WRITE_COMMAND, 0, request.size, data);
  transfer_of(p).tag = slot;
  fabric::Message message;
  message.kind = fabric::MessageKind::read_data;
  message.connection = request.connection;
  message.size = request.size;
  message.read_tag = request.read_tag;
  command.moved += request.size;
  bytes_out_ += request.size;
  send(p, message, now);
}

void FabricClient::take_data(const Payload& payload, const fabric::Message& message) {
  Command& command = commands_[message.remote >> offset_bits];
  const std::uint64_t offset = message.remote & ((1ULL << offset_bits) - 1U);
  command.moved += message.size;
  bytes_in_ += message.size;
  const Transfer* transfer = payload.get_extension<Transfer>();
  if (!environment_.data_mode || transfer == nullptr || !transfer->carries_data) return;
  for (std::uint64_t i = 0; i < message.size.count; ++i)
    wrong_ += payload.get_data_ptr()[i] != object_byte(command.key, offset + i) ? 1U : 0U;
  verified_ += message.size.count;
}

void FabricClient::finish_command(const fabric::Message& response, Time now) {
  Command& command = commands_[response.command];
  const bool ok = response.status == 0 && command.moved == command.size;
  if (response.status == static_cast<std::uint16_t>(firmware::KvStatus::key_not_found)) ++misses_;
  else if (!ok) ++failures_;
  (command.is_store ? store_latency_ : load_latency_).add(now - command.entered);
  flow_.leave(now, command.entered);
  command.busy = false;
  serving::StoreClient& client = *command.client;
  const std::uint64_t tag = command.tag;
  const bool is_store = command.is_store;
  free_.push_back(response.command);
  if (is_store) client.on_store_done(now, tag, ok);
  else client.on_load_done(now, tag, ok);
}

void FabricClient::check(Laws& laws, Time now) const {
  flow_.check(laws, "commands", now);
  laws.equal("commands submitted", loads_.value + stores_.value, "answered + in flight", flow_.left() + flow_.inside());
  laws.equal("messages nobody expected", strays_, "none", 0);
  laws.equal("bytes that came back wrong", wrong_, "none", 0);
  if (flow_.inside() == 0) laws.equal("message payloads outstanding", pool_.outstanding(), "none", 0);
}

void FabricClient::explain(Stall& stall) const {
  stall.waits(flow_.inside(), "object commands", "the DPU's response");
  stall.waits(out_.waiting(), "messages", "the fabric to take them");
}

}  // namespace flashpath::host

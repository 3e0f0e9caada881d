// SPDX-License-Identifier: Apache-2.0
#include "crypto/crypto_part.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/error.h"
#include "bus/address_map.h"

namespace flashpath::crypto {
namespace {
constexpr std::uint64_t keys_at = bus::crypto_size / 2;
constexpr std::uint64_t key_stride = 128;
}  // namespace

ModelEngine::Link::Link(ModelEngine& e, std::size_t index)
    : engine{e}, port{("in_" + std::to_string(index)).c_str(), e.agenda_, SplitPort::Arrived::to<&Link::arrived>(this)} {}

ModelEngine::ModelEngine(const sc_core::sc_module_name& name, Environment& environment, const Config& config, std::size_t links)
    : Engine{name, environment},
      config_{config},
      frames_{bus::staging_base, config.frame_size, config.frames},
      cipher_{config.key_slots},
      decrypt_{config},
      encrypt_{config},
      out_{"out", environment.agenda, InitiatorPort::Event::to<&ModelEngine::responded>(this),
           InitiatorPort::Event::to<&ModelEngine::taken>(this),
           InitiatorPort::Ahead{.accepted = true, .write_responses = true, .read_responses = true}},
      regs_{"regs", environment.agenda, TargetPort::Serve::to<&ModelEngine::serve_register>(this)} {
  for (std::size_t i = 0; i < links; ++i) links_.push_back(std::make_unique<Link>(*this, i));
}

/// How many bytes are to be en- or decrypted; false if one of the pieces cannot be.
bool ModelEngine::inspect(const Payload& payload, Bytes& crypted) const {
  return frames_.pieces(payload.get_address(), size_of(payload), [&](const Piece& p) {
    crypted += Bytes{p.size};
    return cipher_.has_key(p.entry->key_slot) && p.offset % aes_block.count == 0 && p.size % aes_block.count == 0;
  });
}

void ModelEngine::transform(Way way, std::uint64_t address, unsigned char* bytes, Bytes size) {
  frames_.pieces(address, size, [&](const Piece& p) {
    return cipher_.blocks(way, p.entry->key_slot, p.entry->first_lba, p.offset, {bytes + p.begin, p.size});
  });
}

void ModelEngine::arrived(Link& link, Payload& payload, Time now) {
  Transfer& transfer = transfer_of(payload);
  const Bytes size = size_of(payload);
  flow_.enter(now);
  bytes_in_ += size;
  if (free_.empty()) free_.push_back(crossings_.emplace_back(std::make_unique<Crossing>()).get());
  Crossing& crossing = *free_.back();
  free_.pop_back();
  crossing.payload = crossing.forwarded = &payload;
  crossing.link = &link;
  crossing.hop = transfer.hop;
  crossing.entered = now;
  crossing.crypted = {};
  const auto arg = reinterpret_cast<std::uint64_t>(&crossing);
  Stream in{now, std::max(now, transfer.stream.last)};
  if (!inspect(payload, crossing.crypted)) {
    ++refused_;
    refused_bytes_ += size;
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    link.port.accept(payload, now);
    agenda_.post<&ModelEngine::respond>(decrypt_.bypass(in).last, this, arg);
    return;
  }
  Stream out = decrypt_.bypass(in);
  if (payload.is_write()) {
    if (crossing.crypted != Bytes{}) out = decrypt_.crypt(in, crossing.crypted);
    if (link.orders.size() <= transfer.source) link.orders.resize(transfer.source + 1U);
    out = link.orders[transfer.source].place(in, out);
    transfer.stream = out;
    transfer.journey.mark(Stage::crypto, out.first);
    decrypted_ += crossing.crypted;
    bypassed_ += size - crossing.crypted;
    if (crossing.crypted != Bytes{} && transfer.carries_data) copy_decrypted(crossing);
  }
  transfer_of(*crossing.forwarded).hop = &crossing;
  if (link.inside++ < config_.outstanding) link.port.accept(payload, now);
  else link.held.push_back(&payload);
  // What merely passes goes on at once, its few nanoseconds annotated; what waits for lanes or for its order, when it is out.
  if (out.first == now + config_.bypass_latency && link.held.empty()) forward(crossing, now, out.first);
  else agenda_.post<&ModelEngine::forward_later>(out.first, this, arg);
}

void ModelEngine::copy_decrypted(Crossing& crossing) {
  const Payload& from = *crossing.payload;
  const Transfer& transfer = transfer_of(*crossing.payload);
  const Bytes size = size_of(from);
  crossing.bytes.assign(from.get_data_ptr(), from.get_data_ptr() + size.count);
  transform(Way::decrypt, from.get_address(), crossing.bytes.data(), size);
  Payload& own = pool_.take(tlm::TLM_WRITE_COMMAND, from.get_address(), size, crossing.bytes.data());
  Transfer& t = transfer_of(own);
  t.journey = transfer.journey;
  t.stream = transfer.stream;
  t.master = transfer.master;
  t.source = transfer.source;
  crossing.forwarded = &own;
}

void ModelEngine::forward_later(Time now, std::uint64_t arg) { forward(*reinterpret_cast<Crossing*>(arg), now, now); }

void ModelEngine::forward(Crossing& crossing, Time now, Time when) {
  forwarded_ += size_of(*crossing.payload);
  sent_.push_back(crossing.link);
  out_.send(*crossing.forwarded, now, when);
}

void ModelEngine::taken(Payload&, Time now) {
  Link& link = *sent_.front();
  sent_.pop_front();
  --link.inside;
  if (link.held.empty()) return;
  Payload& next = *link.held.front();
  link.held.pop_front();
  link.port.accept(next, now);
}

void ModelEngine::responded(Payload& payload, Time now) {
  Transfer& transfer = transfer_of(payload);
  auto& crossing = *static_cast<Crossing*>(transfer.hop);
  if (crossing.forwarded != &payload) invariant_failed("a response without its request", name(), now);
  transfer.hop = crossing.hop;
  const auto arg = reinterpret_cast<std::uint64_t>(&crossing);
  if (payload.is_write()) {
    if (&payload != crossing.payload) {
      crossing.payload->set_response_status(payload.get_response_status());
      transfer_of(*crossing.payload).journey = transfer.journey;
      payload.release();
    }
    const Time back = now + config_.bypass_latency;
    transfer_of(*crossing.payload).stream = {back, back};
    if (crossing.link->port.inside(*crossing.payload)) respond(back, arg);
    else agenda_.post<&ModelEngine::respond>(back, this, arg);  // not ahead of it: a read's answer may be due before
    return;
  }
  const Stream in{now, std::max(now, transfer.stream.last)};
  Stream out = encrypt_.bypass(in);
  if (payload.is_response_ok()) {
    encrypted_ += crossing.crypted;
    bypassed_ += size_of(payload) - crossing.crypted;
    if (crossing.crypted != Bytes{}) {
      out = encrypt_.crypt(in, crossing.crypted);
      if (transfer.carries_data) transform(Way::encrypt, payload.get_address(), payload.get_data_ptr(), size_of(payload));
    }
  }
  transfer.stream = out;
  transfer.journey.mark(Stage::crypto, out.first);
  agenda_.post<&ModelEngine::respond>(out.first, this, arg);
}

void ModelEngine::respond(Time now, std::uint64_t arg) {
  auto* crossing = reinterpret_cast<Crossing*>(arg);
  Payload& payload = *crossing->payload;
  Link& link = *crossing->link;
  flow_.leave(now, crossing->entered);
  answered_ += size_of(payload);
  crossing->payload = crossing->forwarded = nullptr;
  free_.push_back(crossing);
  link.port.respond(payload, now);
}

Window ModelEngine::serve_register(Payload& payload, Time at) {
  const std::uint64_t offset = payload.get_address() - bus::crypto_base;
  tlm::tlm_response_status status = tlm::TLM_ADDRESS_ERROR_RESPONSE;
  if (payload.get_address() >= bus::crypto_base && offset < bus::crypto_size)
    status = offset < keys_at ? table_access(payload, offset) : key_access(payload, offset - keys_at);
  payload.set_response_status(status);
  const Time done = at + config_.register_latency;
  transfer_of(payload).stream = {done, done};
  return {at, done};
}

tlm::tlm_response_status ModelEngine::table_access(Payload& payload, std::uint64_t offset) {
  const std::size_t size = payload.get_data_length();
  if (size == 0 || offset % sizeof(FrameEntry) != 0 || size % sizeof(FrameEntry) != 0) return tlm::TLM_BURST_ERROR_RESPONSE;
  if ((offset + size) / sizeof(FrameEntry) > frames_.frames()) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  for (std::size_t i = 0; i < size; i += sizeof(FrameEntry)) {
    FrameEntry& entry = frames_[(offset + i) / sizeof(FrameEntry)];
    if (payload.is_write()) std::memcpy(&entry, payload.get_data_ptr() + i, sizeof entry);
    else std::memcpy(payload.get_data_ptr() + i, &entry, sizeof entry);
  }
  return tlm::TLM_OK_RESPONSE;
}

tlm::tlm_response_status ModelEngine::key_access(Payload& payload, std::uint64_t offset) {
  if (payload.is_read()) {
    std::memset(payload.get_data_ptr(), 0, payload.get_data_length());
    return tlm::TLM_OK_RESPONSE;
  }
  if (offset / key_stride >= config_.key_slots) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  if (offset % key_stride != 0 || payload.get_data_length() != key_bytes.count) return tlm::TLM_BURST_ERROR_RESPONSE;
  const std::span<const unsigned char, 64> key{payload.get_data_ptr(), 64};
  return cipher_.set_key(static_cast<std::uint32_t>(offset / key_stride), key) ? tlm::TLM_OK_RESPONSE : tlm::TLM_GENERIC_ERROR_RESPONSE;
}

void ModelEngine::check(Laws& laws, Time now) const {
  flow_.check(laws, "transfers", now);
  Bytes inside{};
  for (const auto& c : crossings_) inside += c->payload == nullptr ? Bytes{} : size_of(*c->payload);
  laws.equal("bytes in", bytes_in_.value, "bytes answered + inside", (answered_ + inside).count);
  laws.expect(forwarded_ + refused_bytes_ <= Bytes{bytes_in_.value}, "more bytes went on than came in");
  if (flow_.inside() == 0) laws.equal("bytes in", bytes_in_.value, "bytes forwarded + refused", (forwarded_ + refused_bytes_).count);
  laws.equal("transfers inside", flow_.inside(), "crossings in use", crossings_.size() - free_.size());
  laws.expect(decrypt_.busy() <= decrypt_.free_at() - Time{} && encrypt_.busy() <= encrypt_.free_at() - Time{},
              "lanes busy for longer than there was time");
}

void ModelEngine::explain(Stall& stall) const {
  stall.waits(out_.waiting(), "DMA transfers", "the interconnect to take them");
  for (const auto& link : links_) stall.waits(link->held.size(), "DMA transfers of one link", "room in the engine (outstanding)");
  stall.waits(flow_.inside(), "DMA transfers inside", "their responses");
}

void ModelEngine::finish(Time) {
  decrypt_busy_.value = decrypt_.busy();
  encrypt_busy_.value = encrypt_.busy();
}

}  // namespace flashpath::crypto

// SPDX-License-Identifier: Apache-2.0
#include "bus/bus_part.h"

#include <algorithm>

#include "base/error.h"

namespace flashpath::bus {
namespace {
/// Sides lie beside the bus in the object tree: "bus_nic_in".
std::string side_name(const sc_core::sc_object& bus, std::string_view label, std::string_view side) {
  return std::string(bus.basename()) + "_" + std::string(label) + std::string(side);
}
}  // namespace

ModelBus::TargetSide::TargetSide(const sc_core::sc_module_name& module, ModelBus& b, std::string_view l)
    : sc_module{module},
      bus{b},
      label{l},
      port{"socket", b.agenda_, InitiatorPort::Event::to<&TargetSide::responded>(this),
           InitiatorPort::Event::to<&TargetSide::accepted>(this), InitiatorPort::Ahead{.accepted = true, .write_responses = true}} {}

ModelBus::MasterSide::MasterSide(const sc_core::sc_module_name& module, ModelBus& b, std::string_view l, Master k, std::uint16_t s)
    : sc_module{module},
      bus{b},
      label{l},
      kind{k},
      source{s},
      port{"socket", b.agenda_, SplitPort::Arrived::to<&MasterSide::arrived>(this), SplitPort::Loose::to<&MasterSide::loose>(this),
           k == Master::drive},
      stats{label, b.stats} {}

ModelBus::ModelBus(const sc_core::sc_module_name& name, Environment& environment, const Config& config)
    : Bus{name, environment}, config_{config}, timing_{config} {}

Bus::InSocket& ModelBus::add_master(std::string_view master, Master kind, std::uint16_t source) {
  return masters_.emplace_back(std::make_unique<MasterSide>(side_name(*this, master, "_in").c_str(), *this, master, kind, source))
      ->port.socket;
}

Bus::OutSocket& ModelBus::add_target(std::string_view target, std::uint64_t base, Bytes size, std::uint32_t allowed) {
  auto& side = *targets_.emplace_back(std::make_unique<TargetSide>(side_name(*this, target, "_out").c_str(), *this, target));
  add_window(target, base, size, allowed);
  return side.port.socket;
}

void ModelBus::add_window(std::string_view target, std::uint64_t base, Bytes size, std::uint32_t allowed) {
  const auto at = std::ranges::find_if(targets_, [&](const auto& t) { return t->label == target; });
  invariant(at != targets_.end(), "a window for a target that does not exist", this->name());
  invariant(decoder_.add(base, size, static_cast<std::uint32_t>(at - targets_.begin()), allowed), "windows of the bus overlap",
            this->name());
}

std::uint64_t ModelBus::refused(std::string_view master) const {
  std::uint64_t n = 0;
  for (const auto& m : masters_) n += m->label == master ? m->refused.value : 0;
  return n;
}

/// Says who it is and where it goes; counts; nullptr (and the status) if it may not.
inline const AddressWindow* ModelBus::decode(MasterSide& master, Payload& payload) {
  Transfer& transfer = transfer_of(payload);
  if (transfer.master == Master::none) {
    transfer.master = master.kind;
    transfer.source = master.source;
  }
  const Bytes size = size_of(payload);
  ++master.requests;
  master.bytes += size;
  const AddressWindow* window = decoder_.find(payload.get_address(), size, allow(master.kind));
  if (window == nullptr) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    ++master.refused;
    bytes_refused_ += size;
  } else {
    bytes_forwarded_ += size;
  }
  return window;
}

Time ModelBus::loose(MasterSide& master, Payload& payload, Time at) {
  ++loose_;
  const AddressWindow* window = decode(master, payload);
  at += config_.latency;
  if (window != nullptr) at = targets_[window->target]->port.call(payload, at);
  if (Transfer& transfer = transfer_of(payload); window != nullptr)
    transfer.stream = {transfer.stream.first + config_.latency, transfer.stream.last + config_.latency};
  return at + config_.latency;
}

inline ModelBus::Crossing& ModelBus::take() {
  if (free_.empty()) free_.push_back(crossings_.emplace_back(std::make_unique<Crossing>()).get());
  Crossing& crossing = *free_.back();
  free_.pop_back();
  return crossing;
}

inline void ModelBus::respond(Time now, std::uint64_t arg) {
  auto* crossing = reinterpret_cast<Crossing*>(arg);
  Payload& payload = *crossing->payload;
  MasterSide& master = *crossing->master;
  // One after the other, as announced; what is answered inside its own request call is no phase of its own.
  if (!master.port.inside(payload)) now = master.answered = std::max(now, master.answered);
  flow_.leave(now, crossing->entered);
  latency_.add(now - crossing->entered);
  crossing->payload = nullptr;
  free_.push_back(crossing);
  master.port.respond(payload, now);
}

void ModelBus::arrived(MasterSide& master, Payload& payload, Time now) {
  const AddressWindow* window = decode(master, payload);
  flow_.enter(now);
  Transfer& transfer = transfer_of(payload);
  Crossing& crossing = take();
  crossing = {&payload, &master, window == nullptr ? nullptr : targets_[window->target].get(), transfer.hop, now};
  const auto arg = reinterpret_cast<std::uint64_t>(&crossing);
  if (window == nullptr) {
    master.port.accept(payload, now);
    agenda_.post<&ModelBus::respond>(timing_.cross(timing_.cross(now)), this, arg);
    return;
  }
  transfer.hop = &crossing;
  Time there = timing_.cross(now);
  if (payload.is_write()) {
    transfer.stream = timing_.carry({now, std::max(now, transfer.stream.last)}, size_of(payload));
    there = transfer.stream.first;
  }
  if (master.inside++ < config_.outstanding) master.port.accept(payload, now);
  else master.held.push_back(&payload);
  crossing.target->sent.push_back(crossing.master);
  crossing.target->port.send(payload, now, there);
}

void ModelBus::TargetSide::accepted(Payload&, Time now) {
  MasterSide& master = *sent.front();  // a port's requests are accepted in the order they were sent
  sent.pop_front();
  bus.taken(master, now);
}

void ModelBus::taken(MasterSide& master, Time now) {
  --master.inside;
  if (master.held.empty()) return;
  Payload& next = *master.held.front();
  master.held.pop_front();
  master.port.accept(next, now);
}

void ModelBus::responded(Payload& payload, Time now) {
  Transfer& transfer = transfer_of(payload);
  auto& crossing = *static_cast<Crossing*>(transfer.hop);
  if (crossing.payload != &payload) invariant_failed("a response without its request", name(), now);
  transfer.hop = crossing.hop;
  Time back = timing_.cross(now);
  if (payload.is_read()) {
    transfer.stream = timing_.carry({now, std::max(now, transfer.stream.last)}, size_of(payload));
    back = transfer.stream.first;
  } else {
    transfer.stream = {back, back};
  }
  respond(back, reinterpret_cast<std::uint64_t>(&crossing));  // announced now, for that moment
}

void ModelBus::check(Laws& laws, Time now) const {
  flow_.check(laws, "requests", now);
  std::uint64_t requests = 0;
  Bytes bytes{};
  for (const auto& m : masters_) {
    requests += m->requests.value;
    bytes += Bytes{m->bytes.value};
  }
  laws.equal("requests of all masters", requests, "four-phase + b_transport", flow_.entered() + loose_);
  laws.equal("bytes in", bytes.count, "bytes forwarded + refused", (bytes_forwarded_ + bytes_refused_).count);
  laws.equal("requests inside", flow_.inside(), "crossings in use", crossings_.size() - free_.size());
}

void ModelBus::explain(Stall& stall) const {
  for (const auto& t : targets_) stall.waits(t->port.waiting(), "requests", "the target " + t->label + " to take them");
  for (const auto& m : masters_) stall.waits(m->held.size(), "requests of " + m->label, "room in the interconnect (outstanding)");
}

}  // namespace flashpath::bus

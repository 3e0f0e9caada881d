// SPDX-License-Identifier: Apache-2.0
#include "cores/cores_part.h"

#include <algorithm>
#include <cstring>

namespace flashpath::cores {

Cores::Cores(const sc_core::sc_module_name& name, Environment& environment, const Config& config)
    : Part{name, environment},
      port_{"mem", agenda_, InitiatorPort::Event::to<&Cores::responded>(this), {}, InitiatorPort::Ahead{.write_responses = true}},
      failed_{stats, "failed_accesses", stats::Unit::count, "accesses answered with an error"},
      model_{config, agenda_, *this, stats} {}

Duration Cores::access(CoreId core, tlm::tlm_command command, std::uint64_t address, Bytes size, unsigned char* data, Time at) {
  Payload& payload = pool_.take(command, address, size, data);
  Transfer& transfer = transfer_of(payload);
  transfer.master = Master::core;
  transfer.source = static_cast<std::uint16_t>(core.value);
  transfer.stream = {at, at};
  const Duration took = port_.call(payload, at) - at;
  if (payload.is_response_error()) ++failed_;
  payload.release();
  return took;
}

Duration Cores::load(CoreId core, std::uint64_t address, std::span<unsigned char> into, Time at) {
  return access(core, tlm::TLM_READ_COMMAND, address, {into.size()}, into.data(), at);
}

Duration Cores::touch(CoreId core, std::uint64_t address, Bytes size, Time at) {
  return access(core, tlm::TLM_READ_COMMAND, address, size, nullptr, at);
}

void Cores::store(CoreId core, std::uint64_t address, std::span<const unsigned char> bytes, Time at) {
  // TLM's data pointer is not const; a write does not change what it shows to.
  access(core, tlm::TLM_WRITE_COMMAND, address, {bytes.size()}, const_cast<unsigned char*>(bytes.data()), at);
}

Cores::Access& Cores::take() {
  if (free_.empty()) {
    accesses_.push_back(std::make_unique<Access>());
    free_.push_back(accesses_.back().get());
  }
  Access& access = *free_.back();
  free_.pop_back();
  ++sent_;
  return access;
}

void Cores::post(CoreId core, std::uint64_t address, std::span<const unsigned char> bytes, Time at) {
  Access& access = take();
  access.core = core;
  access.address = address;
  access.size = static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), access.bytes.size()));
  access.read = false;
  std::memcpy(access.bytes.data(), bytes.data(), access.size);
  agenda_.post<&Cores::leave>(at, this, reinterpret_cast<std::uint64_t>(&access));
}

void Cores::read_register(CoreId core, std::uint64_t address, unsigned bytes, Task then, Time at) {
  Access& access = take();
  access.core = core;
  access.address = address;
  access.size = bytes;
  access.read = true;
  access.then = then;
  access.bytes.fill(0xff);
  agenda_.post<&Cores::leave>(at, this, reinterpret_cast<std::uint64_t>(&access));
}

void Cores::leave(Time now, std::uint64_t arg) {
  Access& access = *reinterpret_cast<Access*>(arg);
  Payload& payload =
      pool_.take(access.read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND, access.address, {access.size}, access.bytes.data());
  Transfer& transfer = transfer_of(payload);
  transfer.master = Master::core;
  transfer.source = static_cast<std::uint16_t>(access.core.value);
  transfer.owner = &access;
  transfer.stream = {now, now};
  port_.send(payload, now);
}

void Cores::responded(Payload& payload, Time now) {
  Access& access = *static_cast<Access*>(transfer_of(payload).owner);
  ++answered_;
  const bool failed = payload.is_response_error();
  if (failed) ++failed_;
  if (access.read) {
    std::uint64_t value = 0;
    if (failed) access.bytes.fill(0xff);
    std::memcpy(&value, access.bytes.data(), std::min<std::size_t>(access.size, sizeof value));
    Task then = access.then;
    then.arg2 = value;
    model_.submit(access.core, then, now);
  }
  free_.push_back(&access);
  payload.release();
}

void Cores::check(Laws& laws, Time now) const {
  laws.about(name());
  model_.check(laws, now);
  laws.equal("register accesses sent", sent_, "answered + on their way", answered_ + (accesses_.size() - free_.size()));
  laws.equal("payloads out", pool_.outstanding(), "register accesses in the port", port_.unanswered());
}

void Cores::explain(Stall& stall) const {
  stall.about(name());
  model_.explain(stall);
  if (port_.waiting() != 0) stall.waits(port_.waiting(), "register accesses", "the bus to accept them");
  if (port_.unanswered() > port_.waiting()) stall.waits(port_.unanswered() - port_.waiting(), "register accesses", "their answer");
}

}  // namespace flashpath::cores

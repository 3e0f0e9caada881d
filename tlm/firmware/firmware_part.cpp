// SPDX-License-Identifier: Apache-2.0
#include "firmware/firmware_part.h"

#include "base/random.h"
#include "bus/address_map.h"

namespace flashpath::firmware {

Firmware::Firmware(const sc_core::sc_module_name& name, Environment& environment, const Config& config, cores::Model& cores,
                   std::uint32_t drives, SparseMemory* memory, fabric::Journeys* journeys)
    : Part{name, environment},
      config_{config},
      driver_{config, agenda_, cores, control_, drives, stats},
      service_{config, cores, driver_, control_, stats, journeys},
      jobs_{config, agenda_, cores, driver_, service_.staging(), memory},
      queues_{config.cores + 1},
      entries_{config.queue_entries} {
  journeys_.resize(std::size_t{drives} * queues_ * entries_);
  service_.drive_journey(KvService::DriveJourney::to<&Firmware::drive_journey>(this));
}

void Firmware::boot(Time at, Delegate<void(Time)> ready) {
  announce_ = ready;
  driver_.bring_up(at, Delegate<void(cores::CoreContext&)>::to<&Firmware::drives_ready>(this));
}

void Firmware::drives_ready(cores::CoreContext& ctx) {
  for (std::uint32_t d = 0; d < driver_.drives(); ++d) {
    if (!driver_.drive(d).ready) failures_.add("drive " + std::to_string(d) + ": " + driver_.drive(d).failure);
  }
  if (failures_.empty()) {
    if (config_.encrypt) write_key(ctx);
    service_.start(ctx, failures_);
  }
  wait_for_rings(ctx.begin());
}

/// The data encryption key of the one tenant: any value will do, as long as it is the same in every run of a seed.
void Firmware::write_key(cores::CoreContext& ctx) {
  Random random{environment_.seed, "firmware.key"};
  std::array<unsigned char, 64> key{};
  for (auto& byte : key) byte = static_cast<unsigned char>(random.next());
  ctx.post_mmio(bus::crypto_base + bus::crypto_size / 2 + 128ULL * config_.key_slot, key);
}

void Firmware::wait_for_rings(Time now) {
  if (failures_.empty() && !service_.serving()) {
    agenda_.post<&Firmware::wait_for_rings>(now + config_.ready_poll, this);
    return;
  }
  ready_ = failures_.empty();
  announce_(now);
}

void Firmware::drive_lost(Time now, std::uint64_t drive) {
  const auto d = static_cast<std::uint32_t>(drive);
  driver_.lose(d, now);
  service_.drive_lost(d, now);
}

void Firmware::command_done(std::uint32_t drive, std::uint16_t qid, std::uint16_t cid, const Journey& journey) {
  if (qid < queues_ && cid < entries_) journeys_[(std::size_t{drive} * queues_ + qid) * entries_ + cid] = journey;
}

const Journey* Firmware::drive_journey(std::uint32_t drive, std::uint16_t qid, std::uint16_t cid) {
  return qid < queues_ && cid < entries_ ? &journeys_[(std::size_t{drive} * queues_ + qid) * entries_ + cid] : nullptr;
}

void Firmware::check(Laws& laws, Time now) const {
  driver_.check(laws, now);
  service_.check(laws, now);
}

void Firmware::explain(Stall& stall) const {
  driver_.explain(stall);
  service_.explain(stall);
  stall.waits(jobs_.in_flight(), "commands of block jobs", "the driver");
}

}  // namespace flashpath::firmware

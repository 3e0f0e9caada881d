// SPDX-License-Identifier: Apache-2.0
#include "sim/waf_objects.h"

#include <algorithm>

namespace flashpath::sim {

Objects::Objects(Device& device, const ObjectLoad& load, std::uint64_t slots, std::uint64_t seed)
    : device_{device}, load_{load}, slots_{slots}, random_{seed, "objects"}, tenants_(load.tenants) {
  for (std::uint32_t t = 0; t < load_.tenants; ++t) {
    most_ = t == 0 ? 1 : most_ * load_.lifetimes;
    weights_ += most_;
  }
  for (Tenant& t : tenants_) {
    t.taken.resize(slots_);
    t.writers.resize(load_.aligned ? 1 : load_.writers);
  }
}

/// The first tenant writes most; each further one 1 / lifetimes of the one before, the last one 1.
std::uint32_t Objects::draw() {
  std::uint64_t at = random_.below(weights_);
  std::uint32_t tenant = 0;
  for (std::uint64_t share = most_; at >= share; share /= load_.lifetimes) {
    at -= share;
    ++tenant;
  }
  return tenant;
}

/// The place for another object; some are evicted if there is none.
std::uint64_t Objects::take_slot(std::uint32_t tenant) {
  Tenant& t = tenants_[tenant];
  if (t.evicted.empty()) {
    const std::uint64_t most = std::max<std::uint64_t>(1, slots_ * load_.evict / 100);
    for (std::uint64_t i = 0; i < most; ++i) {
      std::uint64_t slot = 0;
      do { slot = load_.random_eviction ? random_.below(slots_) : t.next++ % slots_; } while (t.taken[slot]);
      t.taken[slot] = true;
      t.evicted.push_back(slot);
      if (load_.deallocate) device_.trim(first(tenant, slot), load_.object);
    }
    std::ranges::reverse(t.evicted);
  }
  const std::uint64_t slot = t.evicted.back();
  t.evicted.pop_back();
  return slot;
}

/// A piece of one of the tenant's objects; aligned: all of it.
std::uint64_t Objects::step(std::uint32_t tenant) {
  Tenant& t = tenants_[tenant];
  Writer& w = t.writers[t.turn++ % t.writers.size()];
  if (!w.open) w = {take_slot(tenant), 0, true};
  std::uint64_t written = 0;
  do {
    const std::uint64_t n = std::min(load_.piece, load_.object - w.done);
    device_.write(first(tenant, w.slot) + w.done, static_cast<std::uint16_t>(load_.handles ? tenant : 0), n);
    w.done += n;
    written += n;
  } while (load_.aligned && w.done != load_.object);
  if (w.done == load_.object) {
    t.taken[w.slot] = false;
    w.open = false;
  }
  return written;
}

void Objects::write(std::uint64_t units) {
  for (std::uint64_t done = 0; done < units;) done += step(draw());
}

}  // namespace flashpath::sim

// SPDX-License-Identifier: Apache-2.0
// Objects instead of random units: what a KV cache writes to a drive.
//
// Tenants have equal parts of the drive, always full of objects of one size. Tenant k writes 1 / lifetimes^k as fast as the first, so
// its objects live lifetimes^k as long. An object is evicted whole, and another is written into its place. `writers` objects of a
// tenant are under way at a time, a piece of each in turn; in object-aligned placement one object of all tenants is written at a time.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "sim/waf_device.h"

namespace flashpath::sim {

struct ObjectLoad {
  std::uint64_t object = 512;  ///< units
  std::uint64_t piece = 32;    ///< units of one write
  std::uint32_t tenants = 4;
  std::uint32_t lifetimes = 2;  ///< of a tenant's objects, to those of the one before
  std::uint32_t writers = 4;
  bool random_eviction = false;  ///< instead of the oldest
  bool handles = false;          ///< one placement handle per tenant
  bool aligned = false;          ///< an object at a time, without pieces of others in between
  bool deallocate = false;       ///< an evicted object is trimmed
  std::uint32_t evict = 0;       ///< percent of a tenant's objects evicted at a time; 0: one, when its place is needed
};

class Objects {
 public:
  /// `slots`: objects of each tenant; `tenants * slots * object` units are used.
  Objects(Device& device, const ObjectLoad& load, std::uint64_t slots, std::uint64_t seed);
  /// Pieces, until that many units are written.
  void write(std::uint64_t units);

 private:
  struct Writer {
    std::uint64_t slot = 0, done = 0;
    bool open = false;
  };
  struct Tenant {
    std::uint64_t next = 0;              ///< oldest object
    std::vector<std::uint64_t> evicted;  ///< to be written, the last first
    std::vector<bool> taken;             ///< evicted or being written
    std::vector<Writer> writers;
    std::size_t turn = 0;
  };
  std::uint64_t take_slot(std::uint32_t tenant);
  std::uint64_t first(std::uint32_t tenant, std::uint64_t slot) const { return (tenant * slots_ + slot) * load_.object; }
  std::uint64_t step(std::uint32_t tenant);
  std::uint32_t draw();

  Device& device_;
  ObjectLoad load_;
  std::uint64_t slots_;
  Random random_;
  std::uint64_t weights_ = 0, most_ = 0;  ///< writes of all tenants to one of the last, and those of the first
  std::vector<Tenant> tenants_;
};

}  // namespace flashpath::sim

// SPDX-License-Identifier: Apache-2.0
// The shared flash tier (G3.5) as the serving side sees it: an asynchronous device that keeps objects by key.
//
//   cluster ──load/store(key, size, tag)──► Store        (an adapter onto the modelled fabric, or FlowStore)
//           ◄──on_load_done/on_store_done(now, tag, …)──
//           ◄──on_evicted(now, key)──                    (optional: a device may also drop things silently)
//
// Nothing is allocated per request: the client is an object, the tag its own number. A completion never comes
// from inside load() or store(), but always later, possibly at the same picosecond.
#pragma once
#include <cstdint>

#include "base/units.h"
#include "serving/objects.h"

namespace flashpath::serving {

class StoreClient {
 public:
  /// `hit` is false when the device does not have the object (any more), or could not read it.
  virtual void on_load_done(Time now, std::uint64_t tag, bool hit) = 0;
  /// `ok` is false when the device did not keep the object.
  virtual void on_store_done(Time now, std::uint64_t tag, bool ok) = 0;
  /// The device has dropped an object.
  virtual void on_evicted(Time now, const ObjectKey& key) = 0;

 protected:
  ~StoreClient() = default;
};

class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  /// `instance` says which serving machine asks: its place on the fabric.
  virtual void load(Time now, const ObjectKey& key, Bytes size, std::uint32_t instance, StoreClient& client, std::uint64_t tag) = 0;
  virtual void store(Time now, const ObjectKey& key, Bytes size, std::uint32_t instance, StoreClient& client, std::uint64_t tag) = 0;
  /// Who wants to hear of evictions. A device that never tells needs not override it.
  virtual void watch(StoreClient& /*client*/) {}
};

}  // namespace flashpath::serving

// SPDX-License-Identifier: Apache-2.0
// A store without a device behind it: what G3.5 would be if it were one pipe each way.
//
//   load   ──► [ FIFO at `read` rate  ] ──latency──► hit or miss        done = max(now, free) + size/rate + latency
//   store  ──► [ FIFO at `write` rate ] ──latency──► kept
//
// A miss costs the latency and no bandwidth. Capacity counts objects, least recently used out, with notice.
// For tests, warm-up and sweeps. Not modelled: anything that makes flash flash (that is what tlm/ is for).
#pragma once
#include <cstdint>
#include <vector>

#include "base/agenda.h"
#include "base/timeline.h"
#include "serving/lru_cache.h"
#include "serving/store.h"

namespace flashpath::serving {

class FlowStore final : public Store {
 public:
  struct Shape {
    Rate read, write;
    Duration read_latency{}, write_latency{};
    std::uint64_t capacity = LruCache<>::unlimited;  ///< objects
    bool tells = true;                               ///< of evictions
  };

  FlowStore(Agenda& agenda, const Shape& shape)
      : agenda_{agenda},
        shape_{shape},
        reads_{shape.read, shape.read_latency},
        writes_{shape.write, shape.write_latency},
        kept_{shape.capacity} {}

  void load(Time now, const ObjectKey& key, Bytes size, std::uint32_t instance, StoreClient& client, std::uint64_t tag) override;
  void store(Time now, const ObjectKey& key, Bytes size, std::uint32_t instance, StoreClient& client, std::uint64_t tag) override;
  void watch(StoreClient& client) override { watcher_ = &client; }

  bool contains(const ObjectKey& key) const { return kept_.contains(key); }
  /// Drops an object: what a device's own eviction looks like.
  void drop(Time now, const ObjectKey& key);
  std::uint64_t objects() const { return kept_.size(); }
  Bytes read_bytes() const { return read_bytes_; }
  Bytes written_bytes() const { return written_bytes_; }

 private:
  struct KeyHash {
    std::uint64_t operator()(const ObjectKey& k) const { return mix64(k.high ^ mix64(k.low)); }
  };
  struct Operation {
    ObjectKey key;
    StoreClient* client;
    std::uint64_t tag;
    bool hit;
  };
  std::uint64_t remember(const Operation& operation);
  Operation forget(std::uint64_t index);
  void load_done(Time now, std::uint64_t index);
  void store_done(Time now, std::uint64_t index);

  Agenda& agenda_;
  Shape shape_;
  Pipe reads_, writes_;
  LruCache<ObjectKey, KeyHash> kept_;
  StoreClient* watcher_ = nullptr;
  std::vector<Operation> operations_;
  std::vector<std::uint64_t> free_;
  Bytes read_bytes_, written_bytes_;
};

}  // namespace flashpath::serving

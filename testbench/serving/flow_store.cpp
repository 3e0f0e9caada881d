// SPDX-License-Identifier: Apache-2.0
#include "serving/flow_store.h"

namespace flashpath::serving {

std::uint64_t FlowStore::remember(const Operation& operation) {
  if (free_.empty()) {
    operations_.push_back(operation);
    return operations_.size() - 1;
  }
  const std::uint64_t index = free_.back();
  free_.pop_back();
  operations_[index] = operation;
  return index;
}

FlowStore::Operation FlowStore::forget(std::uint64_t index) {
  free_.push_back(index);
  return operations_[index];
}

void FlowStore::load(Time now, const ObjectKey& key, Bytes size, std::uint32_t /*instance*/, StoreClient& client, std::uint64_t tag) {
  const bool hit = kept_.contains(key);
  Time done = now + shape_.read_latency;
  if (hit) {
    kept_.touch(key);
    done = reads_.serve(now, size).done;
    read_bytes_ += size;
  }
  agenda_.post<&FlowStore::load_done>(done, this, remember({key, &client, tag, hit}));
}

void FlowStore::store(Time now, const ObjectKey& key, Bytes size, std::uint32_t /*instance*/, StoreClient& client, std::uint64_t tag) {
  written_bytes_ += size;
  agenda_.post<&FlowStore::store_done>(writes_.serve(now, size).done, this, remember({key, &client, tag, true}));
}

void FlowStore::load_done(Time now, std::uint64_t index) {
  const Operation o = forget(index);
  o.client->on_load_done(now, o.tag, o.hit);
}

void FlowStore::store_done(Time now, std::uint64_t index) {
  const Operation o = forget(index);
  const auto touched = kept_.touch(o.key);
  if (touched.evicted && shape_.tells && watcher_ != nullptr && *touched.evicted != o.key) watcher_->on_evicted(now, *touched.evicted);
  o.client->on_store_done(now, o.tag, kept_.contains(o.key));
}

void FlowStore::drop(Time now, const ObjectKey& key) {
  if (kept_.erase(key) && shape_.tells && watcher_ != nullptr) watcher_->on_evicted(now, key);
}

}  // namespace flashpath::serving

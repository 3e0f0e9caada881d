// SPDX-License-Identifier: Apache-2.0
#include "firmware/kv_store.h"

#include <cstring>

#include "base/error.h"
#include "base/random.h"
#include "bus/address_map.h"

namespace flashpath::firmware {

KvStore::KvStore(const Config& config, const std::vector<std::uint64_t>& slabs, Freed freed)
    : frame_{config.frame},
      max_object_{config.max_object},
      overwrite_{config.existing == "overwrite"},
      mirror_{config.redundancy == Redundancy::mirror},
      ahead_{config.deallocate ? config.evict_ahead : 0},
      dram_buckets_{config.index_buckets},
      extents_{slabs},
      freed_{freed},
      heads_(1024, none) {}

std::uint64_t KvStore::hash(const Key& key) {
  std::uint64_t low = 0, high = 0;
  std::memcpy(&low, key.data(), 8);
  std::memcpy(&high, key.data() + 8, 8);
  return mix64(mix64(low + 0x9e3779b97f4a7c15U) ^ high);
}

std::uint64_t KvStore::bucket_address(const Key& key) const { return bus::index_base + 64 * (hash(key) & (dram_buckets_ - 1)); }
std::uint64_t KvStore::entry_address(ObjectId id) const { return bus::index_base + 64 * (dram_buckets_ + id); }

ObjectId KvStore::find(const Key& key, State wanted) const {
  for (ObjectId id = heads_[bucket(key)]; id != none; id = objects_[id].chain)
    if (objects_[id].key == key && state(id) == wanted) return id;
  return none;
}

ObjectId KvStore::find(const Key& key) const { return find(key, State::committed); }

void KvStore::grow() {
  std::vector<ObjectId> heads(2 * heads_.size(), none);
  heads.swap(heads_);
  for (ObjectId id : heads) {
    while (id != none) {
      const ObjectId next = objects_[id].chain;
      ObjectId& head = heads_[bucket(objects_[id].key)];
      objects_[id].chain = head;
      head = id;
      id = next;
    }
  }
}

void KvStore::link(ObjectId id) {
  if (++linked_ > heads_.size()) grow();
  ObjectId& head = heads_[bucket(objects_[id].key)];
  objects_[id].chain = head;
  head = id;
}

void KvStore::unlink(ObjectId id) {
  ObjectId* at = &heads_[bucket(objects_[id].key)];
  while (*at != id) at = &objects_[*at].chain;
  *at = objects_[id].chain;
  --linked_;
}

void KvStore::lru_add(ObjectId id) {
  Object& o = objects_[id];
  o.newer = none;
  o.older = newest_;
  if (newest_ != none) objects_[newest_].newer = id;
  else oldest_ = id;
  newest_ = id;
}

void KvStore::lru_remove(ObjectId id) {
  const Object& o = objects_[id];
  if (o.newer != none) objects_[o.newer].older = o.older;
  else newest_ = o.older;
  if (o.older != none) objects_[o.older].newer = o.newer;
  else oldest_ = o.newer;
}

void KvStore::pin(ObjectId id) {
  if (objects_[id].pins++ == 0) lru_remove(id);
}

void KvStore::unpin(ObjectId id) {
  Object& o = objects_[id];
  o.pins = (o.pins - 1U) & 0xffffffU;
  if (o.pins != 0) return;
  if (state(id) == State::doomed) leave(id);
  else lru_add(id);
}

/// Gives everything back; the object is in no list any more.
void KvStore::release(ObjectId id) {
  Object& o = objects_[id];
  const std::uint64_t n = extents_of(id);
  extents_.give(o.start, o.slab, n, o.epoch);
  if (o.mirror != Extents::none) extents_.give(extents_.after(o.start, o.epoch), o.mirror, n, o.epoch);
  bytes_ -= Bytes{o.size};
  bytes_out_ += Bytes{o.size};
  ++released_;
  --live_;
  set(id, State::free);
  o.chain = free_;
  free_ = id;
}

/// Nobody uses a removed object any more: its space is free when the drives have been told, or at once.
void KvStore::leave(ObjectId id) {
  set(id, State::leaving);
  if (!freed_ || !freed_(id)) return release(id);
  leaving_ += extents_of(id) * copies_of(id);
}

void KvStore::deallocated(ObjectId id) {
  invariant(state(id) == State::leaving, "deallocated() of an object that is not leaving", "firmware.store");
  leaving_ -= extents_of(id) * copies_of(id);
  release(id);
}

/// Takes a committed object out of sight; its space follows when nobody reads it any more.
void KvStore::hide(ObjectId id) {
  unlink(id);
  --committed_;
  set(id, State::doomed);
  if (objects_[id].pins == 0) lru_remove(id);
}

/// The least recent object that nobody uses; there must be one.
ObjectId KvStore::evict() {
  const ObjectId id = oldest_;
  ++evictions_;
  evicted_bytes_ += Bytes{objects_[id].size};
  hide(id);
  return id;
}

bool KvStore::make_room(std::uint32_t start, std::uint64_t n, unsigned copies) {
  for (std::uint32_t d = 0; d < extents_.drives(); ++d)
    if (extents_.need(d, start, n, copies) > extents_.capacity(d)) return false;
  while (!extents_.fits(start, n, copies)) {
    if (oldest_ == none) return false;
    release(evict());
  }
  return true;
}

void KvStore::evict_ahead() {
  std::uint64_t capacity = 0, available = 0;
  for (std::uint32_t d = 0; d < extents_.drives(); ++d) {
    if (extents_.lost(d)) continue;
    capacity += extents_.capacity(d);
    available += extents_.available(d);
  }
  // Each one told adds to leaving_; where nobody needs to be told, to what is available.
  const std::uint64_t wanted = ceil_div(capacity * ahead_, 100);
  while (available + leaving_ < wanted && oldest_ != none) {
    const std::uint64_t told = leaving_, extents = extents_of(oldest_) * copies_of(oldest_);
    leave(evict());
    if (leaving_ == told) available += extents;
  }
}

StoreResult KvStore::begin_store(const Key& key, Bytes size, ObjectId& id) {
  id = none;
  if (size.count == 0 || size > max_object_) return StoreResult::bad_size;
  if (find(key, State::writing) != none || (!overwrite_ && find(key) != none)) return StoreResult::exists;
  const std::uint64_t n = ceil_div(size.count, frame_.count);
  const std::uint32_t start = next_start_;
  const unsigned copies = mirror_ && extents_.alive() > 1 ? 2 : 1;
  if (extents_.alive() == 0 || !make_room(start, n, copies)) return StoreResult::no_space;
  next_start_ = extents_.after(start, extents_.epoch(), n);  // the stripe goes on where the last one ended
  if (free_ != none) {
    id = free_;
    free_ = objects_[id].chain;
  } else {
    id = static_cast<ObjectId>(objects_.size());
    objects_.emplace_back();
  }
  Object& o = objects_[id];
  o.key = key;
  o.size = size.count;
  o.start = static_cast<std::uint16_t>(start);
  o.epoch = extents_.epoch();
  o.slab = extents_.take(start, n);
  o.mirror = copies == 2 ? extents_.take(extents_.after(start, o.epoch), n) : Extents::none;
  o.pins = 1;
  set(id, State::writing);
  link(id);
  ++live_;
  ++stored_;
  bytes_ += size;
  bytes_in_ += size;
  if (ahead_ != 0) evict_ahead();
  return StoreResult::ok;
}

void KvStore::commit(ObjectId id) {
  invariant(state(id) == State::writing, "commit of an object that is not being written", "firmware.store");
  const ObjectId old = find(objects_[id].key);
  if (old != none) {
    hide(old);
    if (objects_[old].pins == 0) leave(old);
  }
  set(id, State::committed);
  ++committed_;
  objects_[id].pins = 0;
  lru_add(id);
}

void KvStore::abort(ObjectId id) {
  invariant(state(id) == State::writing, "abort of an object that is not being written", "firmware.store");
  unlink(id);
  objects_[id].pins = 0;
  release(id);
}

bool KvStore::intact(ObjectId id) const {
  const Object& o = objects_[id];
  return o.epoch == extents_.epoch() || extents_.readable(o.start, extents_of(id), o.epoch, copies_of(id));
}

void KvStore::lose(std::uint32_t drive) {
  if (extents_.lost(drive)) return;
  if (next_start_ == drive) next_start_ = extents_.after(drive, extents_.epoch());
  extents_.lose(drive);
  for (ObjectId id = 0; id < objects_.size(); ++id) {
    const Object& o = objects_[id];
    if (state(id) != State::committed || !extents_.uses(drive, o.start, extents_of(id), o.epoch, copies_of(id))) continue;
    if (intact(id)) {
      ++degraded_;
      continue;
    }
    ++lost_;
    lost_bytes_ += Bytes{o.size};
    hide(id);
    if (o.pins == 0) leave(id);
  }
}

bool KvStore::remove(const Key& key) {
  const ObjectId id = find(key);
  if (id == none) return false;
  hide(id);
  if (objects_[id].pins == 0) leave(id);
  return true;
}

void KvStore::check(Laws& laws) const {
  std::uint64_t size = 0, extents = 0, live = 0, used = 0, leaving = 0;
  for (ObjectId id = 0; id < objects_.size(); ++id) {
    if (state(id) == State::free) continue;
    ++live;
    size += objects_[id].size;
    extents += extents_of(id) * copies_of(id);
    if (state(id) == State::leaving) leaving += extents_of(id) * copies_of(id);
  }
  for (std::uint32_t d = 0; d < extents_.drives(); ++d) {
    used += extents_.used(d);
    laws.expect(extents_.used(d) <= extents_.capacity(d), "no drive holds more than it can");
  }
  laws.equal("bytes of all objects", size, "bytes stored - freed", bytes_in_.count - bytes_out_.count);
  laws.equal("bytes of all objects", size, "bytes held", bytes_.count);
  laws.equal("objects stored", stored_, "freed + live", released_ + live);
  laws.equal("extents of all objects", extents, "extents in use", used);
  laws.equal("extents of leaving objects", leaving, "extents the drives are told of", leaving_);
}

}  // namespace flashpath::firmware

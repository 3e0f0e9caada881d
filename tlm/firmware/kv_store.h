// SPDX-License-Identifier: Apache-2.0
// The object store's index: which key is where, who may be evicted. Function only; the service charges its time.
//
//   begin_store ──▶ writing (pinned, invisible) ──▶ commit ──▶ committed ◀── pin / unpin by readers
//                                              └──▶ abort              └──▶ evicted, removed, overwritten
//
// In DPU memory: a bucket of 64 bytes (eight entry numbers with tags) and an entry of 64 bytes per object (key, size, start
// drive, links, first slabs); a look-up loads one bucket, and, if the tag matches, one entry. Here: 48 bytes per object
// and 4 per extent. Eviction is exact LRU over objects nobody has pinned; an object's recency is the last
// unpin (the end of its last use). A store that does not fit evicts from the least recent on, until it fits.
// An object that is overwritten or removed while readers have it pinned is freed at the last unpin.
// A lost drive takes every object with a part on it along; with redundancy = mirror extent i of an object that starts at drive s is also on
// drive (s + i + 1) % drives, and an object goes only when both copies of an extent have. One drive alone keeps one copy.
// With deallocate, `evict_ahead` percent of the store are kept free by evictions that the drives are told of (Freed); a store that
// finds too little free nevertheless evicts too, and gets that space at once.
// Not modelled: the time to find those in the index, index updates' write traffic beyond one line per store, persistence across power loss.
#pragma once
#include <string>
#include <vector>

#include "base/delegate.h"
#include "base/laws.h"
#include "fabric/message.h"
#include "firmware/extents.h"
#include "firmware/firmware_config.h"

namespace flashpath::firmware {

using fabric::Key;
using ObjectId = std::uint32_t;

enum class StoreResult : std::uint8_t {
  ok,
  exists,    ///< the key is there and `existing` is "refuse", or somebody else is storing it right now
  no_space,  ///< larger than the drives, or everything evictable has been evicted and the rest is pinned
  bad_size,  ///< zero or above max_object
};

class KvStore {
 public:
  static constexpr ObjectId none = 0xffffffffU;
  /// An object was removed, replaced or evicted ahead of need: true keeps its extents until deallocated(), so that the drives can be
  /// told first. Not asked when a store evicts what it needs: it writes to those extents at once.
  using Freed = Delegate<bool(ObjectId)>;

  /// `slabs`: extents of one frame that each drive has.
  KvStore(const Config& config, const std::vector<std::uint64_t>& slabs, Freed freed = {});

  /// The committed object of this key, or none.
  ObjectId find(const Key& key) const;
  void pin(ObjectId id);
  void unpin(ObjectId id);

  StoreResult begin_store(const Key& key, Bytes size, ObjectId& id);
  /// The data is on the drives: visible from now on; replaces an older object of this key.
  void commit(ObjectId id);
  void abort(ObjectId id);
  /// The drives have been told: the extents may be used again.
  void deallocated(ObjectId id);
  /// The drive is gone, and every object of which it had the only copy of a part; new ones go to the others. Stores under way end as
  /// their writes do.
  void lose(std::uint32_t drive);
  /// Each of its extents has a copy on a drive that is there.
  bool intact(ObjectId id) const;
  /// False if there is no such object.
  bool remove(const Key& key);

  Bytes size_of(ObjectId id) const { return {objects_[id].size}; }
  std::uint64_t extents_of(ObjectId id) const { return ceil_div(objects_[id].size, frame_.count); }
  std::uint32_t drive_of(ObjectId id) const { return objects_[id].start; }
  std::uint8_t epoch_of(ObjectId id) const { return objects_[id].epoch; }
  std::uint32_t first_slab(ObjectId id) const { return objects_[id].slab; }
  /// First slab of the second copy, on the drive after drive_of(); Extents::none: there is no second copy.
  std::uint32_t mirror_slab(ObjectId id) const { return objects_[id].mirror; }
  const Extents& extents() const { return extents_; }

  static std::uint64_t hash(const Key& key);
  std::uint64_t bucket_address(const Key& key) const;
  std::uint64_t entry_address(ObjectId id) const;

  std::uint64_t objects() const { return committed_; }
  Bytes bytes() const { return bytes_; }
  std::uint64_t evictions() const { return evictions_; }
  std::uint64_t degraded() const { return degraded_; }  ///< committed objects, left with one copy of a part when a drive was lost
  std::uint64_t lost() const { return lost_; }          ///< committed objects, with a drive
  Bytes lost_bytes() const { return lost_bytes_; }
  Bytes evicted_bytes() const { return evicted_bytes_; }
  void check(Laws& laws) const;

 private:
  enum class State : std::uint8_t { free, writing, committed, doomed, leaving };
  struct Object {
    Key key{};
    std::uint64_t size = 0;
    std::uint32_t slab = Extents::none;
    std::uint32_t mirror = Extents::none;
    ObjectId chain = none;  // next in the hash bucket, or next free
    ObjectId newer = none, older = none;
    std::uint32_t pins : 24 = 0;
    std::uint32_t state : 8 = 0;
    std::uint16_t start = 0;
    std::uint8_t epoch = 0;  // of the extents
  };
  static_assert(sizeof(Object) <= 56);
  State state(ObjectId id) const { return static_cast<State>(objects_[id].state); }
  void set(ObjectId id, State s) { objects_[id].state = static_cast<std::uint8_t>(s) & 0xffU; }
  std::size_t bucket(const Key& key) const { return hash(key) & (heads_.size() - 1); }
  ObjectId find(const Key& key, State wanted) const;
  void link(ObjectId id);
  void unlink(ObjectId id);
  void lru_add(ObjectId id);
  void lru_remove(ObjectId id);
  void leave(ObjectId id);
  void release(ObjectId id);
  void hide(ObjectId id);
  unsigned copies_of(ObjectId id) const { return objects_[id].mirror == Extents::none ? 1 : 2; }
  ObjectId evict();
  bool make_room(std::uint32_t start, std::uint64_t n, unsigned copies);
  void evict_ahead();
  void grow();

  Bytes frame_, max_object_;
  bool overwrite_, mirror_;
  std::uint32_t ahead_;  // percent
  std::uint64_t dram_buckets_;
  Extents extents_;
  Freed freed_;
  std::vector<Object> objects_;
  std::vector<ObjectId> heads_;
  ObjectId free_ = none, newest_ = none, oldest_ = none;
  std::uint32_t next_start_ = 0;
  std::uint64_t linked_ = 0, live_ = 0, committed_ = 0, evictions_ = 0;
  std::uint64_t stored_ = 0, released_ = 0;
  std::uint64_t lost_ = 0, degraded_ = 0;
  std::uint64_t leaving_ = 0;  // extents that the drives are being told of
  Bytes lost_bytes_{};
  Bytes bytes_{}, evicted_bytes_{}, bytes_in_{}, bytes_out_{};
};

}  // namespace flashpath::firmware

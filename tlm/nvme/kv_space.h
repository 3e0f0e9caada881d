// SPDX-License-Identifier: Apache-2.0
// The keys and values of a key-value namespace (NVMe Key Value Command Set 1.0): an ordered index, and space for values in the
// namespace's bytes, in grains; a value takes the next free grains after the one before it, so it lies in few pieces until the
// space has been gone through once.
//
// A value that is overwritten or deleted while somebody reads it keeps its space until he has finished (users). Space that is free
// again is for the caller to unmap.
//
// Not modelled: the index on flash and its cache (all of it is in the controller's memory), compression.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "nvme/namespaces.h"

namespace flashpath::nvme {

struct Key {
  std::uint8_t length = 0;
  std::array<std::uint8_t, 16> bytes{};  ///< beyond `length`: zero

  static Key of(const Sqe& sqe);
  friend bool operator<(const Key& a, const Key& b) { return a.bytes != b.bytes ? a.bytes < b.bytes : a.length < b.length; }
  friend bool operator==(const Key&, const Key&) = default;
};

struct Value {
  std::uint64_t size = 0;
  std::vector<Extent> extents;  ///< `drive`: in the FTL's logical bytes
  std::uint32_t users = 0;      ///< the index, and commands

  std::uint64_t place(std::uint64_t at) const {
    const Extent& e = extent_at(extents, at);
    return e.drive + (at - e.at);
  }
  std::uint64_t left(std::uint64_t at) const {
    const Extent& e = extent_at(extents, at);
    return e.length - (at - e.at);
  }
};

class KvSpace {
 public:
  static constexpr std::uint32_t list_head = 4;

  KvSpace(const Namespace& ns, Bytes grain);

  /// Space for a value, one user; null: there is not enough.
  Value* allocate(std::uint64_t size);
  Value* find(const Key& key) const;
  void use(Value& value) { ++value.users; }
  /// One user less. True: it was the last; its extents are given to `freed`, and the value is no more.
  bool leave(Value& value, std::vector<Extent>& freed);
  /// The index points to `value` from now on, taking over its user; what it pointed to before is returned, for leave().
  Value* store(const Key& key, Value& value);
  Value* remove(const Key& key);

  /// Keys from this one on, as List returns them, in at most `size` bytes: u32 count, then u16 length, the key, padded to 4 bytes.
  std::vector<unsigned char> list(const Key& from, std::uint64_t size) const;

  std::uint64_t keys() const { return index_.size(); }
  std::uint64_t used() const { return used_; }  ///< bytes of grains taken
  std::uint64_t free() const { return total_ - used_; }
  bool sound() const;  ///< holes and values add up, nobody overlaps

 private:
  void give_back(std::uint64_t at, std::uint64_t length);

  const Namespace& ns_;
  std::uint64_t grain_, total_;
  std::uint64_t used_ = 0, cursor_ = 0;
  std::map<std::uint64_t, std::uint64_t> holes_;  // begin (in the namespace) and length
  std::map<Key, Value*> index_;
  struct Held {
    std::unique_ptr<Value> value;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> pieces;  // in the namespace
  };
  std::map<Value*, Held> values_;  // looked up, never iterated for a decision
};

}  // namespace flashpath::nvme

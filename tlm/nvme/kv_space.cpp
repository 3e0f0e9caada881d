// SPDX-License-Identifier: Apache-2.0
#include "nvme/kv_space.h"

#include <algorithm>
#include <cstring>

namespace flashpath::nvme {

/// CDW 2, 3, 14 and 15 hold bytes 0 to 15.
Key Key::of(const Sqe& sqe) {
  Key key;
  key.length = static_cast<std::uint8_t>(sqe.cdw11 & 0xffU);
  const std::array<std::uint32_t, 4> words{sqe.cdw2, sqe.cdw3, sqe.cdw14, sqe.cdw15};
  std::memcpy(key.bytes.data(), words.data(), sizeof words);
  for (std::size_t i = key.length; i < key.bytes.size(); ++i) key.bytes[i] = 0;
  return key;
}

KvSpace::KvSpace(const Namespace& ns, Bytes grain) : ns_{ns}, grain_{grain.count}, total_{ns.blocks * ns.lba / grain.count * grain.count} {
  if (total_ != 0) holes_[0] = total_;
}

Value* KvSpace::allocate(std::uint64_t size) {
  const std::uint64_t needed = ceil_div(size, grain_) * grain_;
  if (needed > free()) return nullptr;
  auto value = std::make_unique<Value>();
  value->size = size;
  value->users = 1;
  Held held;
  for (std::uint64_t done = 0; done < needed;) {
    auto hole = holes_.lower_bound(cursor_);
    if (hole == holes_.end()) hole = holes_.begin();
    const auto [begin, length] = *hole;
    const std::uint64_t taken = std::min(length, needed - done);
    holes_.erase(hole);
    if (taken != length) holes_[begin + taken] = length - taken;
    cursor_ = begin + taken;
    held.pieces.emplace_back(begin, taken);
    for (std::uint64_t at = begin; at < begin + taken;) {  // the namespace itself may lie in pieces
      const std::uint64_t here = std::min(begin + taken - at, ns_.left(at));
      value->extents.push_back({.at = done, .drive = ns_.place(at), .length = here});
      at += here;
      done += here;
    }
  }
  used_ += needed;
  Value* const out = value.get();
  held.value = std::move(value);
  values_.emplace(out, std::move(held));
  return out;
}

Value* KvSpace::find(const Key& key) const {
  const auto at = index_.find(key);
  return at == index_.end() ? nullptr : at->second;
}

bool KvSpace::leave(Value& value, std::vector<Extent>& freed) {
  if (--value.users != 0) return false;
  freed = std::move(value.extents);
  const auto at = values_.find(&value);
  for (const auto& [begin, length] : at->second.pieces) give_back(begin, length);
  values_.erase(at);
  return true;
}

void KvSpace::give_back(std::uint64_t at, std::uint64_t length) {
  used_ -= length;
  auto after = holes_.lower_bound(at);
  if (after != holes_.end() && after->first == at + length) {
    length += after->second;
    after = holes_.erase(after);
  }
  if (after != holes_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == at) {
      before->second += length;
      return;
    }
  }
  holes_[at] = length;
}

Value* KvSpace::store(const Key& key, Value& value) {
  Value*& entry = index_[key];
  Value* const before = entry;
  entry = &value;
  return before;
}

Value* KvSpace::remove(const Key& key) {
  const auto at = index_.find(key);
  if (at == index_.end()) return nullptr;
  Value* const value = at->second;
  index_.erase(at);
  return value;
}

std::vector<unsigned char> KvSpace::list(const Key& from, std::uint64_t size) const {
  std::vector<unsigned char> out(list_head);
  std::uint32_t count = 0;
  for (auto at = from.length == 0 ? index_.begin() : index_.lower_bound(from); at != index_.end(); ++at, ++count) {
    const Key& key = at->first;
    const std::uint64_t entry = ceil_div(std::uint64_t{2} + key.length, 4) * 4;
    if (out.size() + entry > size) break;
    const std::size_t begin = out.size();
    out.resize(begin + entry);
    const std::uint16_t length = key.length;
    std::memcpy(out.data() + begin, &length, sizeof length);
    std::memcpy(out.data() + begin + 2, key.bytes.data(), key.length);
  }
  std::memcpy(out.data(), &count, sizeof count);
  out.resize(size);
  return out;
}

bool KvSpace::sound() const {
  std::map<std::uint64_t, std::uint64_t> all = holes_;
  std::uint64_t taken = 0;
  for (const auto& [value, held] : values_) {
    for (const auto& [begin, length] : held.pieces) {
      if (!all.emplace(begin, length).second) return false;
      taken += length;
    }
  }
  std::uint64_t next = 0;
  for (const auto& [begin, length] : all) {
    if (begin != next) return false;
    next = begin + length;
  }
  return next == total_ && taken == used_;
}

}  // namespace flashpath::nvme

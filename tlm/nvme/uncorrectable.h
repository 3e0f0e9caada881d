// SPDX-License-Identifier: Apache-2.0
// Bytes of the drive that Write Uncorrectable has marked: reads of them fail until they are written or deallocated.
#pragma once
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

namespace flashpath::nvme {

class Uncorrectable {
 public:
  bool empty() const { return ranges_.empty(); }
  std::size_t ranges() const { return ranges_.size(); }

  void mark(std::uint64_t begin, std::uint64_t end) {
    auto it = ranges_.upper_bound(begin);
    if (it != ranges_.begin() && std::prev(it)->second >= begin) --it;
    while (it != ranges_.end() && it->first <= end) {
      begin = std::min(begin, it->first);
      end = std::max(end, it->second);
      it = ranges_.erase(it);
    }
    ranges_.emplace(begin, end);
  }

  void clear(std::uint64_t begin, std::uint64_t end) {
    auto it = ranges_.upper_bound(begin);
    if (it != ranges_.begin() && std::prev(it)->second > begin) --it;
    while (it != ranges_.end() && it->first < end) {
      const auto [from, to] = *it;
      it = ranges_.erase(it);
      if (from < begin) ranges_.emplace(from, begin);
      if (to > end) ranges_.emplace(end, to);
    }
  }

  bool overlaps(std::uint64_t begin, std::uint64_t end) const {
    const auto it = ranges_.lower_bound(end);  // the first that begins behind
    return it != ranges_.begin() && std::prev(it)->second > begin;
  }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  // begin → end: disjoint, not touching
};

}  // namespace flashpath::nvme

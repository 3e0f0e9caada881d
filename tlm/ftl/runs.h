// SPDX-License-Identifier: Apache-2.0
// Reverse information: which mapping units were written where in a superblock, in position order. Enough to find the live ones by
// asking the map; the order of superblocks' sequence numbers says which of two copies is the newer one.
//
// A stream of 32-bit words, by entropy:
//   one unit below 2^31   one word: the unit
//   anything else         two words: 1, unit or `hole` (37 bits), count (26 bits)
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace flashpath::ftl {

/// `count` neighbouring units at neighbouring positions.
struct Run {
  static constexpr std::uint64_t hole = (std::uint64_t{1} << 37U) - 1;  ///< padding
  std::uint64_t first = hole;
  std::uint64_t count = 0;
};

class Runs {
 public:
  struct Cursor {
    std::size_t word = 0;
    std::uint64_t index = 0;  ///< position within the superblock
  };

  void append(std::uint64_t unit, std::uint64_t count) {
    if (!words_.empty()) {
      Cursor c{.word = last_};
      Run run;
      next(c, run);
      const bool follows = unit == Run::hole ? run.first == Run::hole : run.first != Run::hole && run.first + run.count == unit;
      if (follows && run.count + count <= most) {
        words_.resize(last_);
        push({run.first, run.count + count});
        return;
      }
    }
    for (; count > most; count -= most) {
      push({unit, most});
      if (unit != Run::hole) unit += most;
    }
    if (count != 0) push({unit, count});
  }

  /// The run at the cursor, which moves behind it; false: there are no more.
  bool next(Cursor& cursor, Run& run) const {
    if (cursor.word >= words_.size()) return false;
    const std::uint32_t word = words_[cursor.word];
    if (word < wide) {
      run = {word, 1};
      ++cursor.word;
    } else {
      const std::uint64_t both = std::uint64_t{word - wide} << 32U | words_[cursor.word + 1];
      run = {both >> 26U, both & most};
      cursor.word += 2;
    }
    cursor.index += run.count;
    return true;
  }

  bool more(const Cursor& cursor) const { return cursor.word < words_.size(); }
  bool empty() const { return words_.empty(); }
  /// Frees the memory, too.
  void clear() {
    std::vector<std::uint32_t>{}.swap(words_);
    last_ = 0;
  }
  void shrink_to_fit() { words_.shrink_to_fit(); }
  std::size_t memory() const { return words_.capacity() * sizeof(std::uint32_t); }

 private:
  static constexpr std::uint64_t most = (std::uint64_t{1} << 26U) - 1;
  static constexpr std::uint32_t wide = std::uint32_t{1} << 31U;
  void push(Run run) {
    last_ = words_.size();
    if (run.count == 1 && run.first < wide) {
      words_.push_back(static_cast<std::uint32_t>(run.first));
      return;
    }
    const std::uint64_t both = run.first << 26U | run.count;
    words_.push_back(wide | static_cast<std::uint32_t>(both >> 32U));
    words_.push_back(static_cast<std::uint32_t>(both));
  }
  std::vector<std::uint32_t> words_;
  std::size_t last_ = 0;  ///< where the last run begins
};

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
// The best of n numbered things that come, go and change: a tournament tree, O(log n) per change, O(1) to ask.
#pragma once
#include <bit>
#include <cstdint>
#include <vector>

namespace flashpath::ftl {

/// Better(a, b): a is strictly better than b. On ties the lower number wins.
template <class Better>
class WinnerTree {
 public:
  static constexpr std::uint32_t none = 0xffffffffU;

  WinnerTree(std::size_t n, Better better) : leaves_{std::bit_ceil(n)}, nodes_(2 * leaves_, none), better_{better} {}

  void add(std::uint32_t i) { set(i, i); }
  void remove(std::uint32_t i) { set(i, none); }
  bool has(std::uint32_t i) const { return nodes_[leaves_ + i] != none; }
  /// What `better` looks at has changed.
  void changed(std::uint32_t i) {
    if (has(i)) set(i, i);
  }
  std::uint32_t best() const { return nodes_[1]; }

 private:
  void set(std::uint32_t i, std::uint32_t value) {
    std::size_t at = leaves_ + i;
    nodes_[at] = value;
    for (at /= 2; at != 0; at /= 2) {
      const std::uint32_t left = nodes_[2 * at], right = nodes_[2 * at + 1];
      nodes_[at] = left == none || (right != none && better_(right, left)) ? right : left;
    }
  }

  std::size_t leaves_;
  std::vector<std::uint32_t> nodes_;  // 1 is the root
  Better better_;
};

}  // namespace flashpath::ftl

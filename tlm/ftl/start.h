// SPDX-License-Identifier: Apache-2.0
// What a drive holds at time zero, as a function instead of tables: it costs no memory until a unit is written again.
//
//   none        nothing
//   sequential  unit u at position u
//   random      the steady state of uniform random overwrites. Superblocks [0, used), 0 the oldest. In steady state a superblock loses
//               the same share of its valid units while each next one is filled, so valid counts are geometric:
//               V_k = U p^(2k+1) for the k-th youngest, with p such that their sum is the capacity (U: units of a superblock; half
//               a step for the youngest: it was filled over time). Which units, and where in the superblock, is uniformly random:
//               unit u has rank r = P(u) among all valid ones, superblock s with first(s) <= r < first(s) + V(s), and index
//               P_s(r - first(s)) in it; P and P_s are keyed permutations, so both directions are computed. The other
//               places of a superblock were overwritten since (their reverse information is dropped: Run::hole).
//
// Not modelled by `random`: fluctuations of V_k (relative size sqrt((1 - v) / (v U)), which greedy collection uses to gain a little
// with small superblocks), wear, policies other than greedy or FIFO.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ftl/layout.h"
#include "ftl/runs.h"

namespace flashpath::ftl {

inline constexpr Position nowhere = ~Position{0};

/// none: nothing was ever written. sequential: the whole capacity was, once, in address order. random: steady state.
enum class Precondition : std::uint8_t { none, sequential, random };
std::string_view name_of(Precondition precondition);
std::span<const Precondition> all_of(const Precondition*);

/// A pseudo-random permutation of [0, size): a Feistel network over pairs of digits, four rounds. size: below 2^40.
class Permutation {
 public:
  Permutation() = default;
  explicit Permutation(std::uint64_t size);
  std::uint64_t operator()(std::uint64_t x, std::uint64_t key) const;
  std::uint64_t inverse(std::uint64_t x, std::uint64_t key) const;

 private:
  std::uint64_t round(unsigned n, std::uint64_t digit, std::uint64_t key) const;
  std::uint64_t size_ = 0, base_ = 1;  ///< base^2 >= size
};

class Start {
 public:
  Start() = default;
  /// `used`: superblocks that hold data in state random; enough for `units`.
  Start(Precondition kind, std::uint64_t units, std::uint64_t per_superblock, std::uint32_t used, std::uint64_t seed = 1);

  Precondition kind() const { return kind_; }
  std::uint32_t used() const { return used_; }
  std::uint64_t units() const { return kind_ == Precondition::none ? 0 : units_; }
  std::uint64_t valid(std::uint32_t superblock) const;
  Position at(std::uint64_t unit) const;
  /// The unit that lies there, or Run::hole. Random only.
  std::uint64_t unit(std::uint32_t superblock, std::uint64_t index) const;

 private:
  Precondition kind_ = Precondition::none;
  std::uint64_t units_ = 0, per_superblock_ = 1, seed_ = 0;
  std::uint32_t used_ = 0;
  Permutation ranks_, places_;
  std::vector<std::uint64_t> first_;   ///< valid units in superblocks before this one
  std::vector<std::uint32_t> bucket_;  ///< superblock of rank bucket << shift
  unsigned shift_ = 0;
};

}  // namespace flashpath::ftl

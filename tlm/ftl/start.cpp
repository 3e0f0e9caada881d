// SPDX-License-Identifier: Apache-2.0
#include "ftl/start.h"

#include <bit>

#include "base/error.h"
#include "base/random.h"

namespace flashpath::ftl {

std::string_view name_of(Precondition precondition) {
  switch (precondition) {
    case Precondition::none: return "none";
    case Precondition::sequential: return "sequential";
    case Precondition::random: return "random";
  }
  return "?";
}

std::span<const Precondition> all_of(const Precondition*) {
  static constexpr std::array all{Precondition::none, Precondition::sequential, Precondition::random};
  return all;
}

Permutation::Permutation(std::uint64_t size) : size_{size} {
  while (base_ * base_ < size) base_ = base_ < (std::uint64_t{1} << 8U) ? base_ + 1 : base_ + base_ / 64;
  while ((base_ - 1) * (base_ - 1) >= size && base_ > 1) --base_;
}

std::uint64_t Permutation::round(unsigned n, std::uint64_t digit, std::uint64_t key) const {
  std::uint64_t h = (digit + key + n * 0x9e3779b97f4a7c15U) * 0xbf58476d1ce4e5b9U;
  h = (h ^ (h >> 29U)) * 0x94d049bb133111ebU;
  return ((h >> 32U) * base_) >> 32U;
}

/// base^2 is hardly larger than size: leaving the range, and so a second walk, is rare.
std::uint64_t Permutation::operator()(std::uint64_t x, std::uint64_t key) const {
  do {
    std::uint64_t left = x / base_, right = x - left * base_;
    for (unsigned n = 0; n < 4; ++n) {
      std::uint64_t sum = left + round(n, right, key);
      if (sum >= base_) sum -= base_;
      left = right;
      right = sum;
    }
    x = left * base_ + right;
  } while (x >= size_);
  return x;
}

std::uint64_t Permutation::inverse(std::uint64_t x, std::uint64_t key) const {
  do {
    std::uint64_t left = x / base_, right = x - left * base_;
    for (unsigned n = 4; n-- > 0;) {
      std::uint64_t difference = right + base_ - round(n, left, key);
      if (difference >= base_) difference -= base_;
      right = left;
      left = difference;
    }
    x = left * base_ + right;
  } while (x >= size_);
  return x;
}

namespace {
/// Valid units of each superblock, youngest first, with p / 2^62 per half step. Integers: equal on every machine.
std::uint64_t decay(std::uint64_t p, std::uint64_t per_superblock, std::span<std::uint64_t> valid) {
  std::uint64_t sum = 0;
  const auto times = [p](std::uint64_t x) { return static_cast<std::uint64_t>((static_cast<Wide>(x) * p) >> 62U); };
  for (std::uint64_t x = p; auto& v : valid) {
    v = static_cast<std::uint64_t>((static_cast<Wide>(x) * per_superblock) >> 62U);
    sum += v;
    x = times(times(x));
  }
  return sum;
}
}  // namespace

Start::Start(Precondition kind, std::uint64_t units, std::uint64_t per_superblock, std::uint32_t used, std::uint64_t seed)
    : kind_{kind}, units_{units}, per_superblock_{per_superblock}, seed_{mix64(seed)} {
  if (kind == Precondition::none) return;
  used_ = static_cast<std::uint32_t>(ceil_div(units, per_superblock));
  if (kind == Precondition::sequential) return;
  invariant(used >= used_, "fewer superblocks than the data needs", "ftl");
  used_ = used;
  std::vector<std::uint64_t> valid(used);
  std::uint64_t low = 0, high = std::uint64_t{1} << 62U;  // the largest p whose sum is not above `units`
  while (high - low > 1) {
    const std::uint64_t p = low + (high - low) / 2;
    (decay(p, per_superblock, valid) <= units ? low : high) = p;
  }
  std::uint64_t left = units - decay(low, per_superblock, valid);
  while (left != 0) {  // rounding
    for (auto& v : valid) {
      if (left == 0) break;
      if (v == per_superblock) continue;
      ++v;
      --left;
    }
  }
  first_.push_back(0);
  for (std::uint32_t s = 0; s < used; ++s) first_.push_back(first_.back() + valid[used - 1 - s]);
  ranks_ = Permutation{units};
  places_ = Permutation{per_superblock};
  while (units >> shift_ > 4 * std::uint64_t{used}) ++shift_;
  for (std::uint64_t rank = 0, s = 0; rank < units; rank += std::uint64_t{1} << shift_) {
    while (first_[s + 1] <= rank) ++s;
    bucket_.push_back(static_cast<std::uint32_t>(s));
  }
}

std::uint64_t Start::valid(std::uint32_t superblock) const {
  if (superblock >= used_) return 0;
  if (kind_ == Precondition::random) return first_[superblock + 1U] - first_[superblock];
  return std::min(per_superblock_, units_ - superblock * per_superblock_);
}

Position Start::at(std::uint64_t unit) const {
  if (kind_ == Precondition::sequential) return unit;
  if (kind_ == Precondition::none) return nowhere;
  const std::uint64_t rank = ranks_(unit, seed_);
  std::uint64_t s = bucket_[rank >> shift_];
  while (first_[s + 1] <= rank) ++s;
  return s * per_superblock_ + places_(rank - first_[s], mix64(seed_ + s));
}

std::uint64_t Start::unit(std::uint32_t superblock, std::uint64_t index) const {
  const std::uint64_t rank = first_[superblock] + places_.inverse(index, mix64(seed_ + superblock));
  return rank < first_[superblock + 1U] ? ranks_.inverse(rank, seed_) : Run::hole;
}

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
#include "base/stats.h"

#include <algorithm>

namespace flashpath::stats {

std::string_view name_of(Unit unit) {
  switch (unit) {
    case Unit::count: return "count";
    case Unit::byte: return "byte";
    case Unit::picosecond: return "ps";
    case Unit::cycle: return "cycle";
  }
  return "?";
}

std::uint64_t Histogram::highest_of(std::size_t index) {
  if (index < (std::size_t{1} << sub_bits)) return index;
  const std::uint64_t exponent = (index >> sub_bits) - 1U;
  const std::uint64_t sub = index & ((std::size_t{1} << sub_bits) - 1U);
  return ((((std::uint64_t{1} << sub_bits) + sub + 1U) << exponent)) - 1U;
}

void Histogram::add(Duration value, std::uint64_t times) {
  if (times == 0) return;  // must not touch min and max
  const auto v = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0));
  const std::size_t index = index_of(v);
  if (index >= buckets_.size()) grow(index);
  buckets_[index] += times;
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  count_ += times;
  sum_ += static_cast<Wide>(v) * times;
}

void Histogram::merge(const Histogram& other) {
  if (other.count_ == 0) return;
  if (other.buckets_.size() > buckets_.size()) buckets_.resize(other.buckets_.size());
  for (std::size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  sum_ += other.sum_;
}

void Histogram::clear() {
  buckets_.clear();
  count_ = 0;
  sum_ = 0;
  min_ = Duration::max();
  max_ = Duration::min();
}

Duration Histogram::percentile(std::uint64_t ppm) const {
  if (count_ == 0) return {};
  const auto wanted = static_cast<std::uint64_t>((static_cast<Wide>(count_) * ppm + 999'999U) / 1'000'000U);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= std::max<std::uint64_t>(wanted, 1)) {
      const Duration value{static_cast<std::int64_t>(highest_of(i))};
      return std::clamp(value, min_, max_);
    }
  }
  return max_;
}

}  // namespace flashpath::stats

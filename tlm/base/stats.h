// SPDX-License-Identifier: Apache-2.0
// Statistics: the statistics tree is the module tree.
//
// A block owns a `stats::Group`; its counters, timers and histograms are members that register themselves
// with a name, a unit and a sentence. An increment is one add; nobody looks a counter up by name.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace flashpath::stats {

enum class Unit : std::uint8_t { count, byte, picosecond, cycle };
std::string_view name_of(Unit unit);

class Counter;
class Busy;
class Histogram;

/// The statistics of one module and, below it, of its parts.
class Group {
 public:
  explicit Group(std::string name) : name_{std::move(name)} {}
  Group(std::string name, Group& parent) : name_{std::move(name)} { parent.adopt(*this); }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  const std::string& name() const { return name_; }
  void adopt(Group& child) { children_.push_back(&child); }
  void add(const Counter& c) { counters_.push_back(&c); }
  void add(const Busy& b) { busy_.push_back(&b); }
  void add(const Histogram& h) { histograms_.push_back(&h); }

  const std::vector<Group*>& children() const { return children_; }
  const std::vector<const Counter*>& counters() const { return counters_; }
  const std::vector<const Busy*>& busy() const { return busy_; }
  const std::vector<const Histogram*>& histograms() const { return histograms_; }

 private:
  std::string name_;
  std::vector<Group*> children_;
  std::vector<const Counter*> counters_;
  std::vector<const Busy*> busy_;
  std::vector<const Histogram*> histograms_;
};

/// A count that only grows.
class Counter {
 public:
  Counter(Group& group, std::string_view name, Unit unit, std::string_view what) : name{name}, what{what}, unit{unit} { group.add(*this); }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  void operator++() { ++value; }
  void operator+=(std::uint64_t n) { value += n; }
  void operator+=(Bytes b) { value += b.count; }
  void operator+=(Duration d) { value += static_cast<std::uint64_t>(d.count()); }

  const std::string_view name;
  const std::string_view what;
  const Unit unit;
  std::uint64_t value = 0;
};

/// Time that a resource of `servers` equal servers was working; utilisation is busy / (servers x span).
/// `bottleneck` resources take part in naming the bottleneck of a run.
class Busy {
 public:
  Busy(Group& group, std::string_view name, std::uint64_t servers, std::string_view what) : name{name}, what{what}, servers{servers} {
    group.add(*this);
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  void operator+=(Duration d) { value += d; }
  double utilisation(Duration span) const { return utilisation(value, span); }
  /// The same of a part of it.
  double utilisation(Duration busy, Duration span) const {
    return span.count() <= 0 ? 0.0 : static_cast<double>(busy.count()) / (static_cast<double>(servers) * static_cast<double>(span.count()));
  }

  const std::string_view name;
  const std::string_view what;
  std::uint64_t servers;
  Duration value{};
};

/// A log-linear histogram of durations: 128 sub-buckets per power of two, so that any percentile is within
/// 0.8 % of the exact one. Fixed memory (about 57 x 128 counters, allocated on first use), exact mean, min, max.
class Histogram {
 public:
  Histogram(Group& group, std::string_view name, std::string_view what) : name{name}, what{what} { group.add(*this); }
  Histogram() = default;  ///< outside any module: a client's own
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;

  void add(Duration value) {
    const auto v = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0));
    const std::size_t index = index_of(v);
    if (index >= buckets_.size()) [[unlikely]]
      grow(index);
    ++buckets_[index];
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
    ++count_;
    sum_ += v;
  }
  void add(Duration value, std::uint64_t times);
  void merge(const Histogram& other);
  void clear();

  std::uint64_t count() const { return count_; }
  Duration min() const { return count_ == 0 ? Duration{} : min_; }
  Duration max() const { return count_ == 0 ? Duration{} : max_; }
  /// Exact sum in picoseconds; 128 bits, since an hour of a million concurrent requests overflows 64.
  Wide sum() const { return sum_; }
  double mean() const { return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_); }
  /// The smallest bucket value such that at least `ppm` of a million samples are not above it
  /// (500'000 = median, 999'900 = p99.99). Clamped to [min, max].
  Duration percentile(std::uint64_t ppm) const;

  const std::string_view name;
  const std::string_view what;

 private:
  static constexpr unsigned sub_bits = 7;
  /// Values below 2^sub_bits have a bucket each; above, each power of two is cut into 2^sub_bits buckets.
  static std::size_t index_of(std::uint64_t v) {
    if (v < (std::uint64_t{1} << sub_bits)) return static_cast<std::size_t>(v);
    const auto exponent = static_cast<unsigned>(std::bit_width(v)) - 1U - sub_bits;
    return static_cast<std::size_t>((std::uint64_t{exponent + 1U} << sub_bits) + ((v >> exponent) - (std::uint64_t{1} << sub_bits)));
  }
  void grow(std::size_t index) { buckets_.resize(index + 1U + (index >> 2U)); }
  static std::uint64_t highest_of(std::size_t index);

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  Wide sum_ = 0;
  Duration min_ = Duration::max();
  Duration max_ = Duration::min();
};

}  // namespace flashpath::stats

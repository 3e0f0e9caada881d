// SPDX-License-Identifier: Apache-2.0
// What must be true at the end of every run, whatever was run. A broken law is our bug: the run says so,
// names the module, and exits with `exit_law_broken`.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace flashpath {

class Laws {
 public:
  /// Which module the next statements are about.
  void about(std::string path) { path_ = std::move(path); }
  void expect(bool holds, std::string_view what);
  /// Two counts that must agree, e.g. equal("bytes in", a, "bytes out + in flight", b).
  void equal(std::string_view left_name, Wide left, std::string_view right_name, Wide right);
  const std::vector<std::string>& broken() const { return broken_; }
  std::uint64_t checked() const { return checked_; }

 private:
  std::string path_;
  std::vector<std::string> broken_;
  std::uint64_t checked_ = 0;
};

/// Things that enter and leave a place, and when: sums of their moments, from which the mean number inside follows exactly (the
/// integral of the number inside over time is the sum of everybody's time inside: Little's law). What each is remembered to have entered
/// at when it leaves must be when it did.
class Flow {
 public:
  void enter(Time now) {
    ++entered_;
    entries_ += offset(now);
  }
  /// `entered` is when this one came in, as its owner remembers it.
  void leave(Time now, Time entered) {
    ++left_;
    exits_ += offset(now);
    remembered_ += offset(entered);
  }

  std::uint64_t entered() const { return entered_; }
  std::uint64_t left() const { return left_; }
  std::uint64_t inside() const { return entered_ - left_; }
  /// Mean number inside, over the whole span from 0 to `now`.
  double mean_inside(Time now) const;
  void check(Laws& laws, std::string_view name, Time now) const;

 private:
  static Wide offset(Time t) { return static_cast<Wide>(t.time_since_epoch().count()); }

  std::uint64_t entered_ = 0, left_ = 0;
  Wide entries_ = 0;     // sum of the moments at which they entered
  Wide exits_ = 0;       // ... and left
  Wide remembered_ = 0;  // entries of those that left, as they were told
};

/// Who waits for whom, when nothing is scheduled but work is left.
class Stall {
 public:
  void about(std::string path) { path_ = std::move(path); }
  /// e.g. waits(3, "write commands", "space in the write buffer (ftl)").
  void waits(std::uint64_t how_many, std::string_view who, std::string_view for_what);
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::string path_;
  std::vector<std::string> lines_;
};

}  // namespace flashpath

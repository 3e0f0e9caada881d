// SPDX-License-Identifier: Apache-2.0
#include "base/laws.h"

namespace flashpath {
namespace {
std::string text(Wide v) {
  if (v == 0) return "0";
  std::string s;
  for (; v != 0; v /= 10U) s.insert(s.begin(), static_cast<char>('0' + static_cast<int>(v % 10U)));
  return s;
}
}  // namespace

void Laws::expect(bool holds, std::string_view what) {
  ++checked_;
  if (!holds) broken_.push_back(path_ + ": " + std::string(what));
}

void Laws::equal(std::string_view left_name, Wide left, std::string_view right_name, Wide right) {
  ++checked_;
  if (left == right) return;
  broken_.push_back(path_ + ": " + std::string(left_name) + " = " + text(left) + ", but " + std::string(right_name) + " = " + text(right));
}

double Flow::mean_inside(Time now) const {
  if (now <= Time{}) return 0;
  const Wide integral = static_cast<Wide>(inside()) * offset(now) + exits_ - entries_;
  return static_cast<double>(integral) / static_cast<double>(now.time_since_epoch().count());
}

void Flow::check(Laws& laws, std::string_view name, Time) const {
  laws.expect(left_ <= entered_, std::string(name) + ": more left than entered");
  const auto waiting = static_cast<SignedWide>(entries_ - remembered_);  // sum of the moments at which those inside entered
  laws.expect(inside() == 0 ? waiting == 0 : waiting >= 0, std::string(name) + ": left with another moment of entry than they came with");
}

void Stall::waits(std::uint64_t how_many, std::string_view who, std::string_view for_what) {
  if (how_many == 0) return;
  lines_.push_back(path_ + ": " + std::to_string(how_many) + " " + std::string(who) + " wait for " + std::string(for_what));
}

}  // namespace flashpath

// SPDX-License-Identifier: Apache-2.0
#include "checks/order_checker.h"

#include <algorithm>

namespace flashpath::checks {

void OrderChecker::complain(const std::string& what, Time at) {
  if (violations_.size() < 100) violations_.push_back(name_ + " at " + std::to_string(at.time_since_epoch().count()) + " ps: " + what);
}

void OrderChecker::watch(ProtocolChecker& in, ProtocolChecker& out, ProtocolChecker& answers_in, ProtocolChecker& answers_out) {
  watch_requests(in, out);
  const auto completions = [this](bool enters) {
    return [this, enters](const Payload& p, Time at, bool response) {
      if (!response || !p.is_read()) return;
      if (enters) entered(false, true, p.get_address(), p.get_data_length(), at);
      else left(false, true, p.get_address(), p.get_data_length(), at);
    };
  };
  answers_in.observe(completions(true));
  answers_out.observe(completions(false));
}

void OrderChecker::watch_requests(ProtocolChecker& in, ProtocolChecker& out, int source) {
  const auto requests = [this, source](bool enters) {
    return [this, source, enters](const Payload& p, Time at, bool response) {
      if (response) return;
      if (!enters && source >= 0 && p.get_extension<Transfer>()->source != source) return;
      if (enters) entered(p.is_write(), false, p.get_address(), p.get_data_length(), at);
      else left(p.is_write(), false, p.get_address(), p.get_data_length(), at);
    };
  };
  in.observe(requests(true));
  out.observe(requests(false));
}

void OrderChecker::entered(bool posted, bool completion, std::uint64_t address, std::uint64_t length, Time at) {
  const Key key{address, length};
  if (posted) {
    posted_.push_back({key, at});
    return;
  }
  open_[{completion, key}].push_back(others_.size());
  others_.push_back({key, at});
}

void OrderChecker::left(bool posted, bool completion, std::uint64_t address, std::uint64_t length, Time at) {
  const Key key{address, length};
  if (posted) {
    if (posted_out_ == posted_.size()) {
      complain("a posted write left that never came in", at);
      return;
    }
    Passage& p = posted_[posted_out_++];
    p.out = at;
    if (p.key != key) complain("a posted write passed another", at);
    return;
  }
  const auto open = open_.find({completion, key});
  if (open == open_.end() || open->second.empty()) {
    complain(std::string(completion ? "a completion" : "a read") + " left that never came in", at);
    return;
  }
  others_[open->second.front()].out = at;
  open->second.erase(open->second.begin());
}

void OrderChecker::finish() {
  if (posted_out_ != posted_.size()) complain("posted writes that never left: " + std::to_string(posted_.size() - posted_out_), {});
  // Posted in the order they came in; the latest exit of all up to each.
  std::vector<std::pair<Time, Time>> latest;
  for (const Passage& p : posted_) latest.emplace_back(p.in, p.out);
  std::ranges::stable_sort(latest, {}, [](const auto& p) { return p.first; });
  for (std::size_t i = 1; i < latest.size(); ++i) latest[i].second = std::max(latest[i].second, latest[i - 1].second);
  for (const Passage& p : others_) {
    if (p.out == never) {
      complain("a read or a completion that never left", p.in);
      continue;
    }
    if (p.out < p.in) complain("something left before it came in", p.out);
    const auto after = std::ranges::lower_bound(latest, p.in, {}, [](const auto& l) { return l.first; });
    if (after != latest.begin() && std::prev(after)->second > p.out) complain("a read or a completion passed a posted write", p.out);
  }
}

}  // namespace flashpath::checks

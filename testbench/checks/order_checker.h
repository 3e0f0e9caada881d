// SPDX-License-Identifier: Apache-2.0
// Whether a PCIe link keeps the order the standard asks for, from what is seen at its sockets alone (PCIe Base 6.x §2.4.1, no RO, no IDO):
//   posted       leave as they came in, each once
//   non-posted   do not leave before a posted one that came in earlier
//   completions  the same
// It knows nothing of the link's model: it compares moments of TLM phases. BEGIN_REQ of a write is a posted burst, of a read a
// non-posted one, BEGIN_RESP of a read a completion. Judged at the end (finish), since phases may be announced ahead of their time.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "checks/protocol_checker.h"

namespace flashpath::checks {

class OrderChecker {
 public:
  explicit OrderChecker(std::string name) : name_{std::move(name)} {}
  OrderChecker(const OrderChecker&) = delete;
  OrderChecker& operator=(const OrderChecker&) = delete;

  /// Requests come in at `in` and leave at `out`; completions of the other way's reads come in at `answers_in`, leave at `answers_out`.
  void watch(ProtocolChecker& in, ProtocolChecker& out, ProtocolChecker& answers_in, ProtocolChecker& answers_out);
  /// Requests only. `source`: only transfers of this one count at `out` (a switch's uplink); negative: all.
  void watch_requests(ProtocolChecker& in, ProtocolChecker& out, int source = -1);

  /// After the run.
  void finish();
  const std::vector<std::string>& violations() const { return violations_; }
  std::uint64_t posted() const { return posted_.size(); }
  std::uint64_t others() const { return others_.size(); }

  // What watch() connects; for tests of the checker itself.
  void entered(bool posted, bool completion, std::uint64_t address, std::uint64_t length, Time at);
  void left(bool posted, bool completion, std::uint64_t address, std::uint64_t length, Time at);

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;
  struct Passage {
    Key key;
    Time in, out = never;
  };
  void complain(const std::string& what, Time at);

  std::string name_;
  std::vector<Passage> posted_, others_;
  std::size_t posted_out_ = 0;
  std::map<std::pair<bool, Key>, std::vector<std::size_t>> open_;  // others that have not left, by completion and key
  std::vector<std::string> violations_;
};

}  // namespace flashpath::checks

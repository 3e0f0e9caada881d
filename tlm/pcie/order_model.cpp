// SPDX-License-Identifier: Apache-2.0
#include "pcie/order_model.h"

#include <charconv>

namespace flashpath::pcie {

void Waiting::push(Burst& b) {
  const std::size_t at = arbitration_ == Arbitration::fifo ? 0 : b.port;
  while (ports_.size() <= at) {
    Port port;
    if (!shares_.empty()) port.share = shares_[std::min(ports_.size(), shares_.size() - 1)];
    ports_.push_back(port);
  }
  Port& port = ports_[at];
  if (port.queue.empty()) port.virtual_time = std::max(port.virtual_time, virtual_now_);
  port.queue.push(b);
  ++size_;
}

Burst& Waiting::take(Port& port, Burst* before) {
  if (before != nullptr) ++passed;
  Burst& b = port.queue.pop_behind(before);
  --size_;
  virtual_now_ = port.virtual_time;
  port.virtual_time += (static_cast<Wide>(b.load.wire.count) << 32U) / port.share;
  turn_ = (static_cast<std::size_t>(&port - ports_.data()) + 1) % ports_.size();
  return b;
}

std::vector<std::uint32_t> SwitchConfig::shares(std::uint32_t ports, const std::string& where, UserErrors& errors) const {
  std::vector<std::uint32_t> all;
  if (!weights.empty() && arbitration != Arbitration::weighted) errors.add(where + ".weights: only with arbitration = weighted");
  const char* at = weights.data();
  const char* const end = at + weights.size();
  while (at != end) {
    std::uint32_t share = 0;
    const auto [next, error] = std::from_chars(at, end, share);
    if (error != std::errc{} || share == 0 || share > 1000 || (next != end && (*next != ',' || next + 1 == end))) {
      errors.add(where + ".weights = \"" + weights + "\": must be numbers from 1 to 1000 with commas between them, e.g. \"4,1\"");
      return {};
    }
    all.push_back(share);
    at = next == end ? end : next + 1;
  }
  if (all.empty()) all.push_back(1);
  all.resize(std::max<std::size_t>(all.size(), ports), all.back());
  return all;
}

}  // namespace flashpath::pcie

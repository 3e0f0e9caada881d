// SPDX-License-Identifier: Apache-2.0
#include "fabric/fabric_model.h"

namespace flashpath::fabric {

Direction::Direction(const Config& c) : rate_{c.line_rate}, mtu_{c.mtu}, overhead_{c.packet_overhead}, cost_{cycles(1, c.message_rate)} {}

Bytes Direction::wire(Bytes offset, Bytes size) const {
  const std::uint64_t packets = ceil_div((offset + size).count, mtu_.count) - ceil_div(offset.count, mtu_.count);
  return size + std::max<std::uint64_t>(packets, offset.count == 0 ? 1 : 0) * overhead_;
}

Stream Direction::bulk(Stream in, Bytes offset, Bytes size) {
  const Bytes bytes = wire(offset, size);
  const Duration time = bytes / rate_;
  const Time start = std::max(in.first, free_at_);
  free_at_ = start + time;
  busy_ += time;
  moved_ += bytes;
  return {start, std::max(free_at_, in.last + (std::min(size, mtu_) + overhead_) / rate_)};
}

Stream Direction::small(Time at, Bytes size) {
  const Bytes bytes = wire({}, size);
  const Duration time = bytes / rate_;
  const Time start = std::max(at, small_free_);
  small_free_ = start + time;
  free_at_ += time;
  busy_ += time;
  moved_ += bytes;
  return {start, small_free_};
}

}  // namespace flashpath::fabric

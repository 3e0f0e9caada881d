// SPDX-License-Identifier: Apache-2.0
#include "crypto/crypto_model.h"

namespace flashpath::crypto {

Timing::Timing(const Config& c)
    : lane_{c.clock.per_second * aes_block.count},
      all_{c.lanes * lane_.bytes_per_second},
      depth_{cycles(c.pipeline_cycles, c.clock)},
      bypass_{c.bypass_latency} {}

Stream Timing::crypt(Stream in, Bytes size) {
  const Window w = server_.serve(in, size / all_, {});  // done = max(start + busy, in.last)
  const Time alone = w.accepted + std::min(size, data_unit) / lane_;
  return {w.accepted + depth_, std::max(w.done, alone) + depth_};
}

Time Order::floor(Time at) const {
  Time floor{};
  for (const Flight& f : flights_)
    floor = std::max(floor, at >= f.in_last ? f.out.last : std::max(f.out.first, at + (f.out.last - f.in_last)));
  return floor;
}

Stream Order::place(Stream in, Stream out) {
  std::erase_if(flights_, [&](const Flight& f) { return f.out.last <= in.first; });
  out.first = std::max(out.first, floor(in.first));
  out.last = std::max({out.first, out.last, floor(in.last)});
  flights_.push_back({in.last, out});
  return out;
}

}  // namespace flashpath::crypto

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

Stream Order::place(Stream in, Stream out) {
  const auto floor = [](const Flight& f, Time at) {
    return at >= f.in_last ? f.out.last : std::max(f.out.first, at + (f.out.last - f.in_last));
  };
  std::size_t kept = 0;
  for (const Flight& f : flights_) {
    if (f.out.last <= in.first) continue;  // has left
    out.first = std::max(out.first, floor(f, in.first));
    out.last = std::max(out.last, floor(f, in.last));
    flights_[kept++] = f;
  }
  flights_.resize(kept);
  out.last = std::max(out.first, out.last);
  flights_.push_back({in.last, out});
  return out;
}

}  // namespace flashpath::crypto

// SPDX-License-Identifier: Apache-2.0
// When encrypted bytes come out, and in which order.
//
//   in ──┬── [ lanes x 16 B/cycle, pipeline_cycles deep ] ──┬──▶ [ in order, per link and drive ] ──▶ out
//        └── bypass ─────────────────────────────────────────┘
//
// One pipe per direction at the lanes' sum: a data unit stays on one lane, units spread over all lanes. With start = max(in.first, free):
//   busy = size / (lanes x lane)       first = start + depth
//   last = max(start + busy, start + min(size, 4 KiB) / lane, in.last) + depth
// Bypass: first = in.first + bypass, last = in.last + bypass.
//
// Order of writes (PCIe 6.0 §2.4.1: posted requests do not pass each other): what arrives at t comes out no earlier than
// everything of the same drive that arrived by t. Of an earlier transfer with in.last = l and out.last = L, these are
// out at L if t >= l, and at max(out.first, t + (L - l)) while it is still arriving; so a completion entry never overtakes its data.
// Races: same moment, call order. Not modelled: key fetch from memory (all slots are on die), power gating of lanes.
#pragma once
#include <vector>

#include "base/timeline.h"
#include "crypto/crypto_config.h"

namespace flashpath::crypto {

/// One direction of the engine.
class Timing {
 public:
  explicit Timing(const Config& config);
  Stream crypt(Stream in, Bytes size);
  Stream bypass(Stream in) const { return {in.first + bypass_, in.last + bypass_}; }
  Duration busy() const { return server_.busy(); }
  Time free_at() const { return server_.free_at(); }

 private:
  Rate lane_, all_;
  Duration depth_, bypass_;
  Server server_;
};

/// The writes of one drive over one link, in order.
class Order {
 public:
  /// `out` as it would be without others; delayed so that it does not pass what arrived before `in`.
  Stream place(Stream in, Stream out);

 private:
  struct Flight {
    Time in_last;
    Stream out;
  };
  std::vector<Flight> flights_;  // still leaving; a few
};

}  // namespace flashpath::crypto

// SPDX-License-Identifier: Apache-2.0
// Where did the time go? A request's journey: stages that partition its latency exactly.
//
// `mark(stage, now)` says: everything since the last mark was this stage. A request that fans out copies
// its journey into each piece; at the join it adopts the journey of the piece that finished last (the
// critical path). Hence the stages always sum to end - begin, whatever was fanned out in between.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/units.h"

namespace flashpath {

enum class Stage : std::uint8_t {
  fabric,        ///< message or data on the wire and in the NIC
  core_wait,     ///< waiting for a core to poll and pick it up
  firmware,      ///< a core working on it
  staging_wait,  ///< waiting for a staging buffer in DPU memory
  submit,        ///< SQE written, doorbell rung and travelling
  sq_wait,       ///< in the submission queue, until the controller fetches it
  fetch,         ///< SQE and PRP list fetched over the link
  control,       ///< the controller's own work on the command
  map,           ///< FTL look-up or allocation
  buffer_wait,   ///< waiting for space in the drive's write buffer
  die_wait,      ///< waiting for the die or plane
  sense,         ///< NAND array time, tR
  channel_wait,  ///< waiting for the channel
  transfer,      ///< command, address and data on the channel
  ecc,           ///< decode
  program,       ///< NAND array time, tPROG (only where somebody waits for it)
  link_wait,     ///< waiting for the PCIe link (serialiser, credits, tags)
  link,          ///< on the PCIe link
  crypto,        ///< inline encryption
  dram,          ///< DPU memory
  completion,    ///< CQE written and polled
  count_
};
inline constexpr std::size_t stage_count = static_cast<std::size_t>(Stage::count_);
std::string_view name_of(Stage stage);

class Journey {
 public:
  Journey() = default;
  explicit Journey(Time begin) : begin_{begin}, at_{begin} {}

  /// Everything since the last mark was `stage`. Marks never go back in time (clamped to the last one).
  void mark(Stage stage, Time now) {
    if (now <= at_) return;
    spent_[static_cast<std::size_t>(stage)] += now - at_;
    at_ = now;
  }
  Duration operator[](Stage stage) const { return spent_[static_cast<std::size_t>(stage)]; }
  Time begin() const { return begin_; }
  Time at() const { return at_; }
  Duration total() const { return at_ - begin_; }
  Duration sum() const {
    Duration sum{};
    for (const Duration d : spent_) sum += d;
    return sum;
  }

 private:
  Time begin_{};
  Time at_{};
  std::array<Duration, stage_count> spent_{};
};

}  // namespace flashpath

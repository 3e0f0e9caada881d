// SPDX-License-Identifier: Apache-2.0
// What wear does to the operations of one drive: which reads need how many senses, what cannot be read, programmed or erased, and which
// blocks are bad. Knows no time but what it is told; ArrayModel schedules what it says. Bit errors are counted, never put into data.
//
// Per block of a plane: P/E cycles, senses since the erase, when its oldest data was programmed, whether it is bad. 17 bytes.
//
// Not modelled: temperature, recovery, disturb of neighbours by programs, partly programmed blocks, what changes with the data; a block
// that is bad can still be used (that nobody should is the FTL's business); the decoder's rate does not fall with its iterations.
#pragma once
#include <vector>

#include "base/laws.h"
#include "base/random.h"
#include "base/stats.h"
#include "nand/geometry.h"
#include "nand/ladder.h"

namespace flashpath::nand {

struct ReliabilityStatistics {
  explicit ReliabilityStatistics(stats::Group& group);
  stats::Counter retries, retried, soft_decoded, uncorrectable, refresh_advised, program_failures, erase_failures, factory_bad, grown_bad;
  stats::Histogram decode_latency, retried_latency;
};

/// What comes of the data of one sense.
struct Decoding {
  Duration latency{};  ///< until the decoder knows
  bool again = false;  ///< another sense is needed
};

class Reliability {
 public:
  Reliability(const Config& config, const Geometry& geometry, stats::Group& group, Random random);

  /// A read's data of sense number op.retries is on its way to the decoder. The first time `rung` is drawn; the caller keeps it.
  /// With the last sense op.status is set; op.refresh with each.
  Decoding decode(Op& op, std::uint8_t& rung, Time now);
  /// A read is answered, `latency` after its submission.
  void answered(const Op& op, std::uint8_t rung, Duration latency);

  /// A program or an erase ends: does it fail? If so the planes it fails in are bad from now on.
  OpStatus program(const Op& op, Time now);
  OpStatus erase(const Op& op);

  bool bad(DieId die, BlockId block) const;
  std::uint32_t cycles(DieId die, BlockId block, std::uint32_t plane) const {
    return config_.initial_pe + block_at(die, block, plane).erases;
  }
  std::uint32_t reads(DieId die, BlockId block, std::uint32_t plane) const { return block_at(die, block, plane).reads; }
  /// The error rate of a page, were it read now.
  double rber(DieId die, BlockId block, std::uint32_t plane, PageId page, Time now) const;

  /// Senses decoded so far.
  std::uint64_t senses() const { return senses_; }
  void check(Laws& laws) const;

  const Ladder& ladder() const { return ladder_; }
  const ReliabilityStatistics& statistics() const { return stats_; }

 private:
  struct Block {
    std::uint32_t erases = 0;
    std::uint32_t reads = 0;
    Time programmed{};
  };
  std::size_t index(DieId die, BlockId block, std::uint32_t plane) const {
    return (static_cast<std::size_t>(die.value) * geometry_.blocks() + block.value) * geometry_.planes() + plane;
  }
  const Block& block_at(DieId die, BlockId block, std::uint32_t plane) const { return blocks_[index(die, block, plane)]; }
  double rber(std::size_t block, PageId page, Time now) const;
  std::uint8_t draw(const Op& op, Time now);
  std::uint32_t further_senses(std::uint32_t rung) const;
  void sensed(Op& op, Time now);
  bool fails(std::size_t block, std::uint64_t slope);

  ReliabilityConfig config_;
  Geometry geometry_;
  ErrorRate rate_;
  Ladder ladder_;
  ReliabilityStatistics stats_;
  Random random_;
  std::uint64_t wordlines_seed_;
  std::uint64_t program_slope_, erase_slope_;  // failure thresholds per P/E cycle
  std::vector<Block> blocks_;
  std::vector<bool> bad_;
  std::uint64_t senses_ = 0;
};

}  // namespace flashpath::nand

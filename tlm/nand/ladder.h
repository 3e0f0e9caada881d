// SPDX-License-Identifier: Apache-2.0
// How far the error correction must go to read some codewords of a page: a ladder of outcomes, best first.
//
//   iterations 1 … I of hard decoding │ retry 1 … R, each a sense with shifted levels │ soft decoding │ uncorrectable
//
// One random number decides: rung i is passed if it lies below P(rung i does not suffice). A page that fails one rung is the likelier to
// fail the next: the rungs are tried with the same number, so P(uncorrectable) is that of its last rung, the most it could be.
//   hard      e errors need 1 + floor((I - 1) e / hard limit) iterations; more errors than the limit are not corrected
//   retry r   the same limit at RBER gain^r, not below the fresh page's
//   soft      the soft limit, at the last retry's RBER
// n codewords: 1 - (1 - p)^n for each rung, their errors being independent.
//
// Rows are made when first asked for. The error rate is rounded to the middle of its step: 128 steps per octave, so within 0.4 %.
#pragma once
#include <cstdint>
#include <vector>

#include "base/units.h"
#include "nand/rber.h"

namespace flashpath::nand {

class Ladder {
 public:
  /// A codeword has `data` bytes and `parity` more; at most `most` of them are read from a page.
  Ladder(const ReliabilityConfig& config, Bytes data, Bytes parity, std::uint32_t most);

  /// The rung that suffices for `codewords` of a page with error rate `rber`; `fresh`: the rate below which retries do not go.
  std::uint32_t draw(double rber, double fresh, std::uint32_t type, std::uint32_t codewords, std::uint64_t random) {
    const std::uint64_t* rung = row(rber, fresh, type, codewords);
    std::uint32_t n = 0;
    while (n < uncorrectable_ && random < rung[n]) ++n;
    return n;
  }
  /// P(rungs 0 … n do not suffice), as a threshold.
  std::uint64_t beyond(std::uint32_t n, double rber, double fresh, std::uint32_t type, std::uint32_t codewords) {
    return row(rber, fresh, type, codewords)[n];
  }

  std::uint32_t iterations() const { return iterations_; }        ///< rungs [0, iterations) are hard decoding of the first sense
  std::uint32_t soft() const { return iterations_ + retries_; }   ///< the rung of soft decoding, if there is one
  std::uint32_t uncorrectable() const { return uncorrectable_; }  ///< the last rung
  std::uint64_t bits() const { return bits_; }
  std::uint64_t hard_limit() const { return hard_; }
  std::uint64_t soft_limit() const { return soft_; }

 private:
  const std::uint64_t* row(double rber, double fresh, std::uint32_t type, std::uint32_t codewords);
  std::uint32_t make(double rber, double fresh, std::uint32_t codewords);

  static constexpr unsigned step_bits = 7;  // steps per octave
  static constexpr unsigned octaves = 32;   // down from 1
  std::uint64_t bits_, hard_, soft_;
  std::uint32_t iterations_, retries_, uncorrectable_;
  bool has_soft_;
  double gain_;
  std::uint32_t most_;
  std::vector<std::uint32_t> index_;  // by step, page type and codewords: where its row begins, + 1; 0: not made yet
  std::vector<std::uint64_t> rungs_;
};

}  // namespace flashpath::nand

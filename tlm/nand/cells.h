// SPDX-License-Identifier: Apache-2.0
// What the cells hold, and what may be done to them.
//
// Both modes: the next program of each block and plane, 16 bits, flat (512 dies x 3000 blocks x 6 planes: 18 MB).
// A block is programmed wordline by wordline (program_unit = page: page by page) from 0 on, each once between two erases; any other fails
// (OpStatus::program_failed) and changes nothing. A multi-plane program fails as a whole. A program that wear makes fail has used its wordline up:
// the next one may follow; the same once more is taken too, as onto a spare wordline.
// Data mode: the bytes of programmed wordlines, sparse. What was never programmed reads as 0xFF, as an erased cell does.
// Not modelled: bit errors in the bytes (reliability.h counts them), open-block limits.
#pragma once
#include <memory>
#include <unordered_map>
#include <vector>

#include "nand/geometry.h"

namespace flashpath::nand {

class Cells {
 public:
  Cells(const Geometry& geometry, bool data_mode);

  /// Copies the bytes of a read to op.data. Does nothing without data.
  void read(const Op& op) const;
  /// Stores op.data (its order: nand_op.h) and moves the block's next program on.
  OpStatus program(const Op& op);
  /// Wear has made a program fail: nothing is stored, but it has been done.
  OpStatus fail(const Op& op);
  OpStatus erase(const Op& op);

  /// The next wordline that may be programmed: 0 erased, wordlines() full.
  std::uint32_t next_wordline(DieId die, BlockId block, std::uint32_t plane) const {
    return next_page(die, block, plane) / geometry_.bits();
  }
  /// The next page that may be programmed; pages() when full.
  std::uint32_t next_page(DieId die, BlockId block, std::uint32_t plane) const {
    return next_[index(die, block, plane)] * geometry_.program_pages();
  }
  /// For a drive that starts in use: the first `wordlines` of the block, in all planes, count as programmed. Their bytes read as 0xFF.
  void precondition(DieId die, BlockId block, std::uint32_t wordlines);
  /// Wordlines (of one plane) whose bytes are kept.
  std::uint64_t kept() const { return kept_; }

 private:
  using Wordline = std::unique_ptr<unsigned char[]>;  // page type by page type
  struct Block {
    std::vector<Wordline> wordlines;
    std::uint64_t kept = 0;
  };
  std::size_t index(DieId die, BlockId block, std::uint32_t plane) const {
    return (static_cast<std::size_t>(die.value) * geometry_.blocks() + block.value) * geometry_.planes() + plane;
  }
  bool may(const Op& op) const;
  void forget(std::size_t block);

  Geometry geometry_;
  bool data_mode_;
  struct Failed {
    std::size_t block;
    std::uint32_t program;
    bool operator==(const Failed&) const = default;
  };
  std::vector<std::uint16_t> next_;
  std::vector<Failed> failed_;                     // programs that wear made fail, until repeated or erased: a handful
  std::unordered_map<std::size_t, Block> blocks_;  // never iterated
  std::uint64_t kept_ = 0;
};

}  // namespace flashpath::nand

// SPDX-License-Identifier: Apache-2.0
// Where things are: die <-> (channel, target), page <-> (wordline, page type), capacities, and which operations exist.
#pragma once
#include <bit>

#include "nand/nand_config.h"
#include "nand/nand_op.h"

namespace flashpath::nand {

using TargetId = Id<struct TargetTag, std::uint16_t>;      ///< die within its channel
using WordlineId = Id<struct WordlineTag, std::uint32_t>;  ///< wordline within its block
/// What is wrong with an operation.
enum class OpFault : std::uint8_t { none, die, plane, block, page, size };

class Geometry {
  /// Division by a size fixed at construction: a shift where that is enough, since it is asked for with every operation.
  struct Divisor {
    explicit constexpr Divisor(Bytes s) : size{s}, shift{std::has_single_bit(s.count) ? std::countr_zero(s.count) : -1} {}
    constexpr std::uint64_t of(std::uint64_t n) const { return shift >= 0 ? n >> shift : n / size.count; }
    Bytes size;
    int shift;
  };

 public:
  explicit constexpr Geometry(const Config& c)
      : channels_{c.channels},
        dies_{c.channels * c.dies_per_channel},
        planes_{c.planes},
        blocks_{c.blocks_per_plane},
        wordlines_{c.wordlines_per_block},
        bits_{c.bits_per_cell},
        program_pages_{c.program_unit == ProgramUnit::page ? 1 : c.bits_per_cell},
        page_{c.page},
        codeword_{c.codeword} {}

  constexpr std::uint32_t channels() const { return channels_; }
  constexpr std::uint32_t dies() const { return dies_; }
  constexpr std::uint32_t planes() const { return planes_; }
  constexpr std::uint32_t blocks() const { return blocks_; }            ///< per plane
  constexpr std::uint32_t wordlines() const { return wordlines_; }      ///< per block
  constexpr std::uint32_t bits() const { return bits_; }                ///< pages per wordline
  constexpr std::uint32_t pages() const { return wordlines_ * bits_; }  ///< per block

  constexpr ChannelId channel_of(DieId die) const { return {static_cast<std::uint16_t>(die.value % channels_)}; }
  constexpr TargetId target_of(DieId die) const { return {static_cast<std::uint16_t>(die.value / channels_)}; }
  constexpr DieId die_of(ChannelId channel, TargetId target) const {
    return {static_cast<std::uint16_t>(target.value * channels_ + channel.value)};
  }
  constexpr WordlineId wordline_of(PageId page) const { return {page.value / bits_}; }
  constexpr std::uint32_t type_of(PageId page) const { return page.value % bits_; }
  constexpr PageId page_of(WordlineId wordline, std::uint32_t type) const { return {wordline.value * bits_ + type}; }

  constexpr Bytes page() const { return page_.size; }
  constexpr Bytes wordline_bytes(std::uint32_t planes) const { return page_.size * bits_ * planes; }
  constexpr std::uint32_t program_pages() const {
    return program_pages_;
  }  ///< of each plane in a program: bits(), or 1 (program_unit = page)
  constexpr std::uint32_t programs_per_block() const { return pages() / program_pages_; }  ///< programs that fill a block of one plane
  constexpr std::uint32_t program_of(PageId page) const { return page.value / program_pages_; }
  constexpr Bytes program_bytes(std::uint32_t planes) const { return page_.size * program_pages_ * planes; }
  constexpr Bytes block_bytes() const { return page_.size * pages(); }  ///< of one plane
  constexpr Bytes die_bytes() const { return block_bytes() * blocks_ * planes_; }
  constexpr Bytes drive_bytes() const { return die_bytes() * dies_; }

  /// Codewords that [offset, offset + size) touches: each is read and decoded as a whole.
  constexpr std::uint64_t codewords(Bytes offset, Bytes size) const {
    return codeword_.of(offset.count + size.count - 1) - codeword_.of(offset.count) + 1;
  }
  /// Planes whose data a read of [offset, offset + size) moves.
  constexpr std::uint64_t planes_moved(Bytes offset, Bytes size) const {
    return page_.of(offset.count + size.count - 1) - page_.of(offset.count) + 1;
  }

  constexpr OpFault fault(const Op& op) const {
    if (op.die.value >= dies_) return OpFault::die;
    if (op.planes == 0 || std::uint32_t{op.plane} + op.planes > planes_) return OpFault::plane;
    if (op.block.value >= blocks_) return OpFault::block;
    if (op.kind == OpKind::erase) return OpFault::none;
    if (op.page.value >= pages()) return OpFault::page;
    if (op.kind == OpKind::program) {
      if (op.page.value % program_pages_ != 0) return OpFault::page;
      return op.size == program_bytes(op.planes) ? OpFault::none : OpFault::size;
    }
    const Bytes all = page_.size * op.planes;
    return op.size.count == 0 || op.size > all || op.offset > all - op.size ? OpFault::size : OpFault::none;
  }

 private:
  std::uint32_t channels_, dies_, planes_, blocks_, wordlines_, bits_, program_pages_;
  Divisor page_, codeword_;
};

}  // namespace flashpath::nand

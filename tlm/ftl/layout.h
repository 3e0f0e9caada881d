// SPDX-License-Identifier: Apache-2.0
// Where a mapping unit lies: position (in units, over the whole drive) <-> superblock, program unit, die, page, plane.
//
//   superblock    block b in all planes of all dies: a whole number of mapping units (what is left at its end stays empty)
//   program unit  (PU) one wordline in all planes of one die, programmed at once; PU k: die k % dies, wordline k / dies.
//                 Dies count channels first, so consecutive PUs go to different channels.
//   stripe        one page type in all planes: planes x page contiguous bytes, one multi-plane read
#pragma once
#include "ftl/geometry.h"
#include "nand/nand_op.h"

namespace flashpath::ftl {

/// In mapping units, over the whole drive: superblock * units_per_superblock + index.
using Position = std::uint64_t;

class Layout {
 public:
  Layout(const Geometry& g, Bytes unit)
      : unit_{unit.count},
        stripe_{g.stripe().count},
        pu_{g.program_unit().count},
        page_{g.page.count},
        dies_{g.dies},
        planes_{g.planes},
        bits_{g.bits_per_cell},
        superblocks_{g.blocks_per_plane},
        pus_{g.program_units()},
        units_{g.superblock() / unit} {}

  std::uint64_t unit() const { return unit_; }
  std::uint64_t stripe() const { return stripe_; }
  std::uint64_t program_unit() const { return pu_; }
  std::uint32_t bits() const { return bits_; }
  std::uint32_t dies() const { return dies_; }
  std::uint32_t planes() const { return planes_; }
  std::uint32_t superblocks() const { return superblocks_; }
  std::uint32_t program_units() const { return pus_; }
  std::uint64_t units() const { return units_; }  ///< per superblock

  std::uint32_t superblock_of(Position p) const { return static_cast<std::uint32_t>(p / units_); }
  Position first_of(std::uint32_t superblock) const { return superblock * units_; }

  /// A read of [in_pu, in_pu + size) of a PU, all in one stripe.
  void read(nand::Op& op, std::uint32_t superblock, std::uint32_t pu, std::uint64_t in_pu, std::uint64_t size) const {
    const std::uint64_t type = in_pu / stripe_;
    const std::uint64_t in_stripe = in_pu - type * stripe_;
    const std::uint64_t plane = in_stripe / page_;
    place(op, nand::OpKind::read, superblock, pu);
    op.page.value += static_cast<std::uint32_t>(type);
    op.plane = static_cast<std::uint8_t>(plane);
    op.planes = static_cast<std::uint8_t>((in_stripe + size - 1) / page_ - plane + 1);
    op.offset = {in_stripe - plane * page_};
    op.size = {size};
  }
  void program(nand::Op& op, std::uint32_t superblock, std::uint32_t pu) const {
    place(op, nand::OpKind::program, superblock, pu);
    op.size = {pu_};
  }
  void erase(nand::Op& op, std::uint32_t superblock, std::uint32_t die) const { place(op, nand::OpKind::erase, superblock, die); }

 private:
  void place(nand::Op& op, nand::OpKind kind, std::uint32_t superblock, std::uint32_t pu) const {
    const std::uint32_t wordline = pu / dies_;
    op.kind = kind;
    op.die = {static_cast<std::uint16_t>(pu - wordline * dies_)};
    op.block = {superblock};
    op.page = {wordline * bits_};
    op.plane = 0;
    op.planes = static_cast<std::uint8_t>(planes_);
    op.offset = {};
    op.size = {};
  }

  std::uint64_t unit_, stripe_, pu_, page_;
  std::uint32_t dies_, planes_, bits_, superblocks_, pus_;
  std::uint64_t units_;
};

}  // namespace flashpath::ftl

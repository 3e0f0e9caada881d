// SPDX-License-Identifier: Apache-2.0
// Where a mapping unit lies: position (in units, over the whole drive) <-> superblock, program unit, die, page, plane.
//
//   superblock    block b in all planes of all dies: a whole number of mapping units (what is left at its end stays empty)
//   program unit  (PU) one wordline in all planes of one die, programmed at once; PU k: die k % dies, wordline k / dies.
//                 Dies count channels first, so consecutive PUs go to different channels.
//   stripe        one page type in all planes: planes x page contiguous bytes, one multi-plane read
//
// With parity (rain = N): N + 1 neighbouring PUs, which lie on different dies, are a group; one of them is parity. Its place moves by
// one from wordline to wordline. Positions and PU numbers count data only; data PUs + g is the number of the parity of group g.
#pragma once
#include "base/divisor.h"
#include "ftl/geometry.h"
#include "nand/nand_op.h"

namespace flashpath::ftl {

/// In mapping units, over the whole drive: superblock * units_per_superblock + index.
using Position = std::uint64_t;

class Layout {
 public:
  /// rain + 1 divides the dies.
  Layout(const Geometry& g, Bytes unit, std::uint32_t rain = 0)
      : unit_{unit.count},
        stripe_{g.stripe().count},
        pu_{g.program_unit().count},
        page_{g.page.count},
        dies_{g.dies},
        planes_{g.planes},
        bits_{g.bits_per_cell},
        superblocks_{g.blocks_per_plane},
        pus_{g.program_units()},
        rain_{rain},
        data_pus_{pus_ / (rain + 1) * (rain == 0 ? 1 : rain)},
        units_{data_pus_ * pu_.value() / unit_.value()} {}

  std::uint64_t unit() const { return unit_.value(); }
  std::uint64_t stripe() const { return stripe_.value(); }
  std::uint64_t program_unit() const { return pu_.value(); }
  std::uint32_t bits() const { return bits_; }
  std::uint32_t dies() const { return static_cast<std::uint32_t>(dies_.value()); }
  std::uint32_t planes() const { return planes_; }
  std::uint32_t superblocks() const { return superblocks_; }
  std::uint32_t program_units() const { return pus_; }            ///< with parity
  std::uint32_t data_program_units() const { return data_pus_; }  ///< without
  std::uint64_t units() const { return units_.value(); }          ///< per superblock

  std::uint32_t superblock_of(Position p) const { return static_cast<std::uint32_t>(units_.of(p)); }
  /// The program unit that holds a byte of a superblock, and where in it.
  std::uint32_t pu_at(std::uint64_t offset, std::uint64_t& in_pu) const {
    const std::uint64_t pu = pu_.of(offset);
    in_pu = offset - pu * pu_.value();
    return static_cast<std::uint32_t>(pu);
  }
  std::uint64_t in_stripe(std::uint64_t in_pu) const { return stripe_.rest(in_pu); }
  std::uint64_t unit_of(std::uint64_t byte) const { return unit_.of(byte); }
  std::uint64_t units_to(std::uint64_t byte) const { return unit_.of(byte + unit() - 1); }  ///< rounded up
  Position first_of(std::uint32_t superblock) const { return superblock * units_.value(); }

  /// Where a PU is: wordline * dies + die.
  std::uint32_t place_of(std::uint32_t pu) const {
    if (rain_ == 0) return pu;
    const std::uint32_t group = group_of(pu), parity = parity_place(group);
    if (pu >= data_pus_) return group * (rain_ + 1) + parity;
    const std::uint32_t in_group = pu - group * rain_;
    return group * (rain_ + 1) + in_group + (in_group >= parity ? 1 : 0);
  }
  std::uint32_t die_of(std::uint32_t pu) const { return static_cast<std::uint32_t>(dies_.rest(place_of(pu))); }
  std::uint32_t group_of(std::uint32_t pu) const { return pu < data_pus_ ? pu / rain_ : pu - data_pus_; }
  std::uint32_t parity_of(std::uint32_t group) const { return data_pus_ + group; }
  /// What a read reads, with parity: the inverse of read().
  void locate(const nand::Op& op, std::uint32_t& pu, std::uint64_t& in_pu) const {
    const std::uint32_t place = op.page.value / bits_ * dies() + op.die.value;
    const std::uint32_t group = place / (rain_ + 1), in_group = place % (rain_ + 1), parity = parity_place(group);
    pu = in_group == parity ? parity_of(group) : group * rain_ + in_group - (in_group > parity ? 1 : 0);
    in_pu = op.page.value % bits_ * stripe() + op.plane * page_.value() + op.offset.count;
  }

  /// A read of [in_pu, in_pu + size) of a PU, all in one stripe.
  void read(nand::Op& op, std::uint32_t superblock, std::uint32_t pu, std::uint64_t in_pu, std::uint64_t size) const {
    const std::uint64_t type = stripe_.of(in_pu);
    const std::uint64_t in_stripe = in_pu - type * stripe();
    const std::uint64_t plane = page_.of(in_stripe);
    place(op, nand::OpKind::read, superblock, place_of(pu));
    op.page.value += static_cast<std::uint32_t>(type);
    op.plane = static_cast<std::uint8_t>(plane);
    op.planes = static_cast<std::uint8_t>(page_.of(in_stripe + size - 1) - plane + 1);
    op.offset = {in_stripe - plane * page_.value()};
    op.size = {size};
  }
  void program(nand::Op& op, std::uint32_t superblock, std::uint32_t pu) const {
    place(op, nand::OpKind::program, superblock, place_of(pu));
    op.size = {program_unit()};
  }
  void erase(nand::Op& op, std::uint32_t superblock, std::uint32_t die) const { place(op, nand::OpKind::erase, superblock, die); }

 private:
  void place(nand::Op& op, nand::OpKind kind, std::uint32_t superblock, std::uint32_t pu) const {
    const auto wordline = static_cast<std::uint32_t>(dies_.of(pu));
    op.kind = kind;
    op.die = {static_cast<std::uint16_t>(pu - wordline * dies())};
    op.block = {superblock};
    op.page = {wordline * bits_};
    op.plane = 0;
    op.planes = static_cast<std::uint8_t>(planes_);
    op.offset = {};
    op.size = {};
  }

  Divisor unit_, stripe_, pu_, page_;
  std::uint32_t parity_place(std::uint32_t group) const { return group * (rain_ + 1) / dies() % (rain_ + 1); }

  Divisor dies_;
  std::uint32_t planes_, bits_, superblocks_, pus_, rain_, data_pus_;
  Divisor units_;
};

}  // namespace flashpath::ftl

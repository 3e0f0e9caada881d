// SPDX-License-Identifier: Apache-2.0
// Before time begins: the FTL learns which blocks are bad, the flash which of its blocks hold data.
#pragma once
#include <cstdint>

#include "ftl/geometry.h"
#include "nand/nand_op.h"

namespace flashpath::ftl {

/// `Ftl` and `Array` are models or the parts around them. Throws UserErrors when a die has no spare block left.
template <class Ftl, class Array>
void prepare_flash(Ftl& ftl, Array& array, const Geometry& g, std::uint32_t spare_blocks) {
  for (std::uint32_t b = 0; spare_blocks != 0 && b < g.blocks_per_plane; ++b) {
    for (std::uint16_t d = 0; d < g.dies; ++d) {
      if (array.bad(nand::DieId{d}, nand::BlockId{b})) ftl.factory_bad(d, b);
    }
  }
  for (std::uint32_t b = 0; b + spare_blocks < g.blocks_per_plane; ++b) {
    for (std::uint16_t d = 0; d < g.dies; ++d) {
      if (const std::uint32_t n = ftl.written_wordlines(b, d); n != 0)
        array.precondition(nand::DieId{d}, nand::BlockId{ftl.block(d, b)}, n);
    }
  }
}

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
// Cuts a range of a superblock at stripe ends: each piece is at most one multi-plane read.
#pragma once
#include <algorithm>

#include "ftl/layout.h"

namespace flashpath::ftl {

/// piece(program unit, byte within it, bytes, bytes before it in the range).
template <class Piece>
void for_each_piece(const Layout& layout, std::uint64_t offset, std::uint64_t size, Piece&& piece) {
  std::uint64_t in_pu = 0;
  std::uint32_t pu = layout.pu_at(offset, in_pu);
  std::uint64_t left = layout.stripe() - layout.in_stripe(in_pu);
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t n = std::min(size - done, left);
    piece(pu, in_pu, n, done);
    done += n;
    in_pu += n;
    left = layout.stripe();
    if (in_pu == layout.program_unit()) {
      in_pu = 0;
      ++pu;
    }
  }
}

}  // namespace flashpath::ftl

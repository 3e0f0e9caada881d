// SPDX-License-Identifier: Apache-2.0
// What the FTL knows of the flash it manages: counts and one size; filled from the flash's own configuration.
#pragma once
#include <cstdint>

#include "base/units.h"

namespace flashpath::ftl {

struct Geometry {
  std::uint32_t channels = 16;
  std::uint32_t dies = 128;  ///< of the drive; channel = die % channels
  std::uint32_t planes = 4;
  std::uint32_t blocks_per_plane = 1376;
  std::uint32_t wordlines_per_block = 512;
  std::uint32_t bits_per_cell = 3;
  Bytes page = {16U << 10U};       ///< data bytes of one page of one plane
  std::uint32_t endurance = 5000;  ///< rated program/erase cycles
  std::uint32_t initial_pe = 0;    ///< cycles of every block before the run

  constexpr Bytes stripe() const { return planes * page; }                              ///< one page type in all planes of a die
  constexpr Bytes program_unit() const { return stripe() * bits_per_cell; }             ///< one wordline in all planes of a die
  constexpr std::uint32_t program_units() const { return dies * wordlines_per_block; }  ///< of a superblock
  constexpr Bytes superblock() const { return program_unit() * program_units(); }
  constexpr Bytes raw() const { return superblock() * blocks_per_plane; }
};

}  // namespace flashpath::ftl

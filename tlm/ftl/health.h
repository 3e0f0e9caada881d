// SPDX-License-Identifier: Apache-2.0
// How a drive's flash is doing, as the FTL knows it: what the controller reports as SMART / health information.
#pragma once
#include <cstdint>

#include "base/units.h"

namespace flashpath::ftl {

struct Health {
  std::uint8_t spare = 100;           ///< percent of the spare blocks that are left, of the die that has fewest
  std::uint64_t percentage_used = 0;  ///< mean program/erase cycles of a superblock against the rated ones; may exceed 100
  bool read_only = false;             ///< writes end with write_fault
  bool degraded = false;              ///< a die is dead
  bool backup_failed = false;         ///< the capacitors would not save the write buffer
  Bytes programmed{};                 ///< to flash, everything: data, garbage collection, parity, padding
  Bytes host_written{};               ///< accepted into the write buffer
  Bytes erased{};                     ///< flash erased so far
};

/// As a sum of both: a superblock's erases and those before the run, in percent of the rated cycles, rounded down.
constexpr std::uint64_t percentage_used(std::uint64_t erases, std::uint64_t superblocks, std::uint64_t initial, std::uint64_t rated) {
  if (superblocks == 0 || rated == 0) return 0;
  return (erases + initial * superblocks) * 100 / (superblocks * rated);
}

}  // namespace flashpath::ftl

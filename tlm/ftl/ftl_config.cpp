// SPDX-License-Identifier: Apache-2.0
#include "ftl/ftl_config.h"

#include <algorithm>
#include <bit>

namespace flashpath::ftl {

void Config::check(const std::string& where, UserErrors& errors) const {
  if (!std::has_single_bit(mapping_unit.count)) errors.add(where + ".mapping_unit: must be a power of two");
  if (mapping_unit.count != 0 && (capacity % mapping_unit).count != 0)
    errors.add(where + ".capacity: not a multiple of " + where + ".mapping_unit");
  if (map == MapKind::cached && gc_low == gc_victims + 1)
    errors.add(where + ".gc_low: must be above " + where + ".gc_victims + 1: with a cached map one superblock more is kept back");
  if (gc_low <= gc_victims)
    errors.add(where + ".gc_low: must be above " + where + ".gc_victims, or host writes stop before collection starts");
  if (image != "none" && precondition != Precondition::none)
    errors.add(where + ".precondition = " + std::string(name_of(precondition)) + ": " + where +
               ".image says what the drive holds; leave it at none");
  if (map == MapKind::cached) {
    if (mapping_unit.count != 0 && (map_page % mapping_unit).count != 0)
      errors.add(where + ".map_page: not a multiple of " + where + ".mapping_unit");
    if (map_cache < map_page) errors.add(where + ".map_cache: smaller than " + where + ".map_page");
    if (recoverable) errors.add(where + ".recoverable: not with " + where + ".map = cached");
  }
  if (image != "none" && spare_blocks != 0)
    errors.add(where + ".spare_blocks: not together with " + where + ".image (an image does not know of bad blocks)");
  if (rain != 0 && recoverable) errors.add(where + ".rain: not with " + where + ".recoverable");
  if (rain != 0 && image != "none") errors.add(where + ".rain: not with " + where + ".image");
  if (rain != 0 && spare_blocks != 0)
    errors.add(where + ".rain: not with " + where + ".spare_blocks (bad blocks are not replaced under parity)");
  if (gc_high < gc_low) errors.add(where + ".gc_high: must not be below " + where + ".gc_low");
  if (gc_moves_urgent < gc_moves) errors.add(where + ".gc_moves_urgent: must not be below " + where + ".gc_moves");
}

void Config::check(const std::string& where, const Geometry& g, UserErrors& errors) const {
  if (mapping_unit.count == 0) return;
  if (rain != 0 && g.dies % (rain + 1) != 0) {
    std::string fit;
    for (std::uint32_t n = 2; n <= g.dies; ++n) {
      if (g.dies % n == 0) fit += (fit.empty() ? "" : ", ") + std::to_string(n - 1);
    }
    errors.add(where + ".rain = " + std::to_string(rain) + ": rain + 1 must divide the drive's " + std::to_string(g.dies) + " dies" +
               (fit.empty() ? "; leave it at 0" : ": 0, " + fit));
    return;
  }
  const Bytes superblock = superblock_data(g);
  const std::uint64_t units = superblock / mapping_unit;
  const std::uint32_t superblocks = g.blocks_per_plane - std::min(g.blocks_per_plane, spare_blocks);
  if (units == 0) {
    errors.add(where + ".mapping_unit: larger than a superblock (" + print(superblock) + ")");
    return;
  }
  // Open: one per stream and those of garbage collection; kept for it; and garbage enough that a victim gains something.
  const std::uint64_t collecting = gc_isolation == GcIsolation::persistent ? write_streams : 1;
  const std::uint64_t spare =
      std::uint64_t{write_streams} + collecting + 1 + gc_victims + gc_low + (recoverable ? 2 : 0) + (map == MapKind::cached ? 1 : 0);
  const std::uint64_t used = ceil_div(all_units(), units);
  if (used + spare > superblocks) {
    errors.add(where + ".capacity = " + print(capacity) + ": needs " + std::to_string(used) + " superblocks of " + print(superblock) +
               " and " + std::to_string(spare) +
               " spare ones (write_streams + gc_low + gc_victims + 1, and 1 or, isolated, write_streams; two more if recoverable, one if "
               "the map is cached); the "
               "flash has " +
               std::to_string(superblocks));
  }
  if (recoverable && spare_blocks != 0)
    errors.add(where + ".spare_blocks: not together with " + where + ".recoverable (the table of replaced blocks is not recovered)");
  if (rain != 0 && (g.program_unit() % mapping_unit).count != 0)
    errors.add(where + ".rain: " + where + ".mapping_unit must divide a program unit (" + print(g.program_unit()) + ")");
  if (recoverable && (g.program_unit() % mapping_unit).count != 0) {
    errors.add(where + ".recoverable: " + where + ".mapping_unit must divide a program unit (" + print(g.program_unit()) +
               "): a unit in two wordlines could be torn");
  }
  if (write_buffer.count < (write_streams + 1) * g.program_unit().count + mapping_unit.count) {
    errors.add(where + ".write_buffer = " + print(write_buffer) + ": must hold a program unit (" + print(g.program_unit()) +
               ") per write stream, one more, and a mapping unit");
  }
  if (capacity / mapping_unit > std::uint64_t{1} << 37U || g.raw() / mapping_unit > std::uint64_t{1} << 37U) {
    errors.add(where + ".mapping_unit: more than 2^37 units; choose a larger one");
  }
}

}  // namespace flashpath::ftl

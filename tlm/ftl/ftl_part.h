// SPDX-License-Identifier: Apache-2.0
// The flash translation layer behind its sockets: reads and writes from the NVMe controller, operations to the flash array.
#pragma once
#include "ftl/ftl_model.h"
#include "ftl/ftl_sockets_part.h"
#include "kernel/initiator_port.h"
#include "kernel/part.h"
#include "kernel/split_port.h"
#include "nand/flash_command.h"

namespace flashpath::ftl {

/// What every FTL looks like from outside. Payloads carry an FtlCommand; its request's status, stream and journey are the
/// answer, also where the TLM response is an error (TLM_ADDRESS_ERROR_RESPONSE out of range, else TLM_GENERIC_ERROR_RESPONSE).
class Ftl : public Part {
 public:
  using Part::Part;
  virtual tlm_utils::simple_target_socket<SplitPort>& in_read() = 0;   ///< reads: never held back
  virtual tlm_utils::simple_target_socket<SplitPort>& in_write() = 0;  ///< writes, trims, flushes: END_REQ when accepted
  virtual tlm_utils::simple_initiator_socket<InitiatorPort>& flash() = 0;
  virtual Bytes capacity() const = 0;
  /// For the controller's SMART log. Whoever listens is called when a warning may have to be raised.
  virtual Health health() const { return {}; }
  virtual void on_health(Delegate<void(Time)> /*changed*/) {}
  /// At time zero, first of all: the flash has a bad block, and which block a superblock has in a die.
  virtual void factory_bad(std::uint32_t /*die*/, std::uint32_t /*block*/) {}
  virtual std::uint32_t block(std::uint32_t /*die*/, std::uint32_t superblock) const { return superblock; }
  /// At time zero: how many wordlines of a superblock's blocks on a die hold data, for the flash to know.
  virtual std::uint32_t written_wordlines(std::uint32_t /*superblock*/, std::uint32_t /*die*/) const { return 0; }
};

/// A distribution over ten classes.
struct TenthsStats {
  TenthsStats(stats::Group& group, std::array<std::string_view, 10> names, std::string_view what)
      : c{{{group, names[0], u, what},
           {group, names[1], u, what},
           {group, names[2], u, what},
           {group, names[3], u, what},
           {group, names[4], u, what},
           {group, names[5], u, what},
           {group, names[6], u, what},
           {group, names[7], u, what},
           {group, names[8], u, what},
           {group, names[9], u, what}}} {}
  void set(const Tenths& values) {
    for (std::size_t i = 0; i < c.size(); ++i) c[i].value = values[i];
  }
  static constexpr stats::Unit u = stats::Unit::count;
  std::array<stats::Counter, 10> c;
};

/// The FTL as a scheduled model.
class ModelFtl final : public Ftl {
 public:
  /// Throws UserErrors when configuration and geometry do not go together.
  ModelFtl(const sc_core::sc_module_name& name, Environment& environment, const Config& config, const Geometry& geometry);

  tlm_utils::simple_target_socket<SplitPort>& in_read() override { return sockets_.read.socket; }
  tlm_utils::simple_target_socket<SplitPort>& in_write() override { return sockets_.write.socket; }
  tlm_utils::simple_initiator_socket<InitiatorPort>& flash() override { return sockets_.flash.socket; }
  Bytes capacity() const override { return capacity_; }
  Health health() const override { return model_.health(); }
  void on_health(Delegate<void(Time)> changed) override { model_.on_health(changed); }
  void factory_bad(std::uint32_t die, std::uint32_t block) override { model_.factory_bad(die, block); }
  std::uint32_t block(std::uint32_t die, std::uint32_t superblock) const override { return model_.block(die, superblock); }
  std::uint32_t written_wordlines(std::uint32_t superblock, std::uint32_t die) const override {
    return model_.written_wordlines(superblock, die);
  }
  const FtlModel& model() const { return model_; }

  void check(Laws& laws, Time now) const override;
  void explain(Stall& stall) const override;
  void finish(Time) override;

 private:
  FtlSockets sockets_;
  Bytes capacity_;
  FtlModel model_;

  using U = stats::Unit;
  stats::Counter host_read_{stats, "host_read", U::byte, "answered from flash, buffer or as zeros"};
  stats::Counter host_written_{stats, "host_written", U::byte, "accepted into the write buffer"};
  stats::Counter flash_read_{stats, "flash_read", U::byte, "asked of the flash"};
  stats::Counter flash_programmed_{stats, "flash_programmed", U::byte, "given to the flash"};
  stats::Counter due_{stats, "due", U::byte, "programmed, or in the buffer to be programmed; / host_written: write amplification"};
  stats::Counter flash_reads_{stats, "flash_reads", U::count, "read operations"};
  stats::Counter flash_programs_{stats, "flash_programs", U::count, "program operations"};
  stats::Counter flash_erases_{stats, "flash_erases", U::count, "erase operations"};
  stats::Counter gc_moved_{stats, "gc_moved", U::byte, "copied by garbage collection"};
  stats::Counter gc_victims_{stats, "gc_victims", U::count, "superblocks collected"};
  stats::Counter buffer_hit_{stats, "buffer_hit", U::byte, "read from the write buffer"};
  stats::Counter unmapped_read_{stats, "unmapped_read", U::byte, "read as zeros"};
  stats::Counter rewrites_{stats, "rewrites", U::count, "mapping units written in part"};
  stats::Counter map_hits_{stats, "map_hits", U::count, "translation pages that requests needed and were in the cache (map = cached)"};
  stats::Counter map_misses_{stats, "map_misses", U::count, "... that were not there yet"};
  stats::Counter map_reads_{stats, "map_reads", U::count, "translation pages read from flash, for moves and trims too"};
  stats::Counter map_written_{stats, "map_written", U::byte, "of translation pages given to program units"};
  stats::Counter trimmed_{stats, "trimmed", U::count, "mapping units deallocated"};
  stats::Counter failures_{stats, "failures", U::count, "flash operations that failed"};
  stats::Counter placed_{stats, "placed", U::byte, "whole mapping units of host writes; (placed + gc_moved) / placed: write amplification"};
  stats::Counter padded_{stats, "padded", U::byte, "programmed without anybody's data"};
  stats::Counter wear_victims_{stats, "wear_victims", U::count, "of gc_victims: moved by static wear levelling"};
  stats::Counter bad_blocks_{stats, "bad_blocks", U::count,
                             "blocks of a die replaced or given up (spare_blocks): from the factory, and grown"};
  stats::Counter copied_{stats, "copied", U::byte, "programmed: from bad blocks to spares"};
  stats::Counter failed_{stats, "failed", U::byte, "programmed in vain"};
  stats::Counter refresh_victims_{stats, "refresh_victims", U::count, "of gc_victims: rewritten because the array advised it"};
  stats::Counter spares_{stats, "spares", U::count, "spare blocks at the end, of the die that has fewest"};
  stats::Counter gc_busy_{stats, "gc_busy", U::picosecond, "some superblock was being collected or erased"};
  stats::Counter pacing_wait_{stats, "pacing_wait", U::picosecond, "the first write in line, for collection to gain (gc_pacing)"};
  stats::Counter wear_least_{stats, "wear_least", U::count, "erases of the least worn superblock"};
  stats::Counter wear_most_{stats, "wear_most", U::count, "erases of the most worn superblock"};
  stats::Counter wear_sum_{stats, "wear_sum", U::count, "erases of all superblocks; / superblocks: the mean"};
  stats::Counter superblocks_{stats, "superblocks", U::count, "of the drive"};
  TenthsStats wear_{stats,
                    {"wear_0", "wear_1", "wear_2", "wear_3", "wear_4", "wear_5", "wear_6", "wear_7", "wear_8", "wear_9"},
                    "superblocks by erases, in ten classes from wear_least to wear_most"};
  TenthsStats victims_valid_{stats,
                             {"victims_valid_0", "victims_valid_1", "victims_valid_2", "victims_valid_3", "victims_valid_4",
                              "victims_valid_5", "victims_valid_6", "victims_valid_7", "victims_valid_8", "victims_valid_9"},
                             "collected superblocks by their valid share when chosen, in tenths"};
  TenthsStats closed_valid_{stats,
                            {"closed_valid_0", "closed_valid_1", "closed_valid_2", "closed_valid_3", "closed_valid_4", "closed_valid_5",
                             "closed_valid_6", "closed_valid_7", "closed_valid_8", "closed_valid_9"},
                            "closed superblocks by their valid share at the end, in tenths"};
  stats::Counter dead_dies_{stats, "dead_dies", U::count, "dies no longer written to, at the end"};
  stats::Counter lost_units_{stats, "lost_units", U::count,
                             "mapping units whose data died with a die, or could not be read when they were to be moved"};
  stats::Counter rewritten_{stats, "rewritten", U::count, "mapping units placed again because their program failed"};
  stats::Counter parity_{stats, "parity", U::byte, "programmed as parity across dies (rain)"};
  stats::Counter rebuilds_{stats, "rebuilds", U::count, "flash reads that failed and had parity"};
  stats::Counter rebuilt_{stats, "rebuilt", U::byte, "of those reads: had from the others of their parity group"};
  stats::Counter rebuild_reads_{stats, "rebuild_reads", U::count, "read operations for that"};
  stats::Counter rebuild_failures_{stats, "rebuild_failures", U::count, "rebuilds that failed: another one of the group is lost, too"};
  stats::Counter free_superblocks_{stats, "free_superblocks", U::count, "at the end"};
  stats::Counter map_bytes_{stats, "map_memory", U::byte, "host memory of map and reverse information, at the end"};
  stats::Counter buffer_wait_{stats, "buffer_wait", U::picosecond, "writes, until there was room in the buffer, summed"};
  stats::Counter superblock_wait_{stats, "superblock_wait", U::picosecond, "the first write in line, for a free superblock"};
  stats::Busy lookup_{stats, "lookup", 1, "map look-up unit"};
};

}  // namespace flashpath::ftl

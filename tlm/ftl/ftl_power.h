// SPDX-License-Identifier: Apache-2.0
// What outlives a power loss: the spare bytes beside programmed units, the superblock directory, the trim journal, and, with
// capacitors, a dump of the write buffer.
//
// Every mapping unit carries its logical address and a sequence number in the spare bytes of its wordline. Sequence numbers
// are given when a unit is placed in the write buffer: of two versions the one with the higher number is the newer, whichever
// stream took it and whichever program ended first. After a power loss the map is built from these alone: all that was found,
// in order of sequence numbers, trims in between.
//
// The superblock directory (free, open by which stream, closed, erasing) and the trim journal lie in a system area; their
// programs take no time here. A trim is in the journal at once with capacitors, else when a program issued after it, or a
// flush, has ended; and always before any superblock is erased.
#pragma once
#include <vector>

#include "ftl/ftl_state.h"
#include "nand/nand_op.h"

namespace flashpath::ftl {

/// Consecutive units with consecutive sequence numbers, in consecutive places of a superblock.
struct SpareRun {
  std::uint64_t index = 0;  ///< of the first, in units within the superblock
  std::uint64_t unit = 0;
  std::uint64_t sequence = 0;
  std::uint64_t count = 0;
};

struct TrimRecord {
  std::uint64_t unit = 0;
  std::uint64_t count = 0;
  std::uint64_t sequence = 0;
};

/// The spare bytes of all superblocks, and the journal. Kept only with `recoverable`.
class SpareArea {
 public:
  explicit SpareArea(std::uint32_t superblocks) : runs_(superblocks) {}

  void wrote(std::uint32_t superblock, std::uint64_t index, std::uint64_t unit, std::uint64_t count);
  void trimmed(std::uint64_t unit, std::uint64_t count);
  /// Forgets the superblock, and trims older than everything there is.
  void erased(std::uint32_t superblock);
  /// Continues where a power loss interrupted.
  void restore(std::uint64_t sequence, std::vector<TrimRecord> trims) {
    sequence_ = sequence;
    trims_ = std::move(trims);
  }
  /// A unit found on the flash keeps its number.
  void found(std::uint32_t superblock, const SpareRun& run) { runs_[superblock].push_back(run); }

  const std::vector<SpareRun>& runs(std::uint32_t superblock) const { return runs_[superblock]; }
  const std::vector<TrimRecord>& trims() const { return trims_; }
  std::uint64_t sequence() const { return sequence_; }
  std::uint64_t next() { return ++sequence_; }

 private:
  std::vector<std::vector<SpareRun>> runs_;
  std::vector<TrimRecord> trims_;
  std::uint64_t sequence_ = 0;
};

/// What reading a block after a power loss shows, the same in all planes of the die.
struct FoundBlock {
  std::uint32_t programmed = 0;  ///< whole wordlines, from 0 on
  bool torn_program = false;     ///< the next one is uncorrectable: its program was under way
  bool torn_erase = false;       ///< nothing is readable, and nothing may be programmed before an erase
};

/// A unit of the write buffer, saved by the capacitors.
struct DumpedUnit {
  std::uint64_t unit = 0;
  std::uint64_t sequence = 0;
  std::uint32_t stream = 0;
  std::uint64_t begin = 0, end = 0;  ///< bytes within the unit; less than a unit: the rest was still being read
  std::vector<unsigned char> bytes;  ///< data mode
};

/// All that a new controller finds.
struct Persistent {
  struct Found {
    SuperblockState state = SuperblockState::free;
    std::uint32_t stream = 0;  ///< open: whose
    std::uint32_t erases = 0;
    std::uint32_t started = 0;           ///< program units up to the last one that a program was begun in
    bool dirty = false;                  ///< something is not erased
    std::vector<std::uint32_t> skipped;  ///< program units before that in which none was
    std::vector<SpareRun> runs;          ///< readable, in order of index
  };
  std::vector<Found> superblocks;
  std::vector<DumpedUnit> dump;  ///< in order of sequence
  std::vector<TrimRecord> trims;
  std::uint64_t sequence = 0;
  std::uint64_t lost = 0;  ///< units whose newest version was in a buffer without capacitors
};

/// What a recovery did.
struct Recovery {
  std::uint64_t scanned = 0;   ///< page reads: one per closed superblock, one per program unit of open ones
  std::uint64_t restored = 0;  ///< units from the dump
  std::uint64_t lost = 0;      ///< units, as the power loss counted them
  std::uint64_t torn = 0;      ///< program units skipped or torn in superblocks that go on
  Duration time{};             ///< estimate: scan and dump, all dies side by side
};

}  // namespace flashpath::ftl

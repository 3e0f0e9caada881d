// SPDX-License-Identifier: Apache-2.0
// The flash translation layer of one drive, as a scheduled model.
//
//   read  ▶ [look-up] ─┬▶ unmapped: zeros    write ▶ [FIFO: room in the buffer?] ▶ map, answered ▶ [PU full] ▶ program
//                      ├▶ still buffered                                                             ▲
//                      └▶ flash reads, one per stripe touched      garbage collection: read live units, append ─▶ erase
//
// Closed forms (L: a look-up unit served in arrival order, 1 / lookup_rate per 16 entries):
//   read answered    L + lookup_latency, plus the slowest flash read; nothing more if buffered or unmapped
//   write accepted   as soon as its mapping units fit into the buffer, in order; answered L + write_latency later
//   sustained write  programs' bytes per second / write amplification; the buffer gives a PU's room back when it is on flash
//   program units    filled in order of acceptance, PU k on die k % dies: a 64 KiB stripe-aligned read is one operation
//
// Garbage collection: starts when free superblocks <= gc_low, ends at gc_high; victims by gc_policy (victims.h), gc_victims
// at a time. Live units side by side in a stripe are one read; they are appended to a stream of their own (gc_isolation:
// one, or one per placement handle). Host streams may not take the last gc_victims free superblocks. With gc_pacing =
// tokens host writes also take turns with collection: while it works, U - V of their units go with V moves of a victim
// that has V of U valid. Superblocks are opened least worn first, lowest number on ties. A superblock is erased when no read
// of it is under way. A wholly invalid one costs no copies. With wear_spread the least worn closed superblock is moved into
// the most worn free one when their difference exceeds it.
//
// Part of a mapping unit written: the unit is placed at once, its old bytes are read behind the answer; reads and writes of
// the unit wait for them.
//
// Races at one picosecond: calls act in call order; a program that ends gives room to a write that arrives in the same
// picosecond only if its answer comes first. A read sees every write accepted before its look-up is done. A host write
// beats a move of the same unit: a move looks again before it appends.
//
// With map = cached the map is on flash (ftl_map.cpp): a miss is answered by one flash read more.
//
// Bad blocks: ftl_failures.cpp; with spare_blocks = 0 a failed program or erase is issued again, as onto a spare of equal timing.
// With rain the superblocks hold parity across dies (ftl_rain.cpp, layout.h): a read that fails is rebuilt from the others of its group.
//
// Not modelled: map journalling. Bytes of a buffered read are there at once.
#pragma once
#include <array>
#include <set>

#include "base/agenda.h"
#include "base/delegate.h"
#include "base/laws.h"
#include "ftl/ftl_config.h"
#include "ftl/ftl_power.h"
#include "ftl/ftl_state.h"
#include "ftl/health.h"
#include "ftl/map_cache.h"
#include "ftl/victims.h"
#include "ftl/wear.h"
#include "nand/nand_op.h"

namespace flashpath::ftl {

class ImageWriter;

/// How many have a share of [0, 10 %), [10 %, 20 %), ... [90 %, 100 %].
using Tenths = std::array<std::uint64_t, 10>;

/// What the model counts; all in bytes unless said otherwise.
struct Counts {
  std::uint64_t map_hits = 0, map_misses = 0;  // translation pages that requests needed: here, or not yet
  std::uint64_t map_reads = 0;                 // read from flash
  std::uint64_t map_written = 0;               // placed for programming
  std::uint64_t submitted = 0, answered = 0;   // requests
  std::uint64_t host_read = 0, host_written = 0;
  std::uint64_t placed = 0, programmed_host = 0;  // whole mapping units of host writes; those of them that are on flash
  std::uint64_t flash_read = 0, flash_programmed = 0;
  std::uint64_t flash_reads = 0, flash_programs = 0, flash_erases = 0;  // operations
  std::uint64_t gc_moved = 0, gc_victims = 0;                           // gc_victims: superblocks
  std::uint64_t placed_gc = 0, programmed_gc = 0;                       // gc_moved and what a recovery brought back; what of it is on flash
  std::uint64_t padded = 0;                                             // given to the flash without anybody's data
  std::uint64_t bad_blocks = 0;                                         // of a die; factory and grown, with spare_blocks
  std::uint64_t copied = 0, failed = 0;                                 // programmed: from bad blocks to spares; in vain
  std::uint64_t refresh_victims = 0;                                    // of gc_victims: because the array advised it
  std::uint64_t wear_victims = 0;                                       // of gc_victims: for static wear levelling
  Tenths victims_valid{};                                               // victims by their valid share
  std::uint64_t buffer_hit = 0, unmapped_read = 0;
  std::uint64_t rewrites = 0;  // partial units
  std::uint64_t trimmed = 0;   // units
  std::uint64_t formats = 0;   // requests
  std::uint64_t failures = 0;  // flash operations that failed
  std::uint64_t lost_units = 0, rewritten = 0;
  std::uint64_t parity = 0;                                            // programmed
  std::uint64_t rebuilds = 0, rebuild_reads = 0;                       // failed reads; read operations to rebuild them
  std::uint64_t rebuilds_done = 0, rebuild_failures = 0, rebuilt = 0;  // of rebuilds; bytes
  Duration lookup_busy{};
  Duration buffer_wait{};      // of writes, submission to acceptance
  Duration superblock_wait{};  // of the first write in line, for a free superblock
  Duration pacing_wait{};      // of the first write in line, for collection to gain
  Duration gc_busy{};          // some superblock was being collected or erased, until the last change
};

class FtlModel {
 public:
  using IssueFlash = Delegate<void(nand::Op&, Time)>;
  using Event = Delegate<void(Request&, Time)>;
  using HealthChanged = Delegate<void(Time)>;
  using FindBlock = Delegate<FoundBlock(nand::DieId, nand::BlockId)>;

  /// The answer to `issue_flash` is flash_answered(). `accepted` is called for all but reads.
  FtlModel(Agenda& agenda, const Config& config, const Geometry& geometry, bool data_mode, IssueFlash issue_flash, Event accepted,
           Event answered);

  /// Before anything is submitted: this block is not to be used. Throws UserErrors when its die has no spare left.
  void factory_bad(std::uint32_t die, std::uint32_t block);
  /// Where a superblock's block of this die is.
  std::uint32_t block(std::uint32_t die, std::uint32_t superblock) const {
    return blocks_.empty() ? superblock : blocks_[std::size_t{superblock} * layout_.dies() + die];
  }
  /// Of the die that has fewest.
  std::uint32_t fewest_spares() const;

  void submit(Request& request, Time now);
  void flash_answered(nand::Op& op, Time now);

  /// What a power loss at this moment leaves; `find_block` says what the flash holds. This model is of no use afterwards, and none
  /// of its posted actions may run.
  Persistent power_loss(const FindBlock& find_block) const;
  /// The first call to a new model on the same flash: takes its map, superblocks and buffer from what was left.
  Recovery recover(const Persistent& persistent, Time now);
  /// The buffer is as it was; before that host requests wait.
  bool recovered() const { return restoring_.empty(); }
  std::uint32_t dead_dies() const { return dead_dies_; }
  /// Too little flash is left for the capacity: writes end with write_fault.
  bool read_only() const { return read_only_; }
  Health health() const;
  /// Hears of every change of spares, read-only state and dies.
  void on_health(HealthChanged changed) { on_health_ = changed; }

  void check(Laws& laws, Time now) const;
  void explain(Stall& stall) const;

  const Counts& counts() const { return counts_; }
  const Layout& layout() const { return layout_; }
  const Mapping& mapping() const { return mapping_; }
  const Superblock& superblock(std::uint32_t i) const { return superblocks_[i]; }
  std::uint32_t free_superblocks() const { return free_; }
  Bytes buffered() const { return {used_}; }
  /// At time zero: wordlines of the superblock's blocks on this die that hold data.
  std::uint32_t written_wordlines(std::uint32_t superblock, std::uint32_t die) const;
  /// For an image: programs what is begun, with padding; nothing is under way; what is known then (ftl_image.cpp).
  void pad_all(Time now);
  bool idle() const;
  void save(ImageWriter& out) const;
  /// Memory of map and reverse information.
  Bytes memory() const;
  /// Programmed bytes per byte written by the host; for reports.
  /// Programmed, and what is in the buffers and still has to be; / host_written: write amplification, of short runs too.
  std::uint64_t due() const { return counts_.flash_programmed + used_ + gc_bytes_ - programming_; }
  double write_amplification() const {
    return counts_.host_written == 0 ? 0.0 : static_cast<double>(counts_.flash_programmed) / static_cast<double>(counts_.host_written);
  }
  /// The same without what the write buffer still holds: units placed for anybody per unit placed for the host.
  double placed_amplification() const {
    return counts_.placed == 0 ? 0.0 : 1.0 + static_cast<double>(counts_.gc_moved) / static_cast<double>(counts_.placed);
  }
  /// Time in which some superblock was being collected or erased.
  Duration gc_busy(Time now) const { return counts_.gc_busy + (collecting_since_ == never ? Duration{} : now - collecting_since_); }
  WearSummary wear() const { return wear_.summary(); }
  /// Closed superblocks by their valid share.
  Tenths closed_valid() const;

 private:
  enum class OpOwner : std::uint8_t { read, program, fill, move, erase, map, copy_read, copy_program, rebuild };

  // Requests (ftl_model.cpp)
  Time look_up(std::uint64_t units, Duration latency, Time now);
  void answer(Job& job, Time now);
  void answer_later(Time now, std::uint64_t job);
  nand::Op& take_op(OpOwner kind, void* owner, std::uint64_t tag2);
  void issue(nand::Op& op, std::uint32_t superblock, Time now);
  void dispatch(nand::Op& op, Time now);

  // Reads (ftl_read.cpp)
  void looked_up(Time now, std::uint64_t job);
  std::uint32_t fetch(std::uint64_t address, std::uint64_t size, unsigned char* to, OpOwner kind, void* owner, const Journey& journey,
                      Time now);
  bool filling(std::uint64_t unit, std::uint64_t count) const;
  bool held_back(std::uint64_t unit, std::uint64_t count) const { return !restoring_.empty() || filling(unit, count); }
  void retry_reads(Time now);
  void read_answered(nand::Op& op, Time now);

  // Writes (ftl_write.cpp)
  void pump(Time now);
  bool step(Job& job, Time now);
  bool write_step(Job& job, Time now);
  void trim(const Request& request, Time now);
  void flush(Job& job, Time now);
  bool open(WriteStream& stream, bool host);
  std::uint64_t place(WriteStream& stream, bool host, std::uint64_t unit, std::uint64_t count, const unsigned char* from);
  void append(WriteStream& stream, bool host, std::uint64_t units, const unsigned char* from);
  void pad(WriteStream& stream, bool host, Time now);
  std::uint32_t take_slot(const WriteStream& stream, std::uint32_t superblock, std::uint32_t pu, bool host, bool parity = false);
  void free_slot(std::uint32_t slot);
  bool rewrite(WriteStream& stream, bool host, std::uint64_t unit, std::uint64_t begin, std::uint64_t end, const unsigned char* from,
               Time now);
  void fill_done(Fill& fill, Time now);
  void seal(WriteStream& stream);
  void close(WriteStream& stream);
  void issue_programs(WriteStream& stream, Time now);
  void program_slot(std::uint32_t slot, Time now);
  void program_done(std::uint32_t slot, Time now);
  void settle(std::uint32_t superblock);
  void dropped(Position position, std::uint64_t count);

  void start_closed(std::uint32_t superblock);
  void load(const std::string& path);

  // Format (ftl_format.cpp)
  void format(Job& job, Time now);
  void nothing_left(Victim& victim);
  bool wipe(Time now);
  void wiped(Time now);

  // The map on flash (ftl_map.cpp)
  MapPage& load_map(std::uint64_t page, Time now);
  void map_loaded(MapPage& page, Time now);
  bool want_map(Job& job, Time now);
  void leave_map(Job& job, Time now);
  void note_map(std::uint64_t unit, std::uint64_t count);
  void trim_map(std::uint64_t unit, std::uint64_t count, Time now);
  void change_map(Time now);
  void evict_map(Time now);
  bool write_map(std::uint64_t page, Time now);

  // Garbage collection (ftl_gc.cpp, ftl_move.cpp)
  void collect(Time now);
  bool choose_victim(Time now);
  bool pick(std::uint32_t superblock, Time now);
  std::size_t tenth(std::uint64_t valid) const;
  Victim& victim(std::uint32_t superblock);
  bool next_run(std::uint32_t superblock, Runs::Cursor& cursor, Run& run) const;
  bool more_runs(std::uint32_t superblock, const Runs::Cursor& cursor) const;
  bool try_erase(Time now);
  void start_erase(std::uint32_t superblock, Time now);
  void unpin(std::uint32_t superblock, Time now);
  void erased(std::uint32_t superblock, Time now);
  void start_moves(Victim& victim, Time now);
  void start_move(Move& move, Time now);
  void move_done(Move& move, Time now);
  bool finish_move(Move& move, Time now);
  void resume_moves(Time now);
  void earn(Victim& victim, std::uint64_t units);
  std::uint64_t allowed(std::uint64_t units) const;
  WriteStream& gc_stream(std::uint32_t superblock) {
    return streams_[config_.write_streams + (config_.gc_isolation == GcIsolation::persistent ? superblocks_[superblock].stream : 0)];
  }

  // Parity across dies (ftl_rain.cpp)
  enum class Member : std::uint8_t { zero, buffered, flash, gone };
  void add_to_parity(WriteStream& stream, std::uint32_t slot, Time now);
  void end_group(WriteStream& stream, Time now);
  void skip_member(WriteStream& stream, std::uint32_t pu);
  bool group_over(const WriteStream& stream) const;
  Member member(std::uint32_t superblock, std::uint32_t pu) const;
  bool rebuild(nand::Op& op, Time now);
  void member_answered(nand::Op& op, Time now);
  void rebuilt(Time now, std::uint64_t rebuild);

  // Dead dies (ftl_dies.cpp)
  bool dead(std::uint32_t die) const { return dead_dies_ != 0 && dead_[die]; }
  void die_failed(nand::Op& op, Time now);
  void save_units(const Slot& slot);
  std::uint64_t skip_dead(WriteStream& stream, bool host, std::uint64_t count);
  std::uint64_t lose(std::uint64_t unit, std::uint64_t count);
  void found(std::uint64_t unit, std::uint64_t count);
  bool lost(std::uint64_t first, std::uint64_t last) const;
  std::uint64_t first_unit(const Request& r) const { return r.address.count / unit_; }
  std::uint64_t last_unit(const Request& r) const { return (r.address.count + r.size.count - 1) / unit_; }
  // Failures (ftl_failures.cpp)
  std::uint32_t& block_of(std::uint32_t die, std::uint32_t superblock) { return blocks_[std::size_t{superblock} * layout_.dies() + die]; }
  std::uint64_t fewest_superblocks() const {
    const std::uint64_t alive = std::max<std::uint64_t>(1, layout_.units() * (layout_.dies() - dead_dies_) / layout_.dies());
    return ceil_div(mapping_.units(), alive) + streams_.size() + 1 + config_.gc_victims;
  }
  std::uint32_t take_spare(std::uint32_t die, Time now);
  void retire(std::uint32_t superblock);
  void become_read_only(Time now);
  void health_changed(Time now);
  Relocation* relocation(std::uint32_t superblock, std::uint32_t die);
  void program_failed(nand::Op& op, std::uint32_t superblock, Time now);
  void hold(Relocation& r, nand::Op& op, Time now);
  void copy_next(Relocation& r, Time now);
  void copied(nand::Op& op, Time now);
  void erase_failed(std::uint32_t superblock, std::uint32_t die, Time now);
  bool whole(std::uint32_t superblock, Time now);
  void abandon(Relocation& r, Time now);
  void lose_stripe(const Relocation& r, std::uint32_t type);
  void want(std::uint32_t superblock);

  // Power loss (ftl_power.cpp)
  void keep_spare_area();
  void save_buffer(Persistent& p) const;
  void rebuild_map(const Persistent& p);
  void resume(std::uint32_t superblock, const Persistent::Found& found);
  bool restore(Time now);
  bool may_erase(std::uint32_t superblock, Time now);

  Agenda& agenda_;
  Config config_;
  Geometry geometry_;
  Layout layout_;
  bool data_mode_;
  IssueFlash issue_flash_;
  Event accepted_, answered_;
  HealthChanged on_health_;
  Mapping mapping_;
  std::uint64_t data_units_;  // exported; behind them: translation pages
  std::uint64_t map_page_units_ = 1, map_entries_ = 1;
  std::unique_ptr<MapCache> cache_;         // map = cached
  std::vector<std::uint64_t> map_changes_;  // translation pages, not yet in the cache
  std::uint64_t unit_;

  std::vector<Superblock> superblocks_;
  std::vector<std::vector<std::uint32_t>> spare_slots_;  // cleared arrays for Superblock::slots
  std::uint32_t free_ = 0;
  std::vector<WriteStream> streams_;  // of the host, then of garbage collection
  std::vector<Slot> slots_{1};
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t used_ = 0;         // of the write buffer
  std::uint64_t gc_bytes_ = 0;     // of garbage collection in its program units
  std::uint64_t programming_ = 0;  // given to the flash
  std::uint64_t slot_sequence_ = 0;
  std::uint64_t host_slots_ = 0, gc_slots_ = 0;  // program units in the buffer
  std::vector<unsigned char> scratch_;

  Server lookup_;
  Pool<Job> jobs_;
  Pool<nand::Op> ops_;
  Pool<Move> moves_;
  Pool<Rebuild> rebuilds_;
  Fifo<Job> line_;                // writes, trims, flushes not yet accepted
  std::vector<Job*> flushing_;    // waiting for programs
  std::vector<Job*> read_waits_;  // for a rewrite's old bytes
  std::vector<std::unique_ptr<Fill>> fills_;
  std::size_t active_fills_ = 0;
  bool pumping_ = false, pump_again_ = false;
  Time superblock_wait_since_ = never;

  Victims closed_;
  Wear wear_;
  std::vector<Victim> victims_;  // in the order of choice
  std::uint32_t moving_ = 0;
  std::vector<Move*> move_waits_;  // read, but nowhere to append
  std::uint64_t credit_ = 0;       // units that host writes may place while collecting
  bool levelling_ = false;         // a cold superblock is on its way to a worn one
  std::uint32_t erasing_ = 0;
  Job* wiping_ = nullptr;  // a format that erases everything
  static constexpr std::uint32_t wipe_most = 4;
  std::vector<std::uint32_t> erases_left_;
  bool collecting_ = false;
  std::vector<std::uint32_t> wanted_;  // closed superblocks to be rewritten

  std::vector<std::uint32_t> blocks_;               // by superblock and die: its block; empty: the superblock's own number
  std::vector<std::vector<std::uint32_t>> spares_;  // by die
  std::vector<std::unique_ptr<Relocation>> relocations_;
  std::uint64_t usable_ = 0;  // superblocks not retired
  bool stuck_ = false;        // program units wait for a spare that there is not: a flush cannot succeed
  Time collecting_since_ = never, pacing_wait_since_ = never;

  std::vector<bool> dead_;  // by die; empty while none is
  std::uint32_t dead_dies_ = 0;
  bool read_only_ = false;
  std::set<std::uint64_t> lost_;  // units without data: reads of them fail until they are written or trimmed

  std::unique_ptr<SpareArea> spare_area_;  ///< with `recoverable`
  std::vector<DumpedUnit> restoring_;      ///< of the dump: not back in the buffer yet
  std::uint64_t journalled_ = 0;           ///< trims up to this sequence number survive without capacitors
  std::uint32_t erase_for_ = no_superblock;
  std::uint64_t erase_after_ = 0, erase_journal_ = 0;  ///< without capacitors: an erase waits for these program units (0: none waits)

  Counts counts_;
  Flow inside_;
};

}  // namespace flashpath::ftl

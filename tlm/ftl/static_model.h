// SPDX-License-Identifier: Apache-2.0
// A page-mapping FTL with static allocation and no write buffer, as published simulators of drives have it (MQSim, FAST'18):
// for comparison with them, on equal terms. One map entry per flash page, program by program of one page.
//
//   page l of the drive lies on  channel l % C,  target (l / C) % T,  plane (l / (C T)) % P         (order CWDP), always
//   read     ▶ one operation per page; pages of one request that share die, block and page number are one multi-plane read
//   write    ▶ next free page of its plane ▶ program ▶ answered when the program has ended
//            part of a page: the rest of it is read first (nothing, if it was never written)
//   garbage  per plane: fewer than gc_low blocks free when a block is opened (fewer than plane_victims when one has been erased) ▶
//            the block with the fewest valid pages is moved, page by page, inside its plane, and erased. At most plane_victims
//            at once; host writes of a plane that need a block while fewer than that are free wait.
//   reads of what was never written cost what a read costs, and return zeros. They go to the place that the page would have if all
//            such pages had been written in the order in which they are first read (and the rest of the drive were empty).
//
// Reads and writes of a page that is being written, or moved, wait for that; they act in call order. Look-ups cost lookup_latency
// and write_latency, and no rate (lookup_rate). A trimmed page counts as never written; one that is being written is passed over.
// Not modelled: write buffer, mapping units other than a page, streams, wear levelling, bad blocks: a failed program is a write fault.
#pragma once
#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "base/agenda.h"
#include "base/delegate.h"
#include "base/laws.h"
#include "base/slots.h"
#include "base/stats.h"
#include "ftl/ftl_config.h"
#include "ftl/ftl_request.h"
#include "nand/nand_op.h"

namespace flashpath::ftl {

struct StaticCounts {
  explicit StaticCounts(stats::Group& group);
  stats::Counter host_read, host_written, flash_read, flash_programmed, flash_reads, flash_programs, flash_erases, gc_moved, gc_victims,
      unmapped_read, rewrites, trimmed, failures, page_wait, plane_wait;
};

class StaticModel {
 public:
  using IssueFlash = Delegate<void(nand::Op&, Time)>;
  using Event = Delegate<void(Request&, Time)>;

  /// Throws UserErrors where configuration and geometry do not go together. `accepted` is called for all but reads, at once.
  StaticModel(Agenda& agenda, const Config& config, const Geometry& geometry, bool data_mode, stats::Group& group, IssueFlash issue_flash,
              Event accepted, Event answered);

  void submit(Request& request, Time now);
  void flash_answered(nand::Op& op, Time now);

  void check(Laws& laws, Time now) const;
  void explain(Stall& stall) const;

  /// Where a page of the drive lies, as a number that names die, plane, block and page; of one never accessed, its own number.
  std::uint32_t place_of(std::uint32_t page) const;
  const StaticCounts& counts() const { return counts_; }
  std::size_t free_blocks(std::uint32_t plane) const { return planes_[plane].free.size(); }
  std::uint32_t planes() const { return static_cast<std::uint32_t>(planes_.size()); }
  /// The most victims that were collected at once in one plane.
  std::uint32_t most_victims() const { return most_victims_; }

 private:
  static constexpr std::uint32_t none = 0xffffffffU;
  static constexpr std::uint32_t busy = 0x80000000U;       // entry: is being written or moved
  static constexpr std::uint32_t unwritten = 0x40000000U;  // entry: has been read, never written
  enum class Use : std::uint8_t { read, rest, program, move_read, move_program, erase };

  struct Job {
    Request* request = nullptr;
    std::uint32_t pieces = 0;
    Time entered{};
    Stream stream{};
    Journey journey{};
  };
  /// A host's part of one page, or a page on the move (job == nullptr).
  struct Piece {
    Job* job = nullptr;
    std::uint32_t page = 0;      // of the drive
    std::uint32_t place = none;  // read: where; write, move: the old place
    std::uint32_t to = none;     // write, move: the new one
    std::uint32_t begin = 0, end = 0;
    unsigned char* data = nullptr;
    bool write = false;
    Time since{};                        // of waiting
    std::vector<unsigned char> bytes{};  // data mode: the whole page
  };
  /// One flash operation: neighbouring planes of one die.
  struct Group {
    nand::Op op{};
    Use use = Use::read;
    std::uint32_t plane = 0;  // erase: of the drive
    std::vector<Piece*> pieces;
    std::vector<unsigned char> bytes;
  };
  enum class BlockState : std::uint8_t { free, open, full, victim, erasing };
  struct Block {
    BlockState state = BlockState::free;
    std::uint32_t written = 0, valid = 0, pins = 0, moves = 0;
    std::uint32_t programs = 0;              // under way: what they write is not in the map yet
    std::unique_ptr<std::uint32_t[]> pages;  // by page: of the drive
  };
  struct Plane {
    std::deque<std::uint32_t> free;
    std::uint32_t open = none, moved_to = none;  // blocks being filled: by the host, by moves
    std::uint32_t victims = 0;
    std::uint32_t touched = 0;         // pages that were read before they were written
    std::deque<Piece*> waiting;        // host writes
    std::deque<Piece*> moves_waiting;  // read, but no block to append to
    std::vector<Block> blocks;
  };

  void begin(Time now, std::uint64_t job);
  void split(Job& job, bool write, Time now);
  void trim(const Request& request);
  void piece_done(Piece& piece, Time now);
  void finish(Job& job, Time now);
  void answer(Job& job, Time now);

  bool held(std::uint32_t page) const { return (entry(page) & busy) != 0; }
  std::uint32_t entry(std::uint32_t page) const;
  std::uint32_t& entry(std::uint32_t page);
  void begin_write(Piece& piece, Time now);
  void place(Piece& piece, bool first_in_line, Time now);
  void set_aside(Piece& piece, Time now);
  void release(std::uint32_t page, Time now);
  void read_piece(Piece& piece, Time now);

  bool full(const Plane& plane, std::uint32_t open) const { return open == none || plane.blocks[open].written == pages_; }
  void place_move(Piece& piece, Time now);
  void erased(Group& group, Time now);
  std::uint32_t allocate(std::uint32_t plane, std::uint32_t& open, std::uint32_t page, Time now);
  void drop(std::uint32_t place);
  void collect(std::uint32_t plane, Time now);
  void move(Piece& piece, Time now);
  void moved(std::uint32_t plane, std::uint32_t block, Time now);
  void try_erase(std::uint32_t plane, std::uint32_t block, Time now);

  void add(Use use, std::uint32_t place, std::uint32_t begin, std::uint32_t end, Piece& piece);
  void flush(Time now);
  void done(Group& group, Time now);

  std::uint32_t die_of(std::uint32_t place) const { return place % dies_; }
  std::uint32_t plane_in_die(std::uint32_t place) const { return place / dies_ % per_die_; }
  std::uint32_t plane_of(std::uint32_t place) const { return place % (dies_ * per_die_); }
  std::uint32_t page_in_block(std::uint32_t place) const { return place / (dies_ * per_die_) % pages_; }
  std::uint32_t block_of(std::uint32_t place) const { return place / (dies_ * per_die_) / pages_; }

  Agenda& agenda_;
  Config config_;
  std::uint32_t dies_, per_die_, pages_, page_bytes_;
  bool data_mode_;
  IssueFlash issue_flash_;
  Event accepted_, answered_;
  StaticCounts counts_;
  std::uint32_t logical_ = 0;
  std::vector<std::unique_ptr<std::uint32_t[]>> map_;  // chunks; an entry is a place + 1 (0: never accessed), and flags
  std::vector<Plane> planes_;
  Slots<Job> jobs_;
  Slots<Piece> pieces_;
  Slots<Group> groups_;
  std::vector<Group*> batch_;       // of the present action
  std::vector<Piece*> page_waits_;  // for a page that is being written or moved, in call order
  std::uint64_t programmed_pages_ = 0, valid_pages_ = 0;
  std::uint64_t plane_waiting_ = 0;
  std::uint32_t most_victims_ = 0;
  Flow inside_;
};

}  // namespace flashpath::ftl

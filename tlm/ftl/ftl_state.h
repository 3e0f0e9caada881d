// SPDX-License-Identifier: Apache-2.0
// What the FTL keeps: superblocks, program units in the write buffer, and requests under way.
#pragma once
#include <memory>
#include <vector>

#include "ftl/ftl_request.h"
#include "ftl/mapping.h"
#include "ftl/runs.h"
#include "nand/nand_op.h"

namespace flashpath::ftl {

inline constexpr std::uint32_t no_superblock = 0xffffffffU;

enum class SuperblockState : std::uint8_t { free, open, closing, closed, collecting, erasing, retired };

struct Superblock {
  SuperblockState state = SuperblockState::free;
  std::uint16_t stream = 0;  ///< placement handle of its host data
  bool wanted = false;       ///< to be collected whatever it would gain
  std::uint32_t erases = 0;
  std::uint32_t pins = 0;      ///< flash reads under way; not erased before they are back
  std::uint32_t programs = 0;  ///< program units in the buffer
  std::uint64_t valid = 0;     ///< units whose newest version is here
  bool as_started = false;     ///< what was written here only the start state knows (start.h)
  Runs runs;
  std::vector<std::uint32_t> slots;    ///< by program unit, while open or closing: its slot in the buffer, 0: on flash
  std::vector<std::uint32_t> skipped;  ///< with parity: program units left out because their die was dead, ascending
};

/// A program unit in the write buffer.
struct Slot {
  std::uint32_t superblock = no_superblock;
  std::uint32_t pu = 0;
  std::uint32_t fills = 0;   ///< rewrites whose old bytes are still to come
  std::uint32_t stream = 0;  ///< whose
  bool issued = false;
  bool parity = false;
  bool host = false;        ///< of a host stream
  std::uint64_t bytes = 0;  ///< of somebody's data; a host's are of the buffer's room
  std::uint64_t sequence = 0;
  std::uint64_t journal = 0;              ///< trims up to this number are in the journal when its program has ended
  std::unique_ptr<unsigned char[]> data;  ///< data mode
};

/// Writers append here: one per placement handle, and those of garbage collection.
struct WriteStream {
  std::uint16_t handle = 0;
  std::uint32_t superblock = no_superblock;
  std::uint64_t next = 0;              ///< unit within the superblock
  std::uint32_t slot = 0;              ///< the program unit being filled, 0: none
  std::vector<std::uint32_t> waiting;  ///< sealed, not yet issued, in order
  std::size_t waiting_head = 0;
  std::uint32_t parity = 0;  ///< the parity of the group being programmed, 0: none
};

/// A request of the host on its way.
struct Job {
  Request* request = nullptr;
  std::uint32_t pieces = 0;
  Time entered{};
  Stream stream{};
  std::uint64_t done = 0;  ///< write: units placed; flush: slots to wait for
  std::uint64_t sequence = 0;
  std::uint64_t journal = 0;    ///< flush: trims up to this number
  std::uint32_t map_waits = 0;  ///< translation pages to come
  bool map_wanted = false;      ///< its translation pages are kept for it
  Job* next = nullptr;
};

/// A rewrite of part of a mapping unit: the rest comes from the unit's old place.
struct Fill {
  std::uint64_t unit = 0;
  Position position = 0;
  std::uint64_t begin = 0, end = 0;  ///< new bytes within the unit
  std::uint32_t pieces = 0;
  bool active = false;
  bool lost = false;  ///< the old bytes could not be read
  std::vector<unsigned char> old;
};

/// Live units that lie side by side in a stripe, on their way out of a victim: one read.
struct Move {
  std::uint32_t victim = 0;
  Position position = 0;    ///< of the first
  std::uint64_t count = 0;  ///< units
  std::vector<Run> runs;    ///< which those are
  std::size_t run = 0;      ///< placed so far: runs, units of the next one, units
  std::uint64_t in_run = 0, placed = 0;
  bool lost = false;  ///< could not be read
  std::uint32_t pieces = 0;
  std::vector<unsigned char> bytes;
};

/// A block that went bad while it was written: what it holds goes to a spare of its die.
struct Relocation {
  std::uint32_t superblock = 0, die = 0;
  std::uint32_t to = no_superblock;
  std::uint32_t wordline = 0, end = 0;  ///< copied so far, to copy
  std::uint32_t pieces = 0;
  std::uint32_t outstanding = 0;  ///< programs given to the old block and not yet back
  std::vector<nand::Op*> held;    ///< to be issued again
  std::vector<unsigned char> bytes;
};

/// A read that failed, on its way to be rebuilt from the others of its parity group.
struct Rebuild {
  nand::Op* op = nullptr;
  std::uint32_t pieces = 0;
  bool failed = false;
  Stream stream{};
  std::vector<unsigned char> bytes;                 ///< data mode: XOR so far
  std::vector<std::vector<unsigned char>> members;  ///< data mode: one per read
};

/// A superblock being collected.
struct Victim {
  std::uint32_t superblock = no_superblock;
  Runs::Cursor cursor;                  ///< behind `run`
  Run run;                              ///< the run being looked at,
  std::uint64_t in_run = 0, index = 0;  ///< how far, and how far in the superblock
  std::uint32_t moving = 0;
  std::uint64_t live = 0, gain = 0;     ///< valid units when it was chosen, and the others
  std::uint64_t moved = 0, earned = 0;  ///< of `live`, `gain` (pacing)
};

/// Objects of one kind, recycled, with stable addresses.
template <class T>
class Pool {
 public:
  T& take() {
    if (free_.empty()) {
      items_.push_back(std::make_unique<T>());
      return *items_.back();
    }
    T& item = *free_.back();
    free_.pop_back();
    return item;
  }
  void give(T& item) { free_.push_back(&item); }
  std::size_t out() const { return items_.size() - free_.size(); }

 private:
  std::vector<std::unique_ptr<T>> items_;
  std::vector<T*> free_;
};

/// First in, first out, linked through T::next.
template <class T>
class Fifo {
 public:
  void push(T& item) {
    item.next = nullptr;
    (head_ == nullptr ? head_ : tail_->next) = &item;
    tail_ = &item;
    ++size_;
  }
  T* front() const { return head_; }
  T& pop() {
    T& item = *head_;
    head_ = item.next;
    --size_;
    return item;
  }
  std::size_t size() const { return size_; }

 private:
  T* head_ = nullptr;
  T* tail_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace flashpath::ftl

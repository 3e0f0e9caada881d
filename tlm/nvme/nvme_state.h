// SPDX-License-Identifier: Apache-2.0
// What the controller remembers: queues, commands, pieces of their data, and requests on their way.
// All of it is recycled through free lists; steady state allocates nothing.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "base/journey.h"
#include "base/timeline.h"
#include "base/units.h"
#include "ftl/ftl_request.h"
#include "nvme/kv_space.h"
#include "nvme/namespace.h"
#include "nvme/nvme_arbiter.h"
#include "nvme/spec.h"

namespace flashpath::nvme {

struct Command;
struct Chunk;

/// One access to host memory. The controller fills in the upper part and hands it to its `dma` delegate; the other
/// side fills in `ok`, `stream` (reads: when the bytes are there) and `journey`, and calls dma_done().
struct DmaRequest {
  enum class Purpose : std::uint8_t { sqe_fetch, prp_list, data, cqe, shadow };  // prp_list: or an SGL segment

  bool write = false;  ///< to host memory
  std::uint64_t address = 0;
  Bytes size{};
  unsigned char* bytes = nullptr;  ///< null: user data of a run without data
  Stream stream{};
  Journey journey{};
  bool ok = true;

  // The controller's own.
  Purpose purpose = Purpose::data;
  bool limited = false;  ///< counts against dma_outstanding
  void* owner = nullptr;
  DmaRequest* next = nullptr;
};

/// A free list of objects that live as long as the pool.
template <class T>
class Pool {
 public:
  T& take() {
    if (free_ == nullptr) {
      items_.push_back(std::make_unique<T>());
      items_.back()->next = nullptr;
      free_ = items_.back().get();
    }
    T& item = *free_;
    free_ = item.next;
    item.next = nullptr;
    ++out_;
    return item;
  }
  void give(T& item) {
    item.next = free_;
    free_ = &item;
    --out_;
  }
  std::size_t outstanding() const { return out_; }

 private:
  std::vector<std::unique_ptr<T>> items_;
  T* free_ = nullptr;
  std::size_t out_ = 0;
};

/// An intrusive first-in-first-out list over `next`.
template <class T>
class Fifo {
 public:
  void push(T& item) {
    item.next = nullptr;
    (head_ == nullptr ? head_ : tail_->next) = &item;
    tail_ = &item;
    ++size_;
  }
  T& pop() {
    T& item = *head_;
    head_ = item.next;
    item.next = nullptr;
    --size_;
    return item;
  }
  T* front() const { return head_; }
  /// An item that is in the list.
  void remove(T& item) {
    T* before = nullptr;
    for (T* at = head_; at != &item; at = at->next) before = at;
    (before == nullptr ? head_ : before->next) = item.next;
    if (tail_ == &item) tail_ = before;
    item.next = nullptr;
    --size_;
  }
  bool empty() const { return head_ == nullptr; }
  std::size_t size() const { return size_; }

 private:
  T* head_ = nullptr;
  T* tail_ = nullptr;
  std::size_t size_ = 0;
};

/// A piece of host memory, physically contiguous: what PRPs and SGLs come down to. `offset` is where it lies in the command's data.
/// Of a Copy command: a piece of the namespace.
struct Segment {
  static constexpr std::uint64_t bucket = ~std::uint64_t{0};  ///< as the address: bytes that nobody wants (SGL bit bucket)

  std::uint64_t address = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

enum class Direction : std::uint8_t { none, to_host, from_host };

/// What happens to data from the FTL, beside being sent to the host.
enum class Work : std::uint8_t { none, compare, verify, copy };

/// A command inside the controller. It lives while `pending` is not zero: one for whatever step it is in, one more
/// for each request on its way.
struct Command {
  Sqe sqe{};
  std::uint16_t sq = 0;
  std::uint16_t cq = 0;
  bool admin = false;
  bool twice = false;       ///< its identifier is another command's
  bool abandoned = false;   ///< its queues are gone (reset): finish what is under way, post nothing
  bool io = false;          ///< a user's read or write: its data is bulk
  bool special = false;     ///< metadata, or work beside moving data
  bool sgl = false;         ///< `list` is an SGL segment
  bool last_list = false;   ///< ... the last one
  bool meta_list = false;   ///< ... the one descriptor of the metadata
  bool meta_moves = false;  ///< metadata crosses the link
  Work work = Work::none;
  std::uint16_t stream = 0;  ///< placement handle of its writes
  Direction direction = Direction::none;
  bool prps_ready = false;
  bool begun = false;      ///< has left its front end
  bool executing = false;  ///< an I/O command that a format has to wait for
  bool finished = false;   ///< nothing is under way any more, a completion is due
  bool ended = false;      ///< its completion entry has left
  Status status = Status::success;
  std::uint32_t result = 0;  ///< completion dword 0
  std::uint32_t pending = 0;

  const Namespace* ns = nullptr;  ///< an I/O command's; null: all, or none
  bool keyed = false;             ///< of the key value command set; kv_finish() follows
  Value* value = nullptr;         ///< whose space it uses; its bytes begin at 0
  std::uint64_t begin = 0;        ///< first byte in the namespace
  std::uint64_t length = 0;       ///< bytes moved, without metadata
  std::uint64_t transfer = 0;     ///< bytes that the data pointer must describe
  std::uint64_t asked = 0;        ///< write: bytes asked of the host so far
  std::uint64_t hole = 0;         ///< Write Zeroes: [hole, hole_end) is unmapped instead
  std::uint64_t hole_end = 0;
  std::vector<unsigned char> data;  ///< of admin commands and ranges
  std::vector<Segment> segments;
  std::uint64_t described = 0;      ///< bytes that `segments` cover
  std::vector<std::uint64_t> list;  ///< a PRP list page, or descriptors of an SGL segment (two each)
  std::uint64_t list_at = 0;        ///< SGL: what is left of the segment
  std::uint64_t list_left = 0;
  std::uint32_t descriptors = 0;   ///< SGL: read so far
  std::uint64_t meta_address = 0;  ///< metadata that has a pointer of its own
  Chunk* waiting = nullptr;        ///< read: pieces that came before the PRP list

  Time entered{};
  Time data_end{};
  Journey origin;    ///< until its data phase begins
  Journey critical;  ///< of the piece that finished last
  Cqe cqe{};
  Command* aborter = nullptr;  ///< an Abort that waits for this one to leave
  Command* next = nullptr;
  /// Where a byte of its namespace, or value, lies on the drive, and how many from it on lie there in one piece.
  std::uint64_t place(std::uint64_t at) const { return value == nullptr ? ns->place(at) : value->place(at); }
  std::uint64_t left(std::uint64_t at) const { return value == nullptr ? ns->left(at) : value->left(at); }

  Command* newer = nullptr;  ///< all commands inside, doubly linked
  Command* older = nullptr;
};

/// A piece of a command's data: one FTL request, one or more DMA requests.
struct Chunk {
  ftl::Request request{};
  Command* command = nullptr;
  std::uint64_t offset = 0;  ///< in the command's data
  std::uint32_t pieces = 0;  ///< DMA requests not yet done, plus one while they are being sent
  bool failed = false;
  bool accepted = false;  ///< write: taken by the FTL, its staging is free
  Time ready{};
  unsigned char* buffer = nullptr;
  bool own_buffer = false;
  std::vector<unsigned char> host;     ///< data mode: as it crosses the link, where that differs from `buffer`; Compare: the host's
  std::vector<unsigned char> meta;     ///< data mode: metadata of its blocks
  std::vector<unsigned char> earlier;  ///< read: metadata as of its submission
  Chunk* next = nullptr;
};

/// Submission queue entries on their way.
struct Fetch {
  std::uint16_t sq = 0;
  std::uint32_t count = 0;
  bool ok = true;
  std::uint64_t epoch = 0;  ///< of the controller when it was sent
  Time begun{};
  std::vector<Sqe> entries;
  Fetch* next = nullptr;
};

/// A queue's tail or head in the host's shadow of the doorbells; by doorbell number.
struct Shadow {
  std::uint32_t index = 0;
  std::uint32_t value = 0;
  std::uint64_t epoch = 0;
  bool busy = false;     ///< a DMA is under way
  bool written = false;  ///< it was of the event index
  bool ok = true;
  static constexpr std::uint32_t none = 0xffff'ffffU;
  std::uint32_t event = none;  ///< the event index in host memory, as far as known
};

struct SubmissionQueue {
  bool exists = false;
  bool deleting = false;
  bool fetching = false;
  std::uint16_t cq = 0;
  std::uint64_t base = 0;
  std::uint32_t size = 0;
  std::uint32_t head = 0;
  std::uint32_t tail = 0;
  std::uint32_t inside = 0;  ///< commands fetched and not yet completed
  QueueClass priority = QueueClass::urgent;
  std::vector<Time> rung;           ///< by slot: when its doorbell arrived
  std::vector<std::uint64_t> cids;  ///< bit per command identifier: a command with it is inside
  Command* delete_command = nullptr;
};

struct CompletionQueue {
  bool exists = false;
  bool phase = true;
  bool interrupts = false;
  std::uint16_t vector = 0;
  std::uint64_t base = 0;
  std::uint32_t size = 0;
  std::uint32_t head = 0;
  std::uint32_t tail = 0;
  std::uint32_t submission_queues = 0;
  Fifo<Command> backlog;               ///< completions that found it full
  std::vector<std::uint16_t> blocked;  ///< submission queues that wait until the backlog is gone
  bool full() const { return (tail + 1 == size ? 0 : tail + 1) == head; }
};

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
// A small drive for FTL tests: the model, and flash of constant times below it that keeps bytes and checks the order of use.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/agenda.h"
#include "base/random.h"
#include "ftl/ftl_model.h"

namespace flashpath::ftl::test {

/// Every die does programs and erases one after the other; reads take t_r whatever else goes on.
class FakeFlash {
 public:
  FakeFlash(Agenda& agenda, const Geometry& g) : g{g}, agenda_{agenda}, free_at_(g.dies), next_(std::size_t{g.dies} * g.blocks_per_plane) {}
  Delegate<void(nand::Op&, Time)> answered;

  void submit(nand::Op& op, Time now) {
    ops.push_back({op, now});
    if (ops.size() > keep) ops.pop_front();
    auto& next = next_[std::size_t{op.die.value} * g.blocks_per_plane + op.block.value];
    Time end{};
    const std::uint64_t block = std::uint64_t{op.die.value} * g.blocks_per_plane + op.block.value;
    if (op.kind == nand::OpKind::read) {
      op.refresh = ++reads_of[block] > refresh_after;
      if (++reads % bad_read == 0) op.status = nand::OpStatus::uncorrectable;
      if (!preconditioned) { EXPECT_LT(op.page.value / g.bits_per_cell, next) << "a read of a wordline that was not programmed"; }
      EXPECT_LE(op.offset.count + op.size.count, op.planes * g.page.count);
      EXPECT_LE(op.plane + op.planes, g.planes);
      end = now + t_r;
    } else {
      EXPECT_FALSE(bad.contains(block)) << "a bad block is used";
      if (op.kind == nand::OpKind::program) {
        if (bad_program != ~0ULL && (failing.contains(block) || ++programs % bad_program == 0)) {  // and those behind it
          op.status = nand::OpStatus::program_failed;
          failing.insert(block);
        } else {
          EXPECT_EQ(op.page.value, next * g.bits_per_cell) << "wordlines out of order";
          ++next;
        }
        if (op.status == nand::OpStatus::ok && op.data != nullptr) {
          auto& bytes = store_[key(op, op.page.value / g.bits_per_cell)];
          bytes.assign(op.data, op.data + op.size.count);
        }
      } else {
        reads_of[block] = 0;
        if (++erases % bad_erase == 0) op.status = nand::OpStatus::erase_failed;
        next = 0;
      }
      auto& free = free_at_[op.die.value];
      free = std::max(free, now) + (op.kind == nand::OpKind::program ? t_prog : t_bers);
      end = free;
    }
    agenda_.post<&FakeFlash::done>(end, this, reinterpret_cast<std::uint64_t>(&op));
  }

  /// The block's first wordlines are programmed already.
  void written(std::uint32_t die, std::uint32_t block, std::uint32_t wordlines) {
    next_[std::size_t{die} * g.blocks_per_plane + block] = wordlines;
  }

  struct Seen {
    nand::Op op;
    Time at;
  };
  Geometry g;
  std::deque<Seen> ops;
  std::size_t keep = 100;
  std::uint64_t bad_program = ~0ULL, bad_erase = ~0ULL, bad_read = ~0ULL;  ///< every n-th fails
  std::uint32_t refresh_after = ~0U;                                       ///< reads of a block
  std::set<std::uint64_t> bad;                                             ///< die * blocks + block: not to be used
  std::set<std::uint64_t> failing;                                         ///< programs of them fail
  bool preconditioned = false;                                             ///< every block is full from the start
  Duration t_r = 40us, t_prog = 600us, t_bers = 3ms;
  Duration stream = 5us;  ///< between a read's first and last byte

 private:
  std::uint64_t key(const nand::Op& op, std::uint64_t wordline) const {
    return (std::uint64_t{op.die.value} * g.blocks_per_plane + op.block.value) * g.wordlines_per_block + wordline;
  }
  void done(Time now, std::uint64_t arg) {
    nand::Op& op = *reinterpret_cast<nand::Op*>(arg);
    op.stream = {now, now};
    if (op.kind != nand::OpKind::read && op.status != nand::OpStatus::ok)
      bad.insert(std::uint64_t{op.die.value} * g.blocks_per_plane + op.block.value);
    if (op.kind == nand::OpKind::read) {
      op.stream.last = now + stream;
      op.journey.mark(Stage::sense, now);
      if (op.data != nullptr) {
        const auto& bytes = store_[key(op, op.page.value / g.bits_per_cell)];
        const std::uint64_t from = op.page.value % g.bits_per_cell * g.stripe().count + op.plane * g.page.count + op.offset.count;
        if (bytes.size() < from + op.size.count) ADD_FAILURE() << "a read of bytes that are not there";
        else std::memcpy(op.data, bytes.data() + from, op.size.count);
      }
    }
    answered(op, now);
  }
  Agenda& agenda_;
  std::vector<Time> free_at_;
  std::vector<std::uint32_t> next_;
  std::uint64_t reads = 0, programs = 0, erases = 0;
  std::map<std::uint64_t, std::uint32_t> reads_of;
  std::map<std::uint64_t, std::vector<unsigned char>> store_;
};

/// 4 dies of 2 planes x 4 KiB pages x 3 bits: stripe 8 KiB, program unit 24 KiB, superblock 24 KiB x 4 dies x 8 wordlines = 768 KiB.
inline Geometry small_geometry() {
  return {.channels = 2, .dies = 4, .planes = 2, .blocks_per_plane = 40, .wordlines_per_block = 8, .bits_per_cell = 3, .page = 4_KiB};
}

inline Config small_config() {
  Config c;
  c.capacity = 24_MiB;
  c.write_buffer = 256_KiB;
  c.gc_low = 3;
  c.gc_high = 4;
  c.gc_moves = 16;
  c.gc_moves_urgent = 64;
  return c;
}

struct Drive {
  explicit Drive(const Config& c = small_config(), const Geometry& g = small_geometry(), bool data = false)
      : flash{agenda, g},
        model{agenda,
              c,
              g,
              data,
              Delegate<void(nand::Op&, Time)>::to<&FakeFlash::submit>(&flash),
              FtlModel::Event::to<&Drive::on_accepted>(this),
              FtlModel::Event::to<&Drive::on_answered>(this)} {
    for (std::uint32_t b = 0; b < g.blocks_per_plane; ++b) {
      for (std::uint32_t d = 0; d < g.dies; ++d) flash.written(d, b, model.written_wordlines(b, d));
    }
    flash.answered = Delegate<void(nand::Op&, Time)>::to<&FtlModel::flash_answered>(&model);
  }
  struct Io {
    Request request;
    Time accepted = never, answered = never;
    std::vector<unsigned char> bytes;
  };
  Io& submit(RequestKind kind, std::uint64_t address, std::uint64_t size, std::uint16_t stream = 0) {
    ios.push_back(std::make_unique<Io>());
    Io& io = *ios.back();
    start(io, kind, address, size, stream);
    return io;
  }
  void start(Io& io, RequestKind kind, std::uint64_t address, std::uint64_t size, std::uint16_t stream = 0) {
    io.request = {};
    io.request.kind = kind;
    io.request.address = {address};
    io.request.size = {size};
    io.request.stream_id = stream;
    io.request.data = io.bytes.empty() ? nullptr : io.bytes.data();
    io.request.owner = &io;
    io.request.journey = Journey{agenda.now()};
    io.accepted = io.answered = never;
    model.submit(io.request, agenda.now());
  }
  /// Submits and runs until the answer.
  Io& run(RequestKind kind, std::uint64_t address, std::uint64_t size) {
    Io& io = submit(kind, address, size);
    while (io.answered == never && !agenda.empty()) agenda.step();
    EXPECT_NE(io.answered, never);
    return io;
  }
  void on_accepted(Request& r, Time now) { static_cast<Io*>(r.owner)->accepted = now; }
  void on_answered(Request& r, Time now) {
    Io& io = *static_cast<Io*>(r.owner);
    io.answered = now;
    EXPECT_EQ(r.journey.sum(), r.journey.total());
    if (hook) hook(io, now);
  }
  void expect_laws() {
    Laws laws;
    model.check(laws, agenda.now());
    for (const auto& b : laws.broken()) ADD_FAILURE() << b;
  }
  Agenda agenda;
  FakeFlash flash;
  FtlModel model;
  std::vector<std::unique_ptr<Io>> ios;
  Delegate<void(Io&, Time)> hook;
};

struct Closed {  // `depth` random overwrites in flight
  void done(Drive::Io& io, Time) {
    if (left == 0) return;
    --left;
    const std::uint64_t units = capacity / size;
    drive->start(io, RequestKind::write, size * (sequential ? next++ % units : random.below(units)), size);
  }
  Drive* drive;
  std::uint64_t capacity, size, left;
  bool sequential = false;
  std::uint64_t next = 0;
  Random random{7, "writes"};
};
inline void overwrite(Drive& drive, Bytes capacity, std::uint64_t size, std::uint64_t count, bool sequential, std::size_t depth = 16) {
  Closed closed{&drive, capacity.count, size, count, sequential};
  drive.hook = Delegate<void(Drive::Io&, Time)>::to<&Closed::done>(&closed);
  std::vector<std::unique_ptr<Drive::Io>> ios;
  for (std::size_t i = 0; i < depth; ++i) {
    ios.push_back(std::make_unique<Drive::Io>());
    closed.done(*ios.back(), drive.agenda.now());
  }
  drive.agenda.run();
  drive.hook = {};
  EXPECT_EQ(closed.left, 0U);
  drive.expect_laws();
}

}  // namespace flashpath::ftl::test

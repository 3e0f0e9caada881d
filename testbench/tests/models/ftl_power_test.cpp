// SPDX-License-Identifier: Apache-2.0
// Power loss at thousands of random instants: what was acknowledged is there, nothing is torn, the map is consistent. The
// reference knows every state a unit was ever given and which of them may be found; it compares all bytes of the drive.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>

#include "base/agenda.h"
#include "base/random.h"
#include "ftl/ftl_model.h"

using namespace flashpath;
using namespace flashpath::ftl;

namespace {
constexpr Geometry geometry{
    .channels = 2, .dies = 4, .planes = 1, .blocks_per_plane = 27, .wordlines_per_block = 4, .bits_per_cell = 3, .page = 4_KiB};
constexpr std::uint64_t sectors = 8;  // of 512 B in a unit of 4 KiB

/// Flash that outlives its controller: a program or erase under way at a power loss is torn, one not begun never happened.
class CrashFlash {
 public:
  CrashFlash() : blocks_(std::size_t{geometry.dies} * geometry.blocks_per_plane), free_at_(geometry.dies) {}
  void power_on(Agenda& agenda) {
    agenda_ = &agenda;
    pending_.clear();
    std::ranges::fill(free_at_, Time{});
  }
  Delegate<void(nand::Op&, Time)> answered;
  std::uint64_t torn_programs = 0, torn_erases = 0;

  void submit(nand::Op& op, Time now) {
    Pending p{.op = &op, .address = op, .begin = now, .end = now + Duration{40us}, .bytes = {}};
    if (op.kind == nand::OpKind::program) p.bytes.assign(op.data, op.data + op.size.count);
    if (op.kind != nand::OpKind::read) {
      Time& free = free_at_[op.die.value];
      p.begin = std::max(now, free);
      free = p.end = p.begin + (op.kind == nand::OpKind::program ? Duration{600us} : Duration{3ms});
    }
    const std::uint64_t id = ++last_;
    pending_.emplace(id, std::move(p));
    agenda_->post<&CrashFlash::done>(pending_.at(id).end, this, id);
  }
  void power_off(Time now) {
    for (auto& [id, p] : pending_) {
      if (p.address.kind == nand::OpKind::read || p.begin >= now) continue;
      if (p.end <= now) {
        apply(p);
        continue;
      }
      Block& b = block(p.address.die, p.address.block);
      if (p.address.kind == nand::OpKind::program) {
        b.found.torn_program = true;
        ++torn_programs;
      } else {
        b.found = {.torn_erase = true};
        b.bytes.clear();
        ++torn_erases;
      }
    }
    pending_.clear();
  }
  FoundBlock find(nand::DieId die, nand::BlockId id) { return block(die, id).found; }

 private:
  struct Pending {
    nand::Op* op;
    nand::Op address;
    Time begin, end;
    std::vector<unsigned char> bytes;
  };
  struct Block {
    FoundBlock found;
    std::vector<std::vector<unsigned char>> bytes;  // by wordline
  };
  Block& block(nand::DieId die, nand::BlockId b) { return blocks_[std::size_t{die.value} * geometry.blocks_per_plane + b.value]; }
  void apply(Pending& p) {
    Block& b = block(p.address.die, p.address.block);
    if (p.address.kind == nand::OpKind::erase) {
      b = {};
      return;
    }
    ASSERT_FALSE(b.found.torn_erase) << "a program of a block that is not erased";
    if (b.found.torn_program) {
      b.found.torn_program = false;
      ++b.found.programmed;
      b.bytes.emplace_back();  // torn: unreadable
    }
    ASSERT_EQ(p.address.page.value, b.found.programmed * geometry.bits_per_cell) << "wordlines out of order";
    ++b.found.programmed;
    b.bytes.push_back(std::move(p.bytes));
  }
  void done(Time now, std::uint64_t id) {
    Pending p = std::move(pending_.at(id));
    pending_.erase(id);
    nand::Op& op = *p.op;
    op.stream = {now, now};
    if (op.kind == nand::OpKind::read) {
      const Block& b = block(op.die, op.block);
      const std::uint64_t wordline = op.page.value / geometry.bits_per_cell;
      const std::uint64_t from =
          op.page.value % geometry.bits_per_cell * geometry.stripe().count + op.plane * geometry.page.count + op.offset.count;
      ASSERT_LT(wordline, b.bytes.size()) << "a read of what was not programmed";
      ASSERT_LE(from + op.size.count, b.bytes[wordline].size()) << "a read of a torn wordline";
      if (op.data != nullptr) std::memcpy(op.data, b.bytes[wordline].data() + from, op.size.count);
    } else {
      apply(p);
    }
    answered(op, now);
  }
  std::vector<Block> blocks_;
  std::vector<Time> free_at_;
  std::map<std::uint64_t, Pending> pending_;
  std::uint64_t last_ = 0;
  Agenda* agenda_ = nullptr;
};

using State = std::array<std::uint64_t, sectors>;  // what each sector is filled with; 0: zeros

/// What a unit may be found as: one of `states` from `floor` on, the last `open` of them not acknowledged yet.
struct History {
  std::vector<State> states{State{}};
  bool open = false;
};

struct Sweep {
  explicit Sweep(const Config& c, std::uint64_t seed)
      : config{c}, units{c.capacity / c.mapping_unit}, random{seed, "power"}, histories(units) {
    power_on(nullptr);
  }
  struct Io {
    Request request;
    std::vector<unsigned char> bytes;
    std::vector<std::pair<std::uint64_t, State>> written;
    std::vector<std::uint32_t> marks;  // flush: states of each unit acknowledged before it
    bool busy = false;
  };

  void power_on(const Persistent* persistent) {
    agenda = std::make_unique<Agenda>();
    flash.power_on(*agenda);
    model = std::make_unique<FtlModel>(*agenda, config, geometry, true, FtlModel::IssueFlash::to<&CrashFlash::submit>(&flash),
                                       FtlModel::Event::to<&Sweep::accepted>(this), FtlModel::Event::to<&Sweep::answered>(this));
    flash.answered = Delegate<void(nand::Op&, Time)>::to<&FtlModel::flash_answered>(model.get());
    if (persistent != nullptr) last = model->recover(*persistent, agenda->now());
    expect_laws();
  }
  void lose_power() {
    flash.power_off(agenda->now());
    const Persistent p = model->power_loss(FtlModel::FindBlock::to<&CrashFlash::find>(&flash));
    lost += p.lost;
    dumped += p.dump.size();
    for (const DumpedUnit& u : p.dump) partial += u.end - u.begin != 4096 ? 1U : 0U;
    for (Io& io : ios) io.busy = false;
    power_on(&p);
    ++losses;
  }
  /// Reads the whole drive and compares; what is found is the base of what follows.
  void verify() {
    constexpr std::uint64_t n = 32;
    for (std::uint64_t unit = 0; unit < units; unit += n) {
      if (reads.size() <= unit / n) reads.push_back(std::make_unique<Io>());
      Io& io = *reads[unit / n];
      const std::uint64_t size = std::min(n, units - unit) * 4096;
      io.bytes.assign(size, 0xee);
      start(io, RequestKind::read, unit * 4096, size);
    }
    const auto busy = [&] { return std::ranges::any_of(reads, [](const auto& io) { return io->busy; }); };
    while (busy() && !agenda->empty()) agenda->step();
    ASSERT_FALSE(busy());
    for (const auto& io : reads) {
      ASSERT_EQ(io->request.status, RequestStatus::ok);
      for (std::uint64_t at = 0; at < io->bytes.size(); at += 4096) compare((io->request.address.count + at) / 4096, &io->bytes[at]);
    }
  }
  void compare(std::uint64_t unit, const unsigned char* bytes) {
    State found{};
    for (std::uint64_t s = 0; s < sectors; ++s) {
      std::memcpy(&found[s], bytes + s * 512, 8);
      ASSERT_EQ(std::memcmp(bytes + s * 512, bytes + s * 512 + 8, 504), 0) << "a sector of two versions, unit " << unit;
    }
    History& h = histories[unit];
    const auto at = std::ranges::find(h.states, found);
    ASSERT_NE(at, h.states.end()) << "unit " << unit << " has neither its acknowledged nor a newer state; loss " << losses;
    stale += at + 1 + (h.open ? 1 : 0) < h.states.end() ? 1U : 0U;
    h.states = {found};
    h.open = false;
  }

  void start(Io& io, RequestKind kind, std::uint64_t address, std::uint64_t size, std::uint16_t stream = 0) {
    io.request = {};
    io.request.kind = kind;
    io.request.address = {address};
    io.request.size = {size};
    io.request.stream_id = stream;
    io.request.data = io.bytes.data();
    io.request.owner = &io;
    io.busy = true;
    model->submit(io.request, agenda->now());
  }
  void next(Io& io) {
    std::uint64_t first = 0, count = 0;
    do {
      count = 1 + random.below(6);
      first = random.below(10) < 7 ? random.below(units / 8) : random.below(units - count);  // hot and cold
    } while (std::ranges::any_of(ios, [&](const Io& o) {
      return &o != &io && o.busy && o.request.kind != RequestKind::flush && first * 4096 < o.request.address.count + o.request.size.count &&
             o.request.address.count / 4096 < first + count;
    }));
    const std::uint64_t dice = random.below(100);
    const auto kind = dice < 88 ? RequestKind::write : dice < 97 ? RequestKind::trim : RequestKind::flush;
    std::uint64_t begin = first * sectors, end = (first + count) * sectors;  // in sectors
    if (kind == RequestKind::write && dice < 25) {
      begin += random.below(sectors);
      end -= random.below(std::min(sectors, end - begin));
    }
    io.written.clear();
    io.bytes.assign((end - begin) * 512, 0);
    if (kind == RequestKind::flush) {
      io.marks.clear();
      for (const History& h : histories) io.marks.push_back(static_cast<std::uint32_t>(h.states.size() - (h.open ? 1 : 0)));
      begin = end = 0;
    } else {
      for (std::uint64_t s = begin; kind == RequestKind::write && s < end; ++s) {
        const std::uint64_t tag = ++tags;
        for (std::uint64_t i = 0; i < 512; i += 8) std::memcpy(&io.bytes[(s - begin) * 512 + i], &tag, 8);
      }
      for (std::uint64_t unit = begin / sectors; unit < ceil_div(end, sectors); ++unit) {
        State state = histories[unit].states.back();
        for (std::uint64_t s = std::max(begin, unit * sectors); s < std::min(end, (unit + 1) * sectors); ++s) {
          state[s % sectors] = 0;
          if (kind == RequestKind::write) std::memcpy(&state[s % sectors], &io.bytes[(s - begin) * 512], 8);
        }
        histories[unit].states.push_back(state);
        histories[unit].open = true;
        io.written.emplace_back(unit, state);
      }
    }
    start(io, kind, begin * 512, (end - begin) * 512, static_cast<std::uint16_t>(random.below(2)));
  }
  void accepted(Request&, Time) {}
  void answered(Request& r, Time) {
    Io& io = *static_cast<Io*>(r.owner);
    io.busy = false;
    if (r.kind == RequestKind::read) return;
    ASSERT_EQ(r.status, RequestStatus::ok);
    for (const auto& [unit, state] : io.written) {
      History& h = histories[unit];
      h.open = false;
      if (config.power_loss_protection) h.states = {state};
    }
    if (!io.marks.empty() && r.kind == RequestKind::flush && !config.power_loss_protection) {
      for (std::uint64_t u = 0; u < units; ++u) {
        History& h = histories[u];
        if (io.marks[u] > 1) h.states.erase(h.states.begin(), h.states.begin() + (io.marks[u] - 1));
        for (Io& other : ios) {
          if (&other != &io && other.busy && other.request.kind == RequestKind::flush) {
            std::uint32_t& mark = other.marks[u];
            mark = mark > io.marks[u] - 1 ? mark - (io.marks[u] - 1) : 1;
          }
        }
      }
    }
    if (issue) next(io);
  }
  /// Losses at random instants; every `each` of them the whole drive is compared.
  void go(std::uint64_t instants) {
    ios.resize(12);
    for (std::uint64_t i = 0; i < instants && !testing::Test::HasFatalFailure(); ++i) {
      issue = true;
      for (Io& io : ios) next(io);
      const Time end = agenda->now() + Duration{static_cast<std::int64_t>(random.below(i % 8 == 0 ? 60'000'000'000U : 6'000'000'000U))};
      agenda->run_until(end);
      if (agenda->now() < end) agenda->advance_to(end);
      issue = false;
      moved += model->counts().gc_moved;
      erases += model->counts().flash_erases;
      expect_laws();
      lose_power();
      if (random.below(4) == 0) lose_power();  // at once again
      if (random.below(4) == 0) {              // and while the buffer drains
        agenda->run_until(agenda->now() + Duration{static_cast<std::int64_t>(random.below(2'000'000'000U))});
        lose_power();
      }
      verify();
    }
  }
  void expect_laws() {
    Laws laws;
    model->check(laws, agenda->now());
    for (const auto& b : laws.broken()) ADD_FAILURE() << b;
    // Every place holds at most one unit, and each superblock as many as it says.
    std::vector<std::uint64_t> valid(geometry.blocks_per_plane);
    std::vector<bool> used(std::size_t{geometry.blocks_per_plane} * model->layout().units());
    for (std::uint64_t u = 0; u < units; ++u) {
      const Position p = model->mapping().at(u);
      if (p == nowhere) continue;
      ASSERT_FALSE(used[p]) << "two units in one place";
      used[p] = true;
      ++valid[model->layout().superblock_of(p)];
    }
    for (std::uint32_t s = 0; s < valid.size(); ++s) ASSERT_EQ(valid[s], model->superblock(s).valid);
  }

  Config config;
  std::uint64_t units;
  Random random;
  std::vector<History> histories;
  std::unique_ptr<Agenda> agenda;
  CrashFlash flash;
  std::unique_ptr<FtlModel> model;
  std::vector<Io> ios;
  std::vector<std::unique_ptr<Io>> reads;
  std::uint64_t tags = 0;
  bool issue = false;
  Recovery last;
  std::uint64_t losses = 0, lost = 0, dumped = 0, partial = 0, stale = 0, moved = 0, erases = 0;
};

Config sweep_config(bool protection) {
  Config c;
  c.capacity = {std::uint64_t{48} * 4096 * 17};  // 17 of 27 superblocks of 48 units
  c.write_buffer = 128_KiB;
  c.write_streams = 2;
  c.gc_low = 3;
  c.gc_high = 4;
  c.gc_moves = 8;
  c.gc_moves_urgent = 32;
  c.recoverable = true;
  c.power_loss_protection = protection;
  return c;
}
void sweep(bool protection, std::uint64_t instants, std::uint64_t seed) {
  Sweep s{sweep_config(protection), seed};
  s.go(instants);
  EXPECT_GE(s.losses, instants);
  // The sweep has met what it is for.
  EXPECT_GT(s.flash.torn_programs, instants / 2);
  EXPECT_GT(s.flash.torn_erases, instants / 50);
  EXPECT_GT(s.moved, instants * 4096);
  if (protection) {
    EXPECT_EQ(s.lost, 0U);
    EXPECT_EQ(s.stale, 0U);
    EXPECT_GT(s.dumped, instants);
    EXPECT_GT(s.partial, instants / 100);
  } else {
    EXPECT_EQ(s.dumped, 0U);
    EXPECT_GT(s.lost, instants);
    EXPECT_GT(s.stale, instants / 10);
    EXPECT_LE(s.stale, s.lost + s.losses * 12 * 7);
  }
}
}  // namespace

TEST(FtlPower, WithCapacitorsEveryAcknowledgedWriteIsThereAfterAnyOfAThousandLosses) { sweep(true, 1000, 1); }

TEST(FtlPower, WithoutCapacitorsEveryFlushedWriteIsThereAfterAnyOfAThousandLosses) { sweep(false, 1000, 2); }

TEST(FtlPower, RecoveryTimeIsTheScanAndTheDumpOnAllDies) {
  for (const Duration read : {Duration{60us}, Duration{100us}}) {
    Config c = sweep_config(true);
    c.recovery_read = read;
    Sweep s{c, 3};
    Sweep::Io full, rest;
    full.bytes.resize(48 * 4096);  // a superblock, programmed
    s.start(full, RequestKind::write, 0, full.bytes.size());
    s.agenda->run();
    rest.bytes.resize(4 * 4096);  // a program unit of three, and one unit in the buffer
    s.start(rest, RequestKind::write, 0, rest.bytes.size());
    s.agenda->run();
    s.lose_power();
    EXPECT_EQ(s.last.scanned, 2U);
    EXPECT_EQ(s.last.restored, 1U);
    EXPECT_EQ(s.last.time, read);  // three page reads, four dies
    EXPECT_EQ(s.model->mapping().mapped(), 48U);
    EXPECT_EQ(s.model->buffered(), 4_KiB);
  }
}

TEST(FtlPower, WithoutCapacitorsAFlushProgramsAndErasesWait) {
  const auto answered = [](bool protection) {
    Sweep s{sweep_config(protection), 4};
    Sweep::Io write, flush;
    write.bytes.resize(4096);
    s.start(write, RequestKind::write, 0, 4096);
    s.start(flush, RequestKind::flush, 0, 0);
    while (flush.busy) s.agenda->step();
    return s.agenda->now();
  };
  EXPECT_LT(answered(true), Time{} + 600us);
  EXPECT_GT(answered(false), Time{} + 600us);
  const auto programmed = [](bool protection) {  // the same overwrites: padding before every erase
    Sweep s{sweep_config(protection), 5};
    Sweep::Io write;
    write.bytes.resize(4096);
    Random random{6, "overwrites"};
    for (int i = 0; i < 6000; ++i) {
      s.start(write, RequestKind::write, random.below(s.units) * 4096, 4096);
      while (write.busy) s.agenda->step();
    }
    return s.model->write_amplification();
  };
  EXPECT_GT(programmed(false), programmed(true));
}

TEST(FtlPower, MistakesAreNamed) {
  Config c = sweep_config(true);
  c.mapping_unit = 8_KiB;  // a program unit is 12 KiB
  UserErrors errors;
  c.check("ftl", geometry, errors);
  ASSERT_FALSE(errors.empty());
  EXPECT_NE(std::string{errors.what()}.find("ftl.recoverable"), std::string::npos);
}

// SPDX-License-Identifier: Apache-2.0
#include "ftl/static_model.h"

#include <algorithm>
#include <cstring>

namespace flashpath::ftl {
namespace {
constexpr std::uint32_t chunk = 1U << 14U;  // map entries
}

StaticModel::StaticModel(Agenda& agenda, const Config& config, const Geometry& g, bool data_mode, stats::Group& group,
                         IssueFlash issue_flash, Event accepted, Event answered)
    : agenda_{agenda},
      config_{config},
      dies_{g.dies},
      per_die_{g.planes},
      pages_{g.wordlines_per_block * g.bits_per_cell},
      page_bytes_{static_cast<std::uint32_t>(g.page.count)},
      data_mode_{data_mode},
      issue_flash_{issue_flash},
      accepted_{accepted},
      answered_{answered},
      counts_{group},
      planes_(std::size_t{g.dies} * g.planes) {
  UserErrors errors;
  const std::uint64_t raw = std::uint64_t{dies_} * per_die_ * g.blocks_per_plane * pages_;
  const std::uint64_t logical = ceil_div(config.capacity.count, g.page.count);
  if (g.bits_per_cell != 1)
    errors.add("ftl.part = \"static\" programs page by page: nand.bits_per_cell must be 1 (with one tR and tPROG for all pages)");
  if (config.mapping_unit != g.page)
    errors.add("ftl.mapping_unit = " + print(config.mapping_unit) +
               ": ftl.part = \"static\" maps pages: make it nand.page = " + print(g.page));
  if (config.precondition != Precondition::none)
    errors.add("ftl.precondition: not known to ftl.part = \"static\"; its unwritten pages read as written ones do");
  if (config.rain != 0) errors.add("ftl.rain: not known to ftl.part = \"static\"; leave it at 0");
  const Config known;
  for (const auto& [differs, key] :
       std::initializer_list<std::pair<bool, const char*>>{{config.image != known.image, "image"},
                                                           {config.map != known.map, "map"},
                                                           {config.write_streams != known.write_streams, "write_streams"},
                                                           {config.gc_policy != known.gc_policy, "gc_policy"},
                                                           {config.gc_pacing != known.gc_pacing, "gc_pacing"},
                                                           {config.gc_isolation != known.gc_isolation, "gc_isolation"},
                                                           {config.gc_victims != known.gc_victims, "gc_victims"},
                                                           {config.wear_spread != known.wear_spread, "wear_spread"},
                                                           {config.spare_blocks != known.spare_blocks, "spare_blocks"},
                                                           {config.recoverable != known.recoverable, "recoverable"},
                                                           {config.flush_programs != known.flush_programs, "flush_programs"}}) {
    if (differs) errors.add(std::string("ftl.") + key + ": not known to ftl.part = \"static\"; leave it as it is by default");
  }
  if (raw >= unwritten) errors.add("ftl.part = \"static\": more than 2^30 flash pages");
  if (config.plane_victims > config.gc_low)
    errors.add("ftl.plane_victims = " + std::to_string(config.plane_victims) + ": above ftl.gc_low = " + std::to_string(config.gc_low) +
               " host writes would wait for blocks that nobody collects");
  const std::uint64_t spare = std::uint64_t{config.gc_low} + 3;  // two are open, and garbage enough that a victim gains something
  if (spare >= g.blocks_per_plane || logical > (g.blocks_per_plane - spare) * pages_ * planes_.size()) {
    errors.add("ftl.capacity = " + print(config.capacity) + ": with ftl.part = \"static\", " + std::to_string(spare) + " of " +
               std::to_string(g.blocks_per_plane) + " blocks of a plane are spare (gc_low + 3); the capacity must fit the rest");
  }
  errors.raise_if_any();
  logical_ = static_cast<std::uint32_t>(logical);
  map_.resize(ceil_div(logical, chunk));
  for (Plane& plane : planes_) {
    plane.blocks.resize(g.blocks_per_plane);
    for (std::uint32_t b = 0; b < g.blocks_per_plane; ++b) plane.free.push_back(b);
  }
}

std::uint32_t StaticModel::entry(std::uint32_t page) const {
  const auto& part = map_[page / chunk];
  return part == nullptr ? 0 : part[page % chunk];
}
std::uint32_t& StaticModel::entry(std::uint32_t page) {
  auto& part = map_[page / chunk];
  if (part == nullptr) part = std::make_unique<std::uint32_t[]>(chunk);
  return part[page % chunk];
}
std::uint32_t StaticModel::place_of(std::uint32_t page) const {
  const std::uint32_t e = entry(page) & ~(busy | unwritten);
  return e == 0 ? page : e - 1;  // places count as pages of a drive written in order do
}

void StaticModel::submit(Request& request, Time now) {
  Job& job = jobs_.take();
  job.request = &request;
  job.entered = now;
  job.pieces = 1;
  job.stream = {now, now};
  request.status = RequestStatus::ok;
  inside_.enter(now);
  const bool ranged = request.kind != RequestKind::flush && request.kind != RequestKind::format;
  if (ranged && (request.address > config_.capacity || request.size > config_.capacity - request.address))
    request.status = RequestStatus::out_of_range;
  const bool is_read = request.kind == RequestKind::read;
  if (!is_read) accepted_(request, now);
  const Time at = now + (is_read ? config_.lookup_latency : config_.write_latency);
  if (at == now) begin(now, reinterpret_cast<std::uint64_t>(&job));
  else agenda_.post<&StaticModel::begin>(at, this, reinterpret_cast<std::uint64_t>(&job));
}

void StaticModel::begin(Time now, std::uint64_t arg) {
  Job& job = *reinterpret_cast<Job*>(arg);
  Request& request = *job.request;
  request.journey.mark(Stage::map, now);
  job.journey = request.journey;
  job.stream = {now, now};
  if (request.status == RequestStatus::ok) {
    switch (request.kind) {
      case RequestKind::read: split(job, false, now); break;
      case RequestKind::write: split(job, true, now); break;
      case RequestKind::trim: trim(request); break;
      case RequestKind::flush: break;  // what has been answered is on flash
      case RequestKind::format: {      // erases nothing by itself
        Request all;
        all.size = config_.capacity;
        trim(all);
        break;
      }
    }
  }
  flush(now);
  finish(job, now);
}

/// One thing less to wait for.
void StaticModel::finish(Job& job, Time now) {
  if (--job.pieces != 0) return;
  Request& request = *job.request;
  request.stream = job.stream;
  request.journey = job.journey;
  inside_.leave(now, job.entered);
  jobs_.give_back(job);
  answered_(request, now);
}

/// A read or write, page by page; pieces of a page that is held wait for it.
void StaticModel::split(Job& job, bool write, Time now) {
  const Request& r = *job.request;
  (write ? counts_.host_written : counts_.host_read) += r.size;
  const std::uint64_t end = r.address.count + r.size.count;
  for (std::uint64_t at = r.address.count; at < end;) {
    const auto page = static_cast<std::uint32_t>(at / page_bytes_);
    const auto from = static_cast<std::uint32_t>(at % page_bytes_);
    const auto n = static_cast<std::uint32_t>(std::min<std::uint64_t>(page_bytes_ - from, end - at));
    Piece& p = pieces_.take();
    p.job = &job;
    p.page = page;
    p.begin = from;
    p.end = from + n;
    p.data = data_mode_ && r.data != nullptr ? r.data + (at - r.address.count) : nullptr;
    p.write = write;
    p.since = now;
    ++job.pieces;
    if (held(page)) page_waits_.push_back(&p);
    else if (write) begin_write(p, now);
    else read_piece(p, now);
    at += n;
  }
}

void StaticModel::read_piece(Piece& p, Time now) {
  std::uint32_t& e = entry(p.page);
  if (e == 0) {
    Plane& plane = planes_[plane_of(p.page)];
    const auto row = static_cast<std::uint32_t>(plane.touched++ % (plane.blocks.size() * pages_));
    e = (row * static_cast<std::uint32_t>(planes_.size()) + plane_of(p.page) + 1) | unwritten;
  }
  p.place = place_of(p.page);
  if ((e & unwritten) != 0) {
    counts_.unmapped_read += Bytes{p.end - p.begin};
    if (p.data != nullptr) std::memset(p.data, 0, p.end - p.begin);
    p.data = nullptr;
    p.to = none;
  } else {
    p.to = p.place;  // pinned
    ++planes_[plane_of(p.place)].blocks[block_of(p.place)].pins;
  }
  p.since = now;
  add(Use::read, p.place, p.begin, p.end, p);
}

/// From here to its program's end the page is held. Part of a page: the rest of it first.
void StaticModel::begin_write(Piece& p, Time now) {
  const std::uint32_t old = entry(p.page);
  entry(p.page) |= busy;
  p.place = old == 0 || (old & unwritten) != 0 ? none : old - 1;
  if (data_mode_) { p.bytes.assign(page_bytes_, 0); }
  if (p.end - p.begin != page_bytes_) {
    ++counts_.rewrites;
    if (p.place != none) {
      ++planes_[plane_of(p.place)].blocks[block_of(p.place)].pins;
      p.to = p.place;
      // What is missing, from its first byte to its last.
      const std::uint32_t from = p.begin == 0 ? p.end : 0;
      const std::uint32_t to = p.end == page_bytes_ ? p.begin : page_bytes_;
      add(Use::rest, p.place, from, to, p);
      return;
    }
  }
  place(p, false, now);
}

/// The next free page of its plane, when there are blocks.
void StaticModel::place(Piece& p, bool first_in_line, Time now) {
  const std::uint32_t plane = plane_of(p.page);
  Plane& pl = planes_[plane];
  if ((!pl.waiting.empty() && !first_in_line) || (full(pl, pl.open) && pl.free.size() < config_.plane_victims)) {
    set_aside(p, now);
    return;
  }
  if (data_mode_ && p.data != nullptr) std::memcpy(p.bytes.data() + p.begin, p.data, p.end - p.begin);
  p.to = allocate(plane, pl.open, p.page, now);
  add(Use::program, p.to, 0, page_bytes_, p);
}

/// A write waits for blocks. Its page's old version is given up now: a victim that holds it could not be erased before, and the
/// write waits for that.
void StaticModel::set_aside(Piece& p, Time now) {
  Plane& pl = planes_[plane_of(p.page)];
  p.since = now;
  pl.waiting.push_back(&p);
  ++plane_waiting_;
  if (p.place == none) return;
  drop(p.place);
  p.place = none;
  entry(p.page) = busy;
  for (std::size_t i = 0; i < page_waits_.size();) {
    Piece& waiting = *page_waits_[i];
    if (waiting.page != p.page || waiting.job != nullptr) {
      ++i;
      continue;
    }
    page_waits_.erase(page_waits_.begin() + static_cast<std::ptrdiff_t>(i));
    move(waiting, now);  // finds nothing to move
  }
}

std::uint32_t StaticModel::allocate(std::uint32_t plane, std::uint32_t& open, std::uint32_t page, Time now) {
  Plane& pl = planes_[plane];
  bool opened = false;
  if (full(pl, open)) {
    if (open != none) pl.blocks[open].state = BlockState::full;
    open = pl.free.front();
    pl.free.pop_front();
    Block& b = pl.blocks[open];
    b.state = BlockState::open;
    if (b.pages == nullptr) b.pages = std::make_unique<std::uint32_t[]>(pages_);
    opened = true;
  }
  Block& b = pl.blocks[open];
  const std::uint32_t at = b.written++;
  b.pages[at] = page;
  ++b.valid;
  ++b.programs;
  ++valid_pages_;
  const std::uint32_t place = (open * pages_ + at) * static_cast<std::uint32_t>(planes_.size()) + plane;
  if (opened) collect(plane, now);
  return place;
}

/// A page's old version is garbage.
void StaticModel::drop(std::uint32_t place) {
  --planes_[plane_of(place)].blocks[block_of(place)].valid;
  --valid_pages_;
}

void StaticModel::trim(const Request& r) {
  const std::uint64_t first = ceil_div(r.address.count, page_bytes_);
  const std::uint64_t end = (r.address.count + r.size.count) / page_bytes_;
  for (std::uint64_t page = first; page < end; ++page) {
    const auto p = static_cast<std::uint32_t>(page);
    const std::uint32_t e = entry(p);
    if (e == 0 || (e & (busy | unwritten)) != 0) continue;
    drop(e - 1);
    entry(p) = 0;
    ++counts_.trimmed;
  }
}

/// The page can be read and written again: those who waited for it go on, in call order, until one holds it anew.
void StaticModel::release(std::uint32_t page, Time now) {
  entry(page) &= ~busy;
  if (page_waits_.empty()) return;
  std::size_t kept = 0;
  const std::size_t n = page_waits_.size();
  for (std::size_t i = 0; i < n; ++i) {
    Piece& p = *page_waits_[i];
    if (p.page != page || held(page)) {
      page_waits_[kept++] = &p;
      continue;
    }
    counts_.page_wait += now - p.since;
    if (p.job == nullptr) move(p, now);
    else if (p.write) begin_write(p, now);
    else read_piece(p, now);
  }
  page_waits_.erase(page_waits_.begin() + static_cast<std::ptrdiff_t>(kept), page_waits_.begin() + static_cast<std::ptrdiff_t>(n));
}

// ---- flash operations

/// A page for the present action's operations: joined to one of the same kind on the neighbouring plane before it.
void StaticModel::add(Use use, std::uint32_t place, std::uint32_t begin, std::uint32_t end, Piece& piece) {
  const std::uint32_t die = die_of(place), plane = plane_in_die(place), block = block_of(place), page = page_in_block(place);
  if (use == Use::read || use == Use::program) {
    for (Group* g : batch_) {
      nand::Op& op = g->op;
      const bool next = g->use == use && op.die.value == die && op.block.value == block && op.page.value == page &&
                        std::uint32_t{op.plane} + op.planes == plane && begin == 0 &&
                        op.offset.count + op.size.count == std::uint64_t{op.planes} * page_bytes_;
      if (!next) continue;
      ++op.planes;
      op.size += Bytes{end};
      g->pieces.push_back(&piece);
      return;
    }
  }
  Group& g = groups_.take();
  g.use = use;
  g.pieces.assign(1, &piece);
  g.op = nand::Op{};
  const bool program = use == Use::program || use == Use::move_program;
  g.op.kind = program ? nand::OpKind::program : nand::OpKind::read;
  g.op.die = {static_cast<std::uint16_t>(die)};
  g.op.block = {block};
  g.op.page = {page};
  g.op.plane = static_cast<std::uint8_t>(plane);
  g.op.offset = {program ? 0 : begin};
  g.op.size = {end - begin};
  g.op.background = use == Use::move_read || use == Use::move_program;
  g.op.journey = piece.job != nullptr ? piece.job->journey : Journey{};
  g.op.owner = &g;
  batch_.push_back(&g);
}

/// Sends the operations of the present action.
void StaticModel::flush(Time now) {
  for (std::size_t i = 0; i < batch_.size(); ++i) {  // an answer at once may add more
    Group& g = *batch_[i];
    nand::Op& op = g.op;
    if (op.journey.begin() == Time{}) op.journey = Journey{now};
    op.journey.mark(Stage::map, now);
    const bool zeros = g.use == Use::read && std::ranges::none_of(g.pieces, [](const Piece* p) { return p->data != nullptr; });
    if (data_mode_ && op.kind != nand::OpKind::erase && !zeros) {
      g.bytes.resize(op.size.count);
      if (op.kind == nand::OpKind::program)
        for (std::size_t k = 0; k < g.pieces.size(); ++k)
          std::memcpy(g.bytes.data() + k * page_bytes_, g.pieces[k]->bytes.data(), page_bytes_);
      op.data = g.bytes.data();
    }
    switch (op.kind) {
      case nand::OpKind::read:
        ++counts_.flash_reads;
        counts_.flash_read += op.size;
        break;
      case nand::OpKind::program:
        ++counts_.flash_programs;
        counts_.flash_programmed += op.size;
        programmed_pages_ += op.planes;
        break;
      case nand::OpKind::erase: ++counts_.flash_erases; break;
    }
    issue_flash_(op, now);
  }
  batch_.clear();
}

void StaticModel::flash_answered(nand::Op& op, Time now) {
  Group& g = *static_cast<Group*>(op.owner);
  if (op.status != nand::OpStatus::ok) ++counts_.failures;
  done(g, now);
  flush(now);
}

void StaticModel::done(Group& g, Time now) {
  nand::Op& op = g.op;
  const bool failed = op.status != nand::OpStatus::ok;
  if (g.use == Use::erase) {
    erased(g, now);
    return;
  }
  std::size_t filled = 0;
  for (std::size_t k = 0; k < g.pieces.size(); ++k) {
    Piece& p = *g.pieces[k];
    const bool moving = p.job == nullptr;
    if (!moving && op.stream.last >= p.job->stream.last) {
      p.job->stream.last = op.stream.last;
      p.job->journey = op.journey;
    }
    if (!moving) p.job->stream.first = std::max(p.job->stream.first, op.stream.first);
    switch (g.use) {
      case Use::read:
        if (failed) p.job->request->status = RequestStatus::uncorrectable;
        if (p.data != nullptr) std::memcpy(p.data, g.bytes.data() + filled, p.end - p.begin);
        filled += p.end - p.begin;
        [[fallthrough]];
      case Use::rest:
        if (p.to != none) {
          Block& b = planes_[plane_of(p.to)].blocks[block_of(p.to)];
          --b.pins;
          if (b.state == BlockState::victim) try_erase(plane_of(p.to), block_of(p.to), now);
        }
        if (g.use == Use::read) {
          Job& job = *p.job;
          pieces_.give_back(p);
          finish(job, now);
          break;
        }
        if (failed) p.job->request->status = RequestStatus::uncorrectable;
        if (data_mode_) std::memcpy(p.bytes.data() + op.offset.count, g.bytes.data(), op.size.count);
        place(p, false, now);
        break;
      case Use::move_read:
        if (data_mode_) std::memcpy(p.bytes.data(), g.bytes.data(), page_bytes_);
        place_move(p, now);
        break;
      case Use::program:
      case Use::move_program: {
        const std::uint32_t page = p.page, old = p.place;
        entry(page) = (p.to + 1) | busy;
        if (old != none) drop(old);
        --planes_[plane_of(p.to)].blocks[block_of(p.to)].programs;
        Job* const job = p.job;
        pieces_.give_back(p);
        if (job != nullptr && failed) job->request->status = RequestStatus::write_fault;
        release(page, now);
        if (moving) moved(plane_of(old), block_of(old), now);
        else finish(*job, now);
        break;
      }
      case Use::erase: break;
    }
  }
  groups_.give_back(g);
}

void StaticModel::check(Laws& laws, Time now) const {
  inside_.check(laws, "requests", now);
  laws.equal("requests inside", inside_.inside(), "jobs", jobs_.in_use());
  std::uint64_t valid = 0, waiting = 0;
  for (const Plane& plane : planes_) {
    waiting += plane.waiting.size();
    for (const Block& b : plane.blocks) {
      valid += b.valid;
      laws.expect(b.valid <= b.written && b.written <= pages_, "a block holds more than it has pages");
    }
  }
  laws.equal("valid pages of the blocks", valid, "pages placed and not dropped", valid_pages_);
  laws.equal("writes waiting for their plane", waiting, "counted", plane_waiting_);
  laws.equal("bytes programmed", counts_.flash_programmed.value, "pages programmed x page", Wide{programmed_pages_} * page_bytes_);
}

void StaticModel::explain(Stall& stall) const {
  stall.waits(inside_.inside(), "requests", "their flash operations");
  stall.waits(plane_waiting_, "writes", "a free block of their plane");
  stall.waits(page_waits_.size(), "accesses", "a write or move of their page");
}

}  // namespace flashpath::ftl

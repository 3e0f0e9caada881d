// SPDX-License-Identifier: Apache-2.0
// The map on flash (ftl.map = cached). Translation pages are units behind the exported ones: programmed by a stream of their own,
// found by the map like any unit (the directory of a DFTL), and collected like data.
//
//   read, write   wait until the translation pages they touch are here; a miss reads one from flash. A write asks when it is
//                 submitted, so that those in line wait together
//   moves, trims  change entries of pages that need not be here: such a page is read behind their back
//   eviction      the least recently used page; a changed one is programmed (with others: a program unit at a time)
//
// Not modelled: what is in a translation page (its entries are always right), journalling of changes in memory, reading ahead.
#include "base/error.h"
#include "ftl/ftl_model.h"

namespace flashpath::ftl {

MapPage& FtlModel::load_map(std::uint64_t page, Time now) {
  MapPage& p = cache_->add(page);
  p.pieces = fetch((data_units_ + page * map_page_units_) * unit_, map_page_units_ * unit_, nullptr, OpOwner::map, &p, Journey{now}, now);
  p.loading = p.pieces != 0;
  counts_.map_reads += p.loading ? 1U : 0U;
  return p;
}

void FtlModel::map_loaded(MapPage& p, Time now) {
  p.loading = false;
  std::vector<Job*> waiting;
  waiting.swap(p.waiting);
  bool pump_too = false;
  for (Job* job : waiting) {
    if (--job->map_waits != 0) continue;
    if (job->request->kind == RequestKind::read) looked_up(now, reinterpret_cast<std::uint64_t>(job));
    else pump_too = true;
  }
  evict_map(now);
  if (pump_too) pump(now);
}

/// Asks for the translation pages of a request. True: they are here.
bool FtlModel::want_map(Job& job, Time now) {
  const Request& request = *job.request;
  job.map_waits = 0;
  job.map_wanted = true;
  const std::uint64_t last = (request.address.count + request.size.count - 1) / unit_ / map_entries_;
  for (std::uint64_t page = request.address.count / unit_ / map_entries_; page <= last; ++page) {
    MapPage* p = cache_->use(page);
    if (p == nullptr) p = &load_map(page, now);
    ++(p->loading ? counts_.map_misses : counts_.map_hits);
    ++p->users;
    if (!p->loading) continue;
    p->waiting.push_back(&job);
    ++job.map_waits;
  }
  evict_map(now);
  return job.map_waits == 0;
}

/// The request has what it needed; a write has changed the entries.
void FtlModel::leave_map(Job& job, Time now) {
  if (!job.map_wanted) return;
  job.map_wanted = false;
  const Request& request = *job.request;
  const std::uint64_t last = (request.address.count + request.size.count - 1) / unit_ / map_entries_;
  for (std::uint64_t page = request.address.count / unit_ / map_entries_; page <= last; ++page) {
    MapPage& p = *cache_->use(page);
    --p.users;
    if (request.kind == RequestKind::write) p.dirty = true;
  }
  evict_map(now);
}

/// Entries of [unit, unit + count) change without a request that waits for it.
void FtlModel::note_map(std::uint64_t unit, std::uint64_t count) {
  for (std::uint64_t page = unit / map_entries_; page <= (unit + count - 1) / map_entries_; ++page) {
    if (map_changes_.empty() || map_changes_.back() != page) map_changes_.push_back(page);
  }
}

/// Translation pages of which nothing is left need no rewriting: they are unmapped themselves.
void FtlModel::trim_map(std::uint64_t unit, std::uint64_t count, Time now) {
  const std::uint64_t end = unit + count, first = ceil_div(unit, map_entries_), last = end / map_entries_;
  if (first >= last) {
    note_map(unit, count);
  } else {
    mapping_.replace(data_units_ + first * map_page_units_, (last - first) * map_page_units_, nowhere,
                     [this](Position p, std::uint64_t n) { dropped(p, n); });
    if (unit != first * map_entries_) note_map(unit, 1);
    if (end != last * map_entries_) note_map(end - 1, 1);
  }
  change_map(now);
}

void FtlModel::change_map(Time now) {
  if (map_changes_.empty()) return;
  for (const std::uint64_t page : map_changes_) {
    MapPage* p = cache_->use(page);
    if (p == nullptr) p = &load_map(page, now);
    p->dirty = true;
  }
  map_changes_.clear();
  evict_map(now);
}

void FtlModel::evict_map(Time now) {
  while (MapPage* p = cache_->leaving()) {
    if (p->dirty && !write_map(p->page, now)) return;  // no superblock: it stays for now
    cache_->remove(*p);
  }
}

bool FtlModel::write_map(std::uint64_t page, Time now) {
  WriteStream& stream = streams_.back();
  for (std::uint64_t done = 0; done < map_page_units_;) {
    if (stream.superblock == no_superblock && free_ <= config_.gc_victims) return false;  // those are kept for moves
    const std::uint64_t n = place(stream, false, data_units_ + page * map_page_units_ + done, map_page_units_ - done, nullptr);
    counts_.map_written += n * unit_;
    done += n;
  }
  issue_programs(stream, now);
  return true;
}

}  // namespace flashpath::ftl

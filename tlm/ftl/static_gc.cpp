// SPDX-License-Identifier: Apache-2.0
// Garbage collection of StaticModel: a plane at a time, page by page.
#include <algorithm>

#include "ftl/static_model.h"

namespace flashpath::ftl {

void StaticModel::erased(Group& g, Time now) {
  const std::uint32_t plane = g.plane;
  Plane& pl = planes_[plane];
  Block& b = pl.blocks[g.op.block.value];
  b.state = BlockState::free;
  b.written = b.valid = 0;
  pl.free.push_back(g.op.block.value);
  --pl.victims;
  groups_.give_back(g);
  while (!pl.moves_waiting.empty() && !(full(pl, pl.moved_to) && pl.free.empty())) {
    Piece& p = *pl.moves_waiting.front();
    pl.moves_waiting.pop_front();
    place_move(p, now);
  }
  if (pl.free.size() < config_.plane_victims) collect(plane, now);
  while (!pl.waiting.empty() && !(full(pl, pl.open) && pl.free.size() < config_.plane_victims)) {
    Piece& p = *pl.waiting.front();
    pl.waiting.pop_front();
    --plane_waiting_;
    counts_.plane_wait += now - p.since;
    place(p, true, now);
  }
}

void StaticModel::place_move(Piece& p, Time now) {
  const std::uint32_t plane = plane_of(p.page);
  Plane& pl = planes_[plane];
  if (full(pl, pl.moved_to) && pl.free.empty()) {
    pl.moves_waiting.push_back(&p);
    return;
  }
  p.to = allocate(plane, pl.moved_to, p.page, now);
  counts_.gc_moved += Bytes{page_bytes_};
  add(Use::move_program, p.to, 0, page_bytes_, p);
}

void StaticModel::collect(std::uint32_t plane, Time now) {
  Plane& pl = planes_[plane];
  if (pl.free.size() >= config_.gc_low || pl.victims >= config_.plane_victims) return;
  std::uint32_t victim = none;
  for (std::uint32_t b = 0; b < pl.blocks.size(); ++b) {
    const Block& block = pl.blocks[b];
    if (block.state != BlockState::full || block.programs != 0 || block.valid == pages_) continue;
    if (victim == none || block.valid < pl.blocks[victim].valid) victim = b;
  }
  if (victim == none) return;
  Block& b = pl.blocks[victim];
  b.state = BlockState::victim;
  most_victims_ = std::max(most_victims_, ++pl.victims);
  ++counts_.gc_victims;
  b.moves = 1;
  for (std::uint32_t at = 0; at < pages_; ++at) {
    const std::uint32_t page = b.pages[at];
    const std::uint32_t place = (victim * pages_ + at) * static_cast<std::uint32_t>(planes_.size()) + plane;
    if ((entry(page) & ~busy) != place + 1) continue;
    Piece& p = pieces_.take();
    p.job = nullptr;
    p.page = page;
    p.place = place;
    p.begin = 0;
    p.end = page_bytes_;
    p.data = nullptr;
    p.write = false;
    p.since = now;
    ++b.moves;
    if (held(page)) page_waits_.push_back(&p);
    else move(p, now);
  }
  moved(plane, victim, now);
}

/// The page is held while it moves. A write that came before may have left nothing to move.
void StaticModel::move(Piece& p, Time now) {
  if (entry(p.page) != p.place + 1) {
    const std::uint32_t place = p.place;
    pieces_.give_back(p);
    moved(plane_of(place), block_of(place), now);
    return;
  }
  entry(p.page) |= busy;
  if (data_mode_) p.bytes.assign(page_bytes_, 0);
  add(Use::move_read, p.place, 0, page_bytes_, p);
}

void StaticModel::moved(std::uint32_t plane, std::uint32_t block, Time now) {
  --planes_[plane].blocks[block].moves;
  try_erase(plane, block, now);
}

void StaticModel::try_erase(std::uint32_t plane, std::uint32_t block, Time) {
  Block& b = planes_[plane].blocks[block];
  if (b.moves != 0 || b.pins != 0) return;
  b.state = BlockState::erasing;
  Group& g = groups_.take();
  g.use = Use::erase;
  g.plane = plane;
  g.pieces.clear();
  g.op = nand::Op{};
  g.op.kind = nand::OpKind::erase;
  g.op.die = {static_cast<std::uint16_t>(die_of(plane))};
  g.op.plane = static_cast<std::uint8_t>(plane_in_die(plane));
  g.op.block = {block};
  g.op.background = true;
  g.op.owner = &g;
  batch_.push_back(&g);
}

}  // namespace flashpath::ftl

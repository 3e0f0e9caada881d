// SPDX-License-Identifier: Apache-2.0
// A drive that was written before: saved when nothing is under way, loaded at time zero. What is kept: the map as the difference
// to its start state, reverse information, wear, open superblocks, the order in which superblocks were closed. Not kept: bytes.
#include <algorithm>

#include "base/error.h"
#include "ftl/ftl_model.h"
#include "ftl/image.h"

namespace flashpath::ftl {
namespace {
enum class Saved : std::uint8_t { free, closed, open };

struct Parameter {
  const char* name;
  std::uint64_t value;
};
/// What an image fits to.
std::vector<Parameter> parameters_of(const Config& c, const Geometry& g) {
  return {{"channels of the flash", g.channels},
          {"dies", g.dies},
          {"planes", g.planes},
          {"blocks per plane", g.blocks_per_plane},
          {"wordlines per block", g.wordlines_per_block},
          {"bits per cell", g.bits_per_cell},
          {"bytes of a page", g.page.count},
          {"bytes of a mapping unit", c.mapping_unit.count},
          {"bytes of capacity", c.capacity.count},
          {"write streams", c.write_streams},
          {"translation pages", c.map_pages()},
          {"bytes of a translation page", c.map == MapKind::full ? 0 : c.map_page.count},
          {"gc_isolation", static_cast<std::uint64_t>(c.gc_isolation)}};
}
}  // namespace

/// Pads and programs everything begun, so that the buffer runs empty.
void FtlModel::pad_all(Time now) {
  if (cache_) {
    cache_->for_each([&](MapPage& p) {
      if (p.dirty && write_map(p.page, now)) p.dirty = false;
    });
  }
  for (std::size_t i = 0; i < streams_.size(); ++i) pad(streams_[i], i < config_.write_streams, now);
}

bool FtlModel::idle() const { return jobs_.out() == 0 && ops_.out() == 0 && used_ == 0 && gc_bytes_ == 0 && victims_.empty(); }

/// The drive must be idle.
void FtlModel::save(ImageWriter& out) const {
  invariant(idle(), "a drive is saved while something is under way", "ftl");
  for (const Parameter& p : parameters_of(config_, geometry_)) out.put(p.value);
  out.put(static_cast<std::uint64_t>(mapping_.start().kind()));
  out.put(mapping_.start().used());
  std::vector<std::uint32_t> order;
  closed_.for_each([&](std::uint32_t s) { order.push_back(s); });
  std::vector<bool> done(superblocks_.size());
  for (const std::uint32_t s : order) done[s] = true;
  for (std::uint32_t s = 0; s < superblocks_.size(); ++s) {
    if (!done[s]) order.push_back(s);
  }
  for (const std::uint32_t s : order) {
    const Superblock& sb = superblocks_[s];
    out.put(s);
    out.put(static_cast<std::uint64_t>(sb.state == SuperblockState::free   ? Saved::free
                                       : sb.state == SuperblockState::open ? Saved::open
                                                                           : Saved::closed));
    out.put(sb.erases);
    out.put(sb.stream);
    out.put(sb.as_started ? 1 : 0);
    Runs::Cursor at;
    for (Run run; sb.runs.next(at, run);) {
      out.put(run.count);
      out.put(run.first == Run::hole ? 0 : run.first + 1);
    }
    out.put(0);
  }
  for (const WriteStream& stream : streams_) {
    out.put(stream.superblock == no_superblock ? 0 : stream.superblock + std::uint64_t{1});
    out.put(stream.next);
  }
  std::uint64_t last = 0;
  mapping_.for_each_change([&](std::uint64_t unit, std::uint64_t count, Position position) {
    out.put(count);
    out.put(unit - last);
    out.put(position + 1);  // nowhere: 0
    last = unit + count;
  });
  out.put(0);
}

/// Sets the state of a drive at time zero. What an image says is believed only as far as it is consistent.
void FtlModel::load(const std::string& path) {
  UserErrors errors;
  ImageReader in{path, errors};
  errors.raise_if_any();
  for (const Parameter& p : parameters_of(config_, geometry_)) {
    if (const std::uint64_t value = in.get(); value != p.value) {
      errors.add(path + ": " + p.name + ": " + std::to_string(value) + " in the image, " + std::to_string(p.value) +
                 " in this drive; make an image with this configuration");
    }
  }
  errors.raise_if_any();
  const auto require = [&](bool holds, const char* what) {
    if (!holds || !in.ok()) throw UserErrors{path + ": is inconsistent: " + (in.ok() ? what : "it ends too early")};
  };
  const std::uint64_t kind = in.get(), used = in.get(), total = layout_.superblocks();
  require(kind <= static_cast<std::uint64_t>(Precondition::random), "unknown start state");
  require(kind == 0 || (used <= total && used * layout_.units() >= mapping_.units()), "superblocks of the start state");
  mapping_ = Mapping{mapping_.units(), total * layout_.units(),
                     Start{static_cast<Precondition>(kind), mapping_.units(), layout_.units(), static_cast<std::uint32_t>(used)}};

  std::vector<std::uint64_t> filled(total);
  std::vector<bool> seen(total);
  std::vector<std::uint32_t> closed;  // in the order they were
  for (std::uint64_t n = 0; n < total; ++n) {
    const std::uint64_t s = in.get(), state = in.get(), erases = in.get(), stream = in.get(), as_started = in.get();
    require(s < total && !seen[s], "a superblock is missing or there twice");
    require(state <= static_cast<std::uint64_t>(Saved::open) && erases < 0xffffffffU && stream < streams_.size(), "a superblock's state");
    require(as_started == 0 || (state == static_cast<std::uint64_t>(Saved::closed) && as_started == 1 &&
                                kind == static_cast<std::uint64_t>(Precondition::random) && s < used),
            "a superblock's start state");
    seen[s] = true;
    Superblock& sb = superblocks_[s];
    sb.state = state == static_cast<std::uint64_t>(Saved::free)   ? SuperblockState::free
               : state == static_cast<std::uint64_t>(Saved::open) ? SuperblockState::open
                                                                  : SuperblockState::closed;
    sb.erases = static_cast<std::uint32_t>(erases);
    sb.stream = static_cast<std::uint16_t>(stream);
    sb.as_started = as_started != 0;
    sb.valid = mapping_.start().valid(static_cast<std::uint32_t>(s));
    for (std::uint64_t count = in.get(); count != 0; count = in.get()) {
      const std::uint64_t first = in.get();
      require(count <= layout_.units() - filled[s], "a superblock holds more than fits");
      require(first == 0 || (first <= mapping_.units() && count <= mapping_.units() - (first - 1)), "a unit beyond the capacity");
      sb.runs.append(first == 0 ? Run::hole : first - 1, count);
      filled[s] += count;
    }
    require(sb.state != SuperblockState::free || filled[s] == 0, "a free superblock that is not empty");
    require(!sb.as_started || filled[s] == 0, "a superblock in two states");
    sb.runs.shrink_to_fit();
    wear_.worn(static_cast<std::uint32_t>(s));
    if (sb.state == SuperblockState::closed) closed.push_back(static_cast<std::uint32_t>(s));
    if (sb.state != SuperblockState::open) continue;
    wear_.taken(static_cast<std::uint32_t>(s));
    --free_;
  }
  std::vector<bool> owned(total);
  for (WriteStream& stream : streams_) {
    const std::uint64_t superblock = in.get();
    stream.next = in.get();
    if (superblock == 0) continue;
    const std::uint64_t s = superblock - 1;
    require(s < total && superblocks_[s].state == SuperblockState::open && !owned[s], "an open superblock");
    require(stream.next == filled[s] && stream.next < layout_.units(), "the end of an open superblock");
    require(stream.next * unit_ % layout_.program_unit() < unit_, "an open superblock with a program unit begun");
    owned[s] = true;
    stream.superblock = static_cast<std::uint32_t>(s);
    superblocks_[s].slots.assign(layout_.program_units(), 0);
  }
  for (std::uint64_t s = 0; s < total; ++s)
    require(superblocks_[s].state != SuperblockState::open || owned[s], "an open superblock of nobody");

  std::uint64_t next = 0;
  for (std::uint64_t count = in.get(); count != 0; count = in.get()) {
    const std::uint64_t gap = in.get(), position = in.get() - 1;
    require(gap <= mapping_.units() - next && count <= mapping_.units() - next - gap, "a unit beyond the capacity");
    const std::uint64_t unit = next + gap;
    require(position == nowhere || (position < total * layout_.units() && count <= total * layout_.units() - position),
            "a position beyond the flash");
    for (std::uint64_t n = 0, here = 0; position != nowhere && n < count; n += here) {  // superblock by superblock
      const std::uint32_t s = layout_.superblock_of(position + n);
      here = std::min(count - n, layout_.first_of(s + 1) - (position + n));
      require(position + n - layout_.first_of(s) + here <= filled[s], "a unit where nothing was written");
      superblocks_[s].valid += here;
    }
    mapping_.replace(unit, count, position, [&](Position p, std::uint64_t n) { dropped(p, n); });
    next = unit + count;
  }
  require(in.at_end(), "there is more behind its end");
  for (std::uint32_t s = 0; s < total; ++s) {  // map and reverse information must say the same
    const Superblock& sb = superblocks_[s];
    if (sb.as_started) continue;
    Runs::Cursor at;
    std::uint64_t live = 0;
    Position here = layout_.first_of(s);
    for (Run run; sb.runs.next(at, run); here += run.count) {
      for (std::uint64_t i = 0; run.first != Run::hole && i < run.count;) {
        const Mapping::Extent e = mapping_.find(run.first + i, run.count - i);
        if (e.position == here + i) live += e.count;
        i += e.count;
      }
    }
    require(live == sb.valid, "map and reverse information disagree");
  }
  require(free_ >= 1, "no free superblock");
  for (const std::uint32_t s : closed) start_closed(s);
}

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
// The NVM command set: which commands are legal, and what each sets in motion (NVM Command Set Specification 1.0 §3.2).
#include <algorithm>
#include <cstring>

#include "nvme/nvme_model.h"

namespace flashpath::nvme {

void ControllerModel::execute_io(Command& c, Time now) {
  if (const Namespace* ns = namespaces_.active(c.sqe.nsid); ns != nullptr && ns->set == CommandSet::key_value) [[unlikely]] {
    c.ns = ns;
    if (taken(c)) return fail(c, Status::format_in_progress);
    c.executing = true;
    return execute_kv(c, now);
  }
  const auto opcode = static_cast<IoOpcode>(c.sqe.opcode);
  switch (opcode) {
    case IoOpcode::flush:
    case IoOpcode::write:
    case IoOpcode::read:
    case IoOpcode::write_uncorrectable:
    case IoOpcode::compare:
    case IoOpcode::write_zeroes:
    case IoOpcode::dataset_management:
    case IoOpcode::verify:
    case IoOpcode::copy: break;
    default: fail(c, Status::invalid_opcode); return;
  }
  const bool everywhere = opcode == IoOpcode::flush && c.sqe.nsid == 0xffff'ffffU;
  if (!everywhere && !known_namespace(c)) return;
  if (taken(c)) return fail(c, Status::format_in_progress);
  c.executing = true;
  if (c.sqe.psdt() == 3 || c.sqe.fuse() != 0) {  // no fused operations: Identify FUSES is 0
    fail(c, Status::invalid_field);
    return;
  }
  switch (opcode) {
    case IoOpcode::flush: simple_request(c, ftl::RequestKind::flush, 0, 0, now); return;
    case IoOpcode::read:
      if (block_range(c, true)) read(c, Direction::to_host, Work::none, now);
      return;
    case IoOpcode::compare:
      if (block_range(c, true)) read(c, Direction::from_host, Work::compare, now);
      return;
    case IoOpcode::verify:
      c.prps_ready = true;  // no data leave the drive
      if (block_range(c, true)) read(c, Direction::none, Work::verify, now);
      return;
    case IoOpcode::write:
      if (!block_range(c, true) || !place(c)) return;
      c.direction = Direction::from_host;
      c.io = true;
      begin_data(c, now);
      return;
    case IoOpcode::write_zeroes:
      if (block_range(c, false)) write_zeroes(c, now);
      return;
    case IoOpcode::write_uncorrectable:
      if (!block_range(c, false)) return;
      c.ns->for_pieces(c.begin, c.begin + c.length, [&](std::uint64_t at, std::uint64_t size) { uncorrectable_.mark(at, at + size); });
      return;
    case IoOpcode::dataset_management: take_ranges(c, ((c.sqe.cdw10 & 0xffU) + 1) * sizeof(DsmRange), now); return;
    case IoOpcode::copy: {
      const unsigned format = (c.sqe.cdw12 >> 8U) & 0xfU;
      const std::uint32_t ranges = (c.sqe.cdw12 & 0xffU) + 1;
      // Format 1h is for guards of 32 and 64 bits: not with ours, but well without.
      if (format > 1 || (format == 1 && c.ns->protects())) return fail(c, Status::invalid_field);
      if (!place(c)) return;
      if (ranges > config_.copy_ranges) return fail(c, Status::command_size_limit_exceeded);
      take_ranges(c, ranges * (format == 0 ? sizeof(CopyRange) : copy_range_1h), now);
      return;
    }
  }
}

/// Where the data of a write or copy go. DTYPE 1 (streams): as DSPEC says. DTYPE 2 (data placement; one reclaim group, so that the placement
/// identifier is the placement handle): a handle that is not there counts, and its data go where those without a directive go.
bool ControllerModel::place(Command& c) {
  const unsigned directive = (c.sqe.cdw12 >> 20U) & 0xfU;
  if (directive == 0) return true;
  if (directive > 2) {
    fail(c, Status::invalid_field);
    return false;
  }
  c.stream = static_cast<std::uint16_t>(c.sqe.cdw13 >> 16U);
  if (directive == 2 && features_.get(Feature::data_placement) == 0) {
    fail(c, Status::invalid_field);
    return false;
  }
  if (directive == 2 && c.stream >= media_.handles) {
    ++stats_.invalid_placements;
    c.stream = 0;
  }
  return true;
}

/// Ranges that the host describes in memory: io_ranges() follows.
void ControllerModel::take_ranges(Command& c, std::uint64_t size, Time now) {
  c.direction = Direction::from_host;
  c.length = c.transfer = size;
  c.data.assign(size, 0);
  begin_data(c, now);
}

void ControllerModel::io_ranges(Command& c, Time now) {
  if (c.sqe.opcode == static_cast<std::uint8_t>(IoOpcode::copy)) copy_ranges(c, now);
  else trim_ranges(c, now);
}

/// The blocks of a command, checked against the namespace; those whose data move, or are read, against MDTS.
bool ControllerModel::block_range(Command& c, bool limited) {
  const Namespace& ns = *c.ns;
  const std::uint64_t blocks = c.sqe.nlb() + 1ULL;
  if (limited && blocks * ns.lba > config_.mdts.count) {
    fail(c, Status::invalid_field);
    return false;
  }
  if (c.sqe.slba() >= ns.blocks || blocks > ns.blocks - c.sqe.slba()) {
    fail(c, Status::lba_out_of_range);
    return false;
  }
  c.begin = c.sqe.slba() * ns.lba;
  c.length = c.transfer = blocks * ns.lba;
  return ns.metadata == 0 || protect(c, limited);
}

/// Asks the FTL for every chunk at once; meanwhile the PRP list or SGL comes.
void ControllerModel::read(Command& c, Direction direction, Work work, Time now) {
  c.direction = direction;
  c.io = true;
  c.work = work;
  if (work != Work::none) c.special = true;
  if (work != Work::verify) begin_data(c, now);
  read_chunks(c, now);
}

void ControllerModel::read_chunks(Command& c, Time now) {
  const std::uint64_t step = config_.read_chunk.count;
  for (std::uint64_t at = 0; at < c.length && c.status == Status::success;) {
    const std::uint64_t size = std::min({c.length - at, step - (c.begin + at) % step, c.left(c.begin + at)});
    Chunk& chunk = new_chunk(c, ftl::RequestKind::read, at, size);
    if (c.special && data_mode_ && c.ns->protects()) load_metadata(c, chunk.request.address.count, size, chunk.earlier);
    outside.ftl(chunk.request, now);
    at += size;
  }
}

/// Programs zeroes. With DEAC the whole units inside are unmapped instead (they read as zero, too: DLFEAT), only the edges programmed.
void ControllerModel::write_zeroes(Command& c, Time now) {
  c.prps_ready = true;  // no data comes from the host
  c.direction = Direction::from_host;
  c.io = true;
  c.meta_moves = false;
  if ((c.sqe.cdw12 & zeroes_deallocate) != 0) {
    const std::uint64_t unit = media_.unit.count;
    const std::uint64_t from = align_up(c.begin, unit);
    const std::uint64_t to = (c.begin + c.length) / unit * unit;
    if (from < to) {
      c.ns->for_pieces(from, to, [&](std::uint64_t at, std::uint64_t size) {
        forget_metadata(at, size);
        simple_request(c, ftl::RequestKind::trim, at, size, now);
      });
      c.hole = from - c.begin;
      c.hole_end = to - c.begin;
      if (c.hole == 0) c.asked = c.hole_end;
    }
  }
  write(c, now);
}

/// Enters the line for the staging window. The command holds itself until its last chunk has been asked for.
void ControllerModel::write(Command& c, Time now) {
  ++c.pending;
  writes_.push(c);
  pump_writes(now);
}

void ControllerModel::simple_request(Command& c, ftl::RequestKind kind, std::uint64_t begin, std::uint64_t size, Time now) {
  Chunk& chunk = new_chunk(c, kind, 0, 0);
  chunk.request.address = {begin};
  chunk.request.size = {size};
  outside.ftl(chunk.request, now);
}

/// The ranges of a Dataset Management command are here.
void ControllerModel::trim_ranges(Command& c, Time now) {
  const Namespace& ns = *c.ns;
  const std::size_t count = c.data.size() / sizeof(DsmRange);
  const auto range_at = [&](std::size_t i) {
    DsmRange range;
    std::memcpy(&range, c.data.data() + i * sizeof range, sizeof range);
    return range;
  };
  for (std::size_t i = 0; i < count; ++i) {
    const DsmRange range = range_at(i);
    if (range.length != 0 && (range.slba >= ns.blocks || range.length > ns.blocks - range.slba)) {
      fail(c, Status::lba_out_of_range);
      return;
    }
  }
  if ((c.sqe.cdw11 & dsm_deallocate) == 0) return;  // access hints change nothing
  for (std::size_t i = 0; i < count; ++i) {
    const DsmRange range = range_at(i);
    const std::uint64_t begin = range.slba * ns.lba;
    ns.for_pieces(begin, begin + range.length * ns.lba, [&](std::uint64_t at, std::uint64_t size) {
      forget_metadata(at, size);
      simple_request(c, ftl::RequestKind::trim, at, size, now);
    });
  }
}

}  // namespace flashpath::nvme

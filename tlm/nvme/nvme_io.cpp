// SPDX-License-Identifier: Apache-2.0
// The NVM command set: which commands are legal, and what each sets in motion (NVM Command Set Specification 1.0 §3.2).
#include <algorithm>
#include <cstring>

#include "nvme/nvme_model.h"

namespace flashpath::nvme {

void ControllerModel::execute_io(Command& c, Time now) {
  const auto opcode = static_cast<IoOpcode>(c.sqe.opcode);
  switch (opcode) {
    case IoOpcode::flush:
    case IoOpcode::write:
    case IoOpcode::read:
    case IoOpcode::write_zeroes:
    case IoOpcode::dataset_management: break;
    default: fail(c, Status::invalid_opcode); return;
  }
  const bool everywhere = opcode == IoOpcode::flush && c.sqe.nsid == 0xffff'ffffU;
  if (!everywhere && !known_namespace(c)) return;
  if (taken(c)) return fail(c, Status::format_in_progress);
  c.executing = true;
  if (c.sqe.psdt() != 0 || c.sqe.fuse() != 0) {  // neither SGLs nor fused operations
    fail(c, Status::invalid_field);
    return;
  }
  switch (opcode) {
    case IoOpcode::flush: simple_request(c, ftl::RequestKind::flush, 0, 0, now); return;
    case IoOpcode::read:
      if (block_range(c, true)) read(c, now);
      return;
    case IoOpcode::write:
      if (!block_range(c, true)) return;
      c.direction = Direction::from_host;
      c.io = true;
      begin_prps(c, now);
      return;
    case IoOpcode::write_zeroes:
      if (!block_range(c, false)) return;
      c.prps_ready = true;  // no data comes from the host
      c.direction = Direction::from_host;
      c.io = true;
      write(c, now);
      return;
    case IoOpcode::dataset_management:
      c.direction = Direction::from_host;
      c.length = ((c.sqe.cdw10 & 0xffU) + 1) * sizeof(DsmRange);
      c.data.assign(c.length, 0);
      begin_prps(c, now);
      return;
  }
}

/// The blocks of a read or write, checked against the namespace and MDTS.
bool ControllerModel::block_range(Command& c, bool transfers) {
  const std::uint64_t blocks = c.sqe.nlb() + 1ULL;
  const std::uint64_t lba = c.ns->lba.count, all = c.ns->blocks();
  if (transfers && blocks * lba > config_.mdts.count) {
    fail(c, Status::invalid_field);
    return false;
  }
  if (c.sqe.slba() >= all || blocks > all - c.sqe.slba()) {
    fail(c, Status::lba_out_of_range);
    return false;
  }
  c.begin = c.sqe.slba() * lba;
  c.length = blocks * lba;
  return true;
}

/// Asks the FTL for every chunk at once; meanwhile the PRP list comes.
void ControllerModel::read(Command& c, Time now) {
  c.direction = Direction::to_host;
  c.io = true;
  begin_prps(c, now);
  const std::uint64_t step = config_.read_chunk.count;
  for (std::uint64_t at = 0; at < c.length && c.status == Status::success;) {
    const std::uint64_t size = std::min({c.length - at, step - (c.begin + at) % step, c.ns->left(c.begin + at)});
    Chunk& chunk = new_chunk(c, ftl::RequestKind::read, at, size);
    outside.ftl(chunk.request, now);
    at += size;
  }
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
  const std::uint64_t lba = c.ns->lba.count, all = c.ns->blocks();
  const std::size_t count = c.data.size() / sizeof(DsmRange);
  const auto range_at = [&](std::size_t i) {
    DsmRange range;
    std::memcpy(&range, c.data.data() + i * sizeof range, sizeof range);
    return range;
  };
  for (std::size_t i = 0; i < count; ++i) {
    const DsmRange range = range_at(i);
    if (range.length != 0 && (range.slba >= all || range.length > all - range.slba)) {
      fail(c, Status::lba_out_of_range);
      return;
    }
  }
  if ((c.sqe.cdw11 & dsm_deallocate) == 0) return;  // access hints change nothing
  for (std::size_t i = 0; i < count; ++i) {
    const DsmRange range = range_at(i);
    for (std::uint64_t at = range.slba * lba, end = at + range.length * lba; at < end;) {
      const std::uint64_t size = std::min(end - at, c.ns->left(at));
      simple_request(c, ftl::RequestKind::trim, c.ns->place(at), size, now);
      at += size;
    }
  }
}

}  // namespace flashpath::nvme

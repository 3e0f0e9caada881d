// SPDX-License-Identifier: Apache-2.0
// Copy, NVM Command Set Specification 1.0 §3.2.2: source ranges from the host, data from flash to flash. A copy takes its turn in the line for the
// staging window, with pieces of at most `write_chunk`: FTL read, FTL write. Nothing but the ranges crosses the link.
//   alone: doorbell ▶ CQE sent = D(fetch) + c + l + D(ranges) + F(read) + F(write) + e
#include <algorithm>
#include <cstring>

#include "nvme/nvme_model.h"

namespace flashpath::nvme {

/// The source ranges are here.
void ControllerModel::copy_ranges(Command& c, Time now) {
  const Namespace& ns = *c.ns;
  const std::size_t stride = ((c.sqe.cdw12 >> 8U) & 0xfU) == 0 ? sizeof(CopyRange) : copy_range_1h;
  const std::size_t count = c.data.size() / stride;
  std::uint64_t total = 0;
  c.segments.clear();
  for (std::size_t i = 0; i < count; ++i) {
    CopyRange range;
    std::memcpy(&range, c.data.data() + i * stride, sizeof range);
    const std::uint64_t blocks = range.nlb + 1ULL;
    c.result = static_cast<std::uint32_t>(i);
    if (blocks > copy_range_limit(ns.lba)) return fail(c, Status::command_size_limit_exceeded);
    if (range.slba >= ns.blocks || blocks > ns.blocks - range.slba) return fail(c, Status::lba_out_of_range);
    c.segments.push_back({.address = range.slba * ns.lba, .offset = total * ns.lba, .length = blocks * ns.lba});
    total += blocks;
  }
  c.result = 0;
  if (total > copy_range_limit(ns.lba) * config_.copy_ranges) return fail(c, Status::command_size_limit_exceeded);
  if (c.sqe.slba() >= ns.blocks || total > ns.blocks - c.sqe.slba()) return fail(c, Status::lba_out_of_range);
  c.begin = c.sqe.slba() * ns.lba;
  c.length = total * ns.lba;
  c.work = Work::copy;
  c.io = true;
  c.prps_ready = true;
  write(c, now);
}

namespace {
/// The source range that byte `offset` of the copy comes from.
std::size_t range_of(const Command& c, std::uint64_t offset) {
  const auto behind =
      std::upper_bound(c.segments.begin(), c.segments.end(), offset, [](std::uint64_t at, const Segment& s) { return at < s.offset; });
  return static_cast<std::size_t>(behind - c.segments.begin()) - 1;
}
}  // namespace

/// Bytes until the end of the source range, or of a piece of the namespace in it.
std::uint64_t ControllerModel::copy_piece(const Command& c) const {
  const Segment& s = c.segments[range_of(c, c.asked)];
  return std::min(s.offset + s.length - c.asked, c.ns->left(s.address + (c.asked - s.offset)));
}

void ControllerModel::copy_read(Chunk& chunk, Time now) {
  Command& c = *chunk.command;
  const Segment& s = c.segments[range_of(c, chunk.offset)];
  chunk.request.kind = ftl::RequestKind::read;
  chunk.request.address = {c.ns->place(s.address + (chunk.offset - s.offset))};
  outside.ftl(chunk.request, now);
}

/// The first range that was not copied, counted from 0, is the result.
void ControllerModel::copy_failed(Command& c, std::uint64_t offset) {
  const auto range = static_cast<std::uint32_t>(range_of(c, offset));
  c.result = c.status == Status::success ? range : std::min(c.result, range);
}

void ControllerModel::copy_answered(Chunk& chunk, Time now) {
  Command& c = *chunk.command;
  ftl::Request& r = chunk.request;
  staged_not_sent_ -= r.size;
  if (r.status == ftl::RequestStatus::ok) {
    stats_.read_answered += r.size;
    stats_.kept += r.size;
    if (!c.abandoned && c.status == Status::success && copy_metadata(chunk)) {
      r.kind = ftl::RequestKind::write;
      r.address = {c.ns->place(c.begin + chunk.offset)};
      r.stream = {};
      stats_.handed_on += r.size;
      if (!uncorrectable_.empty()) uncorrectable_.clear(r.address.count, (r.address + r.size).count);
      outside.ftl(r, now);
      return;
    }
  } else {
    copy_failed(c, chunk.offset);
    fail(c, r.status == ftl::RequestStatus::uncorrectable ? Status::unrecovered_read_error : Status::internal_error);
  }
  drop_staged(chunk, now);
}

/// Metadata follow their blocks; tuples are checked as PRINFOR says, then inserted anew or checked as PRINFOW says.
bool ControllerModel::copy_metadata(Chunk& chunk) {
  Command& c = *chunk.command;
  const Namespace& ns = *c.ns;
  if (ns.metadata == 0 || !data_mode_) return true;
  const ftl::Request& r = chunk.request;
  const std::uint64_t blocks = r.size.count / ns.lba;
  load_metadata(c, r.address.count, r.size.count, chunk.meta);
  if (ns.protects()) {
    CopyRange range;
    const std::size_t from = range_of(c, chunk.offset);
    std::memcpy(&range, c.data.data() + from * sizeof range, sizeof range);
    const bool counts = ns.protection != Protection::type3;
    const auto into = static_cast<std::uint32_t>((chunk.offset - c.segments[from].offset) / ns.lba);
    const Expected source{
        .prchk = (c.sqe.cdw12 >> 12U) & 7U, .reference = range.eilbrt + (counts ? into : 0), .tag = range.elbat, .mask = range.elbatm};
    const Expected target{.prchk = c.sqe.prchk(),
                          .reference = c.sqe.cdw14 + (counts ? static_cast<std::uint32_t>(chunk.offset / ns.lba) : 0),
                          .tag = static_cast<std::uint16_t>(c.sqe.cdw15),
                          .mask = static_cast<std::uint16_t>(c.sqe.cdw15 >> 16U)};
    Status status = check_tuples(ns, source, blocks, chunk.buffer, chunk.meta.data());
    if (status == Status::success && c.sqe.pract())
      insert_tuples(ns, target.reference, target.tag, blocks, chunk.buffer, chunk.meta.data());
    else if (status == Status::success) status = check_tuples(ns, target, blocks, chunk.buffer, chunk.meta.data());
    if (status != Status::success) {
      copy_failed(c, chunk.offset);
      protection_error(c, status);
      return false;
    }
  }
  store_metadata(c, c.ns->place(c.begin + chunk.offset), r.size.count, chunk.meta.data());
  return true;
}

}  // namespace flashpath::nvme

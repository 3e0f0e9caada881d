// SPDX-License-Identifier: Apache-2.0
// The read path: from logical bytes to as few flash operations as there are stripes touched.
#include <algorithm>
#include <cstring>

#include "ftl/ftl_model.h"
#include "ftl/ftl_pieces.h"

namespace flashpath::ftl {

void FtlModel::looked_up(Time now, std::uint64_t arg) {
  Job& job = *reinterpret_cast<Job*>(arg);
  Request& request = *job.request;
  if (request.status == RequestStatus::ok && request.size.count != 0) {
    if (active_fills_ != 0 || !restoring_.empty()) {
      const std::uint64_t first = layout_.unit_of(request.address.count);
      if (held_back(first, layout_.units_to(request.address.count + request.size.count) - first)) {
        read_waits_.push_back(&job);
        return;
      }
    }
    if (!lost_.empty() && lost(first_unit(request), last_unit(request))) {
      if (cache_) leave_map(job, now);
      request.status = RequestStatus::uncorrectable;
      request.journey.mark(Stage::map, now);
      request.stream = {now, now};
      answer(job, now);
      return;
    }
    if (cache_ && (job.map_waits != 0 || (!job.map_wanted && !want_map(job, now)))) return;
    counts_.host_read += request.size.count;
    request.journey.mark(Stage::map, now);
    job.stream = {now, now};
    job.pieces =
        fetch(request.address.count, request.size.count, data_mode_ ? request.data : nullptr, OpOwner::read, &job, request.journey, now);
    if (cache_) leave_map(job, now);
    if (job.pieces != 0) return;
  }
  request.journey.mark(Stage::map, now);
  request.stream = {now, now};
  answer(job, now);
}

/// Bytes [address, address + size) to `to`: zeros and buffered bytes at once, the rest as flash reads owned by `owner`.
/// Returns how many reads those are.
std::uint32_t FtlModel::fetch(std::uint64_t address, std::uint64_t size, unsigned char* to, OpOwner kind, void* owner,
                              const Journey& journey, Time now) {
  std::uint32_t issued = 0;
  const bool host = kind == OpOwner::read;
  std::uint32_t run_superblock = no_superblock;
  std::uint64_t run_offset = 0, run_size = 0, run_at = 0;  // physically contiguous so far; run_at: from `address`
  const auto flush = [&] {
    if (run_size == 0) return;
    const Superblock& sb = superblocks_[run_superblock];
    for_each_piece(layout_, run_offset, run_size, [&](std::uint32_t pu, std::uint64_t in_pu, std::uint64_t n, std::uint64_t done) {
      unsigned char* const into = to == nullptr ? nullptr : to + run_at + done;
      if (const std::uint32_t slot = sb.slots.empty() ? 0 : sb.slots[pu]; slot != 0) {
        if (host) counts_.buffer_hit += n;
        if (into != nullptr) std::memcpy(into, slots_[slot].data.get() + in_pu, n);
        return;
      }
      nand::Op& op = take_op(kind, owner, 0);
      layout_.read(op, run_superblock, pu, in_pu, n);
      op.data = into;
      op.journey = journey;
      ++issued;
      issue(op, run_superblock, now);
    });
  };
  const std::uint64_t end = address + size, end_unit = layout_.units_to(end);
  for (std::uint64_t at = address; at < end;) {
    const std::uint64_t unit = layout_.unit_of(at);
    const Mapping::Extent e = mapping_.find(unit, end_unit - unit);
    const std::uint64_t in_unit = at - unit * unit_;
    std::uint64_t n = std::min(e.count * unit_ - in_unit, end - at);
    if (e.position == nowhere) {
      if (host) counts_.unmapped_read += n;
      if (to != nullptr) std::memset(to + (at - address), 0, n);
      at += n;
      continue;
    }
    const std::uint32_t superblock = layout_.superblock_of(e.position);
    const std::uint64_t index = e.position - layout_.first_of(superblock);
    n = std::min(n, (layout_.units() - index) * unit_ - in_unit);
    const std::uint64_t offset = index * unit_ + in_unit;
    if (run_size != 0 && superblock == run_superblock && offset == run_offset + run_size && at - address == run_at + run_size) {
      run_size += n;
    } else {
      flush();
      run_superblock = superblock;
      run_offset = offset;
      run_size = n;
      run_at = at - address;
    }
    at += n;
  }
  flush();
  return issued;
}

void FtlModel::read_answered(nand::Op& op, Time now) {
  Job& job = *static_cast<Job*>(op.owner);
  if (op.status != nand::OpStatus::ok) job.request->status = RequestStatus::uncorrectable;
  if (op.stream.last >= job.stream.last) {
    job.stream.last = op.stream.last;
    job.request->journey = op.journey;
  }
  job.stream.first = std::max(job.stream.first, op.stream.first);
  ops_.give(op);
  if (--job.pieces != 0) return;
  job.request->stream = job.stream;
  answer(job, now);
}

}  // namespace flashpath::ftl

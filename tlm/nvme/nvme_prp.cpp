// SPDX-License-Identifier: Apache-2.0
// Physical region pages, NVMe 2.0 §4.1.1: PRP1 may begin inside a page; PRP2 is the second page, or where a list
// begins; the last entry of a list page points to the next one when more follows. Neighbours are joined, so that
// data moves in bursts as large as a chunk.
#include <algorithm>

#include "nvme/nvme_model.h"

namespace flashpath::nvme {

void ControllerModel::describe(Command& c, std::uint64_t address, std::uint64_t length) {
  if (!c.segments.empty() && c.segments.back().address + c.segments.back().length == address) c.segments.back().length += length;
  else c.segments.push_back({.address = address, .offset = c.described, .length = length});
  c.described += length;
}

/// The data pointer of an I/O command, whatever its kind.
void ControllerModel::begin_data(Command& c, Time now) {
  if (c.sqe.psdt() == 0) walk_prps(c, now);
  else begin_sgl(c, now);
}

/// PRPs of `c.length` bytes; the host described `room` bytes, which decides whether PRP2 is a page or a list (KV 1.0 §3.2.4: a value may
/// be shorter than its buffer).
void ControllerModel::begin_prps(Command& c, Time now, std::uint64_t room) {
  c.transfer = c.length;
  walk_prps(c, now, room);
}

/// Reads the two pointers. The command fails, or prps_complete() follows: now, or when the list has been fetched.
void ControllerModel::walk_prps(Command& c, Time now, std::uint64_t room) {
  const std::uint64_t page = page_.count;
  if (c.sqe.prp1 % 4 != 0) {
    fail(c, Status::prp_offset_invalid);
    return;
  }
  const std::uint64_t in_page = c.sqe.prp1 % page;
  const std::uint64_t first = std::min(c.transfer, page - in_page);
  const std::uint64_t rest = c.transfer - first;
  const bool is_list = rest != 0 && std::max(room, c.transfer) - first > page;
  if (rest != 0 && (is_list ? c.sqe.prp2 % 8 : c.sqe.prp2 % page) != 0) {
    fail(c, Status::prp_offset_invalid);
    return;
  }
  describe(c, c.sqe.prp1, first);
  if (is_list) {
    fetch_list(c, c.sqe.prp2, now);
    return;
  }
  if (rest != 0) describe(c, c.sqe.prp2, rest);
  prps_complete(c, now);
}

void ControllerModel::fetch_list(Command& c, std::uint64_t address, Time now) {
  const std::uint64_t needed = ceil_div(c.transfer - c.described, page_.count);
  const std::uint64_t here = (page_.count - address % page_.count) / 8;
  c.list.resize(std::min(needed, here));
  ++stats_.prp_lists;
  send_list(c, address, now);
}

/// Reads c.list from host memory.
void ControllerModel::send_list(Command& c, std::uint64_t address, Time now) {
  ++c.pending;
  DmaRequest& dma = dmas_.take();
  dma.write = false;
  dma.address = address;
  dma.size = {c.list.size() * 8};
  dma.bytes = reinterpret_cast<unsigned char*>(c.list.data());
  dma.stream = {};
  dma.journey = c.origin;
  dma.purpose = DmaRequest::Purpose::prp_list;
  dma.owner = &c;
  access(dma, now);
}

void ControllerModel::list_done(DmaRequest& dma, Time now) {
  Command& c = *static_cast<Command*>(dma.owner);
  const Time end = std::max(now, dma.stream.last);
  if (!dma.ok) fail(c, Status::data_transfer_error);
  dmas_.give(dma);
  if (end > now) agenda_.post<&ControllerModel::list_arrived>(end, this, reinterpret_cast<std::uint64_t>(&c));
  else list_arrived(now, reinterpret_cast<std::uint64_t>(&c));
}

void ControllerModel::list_arrived(Time now, std::uint64_t arg) {
  Command& c = *reinterpret_cast<Command*>(arg);
  c.origin.mark(Stage::fetch, now);
  if (c.sgl) {
    if (!c.abandoned && c.status == Status::success) segment_arrived(c, now);
  } else if (!c.abandoned && c.status == Status::success) {
    const std::uint64_t needed = ceil_div(c.transfer - c.described, page_.count);
    const bool chained = needed > c.list.size();
    const std::size_t entries = c.list.size() - (chained ? 1U : 0U);
    std::uint64_t offsets = 0;  // of all entries; each must be 0, the pointer to the next list included
    for (const std::uint64_t entry : c.list) offsets |= entry;
    if ((offsets & (page_.count - 1)) != 0) fail(c, Status::prp_offset_invalid);
    for (std::size_t i = 0; i < entries && c.status == Status::success;) {  // runs of neighbouring pages
      const std::uint64_t begin = c.list[i];
      std::uint64_t end = begin + page_.count;
      for (++i; i < entries && c.list[i] == end; ++i) end += page_.count;
      describe(c, begin, std::min(end - begin, c.transfer - c.described));
    }
    if (c.status == Status::success && chained) fetch_list(c, c.list.back(), now);
    else if (c.status == Status::success) prps_complete(c, now);
  }
  if (c.abandoned || c.status != Status::success) {
    c.critical = c.origin;
    send_waiting(c, now);  // lets go of them
  }
  release(c, now);
}

/// The whole data pointer is known: data may move.
void ControllerModel::prps_complete(Command& c, Time now) {
  c.prps_ready = true;
  if (c.direction == Direction::to_host && c.io) send_waiting(c, now);
  else if (c.work == Work::compare) send_waiting(c, now);
  else if (c.direction == Direction::from_host && c.io) write(c, now);
  else transfer_control(c, now);
}

}  // namespace flashpath::nvme

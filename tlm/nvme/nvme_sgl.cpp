// SPDX-License-Identifier: Apache-2.0
// Scatter gather lists, NVMe 2.0 §4.1.2: the command holds one descriptor, of data or of a segment; the last descriptor of a segment
// points to the next one, the last segment holds data only. Comes down to the same pieces of host memory as PRPs do.
//
// Addresses of data may have any alignment, segments are aligned to eight bytes. The descriptors must describe exactly the command's
// data. A segment is read in pieces of 4 KiB at most, one after the other. Keyed and transport descriptors and the offset
// subtype are not for this transport: SGL Descriptor Type Invalid. A chain longer than `sgl_descriptors` (a loop, say) ends the command.
#include <algorithm>
#include <bit>

#include "nvme/nvme_model.h"

namespace flashpath::nvme {
namespace {
constexpr std::uint64_t fetch_limit = 4096;

bool is_segment(const SglDescriptor& d) { return d.type() == SglType::segment || d.type() == SglType::last_segment; }
}  // namespace

/// Reads the descriptor of the command. It fails, or prps_complete() follows: now, or when the last segment has been fetched.
void ControllerModel::begin_sgl(Command& c, Time now) {
  const auto own = std::bit_cast<SglDescriptor>(std::array{c.sqe.prp1, c.sqe.prp2});
  c.sgl = true;
  c.descriptors = 1;
  if (is_segment(own)) {
    if (begin_segment(c, own)) fetch_segment(c, now);
  } else if (add_descriptor(c, own)) {
    sgl_complete(c, now);
  }
}

/// A data block or a bit bucket; false: the command has failed.
bool ControllerModel::add_descriptor(Command& c, const SglDescriptor& d) {
  const bool bucket = d.type() == SglType::bit_bucket;
  if (d.subtype() != 0 || (d.type() != SglType::data_block && !bucket)) {
    fail(c, Status::sgl_type_invalid);
    return false;
  }
  const std::uint64_t length = bucket && c.direction != Direction::to_host ? 0 : d.length;  // a bucket has nothing to give
  if (length > c.transfer - c.described) {
    fail(c, Status::data_sgl_length_invalid);
    return false;
  }
  if (length == 0) return true;
  if (bucket) {
    c.segments.push_back({.address = Segment::bucket, .offset = c.described, .length = length});
    c.described += length;
  } else {
    describe(c, d.address, length);
  }
  return true;
}

bool ControllerModel::begin_segment(Command& c, const SglDescriptor& d) {
  if (d.subtype() != 0) {
    fail(c, Status::sgl_type_invalid);
    return false;
  }
  if (d.length == 0 || d.length % sizeof(SglDescriptor) != 0 || d.address % 8 != 0) {
    fail(c, Status::invalid_sgl_segment);
    return false;
  }
  c.list_at = d.address;
  c.list_left = d.length;
  c.last_list = d.type() == SglType::last_segment;
  return true;
}

void ControllerModel::fetch_segment(Command& c, Time now) {
  const std::uint64_t size = std::min(c.list_left, fetch_limit);
  c.descriptors += static_cast<std::uint32_t>(size / sizeof(SglDescriptor));
  if (c.descriptors > config_.sgl_descriptors) {
    fail(c, Status::invalid_sgl_count);
    return;
  }
  c.list.resize(size / 8);
  c.list_left -= size;
  ++stats_.sgl_segments;
  const std::uint64_t at = c.list_at;
  c.list_at += size;
  send_list(c, at, now);
}

/// Descriptors are here, the last of the segment among them if list_left is 0.
void ControllerModel::segment_arrived(Command& c, Time now) {
  const std::size_t count = c.list.size() / 2;
  if (c.meta_list) {  // one descriptor, of one block
    const auto d = std::bit_cast<SglDescriptor>(std::array{c.list[0], c.list[1]});
    if (d.type() != SglType::data_block || d.subtype() != 0) return fail(c, Status::sgl_type_invalid);
    if (d.length != c.length / c.ns->lba * c.ns->metadata) return fail(c, Status::metadata_sgl_length_invalid);
    c.meta_address = d.address;
    return prps_complete(c, now);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const auto d = std::bit_cast<SglDescriptor>(std::array{c.list[2 * i], c.list[2 * i + 1]});
    const bool final = c.list_left == 0 && i + 1 == count;
    if (is_segment(d)) {
      if (c.last_list) return fail(c, Status::invalid_sgl_segment);
      if (!final) return fail(c, Status::invalid_sgl_count);
      if (begin_segment(c, d)) fetch_segment(c, now);
      return;
    }
    if (final && !c.last_list) return fail(c, Status::invalid_sgl_segment);
    if (!add_descriptor(c, d)) return;
  }
  if (c.list_left != 0) fetch_segment(c, now);
  else sgl_complete(c, now);
}

void ControllerModel::sgl_complete(Command& c, Time now) {
  if (c.described != c.transfer) return fail(c, Status::data_sgl_length_invalid);
  if (c.sqe.psdt() != 2 || !c.meta_moves || c.ns->extended) return prps_complete(c, now);
  if (c.sqe.mptr % 8 != 0) return fail(c, Status::invalid_sgl_segment);
  c.meta_list = true;
  c.list.resize(2);
  ++stats_.sgl_segments;
  send_list(c, c.sqe.mptr, now);
}

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
// Commands that do more with data than move them: metadata beside the blocks, protection information, Compare, Verify.
//
// Metadata lie in the flash's spare area: they cost no flash time, and on the link what their bytes cost. They are kept (and checked) in
// data mode; without data only their bytes on the link show. Metadata change when the write is handed to the FTL. A read that races
// with a write of the same block may find either's data: its tuples may be of before or after.
// Compare does not compare the tuples, it checks them, as PRCHK says.
#include <algorithm>
#include <array>
#include <cstring>

#include "nvme/nvme_model.h"

namespace flashpath::nvme {
namespace {
// In the store, 512 bytes of the drive have room for this much metadata.
constexpr std::uint64_t stored_sector = 512;
constexpr std::uint64_t stored_metadata = 128;

std::uint64_t stored_at(std::uint64_t address) { return address / stored_sector * stored_metadata; }
}  // namespace

/// What the command says about metadata, before anything moves; false: it has failed.
bool ControllerModel::protect(Command& c, bool moves) {
  const Namespace& ns = *c.ns;
  c.transfer = c.length;
  if (ns.metadata == 0) return true;
  c.special = true;
  const std::uint64_t blocks = c.length / ns.lba;
  c.meta_moves =
      moves && !(ns.protects() && c.sqe.pract() && ns.metadata == tuple_bytes);  // the only metadata is inserted or stripped here
  c.meta_address = c.sqe.mptr;
  if (c.meta_moves && ns.extended) c.transfer += blocks * ns.metadata;
  if (moves && c.transfer > config_.mdts.count) {
    fail(c, Status::invalid_field);
    return false;
  }
  if (!ns.protects() || (c.sqe.prchk() & prchk_ref) == 0) return true;
  const bool wrong = ns.protection == Protection::type1 && c.sqe.cdw14 != static_cast<std::uint32_t>(c.sqe.slba());
  if (wrong || ns.protection == Protection::type3) {
    fail(c, Status::invalid_protection_information);
    return false;
  }
  return true;
}

void ControllerModel::load_metadata(const Command& c, std::uint64_t address, std::uint64_t size, std::vector<unsigned char>& to) const {
  const Namespace& ns = *c.ns;
  to.resize(size / ns.lba * ns.metadata);
  for (std::uint64_t at = 0; at < size; at += ns.lba) {
    const std::span<unsigned char> block{to.data() + at / ns.lba * ns.metadata, ns.metadata};
    metadata_.read(stored_at(address + at), block);
    for (unsigned char& b : block) b = static_cast<unsigned char>(~b);
  }
}

void ControllerModel::store_metadata(const Command& c, std::uint64_t address, std::uint64_t size, const unsigned char* from) {
  const Namespace& ns = *c.ns;
  std::array<unsigned char, stored_metadata> block;
  for (std::uint64_t at = 0; at < size; at += ns.lba, from += ns.metadata) {
    std::transform(from, from + ns.metadata, block.begin(), [](unsigned char b) { return static_cast<unsigned char>(~b); });
    metadata_.write(stored_at(address + at), {block.data(), ns.metadata});
  }
}

/// Deallocated: whole units only, as the FTL does.
void ControllerModel::forget_metadata(std::uint64_t address, std::uint64_t size) {
  const std::uint64_t begin = align_up(address, media_.unit.count);
  const std::uint64_t end = (address + size) / media_.unit.count * media_.unit.count;
  if (begin >= end) return;
  if (config_.metadata != Bytes{} && data_mode_) metadata_.discard(stored_at(begin), {stored_at(end) - stored_at(begin)});
  uncorrectable_.clear(begin, end);
}

namespace {
Expected expected_of(const Command& c, std::uint64_t block) {
  const std::uint32_t further = c.ns->protection == Protection::type3 ? 0 : static_cast<std::uint32_t>(block);
  return {.prchk = c.sqe.prchk(),
          .reference = c.sqe.cdw14 + further,
          .tag = static_cast<std::uint16_t>(c.sqe.cdw15),
          .mask = static_cast<std::uint16_t>(c.sqe.cdw15 >> 16U)};
}

/// Data and metadata of each block side by side, or apart again.
void interleave(const Namespace& ns, std::uint64_t blocks, const unsigned char* data, const unsigned char* meta, unsigned char* to) {
  for (std::uint64_t i = 0; i < blocks; ++i, to += ns.lba + ns.metadata) {
    std::memcpy(to, data + i * ns.lba, ns.lba);
    std::memcpy(to + ns.lba, meta + i * ns.metadata, ns.metadata);
  }
}
void part(const Namespace& ns, std::uint64_t blocks, const unsigned char* from, unsigned char* data, unsigned char* meta) {
  for (std::uint64_t i = 0; i < blocks; ++i, from += ns.lba + ns.metadata) {
    std::memcpy(data + i * ns.lba, from, ns.lba);
    std::memcpy(meta + i * ns.metadata, from + ns.lba, ns.metadata);
  }
}
}  // namespace

void ControllerModel::protection_error(Command& c, Status status) {
  if (status == Status::success) return;
  ++stats_.protection_errors;
  fail(c, status);
}

/// A read's data are here: its metadata, too. False: the tuples are wrong.
bool ControllerModel::check_read(Chunk& chunk) {
  Command& c = *chunk.command;
  if (!data_mode_ || c.ns == nullptr || c.ns->metadata == 0) return true;
  const Namespace& ns = *c.ns;
  const ftl::Request& r = chunk.request;
  load_metadata(c, r.address.count, r.size.count, chunk.meta);
  if (!ns.protects()) return true;
  const std::uint64_t blocks = r.size.count / ns.lba;
  const Expected expected = expected_of(c, chunk.offset / ns.lba);
  const Status status = check_tuples(ns, expected, blocks, chunk.buffer, chunk.meta.data());
  if (status == Status::success) return true;
  if (check_tuples(ns, expected, blocks, chunk.buffer, chunk.earlier.data()) == Status::success) {
    chunk.meta = chunk.earlier;  // overwritten meanwhile
    return true;
  }
  protection_error(c, status);
  return false;
}

/// A write's data are here, or zeroes have been made: inserts or checks tuples, and keeps the metadata. False: they are wrong.
bool ControllerModel::check_write(Chunk& chunk) {
  Command& c = *chunk.command;
  const Namespace& ns = *c.ns;
  const ftl::Request& r = chunk.request;
  const std::uint64_t blocks = r.size.count / ns.lba;
  if (!data_mode_) return true;
  const bool zeroes = c.sqe.opcode == static_cast<std::uint8_t>(IoOpcode::write_zeroes);
  chunk.meta.resize(blocks * ns.metadata);
  if (zeroes) std::fill(chunk.meta.begin(), chunk.meta.end(), ns.protects() && !c.sqe.pract() ? 0xff : 0);
  else if (!c.meta_moves) std::fill(chunk.meta.begin(), chunk.meta.end(), 0);
  else if (ns.extended) part(ns, blocks, chunk.host.data(), chunk.buffer, chunk.meta.data());
  if (ns.protects()) {
    const Expected expected = expected_of(c, chunk.offset / ns.lba);
    if (c.sqe.pract()) insert_tuples(ns, expected.reference, expected.tag, blocks, chunk.buffer, chunk.meta.data());
    else if (const Status status = check_tuples(ns, expected, blocks, chunk.buffer, chunk.meta.data()); status != Status::success) {
      protection_error(c, status);
      return false;
    }
  }
  store_metadata(c, r.address.count, r.size.count, chunk.meta.data());
  return true;
}

/// Data from the FTL have arrived, and the data pointer is known.
void ControllerModel::deliver(Chunk& chunk, Time now) {
  Command& c = *chunk.command;
  if (c.work == Work::none) {
    move(chunk, true, now);
    return;
  }
  stats_.kept += chunk.request.size;
  if (c.work == Work::compare) {
    move(chunk, false, now);
    return;
  }
  ended_by(c, chunk.request.journey, std::max(now, chunk.request.stream.last), Stage::control);
  finish_chunk(chunk, now);
}

/// The host's bytes are here, too.
void ControllerModel::compare(Chunk& chunk, Time now) {
  Command& c = *chunk.command;
  const Namespace& ns = *c.ns;
  if (data_mode_ && !chunk.failed && !c.abandoned) {
    const std::uint64_t blocks = chunk.request.size.count / ns.lba;
    const bool inside = c.meta_moves && ns.metadata != 0 && ns.extended;
    const std::uint64_t stride = ns.lba + (inside ? ns.metadata : 0);
    const std::uint64_t tuple = ns.protects() ? ns.tuple_at() : ns.metadata;
    bool same = true;
    for (std::uint64_t i = 0; i < blocks && same; ++i) {
      const unsigned char* const host = chunk.host.data() + i * stride;
      same = std::memcmp(host, chunk.buffer + i * ns.lba, ns.lba) == 0;
      if (!c.meta_moves || ns.metadata == 0) continue;
      const unsigned char* const meta = inside ? host + ns.lba : chunk.earlier.data() + i * ns.metadata;
      const unsigned char* const kept = chunk.meta.data() + i * ns.metadata;
      for (std::uint64_t b = 0; b < ns.metadata; ++b) {
        if (ns.protects() && b >= tuple && b < tuple + tuple_bytes) continue;
        same = same && meta[b] == kept[b];
      }
    }
    if (!same) fail(c, Status::compare_failure);
  }
  ended_by(c, chunk.request.journey, now, Stage::link);
  finish_chunk(chunk, now);
}

/// How a chunk looks on the link: [begin, end) of what the data pointer describes, and its bytes (null without data).
unsigned char* ControllerModel::host_view(Chunk& chunk, bool to_host, std::uint64_t& begin, std::uint64_t& end) {
  Command& c = *chunk.command;
  if (c.ns == nullptr) return chunk.buffer;
  const Namespace& ns = *c.ns;
  const bool inside = c.meta_moves && ns.metadata != 0 && ns.extended;
  if (!inside && c.work != Work::compare) return chunk.buffer;
  const std::uint64_t blocks = (end - begin) / ns.lba;
  if (inside) {
    const std::uint64_t stride = ns.lba + ns.metadata;
    begin = begin / ns.lba * stride;
    end = begin + blocks * stride;
    (to_host ? stats_.metadata_sent : stats_.metadata_received) += Bytes{blocks * ns.metadata};
  }
  if (!data_mode_) return nullptr;
  chunk.host.resize(end - begin);
  if (to_host) interleave(ns, blocks, chunk.buffer, chunk.meta.data(), chunk.host.data());
  return chunk.host.data();
}

/// Metadata that have a pointer of their own.
void ControllerModel::move_metadata(Chunk& chunk, bool to_host, Time now) {
  Command& c = *chunk.command;
  if (c.ns == nullptr || !c.meta_moves || c.ns->metadata == 0 || c.ns->extended) return;
  const Namespace& ns = *c.ns;
  const Bytes size{chunk.request.size.count / ns.lba * ns.metadata};
  std::vector<unsigned char>& bytes = c.work == Work::compare ? chunk.earlier : chunk.meta;
  if (data_mode_) bytes.resize(size.count);
  (to_host ? stats_.metadata_sent : stats_.metadata_received) += size;
  if (to_host) moving_ += size;
  DmaRequest& dma = dmas_.take();
  dma.write = to_host;
  dma.address = c.meta_address + chunk.offset / ns.lba * ns.metadata;
  dma.size = size;
  dma.bytes = data_mode_ ? bytes.data() : nullptr;
  dma.stream = to_host ? Stream{.first = now, .last = std::max(chunk.request.stream.last, now)} : Stream{};
  dma.journey = chunk.request.journey;
  dma.ok = true;
  dma.purpose = DmaRequest::Purpose::data;
  dma.owner = &chunk;
  ++chunk.pieces;
  issue(dma, now);
}

}  // namespace flashpath::nvme

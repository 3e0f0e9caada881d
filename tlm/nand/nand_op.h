// SPDX-License-Identifier: Apache-2.0
// One operation of a NAND die, as the FTL asks for it: plain data, no SystemC.
#pragma once
#include <cstdint>

#include "base/ids.h"
#include "base/journey.h"
#include "base/timeline.h"
#include "base/units.h"

namespace flashpath::nand {

using ChannelId = Id<struct ChannelTag, std::uint16_t>;
using DieId = Id<struct DieTag, std::uint16_t>;      ///< within the drive; channel = die % channels, target = die / channels
using BlockId = Id<struct BlockTag, std::uint32_t>;  ///< the same block number in every plane named by the operation
using PageId = Id<struct PageTag, std::uint32_t>;    ///< page within the block: wordline * bits_per_cell + page type

enum class OpKind : std::uint8_t { read, program, erase };
enum class OpStatus : std::uint8_t { ok, uncorrectable, program_failed, erase_failed };

/// read     pages `page` of `block` in planes [plane, plane + planes): one array operation of tR, then `size` bytes over
///          the channel, taken from `offset` bytes into the planes' pages in plane order (page bytes each)
/// program  the whole wordline (all pages of a cell) in those planes, one-shot: size = planes * bits_per_cell * page bytes;
///          `page` is the wordline's first page. The data goes in over the channel first. Its order: page type by page
///          type (lower, middle, upper), within a type plane by plane, so that a read of one type in the same planes is one slice.
///          With program_unit = page: that one page in those planes, size = planes * page bytes, in plane order.
/// erase    `block` in those planes
struct Op {
  OpKind kind = OpKind::read;
  DieId die{};
  BlockId block{};
  PageId page{};
  std::uint8_t plane = 0;
  std::uint8_t planes = 1;
  Bytes offset{};
  Bytes size{};
  unsigned char* data = nullptr;  ///< data mode: where the bytes go, or come from; timing mode: nullptr
  bool background = false;        ///< of garbage collection, not of the host

  // Filled in by the array before it answers.
  OpStatus status = OpStatus::ok;
  Stream stream{};           ///< read: when the first decoded codeword and the last are in the controller; else both = end
  Journey journey{};         ///< in: as of submission; out: marked up to the answer (stream.first)
  std::uint8_t retries = 0;  ///< read: senses after the first (read retry, soft sensing)
  bool refresh = false;      ///< read: the array advises to rewrite this block soon (read disturb or retention near the limit)

  bool dead = false;  ///< failed because the die or a plane of it has died

  // The caller's own.
  std::uint64_t tag = 0;
  std::uint64_t tag2 = 0;
  void* owner = nullptr;

  void* inside = nullptr;  ///< the array's own, until it answers
};

}  // namespace flashpath::nand

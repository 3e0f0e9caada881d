// SPDX-License-Identifier: Apache-2.0
// What software and the NIC say to each other: register page, work request, receive ring, completion ring.
// All little-endian; plain data, no SystemC.
//
// Each core has a page of 4 KiB at nic_base + core * page_size. A work request is one 64-byte write to its offset 0 (a
// doorbell that carries the work request itself, as mlx5's BlueFlame does), posted: taken at the NIC's message rate.
// The two rings lie in DPU memory at addresses written before the first capsule. A slot is valid when its `sequence` equals the number
// of the entry software waits for, counted from 1 and never reset (slot = (sequence - 1) % entries): software polls memory
// only. It tells the NIC how far it has read by writing the count to the `*_consumed` register, from time to time;
// what finds its ring full waits in the NIC.
#pragma once
#include <cstdint>

#include "fabric/message.h"

namespace flashpath::fabric {

enum class WorkOp : std::uint8_t {
  send = 1,        ///< a response message to the client: command, status, size
  rdma_write = 2,  ///< `length` bytes at `local` (one contiguous range) to the client's `remote`
  rdma_read = 3,   ///< `length` bytes from the client's `remote` to `local`
};

enum class WorkStatus : std::uint16_t { ok = 0, bad_request = 1, memory_error = 2 };

/// Bit of WorkRequest::flags: write a completion entry when done. Without it a request completes silently (errors never do).
inline constexpr std::uint8_t signalled = 0x01;

struct WorkRequest {
  WorkOp op{};
  std::uint8_t flags = 0;
  std::uint16_t status = 0;  ///< send: goes into the response
  std::uint32_t connection = 0;
  std::uint64_t local = 0;    ///< rdma_*: address in DPU memory
  std::uint64_t remote = 0;   ///< rdma_*: the client's address
  std::uint64_t length = 0;   ///< rdma_*: bytes
  std::uint64_t wr_id = 0;    ///< returned in the completion
  std::uint64_t command = 0;  ///< send: the client's id of the command (Capsule::command)
  std::uint64_t size = 0;     ///< send: the object's size, for the client
  std::uint64_t trace = 0;    ///< handle of the request's journey (fabric/journeys.h), 0: none; a send gives it back
};
static_assert(sizeof(WorkRequest) == 64);

/// One slot of a core's receive ring: a capsule as it came in.
struct Capsule {
  Opcode opcode{};
  std::uint8_t reserved[3]{};
  std::uint32_t connection = 0;
  Key key{};
  std::uint64_t remote = 0;
  std::uint64_t size = 0;
  std::uint64_t command = 0;
  std::uint64_t trace = 0;  ///< handle of the request's journey
  std::uint8_t reserved2[68]{};
  std::uint32_t sequence = 0;
};
static_assert(sizeof(Capsule) == 128);

/// One slot of a core's completion ring.
struct Completion {
  std::uint64_t wr_id = 0;
  std::uint64_t length = 0;
  std::uint32_t connection = 0;
  WorkStatus status{};
  WorkOp op{};
  std::uint8_t reserved = 0;
  std::uint32_t reserved2 = 0;
  std::uint32_t sequence = 0;
};
static_assert(sizeof(Completion) == 32);

/// Offsets in a core's register page. Writes of 64 bytes to work_request, of 8 bytes to the others; reads of 8.
namespace reg {
inline constexpr std::uint64_t page_size = 0x1000;
inline constexpr std::uint64_t work_request = 0x000;
inline constexpr std::uint64_t receive_base = 0x100;
inline constexpr std::uint64_t receive_entries = 0x108;
inline constexpr std::uint64_t completion_base = 0x110;
inline constexpr std::uint64_t completion_entries = 0x118;
inline constexpr std::uint64_t receive_consumed = 0x120;     ///< capsules read so far
inline constexpr std::uint64_t completion_consumed = 0x128;  ///< completions read so far
}  // namespace reg

/// Which core's ring a key's capsules go to, of the cores whose receive ring is set up (in order of core number).
constexpr std::uint32_t core_of(const Key& key, std::uint32_t cores) {
  std::uint64_t h = 0xcbf29ce484222325U;  // FNV-1a, then the top bits spread evenly
  for (const std::uint8_t byte : key) h = (h ^ byte) * 0x100000001b3U;
  h ^= h >> 32U;
  return static_cast<std::uint32_t>(((h & 0xffffffffU) * cores) >> 32U);
}

}  // namespace flashpath::fabric

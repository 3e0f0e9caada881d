// SPDX-License-Identifier: Apache-2.0
// What crosses the network between a client and the DPU: RDMA-like messages, plain data, no SystemC.
//
//   store      client ── capsule(store, key, size, remote) ──▶ DPU
//              client ◀─ read_request(remote, size, read_tag) ─ DPU      one per rdma_read work request
//              client ── read_data(size, read_tag) ───────────▶ DPU      the bytes; read_tag echoed
//              client ◀─ response(command, status) ──────────── DPU
//   retrieve   client ── capsule(retrieve, key, size, remote) ─▶ DPU
//              client ◀─ write_data(remote, size) ───────────── DPU      one per rdma_write work request
//              client ◀─ response(command, status, size) ─────── DPU
//   remove, exist   capsule, then response
//
// The pattern is NVMe over Fabrics' (NVMe-oF 1.1, RDMA transport): the command and its response are SENDs, the data moves
// by RDMA_READ and RDMA_WRITE that the target starts. On one connection, messages arrive in the order of their work requests.
#pragma once
#include <array>
#include <cstdint>

#include "base/units.h"

namespace flashpath::fabric {

using Key = std::array<std::uint8_t, 16>;

enum class MessageKind : std::uint8_t { capsule, read_request, read_data, write_data, response };

/// Key-value opcodes (NVMe Key Value Command Set 1.0, figure "Opcodes for KV I/O commands").
enum class Opcode : std::uint8_t { none = 0x00, store = 0x01, retrieve = 0x02, remove = 0x10, exist = 0x14 };

struct Message {
  MessageKind kind = MessageKind::capsule;
  Opcode opcode = Opcode::none;  ///< capsule; echoed in nothing else
  std::uint16_t status = 0;      ///< response: 0 is success, anything else is the firmware's
  std::uint32_t connection = 0;  ///< queue pair; below fabric::Config::connections
  Key key{};                     ///< capsule
  std::uint64_t remote = 0;      ///< capsule: the client's buffer; read_request, write_data: where in it
  Bytes size{};                  ///< capsule: of the object or the buffer; read_*, write_data: of this piece; response: of the object
  std::uint64_t command = 0;     ///< the client's own id of its command; capsule and response
  std::uint64_t read_tag = 0;    ///< read_request; the client returns it in read_data
};

/// Bytes on the wire of what is not data (headers of the packet itself are counted per packet, Config::packet_overhead).
inline constexpr Bytes capsule_bytes{64};       ///< NVMe-oF command capsule
inline constexpr Bytes response_bytes{16};      ///< NVMe-oF response capsule
inline constexpr Bytes read_request_bytes{16};  ///< RETH: address, key, length (InfiniBand 1.4 §9.3.3)

}  // namespace flashpath::fabric

// SPDX-License-Identifier: Apache-2.0
// What the NVMe controller asks of the FTL: plain data, and the extension that carries it over a socket.
#pragma once
#include <cstdint>

#include "base/journey.h"
#include "base/timeline.h"
#include "base/units.h"

namespace flashpath::ftl {

enum class RequestKind : std::uint8_t { read, write, trim, flush, format };
enum class RequestStatus : std::uint8_t { ok, out_of_range, uncorrectable, write_fault };

/// read   [address, address + size) of the drive's logical bytes; answered at stream.first: from then on the bytes can
///        be sent on as a stream that ends at stream.last
/// write  the bytes are in the controller already; the request is taken (accepted) when the power-loss-protected
///        write buffer has room, answered when it is safe there (early completion)
/// trim   deallocates whole mapping units inside the range; what is left at the edges stays
/// flush  answered when everything written before is on flash (or at once: the buffer is power-loss protected)
/// format unmaps everything (address and size do not count); with `erase` answered when every block is erased
struct Request {
  RequestKind kind = RequestKind::read;
  Bytes address{};
  Bytes size{};
  unsigned char* data = nullptr;  ///< data mode only
  std::uint16_t stream_id = 0;    ///< write stream / placement handle
  bool erase = false;             ///< format

  // Filled in by the FTL before it answers.
  RequestStatus status = RequestStatus::ok;
  Stream stream{};
  Journey journey{};  ///< in: as of submission; out: of the piece that came last

  // The caller's own.
  std::uint64_t tag = 0;
  std::uint64_t tag2 = 0;
  void* owner = nullptr;

  void* carrier = nullptr;  ///< the FTL's own while the request is with it (its payload)
};

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
// A list of block requests, to be replayed closed loop: which bytes, in which order; no times.
//
//   op,lba512,sectors          a heading, if there is one, names the columns; without, these three come first
//   R,107962368,2048           op: R or W (read, write); address and size in sectors of 512 B; further columns are not read
//
// Plain, gzip or zstd (line_source.h). Blank lines and lines that begin with # are passed over. Any other line that is not a request
// is an error; the first ten are named. Not read: other operations (trim, flush), time stamps.
#pragma once
#include <string>
#include <vector>

#include "firmware/io_spec.h"

namespace flashpath::replay {

struct RequestList {
  std::vector<firmware::Access> requests;
  std::string path, packing, sha256;
  Bytes largest{};
  std::uint64_t reads = 0, writes = 0;
};

/// Throws UserErrors.
RequestList read_requests(const std::string& path);

}  // namespace flashpath::replay

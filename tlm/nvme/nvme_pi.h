// SPDX-License-Identifier: Apache-2.0
// Protection information, NVM Command Set Specification 1.0 §5.2: an eight-byte tuple in each block's metadata, big-endian as in
// T10 SBC: guard (CRC-16 0x8BB7 over the data, and over the metadata before it if the tuple is last), application tag, reference tag.
//
//   type 1  reference tag = low 32 bits of the LBA       type 2  the command's initial reference tag, counted up
//   type 3  reference tag is the host's own, not counted and not checked
//   not checked at all: application tag FFFFh (types 1, 2), and reference tag FFFFFFFFh with it (type 3)
#pragma once
#include <cstddef>
#include <cstdint>

#include "nvme/namespace.h"
#include "nvme/spec.h"

namespace flashpath::nvme {

/// CRC-16/T10-DIF, continued from `crc`.
std::uint16_t crc16_t10dif(const unsigned char* bytes, std::size_t size, std::uint16_t crc = 0);

/// What a command says about the tuples of its blocks.
struct Expected {
  unsigned prchk = 0;
  std::uint32_t reference = 0;  ///< of its first block
  std::uint16_t tag = 0;
  std::uint16_t mask = 0;  ///< bits of the application tag that are checked
};

/// `blocks` blocks of data, and their metadata (dense). success, or the first error: guard, application tag, reference tag.
Status check_tuples(const Namespace& ns, const Expected& expected, std::uint64_t blocks, const unsigned char* data,
                    const unsigned char* meta);
void insert_tuples(const Namespace& ns, std::uint32_t reference, std::uint16_t tag, std::uint64_t blocks, const unsigned char* data,
                   unsigned char* meta);

}  // namespace flashpath::nvme

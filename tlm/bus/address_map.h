// SPDX-License-Identifier: Apache-2.0
// The DPU's physical address map. One table, used by the bus (decode), the firmware (allocation) and the tests.
#pragma once
#include <cstdint>

#include "base/units.h"

namespace flashpath::bus {

inline constexpr std::uint64_t control_base = 0x0000'8000'0000U;  ///< DRAM: queues, PRP lists, rings: always real bytes
inline constexpr std::uint64_t control_size = 0x0000'4000'0000U;  ///< 1 GiB
inline constexpr std::uint64_t staging_base = 0x0010'0000'0000U;  ///< DRAM: object data on its way; up to 64 GiB
inline constexpr std::uint64_t index_base = 0x0020'0000'0000U;    ///< DRAM: the KV store's hash index
inline constexpr std::uint64_t nic_base = 0x0100'0000'0000U;      ///< NIC registers: 64-byte work requests are written here
inline constexpr std::uint64_t nic_size = 0x0000'0010'0000U;
inline constexpr std::uint64_t crypto_base = 0x0110'0000'0000U;  ///< crypto engine registers: frame table, key slots
inline constexpr std::uint64_t crypto_size = 0x0000'1000'0000U;
inline constexpr std::uint64_t bar_base = 0x0200'0000'0000U;    ///< BAR0 of drive i at bar_base + i * bar_stride
inline constexpr std::uint64_t bar_stride = 0x0000'0100'0000U;  ///< 16 MiB

}  // namespace flashpath::bus

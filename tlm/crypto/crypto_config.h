// SPDX-License-Identifier: Apache-2.0
// The inline AES-XTS engine between the PCIe root complex and the interconnect.
#pragma once
#include <string>
#include <tuple>

#include "base/config.h"

namespace flashpath::crypto {

/// One LBA is one XTS data unit.
inline constexpr Bytes data_unit{4096};
inline constexpr Bytes aes_block{16};
inline constexpr Bytes key_bytes{64};

struct Config {
  std::uint32_t lanes = 8;
  Hertz clock = 1_GHz;
  std::uint32_t pipeline_cycles = 45;
  Duration bypass_latency = 10ns;
  Duration register_latency = 20ns;
  std::uint32_t key_slots = 1024;
  Bytes frame_size = 1_MiB;
  std::uint32_t frames = 16384;
  std::uint32_t outstanding = 16;

  static constexpr auto schema() {
    using C = Config;
    return std::tuple{
        Field{"lanes", &C::lanes, "unrolled AES-XTS pipes per direction", Known::assumed,
              "8 x 16 GB/s = 128 GB/s: above the 800 Gbit/s that NVIDIA states for BlueField-4's inline cryptography", Range{1U, 256U}},
        Field{"clock", &C::clock, "of a lane; one 16-byte block per cycle", Known::assumed,
              "a fully unrolled AES round per stage closes near 1 GHz in 5 nm", Range{100_MHz, 4_GHz}},
        Field{"pipeline_cycles", &C::pipeline_cycles, "block in to block out, the tweak's own AES included", Known::assumed,
              "IEEE 1619-2018 §5.3: E(K2, i), then 14 rounds (FIPS 197), two XORs: 28 to 45 stages", Range{1U, 1000U}},
        Field{"bypass_latency", &C::bypass_latency, "of everything that is not encrypted", Known::assumed, "ten register stages at 1 GHz",
              Range{0ns, 1us}},
        Field{"register_latency", &C::register_latency, "access to the frame table and key slots", Known::assumed,
              "on-die SRAM behind a register bus", Range{0ns, 1us}},
        Field{"key_slots", &C::key_slots, "data encryption keys on die", Known::assumed, "1 to 10 K hot keys on die (ConnectX DEK objects)",
              Range{1U, 1'000'000U}},
        Field{"frame_size", &C::frame_size, "a staging frame: the largest NVMe command", Known::assumed,
              "a choice of the platform; a multiple of 4 KiB", Range{4_KiB, 64_MiB}},
        Field{"frames", &C::frames, "entries of the frame table", Known::assumed, "16 GiB of staging memory at 1 MiB",
              Range{1U, 4'000'000U}},
        Field{"outstanding", &C::outstanding, "requests of one link inside that the interconnect has not taken yet", Known::assumed,
              "one write queue per root port", Range{1U, 4096U}},
    };
  }
  void check(const std::string& where, UserErrors& errors) const {
    if (frame_size % data_unit != Bytes{}) errors.add(where + ".frame_size: not a multiple of 4KiB (one XTS data unit)");
  }
};

}  // namespace flashpath::crypto

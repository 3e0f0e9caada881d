// SPDX-License-Identifier: Apache-2.0
// AES-256-XTS (IEEE 1619-2018), in place, by OpenSSL. Keys live in slots, each with its contexts set up once.
// A data unit is 4 KiB; its tweak is its LBA as a 128-bit little-endian number (IEEE 1619-2018 §5.1).
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "crypto/crypto_config.h"

struct evp_cipher_ctx_st;

namespace flashpath::crypto {

enum class Way : std::uint8_t { decrypt, encrypt };
using Tweak = std::array<unsigned char, 16>;

class AesXts {
 public:
  explicit AesXts(std::uint32_t slots);
  ~AesXts();
  AesXts(const AesXts&) = delete;
  AesXts& operator=(const AesXts&) = delete;

  /// Key 1 (data) then key 2 (tweak), 64 bytes. False: no such slot, or both halves equal (IEEE 1619-2018 §5.1, FIPS 140-3 IG C.I).
  bool set_key(std::uint32_t slot, std::span<const unsigned char, 64> key);
  bool has_key(std::uint32_t slot) const { return slot < slots_.size() && slots_[slot].set; }

  /// One data unit of 16 bytes or more; a last partial block is handled by ciphertext stealing. False: no key, or too short.
  bool unit(Way way, std::uint32_t slot, const Tweak& tweak, std::span<unsigned char> bytes);
  /// Consecutive 4 KiB units from `lba` on; `offset` bytes into the first. Offset and length are multiples of 16. False otherwise, or
  /// without a key.
  bool blocks(Way way, std::uint32_t slot, std::uint64_t lba, std::uint64_t offset, std::span<unsigned char> bytes);

 private:
  struct Free {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  using Context = std::unique_ptr<evp_cipher_ctx_st, Free>;
  struct Slot {
    bool set = false;
    std::array<Context, 2> contexts;  // by Way
  };
  std::vector<Slot> slots_;
};

}  // namespace flashpath::crypto

// SPDX-License-Identifier: Apache-2.0
#include "crypto/aes_xts.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

namespace flashpath::crypto {

void AesXts::Free::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

AesXts::AesXts(std::uint32_t slots) : slots_(slots) {}
AesXts::~AesXts() = default;

bool AesXts::set_key(std::uint32_t slot, std::span<const unsigned char, 64> key) {
  if (slot >= slots_.size() || std::equal(key.begin(), key.begin() + 32, key.begin() + 32)) return false;
  Slot& s = slots_[slot];
  s.set = true;
  for (const int way : {0, 1}) {
    auto& context = s.contexts[static_cast<std::size_t>(way)];
    if (!context) context.reset(EVP_CIPHER_CTX_new());
    s.set = EVP_CipherInit_ex(context.get(), EVP_aes_256_xts(), nullptr, key.data(), nullptr, way) == 1 && s.set;
  }
  return s.set;
}

bool AesXts::unit(Way way, std::uint32_t slot, const Tweak& tweak, std::span<unsigned char> bytes) {
  if (!has_key(slot) || bytes.size() < aes_block.count) return false;
  EVP_CIPHER_CTX* context = slots_[slot].contexts[static_cast<std::size_t>(way)].get();
  int n = 0;
  return EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, tweak.data(), -1) == 1 &&
         EVP_CipherUpdate(context, bytes.data(), &n, bytes.data(), static_cast<int>(bytes.size())) == 1;
}

bool AesXts::blocks(Way way, std::uint32_t slot, std::uint64_t lba, std::uint64_t offset, std::span<unsigned char> bytes) {
  if (!has_key(slot) || offset % aes_block.count != 0 || bytes.size() % aes_block.count != 0) return false;
  lba += offset / data_unit.count;
  offset %= data_unit.count;
  while (!bytes.empty()) {
    const std::size_t part = std::min<std::size_t>(bytes.size(), data_unit.count - offset);
    Tweak tweak{};
    for (unsigned i = 0; i < 8; ++i) tweak[i] = static_cast<unsigned char>(lba >> (8 * i));
    if (offset == 0) {
      if (!unit(way, slot, tweak, bytes.first(part))) return false;
    } else {  // XTS blocks depend on their position only: put the piece where it belongs
      std::array<unsigned char, data_unit.count> whole{};
      std::memcpy(whole.data() + offset, bytes.data(), part);
      if (!unit(way, slot, tweak, std::span{whole}.first(offset + part))) return false;
      std::memcpy(bytes.data(), whole.data() + offset, part);
    }
    bytes = bytes.subspan(part);
    offset = 0;
    ++lba;
  }
  return true;
}

}  // namespace flashpath::crypto

// SPDX-License-Identifier: Apache-2.0
// The fuzzer's bytes, read from the front; when they are used up everything is zero.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace flashpath::fuzz {

class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_{bytes} {}
  bool empty() const { return bytes_.empty(); }
  std::uint8_t u8() { return take<std::uint8_t>(); }
  std::uint16_t u16() { return take<std::uint16_t>(); }
  std::uint32_t u32() { return take<std::uint32_t>(); }
  std::uint64_t u64() { return take<std::uint64_t>(); }
  /// 0, or as many bytes as the two bits say: small numbers are what fields take.
  std::uint32_t by_width(unsigned two_bits) {
    switch (two_bits & 3U) {
      case 0: return 0;
      case 1: return u8();
      case 2: return u16();
      default: return u32();
    }
  }

 private:
  template <class T>
  T take() {
    T value = 0;
    const std::size_t size = bytes_.size() < sizeof value ? bytes_.size() : sizeof value;
    std::memcpy(&value, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return value;
  }
  std::span<const std::uint8_t> bytes_;
};

}  // namespace flashpath::fuzz

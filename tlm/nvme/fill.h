// SPDX-License-Identifier: Apache-2.0
// Filling in structures that go to the host.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace flashpath::nvme {

inline constexpr std::string_view firmware_revision = "1.0";

/// ASCII, padded with spaces, §1.5.
template <std::size_t N>
void text(std::array<char, N>& field, std::string_view s) {
  field.fill(' ');
  std::copy_n(s.begin(), std::min(N, s.size()), field.begin());
}

template <class T>
void put(std::vector<unsigned char>& to, const T& value, std::size_t at = 0) {
  std::memcpy(to.data() + at, &value, sizeof value);
}

inline void big_endian(std::uint64_t value, std::uint8_t* to) {
  for (unsigned i = 0; i < 8; ++i) to[i] = static_cast<std::uint8_t>(value >> (56U - 8U * i));
}

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
#include "pcie/msix.h"

#include <bit>

namespace flashpath::pcie {

void Msix::send(std::uint32_t vector, Time now) {
  const Entry& e = entries_[vector];
  ++sent_;
  if (message) message(e.dword[0] | (static_cast<std::uint64_t>(e.dword[1]) << 32U), e.dword[2], now);
}

void Msix::raise(std::uint32_t vector, Time now) {
  ++raised_;
  if (!enabled_ || vector >= vectors()) {
    ++unsignalled_;
    return;
  }
  if (may() && !entries_[vector].masked()) return send(vector, now);
  merged_ += pending(vector) ? 1U : 0U;
  pending_[vector / 64] |= std::uint64_t{1} << (vector % 64);
}

void Msix::flush(std::uint32_t vector, Time now) {
  if (!pending(vector) || !may() || entries_[vector].masked()) return;
  pending_[vector / 64] &= ~(std::uint64_t{1} << (vector % 64));
  send(vector, now);
}

void Msix::table_write(std::uint32_t offset, std::uint32_t value, Time now) {
  const std::uint32_t which = offset / 4 % 4;
  if (which == 0) value &= ~3U;  // messages are dwords
  if (which == 3) value &= 1U;   // the rest is reserved
  entries_[offset / entry_bytes].dword[which] = value;
  if (which == 3) flush(offset / entry_bytes, now);
}

void Msix::allow(bool enabled, bool masked, bool master, Time now) {
  if (enabled_ && !enabled) {  // what is pending has nobody to go to
    unsignalled_ += waiting();
    for (auto& word : pending_) word = 0;
  }
  enabled_ = enabled;
  masked_ = masked;
  master_ = master;
  if (!may()) return;
  for (std::uint32_t word = 0; word < pending_.size(); ++word) {
    for (std::uint64_t bits = pending_[word]; bits != 0; bits &= bits - 1)
      flush(word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits)), now);
  }
}

void Msix::reset() {
  unsignalled_ += waiting();
  for (Entry& e : entries_) e = Entry{};
  for (auto& word : pending_) word = 0;
  enabled_ = masked_ = master_ = false;
}

std::uint64_t Msix::waiting() const {
  std::uint64_t n = 0;
  for (const std::uint64_t word : pending_) n += static_cast<std::uint64_t>(std::popcount(word));
  return n;
}

}  // namespace flashpath::pcie

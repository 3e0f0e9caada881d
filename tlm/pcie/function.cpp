// SPDX-License-Identifier: Apache-2.0
#include "pcie/function.h"

namespace flashpath::pcie {

Function::Function(const Identity& identity, const Device& device)
    : identity_{identity}, device_{device}, config_{identity}, msix_{identity.vectors} {}

void Function::cfg_write(std::uint32_t offset, unsigned bytes, std::uint32_t value, Time now) {
  if (config_.write(offset, bytes, value)) flr(now);
  else allow(now);
}

/// The host gets back a function as after power-on; what is under way inside ends without being seen.
void Function::flr(Time now) {
  ++resets_;
  config_.reset();
  msix_.reset();
  if (device_.reset) device_.reset(now);
}

std::uint32_t Function::dword(std::uint64_t offset) const {
  if (in_table(offset)) return msix_.table_read(static_cast<std::uint32_t>(offset - identity_.table));
  if (in_pending(offset)) return msix_.pending_read(static_cast<std::uint32_t>(offset - identity_.pending));
  return offset < identity_.bar.count ? static_cast<std::uint32_t>(device_.read(offset, 4)) : 0;
}

std::uint64_t Function::bar_read(std::uint64_t offset, unsigned size) {
  const std::uint64_t mask = size >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8U * size)) - 1;
  if (!config_.memory() || size == 0 || size > 8 || offset >= identity_.bar.count || size > identity_.bar.count - offset) {
    ++unsupported_;
    config_.unsupported();
    return mask;
  }
  if (size == 8 && offset % 8 == 0 && !in_table(offset) && !in_pending(offset)) return device_.read(offset, 8);
  std::uint64_t value = 0;
  for (unsigned done = 0; done < size;) {
    const auto skip = static_cast<unsigned>((offset + done) % 4);
    const std::uint64_t part = dword(offset + done - skip) >> (8U * skip);
    value |= part << (8U * done);
    done += 4 - skip;
  }
  return value & mask;
}

void Function::bar_write(std::uint64_t offset, unsigned size, std::uint64_t value, Time now) {
  if (!config_.memory() || size == 0 || size > 8 || offset >= identity_.bar.count || size > identity_.bar.count - offset) {
    ++unsupported_;
    config_.unsupported();
    return;
  }
  if (!in_table(offset)) {
    if (!in_pending(offset)) device_.write(offset, size, value, now);  // pending bits are read-only
    return;
  }
  if ((size != 4 && size != 8) || offset % size != 0) return;
  for (unsigned at = 0; at < size; at += 4) {
    if (in_table(offset + at))
      msix_.table_write(static_cast<std::uint32_t>(offset + at - identity_.table), static_cast<std::uint32_t>(value >> (8U * at)), now);
  }
}

void Function::received(DmaStatus status) {
  if (status == DmaStatus::ok) return;
  ++failed_;
  config_.failed(status == DmaStatus::unsupported_request, status == DmaStatus::completer_abort);
}

void Function::check(Laws& laws) const {
  laws.equal("interrupts raised", msix_.raised(), "messages + merged + not signalled + pending",
             Wide{msix_.sent()} + msix_.merged() + msix_.unsignalled() + msix_.waiting());
}

}  // namespace flashpath::pcie

// SPDX-License-Identifier: Apache-2.0
// Asynchronous events, NVMe 2.0 §5.2: what has happened and nobody has been told of yet.
//
// An event of a type that has been reported waits until the host has read the log page that report named (without Retain
// Asynchronous Event), so that a host in trouble is not flooded. Of equal events only one waits.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "nvme/spec.h"

namespace flashpath::nvme {

class Events {
 public:
  /// Asynchronous Event Configuration, §5.27.1.8.
  void configure(std::uint32_t value) { enabled_ = value; }
  std::uint32_t configuration() const { return enabled_; }

  /// False: there is one like it already, or the host does not want to hear of it.
  bool raise(AsyncEventType type, std::uint8_t info, LogPage page);
  /// The next event that may be reported: its completion's dword 0. From then on its type is masked.
  std::optional<std::uint32_t> take();
  /// The host has read a log page.
  void seen(LogPage page);
  void clear();

 private:
  static constexpr std::uint16_t not_masked = 0xffff;
  std::uint32_t enabled_ = 0;
  std::vector<std::uint32_t> pending_;
  std::array<std::uint16_t, 8> masked_until_ = {not_masked, not_masked, not_masked, not_masked,
                                                not_masked, not_masked, not_masked, not_masked};  // by type: page to be read
};

}  // namespace flashpath::nvme

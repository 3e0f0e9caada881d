// SPDX-License-Identifier: Apache-2.0
// Failures by configuration: what dies, and when.
//
//   faults = "die:0.17@10ms, plane:0.3.1@0s, channel:1.4@2ms, drive:2@1s, link:0@3ms"
//
// drive:D · channel:D.C (all its dies) · die:D.N · plane:D.N.P · link:D (trains again, for
// pcie.retrain_time), each `@` a time after the platform is ready. What has died stays dead.
#pragma once
#include <string>
#include <vector>

#include "platform/config.h"

namespace flashpath::platform {

struct Fault {
  enum class What : std::uint8_t { drive, channel, die, plane, link };
  What what = What::drive;
  std::uint32_t drive = 0;
  std::uint32_t part = 0;  ///< channel or die
  std::uint32_t plane = 0;
  Duration at{};
};

/// Whether flash dies.
constexpr bool of_flash(const Fault& fault) { return fault.what != Fault::What::drive && fault.what != Fault::What::link; }

/// Every mistake goes to `errors`.
std::vector<Fault> parse_faults(const std::string& text, const Config& config, UserErrors& errors);

/// "die:0.17", as in the configuration, without its time.
std::string name_of(const Fault& fault);

/// The planes (a bit each) of a die that this fault takes.
std::uint32_t planes_of(const Fault& fault, const nand::Config& config, std::uint32_t die);

}  // namespace flashpath::platform

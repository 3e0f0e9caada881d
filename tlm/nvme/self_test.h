// SPDX-License-Identifier: Apache-2.0
// Device self-test, NVMe 2.0 §5.9 and §5.16.1.7: one at a time, in the background, with a log of the last twenty. It takes its time
// and finds nothing: the flash's failures show in the SMART log.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>

#include "base/units.h"
#include "nvme/nvme_config.h"
#include "nvme/spec.h"
#include "nvme/spec_log.h"

namespace flashpath::nvme {

class SelfTest {
 public:
  enum class Kind : std::uint8_t { none = 0, brief = 1, extended = 2 };
  enum class Result : std::uint8_t { passed = 0, aborted = 1, reset = 2, format = 4 };

  explicit SelfTest(const Config& config) : brief_{config.self_test}, extended_{config.extended_self_test} {}

  bool running() const { return kind_ != Kind::none; }
  Kind kind() const { return kind_; }
  /// How long it takes; the owner calls over() then, with the number that start() gave.
  Duration length(Kind kind) const { return kind == Kind::brief ? brief_ : extended_; }
  std::uint64_t start(Kind kind, std::uint32_t nsid, Time now) {
    kind_ = kind;
    nsid_ = nsid;
    begun_ = now;
    return ++number_;
  }
  void over(std::uint64_t number, Time now) {
    if (running() && number == number_) end(Result::passed, now);
  }
  void end(Result result, Time now) {
    std::move_backward(log_.begin(), log_.end() - 1, log_.end());
    SelfTestResult& entry = log_[0];
    entry = SelfTestResult{};
    entry.status = static_cast<std::uint8_t>(static_cast<unsigned>(result) | static_cast<unsigned>(kind_) << 4U);
    entry.power_on_hours = {static_cast<std::uint32_t>((now - Time{}) / Duration{std::chrono::hours{1}}), 0};
    entry.nsid = nsid_;
    entry.valid = nsid_ != 0 ? 1 : 0;
    kind_ = Kind::none;
  }
  SelfTestLog log(Time now) const {
    SelfTestLog out{};
    out.operation = static_cast<std::uint8_t>(kind_);
    if (running()) out.completion = static_cast<std::uint8_t>(std::min<std::int64_t>((now - begun_) * 100 / length(kind_), 99));
    out.results = log_;
    return out;
  }

 private:
  static constexpr std::array<SelfTestResult, 20> unused() {
    std::array<SelfTestResult, 20> all{};
    for (SelfTestResult& r : all) r.status = 0x0f;  // entry not used
    return all;
  }
  Duration brief_, extended_;
  Kind kind_ = Kind::none;
  std::uint32_t nsid_ = 0;
  std::uint64_t number_ = 0;
  Time begun_{};
  std::array<SelfTestResult, 20> log_ = unused();
};

/// Firmware slots, §5.11 and §5.12: images are taken and forgotten - the firmware here is the model, whatever is committed.
class FirmwareSlots {
 public:
  static constexpr std::uint8_t count = 3;

  void downloaded() { image_ = true; }
  /// Commit Action 0 to 3 on a slot (0: the controller chooses).
  Status commit(unsigned slot, unsigned action) {
    if (slot > count || slot == 1) return Status::firmware_slot;  // 1 is read only
    if (action > 3) return Status::invalid_field;
    if (slot == 0) slot = active_ == 2 ? 3 : 2;
    if (action < 2) {
      if (!image_) return Status::firmware_image;
      image_ = false;
      present_[slot] = true;
    }
    if (action != 0 && !present_[slot]) return Status::firmware_image;
    if (action == 1 || action == 2) next_ = static_cast<std::uint8_t>(slot);
    if (action == 3) active_ = static_cast<std::uint8_t>(slot);
    return action == 1 || action == 2 ? Status::firmware_needs_reset : Status::success;
  }
  void reset() {
    image_ = false;
    if (next_ != 0) active_ = next_;
    next_ = 0;
  }
  std::uint8_t afi() const { return static_cast<std::uint8_t>(active_ | next_ << 4U); }
  bool present(std::size_t slot) const { return present_[slot]; }

 private:
  bool image_ = false;
  std::uint8_t active_ = 1, next_ = 0;
  std::array<bool, count + 1> present_{false, true, false, false};
};

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
#include "client/bare_drive.h"

#include <algorithm>

#include "ftl/prepare_flash.h"

namespace flashpath::client {
namespace {
template <class T>
T& object(std::uint64_t arg) {
  return *reinterpret_cast<T*>(arg);
}
template <class T>
std::uint64_t arg(T& object) {
  return reinterpret_cast<std::uint64_t>(&object);
}
}  // namespace

BareDrive::BareDrive(const DriveConfig& config, Dma dma)
    : dma_latency_{config.dma_latency},
      client_{dma},
      controller_{agenda_, config.nvme, config.ftl.capacity, true, "FP0", controller_stats_},
      function_{controller_, config.nvme},
      ftl_{agenda_,
           config.ftl,
           config.geometry,
           true,
           ftl::FtlModel::IssueFlash::to<&BareDrive::flash>(this),
           ftl::FtlModel::Event::to<&BareDrive::accepted>(this),
           ftl::FtlModel::Event::to<&BareDrive::answered>(this)},
      array_{agenda_,      config.nand,
             array_stats_, nand::ArrayModel::Answered::to<&BareDrive::flash_answered>(this),
             true,         Random{config.seed, "drive.nand"}} {
  function_.dma = Delegate<void(nvme::DmaRequest&, Time)>::to<&BareDrive::dma>(this);
  function_.place(0, Time{});
  controller_.outside.ftl = Delegate<void(ftl::Request&, Time)>::to<&BareDrive::submit>(this);
  controller_.outside.health = Delegate<ftl::Health()>::to<&ftl::FtlModel::health>(&ftl_);
  ftl_.on_health(ftl::FtlModel::HealthChanged::to<&nvme::ControllerModel::health_changed>(&controller_));
  ftl::prepare_flash(ftl_, array_, config.geometry, config.ftl.spare_blocks);
}

void BareDrive::run_until(Time limit) {
  agenda_.run_until(limit);
  if (limit > now_) now_ = limit;
}

void BareDrive::dma(nvme::DmaRequest& request, Time now) {
  const Time done = std::max(now, request.write ? request.stream.last : now) + dma_latency_;
  agenda_.post<&BareDrive::dma_done>(done, this, arg(request));
}

void BareDrive::dma_done(Time now, std::uint64_t request) {
  auto& r = object<nvme::DmaRequest>(request);
  const bool ok = client_(r.address, r.bytes, r.size.count, r.write);
  if (!r.write) r.stream = {now, now};
  r.journey.mark(Stage::link, now);
  function_.dma_done(r, ok ? pcie::DmaStatus::ok : pcie::DmaStatus::unsupported_request, now);
}

// Answers are posted, not handed on inside the call: none of the three is to be entered again while it works.
void BareDrive::accepted(ftl::Request& request, Time now) { agenda_.post<&BareDrive::tell_accepted>(now, this, arg(request)); }
void BareDrive::answered(ftl::Request& request, Time now) { agenda_.post<&BareDrive::tell_answered>(now, this, arg(request)); }
void BareDrive::flash_answered(nand::Op& op, Time now) { agenda_.post<&BareDrive::tell_flash>(now, this, arg(op)); }
void BareDrive::tell_accepted(Time now, std::uint64_t request) { controller_.ftl_accepted(object<ftl::Request>(request), now); }
void BareDrive::tell_answered(Time now, std::uint64_t request) { controller_.ftl_answered(object<ftl::Request>(request), now); }
void BareDrive::tell_flash(Time now, std::uint64_t op) { ftl_.flash_answered(object<nand::Op>(op), now); }

void BareDrive::check(Laws& laws) const {
  laws.about("nvme");
  controller_.check(laws, now_);
  function_.check(laws);
  laws.about("ftl");
  ftl_.check(laws, now_);
  laws.about("nand");
  array_.check(laws, now_);
}

}  // namespace flashpath::client

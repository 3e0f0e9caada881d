// SPDX-License-Identifier: Apache-2.0
// The FTL's model alone: one request at a time, over flash that answers at the moment it is asked.
#pragma once
#include "base/agenda.h"
#include "ftl/ftl_model.h"

namespace flashpath::sim {

class Device {
 public:
  static constexpr std::uint64_t unit = 4096;

  Device(const ftl::Config& config, const ftl::Geometry& geometry)
      : model{agenda_,
              config,
              geometry,
              false,
              ftl::FtlModel::IssueFlash::to<&Device::flash>(this),
              ftl::FtlModel::Event::to<&Device::ignore>(this),
              ftl::FtlModel::Event::to<&Device::ignore>(this)} {}

  void write(std::uint64_t first, std::uint16_t handle, std::uint64_t units = 1) { run(ftl::RequestKind::write, first, units, handle); }
  void trim(std::uint64_t first, std::uint64_t units) { run(ftl::RequestKind::trim, first, units, 0); }
  Time now() const { return agenda_.now(); }

 private:
  void run(ftl::RequestKind kind, std::uint64_t first, std::uint64_t units, std::uint16_t handle) {
    request_ = {};
    request_.kind = kind;
    request_.address = {first * unit};
    request_.size = {units * unit};
    request_.stream_id = handle;
    model.submit(request_, agenda_.now());
    agenda_.run();
  }
  void flash(nand::Op& op, Time now) { agenda_.post<&Device::done>(now, this, reinterpret_cast<std::uint64_t>(&op)); }
  void done(Time now, std::uint64_t op) { model.flash_answered(*reinterpret_cast<nand::Op*>(op), now); }
  void ignore(ftl::Request&, Time) {}
  Agenda agenda_;
  ftl::Request request_;

 public:
  ftl::FtlModel model;
};

}  // namespace flashpath::sim

// SPDX-License-Identifier: Apache-2.0
// The static page-mapping FTL (static_model.h) behind the sockets of ftl_part.h: ftl.part = "static".
#pragma once
#include "ftl/ftl_part.h"
#include "ftl/static_model.h"

namespace flashpath::ftl {

class StaticFtl final : public Ftl {
 public:
  /// Throws UserErrors when configuration and geometry do not go together.
  StaticFtl(const sc_core::sc_module_name& name, Environment& environment, const Config& config, const Geometry& geometry);

  tlm_utils::simple_target_socket<SplitPort>& in_read() override { return sockets_.read.socket; }
  tlm_utils::simple_target_socket<SplitPort>& in_write() override { return sockets_.write.socket; }
  tlm_utils::simple_initiator_socket<InitiatorPort>& flash() override { return sockets_.flash.socket; }
  Bytes capacity() const override { return capacity_; }
  const StaticModel& model() const { return model_; }

  void check(Laws& laws, Time now) const override;
  void explain(Stall& stall) const override;

 private:
  FtlSockets sockets_;
  Bytes capacity_;
  StaticModel model_;
};

}  // namespace flashpath::ftl

// SPDX-License-Identifier: Apache-2.0
#include "ftl/static_part.h"

#include <algorithm>

namespace flashpath::ftl {

StaticFtl::StaticFtl(const sc_core::sc_module_name& name, Environment& environment, const Config& config, const Geometry& geometry)
    : Ftl{name, environment},
      sockets_{agenda_, FtlSockets::Submit::to<&StaticModel::submit>(&model_),
               FtlSockets::FlashAnswered::to<&StaticModel::flash_answered>(&model_)},
      capacity_{config.capacity},
      model_{agenda_,
             config,
             geometry,
             environment.data_mode,
             stats,
             StaticModel::IssueFlash::to<&FtlSockets::issue>(&sockets_),
             StaticModel::Event::to<&FtlSockets::accepted>(&sockets_),
             StaticModel::Event::to<&FtlSockets::answered>(&sockets_)} {}

void StaticFtl::check(Laws& laws, Time now) const {
  laws.about(name());
  model_.check(laws, now);
  sockets_.check(laws);
}

void StaticFtl::explain(Stall& stall) const {
  stall.about(name());
  model_.explain(stall);
  sockets_.explain(stall);
}

}  // namespace flashpath::ftl

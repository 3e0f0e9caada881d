// SPDX-License-Identifier: Apache-2.0
// The FTL's own state as health information. Whoever listens hears of a change that may raise a warning at the moment it happens.
#include "ftl/ftl_model.h"

namespace flashpath::ftl {

Health FtlModel::health() const {
  Health h;
  if (config_.spare_blocks != 0) h.spare = static_cast<std::uint8_t>(std::uint64_t{fewest_spares()} * 100 / config_.spare_blocks);
  std::uint64_t erases = 0;
  for (const Superblock& sb : superblocks_) erases += sb.erases;
  h.percentage_used = percentage_used(erases, superblocks_.size(), geometry_.initial_pe, geometry_.endurance);
  h.read_only = read_only_;
  h.degraded = dead_dies_ != 0;
  h.programmed = {counts_.flash_programmed};
  h.host_written = {counts_.host_written};
  h.erased = Bytes{counts_.flash_erases * (layout_.program_unit() * geometry_.wordlines_per_block)};
  return h;
}

void FtlModel::health_changed(Time now) {
  if (on_health_) on_health_(now);
}

}  // namespace flashpath::ftl

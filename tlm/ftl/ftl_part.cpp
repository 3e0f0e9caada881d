// SPDX-License-Identifier: Apache-2.0
#include "ftl/ftl_part.h"

#include <algorithm>

namespace flashpath::ftl {

ModelFtl::ModelFtl(const sc_core::sc_module_name& name, Environment& environment, const Config& config, const Geometry& geometry)
    : Ftl{name, environment},
      sockets_{agenda_, FtlSockets::Submit::to<&FtlModel::submit>(&model_),
               FtlSockets::FlashAnswered::to<&FtlModel::flash_answered>(&model_)},
      capacity_{config.capacity},
      model_{agenda_,
             config,
             geometry,
             environment.data_mode,
             FtlModel::IssueFlash::to<&FtlSockets::issue>(&sockets_),
             FtlModel::Event::to<&FtlSockets::accepted>(&sockets_),
             FtlModel::Event::to<&FtlSockets::answered>(&sockets_)} {}

void ModelFtl::check(Laws& laws, Time now) const {
  laws.about(name());
  model_.check(laws, now);
  sockets_.check(laws);
}

void ModelFtl::explain(Stall& stall) const {
  stall.about(name());
  model_.explain(stall);
  sockets_.explain(stall);
}

void ModelFtl::finish(Time now) {
  const Counts& c = model_.counts();
  host_read_.value = c.host_read;
  host_written_.value = c.host_written;
  due_.value = model_.due();
  flash_read_.value = c.flash_read;
  flash_programmed_.value = c.flash_programmed;
  flash_reads_.value = c.flash_reads;
  flash_programs_.value = c.flash_programs;
  flash_erases_.value = c.flash_erases;
  gc_moved_.value = c.gc_moved;
  gc_victims_.value = c.gc_victims;
  buffer_hit_.value = c.buffer_hit;
  unmapped_read_.value = c.unmapped_read;
  rewrites_.value = c.rewrites;
  map_hits_.value = c.map_hits;
  map_misses_.value = c.map_misses;
  map_reads_.value = c.map_reads;
  map_written_.value = c.map_written;
  trimmed_.value = c.trimmed;
  failures_.value = c.failures;
  placed_.value = c.placed;
  padded_.value = c.padded;
  wear_victims_.value = c.wear_victims;
  bad_blocks_.value = c.bad_blocks;
  copied_.value = c.copied;
  failed_.value = c.failed;
  refresh_victims_.value = c.refresh_victims;
  spares_.value = model_.fewest_spares();
  gc_busy_.value = static_cast<std::uint64_t>(model_.gc_busy(now).count());
  pacing_wait_.value = static_cast<std::uint64_t>(c.pacing_wait.count());
  const WearSummary wear = model_.wear();
  wear_least_.value = wear.least;
  wear_most_.value = wear.most;
  wear_sum_.value = wear.sum;
  wear_.set(wear.classes);
  superblocks_.value = model_.layout().superblocks();
  victims_valid_.set(c.victims_valid);
  closed_valid_.set(model_.closed_valid());
  dead_dies_.value = model_.dead_dies();
  lost_units_.value = c.lost_units;
  rewritten_.value = c.rewritten;
  parity_.value = c.parity;
  rebuilds_.value = c.rebuilds;
  rebuilt_.value = c.rebuilt;
  rebuild_reads_.value = c.rebuild_reads;
  rebuild_failures_.value = c.rebuild_failures;
  free_superblocks_.value = model_.free_superblocks();
  map_bytes_.value = model_.memory().count;
  buffer_wait_.value = static_cast<std::uint64_t>(c.buffer_wait.count());
  superblock_wait_.value = static_cast<std::uint64_t>(c.superblock_wait.count());
  lookup_.value = c.lookup_busy;
}

}  // namespace flashpath::ftl

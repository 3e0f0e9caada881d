// SPDX-License-Identifier: Apache-2.0
// Format: nothing is mapped any more. Without erasure that is all; superblocks are erased when collection comes by, as victims of
// which nothing is valid. With erasure open superblocks are closed, every one that is not free is erased, a few at a time on all
// dies side by side, and the answer waits for the last:
//
//   answered   erases: ceil(superblocks in use × t_bers) if each die erases one block after the other, after what was in programming
//
// Writes, trims and flushes behind it wait meanwhile; reads give zeros.
//
// Not modelled: changing the logical block size, progress reports.
#include "ftl/ftl_model.h"

namespace flashpath::ftl {

void FtlModel::format(Job& job, Time now) {
  counts_.trimmed += mapping_.mapped();
  ++counts_.formats;
  if (spare_area_) spare_area_->trimmed(0, mapping_.units());
  mapping_ = Mapping{mapping_.units(), layout_.units() * layout_.superblocks(), Start{}};
  lost_.clear();
  if (cache_) cache_->for_each([](MapPage& p) { p.dirty = false; });
  for (std::uint32_t i = 0; i < superblocks_.size(); ++i) {
    superblocks_[i].valid = 0;
    superblocks_[i].as_started = false;
    closed_.lost(i);
  }
  for (Victim& v : victims_) nothing_left(v);
  levelling_ = false;
  if (!job.request->erase) return;
  wiping_ = &job;
  job.done = 1;  // not answered yet
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    WriteStream& stream = streams_[i];
    pad(stream, i < config_.write_streams, now);
    if (stream.superblock == no_superblock) continue;
    superblocks_[stream.superblock].runs.append(Run::hole, layout_.units() - stream.next);
    stream.next = layout_.units();
    close(stream);
  }
  wiped(now);
}

/// The victim's units need not be looked at.
void FtlModel::nothing_left(Victim& v) {
  v.in_run = v.run.count;
  v.cursor.word = ~std::size_t{0};
}

/// The next superblock to be erased for a format, as collection's victim.
bool FtlModel::wipe(Time now) {
  if (erasing_ >= wipe_most) return false;
  const std::uint32_t i = wear_.least_closed();
  if (i == no_superblock) return false;
  pick(i, now);
  nothing_left(victims_.back());
  return true;
}

/// Answers the format when every superblock that is left is free.
void FtlModel::wiped(Time now) {
  if (free_ != usable_) return;
  Job& job = *wiping_;
  wiping_ = nullptr;
  agenda_.post<&FtlModel::answer_later>(look_up(1, config_.write_latency, now), this, reinterpret_cast<std::uint64_t>(&job));
}

}  // namespace flashpath::ftl

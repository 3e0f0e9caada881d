// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "nvme/nvme_model.h"

namespace flashpath::nvme {

void ControllerModel::check(Laws& laws, Time now) const {
  flow_.check(laws, "commands inside", now);
  laws.equal("SQEs fetched", stats_.fetched.value, "CQEs posted + dropped by resets + inside",
             stats_.posted.value + stats_.dropped.value + flow_.inside() - posting_);
  laws.equal("read bytes from the FTL and metadata with them", stats_.read_answered.value + stats_.metadata_sent.value,
             "sent to the host + dropped + kept + inside",
             stats_.sent.value + stats_.read_dropped.value + stats_.kept.value + waiting_for_prps_.count + moving_.count);
  laws.equal("write bytes asked of the host", stats_.asked.value, "given to the FTL + dropped + inside",
             stats_.handed_on.value + stats_.write_dropped.value + staged_not_sent_.count);
  Wide stages = 0;
  for (const auto& stage : stats_.stages) stages += stage.value;
  laws.equal("stages of all I/O commands", stages, "their latencies",
             stats_.read_latency.sum() + stats_.write_latency.sum() + stats_.other_latency.sum());
  for (const auto& space : kv_spaces_) {
    if (space != nullptr) laws.expect(space->sound(), "values and holes fill a key-value namespace, and none overlaps another");
  }
  laws.expect(staged_ <= config_.staging, "staged write data fits the staging window");
  laws.equal("I/O contexts", config_.contexts + admin_contexts, "free + taken + reserved by fetches",
             free_contexts_[0] + free_contexts_[1] + commands_.outstanding() + reserved_);
  if (flow_.inside() == 0 && chunks_.outstanding() == 0) {
    laws.expect(staged_ == Bytes{}, "no write data is left in the staging window");
    laws.expect(free_buffers_.size() == buffers_.size(), "all data buffers are back");
    laws.equal("DMA requests not returned", dmas_.outstanding(), "fetches and shadow doorbells under way",
               fetch_pool_.outstanding() + shadow_dmas_);
  }
}

void ControllerModel::explain(Stall& stall) const {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t prps = 0;
  std::uint64_t other = 0;
  std::uint64_t full = 0;
  for (const CompletionQueue& cq : cqs_) full += cq.backlog.size();
  for (const Command* c = newest_; c != nullptr; c = c->older) {
    if (c->finished) continue;
    if (!c->io) ++other;
    else if (!c->prps_ready) ++prps;
    else if (c->direction == Direction::to_host) ++reads;
    else ++writes;
  }
  writes -= std::min<std::uint64_t>(writes, writes_.size());
  other -= std::min<std::uint64_t>(other, async_requests_.size());
  stall.waits(reads, "read commands", "data from the FTL or its way to the host (ftl, dma)");
  stall.waits(writes_.size(), "write commands", "room in the staging window (ftl write buffer)");
  stall.waits(writes, "write commands", "their data from the host, or the FTL to take and answer it (dma, ftl)");
  stall.waits(prps, "commands", "their PRP lists (dma)");
  stall.waits(full, "completions", "room in a completion queue (host)");
  stall.waits(other, "other commands", "their queues, the FTL or the host");
  stall.waits(fetches_, "fetches of submission queue entries", "host memory (dma)");
  stall.waits(dma_queue_[0].size() + dma_queue_[1].size(), "data DMA requests", "one of dma_outstanding");
}

}  // namespace flashpath::nvme

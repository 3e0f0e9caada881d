// SPDX-License-Identifier: Apache-2.0
// What the controller counts.
#pragma once
#include <array>
#include <utility>

#include "base/journey.h"
#include "base/stats.h"

namespace flashpath::nvme {

class Statistics {
  using U = stats::Unit;
  stats::Group& group_;

  template <std::size_t... S>
  static std::array<stats::Counter, sizeof...(S)> counters(stats::Group& group, std::index_sequence<S...>) {
    return {stats::Counter{group, name_of(static_cast<Stage>(S)), stats::Unit::picosecond,
                           "I/O commands: time on the critical path, doorbell to CQE sent"}...};
  }

 public:
  Statistics(stats::Group& group, std::uint64_t engines)
      : group_{group},
        front_ends{group, "front_ends", engines, "command processing"},
        stages{counters(group, std::make_index_sequence<stage_count>{})} {}

  stats::Busy front_ends;
  stats::Counter doorbells{group_, "doorbells", U::count, "doorbell writes"};
  stats::Counter bad_doorbells{group_, "bad_doorbells", U::count, "doorbell writes with a wrong register or value"};
  stats::Counter ignored_writes{group_, "ignored_writes", U::count, "register writes of odd size, alignment or offset"};
  stats::Counter fetches{group_, "fetches", U::count, "DMA reads of submission queue entries"};
  stats::Counter fetched{group_, "fetched", U::count, "submission queue entries fetched"};
  stats::Counter posted{group_, "posted", U::count, "completion queue entries posted"};
  stats::Counter dropped{group_, "dropped", U::count, "commands abandoned by a reset"};
  stats::Counter failed{group_, "failed", U::count, "commands completed with an error status"};
  stats::Counter full_queue{group_, "full_queue", U::count, "completions that found their queue full"};
  stats::Counter resets{group_, "resets", U::count, "CC.EN 1 to 0"};
  stats::Counter reads{group_, "reads", U::count, "read commands completed"};
  stats::Counter writes{group_, "writes", U::count, "write commands completed"};
  stats::Counter bytes_read{group_, "bytes_read", U::byte, "of read commands completed well"};
  stats::Counter bytes_written{group_, "bytes_written", U::byte, "of write commands completed well"};
  stats::Counter prp_lists{group_, "prp_lists", U::count, "PRP list fetches"};
  stats::Counter read_answered{group_, "read_answered", U::byte, "came from the FTL"};
  stats::Counter sent{group_, "sent", U::byte, "user data written to host memory"};
  stats::Counter read_dropped{group_, "read_dropped", U::byte, "came from the FTL for a failed or abandoned command, or a bit bucket"};
  stats::Counter invalid_placements{group_, "invalid_placements", U::count, "writes whose placement identifier named no placement handle"};
  stats::Counter cmb_accesses{group_, "cmb_accesses", U::count, "accesses to the controller memory buffer instead of host memory"};
  stats::Counter kept{group_, "kept", U::byte, "came from the FTL to be compared, verified or copied"};
  stats::Counter metadata_sent{group_, "metadata_sent", U::byte, "metadata sent to the host, or dropped with its data"};
  stats::Counter metadata_received{group_, "metadata_received", U::byte, "metadata asked of the host"};
  stats::Counter sgl_segments{group_, "sgl_segments", U::count, "SGL segment fetches"};
  stats::Counter protection_errors{group_, "protection_errors", U::count, "blocks whose protection information did not check"};
  stats::Counter asked{group_, "asked", U::byte, "user data asked of the host, zeroes made, and data to be copied"};
  stats::Counter handed_on{group_, "handed_on", U::byte, "write data given to the FTL"};
  stats::Counter write_dropped{group_, "write_dropped", U::byte, "write data of failed or abandoned commands"};
  stats::Counter media_errors{group_, "media_errors", U::count, "uncorrectable reads and failed writes"};
  stats::Counter aborted{group_, "aborted", U::count, "commands that ended by an Abort"};
  stats::Counter interrupts{group_, "interrupts", U::count, "interrupt messages"};
  stats::Counter shadow_accesses{group_, "shadow_accesses", U::count, "DMA to shadow doorbells and event indices"};
  stats::Counter events{group_, "events", U::count, "asynchronous events reported"};
  stats::Counter critical_warning{group_, "critical_warning", U::count, "SMART critical warning bits at the end"};
  stats::Counter available_spare{group_, "available_spare", U::count, "percent at the end, SMART"};
  stats::Counter percentage_used{group_, "percentage_used", U::count, "percent of the rated wear at the end, SMART"};
  stats::Histogram read_latency{group_, "read_latency", "reads: doorbell to CQE sent"};
  stats::Histogram write_latency{group_, "write_latency", "writes: doorbell to CQE sent"};
  stats::Histogram other_latency{group_, "other_latency", "other I/O commands: doorbell to CQE sent"};
  std::array<stats::Counter, stage_count> stages;
};

}  // namespace flashpath::nvme

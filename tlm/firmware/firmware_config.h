// SPDX-License-Identifier: Apache-2.0
// What the cores run, what each step costs, and how the store is laid out.
#pragma once
#include <string>
#include <tuple>

#include "base/config.h"
#include "base/units.h"
#include "firmware/policies.h"
#include "firmware/queue_classes.h"

namespace flashpath::firmware {

struct Config {
  std::uint32_t cores = 16;
  // NVMe driver
  Bytes page = 64_KiB;
  std::uint32_t queue_entries = 256;
  std::string queue_classes = "none";
  Bytes max_command = 1_MiB;
  std::uint32_t submit_cycles = 250;
  std::uint32_t poll_cycles = 75;
  std::uint32_t completion_cycles = 150;
  std::uint32_t poll_batch = 64;
  Duration ready_poll = 10us;
  Duration command_timeout = 30s;
  Duration drive_loss_time = 100ms;
  // staging
  Bytes frame = 1_MiB;
  std::uint32_t frames = 4096;
  bool encrypt = false;
  std::uint32_t key_slot = 0;
  // store
  std::string existing = "overwrite";
  bool deallocate = false;
  std::uint32_t evict_ahead = 2;
  Redundancy redundancy = Redundancy::none;
  Placement placement = Placement::none;
  std::uint32_t placement_handles = 4;
  std::uint32_t tenant_connections = 16;
  Bytes drive_capacity{};
  Bytes max_object = 1_GiB;
  std::uint32_t index_buckets = 1U << 20U;
  // service
  std::uint32_t receive_entries = 256;
  std::uint32_t completion_entries = 1024;
  std::uint32_t parse_cycles = 200;
  std::uint32_t lookup_cycles = 100;
  std::uint32_t plan_cycles = 50;
  std::uint32_t rdma_cycles = 100;
  std::uint32_t rdma_completion_cycles = 100;
  std::uint32_t window = 16;
  std::uint32_t windows = 2;
  // jobs
  std::uint32_t job_cycles = 100;

  static constexpr auto schema() {
    using C = Config;
    constexpr auto spdk =
        "SPDK NVMe-oF RDMA target reports: 1500 to 2500 cycles a command: poll 150, parse 200, block layer 400, NVMe 250, RDMA 300 to 500";
    return std::tuple{
        Field{"cores", &C::cores, "cores that serve capsules; core i has receive ring i and one queue pair per drive", Known::datasheet,
              "Hot Chips 2026 BlueField-4: 20 M commands/s on 16 cores", Range{1U, 512U}},
        Field{"page", &C::page, "memory page of controllers (CC.MPS), if they support it, else 4 KiB", Known::spec, "NVMe 2.0 §3.1.3.5",
              Range{4_KiB, 1_MiB}},
        Field{"queue_entries", &C::queue_entries, "entries of each I/O queue; one less can be in flight", Known::assumed,
              "SPDK default io_queue_size 256", Range{2U, 4096U}},
        Field{"queue_classes", &C::queue_classes,
              "priority classes of the cores' queues in order of cores, the last one for all that follow, e.g. \"urgent,low\": chooses "
              "weighted "
              "round robin (CC.AMS, QPRIO); none: round robin",
              Known::assumed, "none: what Linux and SPDK choose by default", NoRange{}},
        Field{"max_command", &C::max_command, "largest transfer of one command (and not above MDTS)", Known::assumed,
              "Linux max_hw_sectors_kb of such drives: 128 KiB to 2 MiB", Range{4_KiB, 64_MiB}},
        Field{"submit_cycles", &C::submit_cycles, "one command: context, SQE, PRPs; stores and doorbell are extra", Known::assumed, spdk,
              Range{0U, 100'000U}},
        Field{"poll_cycles", &C::poll_cycles, "one poll of a completion queue or ring, its loads from memory extra", Known::assumed, spdk,
              Range{0U, 100'000U}},
        Field{"completion_cycles", &C::completion_cycles, "one completion queue entry", Known::assumed, spdk, Range{0U, 100'000U}},
        Field{"poll_batch", &C::poll_batch, "entries taken in one poll, then others get their turn", Known::assumed, "SPDK: 64 to 128",
              Range{1U, 65'536U}},
        Field{"ready_poll", &C::ready_poll, "pause between two reads of CSTS", Known::assumed,
              "SPDK polls without pause, Linux every 1 to 2 ms", Range{1us, 100ms}},
        Field{"command_timeout", &C::command_timeout, "a command that takes longer is counted as late", Known::spec,
              "Linux nvme_core.io_timeout: 30 s", Range{1us, Duration{3'600s}}},
        Field{"drive_loss_time", &C::drive_loss_time,
              "from a drive's death to the end of its commands: link down is seen, queues are torn down", Known::assumed,
              "PCIe surprise-down handling; without it Linux waits nvme_core.io_timeout, 30 s", Range{1us, Duration{3'600s}}},
        Field{"frame", &C::frame, "staging frame and extent", Known::assumed, "the largest command", Range{4_KiB, 64_MiB}},
        Field{"frames", &C::frames, "staging frames", Known::assumed, "4 GiB of 128: 100 GB/s x 1 ms needs 0.1 GB, the rest is for bursts",
              Range{1U, 1U << 20U}},
        Field{"encrypt", &C::encrypt, "data on the drives is encrypted", Known::assumed, "a choice", NoRange{}},
        Field{"key_slot", &C::key_slot, "key slot of the crypto engine", Known::assumed, "one tenant", Range{0U, 65'535U}},
        Field{"existing", &C::existing, "storing an existing key: \"overwrite\" or \"refuse\"", Known::spec,
              "NVMe KV 1.0, Store option bits: both exist", NoRange{}},
        Field{"deallocate", &C::deallocate, "tell the drive (DSM deallocate) when an object is removed, replaced or evicted ahead of need",
              Known::assumed, "a choice; less garbage collection for one more command per extent", NoRange{}},
        Field{"evict_ahead", &C::evict_ahead,
              "with deallocate: percent of the store kept free by evicting ahead of need (0: only a store that needs space evicts, and "
              "rewrites it at once, untold)",
              Known::assumed, "as much again as a drive's own over-provisioning of a few percent would be felt", Range{0U, 50U}},
        Field{"redundancy", &C::redundancy, "objects are on one drive each extent, or on two (half the capacity, twice the writes)",
              Known::assumed, "none: a cache can recompute what it lost", NoRange{}},
        Field{"placement", &C::placement,
              "placement handle of an object's writes (NVMe data placement directive): none, one of its own, or its tenant's",
              Known::assumed, "none: the drive mixes everything", NoRange{}},
        Field{"placement_handles", &C::placement_handles, "handles that placement uses; at most ftl.write_streams", Known::assumed,
              "NVMe TP4146 drives offer 8 and more", Range{1U, 64U}},
        Field{"tenant_connections", &C::tenant_connections, "connections with neighbouring numbers that are one tenant", Known::assumed,
              "the client opens 16 per serving instance", Range{1U, 65'536U}},
        Field{"drive_capacity", &C::drive_capacity, "how much of each drive the store uses; 0: all", Known::assumed, "a choice",
              Range{0_B, Bytes{1ULL << 50U}}},
        Field{"max_object", &C::max_object, "largest object", Known::assumed, "a chunk of all layers' KV cache is below",
              Range{4_KiB, Bytes{1ULL << 40U}}},
        Field{"index_buckets", &C::index_buckets, "64-byte buckets of the index", Known::assumed, "4 M objects at 4 a bucket",
              Range{1U, 1U << 30U}},
        Field{"receive_entries", &C::receive_entries, "slots of a core's receive ring", Known::assumed, "SPDK NVMe-oF max_queue_depth 128",
              Range{1U, 65'536U}},
        Field{"completion_entries", &C::completion_entries, "slots of a core's NIC completion ring", Known::assumed,
              "SPDK NVMe-oF: 4096 a poller", Range{1U, 65'536U}},
        Field{"parse_cycles", &C::parse_cycles, "one capsule", Known::assumed, spdk, Range{0U, 100'000U}},
        Field{"lookup_cycles", &C::lookup_cycles, "hash and compare; the misses to memory are extra", Known::assumed,
              "16-byte key: tens of cycles of arithmetic", Range{0U, 100'000U}},
        Field{"plan_cycles", &C::plan_cycles, "one window of frames: extents, frames", Known::assumed, "a few cycles per extent",
              Range{0U, 100'000U}},
        Field{"rdma_cycles", &C::rdma_cycles, "building one NIC work request; its register write is extra", Known::assumed,
              "ibv_post_send takes 50 to 100 ns on servers", Range{0U, 100'000U}},
        Field{"rdma_completion_cycles", &C::rdma_completion_cycles, "one NIC completion", Known::assumed,
              "ibv_poll_cq takes 30 to 80 ns on servers", Range{0U, 100'000U}},
        Field{"window", &C::window, "frames an object moves at once", Known::assumed, "16 MiB keeps nine drives busy", Range{1U, 1024U}},
        Field{"windows", &C::windows, "windows of one object in flight: more than one overlaps flash and network", Known::assumed,
              "double buffering", Range{1U, 16U}},
        Field{"job_cycles", &C::job_cycles, "a block job's own work per command", Known::assumed,
              "fio with io_uring_cmd adds 100 to 200 cycles", Range{0U, 100'000U}},
    };
  }
  void check(const std::string& where, UserErrors& errors) const {
    const auto power = [](std::uint64_t n) { return n != 0 && (n & (n - 1)) == 0; };
    if (!power(page.count)) errors.add(where + ".page: not a power of two");
    if (!power(frame.count)) errors.add(where + ".frame: not a power of two");
    if (!power(index_buckets)) errors.add(where + ".index_buckets: not a power of two");
    if (queue_classes != "none" && !firmware::queue_classes(queue_classes))
      errors.add(where + ".queue_classes = \"" + queue_classes + "\": not a list of urgent, high, medium, low, nor none");
    if (frame > max_command) errors.add(where + ".frame: larger than " + where + ".max_command; an extent is one command");
    if (existing != "overwrite" && existing != "refuse")
      errors.add(where + ".existing = \"" + existing + "\": neither \"overwrite\" nor \"refuse\"");
    if (static_cast<std::uint64_t>(window) > frames) errors.add(where + ".window: more frames than there are");
    if (frame.count * frames > (64ULL << 30U)) errors.add(where + ".frames: the staging area is 64 GiB");
  }
};

}  // namespace flashpath::firmware

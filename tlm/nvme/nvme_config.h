// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <tuple>

#include "base/config.h"
#include "base/units.h"
#include "nvme/namespace.h"

namespace flashpath::nvme {

struct Config {
  std::uint32_t max_queues = 128;
  std::uint32_t max_queue_entries = 4096;
  Bytes mdts = 1_MiB;
  Bytes min_page = 4_KiB;
  Bytes max_page = 64_KiB;
  Bytes doorbell_stride = 4_B;
  Bytes lba = 4_KiB;
  Bytes metadata = 0_B;
  bool extended_lba = false;
  Protection protection = Protection::none;
  bool protection_first = false;
  Bytes cmb = 0_B;
  Duration cmb_latency = 100ns;
  Rate cmb_rate{8'000'000'000};
  std::uint32_t sgl_descriptors = 8192;
  std::uint32_t copy_ranges = 128;
  std::uint32_t max_namespaces = 32;
  std::uint32_t arbitration_burst = 16;
  bool weighted_arbitration = true;
  std::uint32_t weight_high = 32;
  std::uint32_t weight_medium = 16;
  std::uint32_t weight_low = 8;
  std::uint32_t fetch_batch = 16;
  std::uint32_t fetches = 8;
  Bytes sqe_fetch = 64_B;
  std::uint32_t contexts = 1024;
  Bytes read_chunk = 64_KiB;
  Bytes write_chunk = 256_KiB;
  Bytes staging = 4_MiB;
  std::uint32_t dma_outstanding = 64;
  std::uint32_t engines = 4;
  Duration command_time = 800ns;
  Duration read_latency = 3us;
  Duration write_latency = 3us;
  Duration admin_latency = 10us;
  Duration completion_latency = 300ns;
  Duration register_latency = 100ns;
  bool fdp = true;
  Duration self_test = std::chrono::minutes{1};
  Duration extended_self_test = std::chrono::minutes{30};
  Bytes kv_grain = 4_KiB;
  Duration kv_index_time = 250ns;
  Duration kv_index_latency = 1us;
  Duration enable_time = 1ms;
  std::uint32_t vendor_id = 0x1234;
  std::uint32_t device_id = 0xf1a5;
  std::uint32_t temperature = 310;
  std::uint32_t warning_temperature = 343;
  std::uint32_t critical_temperature = 358;
  std::uint32_t spare_threshold = 10;

  static constexpr auto schema() {
    using C = Config;
    return std::tuple{
        Field{"max_queues", &C::max_queues, "I/O submission queues, and as many completion queues and interrupt vectors", Known::datasheet,
              "Samsung PM1743, Micron 9550 product briefs: 128 and more I/O queue pairs; NVMe 2.0: up to 65535", Range{1U, 65535U}},
        Field{"max_queue_entries", &C::max_queue_entries, "largest I/O queue, CAP.MQES + 1", Known::assumed,
              "NVMe 2.0 §3.1.3.1 allows up to 65536; drives print 1024 to 16384", Range{2U, 65536U}},
        Field{"mdts", &C::mdts, "largest transfer of one command, 2^MDTS minimum pages", Known::assumed,
              "NVMe 2.0 §5.17.2.1; drives print 128 KiB to 2 MiB", Range{4_KiB, 64_MiB}},
        Field{"min_page", &C::min_page, "smallest memory page, CAP.MPSMIN", Known::spec, "NVMe 2.0 §3.1.3.1: 4 KiB << MPSMIN",
              Range{4_KiB, 4_KiB}},
        Field{"max_page", &C::max_page, "largest memory page, CAP.MPSMAX", Known::spec, "NVMe 2.0 §3.1.3.1: 4 KiB << MPSMAX",
              Range{4_KiB, 128_MiB}},
        Field{"doorbell_stride", &C::doorbell_stride, "distance of doorbells, 4 << CAP.DSTRD", Known::spec, "NVMe 2.0 §3.1.3.1",
              Range{4_B, 4_KiB}},
        Field{"metadata", &C::metadata, "bytes of metadata of each block, in the flash's spare area (0, 8, 16, 64)", Known::assumed,
              "off; NVM Command Set 1.0 §4.1.5.1, MS", Range{0_B, 128_B}},
        Field{"extended_lba", &C::extended_lba, "metadata follows each block's data in host memory, instead of having its own pointer",
              Known::assumed, "separate; NVM Command Set 1.0 §4.1.5.1, FLBAS bit 4"},
        Field{"protection", &C::protection, "end-to-end data protection of the namespace: none, type1, type2, type3 (16-bit guard)",
              Known::assumed, "off; NVM Command Set 1.0 §5.2, DPS"},
        Field{"protection_first", &C::protection_first, "protection information is in the first eight bytes of the metadata, not the last",
              Known::assumed, "last; NVM Command Set 1.0 §4.1.5.1, DPS bit 3"},
        Field{"cmb", &C::cmb, "controller memory buffer in BAR0, for queues, lists and data; 0: none", Known::assumed,
              "off; NVMe 2.0 §8.5: optional", Range{0_B, 8_MiB}},
        Field{"cmb_latency", &C::cmb_latency, "an access of the controller to it", Known::assumed, "on-chip memory behind a crossbar",
              Range{0ns, 1ms}},
        Field{"cmb_rate", &C::cmb_rate, "its bandwidth inside the controller", Known::assumed, "16 B at 500 MHz",
              Range<Rate>{{1'000'000}, {1'000'000'000'000}}},
        Field{"sgl_descriptors", &C::sgl_descriptors, "SGL descriptors of one command; more of them: Invalid Number of SGL Descriptors",
              Known::assumed, "four per 512 B of 1 MiB; it bounds chains that never end", Range{1U, 65536U}},
        Field{"copy_ranges", &C::copy_ranges, "source ranges of one Copy command, MSRC + 1", Known::assumed,
              "NVM Command Set 1.0 §4.1.5.1: up to 256", Range{1U, 256U}},
        Field{"lba", &C::lba, "logical block size that the drive comes with; 512 B and 4 KiB can be had by Format", Known::spec,
              "NVM Command Set 1.0 §4.1.5.1, LBADS", Range{512_B, 64_KiB}},
        Field{"max_namespaces", &C::max_namespaces, "namespaces a host may create; there is one of the whole capacity at first",
              Known::assumed, "NVMe 2.0 §5.17.2.1, NN; drives print 16 to 128", Range{1U, 1024U}},
        Field{"arbitration_burst", &C::arbitration_burst,
              "commands of one queue in its round-robin turn (a power of two), Arbitration Burst", Known::assumed,
              "NVMe 2.0 §5.27.1.1: default recommended by the controller in RAB", Range{1U, 64U}},
        Field{"weighted_arbitration", &C::weighted_arbitration,
              "offers weighted round robin with urgent priority class (CAP.AMS); the host chooses it (CC.AMS)", Known::assumed,
              "NVMe 2.0 §3.4.4.2: optional"},
        Field{"weight_high", &C::weight_high, "commands of high-priority queues in a round, HPW + 1, until the host sets others",
              Known::assumed, "NVMe 2.0 §5.27.1.1: the controller's choice", Range{1U, 256U}},
        Field{"weight_medium", &C::weight_medium, "of medium-priority queues, MPW + 1", Known::assumed, "half of the class above",
              Range{1U, 256U}},
        Field{"weight_low", &C::weight_low, "of low-priority queues, LPW + 1", Known::assumed, "half of the class above", Range{1U, 256U}},
        Field{"fetch_batch", &C::fetch_batch, "submission queue entries read by one DMA request", Known::assumed,
              "16 entries are 1 KiB, four read completions of 256 bytes", Range{1U, 64U}},
        Field{"fetches", &C::fetches, "such requests under way, at most one per queue", Known::assumed,
              "hides a link round trip of about 1 us at several million commands a second", Range{1U, 1024U}},
        Field{"sqe_fetch", &C::sqe_fetch, "bytes read from host memory for each submission queue entry", Known::spec,
              "NVMe 2.0 §4.2: 64 B; MQSim (FAST'18) moves 72", Range{64_B, 128_B}},
        Field{"contexts", &C::contexts, "I/O commands inside the controller", Known::assumed,
              "Little's law: 3.3 M reads/s (Micron 9550) over 100 us under load need 330", Range{1U, 65536U}},
        Field{"read_chunk", &C::read_chunk, "a read is split at multiples of this; each piece is sent to the host when it comes",
              Known::assumed, "a multi-plane page of 4 x 16 KiB", Range{512_B, 1_MiB}},
        Field{"write_chunk", &C::write_chunk, "a write is split at multiples of this", Known::assumed,
              "one multi-plane TLC programming unit is 192 KiB or more", Range{512_B, 1_MiB}},
        Field{"staging", &C::staging, "write data on its way from the host to the write buffer", Known::assumed,
              "14 GB/s over a round trip of 2 us need 28 KB; the rest covers jitter of the write buffer", Range{4_KiB, 1_GiB}},
        Field{"dma_outstanding", &C::dma_outstanding, "data DMA requests under way, per direction", Known::assumed,
              "as many bursts as fill a PCIe 5.0 x4 link many times over", Range{1U, 4096U}},
        Field{"engines", &C::engines, "front ends that work on commands", Known::assumed,
              "processor cores of a controller that serve host commands", Range{1U, 64U}},
        Field{"command_time", &C::command_time, "time a front end is taken by one command", Known::assumed,
              "4 front ends: 5 M commands/s, above the 3.3 M/s that Micron 9550 prints, so that flash decides", Range{0ns, 1ms}},
        Field{"read_latency", &C::read_latency, "further delay of a read's processing, pipelined", Known::assumed,
              "what 60 us (Micron 9550, QD1 read) leaves after tR, transfer, decode and the link", Range{0ns, 1ms}},
        Field{"write_latency", &C::write_latency, "further delay of a write's processing, pipelined", Known::assumed,
              "Solidigm D7-PS1010, Micron 9550: QD1 writes of 7 to 15 us", Range{0ns, 1ms}},
        Field{"admin_latency", &C::admin_latency, "further delay of an admin command's processing", Known::assumed,
              "firmware path, not time critical", Range{0ns, 1s}},
        Field{"completion_latency", &C::completion_latency, "from a command's last piece to its completion entry on the link",
              Known::assumed, "status collection and completion queue bookkeeping in hardware", Range{0ns, 1ms}},
        Field{"register_latency", &C::register_latency, "register read, inside the controller", Known::assumed,
              "some tens of cycles of a 500 MHz fabric", Range{0ns, 1ms}},
        Field{"fdp", &C::fdp, "flexible data placement is enabled at first: a host's placement identifiers count", Known::assumed,
              "NVMe TP4146: the state a drive leaves the factory in is the vendor's", NoRange{}},
        Field{"self_test", &C::self_test, "time of a short device self-test, which disturbs nobody", Known::assumed,
              "NVMe 2.0 §8.6: two minutes or less", Range<Duration>{1ms, std::chrono::minutes{2}}},
        Field{"extended_self_test", &C::extended_self_test, "time of an extended device self-test (EDSTT)", Known::assumed,
              "minutes to hours; NVMe 2.0 §8.6", Range<Duration>{1ms, std::chrono::hours{24}}},
        Field{"kv_grain", &C::kv_grain, "key-value namespaces: values take whole multiples of this", Known::assumed,
              "a mapping unit of TLC drives", Range{512_B, 1_MiB}},
        Field{"kv_index_time", &C::kv_index_time, "key-value namespaces: time the index is taken by one command", Known::assumed,
              "4 M look-ups/s, as many as front ends take commands", Range{0ns, 1ms}},
        Field{"kv_index_latency", &C::kv_index_latency, "key-value namespaces: further delay of an index look-up, pipelined",
              Known::assumed, "some dependent DRAM misses in a tree or hash of the controller's memory", Range{0ns, 1ms}},
        Field{"enable_time", &C::enable_time, "from CC.EN = 1 to CSTS.RDY = 1", Known::assumed,
              "NVMe 2.0 §3.5: bounded by CAP.TO; shortened, simulated boot is not studied", Range{0ns, 10s}},
        Field{"vendor_id", &C::vendor_id, "PCI vendor, in configuration space and Identify (VID)", Known::assumed,
              "assigned to nobody; emulators use it (QEMU, Bochs display)", Range{1U, 0xfffeU}},
        Field{"device_id", &C::device_id, "PCI device", Known::assumed, "our own choice", Range{0U, 0xffffU}},
        Field{"temperature", &C::temperature, "composite temperature of the SMART log, in kelvin", Known::assumed,
              "37 C: no thermal model; NVMe 2.0 §5.16.1.3", Range{0U, 1000U}},
        Field{"warning_temperature", &C::warning_temperature,
              "WCTEMP, in kelvin: the over-temperature threshold until the host sets another", Known::assumed,
              "70 C: usual in data-centre drives; NVMe 2.0 §5.17.2.1", Range{273U, 1000U}},
        Field{"critical_temperature", &C::critical_temperature, "CCTEMP, in kelvin", Known::assumed,
              "85 C: where drives shut down or throttle hard; NVMe 2.0 §5.17.2.1", Range{273U, 1000U}},
        Field{"spare_threshold", &C::spare_threshold, "percent of spare blocks below which the SMART log warns", Known::assumed,
              "10 %: what most drives print; NVMe 2.0 §5.16.1.3", Range{0U, 100U}},
    };
  }

  void check(const std::string& where, UserErrors& errors) const {
    const auto power_of_two = [](std::uint64_t v) { return v != 0 && (v & (v - 1)) == 0; };
    const auto need = [&](bool holds, const char* what) {
      if (!holds) errors.add(where + ": " + what);
    };
    need(mdts % min_page == Bytes{} && power_of_two(mdts / min_page), "mdts must be a power of two times min_page");
    need(power_of_two(max_page.count) && max_page >= min_page, "max_page must be a power of two and at least min_page");
    need(power_of_two(doorbell_stride.count), "doorbell_stride must be a power of two");
    need(power_of_two(lba.count), "lba must be a power of two");
    need(power_of_two(arbitration_burst), "arbitration_burst must be a power of two");
    need(read_chunk >= lba && read_chunk % lba == Bytes{}, "read_chunk must be a multiple of lba");
    need(write_chunk >= lba && write_chunk % lba == Bytes{}, "write_chunk must be a multiple of lba");
    need(staging >= write_chunk, "staging must hold at least one write_chunk");
    need(critical_temperature >= warning_temperature, "critical_temperature must be at least warning_temperature");
    need(cmb % 4_KiB == Bytes{}, "cmb must be a multiple of 4 KiB");
    need(metadata.count == 0 || metadata.count == 8 || metadata.count == 16 || metadata.count == 64, "metadata must be 0, 8, 16 or 64 B");
    need(protection == Protection::none || metadata.count >= tuple_bytes, "protection needs metadata of 8 B or more");
    need(metadata.count == 0 || lba <= 4_KiB, "blocks with metadata have 512 to 4096 B");
    need((max_queues + 1ULL) * 2 * doorbell_stride.count <= (8_MiB).count, "the doorbells of max_queues queues must fit in 8 MiB");
    need(mdts >= lba, "mdts must be at least one lba");
  }
};

}  // namespace flashpath::nvme

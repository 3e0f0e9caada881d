// SPDX-License-Identifier: Apache-2.0
// The flash translation layer of one drive: what it exports, how it buffers and maps, when it collects garbage.
#pragma once
#include <algorithm>
#include <string>
#include <tuple>

#include "base/config.h"
#include "ftl/geometry.h"
#include "ftl/policies.h"
#include "ftl/start.h"

namespace flashpath::ftl {

struct Config {
  Bytes capacity = 15'360_GB;
  Bytes mapping_unit = 4_KiB;
  Precondition precondition = Precondition::none;
  std::string image = "none";
  MapKind map = MapKind::full;
  Bytes map_cache = 256_MiB;
  Bytes map_page = 16_KiB;
  Bytes map_entry = 4_B;
  Bytes write_buffer = 64_MiB;
  bool flush_programs = false;
  bool power_loss_protection = true;
  bool recoverable = false;
  std::uint32_t rain = 0;
  Duration recovery_read = 60us;
  std::uint32_t write_streams = 1;
  Duration lookup_latency = 500ns;
  Hertz lookup_rate = 12_MHz;
  Duration write_latency = 2us;
  GcPolicy gc_policy = GcPolicy::greedy;
  std::uint32_t gc_d = 10;
  GcPacing gc_pacing = GcPacing::threshold;
  GcIsolation gc_isolation = GcIsolation::initial;
  std::uint32_t gc_victims = 1;
  std::uint32_t gc_low = 8;
  std::uint32_t gc_high = 12;
  std::uint32_t gc_moves = 128;
  std::uint32_t gc_moves_urgent = 512;
  std::uint32_t wear_spread = 0;
  std::uint32_t plane_victims = 10;
  std::uint32_t spare_blocks = 0;

  static constexpr auto schema() {
    using C = Config;
    return std::tuple{
        Field{"capacity", &C::capacity, "logical bytes exported; the rest of the raw flash is over-provisioning", Known::datasheet,
              "15.36 TB: a standard capacity of data-centre drives (JESD218 class, 1 DWPD models)",
              Range<Bytes>{64_KiB, {std::uint64_t{1} << 50U}}},
        Field{"mapping_unit", &C::mapping_unit, "bytes per map entry (indirection unit); a smaller write reads and rewrites its unit",
              Known::assumed, "4 KiB in TLC drives; 16 KiB and more in large QLC drives", Range<Bytes>{4_KiB, 256_KiB}},
        Field{"precondition", &C::precondition,
              "state at time zero: empty, written once in address order, or in the steady state of uniform random overwrites",
              Known::assumed, "SNIA SSS PTS: workload-independent preconditioning writes sequentially; then steady state is reached"},
        Field{"image", &C::image, "file with the state at time zero, written by `flashpath age`; none: as precondition says",
              Known::assumed, "none"},
        Field{"map", &C::map, "the map is in memory as a whole, or on flash with a cache (DFTL)", Known::assumed,
              "about 1 GB of DRAM per TB holds all of it; cached: Gupta, Kim, Urgaonkar: DFTL, ASPLOS'09"},
        Field{"map_cache", &C::map_cache, "memory for translation pages (map = cached)", Known::assumed,
              "a quarter of the map of 1 TB in units of 4 KiB", Range<Bytes>{4_KiB, 1024_GiB}},
        Field{"map_page", &C::map_page, "bytes of a translation page: read and programmed as a whole", Known::assumed,
              "a flash page, as in DFTL", Range<Bytes>{4_KiB, 256_KiB}},
        Field{"map_entry", &C::map_entry, "bytes of an entry of a translation page", Known::assumed, "a physical address of 32 bits",
              Range<Bytes>{1_B, 64_B}},
        Field{"write_buffer", &C::write_buffer, "DRAM for host writes not yet programmed, protected against power loss", Known::assumed,
              "one wordline in each of 128 dies in programming (24 MiB), and as much again twice", Range<Bytes>{64_KiB, 64_GiB}},
        Field{"flush_programs", &C::flush_programs, "a flush pads and programs what is buffered, instead of trusting the protected buffer",
              Known::spec, "NVMe Base 2.0 §7.1 Flush: nothing to do where the cache is non-volatile"},
        Field{"power_loss_protection", &C::power_loss_protection,
              "capacitors save the write buffer; without them a flush programs, and an erase waits until what is newer is on flash",
              Known::assumed, "data-centre drives have it, and report no volatile write cache (NVMe Base 2.0 Identify VWC)"},
        Field{"recoverable", &C::recoverable, "keeps what a recovery from power loss would find: about 32 bytes per random write on flash",
              Known::assumed, "a model's choice: costs memory of the host only"},
        Field{"rain", &C::rain, "program units of data per one of parity on another die (RAIN); 0: none", Known::assumed,
              "off; parity across dies is usual in data-centre drives, its width is rarely published (Micron P320h: 7 + 1)",
              Range{0U, 1023U}},
        Field{"recovery_read", &C::recovery_read, "a page read of a recovery's scan; all dies work side by side", Known::assumed,
              "tR of an upper page and a 16 KiB transfer", Range<Duration>{1ns, 1s}},
        Field{"write_streams", &C::write_streams, "placement handles, each with an open superblock (request.stream_id modulo this)",
              Known::spec, "NVMe TP4146 Flexible Data Placement: one reclaim unit per handle", Range{1U, 64U}},
        Field{"lookup_latency", &C::lookup_latency, "map look-up of a read, in the controller's DRAM", Known::assumed,
              "1-2 dependent DRAM misses and firmware", Range<Duration>{0_ps, 1ms}},
        Field{"lookup_rate", &C::lookup_rate, "map look-ups per second, reads and writes; one covers 16 neighbouring entries",
              Known::assumed, "twice the 5.5 M read IOPS of a Micron 9650", Range<Hertz>{{1}, 10_GHz}},
        Field{"write_latency", &C::write_latency, "allocation and map update of a write, until it is answered", Known::assumed,
              "part of the 15 us of a QD1 write (Micron 9550)", Range<Duration>{0_ps, 1ms}},
        Field{"gc_policy", &C::gc_policy, "which superblock is collected next", Known::assumed,
              "greedy is optimal under uniform writes (Hu et al., SYSTOR'09; Van Houdt, SIGMETRICS'13)"},
        Field{"gc_d", &C::gc_d, "superblocks drawn by d_choices", Known::assumed, "from 10 on as greedy (Van Houdt, SIGMETRICS'13)",
              Range{1U, 1024U}},
        Field{"gc_pacing", &C::gc_pacing, "how host writes give way: when the last superblock is gone, or as fast as collection frees",
              Known::assumed, "tokens: write shaping of data-centre firmware, for even latency"},
        Field{"gc_isolation", &C::gc_isolation, "collected data of different placement handles share superblocks, or do not", Known::spec,
              "NVMe TP4146: initially isolated and persistently isolated reclaim unit handles"},
        Field{"gc_victims", &C::gc_victims, "superblocks collected at a time; host writes leave as many free to collection", Known::assumed,
              "one: the least reserve; two keep the flash busy between victims", Range{1U, 64U}},
        Field{"gc_low", &C::gc_low, "free superblocks at which garbage collection starts", Known::assumed, "about 0.6 % of 1376",
              Range{2U, 65'535U}},
        Field{"gc_high", &C::gc_high, "free superblocks at which it stops", Known::assumed, "about 0.9 % of 1376", Range{2U, 65'535U}},
        Field{"gc_moves", &C::gc_moves, "moves in flight while host writes are not held up", Known::assumed, "one per die",
              Range{1U, 65'535U}},
        Field{"gc_moves_urgent", &C::gc_moves_urgent, "moves in flight while host writes wait for a free superblock", Known::assumed,
              "four per die", Range{1U, 65'535U}},
        Field{"spare_blocks", &C::spare_blocks,
              "blocks per plane kept to replace bad ones (0: a failed program or erase is tried again, as if there were always a spare)",
              Known::assumed, "0: off; dies are sold with up to 2 % bad blocks", Range{0U, 4096U}},
        Field{"wear_spread", &C::wear_spread, "erases between most and least worn superblock beyond which cold data are moved (0: never)",
              Known::assumed, "static wear levelling; 0: off", Range{0U, 1'000'000U}},
        Field{"plane_victims", &C::plane_victims,
              "static part: blocks of a plane collected at once; its host writes wait below so many free blocks", Known::assumed,
              "MQSim (FAST'18) has 10", Range{2U, 1000U}},
    };
  }

  /// Mapping units exported, translation pages (map = full: none), and units of both.
  std::uint64_t data_units() const { return capacity.count / std::max<std::uint64_t>(1, mapping_unit.count); }
  std::uint64_t map_pages() const {
    return map == MapKind::full ? 0 : ceil_div(data_units(), std::max<std::uint64_t>(1, map_page / map_entry));
  }
  std::uint64_t all_units() const { return data_units() + map_pages() * (map_page.count / std::max<std::uint64_t>(1, mapping_unit.count)); }

  /// Of a superblock: what is not parity.
  Bytes superblock_data(const Geometry& g) const { return rain == 0 ? g.superblock() : Bytes{g.superblock().count / (rain + 1) * rain}; }

  void check(const std::string& where, UserErrors& errors) const;
  /// What only shows with the flash beside it.
  void check(const std::string& where, const Geometry& geometry, UserErrors& errors) const;
};

}  // namespace flashpath::ftl

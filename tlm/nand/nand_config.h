// SPDX-License-Identifier: Apache-2.0
// The flash of one drive: geometry, array times, channel and error correction. Defaults: a TLC die of 1 Tb with four
// planes, 16 channels x 8 dies at 3600 MT/s (a 16 TB class drive).
#pragma once
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "base/config.h"
#include "nand/reliability_config.h"

namespace flashpath::nand {

inline constexpr std::uint32_t max_planes = 16;
inline constexpr std::uint32_t max_bits_per_cell = 4;
using PlaneMask = std::uint16_t;

/// What one program writes of each of its planes.
enum class ProgramUnit : std::uint8_t { wordline, page };
std::string_view name_of(ProgramUnit unit);
std::span<const ProgramUnit> all_of(const ProgramUnit*);

/// Who gets a free channel: commands_first commands, data-out, data-in; data_first data-out, then dies in turn (array_model.h).
enum class ChannelPolicy : std::uint8_t { commands_first, data_first };
std::string_view name_of(ChannelPolicy policy);
std::span<const ChannelPolicy> all_of(const ChannelPolicy*);

/// What of a die's waiting operations goes first: reads_first reads, programs, erases; host_first the same, reads of the host before
/// those of garbage collection; fifo in the order of submission, whatever it is.
enum class DiePolicy : std::uint8_t { reads_first, host_first, fifo };
std::string_view name_of(DiePolicy policy);
std::span<const DiePolicy> all_of(const DiePolicy*);

struct Config {
  std::uint32_t channels = 16;
  std::uint32_t dies_per_channel = 8;
  std::uint32_t planes = 4;
  std::uint32_t blocks_per_plane = 1376;
  std::uint32_t wordlines_per_block = 512;
  std::uint32_t bits_per_cell = 3;
  Bytes page = 16_KiB;

  Rate bus_rate = 3600_MBps;  // 8-bit bus: 1 MT/s moves 1 MB/s
  bool sca = false;
  bool independent_plane_reads = true;
  bool merge_planes = false;
  ProgramUnit program_unit = ProgramUnit::wordline;
  ChannelPolicy channel_policy = ChannelPolicy::commands_first;
  DiePolicy die_policy = DiePolicy::reads_first;
  bool cache_read = false;
  bool cache_program = false;
  std::uint32_t program_passes = 1;
  std::uint32_t program_suspends = 0;
  std::uint32_t erase_suspends = 0;

  Duration t_r_lower = 33'750ns;
  Duration t_r_middle = 45us;
  Duration t_r_upper = 58'500ns;
  Duration t_r_extra = 70us;
  Bytes snap_read = 0_B;
  std::uint32_t snap_percent = 80;
  Duration t_prog = 1'100us;
  Duration t_prog_first = 600us;
  Duration t_bers = 5ms;
  Duration t_rcbsy = 3us;
  Duration t_cbsy = 3us;
  Duration t_suspend_program = 30us;
  Duration t_suspend_erase = 35us;
  Duration t_resume = 30us;
  Duration suspend_progress = 100us;

  Duration t_cmd_read = 600ns;
  Duration t_cmd_read_plane = 600ns;
  Duration t_cmd_out = 600ns;
  Duration t_cmd_program = 600ns;
  Duration t_cmd_program_plane = 600ns;
  Duration t_cmd_erase = 300ns;
  Duration t_cmd_erase_plane = 300ns;
  Duration t_cmd_suspend = 100ns;
  Duration t_wb = 100ns;
  Duration t_rr = 20ns;

  Bytes codeword = 4_KiB;
  Bytes parity = 448_B;
  Duration ecc_latency = 2us;
  Rate ecc_rate = 4_GBps;

  std::uint32_t die_overtakes = 64;
  std::uint32_t bus_overtakes = 16;

  ReliabilityConfig reliability;  ///< a block of its own in files: [reliability]

  /// Read time by page type: 0 lower, 1 middle (two bits per cell: upper), 2 upper, 3 extra.
  constexpr std::array<Duration, max_bits_per_cell> t_r() const { return {t_r_lower, t_r_middle, t_r_upper, t_r_extra}; }

  static constexpr auto schema() {
    using C = Config;
    using D = Range<Duration>;
    using B = Range<Bytes>;
    return std::tuple{
        Field{"channels", &C::channels, "flash channels of the drive", Known::datasheet, "Marvell Bravera SC6: 16 channels",
              Range{1U, 64U}},
        Field{"dies_per_channel", &C::dies_per_channel, "dies (LUNs) on one channel", Known::datasheet,
              "Marvell Bravera SC6: 8 chip enables per channel", Range{1U, 64U}},
        Field{"planes", &C::planes, "planes of a die", Known::datasheet, "KIOXIA BiCS8 1 Tb TLC: 4 planes; Micron G9: 6",
              Range{1U, max_planes}},
        Field{"blocks_per_plane", &C::blocks_per_plane, "erase blocks of a plane", Known::assumed,
              "1 Tb / 4 planes / 24 MiB per block, and 0.8 % spare", Range{1U, 65'536U}},
        Field{"wordlines_per_block", &C::wordlines_per_block, "wordlines (times strings) of a block", Known::assumed,
              "block of 24 MiB per plane, 20-30 MB in 230-320 layer TLC", Range{1U, 65'535U}},
        Field{"bits_per_cell", &C::bits_per_cell, "bits per cell, pages per wordline (1 SLC .. 4 QLC)", Known::datasheet, "TLC",
              Range{1U, max_bits_per_cell}},
        Field{"page", &C::page, "data bytes of a page of one plane", Known::datasheet, "16 KiB in every 3D TLC and QLC die since 64 layers",
              B{512_B, 64_KiB}},
        Field{"bus_rate", &C::bus_rate, "channel data rate; 8-bit bus: 3600 MT/s is 3.6GB/s", Known::datasheet,
              "ONFI 5.1 NV-LPDDR4 and Micron G9: 3600 MT/s; JESD230G goes to 4800", Range<Rate>{40_MBps, 16_GBps}},
        Field{"sca", &C::sca, "separate command/address bus: commands do not hold the data bus", Known::spec,
              "JESD230G (2024), SCA protocol"},
        Field{"independent_plane_reads", &C::independent_plane_reads, "reads of different planes of a die run side by side",
              Known::datasheet, "independent multi-plane read, all TLC dies since 176 layers"},
        Field{"merge_planes", &C::merge_planes,
              "waiting operations of one die that fit one multi-plane command (other planes, same page number) begin together; reads only "
              "where planes do not read independently",
              Known::assumed, "ONFI 5.1, multi-plane operations: same page address in each plane; off: the FTL asks for planes together"},
        Field{"program_unit", &C::program_unit, "what a program writes of each plane: a wordline (all its pages, one-shot) or one page",
              Known::datasheet, "one-shot programming: every 3D TLC die"},
        Field{"channel_policy", &C::channel_policy,
              "commands_first: commands, data-out, data-in; data_first: data-out, then dies in turn, a program's data with its command",
              Known::assumed, "commands first keep the arrays at work"},
        Field{"die_policy", &C::die_policy,
              "reads_first: reads, programs, erases; host_first: the host's reads before garbage collection's; fifo: as submitted",
              Known::assumed, "a reader waits for its data, a writer does not: his are in the write buffer"},
        Field{"cache_read", &C::cache_read, "a plane senses the next page while the last one's data leave its cache register", Known::spec,
              "ONFI 5.1, Read Cache Random (31h); off: a plane is held until its data have left"},
        Field{"cache_program", &C::cache_program, "a die takes the data of its next program while its array programs", Known::spec,
              "ONFI 5.1, Page Cache Program (15h); off: one program after another"},
        Field{"program_passes", &C::program_passes, "array passes of a program, the data going in before each: 1 one-shot, 2 foggy-fine",
              Known::datasheet, "TLC: one-shot; foggy-fine QLC: 2", Range{1U, 2U}},
        Field{"program_suspends", &C::program_suspends, "times that one program may be suspended for a host read; 0: never", Known::assumed,
              "off; dies and drives that do it exist, counts are not published", Range{0U, 1'000U}},
        Field{"erase_suspends", &C::erase_suspends, "times that one erase may be suspended for a host read; 0: never", Known::assumed,
              "off; up to 10-50 per erase are said to be safe", Range{0U, 1'000U}},
        Field{"t_r_lower", &C::t_r_lower, "page read time tR, page type 0 (lower)", Known::assumed,
              "0.75 x mean tR (spread of read levels per page)", D{1_ps, 10ms}},
        Field{"t_r_middle", &C::t_r_middle, "page read time tR, page type 1 (middle; MLC: upper)", Known::datasheet,
              "45 us: SK hynix 176-layer TLC (Micron ISSCC'24: 32 us, Samsung 128-layer: 40 us, KIOXIA 162-layer: 50 us)", D{1_ps, 10ms}},
        Field{"t_r_upper", &C::t_r_upper, "page read time tR, page type 2 (upper)", Known::assumed,
              "1.3 x mean tR (spread of read levels per page)", D{1_ps, 10ms}},
        Field{"t_r_extra", &C::t_r_extra, "page read time tR, page type 3 (QLC only)", Known::assumed,
              "1.55 x mean tR; unused with three bits per cell", D{1_ps, 10ms}},
        Field{"snap_read", &C::snap_read, "a read of one plane within an aligned piece of this size is a snap (partial-page) read; 0: none",
              Known::assumed, "off; 4 KiB where dies have it (Micron's snap read)", B{0_B, 64_KiB}},
        Field{"snap_percent", &C::snap_percent, "tR of a snap read, in percent of its page type's", Known::assumed,
              "fewer bitlines settle sooner; snap reads of 25 us are known of dies with tR 32 us", Range{1U, 100U}},
        Field{"t_prog", &C::t_prog, "program of a wordline in all its planes, tPROG; with two passes the second (fine)", Known::datasheet,
              "16 KiB x 3 x 4 planes in 1.1 ms is 179 MB/s per die; ISSCC'21 Samsung V7: 184 MB/s", D{1_ps, 100ms}},
        Field{"t_prog_first", &C::t_prog_first, "first pass (foggy) of a program of two", Known::assumed, "unused with one pass",
              D{1_ps, 100ms}},
        Field{"t_bers", &C::t_bers, "block erase time tBERS", Known::assumed, "3D TLC: 3-10 ms", D{1_ps, 1s}},
        Field{"t_rcbsy", &C::t_rcbsy, "page buffer to cache register, tRCBSY (cache_read)", Known::assumed, "2-5 us", D{0_ps, 100us}},
        Field{"t_cbsy", &C::t_cbsy, "cache register to the array's latches, tCBSY (cache_program)", Known::assumed, "as tRCBSY",
              D{0_ps, 1ms}},
        Field{"t_suspend_program", &C::t_suspend_program, "suspend command of a program to ready; no progress is made in it",
              Known::assumed, "20-40 us", D{0_ps, 10ms}},
        Field{"t_suspend_erase", &C::t_suspend_erase, "suspend command of an erase to ready; no progress is made in it", Known::assumed,
              "20-50 us", D{0_ps, 10ms}},
        Field{"t_resume", &C::t_resume, "what a resumed program or erase takes longer, each time", Known::assumed, "20-50 us",
              D{0_ps, 10ms}},
        Field{"suspend_progress", &C::suspend_progress, "array time between the begin or resume of an operation and its next suspend",
              Known::assumed, "so that it gets on: a few program pulses", D{0_ps, 100ms}},
        Field{"t_cmd_read", &C::t_cmd_read, "command and address of a read, first plane", Known::assumed,
              "half of the 1.2 us of commands per read on a shared 8-bit bus (arXiv 2511.03944)", D{0_ps, 100us}},
        Field{"t_cmd_read_plane", &C::t_cmd_read_plane, "the same for each further plane of a multi-plane read", Known::assumed,
              "as the first plane: address cycles and tPLRBSY", D{0_ps, 100us}},
        Field{"t_cmd_out", &C::t_cmd_out, "command before each plane's data-out (change read column enhanced)", Known::assumed,
              "half of the 1.2 us of commands per read on a shared 8-bit bus (arXiv 2511.03944)", D{0_ps, 100us}},
        Field{"t_cmd_program", &C::t_cmd_program, "command and address of a program, first plane", Known::assumed, "as a read's",
              D{0_ps, 100us}},
        Field{"t_cmd_program_plane", &C::t_cmd_program_plane, "the same for each further plane", Known::assumed, "as a read's",
              D{0_ps, 100us}},
        Field{"t_cmd_erase", &C::t_cmd_erase, "command and address of an erase, first plane", Known::assumed,
              "three address cycles instead of five, no column", D{0_ps, 100us}},
        Field{"t_cmd_erase_plane", &C::t_cmd_erase_plane, "the same for each further plane", Known::assumed, "as the first plane",
              D{0_ps, 100us}},
        Field{"t_cmd_suspend", &C::t_cmd_suspend, "suspend or resume command", Known::assumed, "one command cycle with its row address",
              D{0_ps, 100us}},
        Field{"t_wb", &C::t_wb, "last command cycle to busy, tWB", Known::spec, "ONFI 5.1, timing parameters: tWB max 100 ns",
              D{0_ps, 10us}},
        Field{"t_rr", &C::t_rr, "ready to data-out, tRR", Known::spec, "ONFI 5.1, timing parameters: tRR min 20 ns", D{0_ps, 10us}},
        Field{"codeword", &C::codeword, "data bytes of an ECC codeword; the unit of data-out", Known::datasheet,
              "4 KiB LDPC: Silicon Motion SM2264", B{512_B, 64_KiB}},
        Field{"parity", &C::parity, "parity and metadata bytes that travel with each codeword", Known::assumed,
              "code rate 0.90 (LDPC of 0.88-0.91)", B{0_B, 8_KiB}},
        Field{"ecc_latency", &C::ecc_latency, "decoding latency of one codeword, after its last byte", Known::assumed,
              "hard decoding of 4 KiB: 1-3 us", D{0_ps, 1ms}},
        Field{"ecc_rate", &C::ecc_rate, "decoded data per channel", Known::assumed, "pipelined LDPC engine, at least 4 GB/s",
              Range<Rate>{40_MBps, 64_GBps}},
        Field{"die_overtakes", &C::die_overtakes, "operations that may overtake a waiting program or erase of their die", Known::assumed,
              "a bound on starvation: 64 reads delay a program by about two tPROG", Range{0U, 1'000'000U}},
        Field{"bus_overtakes", &C::bus_overtakes, "grants of the channel that may pass waiting data-out or data-in", Known::assumed,
              "a bound on starvation", Range{0U, 1'000'000U}},
    };
  }

  void check(const std::string& where, UserErrors& errors) const {
    if (codeword.count == 0 || (page % codeword).count != 0) errors.add(where + ".codeword: a page must hold a whole number of codewords");
    if (std::uint64_t{channels} * dies_per_channel > 65'535) errors.add(where + ".dies_per_channel: more than 65535 dies in one drive");
    if (snap_read.count != 0 && (snap_read > page || (page % snap_read).count != 0)) {
      errors.add(where + ".snap_read = " + print(snap_read) + ": must divide " + where + ".page = " + print(page) + ", or be 0B");
    }
    if (program_unit == ProgramUnit::page && std::uint64_t{wordlines_per_block} * bits_per_cell > 65'535) {
      errors.add(where + ".program_unit = \"page\": a block of more than 65535 pages; lower " + where + ".wordlines_per_block");
    }
  }
};

}  // namespace flashpath::nand

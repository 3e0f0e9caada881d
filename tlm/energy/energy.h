// SPDX-License-Identifier: Apache-2.0
// Energy of a run: what the model counted times coefficients that somebody else must know. Every coefficient of a file has a value,
// says how it is known, and names its source; there are no defaults. A term whose coefficient is missing is not known, nor is any sum
// it is part of: std::nullopt, n/a, null; never 0.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "energy/quantities.h"

namespace flashpath::energy {

struct Nand {
  PerOperation read_slc, read_mlc, read_tlc, read_qlc;
  PerOperation program_slc, program_mlc, program_tlc, program_qlc;
  PerOperation erase;
  PerBit channel;
  static constexpr auto schema() {
    using C = Nand;
    return std::tuple{
        Field{"read_slc", &C::read_slc, "one sense of a page in one plane, one bit per cell", Known::assumed, ""},
        Field{"read_mlc", &C::read_mlc, "the same, two bits per cell, mean of the page types", Known::assumed, ""},
        Field{"read_tlc", &C::read_tlc, "the same, three bits per cell", Known::assumed, ""},
        Field{"read_qlc", &C::read_qlc, "the same, four bits per cell", Known::assumed, ""},
        Field{"program_slc", &C::program_slc, "programming a wordline (all its pages) of one plane, one bit per cell", Known::assumed, ""},
        Field{"program_mlc", &C::program_mlc, "the same, two bits per cell", Known::assumed, ""},
        Field{"program_tlc", &C::program_tlc, "the same, three bits per cell", Known::assumed, ""},
        Field{"program_qlc", &C::program_qlc, "the same, four bits per cell", Known::assumed, ""},
        Field{"erase", &C::erase, "erasing a block of one plane", Known::assumed, ""},
        Field{"channel", &C::channel, "a bit over a flash channel, parity included", Known::assumed, ""},
    };
  }
};

struct Drive {
  PerBit link;
  Power lane, idle;
  static constexpr auto schema() {
    using C = Drive;
    return std::tuple{
        Field{"link", &C::link, "a bit over the drive's PCIe link, headers included, both ends", Known::assumed, ""},
        Field{"lane", &C::lane, "an active lane of the drive's link, both ways and both ends, whatever it carries; follows L0p",
              Known::assumed, ""},
        Field{"idle", &C::idle, "a drive that does nothing: controller, memory, leakage; counted all the time", Known::assumed, ""},
    };
  }
};

struct Dpu {
  PerBit dram, fabric;
  Power idle;
  static constexpr auto schema() {
    using C = Dpu;
    return std::tuple{
        Field{"dram", &C::dram, "a bit to or from the DPU's memory", Known::assumed, ""},
        Field{"fabric", &C::fabric, "a bit of object data over the network port", Known::assumed, ""},
        Field{"idle", &C::idle, "a DPU that does nothing; counted all the time", Known::assumed, ""},
    };
  }
};

struct Coefficients {
  Nand nand;
  Drive drive;
  Dpu dpu;
  std::vector<Parameter> given;  ///< as read, with sources; only what was given
};

/// Reads a file of coefficients; every mistake goes to `errors`.
Coefficients load(const std::string& file, UserErrors& errors);
/// The same from a text; `file` is for messages.
Coefficients read(std::string_view text, const std::string& file, UserErrors& errors);

/// What a run counted.
struct Counts {
  std::uint32_t bits_per_cell = 3;
  std::uint64_t plane_senses = 0, plane_programs = 0, plane_erases = 0;
  std::uint32_t programs_per_wordline = 1;  ///< of plane_programs; the coefficient is a wordline's
  Bytes channel, link, dram, fabric;
  std::uint32_t drives = 1;
  double seconds = 0;
  std::uint64_t lane_ns = 0;  ///< active lanes x time, all drives
  Bytes host;                 ///< read and written by the hosts of the drives
};

struct Term {
  std::string_view name;  ///< "nand_read"
  std::string_view coefficient;
  std::uint64_t count = 0;
  std::string_view unit;  ///< of the count
  std::optional<double> joules;
};

struct Report {
  std::vector<Term> terms;
  std::optional<double> drives, dpu, total;         ///< joules
  std::optional<double> drives_per_byte, per_byte;  ///< of host data; also unknown when there is none
  double seconds = 0;
};
Report report(const Coefficients& coefficients, const Counts& counts);

}  // namespace flashpath::energy

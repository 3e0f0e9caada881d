// SPDX-License-Identifier: Apache-2.0
// What wears out, and what the error correction can do about it. Defaults: TLC of some 200 layers in a data-centre drive.
// Public numbers are ranges, and old; every one of these is to be replaced by a part's own characterisation.
#pragma once
#include <array>
#include <string>
#include <tuple>

#include "base/config.h"

namespace flashpath::nand {

struct ReliabilityConfig {
  bool enabled = false;
  std::uint32_t initial_pe = 0;
  Duration retention{};

  double rber_fresh = 3e-5;
  double rber_lower = 0.7, rber_middle = 1.0, rber_upper = 1.3, rber_extra = 1.6;
  double wear = 3e-8;
  double wear_exponent = 1.2;
  double retention_loss = 6.6e-8;
  Duration retention_scale = std::chrono::hours{24};
  double read_disturb = 4e-9;
  double variation = 0.25;

  std::uint32_t hard_bits = 45;
  std::uint32_t soft_bits = 120;
  std::uint32_t iterations = 20;
  Duration decode_latency = 1us;
  Duration iteration_latency = 100ns;
  std::uint32_t retry_steps = 8;
  double retry_gain = 0.75;
  std::uint32_t soft_senses = 2;
  Duration soft_latency = 10us;

  std::uint32_t endurance = 5000;
  double program_failures = 4e-9;
  double erase_failures = 4e-6;
  double factory_bad = 0.005;
  std::uint32_t refresh_reads = 100'000;
  Duration refresh_age = std::chrono::hours{24 * 90};

  /// Multiples of the error rate by page type, as Config::t_r().
  constexpr std::array<double, 4> page_types() const { return {rber_lower, rber_middle, rber_upper, rber_extra}; }

  static constexpr auto schema() {
    using C = ReliabilityConfig;
    using D = Range<Duration>;
    constexpr Duration ages = std::chrono::hours{24 * 100};
    constexpr std::string_view luo = "order of Luo et al., SIGMETRICS'18 (3D NAND: more with wear, with the logarithm of time)";
    return std::tuple{
        Field{"enabled", &C::enabled, "bit errors, read retry, decoding time by errors, bad blocks, program and erase failures",
              Known::assumed, "off: every read decodes at once in nand.ecc_latency, nothing fails"},
        Field{"initial_pe", &C::initial_pe, "program/erase cycles of every block before the run", Known::assumed, "a fresh drive",
              Range{0U, 1'000'000U}},
        Field{"retention", &C::retention, "age of the data the drive starts with (of all that is not programmed during the run)",
              Known::assumed, "just written", D{Duration{}, ages}},
        Field{"rber_fresh", &C::rber_fresh, "raw bit error rate of a fresh block's page, before the page type's factor", Known::assumed,
              "fresh TLC 1e-5 to 1e-4, QLC 1e-4 to 5e-4 (estimate)", Range{0.0, 0.1}},
        Field{"rber_lower", &C::rber_lower, "error rate of page type 0 as a multiple", Known::assumed, "fewer read levels; spread as tR's",
              Range{0.01, 100.0}},
        Field{"rber_middle", &C::rber_middle, "error rate of page type 1 as a multiple", Known::assumed, "reference", Range{0.01, 100.0}},
        Field{"rber_upper", &C::rber_upper, "error rate of page type 2 as a multiple", Known::assumed, "more read levels; spread as tR's",
              Range{0.01, 100.0}},
        Field{"rber_extra", &C::rber_extra, "error rate of page type 3 as a multiple (QLC only)", Known::assumed,
              "more read levels; spread as tR's", Range{0.01, 100.0}},
        Field{"wear", &C::wear, "error rate by wear: this x P/E ^ wear_exponent", Known::assumed,
              "8e-4 at 5000 cycles: rated TLC with three months of retention has 1e-3 to 4e-3 in all (estimate)", Range{0.0, 1.0}},
        Field{"wear_exponent", &C::wear_exponent, "exponent of the wear", Known::assumed, "1.0 to 1.3 (estimate)", Range{0.5, 3.0}},
        Field{"retention_loss", &C::retention_loss, "error rate by charge loss: this x P/E x ln(1 + age / retention_scale)", Known::assumed,
              luo, Range{0.0, 1.0}},
        Field{"retention_scale", &C::retention_scale, "time scale of the charge loss", Known::assumed, luo, D{1s, ages}},
        Field{"read_disturb", &C::read_disturb, "error rate by read disturb: this x reads of the block since its erase", Known::assumed,
              "order of Cai et al., DSN'15 (2Y-nm MLC at about 5000 cycles)", Range{0.0, 1e-3}},
        Field{"variation", &C::variation,
              "standard deviation of the logarithm of a wordline's error rate against the mean; the same wordlines stay weak",
              Known::assumed,
              "layers of a block differ several times over (Luo et al., SIGMETRICS'18); retries at the rated end of life near 1e-2",
              Range{0.0, 1.0}},
        Field{"hard_bits", &C::hard_bits, "bit errors per KiB of data up to which hard decoding succeeds", Known::assumed,
              "an error rate of 5e-3 at code rate 0.90 (hard LDPC: 4e-3 to 6e-3)", Range{1U, 1000U}},
        Field{"soft_bits", &C::soft_bits, "bit errors per KiB of data up to which soft decoding succeeds", Known::assumed,
              "120 bit per KiB, TLC drive controllers' data sheets; 1.3e-2", Range{1U, 1000U}},
        Field{"iterations", &C::iterations, "decoder iterations at the hard limit; fewer errors take proportionally fewer", Known::assumed,
              "cap of 20 to 30", Range{1U, 64U}},
        Field{"decode_latency", &C::decode_latency, "hard decoding without its iterations; with iterations: instead of nand.ecc_latency",
              Known::assumed, "hard decoding of 4 KiB: 1 to 3 us", D{0_ps, 1ms}},
        Field{"iteration_latency", &C::iteration_latency, "each iteration of the decoder", Known::assumed,
              "hard decoding of 4 KiB: 1 to 3 us", D{0_ps, 1ms}},
        Field{"retry_steps", &C::retry_steps, "read retries with shifted read levels before soft decoding", Known::assumed, "3 to 20 steps",
              Range{0U, 64U}},
        Field{"retry_gain", &C::retry_gain, "what each retry step multiplies the error rate by, down to the fresh page's", Known::assumed,
              "no public number", Range{0.01, 1.0}},
        Field{"soft_senses", &C::soft_senses, "further senses for soft decoding, after the retries (0: no soft decoder)", Known::assumed,
              "two-bit soft information: two more senses", Range{0U, 16U}},
        Field{"soft_latency", &C::soft_latency, "soft decoding, once its senses are in the controller", Known::assumed,
              "several times hard decoding", D{0_ps, 10ms}},
        Field{"endurance", &C::endurance, "rated program/erase cycles: where the failure rates below hold", Known::assumed,
              "TLC 3000 to 10000, QLC 1000 to 3000, SLC 50000 to 100000", Range{1U, 1'000'000U}},
        Field{"program_failures", &C::program_failures,
              "probability that programming a wordline of one plane fails at the rated P/E; proportional to P/E", Known::assumed,
              "half of a percent of blocks over life: with ONFI's 2 % bad blocks at its end as the bound", Range{0.0, 1.0}},
        Field{"erase_failures", &C::erase_failures,
              "probability that erasing a block of one plane fails at the rated P/E; proportional to P/E", Known::assumed,
              "one percent of blocks over life: with ONFI's 2 % bad blocks at its end as the bound", Range{0.0, 1.0}},
        Field{"factory_bad", &C::factory_bad,
              "share of blocks (of a plane) bad from the factory; without ftl.spare_blocks they are counted only", Known::assumed,
              "ONFI 5.1: at most 2 % bad over life, the factory's included", Range{0.0, 0.5}},
        Field{"refresh_reads", &C::refresh_reads, "reads of a block since its erase from which the array advises to rewrite it",
              Known::assumed, "TLC 50 K to 300 K, QLC 10 K to 50 K, SLC 1 M", Range{1U, 1'000'000'000U}},
        Field{"refresh_age", &C::refresh_age, "age of a block's data from which the array advises to rewrite it", Known::assumed,
              "JESD218: three months powered off at the end of life", D{1s, ages}},
    };
  }

  void check(const std::string& where, UserErrors& errors) const {
    if (soft_bits < hard_bits) {
      errors.add(where + ".soft_bits = " + print(soft_bits) +
                 ": soft decoding corrects at least what hard decoding does (hard_bits = " + print(hard_bits) + ")");
    }
  }
};

}  // namespace flashpath::nand

// SPDX-License-Identifier: Apache-2.0
#include "nand/reliability.h"

#include <algorithm>

namespace flashpath::nand {

using stats::Unit;

ReliabilityStatistics::ReliabilityStatistics(stats::Group& group)
    : retries{group, "retries", Unit::count, "senses after a read's first: read retry and soft sensing"},
      retried{group, "retried", Unit::count, "reads that needed more than one sense"},
      soft_decoded{group, "soft_decoded", Unit::count, "reads that soft decoding corrected"},
      uncorrectable{group, "uncorrectable", Unit::count, "reads that nothing corrected"},
      refresh_advised{group, "refresh_advised", Unit::count, "reads answered with the advice to rewrite their block"},
      program_failures{group, "program_failures", Unit::count, "programs that failed"},
      erase_failures{group, "erase_failures", Unit::count, "erases that failed"},
      factory_bad{group, "factory_bad", Unit::count, "blocks (of one plane) bad from the factory"},
      grown_bad{group, "grown_bad", Unit::count, "blocks (of one plane) gone bad since"},
      decode_latency{group, "decode_latency", "decoding of a read's worst codeword, each sense"},
      retried_latency{group, "retried_latency", "submission to answer of reads that needed more than one sense"} {}

Reliability::Reliability(const Config& config, const Geometry& geometry, stats::Group& group, Random random)
    : config_{config.reliability},
      geometry_{geometry},
      rate_{config_},
      ladder_{config_, config.codeword, config.parity, static_cast<std::uint32_t>(config.page / config.codeword)},
      stats_{group},
      random_{random},
      wordlines_seed_{random_.next()},
      program_slope_{threshold(config_.program_failures) / config_.endurance /
                     (config.program_unit == ProgramUnit::page ? config.bits_per_cell : 1)},
      erase_slope_{threshold(config_.erase_failures) / config_.endurance},
      blocks_(std::size_t{geometry.dies()} * geometry.blocks() * geometry.planes(), Block{.programmed = Time{} - config_.retention}),
      bad_(blocks_.size()) {
  const std::uint64_t factory = threshold(config_.factory_bad);
  if (factory == 0) return;
  for (std::size_t b = 0; b < bad_.size(); ++b) {
    if (random_.next() >= factory) continue;
    bad_[b] = true;
    ++stats_.factory_bad;
  }
}

double Reliability::rber(std::size_t block, PageId page, Time now) const {
  const Block& b = blocks_[block];
  const std::uint64_t wordline = std::uint64_t{block} * geometry_.wordlines() + geometry_.wordline_of(page).value;
  const double mean = rate_.at(config_.initial_pe + b.erases, now - b.programmed, b.reads, geometry_.type_of(page));
  return std::min(0.5, mean * rate_.quality(mix64(wordlines_seed_ + wordline * 0x9e3779b97f4a7c15U)));
}

double Reliability::rber(DieId die, BlockId block, std::uint32_t plane, PageId page, Time now) const {
  return rber(index(die, block, plane), page, now);
}

/// The rung that suffices for the worst of the planes whose data moves.
std::uint8_t Reliability::draw(const Op& op, Time now) {
  const std::uint64_t page = geometry_.page().count;
  const std::uint32_t type = geometry_.type_of(op.page);
  std::uint32_t worst = 0;
  std::uint64_t from = op.offset.count;
  for (std::uint64_t left = op.size.count; left != 0;) {
    const std::uint64_t in_page = from % page;
    const std::uint64_t piece = std::min(left, page - in_page);
    const auto codewords = static_cast<std::uint32_t>(geometry_.codewords({in_page}, {piece}));
    const std::size_t block = index(op.die, op.block, static_cast<std::uint32_t>(op.plane + from / page));
    worst = std::max(worst, ladder_.draw(rber(block, op.page, now), rate_.floor(type), type, codewords, random_.next()));
    from += piece;
    left -= piece;
  }
  return static_cast<std::uint8_t>(worst);
}

/// Counts the sense in all planes that were sensed, and says whether their blocks should be rewritten.
void Reliability::sensed(Op& op, Time now) {
  for (std::uint32_t p = op.plane; p < std::uint32_t{op.plane} + op.planes; ++p) {
    Block& b = blocks_[index(op.die, op.block, p)];
    ++b.reads;
    op.refresh |= b.reads >= config_.refresh_reads || now - b.programmed >= config_.refresh_age;
  }
}

/// Senses after the first until a rung of the ladder is reached.
std::uint32_t Reliability::further_senses(std::uint32_t rung) const {
  if (rung < ladder_.iterations()) return 0;
  if (rung < ladder_.soft()) return rung - ladder_.iterations() + 1;
  return config_.retry_steps + config_.soft_senses;
}

Decoding Reliability::decode(Op& op, std::uint8_t& rung, Time now) {
  if (op.retries == 0) rung = draw(op, now);
  sensed(op, now);
  ++senses_;
  Decoding d{.again = op.retries < further_senses(rung)};
  if (op.retries <= config_.retry_steps) {
    const std::uint32_t iterations = op.retries == 0 && rung < ladder_.iterations() ? rung + 1U : ladder_.iterations();
    d.latency = config_.decode_latency + iterations * config_.iteration_latency;
  } else if (!d.again) {  // nothing is decoded before the last of the soft senses has come
    d.latency = config_.soft_latency;
  }
  if (d.latency != Duration{}) stats_.decode_latency.add(d.latency);
  if (!d.again) op.status = rung == ladder_.uncorrectable() ? OpStatus::uncorrectable : OpStatus::ok;
  return d;
}

void Reliability::answered(const Op& op, std::uint8_t rung, Duration latency) {
  if (op.refresh) ++stats_.refresh_advised;
  if (op.status == OpStatus::uncorrectable) ++stats_.uncorrectable;
  else if (rung >= ladder_.soft()) ++stats_.soft_decoded;
  if (op.retries == 0) return;
  ++stats_.retried;
  stats_.retries += op.retries;
  stats_.retried_latency.add(latency);
}

bool Reliability::fails(std::size_t block, std::uint64_t slope) {
  constexpr Wide half = Wide{1} << 63U;  // beyond, the linear law says nothing, and repeating would never end
  const Wide p = std::min(half, static_cast<Wide>(slope) * (config_.initial_pe + blocks_[block].erases));
  if (random_.next() >= p) return false;
  if (!bad_[block]) ++stats_.grown_bad;
  bad_[block] = true;
  return true;
}

OpStatus Reliability::program(const Op& op, Time now) {
  bool failed = false;
  for (std::uint32_t p = op.plane; p < std::uint32_t{op.plane} + op.planes; ++p) {
    const std::size_t block = index(op.die, op.block, p);
    if (geometry_.wordline_of(op.page).value == 0) blocks_[block].programmed = now;
    failed |= fails(block, program_slope_);
  }
  if (failed) ++stats_.program_failures;
  return failed ? OpStatus::program_failed : OpStatus::ok;
}

OpStatus Reliability::erase(const Op& op) {
  bool failed = false;
  for (std::uint32_t p = op.plane; p < std::uint32_t{op.plane} + op.planes; ++p) {
    const std::size_t block = index(op.die, op.block, p);
    ++blocks_[block].erases;
    blocks_[block].reads = 0;
    failed |= fails(block, erase_slope_);
  }
  if (failed) ++stats_.erase_failures;
  return failed ? OpStatus::erase_failed : OpStatus::ok;
}

void Reliability::check(Laws& laws) const {
  const auto bad = static_cast<std::uint64_t>(std::count(bad_.begin(), bad_.end(), true));
  laws.equal("bad blocks", bad, "from the factory + grown", stats_.factory_bad.value + stats_.grown_bad.value);
  laws.expect(stats_.retries.value >= stats_.retried.value, "reads were retried without a sense");
  laws.expect(stats_.soft_decoded.value <= stats_.retried.value, "soft decoding without further senses");
}

bool Reliability::bad(DieId die, BlockId block) const {
  for (std::uint32_t p = 0; p < geometry_.planes(); ++p) {
    if (bad_[index(die, block, p)]) return true;
  }
  return false;
}

}  // namespace flashpath::nand

// SPDX-License-Identifier: Apache-2.0
// hits: what one shared cache of a given size would hit on a log, without any time.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>

#include "replay/mooncake.h"
#include "serving/hit_rates.h"
#include "sim/commands.h"
#include "sim/output.h"

namespace flashpath::sim {
namespace {

struct HitsOptions {
  std::string log;
  std::vector<std::uint64_t> capacities;
  std::string order = "tail-first";
  bool strict = false;
  bool json = false;
};

int hits(const HitsOptions& options) {
  replay::ReplayConfig config;
  config.strict = options.strict;
  config.jitter = false;
  const replay::Log log = replay::read_mooncake(options.log, config);
  for (const auto& bad : log.report.first_bad) fmt::print(stderr, "flashpath: {}\n", bad);
  std::vector<std::uint64_t> capacities = options.capacities;
  if (capacities.empty()) capacities = {1'000, 10'000, 30'000, 50'000, 100'000, 0};
  const auto order = options.order == "head-first" ? serving::TouchOrder::head_first : serving::TouchOrder::tail_first;
  Json rows = Json::array();
  if (!options.json) {
    fmt::print("{}: {} requests, LRU, {}\n\n{:>12}  {:>20}  {:>20}  {:>20}\n", options.log, log.requests.size(), options.order, "blocks",
               "block level", "strict prefix", "token weighted");
  }
  for (const std::uint64_t capacity : capacities) {
    const auto r = serving::hit_rates(log, capacity == 0 ? serving::LruCache<>::unlimited : capacity, order);
    if (options.json) {
      rows.push_back({{"capacity", capacity == 0 ? Json("inf") : Json(capacity)},
                      {"block_level", r.block_level()},
                      {"strict_prefix", r.strict_prefix()},
                      {"token_weighted", r.token_weighted()}});
    } else {
      fmt::print("{:>12}  {:>20.17g}  {:>20.17g}  {:>20.17g}\n", capacity == 0 ? "infinite" : std::to_string(capacity), r.block_level(),
                 r.strict_prefix(), r.token_weighted());
    }
  }
  if (options.json) fmt::print("{}\n", rows.dump(2));
  return 0;
}

}  // namespace

Command add_hits(CLI::App& app) {
  auto o = std::make_shared<HitsOptions>();
  app.add_option("log", o->log, "a Mooncake JSONL log: plain, .gz or .zst")->required()->type_name("FILE");
  app.add_option("--capacity", o->capacities, "cache size in blocks, repeatable; 0 means infinite (default: 1k 10k 30k 50k 100k infinite)")
      ->type_name("BLOCKS");
  app.add_option("--order", o->order, "which end of a prompt is touched first")
      ->check(CLI::IsMember({"tail-first", "head-first"}))
      ->capture_default_str();
  app.add_flag("--strict", o->strict, "any bad line ends the run");
  app.add_flag("--json", o->json, "print JSON");
  return [o] { return hits(*o); };
}

}  // namespace flashpath::sim

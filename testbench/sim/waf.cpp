// SPDX-License-Identifier: Apache-2.0
// waf: write amplification of the FTL alone, over flash that takes no time, for comparison with closed forms.
//
// Utilisation u = logical / (raw - kept free - open), in superblocks: gc_high are free when a victim is chosen, one per
// stream is open. The drive is written once in order, then at random; the first `warm_up` drive writes are not counted. With
// --object whole objects of several tenants are written (waf_objects.h); the drive is then the same for all placements.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>

#include "base/random.h"
#include "sim/commands.h"
#include "sim/output.h"
#include "sim/waf_device.h"
#include "sim/waf_objects.h"

namespace flashpath::sim {
namespace {

struct WafOptions {
  double utilisation = 0.8;
  std::string policy = "greedy", isolation = "initial";
  std::uint32_t d = 10, units = 64, superblocks = 4096;
  std::uint32_t hot_data = 0, hot_writes = 0;  // percent
  bool tagged = false;
  ObjectLoad objects{.object = 0};
  std::string placement = "mixed", eviction = "oldest";
  double warm_up = 5, passes = 5;
  std::uint64_t seed = 1;
  bool json = false;
};

template <class E>
E choice(const std::string& name) {
  for (const E e : all_of(static_cast<const E*>(nullptr))) {
    if (name_of(e) == name) return e;
  }
  return E{};
}

int waf(WafOptions o) {
  const bool objects = o.objects.object != 0;
  o.objects.handles = o.placement == "handles";
  o.objects.aligned = o.placement == "aligned";
  o.objects.random_eviction = o.eviction == "random";
  ftl::Geometry g{.channels = 1,
                  .dies = 1,
                  .planes = 1,
                  .blocks_per_plane = o.superblocks,
                  .wordlines_per_block = o.units / 16,
                  .bits_per_cell = 1,
                  .page = 64_KiB};
  ftl::Config c;
  c.mapping_unit = 4_KiB;
  c.precondition = ftl::Precondition::sequential;
  c.write_buffer = 64_MiB;
  c.gc_policy = choice<ftl::GcPolicy>(o.policy);
  c.gc_isolation = choice<ftl::GcIsolation>(o.isolation);
  c.gc_d = o.d;
  c.write_streams = o.objects.handles ? o.objects.tenants : o.tagged ? 2 : 1;
  c.gc_low = 2;
  c.gc_high = 3;
  c.write_latency = 0_ps;
  c.lookup_rate = 10_GHz;
  const std::uint32_t streams = objects ? o.objects.tenants : c.write_streams;
  const std::uint32_t collecting = c.gc_isolation == ftl::GcIsolation::persistent ? streams : 1;
  const std::uint64_t in_use = std::uint64_t{o.superblocks - c.gc_high - streams - collecting} * o.units;
  auto logical = static_cast<std::uint64_t>(o.utilisation * static_cast<double>(in_use));
  const std::uint64_t slots = objects ? logical / (o.objects.object * o.objects.tenants) : 0;
  if (objects) {
    if (slots < 2 * (o.objects.writers + 1)) {
      throw UserErrors{fmt::format("waf: {} objects of {} units for each of {} tenants: fewer than 2 x (--writers + 1) = {}", slots,
                                   o.objects.object, o.objects.tenants, 2 * (o.objects.writers + 1))};
    }
    logical = slots * o.objects.object * o.objects.tenants;
  }
  c.capacity = {logical * 4096};

  Device device{c, g};
  Random random{o.seed, "writes"};
  const std::uint64_t hot = logical * o.hot_data / 100;
  Objects writers{device, o.objects, slots, o.seed};
  const auto write = [&](double passes) {
    const auto units = static_cast<std::uint64_t>(passes * static_cast<double>(logical));
    if (objects) return writers.write(units);
    for (auto left = units; left != 0; --left) {
      const bool is_hot = hot != 0 && random.below(100) < o.hot_writes;
      const std::uint64_t unit = hot == 0 ? random.below(logical) : is_hot ? random.below(hot) : hot + random.below(logical - hot);
      device.write(unit, o.tagged && is_hot ? 1 : 0);
    }
  };
  write(o.warm_up);
  const ftl::Counts before = device.model.counts();
  write(o.passes);
  const ftl::Counts after = device.model.counts();
  Laws laws;
  device.model.check(laws, device.now());
  laws.equal("writes submitted", after.submitted, "answered", after.answered);
  for (const auto& broken : laws.broken()) fmt::print(stderr, "flashpath: {}\n", broken);
  const double amplification =
      1 + static_cast<double>(after.gc_moved - before.gc_moved) / static_cast<double>(after.placed - before.placed);
  const double u = static_cast<double>(logical) / static_cast<double>(in_use);
  if (o.json) {
    Json result{{"policy", o.policy},
                {"utilisation", u},
                {"units_per_superblock", o.units},
                {"hot_data_percent", o.hot_data},
                {"hot_writes_percent", o.hot_writes},
                {"writes", (after.placed - before.placed) / 4096},
                {"waf", amplification}};
    if (objects) {
      const std::uint64_t victims = after.gc_victims - before.gc_victims;
      result["placement"] = o.placement;
      result["object"] = o.objects.object;
      result["objects"] = slots * o.objects.tenants;
      result["victims"] = victims;
      result["victims_below_tenth"] = after.victims_valid[0] - before.victims_valid[0];
      result["trimmed_units"] = after.trimmed - before.trimmed;
    }
    fmt::print("{}\n", result.dump(2));
  } else {
    fmt::print("{}, utilisation {:.4f}, {} superblocks of {} units: write amplification {:.4f} over {} writes\n", o.policy, u,
               o.superblocks, o.units, amplification, (after.placed - before.placed) / 4096);
  }
  return laws.broken().empty() ? 0 : exit_law_broken;
}

}  // namespace

Command add_waf(CLI::App& app) {
  auto o = std::make_shared<WafOptions>();
  app.add_option("-u,--utilisation", o->utilisation, "logical / (raw - kept free - open)")
      ->check([](const std::string& s) { return number_within(s, 0.1, 0.98); })
      ->capture_default_str();
  app.add_option("--policy", o->policy, "ftl.gc_policy")
      ->check(CLI::IsMember({"greedy", "cost_benefit", "d_choices", "fifo"}))
      ->capture_default_str();
  app.add_option("-d", o->d, "ftl.gc_d, with d_choices")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--units", o->units, "mapping units of a superblock, a multiple of 16")
      ->check(
          CLI::Validator([](const std::string& s) { return std::strtoull(s.c_str(), nullptr, 10) % 16 == 0 ? "" : "not a multiple of 16"; },
                         "MULTIPLE OF 16"))
      ->check(CLI::Range(16, 65'536))
      ->capture_default_str();
  app.add_option("--superblocks", o->superblocks)->check(CLI::Range(128, 65'536))->capture_default_str();
  app.add_option("--hot-data", o->hot_data, "percent of the units that are hot (0: all alike)")
      ->check(CLI::Range(0, 99))
      ->capture_default_str();
  app.add_option("--hot-writes", o->hot_writes, "percent of the writes that go to them")->check(CLI::Range(0, 100))->capture_default_str();
  app.add_flag("--tagged", o->tagged, "hot writes carry a placement handle of their own");
  app.add_option("--isolation", o->isolation, "ftl.gc_isolation")->check(CLI::IsMember({"initial", "persistent"}))->capture_default_str();
  app.add_option("--object", o->objects.object, "units of an object: objects of tenants instead of random units (0: not)")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  app.add_option("--piece", o->objects.piece, "units of one write of an object")->check(CLI::Range(1, 16'384))->capture_default_str();
  app.add_option("--tenants", o->objects.tenants, "with equal shares of the drive")->check(CLI::Range(1, 16))->capture_default_str();
  app.add_option("--lifetimes", o->objects.lifetimes, "how much longer a tenant's objects live than those of the tenant before")
      ->check(CLI::Range(1, 8))
      ->capture_default_str();
  app.add_option("--writers", o->objects.writers, "objects of a tenant written at a time, a piece of each in turn")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--eviction", o->eviction, "which of a tenant's objects goes next")
      ->check(CLI::IsMember({"oldest", "random"}))
      ->capture_default_str();
  app.add_option("--placement", o->placement, "all pieces in one stream, a handle per tenant, or whole objects one after the other")
      ->check(CLI::IsMember({"mixed", "handles", "aligned"}))
      ->capture_default_str();
  app.add_option("--evict", o->objects.evict, "percent of a tenant's objects evicted at a time (0: one)")
      ->check(CLI::Range(0, 40))
      ->capture_default_str();
  app.add_flag("--deallocate", o->objects.deallocate, "evicted objects are deallocated");
  app.add_option("--warm-up", o->warm_up, "drive writes before counting")
      ->check([](const std::string& s) { return number_within(s, 0.0, 1000.0); })
      ->capture_default_str();
  app.add_option("--passes", o->passes, "drive writes counted")
      ->check([](const std::string& s) { return number_within(s, 0.01, 1000.0); })
      ->capture_default_str();
  app.add_option("--seed", o->seed)->capture_default_str();
  app.add_flag("--json", o->json, "print JSON");
  return [o] { return waf(*o); };
}

}  // namespace flashpath::sim

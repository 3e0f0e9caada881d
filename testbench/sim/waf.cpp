// SPDX-License-Identifier: Apache-2.0
// waf: write amplification of the FTL alone, over flash that takes no time, for comparison with closed forms.
//
// Utilisation u = logical / (raw - kept free - open), in superblocks: gc_high are free when a victim is chosen, one per
// stream is open. The drive is written once in order, then at random; the first `warm_up` drive writes are not counted.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>

#include "base/agenda.h"
#include "base/random.h"
#include "ftl/ftl_model.h"
#include "sim/commands.h"
#include "sim/output.h"

namespace flashpath::sim {
namespace {

struct WafOptions {
  double utilisation = 0.8;
  std::string policy = "greedy", isolation = "initial";
  std::uint32_t d = 10, units = 64, superblocks = 4096;
  std::uint32_t hot_data = 0, hot_writes = 0;  // percent
  bool tagged = false;
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

/// Writes of one unit, one at a time; the flash answers at the moment it is asked.
class Device {
 public:
  Device(const ftl::Config& config, const ftl::Geometry& geometry)
      : model{agenda_,
              config,
              geometry,
              false,
              ftl::FtlModel::IssueFlash::to<&Device::flash>(this),
              ftl::FtlModel::Event::to<&Device::ignore>(this),
              ftl::FtlModel::Event::to<&Device::ignore>(this)} {}

  void write(std::uint64_t unit, std::uint16_t handle) {
    request_ = {};
    request_.kind = ftl::RequestKind::write;
    request_.address = {unit * 4096};
    request_.size = {4096};
    request_.stream_id = handle;
    model.submit(request_, agenda_.now());
    agenda_.run();
  }
  Time now() const { return agenda_.now(); }

 private:
  void flash(nand::Op& op, Time now) { agenda_.post<&Device::done>(now, this, reinterpret_cast<std::uint64_t>(&op)); }
  void done(Time now, std::uint64_t op) { model.flash_answered(*reinterpret_cast<nand::Op*>(op), now); }
  void ignore(ftl::Request&, Time) {}
  Agenda agenda_;
  ftl::Request request_;

 public:
  ftl::FtlModel model;
};

int waf(const WafOptions& o) {
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
  c.write_streams = o.tagged ? 2 : 1;
  c.gc_low = 2;
  c.gc_high = 3;
  c.write_latency = 0_ps;
  c.lookup_rate = 10_GHz;
  const std::uint32_t collecting = c.gc_isolation == ftl::GcIsolation::persistent ? c.write_streams : 1;
  const std::uint64_t in_use = std::uint64_t{o.superblocks - c.gc_high - c.write_streams - collecting} * o.units;
  const auto logical = static_cast<std::uint64_t>(o.utilisation * static_cast<double>(in_use));
  c.capacity = {logical * 4096};

  Device device{c, g};
  Random random{o.seed, "writes"};
  const std::uint64_t hot = logical * o.hot_data / 100;
  const auto write = [&](double passes) {
    for (auto left = static_cast<std::uint64_t>(passes * static_cast<double>(logical)); left != 0; --left) {
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
    fmt::print("{}\n", Json({{"policy", o.policy},
                             {"utilisation", u},
                             {"units_per_superblock", o.units},
                             {"hot_data_percent", o.hot_data},
                             {"hot_writes_percent", o.hot_writes},
                             {"writes", (after.placed - before.placed) / 4096},
                             {"waf", amplification}})
                           .dump(2));
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
      ->check(CLI::Range(0.1, 0.98))
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
  app.add_option("--warm-up", o->warm_up, "drive writes before counting")->check(CLI::Range(0.0, 1000.0))->capture_default_str();
  app.add_option("--passes", o->passes, "drive writes counted")->check(CLI::Range(0.01, 1000.0))->capture_default_str();
  app.add_option("--seed", o->seed)->capture_default_str();
  app.add_flag("--json", o->json, "print JSON");
  return [o] { return waf(*o); };
}

}  // namespace flashpath::sim

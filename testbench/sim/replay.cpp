// SPDX-License-Identifier: Apache-2.0
// replay: a serving log through the whole platform.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>

#include "replay/mooncake.h"
#include "serving/cluster.h"
#include "serving/models.h"
#include "sim/energy_report.h"
#include "sim/fault_report.h"
#include "sim/run.h"

namespace flashpath::sim {
namespace {

struct ReplayOptions {
  PlatformOptions platform;
  RunOptions run;
  std::string log;
  std::string model, dtype, kv_dtype, accelerator;
  std::uint32_t instances = 0;
  double speedup = 0;
  std::uint64_t limit = 0;
  bool strict = false;
  bool no_jitter = false;
};

/// `serving.*` and `replay.*` settings beside the platform's: options first become assignments, so that one reader checks all.
void read_serving(const ReplayOptions& o, std::vector<std::string>& platform_assignments, serving::ServingConfig& serving,
                  replay::ReplayConfig& replay, std::vector<Parameter>& parameters, std::uint64_t seed) {
  UserErrors errors;
  Settings settings;
  replay.seed = seed;
  for (const auto& a : o.platform.assignments) {
    if (a.starts_with("serving.") || a.starts_with("replay.")) settings.set(a, errors);
    else platform_assignments.push_back(a);
  }
  const auto given = [&](const std::string& key, const std::string& value) {
    if (!value.empty()) settings.set(key + "=" + value, errors);
  };
  given("serving.model", o.model);
  given("serving.dtype", o.dtype);
  given("serving.kv_dtype", o.kv_dtype);
  given("serving.accelerator", o.accelerator);
  if (o.instances != 0) given("serving.instances", std::to_string(o.instances));
  if (o.speedup != 0) given("replay.speedup", fmt::format("{}", o.speedup));
  if (o.limit != 0) given("replay.limit", std::to_string(o.limit));
  if (o.strict) given("replay.strict", "true");
  if (o.no_jitter) given("replay.jitter", "false");
  read(settings, "serving", serving, errors, parameters);
  read(settings, "replay", replay, errors, parameters);
  check_unused(settings, parameters, errors);
  errors.raise_if_any();
}

void print_histogram(const char* name, const stats::Histogram& h) {
  if (h.count() == 0) return;
  const auto ms = [](Duration d) { return static_cast<double>(d.count()) * 1e-9; };
  fmt::print("  {:<14} {:>10.3f} {:>10.3f} {:>10.3f} {:>10.3f} {:>10.3f} {:>10.3f}\n", name, h.mean() * 1e-9, ms(h.percentile(500'000)),
             ms(h.percentile(900'000)), ms(h.percentile(990'000)), ms(h.percentile(999'000)), ms(h.max()));
}

class Replay {
 public:
  explicit Replay(const ReplayOptions& options) : o_{options} {}
  int operator()();

 private:
  void summary(const Machine& m, const serving::Cluster& cluster, const replay::Log& log, Json& result, Duration span);
  const ReplayOptions& o_;
  std::optional<energy::Coefficients> coefficients_;
};

int Replay::operator()() {
  const double cpu = cpu_seconds();
  serving::ServingConfig serving;
  replay::ReplayConfig replay_config;
  std::vector<Parameter> parameters;
  PlatformOptions platform_options = o_.platform;
  platform_options.assignments.clear();
  read_serving(o_, platform_options.assignments, serving, replay_config, parameters, 1);
  UserErrors mistakes;
  coefficients_ = read_energy(o_.run.energy, mistakes);
  platform::Resolved resolved = platform_options.load(mistakes);
  replay_config.seed = resolved.config.general.seed;
  resolved.parameters.insert(resolved.parameters.end(), parameters.begin(), parameters.end());

  const replay::Log log = replay::read_mooncake(o_.log, replay_config);
  for (const auto& bad : log.report.first_bad) fmt::print(stderr, "flashpath: bad line: {}\n", bad);
  Output output{o_.run.out, o_.run.force};
  Json result = header("replay", resolved);
  result["trace"] = {{"path", o_.log},
                     {"sha256", log.report.sha256},
                     {"requests", log.requests.size()},
                     {"lines", log.report.lines},
                     {"bad_lines", log.report.bad_lines},
                     {"first_bad", log.report.first_bad},
                     {"ignored_fields", log.report.ignored_fields},
                     {"grid_s", to_seconds(log.report.grid)},
                     {"jittered", log.report.jittered},
                     {"span_s", to_seconds(log.span())}};

  Machine machine{resolved};
  serving::Cluster cluster{machine.platform.agenda(), serving, &machine.client};
  if (!output.write_result(result) || !output.start_csv(serving::RequestRecord::csv_header())) {
    fmt::print(stderr, "flashpath: {}; nothing was run\n", output.error());
    return exit_code(Ending::unwritable);
  }
  cluster.on_finished([&](const serving::RequestRecord& r) { output.csv_line(r.csv()); });
  cluster.replay(log, machine.platform.now());

  const Time begin = machine.platform.now();
  Watch watch;
  watch.done = Delegate<bool()>::to<&serving::Cluster::done>(&cluster);
  watch.completed = [&] { return machine.client.completed() + cluster.stats().finished.value; };
  watch.writable = [&] { return output.error().empty(); };
  watch.progress = [&] {
    const auto finished = cluster.stats().finished.value;
    return std::pair{
        static_cast<double>(finished) / static_cast<double>(log.requests.size()),
        fmt::format("{} of {} requests, {:.1f} s simulated", finished, log.requests.size(), to_seconds(machine.platform.now() - begin))};
  };
  Ending ending = run(machine, watch, o_.run.style());
  const Duration span = machine.platform.now() - begin;
  ending = check(
      machine, ending,
      [&](Laws& laws) {
        laws.about("serving");
        cluster.check(laws, machine.platform.now());
      },
      result);
  if (ending == Ending::finished && !output.close_csv()) ending = Ending::unwritable;

  result["complete"] = ending == Ending::finished;
  result["ending"] = name_of(ending);
  result["simulated_s"] = to_seconds(span);
  summary(machine, cluster, log, result, span);
  report_faults(machine, result);
  result["statistics"] = platform_statistics(machine, machine.platform.now() - Time{});
  result["statistics"]["serving"] = statistics(const_cast<serving::Cluster&>(cluster).group(), span);
  const Flash flash = flash_totals(machine);
  const std::uint64_t pages = (flash.read + flash.programmed) / resolved.config.nand.page.count;
  result["host"] = host_cost(machine, cpu, pages);
  fmt::print("\nThis run: {:.1f} CPU s, {} peak memory, {:.1f} M events, {:.2f} M flash pages ({:.2f} M per CPU s)\n",
             result["host"]["cpu_s"].get<double>(), human_bytes(result["host"]["peak_rss_bytes"].get<double>()),
             result["host"]["actions"].get<double>() * 1e-6, static_cast<double>(pages) * 1e-6,
             result["host"]["flash_pages_per_cpu_s"].get<double>() * 1e-6);
  if (!output.write_result(result) && ending != Ending::broken) ending = Ending::unwritable;
  if (ending == Ending::unwritable) fmt::print(stderr, "flashpath: {}; the result is partial\n", output.error());
  if (ending == Ending::interrupted) {
    fmt::print(stderr, "flashpath: interrupted; the result covers {} of {} requests and says that it is partial\n",
               cluster.stats().finished.value, log.requests.size());
  }
  return exit_code(ending);
}

void Replay::summary(const Machine& m, const serving::Cluster& cluster, const replay::Log& log, Json& result, Duration span) {
  const auto& s = cluster.stats();
  const double seconds = std::max(to_seconds(span), 1e-12);
  fmt::print("{}: {} requests over {:.1f} s, {} drive{} ({}), {} object loads and {} stores of {} each\n\n", o_.log, log.requests.size(),
             to_seconds(log.span()), m.platform.config().general.drives, m.platform.config().general.drives == 1 ? "" : "s",
             result["platform"].get<std::string>(), s.loads_hit.value, s.stores_kept.value,
             human_bytes(static_cast<double>(cluster.layout().object().count)));
  fmt::print("  {:<14} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}\n", "ms", "mean", "p50", "p90", "p99", "p99.9", "max");
  print_histogram("TTFT", s.ttft);
  print_histogram("TPOT", s.tpot);
  print_histogram("end to end", s.e2e);
  print_histogram("object load", s.load_latency);
  print_histogram("object store", s.store_latency);

  fmt::print("\n  {:<14} {:>9} {:>9} {:>12} {:>12} {:>11} {:>11}\n", "tier", "blocks", "tokens", "read", "written", "GB/s read",
             "GB/s write");
  Json& tiers = result["tiers"] = Json::object();
  const auto share = [](std::uint64_t a, std::uint64_t b) { return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b); };
  const auto tier = [&](const char* name, const serving::TierStats& t) {
    const double blocks = share(t.blocks.value, s.blocks.value), tokens = share(t.tokens.value, s.input_tokens.value);
    const double rd = static_cast<double>(t.read.value), wr = static_cast<double>(t.written.value);
    fmt::print("  {:<14} {:>7.2f} % {:>7.2f} % {:>12} {:>12} {:>11.3f} {:>11.3f}\n", name, blocks * 100, tokens * 100, human_bytes(rd),
               human_bytes(wr), rd / seconds / 1e9, wr / seconds / 1e9);
    tiers[name] = {{"hit_ratio_blocks", blocks},       {"hit_ratio_tokens", tokens},       {"read_bytes", t.read.value},
                   {"written_bytes", t.written.value}, {"read_bytes_per_s", rd / seconds}, {"written_bytes_per_s", wr / seconds}};
  };
  tier("G1 (HBM)", s.g1);
  tier("G2 (host)", s.g2);
  tier("G3.5 (flash)", s.g35);

  const Wide total = [&] {
    Wide sum = 0;
    for (std::size_t i = 0; i < stage_count; ++i)
      sum += const_cast<Machine&>(m).platform.firmware().service().stage_total(static_cast<Stage>(i));
    return sum;
  }();
  Json& stages = result["object_time_by_stage"] = Json::object();
  fmt::print("\n  Where an object request's time went (critical path)\n");
  for (std::size_t i = 0; i < stage_count; ++i) {
    const Wide t = const_cast<Machine&>(m).platform.firmware().service().stage_total(static_cast<Stage>(i));
    const double part = total == 0 ? 0 : static_cast<double>(t) / static_cast<double>(total);
    stages[std::string(flashpath::name_of(static_cast<Stage>(i)))] = part;
    if (part >= 0.005) fmt::print("  {:<28} {:6.2f} %\n", flashpath::name_of(static_cast<Stage>(i)), part * 100);
  }

  const auto uses = utilisations(m, span);
  fmt::print("\n  Use of each resource over the whole run\n{}", percent_table(uses));
  Json& use = result["utilisation"] = Json::object();
  for (const auto& u : uses) use[u.resource] = u.utilisation;
  const double prefill = static_cast<double>(s.prefill.value.count()) /
                         (static_cast<double>(result["parameters"]["serving.instances"]["value"].get<std::string>().empty()
                                                  ? 1
                                                  : std::stoul(result["parameters"]["serving.instances"]["value"].get<std::string>())) *
                          static_cast<double>(std::max<std::int64_t>(span.count(), 1)));
  use["serving.prefill"] = prefill;
  const bool compute = uses.empty() || prefill > uses.front().utilisation;
  const std::string bottleneck = compute ? "serving.prefill" : uses.front().resource;
  const double most = compute ? prefill : uses.front().utilisation;
  result["bottleneck"] = {{"resource", bottleneck}, {"utilisation", most}};
  fmt::print("  {:<28} {:6.2f} %  (accelerators)\n\n  Bottleneck: {} at {:.1f} %{}\n", "serving.prefill", prefill * 100, bottleneck,
             most * 100, most < 0.5 ? ": nothing is near its limit" : "");

  const Flash f = flash_totals(m);
  const auto& c = m.platform.config();
  const double capacity = static_cast<double>(c.ftl.capacity.count) * c.general.drives;
  const double dwpd = static_cast<double>(f.host_written) / capacity * 86'400.0 / seconds;
  result["flash"] = {{"host_read_bytes", f.host_read},
                     {"host_written_bytes", f.host_written},
                     {"flash_read_bytes", f.read},
                     {"flash_programmed_bytes", f.programmed},
                     {"reads", f.reads},
                     {"programs", f.programs},
                     {"erases", f.erases},
                     {"waf", number(f.waf())},
                     {"drive_writes_per_day", dwpd},
                     {"energy_j", nullptr}};
  fmt::print("  Flash: {} read, {} written by the host; {} read and {} program operations; WAF {}; {:.2f} drive writes per day{}\n",
             human_bytes(static_cast<double>(f.host_read)), human_bytes(static_cast<double>(f.host_written)), f.reads, f.programs,
             human_number(f.waf()), dwpd, coefficients_ ? "" : "; energy n/a (no coefficients)");
  if (!coefficients_) return;
  result["energy"] = energy_report(*coefficients_, energy_counts(m, span));
  result["flash"]["energy_j"] = result["energy"]["drives_j"];
}

}  // namespace

Command add_replay(CLI::App& app) {
  auto o = std::make_shared<ReplayOptions>();
  app.add_option("log", o->log, "a Mooncake JSONL log: plain, .gz or .zst")->required()->type_name("FILE");
  add_platform_options(app, o->platform, "bf4-icms");
  add_fault_option(app, o->platform);
  std::string models;
  app.add_option("--model", o->model, "language model, e.g. llama-3.1-8b, llama-3.1-70b, llama-3.1-405b, deepseek-v3")->type_name("NAME");
  app.add_option("--dtype", o->dtype, "weights and arithmetic: bf16 or fp8");
  app.add_option("--kv-dtype", o->kv_dtype, "keys and values: bf16 or fp8");
  app.add_option("--accelerator", o->accelerator, "one instance's accelerators, e.g. 8xh100, rubin")->type_name("NAME");
  app.add_option("--instances", o->instances, "serving instances")->check(CLI::Range(1U, 1'000'000U));
  app.add_option("--speedup", o->speedup, "arrival times are divided by this")->check([](const std::string& s) {
    return number_within(s, 0.001, 1e6);
  });
  app.add_option("--limit", o->limit, "only the first so many requests");
  app.add_flag("--strict", o->strict, "any bad line ends the run");
  app.add_flag("--no-jitter", o->no_jitter, "keep stamps on their grid, as the log has them");
  add_run_options(app, o->run);
  app.footer("serving.* and replay.* are parameters too: --set serving.g1=0B --set serving.g2=0B --set serving.object_bytes=8MiB");
  return [o] { return Replay{*o}(); };
}

}  // namespace flashpath::sim

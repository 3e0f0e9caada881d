// SPDX-License-Identifier: Apache-2.0
// io: fio-like jobs on the DPU's cores against its drives.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>
#include <optional>

#include "replay/request_list.h"
#include "sim/energy_report.h"
#include "sim/fault_report.h"
#include "sim/run.h"

namespace flashpath::sim {

std::string unit_of_fio(std::string text) {
  if (text.empty()) return text;
  switch (text.back()) {
    case 'k':
    case 'K': text.pop_back(); return text + "KiB";
    case 'm':
    case 'M': text.pop_back(); return text + "MiB";
    case 'g':
    case 'G': text.pop_back(); return text + "GiB";
    case 't':
    case 'T': text.pop_back(); return text + "TiB";
    default: return text.find_first_not_of("0123456789") == std::string::npos ? text + "B" : text;
  }
}

namespace {

struct IoOptions {
  PlatformOptions platform;
  RunOptions run;
  std::string rw = "randread", bs = "4k", size, runtime, ramp, offset, offset_increment;
  std::string prio, beside;
  std::uint32_t mix = 50, iodepth = 1, numjobs = 1;
  std::uint64_t number_ios = 0, rate_iops = 0, seed = 1;
  bool verify = false, norandommap = false, stripe = false;
};

template <class T>
void quantity(const char* option, const std::string& text, T& out, UserErrors& errors) {
  if (text.empty()) return;
  Given given;
  given.text = text;
  T value{};
  if (!parse(given, value)) errors.add(fmt::format("--{} {}: not {}", option, text, expected(value)));
  else out = value;
}

firmware::JobSpec spec_of(const IoOptions& o) {
  UserErrors errors;
  firmware::JobSpec s;
  static const std::map<std::string, firmware::Rw> kinds{
      {"read", firmware::Rw::read},    {"write", firmware::Rw::write},       {"rw", firmware::Rw::rw},
      {"readwrite", firmware::Rw::rw}, {"randread", firmware::Rw::randread}, {"randwrite", firmware::Rw::randwrite},
      {"randrw", firmware::Rw::randrw}};
  if (const auto kind = kinds.find(o.rw); kind != kinds.end()) s.rw = kind->second;
  else errors.add("--rw " + o.rw + ": not one of read, write, rw, randread, randwrite, randrw");
  s.name = o.rw;
  s.rwmixread = o.mix;
  s.iodepth = o.iodepth;
  s.numjobs = o.numjobs;
  s.number_ios = o.number_ios;
  s.rate_iops = o.rate_iops;
  s.seed = o.seed;
  s.verify = o.verify;
  s.norandommap = o.norandommap;
  s.stripe = o.stripe;
  quantity("bs", unit_of_fio(o.bs), s.bs, errors);
  quantity("size", unit_of_fio(o.size), s.size, errors);
  quantity("offset", unit_of_fio(o.offset), s.offset, errors);
  quantity("offset_increment", unit_of_fio(o.offset_increment), s.offset_increment, errors);
  quantity("runtime", o.runtime, s.runtime, errors);
  quantity("ramp", o.ramp, s.ramp, errors);
  if (!o.runtime.empty() && s.runtime == Duration{} && errors.empty()) errors.add("--runtime " + o.runtime + ": must be above zero");
  if (o.runtime.empty() && o.number_ios == 0 && o.size.empty()) s.runtime = 20ms;
  // A pass touches each block once: what it has written, only another pass can read back.
  if (o.verify && o.runtime.empty() && o.number_ios == 0 && s.bs.count != 0) s.number_ios = 2 * (s.size / s.bs);
  errors.raise_if_any();
  return s;
}

/// The job of --beside: options of io in the form rw=randwrite,bs=128k,iodepth=8,…; what it does not name is as the schema of io has it.
IoOptions beside_of(const IoOptions& o) {
  IoOptions b;
  b.runtime = o.runtime;
  b.ramp = o.ramp;
  b.seed = o.seed + 1;
  UserErrors errors;
  const std::map<std::string, std::string*> texts{
      {"rw", &b.rw}, {"bs", &b.bs}, {"size", &b.size}, {"offset", &b.offset}, {"offset_increment", &b.offset_increment}, {"prio", &b.prio}};
  const std::map<std::string, std::uint32_t*> counts{{"iodepth", &b.iodepth}, {"numjobs", &b.numjobs}, {"rwmixread", &b.mix}};
  std::string_view rest = o.beside;
  while (!rest.empty()) {
    const std::string word{rest.substr(0, rest.find(','))};
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    const std::string key = word.substr(0, word.find('=')), value = key.size() < word.size() ? word.substr(key.size() + 1) : "";
    Given given;
    given.text = value;
    given.kind = Given::Kind::integer;
    if (const auto text = texts.find(key); text != texts.end() && !value.empty()) *text->second = value;
    else if (key == "rate_iops" && parse(given, b.rate_iops)) continue;
    else if (const auto count = counts.find(key); count == counts.end() || !parse(given, *count->second))
      errors.add(
          "--beside " + word +
          ": not one of rw=, bs=, size=, offset=, offset_increment=, prio=, iodepth=, numjobs=, rwmixread=, rate_iops= with its value");
  }
  errors.raise_if_any();
  return b;
}

/// Classes of the queues of both jobs' cores; none: no job has one.
std::string classes_of(const IoOptions& o, const IoOptions* beside, const firmware::Config& config) {
  UserErrors errors;
  const std::string other = beside == nullptr ? "" : beside->prio;
  if (o.prio.empty() && other.empty()) return config.queue_classes;
  for (const std::string& prio : {o.prio, other}) {
    if (!prio.empty() && !firmware::queue_class(prio)) errors.add("prio " + prio + ": not one of urgent, high, medium, low");
  }
  const std::uint64_t all = std::uint64_t{o.numjobs} + (beside == nullptr ? 0 : beside->numjobs);
  if (all > config.cores)
    errors.add(fmt::format("--prio: a class is that of a core's queues, and {} jobs have {} cores: raise firmware.cores (and cores.count)",
                           all, config.cores));
  if (config.queue_classes != "none") errors.add("--prio: firmware.queue_classes is set, too; one of them");
  errors.raise_if_any();
  std::string text;
  const auto add = [&](std::uint32_t n, const std::string& prio) {
    for (std::uint32_t i = 0; i < n; ++i) text += (text.empty() ? "" : ",") + (prio.empty() ? "medium" : prio);
  };
  add(o.numjobs, o.prio);
  if (beside != nullptr) add(beside->numjobs, other);
  return text;
}

void print_direction(const char* name, firmware::JobResult& r, std::size_t d) {
  auto& x = r.direction[d];
  if (x.ios == 0) return;
  fmt::print("  {}: IOPS={:.1f}k, BW={:.1f}MiB/s ({:.3f}GB/s)({:.1f}MiB/{:.3f}msec)\n", name, r.iops(d) / 1e3,
             r.bytes_per_second(d) / 1048576.0, r.bytes_per_second(d) / 1e9, static_cast<double>(x.bytes.count) / 1048576.0,
             to_seconds(r.window()) * 1e3);
  const auto line = [](const char* what, const stats::Histogram& h) {
    fmt::print("    {} (usec): min={:.3f}, max={:.3f}, avg={:.3f}\n", what, to_us(h.min()), to_us(h.max()), h.mean() / 1e6);
  };
  line("slat", x.slat);
  line("clat", x.clat);
  line(" lat", x.lat);
  fmt::print("    clat percentiles (usec):\n     ");
  int n = 0;
  for (const auto& [label, ppm] : std::initializer_list<std::pair<const char*, std::uint64_t>>{{"1.00", 10'000},
                                                                                               {"50.00", 500'000},
                                                                                               {"90.00", 900'000},
                                                                                               {"95.00", 950'000},
                                                                                               {"99.00", 990'000},
                                                                                               {"99.90", 999'000},
                                                                                               {"99.99", 999'900}}) {
    fmt::print("{} {}th=[{:.3f}]", n++ == 0 ? "|" : n == 5 ? "\n      |" : ",", label, to_us(x.clat.percentile(ppm)));
  }
  fmt::print("\n");
}

Json direction_json(firmware::JobResult& r, std::size_t d) {
  auto& x = r.direction[d];
  return {{"total_ios", x.ios},        {"io_bytes", x.bytes.count}, {"iops", r.iops(d)},      {"bw_bytes_per_s", r.bytes_per_second(d)},
          {"slat", histogram(x.slat)}, {"clat", histogram(x.clat)}, {"lat", histogram(x.lat)}};
}

constexpr const char* request_heading = "request,line,op,lba512,sectors,created_ns,completed_ns,latency_ns,status";

/// A line of requests.csv for each request, as it ends; times in ns since the first began, exact to the picosecond.
struct RequestLog {
  const std::vector<firmware::Access>& requests;
  Output& output;
  Time begin;
  static std::string ns(Duration d) { return fmt::format("{}.{:03}", d.count() / 1000, d.count() % 1000); }
  void write(const firmware::Ended& e) {
    const firmware::Access& a = requests[e.index];
    output.csv_line(fmt::format("{},{},{},{},{},{},{},{},{}", e.index, a.line, a.write ? 'W' : 'R', a.begin / 512, a.size / 512,
                                ns(e.created - begin), ns(e.done - begin), ns(e.done - e.created), e.ok ? "ok" : "error"));
  }
};

int run_io(const IoOptions& o, const std::string& requests) {
  const double cpu = cpu_seconds();
  firmware::JobSpec spec = spec_of(o);
  UserErrors mistakes;
  const auto coefficients = read_energy(o.run.energy, mistakes);
  platform::Resolved resolved = o.platform.load(mistakes);
  replay::RequestList list;
  if (!requests.empty() && !o.runtime.empty()) mistakes.add("--runtime: not with --requests, which end with their list");
  if (!requests.empty() && !o.beside.empty()) mistakes.add("--beside: not with --requests, which are alone");
  mistakes.raise_if_any();
  std::optional<IoOptions> beside;
  if (!o.beside.empty()) beside = beside_of(o);
  std::optional<firmware::JobSpec> other;
  if (beside) other = spec_of(*beside);
  if (beside && other->runtime == Duration{}) other->runtime = spec.runtime;
  std::string& classes = resolved.config.firmware.queue_classes;
  classes = classes_of(o, beside ? &*beside : nullptr, resolved.config.firmware);
  for (Parameter& p : resolved.parameters) {
    if (p.path == "firmware.queue_classes") p.value = print(classes);
  }
  if (!requests.empty()) {
    list = replay::read_requests(requests);
    if (o.runtime.empty()) spec.runtime = Duration{};
    const Bytes lba = resolved.config.nvme.lba;
    spec.name = "requests";
    spec.requests = &list.requests;
    spec.bs = Bytes{align_up(list.largest.count, lba.count)};
    spec.offset = spec.offset_increment = spec.size = Bytes{};
  }
  Output output{o.run.out, o.run.force};
  Json result = header("io", resolved);
  result["job"] = {{"rw", o.rw},
                   {"rwmixread", o.mix},
                   {"bs", spec.bs.count},
                   {"iodepth", spec.iodepth},
                   {"numjobs", spec.numjobs},
                   {"size", spec.size.count},
                   {"runtime_s", to_seconds(spec.runtime)},
                   {"ramp_s", to_seconds(spec.ramp)},
                   {"seed", spec.seed},
                   {"verify", spec.verify}};
  if (spec.requests != nullptr) {
    result["job"]["rw"] = "requests";
    result["job"]["requests"] = {
        {"path", list.path}, {"packing", list.packing}, {"sha256", list.sha256}, {"reads", list.reads}, {"writes", list.writes}};
  }
  Machine machine{resolved};
  auto& jobs = machine.platform.firmware().jobs();
  UserErrors errors;
  jobs.add(spec, errors);
  if (other) jobs.add(*other, errors);
  errors.raise_if_any();
  if (!output.write_result(result) || (spec.requests != nullptr && !output.start_csv(request_heading))) {
    fmt::print(stderr, "flashpath: {}; nothing was run\n", output.error());
    return exit_code(Ending::unwritable);
  }
  const Time begin = machine.platform.now();
  RequestLog log{list.requests, output, begin};
  if (spec.requests != nullptr && output.active()) jobs.on_each(Delegate<void(const firmware::Ended&)>::to<&RequestLog::write>(&log));
  jobs.start(begin);
  auto& r = jobs.result(0);
  Watch watch;
  watch.done = Delegate<bool()>::to<&firmware::IoJobs::finished>(&jobs);
  watch.completed = [&] {
    return machine.platform.firmware().driver().in_flight() == 0 ? ~0ULL
                                                                 : flash_totals(machine).host_read + flash_totals(machine).host_written;
  };
  watch.writable = [&] { return output.error().empty(); };
  const Duration whole = spec.ramp + spec.runtime;
  watch.progress = [&] {
    const Duration at = machine.platform.now() - begin;
    return std::pair{whole.count() == 0 ? 0.0 : to_seconds(at) / to_seconds(whole),
                     fmt::format("{:.3f} ms simulated, {} commands", to_seconds(at) * 1e3, r.direction[0].ios + r.direction[1].ios)};
  };
  Ending ending = run(machine, watch, o.run.style());
  ending = check(
      machine, ending,
      [&](Laws& laws) {
        laws.about("io");
        laws.equal("blocks that were not what was written", r.verify_errors, "none", 0);
      },
      result);
  if (spec.requests != nullptr && !output.close_csv() && ending == Ending::finished) ending = Ending::unwritable;
  const Duration span = machine.platform.now() - begin;
  fmt::print("{}: ({}): {}, iodepth={}, numjobs={}, {} on {} drive{}\n", spec.name, name_of(ending),
             spec.requests == nullptr ? fmt::format("rw={}, bs={}", o.rw, print(spec.bs)) : list.path, spec.iodepth, spec.numjobs,
             resolved.preset, resolved.config.general.drives, resolved.config.general.drives == 1 ? "" : "s");
  print_direction("read", r, 0);
  print_direction("write", r, 1);
  if (other) {
    fmt::print("beside it: {}\n", o.beside);
    print_direction("read", jobs.result(1), 0);
    print_direction("write", jobs.result(1), 1);
  }
  if (spec.verify) fmt::print("  verify: {} blocks checked, {} wrong\n", r.verified, r.verify_errors);
  if (spec.verify && r.verified == 0)
    fmt::print(stderr,
               "flashpath: --verify: no block was read after it had been written; use a mixed --rw, and a runtime or number of commands "
               "beyond one pass of --size\n");
  if (r.errors != 0) fmt::print("  errors: {} commands ended with an error status\n", r.errors);
  const auto uses = utilisations(machine, span);
  fmt::print("\nUse of each resource\n{}", percent_table(uses));
  if (!uses.empty()) fmt::print("Bottleneck: {} at {:.1f} %\n", uses.front().resource, uses.front().utilisation * 100);
  const Flash f = flash_totals(machine);
  if (f.unmapped_read > f.host_read / 100) {
    fmt::print(
        "Note: {:.0f} % of the bytes read had never been written: answered as zeros, without flash. --set ftl.precondition=sequential "
        "starts with a written drive.\n",
        100 * static_cast<double>(f.unmapped_read) / static_cast<double>(f.host_read));
  }
  report_faults(machine, result);
  const std::uint64_t pages = (f.read + f.programmed) / resolved.config.nand.page.count;
  result["complete"] = ending == Ending::finished;
  result["ending"] = name_of(ending);
  result["simulated_s"] = to_seconds(span);
  result["read"] = direction_json(r, 0);
  result["write"] = direction_json(r, 1);
  if (other) {
    result["job"]["beside"] = o.beside;
    result["beside"] = {
        {"read", direction_json(jobs.result(1), 0)}, {"write", direction_json(jobs.result(1), 1)}, {"errors", jobs.result(1).errors}};
  }
  if (!o.prio.empty()) result["job"]["prio"] = o.prio;
  result["errors"] = r.errors;
  result["verified_blocks"] = r.verified;
  result["verify_errors"] = r.verify_errors;
  Json& use = result["utilisation"] = Json::object();
  for (const auto& u : uses) use[u.resource] = u.utilisation;
  if (!uses.empty()) result["bottleneck"] = {{"resource", uses.front().resource}, {"utilisation", uses.front().utilisation}};
  result["flash"] = {{"host_read_bytes", f.host_read},
                     {"host_written_bytes", f.host_written},
                     {"flash_programmed_bytes", f.programmed},
                     {"waf", number(f.waf())}};
  if (coefficients) result["energy"] = energy_report(*coefficients, energy_counts(machine, span));
  result["statistics"] = platform_statistics(machine, machine.platform.now() - Time{});
  result["host"] = host_cost(machine, cpu, pages);
  fmt::print("This run: {:.2f} CPU s, {} peak memory, {:.2f} M events, {:.3f} M commands per CPU s\n",
             result["host"]["cpu_s"].get<double>(), human_bytes(result["host"]["peak_rss_bytes"].get<double>()),
             result["host"]["actions"].get<double>() * 1e-6,
             static_cast<double>(r.direction[0].ios + r.direction[1].ios) / result["host"]["cpu_s"].get<double>() * 1e-6);
  if (!output.write_result(result)) {
    fmt::print(stderr, "flashpath: {}; the result is partial\n", output.error());
    if (ending == Ending::finished) ending = Ending::unwritable;
  }
  return exit_code(ending);
}

}  // namespace

Command add_io(CLI::App& app) {
  auto o = std::make_shared<IoOptions>();
  add_platform_options(app, o->platform, "single-drive");
  add_fault_option(app, o->platform);
  app.add_option("--rw", o->rw, "read, write, rw, randread, randwrite or randrw")->capture_default_str();
  app.add_option("--bs", o->bs, "block size, e.g. 4k, 128k, 1MiB")->capture_default_str();
  app.add_option("--iodepth", o->iodepth, "commands a job keeps in flight")->capture_default_str();
  app.add_option("--numjobs", o->numjobs, "jobs; job j runs on core j")->capture_default_str();
  app.add_option("--rwmixread", o->mix, "percent of reads in rw and randrw")->capture_default_str();
  app.add_option("--size", o->size, "region of the drive a job works on; without --runtime: how much it moves");
  app.add_option("--offset", o->offset, "where the region begins");
  app.add_option("--offset_increment", o->offset_increment, "added to the offset for each further job on the same drive");
  app.add_option("--runtime", o->runtime,
                 "simulated time to measure, e.g. 20ms (the default when neither size nor number_ios says when to end)");
  app.add_option("--ramp", o->ramp, "simulated time before the measurement starts");
  app.add_option("--number_ios", o->number_ios, "commands of each job");
  app.add_option("--rate_iops", o->rate_iops, "limit of each job, commands per second");
  app.add_option("--randseed", o->seed, "seed of addresses and of the read/write mix")->capture_default_str();
  app.add_flag("--verify", o->verify,
               "write a pattern and check every byte read back (needs --set data=true and a mixed --rw; --size alone means two passes)");
  app.add_flag("--norandommap", o->norandommap, "draw addresses independently instead of each block once per pass");
  app.add_flag("--stripe", o->stripe, "spread each job's blocks over all drives instead of one drive per job");
  app.add_option(
      "--prio", o->prio,
      "priority class of the job's queues: urgent, high, medium or low; the drives then arbitrate by weighted round robin (nvme.weight_*)");
  app.add_option(
         "--beside", o->beside,
         "a second job at the same time, its options as a list: rw=randwrite,bs=128k,iodepth=8,numjobs=4,prio=low (also size, offset, "
         "offset_increment, rwmixread, rate_iops); its results are beside.read and beside.write")
      ->type_name("JOB");
  auto requests = std::make_shared<std::string>();
  app.add_option("--requests", *requests,
                 "replay this list closed loop, --iodepth in flight: lines of op,lba512,sectors (R or W, sectors of 512 B), plain, .gz or "
                 ".zst; latencies of each go to requests.csv in --out; rw, bs, offset and size do not count")
      ->type_name("FILE");
  add_run_options(app, o->run);
  return [o, requests] { return run_io(*o, *requests); };
}

}  // namespace flashpath::sim

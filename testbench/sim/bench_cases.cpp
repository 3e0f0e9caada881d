// SPDX-License-Identifier: Apache-2.0
#include "sim/bench_cases.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <queue>

#include "base/random.h"
#include "ftl/ftl_part.h"
#include "sim/run.h"

namespace flashpath::sim {
namespace {

firmware::JobSpec job(firmware::Rw rw, Bytes bs, std::uint32_t depth, std::uint64_t ios, Bytes size = {}) {
  firmware::JobSpec s;
  s.name = "bench";
  s.rw = rw;
  s.bs = bs;
  s.iodepth = depth;
  s.number_ios = ios;
  s.size = size;
  return s;
}

std::uint64_t peak_rss() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024U;
}

Cost work(const BenchCase& c, std::uint64_t scale) {
  Cost cost;
  const double begin = cpu_seconds();
  platform::Resolved resolved = platform::load("single-drive", {}, c.settings);
  Machine machine{resolved};
  cost.start_cpu_s = cpu_seconds() - begin;
  cost.start_rss = peak_rss();
  firmware::JobSpec spec = c.job;
  spec.number_ios = std::max<std::uint64_t>(1, spec.number_ios / scale);
  auto& jobs = machine.platform.firmware().jobs();
  UserErrors errors;
  jobs.add(spec, errors);
  errors.raise_if_any();
  cost.reference_s = reference_loop();
  const std::uint64_t actions = machine.platform.agenda().executed();
  const double at = cpu_seconds();
  jobs.start(machine.platform.now());
  Watch watch;
  watch.done = Delegate<bool()>::to<&firmware::IoJobs::finished>(&jobs);
  watch.completed = [&] { return flash_totals(machine).host_read + flash_totals(machine).host_written + 1; };
  watch.writable = [] { return true; };
  watch.progress = [] { return std::pair{0.0, std::string{}}; };
  const Ending ending = run(machine, watch, Progress::Style::none);
  cost.cpu_s = cpu_seconds() - at;
  cost.reference_s = std::min(cost.reference_s, reference_loop());
  cost.actions = machine.platform.agenda().executed() - actions;
  Json laws;
  cost.ok = check(
                machine, ending, [](Laws&) {}, laws) == Ending::finished &&
            jobs.result(0).errors == 0;
  const Flash flash = flash_totals(machine);
  cost.requests = spec.number_ios;
  cost.pages = (flash.read + flash.programmed) / resolved.config.nand.page.count;
  cost.waf = flash.waf().value_or(0);
  if (const auto* ftl = dynamic_cast<const ftl::ModelFtl*>(machine.platform.drive(0).ftl.get())) {
    cost.map_bytes = ftl->model().memory().count;
    cost.units = ftl->model().mapping().mapped();
  }
  cost.rss = peak_rss();
  return cost;
}

}  // namespace

std::vector<BenchCase> bench_cases() {
  using firmware::Rw;
  const std::string full = "ftl.precondition=sequential";
  const std::vector<std::string> small{
      "nand.channels=8",        "nand.dies_per_channel=2", "nand.blocks_per_plane=108",   "nand.wordlines_per_block=32",
      "ftl.mapping_unit=16KiB", "ftl.capacity=8GiB",       "ftl.precondition=sequential", "ftl.write_buffer=16MiB"};
  return {
      {"read-4k",
       "4 KiB random read, depth 64",
       Figure::requests_per_cpu_s,
       {full},
       job(Rw::randread, 4_KiB, 64, 200'000),
       0.8e6,
       1.5e6,
       0.27e6},
      {"read-1m", "1 MiB random read, depth 8", Figure::pages_per_cpu_s, {full}, job(Rw::randread, 1_MiB, 8, 32'000), 6e6, 12e6, 1.2e6},
      {"write-16k-gc", "16 KiB random write with garbage collection, depth 64", Figure::requests_per_cpu_s, small,
       job(Rw::randwrite, 16_KiB, 64, 1'000'000), 0.4e6, 1e6, 0.074e6},
      {"memory-random",
       "memory per 16 KiB unit written at random",
       Figure::bytes_per_unit,
       {"ftl.mapping_unit=16KiB"},
       job(Rw::randwrite, 16_KiB, 64, 262'144, 4_GiB),
       16,
       8,
       28},
      {"memory-sequential",
       "memory per 16 KiB unit written in large sequential requests",
       Figure::bytes_per_unit,
       {"ftl.mapping_unit=16KiB"},
       job(Rw::write, 1_MiB, 8, 65'536, 64_GiB),
       2,
       0.5,
       28},
      {"channels",
       "CPU time per 4 KiB read, 32 channels against 4, depth 64",
       Figure::channels_ratio,
       {full},
       job(Rw::randread, 4_KiB, 64, 100'000),
       1.2,
       1.05,
       2.6},
      {"start-up",
       "a drive of 15.36 TB until it is ready",
       Figure::start_up,
       {"ftl.capacity=15360GB", "nand.dies_per_channel=8"},
       job(Rw::randread, 4_KiB, 1, 1),
       0.1,
       0,
       0},
  };
}

Cost run_case(const BenchCase& c, std::uint64_t scale) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {  // SystemC elaborates once per process
    close(ends[0]);
    Cost cost;
    try {
      cost = work(c, scale);
    } catch (const UserErrors& errors) {
      for (const auto& message : errors.list) std::fprintf(stderr, "flashpath: %s: %s\n", c.name, message.c_str());
    }
    const bool sent = ::write(ends[1], &cost, sizeof cost) == static_cast<ssize_t>(sizeof cost);
    std::fflush(nullptr);
    _exit(sent ? 0 : 1);
  }
  close(ends[1]);
  Cost cost;
  if (child < 0 || ::read(ends[0], &cost, sizeof cost) != static_cast<ssize_t>(sizeof cost)) cost = Cost{};
  close(ends[0]);
  int status = 0;
  if (child > 0) waitpid(child, &status, 0);
  return cost;
}

double reference_loop() {
  struct Event {
    std::uint64_t at, order;
    void (*action)(std::uint64_t&, std::uint64_t);
    std::uint32_t object;
    bool operator>(const Event& other) const { return at != other.at ? at > other.at : order > other.order; }
  };
  static constexpr std::array<void (*)(std::uint64_t&, std::uint64_t), 4> actions{
      [](std::uint64_t& x, std::uint64_t v) { x += v; }, [](std::uint64_t& x, std::uint64_t v) { x ^= v << 1U; },
      [](std::uint64_t& x, std::uint64_t v) { x = x * 3 + v; }, [](std::uint64_t& x, std::uint64_t v) { x -= v >> 2U; }};
  const double begin = cpu_seconds();
  std::vector<std::uint64_t> state(1U << 15U);
  std::priority_queue<Event, std::vector<Event>, std::greater<>> queue;
  std::uint64_t seed = 1, order = 0;
  const auto next = [&] { return seed = mix64(seed + 1); };
  for (; order < 256; ++order) queue.push({next() % 65'536, order, actions[order % 4], static_cast<std::uint32_t>(next() % state.size())});
  for (int i = 0; i < 600'000; ++i) {
    Event e = queue.top();
    queue.pop();
    e.action(state[e.object], e.at);
    const std::uint64_t r = next();
    queue.push({e.at + r % 65'536, order++, actions[r >> 60U & 3U], static_cast<std::uint32_t>((r >> 20U) % state.size())});
  }
  const volatile std::uint64_t sink = state[seed % state.size()];
  static_cast<void>(sink);
  return cpu_seconds() - begin;
}

}  // namespace flashpath::sim

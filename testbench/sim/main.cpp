// SPDX-License-Identifier: Apache-2.0
// flashpath: the command line. The only file that includes all of CLI11.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string_view>
#include <systemc>

#include "base/error.h"
#include "sim/commands.h"

namespace flashpath::sim {

void add_platform_options(CLI::App& app, PlatformOptions& options, const std::string& preset) {
  options.platform = preset;
  std::string names;
  for (const auto& name : platform::presets()) names += (names.empty() ? "" : ", ") + name;
  app.add_option("-p,--platform", options.platform, "preset (" + names + ") or the path of a .toml file")
      ->capture_default_str()
      ->type_name("NAME|FILE");
  std::string fragments;
  for (const auto& name : platform::fragments()) fragments += (fragments.empty() ? "" : ", ") + name;
  app.add_option("-c,--config", options.files, "further .toml files, or dies to put in: " + fragments + "; later ones win")
      ->type_name("NAME|FILE");
  app.add_option("-s,--set", options.assignments, "one parameter, e.g. --set nand.channels=32; repeatable, wins over files")
      ->type_name("KEY=VALUE");
}

std::string number_within(const std::string& text, double low, double high) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() && *end == '\0' && value >= low && value <= high) return "";
  return text + ": not a number from " + CLI::detail::to_string(low) + " to " + CLI::detail::to_string(high);
}

void add_fault_option(CLI::App& app, PlatformOptions& options) {
  app.add_option("--fault", options.faults,
                 "what dies, and when after the start: drive:D@TIME, channel:D.C@TIME, die:D.N@TIME or plane:D.N.P@TIME, e.g. "
                 "drive:1@30s; repeatable, added to --set faults=…")
      ->type_name("WHAT@TIME");
}

void add_run_options(CLI::App& app, RunOptions& options) {
  app.add_option("-o,--out", options.out, "directory for result.json and requests.csv")->type_name("DIR");
  app.add_flag("--force", options.force, "replace a result that is already there");
  app.add_option("--energy", options.energy, "coefficients of energy (TOML, see tlm/energy/example.toml): report joules")
      ->type_name("FILE");
  app.add_option("--progress", options.progress, "auto (a bar on a terminal), none, or json lines on stderr")
      ->check(CLI::IsMember({"auto", "none", "json"}))
      ->capture_default_str();
}

std::vector<std::string>& other_command() {
  static std::vector<std::string> words;
  return words;
}

namespace {

constexpr const char* examples = R"(
Examples
  flashpath replay traces/samples/conversation_small.jsonl --out out/first
        what would my time to first token have been? (the bundled log, a BlueField-4 class box with nine drives)
  flashpath replay log.jsonl.zst --model llama-3.1-8b --accelerator 8xh100 --instances 2 --set drives=4
        another model, another cluster, fewer drives
  flashpath io --rw randread --bs 4k --iodepth 32 --numjobs 8 --runtime 20ms
        what does one drive give, in fio's words?
  flashpath io --rw randrw --verify --set data=true --size 64MiB
        every byte checked on its way to the NAND cells and back
  flashpath hits log.jsonl.zst --capacity 10000 --capacity 50000
        what could a cache of that many blocks hit at all?
  flashpath describe --platform bf4-icms
        every number of the platform, with its source

Exit codes: 0 done; 2 bad input (every mistake is listed); 3 a conservation law was broken or the simulation stalled;
4 the result could not be written; 130 interrupted (the partial result is on disk).
)";

/// What follows `--` is another program's business: it is taken off before our options are read.
int split_at_dashes(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view{argv[i]} != "--") continue;
    other_command().assign(argv + i + 1, argv + argc);
    return i;
  }
  return argc;
}

int run(int argc, char** argv) {
  argc = split_at_dashes(argc, argv);
  CLI::App app{"flashpath: a cycle-approximate model of a DPU and the flash path behind it (SystemC/TLM-2.0)", "flashpath"};
  app.footer(examples);
  app.set_version_flag("--version", std::string("flashpath ") + version);
  app.require_subcommand(1);
  std::map<const CLI::App*, Command> commands;
  const auto add = [&](const char* name, const char* about, Command (*build)(CLI::App&)) {
    CLI::App& sub = *app.add_subcommand(name, about);
    commands[&sub] = build(sub);
  };
  add("replay", "replay a serving log through the whole platform", add_replay);
  add("io", "run fio-like jobs against the drives", add_io);
  add("age", "write a drive without any time, and save it for --set ftl.image=FILE", add_age);
  add("hits", "hit ratios of one shared cache on a log, without any time", add_hits);
  add("waf", "write amplification of garbage collection alone, for comparison with closed forms", add_waf);
  add("bench", "what the simulator itself costs: requests and flash pages per CPU second, memory, start-up", add_bench);
  add("shell", "run a program, such as nvme-cli, with the modelled drive behind /dev/nvme0", add_shell);
  add("describe", "print the resolved platform: every parameter, with its source", add_describe);
  add("parameters", "print docs/parameters.md", add_parameters);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    return code == 0 ? 0 : exit_user_error;
  }
  try {
    watch_for_interrupt();
    if (!other_command().empty() && app.get_subcommands().front()->get_name() != "shell")
      throw UserErrors{{"-- " + other_command().front() + ": only `flashpath shell` runs another program"}};
    return commands.at(app.get_subcommands().front())();
  } catch (const UserErrors& errors) {
    for (const auto& message : errors.list) std::fprintf(stderr, "flashpath: %s\n", message.c_str());
    if (errors.list.size() > 1) std::fprintf(stderr, "flashpath: %zu mistakes; nothing was run\n", errors.list.size());
    return exit_user_error;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "flashpath: out of memory; a smaller platform or log may fit\n");
    return exit_user_error;
  }
}

}  // namespace
}  // namespace flashpath::sim

// libsystemc carries a main() of its own; ours is in the executable and wins.
extern "C" int sc_main(int, char**);
int sc_main(int, char**) { return 0; }

int main(int argc, char** argv) {
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  return flashpath::sim::run(argc, argv);
}

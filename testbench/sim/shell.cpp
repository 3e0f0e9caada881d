// SPDX-License-Identifier: Apache-2.0
// shell: runs a program that finds the modelled drive behind /dev/nvme0.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "client/server.h"
#include "sim/run.h"

namespace flashpath::sim {
namespace {

struct ShellOptions {
  PlatformOptions platform;
  std::string log;
};

constexpr const char* teaches = R"(
After -- comes the program to run, with its arguments; without it your $SHELL.
The drive is drive 0 of the platform, alone: controller, FTL and flash with real bytes, without the DPU and its link. It lives as long as the
shell: what one command writes the next one reads. Time passes only while a command is under way.

Examples
  flashpath shell -- nvme id-ctrl /dev/nvme0
  flashpath shell --set ftl.capacity=1TB -- nvme smart-log /dev/nvme0 -o json
  flashpath shell -- sh -c 'nvme write /dev/nvme0n1 -z 4096 -d in.bin && nvme read /dev/nvme0n1 -z 4096 -d out.bin'
  flashpath shell                      your $SHELL, with the drive behind /dev/nvme0
)";

/// The preloaded library: beside the program, or where an installation puts it.
std::string library() {
  std::error_code failed;
  const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe", failed).parent_path();
  for (const auto& path : {here / "libflashpath_shim.so", here / "../lib/flashpath/libflashpath_shim.so"}) {
    if (std::filesystem::exists(path, failed)) return path.string();
  }
  return {};
}

/// A directory of our own for the socket, gone with it.
struct Place {
  std::string directory;
  Place() {
    std::error_code failed;
    std::string name = (std::filesystem::temp_directory_path(failed) / "flashpath-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) directory = name;
  }
  ~Place() {
    if (!directory.empty()) ::rmdir(directory.c_str());
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
};

int run_shell(const ShellOptions& o) {
  UserErrors errors;
  const std::string shim = library();
  if (shim.empty()) errors.add("libflashpath_shim.so is not beside the program: build it (target flashpath_shim)");
  std::FILE* log = nullptr;
  if (o.log == "-") log = stderr;
  else if (!o.log.empty()) {
    log = std::fopen(o.log.c_str(), "w");
    if (log == nullptr) errors.add("--log " + o.log + ": " + std::strerror(errno));
  }
  const platform::Resolved resolved = o.platform.load(errors);
  const platform::Config& c = resolved.config;
  if (c.parts.ftl != "model" || c.parts.nvme != "model" || c.parts.nand != "model")
    errors.add("shell: only the parts \"model\" of nvme, ftl and nand can stand alone");
  if (!c.general.faults.empty()) errors.add("faults: not in a shell");
  errors.raise_if_any();

  client::PolledHost host{
      {.nvme = c.nvme, .ftl = c.ftl, .nand = c.nand, .geometry = platform::geometry_of(c.nand), .seed = c.general.seed}};
  if (!host.bring_up()) {
    fmt::print(stderr, "flashpath: the drive does not come up\n");
    return exit_law_broken;
  }
  const Place place;
  client::Server server{host, place.directory + "/nvme0", log};
  if (place.directory.empty() || !server.listen()) {
    fmt::print(stderr, "flashpath: no socket for the drive: {}\n", std::strerror(errno));
    return exit_unwritable;
  }
  std::vector<std::string> words = other_command();
  if (words.empty()) {
    const char* const own = std::getenv("SHELL");
    words.emplace_back(own != nullptr ? own : "/bin/sh");
    fmt::print(stderr, "flashpath: {} is behind /dev/nvme0 and /dev/nvme0n1; leave the shell to end it\n", resolved.preset);
  }
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) {
    fmt::print(stderr, "flashpath: fork: {}\n", std::strerror(errno));
    return exit_unwritable;
  }
  if (child == 0) {
    ::setenv("LD_PRELOAD", shim.c_str(), 1);
    ::setenv(client::socket_variable, (place.directory + "/nvme0").c_str(), 1);
    std::vector<char*> arguments;
    for (auto& w : words) arguments.push_back(w.data());
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    fmt::print(stderr, "flashpath: {}: {}\n", words[0], std::strerror(errno));
    ::_exit(errno == ENOENT ? 127 : 126);  // as a shell says it
  }
  const int status = server.serve(child);
  if (log != nullptr && log != stderr) std::fclose(log);
  Laws laws;
  host.drive().check(laws);
  for (const auto& broken : laws.broken()) fmt::print(stderr, "flashpath: law broken: {}\n", broken);
  if (!laws.broken().empty()) return exit_law_broken;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Command add_shell(CLI::App& app) {
  auto o = std::make_shared<ShellOptions>();
  add_platform_options(app, o->platform, "single-drive");
  app.add_option("--log", o->log, "a line per NVMe command, with its simulated latency, into FILE (-: stderr)")->type_name("FILE");
  app.footer(teaches);
  return [o] { return run_shell(*o); };
}

}  // namespace flashpath::sim

// SPDX-License-Identifier: Apache-2.0
// age: writes a drive until it is as old as one likes, without any time, and saves what the FTL then knows.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>

#include "base/random.h"
#include "ftl/ftl_model.h"
#include "ftl/image.h"
#include "sim/run.h"

namespace flashpath::sim {
namespace {

struct AgeOptions {
  PlatformOptions platform;
  std::string image, rw = "randwrite", bs;
  double drive_writes = 2;
  std::uint64_t seed = 1;
  bool force = false;
};

/// A drive of FTL only: flash of no time, writes kept in flight by whoever they answer to.
class Aging {
 public:
  Aging(const platform::Config& config, Bytes bs, bool random, std::uint64_t writes, std::uint64_t seed)
      : model_{agenda_,
               config.ftl,
               platform::geometry_of(config.nand),
               false,
               ftl::FtlModel::IssueFlash::to<&Aging::issue>(this),
               ftl::FtlModel::Event::to<&Aging::accepted>(this),
               ftl::FtlModel::Event::to<&Aging::answered>(this)},
        bs_{bs},
        blocks_{config.ftl.capacity / bs},
        random_writes_{random},
        left_{writes},
        random_{seed, "age"} {}

  void run(const std::function<void(std::uint64_t)>& progress) {
    std::vector<ftl::Request> requests(64);
    for (auto& r : requests) write(r, agenda_.now());
    const std::uint64_t step = std::max<std::uint64_t>(1, left_ / 200);
    for (std::uint64_t next = left_; left_ != 0 && !interrupted() && !agenda_.empty();) {
      agenda_.step();
      if (left_ > next) continue;
      progress(left_);
      next = left_ > step ? left_ - step : 0;
    }
    left_ = 0;
    agenda_.run();
    model_.pad_all(agenda_.now());
    agenda_.run();
  }
  const ftl::FtlModel& model() const { return model_; }
  Time now() const { return agenda_.now(); }

 private:
  void write(ftl::Request& r, Time now) {
    if (left_ == 0) return;
    --left_;
    r = {};
    r.kind = ftl::RequestKind::write;
    r.address = bs_ * (random_writes_ ? random_.below(blocks_) : next_++ % blocks_);
    r.size = bs_;
    r.journey = Journey{now};
    model_.submit(r, now);
  }
  void issue(nand::Op& op, Time now) {
    op.stream = {now, now};
    agenda_.post<&Aging::flash>(now, this, reinterpret_cast<std::uint64_t>(&op));
  }
  void flash(Time now, std::uint64_t op) { model_.flash_answered(*reinterpret_cast<nand::Op*>(op), now); }
  void accepted(ftl::Request&, Time) {}
  void answered(ftl::Request& r, Time now) { write(r, now); }

  Agenda agenda_;
  ftl::FtlModel model_;
  Bytes bs_;
  std::uint64_t blocks_;
  bool random_writes_;
  std::uint64_t left_, next_ = 0;
  Random random_;
};

int run_age(const AgeOptions& o) {
  const double cpu = cpu_seconds();
  const platform::Resolved resolved = o.platform.load();
  const platform::Config& config = resolved.config;
  UserErrors errors;
  Bytes bs = config.ftl.mapping_unit;
  Given given;
  given.text = unit_of_fio(o.bs);
  if (!o.bs.empty() && !parse(given, bs)) errors.add("--bs " + o.bs + ": not a size");
  if (bs.count == 0 || bs > config.ftl.capacity) errors.add("--bs " + o.bs + ": must be above zero and at most ftl.capacity");
  if (config.parts.ftl != "model") errors.add("ftl.part = \"" + config.parts.ftl + "\": only the FTL \"model\" starts from an image");
  if (config.ftl.spare_blocks != 0) errors.add("ftl.spare_blocks: must be 0: an image does not know of bad blocks");
  if (o.rw != "write" && o.rw != "randwrite") errors.add("--rw " + o.rw + ": not one of write, randwrite");
  if (!(o.drive_writes >= 0 && o.drive_writes <= 1000)) errors.add("--drive_writes: must be between 0 and 1000");
  if (std::FILE* there = o.force ? nullptr : std::fopen(o.image.c_str(), "rb"); there != nullptr) {
    std::fclose(there);
    errors.add(o.image + " is there already; --force replaces it");
  }
  if (config.ftl.rain != 0) errors.add("ftl.rain: an image cannot hold parity; leave it at 0");
  errors.raise_if_any();
  const auto writes = static_cast<std::uint64_t>(o.drive_writes * static_cast<double>(config.ftl.capacity / bs));
  Aging aging{config, bs, o.rw == "randwrite", writes, o.seed};
  ftl::ImageWriter out{o.image};
  if (!out.error().empty()) {
    fmt::print(stderr, "flashpath: {}\n", out.error());
    return exit_unwritable;
  }
  ftl::Counts half{};
  aging.run([&](std::uint64_t left) {
    if (left >= writes / 2) half = aging.model().counts();
  });
  if (interrupted()) {
    fmt::print(stderr, "flashpath: interrupted; no image was written\n");
    return exit_interrupted;
  }
  Laws laws;
  aging.model().check(laws, aging.now());
  for (const auto& broken : laws.broken()) fmt::print(stderr, "flashpath: law broken: {}\n", broken);
  if (!laws.broken().empty()) return exit_law_broken;
  aging.model().save(out);
  if (!out.finish()) {
    fmt::print(stderr, "flashpath: {}\n", out.error());
    return exit_unwritable;
  }
  const ftl::Counts& c = aging.model().counts();
  const auto waf = [](const ftl::Counts& from, const ftl::Counts& to) {
    const std::uint64_t host = to.placed - from.placed;
    return host == 0 ? 0.0 : 1 + static_cast<double>(to.gc_moved - from.gc_moved) / static_cast<double>(host);
  };
  fmt::print("age: {} of {}, rw={}, bs={}, {:.2f} drive writes\n", resolved.preset, print(config.ftl.capacity), o.rw, print(bs),
             static_cast<double>(c.host_written) / static_cast<double>(config.ftl.capacity.count));
  fmt::print("  WAF={:.3f}, of the later half {:.3f}; {} superblocks free, {:.1f} % of the units mapped\n", waf({}, c), waf(half, c),
             aging.model().free_superblocks(),
             100 * static_cast<double>(aging.model().mapping().mapped()) / static_cast<double>(aging.model().mapping().units()));
  fmt::print("  closed superblocks by valid share, 0-10 % .. 90-100 %:");
  for (const std::uint64_t n : aging.model().closed_valid()) fmt::print(" {}", n);
  fmt::print("\n{}: {}; use it with --set ftl.image={}\nThis run: {:.2f} CPU s, {} of map and reverse information\n", o.image,
             human_bytes(static_cast<double>(out.bytes())), o.image, cpu_seconds() - cpu,
             human_bytes(static_cast<double>(aging.model().memory().count)));
  return 0;
}

}  // namespace

Command add_age(CLI::App& app) {
  auto o = std::make_shared<AgeOptions>();
  add_platform_options(app, o->platform, "single-drive");
  app.add_option("image", o->image, "the file to write")->required()->type_name("FILE");
  app.add_option("--rw", o->rw, "randwrite or write")->capture_default_str();
  app.add_option("--bs", o->bs, "block size; the mapping unit unless given");
  app.add_option("--drive_writes", o->drive_writes, "how often the capacity is written")->capture_default_str();
  app.add_option("--randseed", o->seed, "seed of the addresses")->capture_default_str();
  app.add_flag("--force", o->force, "replace an image that is already there");
  return [o] { return run_age(*o); };
}

}  // namespace flashpath::sim

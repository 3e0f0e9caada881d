// SPDX-License-Identifier: Apache-2.0
// A knob turned on a small drive: a workload, two values, and what must become more or less.
#pragma once
#include <cmath>
#include <string>

#include "platform/bench.h"

namespace flashpath::test {

/// On a drive of four dies; reads and overwrites find it written in order.
enum class Load {
  read_one,      ///< 4 KiB at random, one at a time
  read_page,     ///< 16 KiB
  read_stripe,   ///< 32 KiB: both planes
  reads,         ///< 4 KiB at random, 64 in flight
  page_reads,    ///< 16 KiB at random, 64 in flight
  few_reads,     ///< 16 KiB at random, 64 in flight, all in the first MiB
  write_one,     ///< 4 KiB at random, one at a time
  small_writes,  ///< 4 KiB at random into an empty drive, 64 in flight
  writes,        ///< 64 KiB in order, 16 in flight
  overwrites,    ///< 16 KiB at random, several times the drive
  few_writes,    ///< the same, on the first half of the drive
  mixed,         ///< reads and overwrites in turn
  churn,         ///< the same, until blocks are erased
};

enum class Must { rise, fall, scale };

struct Knob {
  const char* key;
  Load load;
  Settings base;
  const char *from, *to;
  const char* metric;  ///< read_us, write_us, seconds, "errors", busy:PART.TIMER, or PART.COUNTER
  Must must;
  double ratio = 0;  ///< scale: (with `to`) / (with `from`), within 2 %
  friend std::ostream& operator<<(std::ostream& out, const Knob& k) { return out << k.key << " " << k.from << " to " << k.to; }
};

inline const Settings small_drive_of_four_dies{"nand.channels=2",
                                               "nand.dies_per_channel=2",
                                               "nand.planes=2",
                                               "nand.blocks_per_plane=64",
                                               "nand.wordlines_per_block=16",
                                               "ftl.capacity=256MiB",
                                               "ftl.write_buffer=2MiB",
                                               "ftl.gc_low=3",
                                               "ftl.gc_high=5"};

inline firmware::JobSpec job_of(Load load) {
  using firmware::Rw;
  firmware::JobSpec s;
  const auto set = [&](Rw rw, Bytes bs, std::uint32_t depth, std::uint64_t ios) {
    s.rw = rw;
    s.bs = bs;
    s.iodepth = depth;
    s.number_ios = ios;
  };
  switch (load) {
    case Load::read_one: set(Rw::randread, 4_KiB, 1, 200); break;
    case Load::read_page: set(Rw::randread, 16_KiB, 1, 200); break;
    case Load::read_stripe: set(Rw::randread, 32_KiB, 1, 200); break;
    case Load::reads: set(Rw::randread, 4_KiB, 64, 2000); break;
    case Load::page_reads: set(Rw::randread, 16_KiB, 64, 2000); break;
    case Load::few_reads: set(Rw::randread, 16_KiB, 64, 6000); break;
    case Load::write_one: set(Rw::randwrite, 4_KiB, 1, 100); break;
    case Load::small_writes: set(Rw::randwrite, 4_KiB, 64, 2000); break;
    case Load::writes: set(Rw::write, 64_KiB, 16, 1000); break;
    case Load::overwrites:
    case Load::few_writes: set(Rw::randwrite, 16_KiB, 16, 40'000); break;
    case Load::churn: set(Rw::randrw, 16_KiB, 32, 40'000); break;
    case Load::mixed: set(Rw::randrw, 16_KiB, 32, 6000); break;
  }
  if (load == Load::few_reads) s.size = 1_MiB;
  if (load == Load::few_writes) s.size = 128_MiB;
  s.norandommap = s.rw != Rw::write;
  return s;
}

inline double metric_of(Rig& rig, firmware::JobResult& r, const std::string& metric) {
  if (metric == "read_us") return r.direction[0].lat.mean() / 1e6;
  if (metric == "write_us") return r.direction[1].lat.mean() / 1e6;
  if (metric == "seconds") return to_seconds(r.window());
  if (metric == "errors") return static_cast<double>(r.errors);
  rig.platform.finish(rig.platform.now());
  const bool busy = metric.starts_with("busy:");
  const std::string path = busy ? metric.substr(5) : metric;
  const auto dot = path.find('.');
  const std::string part = "." + path.substr(0, dot), name = path.substr(dot + 1);
  if (!busy) return static_cast<double>(rig.count(part, name));
  for (const Part* p : rig.platform.parts()) {
    if (!std::string_view{p->name()}.ends_with(part)) continue;
    for (const stats::Busy* b : p->stats.busy())
      if (b->name == name) return static_cast<double>(b->value.count());
  }
  ADD_FAILURE() << "no timer " << path;
  return 0;
}

inline double measure(const Knob& k, const char* value) {
  return in_child([&] {
    Settings settings = small_drive_of_four_dies;
    if (k.load != Load::write_one && k.load != Load::small_writes && k.load != Load::writes)
      settings.emplace_back("ftl.precondition=sequential");
    settings.insert(settings.end(), k.base.begin(), k.base.end());
    settings.push_back(std::string{k.key} + "=" + value);
    Rig rig{"single-drive", settings};
    auto& result = rig.job(job_of(k.load));
    return metric_of(rig, result, k.metric);
  });
}

/// A knob whose test is elsewhere.
struct Elsewhere {
  const char* key;
  const char* test;  ///< SUITE.NAME
};

}  // namespace flashpath::test

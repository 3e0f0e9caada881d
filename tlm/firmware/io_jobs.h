// SPDX-License-Identifier: Apache-2.0
// fio-like jobs, run by the DPU's cores over the NVMe driver.
//
// Each job keeps `iodepth` commands under way on one core: it starts with a full batch, and every completion submits the
// next command in the same poll. Latencies as fio has them: slat creation to SQE written, clat to completion taken, lat both.
//   closed loop:  mean lat = iodepth x numjobs / IOPS (Little)      rate_iops = r: command k is created at start + k / r, or
//   when a slot is free, whichever is later; the schedule does not slip
// Measured are commands completed in [start + ramp, start + ramp + runtime]; without a runtime, all.
// verify tracks one generation per block of the job's region; blocks with a command under way are passed over.
// Races: a rate-limited command due at the moment of a completion is created by whichever the core runs first.
// Not modelled: fio's thread scheduling, several files per job, verify across jobs or after a restart.
#pragma once
#include <array>
#include <memory>
#include <vector>

#include "base/sparse_memory.h"
#include "firmware/io_spec.h"
#include "firmware/nvme_driver.h"
#include "firmware/staging.h"

namespace flashpath::firmware {

struct DirectionResult {
  std::uint64_t ios = 0;
  Bytes bytes{};
  stats::Histogram slat, clat, lat;
};

/// Of all jobs of one spec.
struct JobResult {
  std::array<DirectionResult, 2> direction;  ///< read, write
  std::uint64_t errors = 0;                  ///< commands that ended with a status
  std::uint64_t verified = 0;                ///< blocks whose content was checked
  std::uint64_t verify_errors = 0;           ///< blocks whose content was wrong
  Time begin{}, end{};                       ///< the measured window
  Duration window() const { return end - begin; }
  DirectionResult& read() { return direction[0]; }
  DirectionResult& write() { return direction[1]; }
  double iops(std::size_t d) const { return window().count() <= 0 ? 0 : static_cast<double>(direction[d].ios) / to_seconds(window()); }
  double bytes_per_second(std::size_t d) const {
    return window().count() <= 0 ? 0 : static_cast<double>(direction[d].bytes.count) / to_seconds(window());
  }
};

/// A command that has ended, as whoever asked for every one of them is told.
struct Ended {
  std::uint64_t index;  ///< of the job's commands, in order of creation
  Time created, done;
  bool ok;
};

class IoJobs {
 public:
  /// `memory`: the DPU memory's bytes in data mode, else nullptr (then verify is the user's mistake).
  IoJobs(const Config& config, Agenda& agenda, cores::Model& cores, Driver& driver, Staging& staging, SparseMemory* memory);

  /// Checks a spec against the drives; call after bring-up. Adds every mistake to `errors`, else the job to those to start.
  void add(const JobSpec& spec, UserErrors& errors);
  /// Starts all jobs added; `done` is called when the last one has ended.
  void start(Time now, Delegate<void(Time)> done = {});
  /// `each` is called for every command from now on.
  void on_each(Delegate<void(const Ended&)> each) { each_ = each; }
  bool finished() const { return running_ == 0; }
  std::size_t specs() const { return groups_.size(); }
  const JobSpec& spec(std::size_t i) const { return groups_[i]->spec; }
  JobResult& result(std::size_t i) { return groups_[i]->result; }
  std::uint64_t in_flight() const { return in_flight_; }

 private:
  struct Group {
    JobSpec spec;
    JobResult result;
  };
  struct Slot {
    std::uint64_t buffer = 0, block = 0;
    Time created{};
    std::uint32_t drive = 0, generation = 0;
    std::uint64_t lba = 0, index = 0;
    std::uint32_t blocks = 0;
    bool write = false;
  };
  struct Job {
    Job(std::uint64_t seed, std::uint32_t n) : number{n}, key{mix64(n + 1ULL)}, random{seed ^ key, "io_jobs"} {}
    std::uint32_t number;
    std::uint64_t key;
    Random random;
    Group* group = nullptr;
    std::uint32_t core = 0;
    std::vector<std::uint32_t> drives;
    std::uint64_t lba_blocks = 0;  // logical blocks per command
    std::uint64_t blocks = 0;      // commands that cover the region
    std::uint64_t first_lba = 0;
    std::uint64_t issued = 0, limit = ~0ULL;
    std::uint64_t pass = 0, in_pass = 0;  // issued / blocks, issued % blocks
    Shuffle shuffle;                      // of this pass
    Time start{}, measure{}, end = never;
    std::vector<Slot> slots;
    std::vector<std::uint32_t> free;
    std::vector<std::uint32_t> generations;  // verify: per block; top bit: a command is under way
    std::vector<std::uint32_t> frames;
    bool timer = false, ended = false;
  };
  void fill(cores::CoreContext& ctx, Job& job);
  void begin(cores::CoreContext& ctx, std::uint64_t index);
  void due(Time now, std::uint64_t index);
  void completed(cores::CoreContext& ctx, const Completed& completed);
  void create(cores::CoreContext& ctx, Job& job);
  void check_requests(const JobSpec& spec, Bytes lba, std::uint64_t blocks, UserErrors& errors) const;
  std::uint64_t pick(Job& job);
  void write_pattern(const Job& job, const Slot& slot);
  bool matches(const Job& job, const Slot& slot);
  void end_if_done(Job& job, Time now);

  Config config_;
  Agenda& agenda_;
  cores::Model& cores_;
  Driver& driver_;
  Staging& staging_;
  SparseMemory* memory_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::vector<unsigned char> bytes_;
  Delegate<void(Time)> done_;
  Delegate<void(const Ended&)> each_;
  std::size_t running_ = 0, started_ = 0;
  std::uint64_t in_flight_ = 0;
};

}  // namespace flashpath::firmware

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "models/firmware_rig.h"

using namespace firmware_rig;

namespace {

struct Jobs {
  explicit Jobs(Config c = {}, std::uint32_t drives = 1) : rig{c, drives} {}
  void run(std::vector<JobSpec> specs) {
    if (!rig.up) rig.bring_up();
    io = std::make_unique<IoJobs>(rig.config, rig.agenda, rig.model, *rig.driver, rig.service->staging(), rig.data ? &rig.memory : nullptr);
    UserErrors errors;
    for (const JobSpec& s : specs) io->add(s, errors);
    errors.raise_if_any();
    start = rig.agenda.now();
    io->start(start, Delegate<void(Time)>::to<&Jobs::done>(this));
    rig.agenda.run();
  }
  void done(Time now) {
    ended = now;
    ++dones;
  }
  JobResult& result(std::size_t i = 0) { return io->result(i); }
  Rig rig;
  std::unique_ptr<IoJobs> io;
  Time start{}, ended{};
  int dones = 0;
};

Duration core(std::uint64_t n) { return cycles(n, 1'700_MHz); }

std::vector<std::string> mistakes(const JobSpec& spec, bool data = false) {
  Config c;
  c.cores = 1;
  Rig rig{c};
  rig.bring_up();
  IoJobs io{rig.config, rig.agenda, rig.model, *rig.driver, rig.service->staging(), data ? &rig.memory : nullptr};
  UserErrors errors;
  io.add(spec, errors);
  return errors.list;
}

}  // namespace

TEST(IoJobs, DepthOneLatencyToThePicosecond) {
  Jobs jobs;
  jobs.run({{.rw = Rw::randread, .number_ios = 100}});
  DirectionResult& read = jobs.result().read();
  EXPECT_EQ(read.ios, 100U);
  EXPECT_EQ(read.bytes, 400_KiB);
  // slat: job 100, submit 250, SQE 2; clat: doorbell, drive, idle poll, poll, line, entry
  EXPECT_EQ(read.slat.min(), core(352));
  const Duration first = core(292 + 0) + 300ns + 50us + core(75) + core(225) + 200ns - core(252);
  EXPECT_NEAR(static_cast<double>(read.clat.min().count()), static_cast<double>(first.count()), 1.0);
  EXPECT_EQ(jobs.dones, 1);
  EXPECT_TRUE(jobs.io->finished());
  EXPECT_TRUE(jobs.rig.broken().empty());
}

TEST(IoJobs, DepthTimesThroughputIsLatency) {
  for (const std::uint32_t depth : {1U, 8U, 64U}) {
    Jobs jobs;
    jobs.rig.drives[0]->service = 2us;
    jobs.run({{.rw = Rw::randread, .iodepth = depth, .runtime = 20ms, .ramp = 1ms}});
    DirectionResult& read = jobs.result().read();
    const double iops = jobs.result().iops(0);
    EXPECT_NEAR(read.lat.mean() * 1e-12 * iops, depth, 0.01 * depth);  // Little
    if (depth == 64) {
      EXPECT_NEAR(iops, 500'000, 2'500);  // the drive: one per 2 us
      EXPECT_NEAR(read.lat.mean() * 1e-6, 128, 1.3);
    }
    EXPECT_EQ(jobs.result().window(), 20ms);
  }
}

TEST(IoJobs, OneCoreSaturatesAtItsCycles) {
  Config c;
  c.cores = 1;
  Jobs jobs{c};
  jobs.rig.drives[0]->latency = 1us;
  jobs.run({{.rw = Rw::randread, .iodepth = 255, .runtime = 5ms, .ramp = 1ms}});
  // Per command: job 100, submit 250, SQE 2, entry 150; a line of four 200 ns; per poll: 75 + two doorbells, few commands
  const double per_command = 502 / 1.7e9 + 50e-9;
  EXPECT_NEAR(jobs.result().iops(0) * per_command, 1.0, 0.03);
}

TEST(IoJobs, RateLimitIsExact) {
  Jobs jobs;
  jobs.run({{.rw = Rw::randread, .iodepth = 32, .runtime = 10ms, .rate_iops = 30'000}});
  EXPECT_EQ(jobs.rig.drives[0]->seen.size(), 300U);  // at 0, 33.3 us, ..., all before 10 ms
  const auto& rung = jobs.rig.drives[0]->rung;
  const std::size_t first = rung.size() - 300;
  for (std::size_t k = 1; k < 300; ++k) {
    // due, idle poll, job + submit + SQE + doorbell, the wire
    EXPECT_EQ(rung[first + k], jobs.start + seconds_ratio(k, 30'000) + core(75) + core(392) + 300ns);
  }
  EXPECT_TRUE(jobs.io->finished());
}

TEST(IoJobs, RandomMapTouchesEveryBlockOncePerPass) {
  for (const bool norandommap : {false, true}) {
    Jobs jobs;
    jobs.run({{.rw = Rw::randwrite, .iodepth = 16, .size = 4_MiB, .norandommap = norandommap}});
    std::set<std::uint64_t> blocks;
    for (const nvme::Sqe& s : jobs.rig.drives[0]->seen) blocks.insert(s.slba());
    EXPECT_EQ(jobs.rig.drives[0]->seen.size(), 1024U);
    if (norandommap) EXPECT_NEAR(static_cast<double>(blocks.size()), 1024 * (1 - 0.3679), 60);
    else EXPECT_EQ(blocks.size(), 1024U);
    EXPECT_LT(*blocks.rbegin(), 1024U);
    EXPECT_FALSE(std::ranges::is_sorted(jobs.rig.drives[0]->seen, {}, &nvme::Sqe::slba));
  }
}

TEST(IoJobs, SequentialOffsetAndSize) {
  Jobs jobs;
  jobs.run({{.rw = Rw::write, .bs = 128_KiB, .iodepth = 4, .offset = 1_MiB, .size = 2_MiB}});
  ASSERT_EQ(jobs.rig.drives[0]->seen.size(), 16U);
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(jobs.rig.drives[0]->seen[i].slba(), 256 + 32 * i);
    EXPECT_EQ(jobs.rig.drives[0]->seen[i].nlb(), 31U);
    EXPECT_EQ(jobs.rig.drives[0]->seen[i].opcode, 1);
  }
  EXPECT_EQ(jobs.result().write().bytes, 2_MiB);
  EXPECT_EQ(jobs.result().read().ios, 0U);
}

TEST(IoJobs, MixDrivesStripesAndJobs) {
  Jobs jobs{{}, 4};
  jobs.run({{.rw = Rw::randrw, .rwmixread = 70, .iodepth = 8, .numjobs = 8, .size = 64_MiB, .number_ios = 2000}});
  const double reads = static_cast<double>(jobs.result().read().ios);
  EXPECT_NEAR(reads / 16'000, 0.70, 0.012);
  for (const auto& d : jobs.rig.drives) EXPECT_EQ(d->seen.size(), 4000U);
  EXPECT_EQ(jobs.result().read().ios + jobs.result().write().ios, 16'000U);

  Jobs striped{{}, 4};
  striped.run({{.rw = Rw::read, .iodepth = 8, .size = 4_MiB, .drives = {1, 3}, .stripe = true}});
  EXPECT_EQ(striped.rig.drives[0]->seen.size(), 0U);
  EXPECT_EQ(striped.rig.drives[1]->seen.size(), 512U);
  EXPECT_EQ(striped.rig.drives[3]->seen.size(), 512U);
  EXPECT_EQ(striped.rig.drives[3]->seen.back().slba(), 511U);
}

TEST(IoJobs, RampIsNotMeasuredAndTheRunEnds) {
  Jobs jobs;
  jobs.run({{.rw = Rw::randread, .iodepth = 4, .runtime = 3ms, .ramp = 2ms}});
  EXPECT_EQ(jobs.result().begin, jobs.start + 2ms);
  EXPECT_EQ(jobs.result().end, jobs.start + 5ms);
  const double seen = static_cast<double>(jobs.rig.drives[0]->seen.size());
  EXPECT_NEAR(static_cast<double>(jobs.result().read().ios) / seen, 0.6, 0.02);
  EXPECT_GE(jobs.ended, jobs.start + 5ms);
  EXPECT_LT(jobs.ended, jobs.start + 5ms + 60us);
  EXPECT_EQ(jobs.rig.service->staging().available(), 4096U);
}

TEST(IoJobs, SeedDecidesTheOrder) {
  const auto order = [](std::uint64_t seed, bool norandommap) {
    Jobs jobs;
    jobs.run({{.rw = Rw::randread, .size = 1_MiB, .seed = seed, .norandommap = norandommap}});
    std::vector<std::uint64_t> blocks;
    for (const nvme::Sqe& s : jobs.rig.drives[0]->seen) blocks.push_back(s.slba());
    return blocks;
  };
  for (const bool norandommap : {false, true}) {
    EXPECT_EQ(order(1, norandommap), order(1, norandommap));
    EXPECT_NE(order(1, norandommap), order(2, norandommap));
  }
}

TEST(IoJobs, VerifyPassesOnAnHonestDriveAndCatchesOneCorruptedByte) {
  for (const bool corrupt : {false, true}) {
    Jobs jobs;
    jobs.rig.data = true;
    const JobSpec spec{.rw = Rw::randrw, .bs = 8_KiB, .iodepth = 16, .size = 1_MiB, .runtime = 20ms, .verify = true};
    if (corrupt) {
      struct Saboteur {
        void act(Time) { rig.drives[0]->flash.write(12'345, std::vector<unsigned char>{0x5a}); }
        Rig& rig;
      };
      jobs.rig.bring_up();
      static Saboteur* saboteur = nullptr;
      Saboteur s{jobs.rig};
      saboteur = &s;
      for (int i = 1; i < 20; ++i) jobs.rig.agenda.post<&Saboteur::act>(jobs.rig.agenda.now() + i * Duration{1ms}, saboteur);
      jobs.run({spec});
      EXPECT_NE(jobs.result().verify_errors, 0U);
      EXPECT_LE(jobs.result().verify_errors, 60U);  // one block of 128, until it is written again
    } else {
      jobs.run({spec});
      EXPECT_EQ(jobs.result().verify_errors, 0U);
    }
    EXPECT_NEAR(static_cast<double>(jobs.result().verified), 3000, 400);
  }
}

TEST(IoJobs, DeviceErrorsAreCountedNotMeasured) {
  Jobs jobs;
  jobs.rig.drives[0]->fail[3] = nvme::Status::unrecovered_read_error;
  jobs.run({{.rw = Rw::read, .size = 1_MiB}});
  EXPECT_EQ(jobs.result().errors, 1U);
  EXPECT_EQ(jobs.result().read().ios, 255U);
}

TEST(IoJobs, JobCyclesAreAKnob) {
  Config c;
  c.job_cycles = 1800;  // 1700 more
  Jobs jobs{c};
  jobs.run({{.rw = Rw::randread, .number_ios = 10}});
  EXPECT_EQ(jobs.result().read().slat.min(), core(2052));
}

TEST(IoJobs, EveryMistakeOfTheUserIsNamed) {
  EXPECT_TRUE(mistakes({}).empty());
  EXPECT_EQ(mistakes({.bs = 6_KiB}).at(0), "job \"job\": bs = 6144 B: not a multiple of the drive's block of 4096 B");
  EXPECT_EQ(mistakes({.bs = 0_B}).at(0), "job \"job\": bs = 0");
  EXPECT_EQ(mistakes({.bs = 2_MiB}).at(0), "job \"job\": bs larger than the largest command");
  EXPECT_EQ(mistakes({.bs = 8_KiB, .size = 4_KiB}).at(0), "job \"job\": size smaller than bs");
  EXPECT_EQ(mistakes({.offset = 4_GiB, .size = 4_KiB}).at(0), "job \"job\": offset and size reach beyond the end of the drive");
  EXPECT_EQ(mistakes({.ramp = 1ms}).at(0), "job \"job\": ramp without a runtime");
  EXPECT_EQ(mistakes({.verify = true}).at(0), "job \"job\": verify needs data mode");
  EXPECT_EQ(mistakes({.drives = {7}}).at(0), "job \"job\": drive 7: there are 1");
  EXPECT_EQ(mistakes({.iodepth = 16, .size = 64_KiB, .verify = true}, true).at(0),
            "job \"job\": verify needs a size of at least 2 x iodepth x bs");
  EXPECT_EQ(mistakes({.numjobs = 2, .size = 1_MiB, .verify = true}, true).at(0),
            "job \"job\": verify needs jobs that do not share blocks: set offset_increment");
  EXPECT_EQ(mistakes({.bs = 1_MiB, .iodepth = 4097}).at(0), "job \"job\": needs 4097 staging frames: raise firmware.frames");
  EXPECT_EQ(mistakes({.rwmixread = 101, .iodepth = 0, .numjobs = 0}).size(), 3U);  // all at once
}

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "models/firmware_rig.h"

using namespace firmware_rig;

namespace {

/// Submits n commands in one batch on a core, and remembers how they ended.
struct User {
  explicit User(Rig& r) : rig{r} {}
  void batch(cores::CoreContext& ctx, std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i) {
      Command c = command;
      c.tag = next++;
      if (c.kind == Kind::read || c.kind == Kind::write) c.lba += i * c.blocks;
      c.done = Done::to<&User::done>(this);
      rig.driver->submit(ctx, c);
    }
    rig.driver->ring(ctx);
    submitted_at = ctx.now();
  }
  void done(cores::CoreContext& ctx, const Completed& c) {
    ended.push_back({c, ctx.now()});
    if (again > 0) {
      --again;
      Command next_command = command;
      next_command.done = Done::to<&User::done>(this);
      rig.driver->submit(ctx, next_command);
    }
  }
  void go(std::uint64_t n, std::uint32_t core = 0) {
    rig.model.submit(cores::CoreId{core}, cores::Task::of<&User::batch>(this, n), rig.agenda.now());
  }
  Rig& rig;
  Command command{.kind = Kind::read, .blocks = 1, .buffer = bus::staging_base};
  std::vector<std::pair<Completed, Time>> ended;
  std::uint64_t next = 0, again = 0;
  Time submitted_at{};
};

Duration core(std::uint64_t n) { return cycles(n, 1'700_MHz); }

}  // namespace

TEST(NvmeDriver, BringsDrivesUpByTheBook) {
  Config c;
  c.cores = 4;
  Rig rig{c, 3};
  rig.drives[1]->mdts = 5;    // 128 KiB
  rig.drives[2]->mpsmax = 2;  // 16 KiB: 64 KiB pages impossible
  rig.drives[2]->dstrd = 3;
  rig.drives[0]->cc = 1;  // left enabled by somebody before us
  rig.drives[0]->csts = 1;
  rig.bring_up();
  ASSERT_TRUE(rig.up);
  ASSERT_TRUE(rig.driver->all_ready());
  for (std::uint32_t d = 0; d < 3; ++d) {
    EXPECT_EQ(rig.drives[d]->bad, 0U);
    EXPECT_EQ(rig.drives[d]->pairs.size(), 5U);
    for (std::uint32_t q = 1; q <= 4; ++q) EXPECT_TRUE(rig.drives[d]->pairs[q].sq_made && rig.drives[d]->pairs[q].cq_made);
    EXPECT_EQ(rig.driver->drive(d).blocks, 1U << 20U);
    EXPECT_EQ(rig.driver->drive(d).lba, 4_KiB);
    EXPECT_EQ(rig.driver->drive(d).nsid, 1U);
    EXPECT_TRUE(rig.driver->drive(d).deallocate);
  }
  EXPECT_EQ(rig.driver->drive(0).page, 64_KiB);
  EXPECT_EQ(rig.driver->drive(2).page, 4_KiB);
  EXPECT_EQ(rig.driver->drive(0).max_transfer, 1_MiB);
  EXPECT_EQ(rig.driver->max_transfer(), 128_KiB);
  EXPECT_EQ(rig.driver->cores_ready(), 4U);
  EXPECT_TRUE(rig.broken().empty());
}

TEST(NvmeDriver, FewerQueuesThanCoresAndShortQueues) {
  Config c;
  c.cores = 8;
  Rig rig{c, 2};
  rig.drives[0]->queues = 3;
  rig.drives[1]->mqes = 15;
  rig.bring_up();
  EXPECT_EQ(rig.driver->cores_ready(), 3U);
  EXPECT_EQ(rig.driver->drive(1).queue_entries, 16U);
  EXPECT_EQ(rig.drives[1]->pairs[1].entries, 16U);
}

TEST(NvmeDriver, FailedBringUpIsNamed) {
  Config c;
  c.cores = 1;
  Rig rig{c, 3};
  rig.drives[0]->dead = true;
  rig.drives[1]->never_ready = true;
  rig.drives[2]->blocks = 0;
  rig.driver->bring_up(Time{}, Delegate<void(cores::CoreContext&)>::to<&Rig::driver_ready>(&rig));
  rig.agenda.run();
  ASSERT_TRUE(rig.up);
  EXPECT_EQ(rig.driver->drive(0).failure, "nobody answers at its BAR");
  EXPECT_EQ(rig.driver->drive(1).failure, "CSTS.RDY did not change within CAP.TO");
  EXPECT_EQ(rig.driver->drive(2).failure, "a namespace without blocks");
  EXPECT_EQ(rig.errors.list.size(), 3U);
}

TEST(NvmeDriver, OneCommandAloneToThePicosecond) {
  Rig rig;
  rig.bring_up();
  User user{rig};
  const Time start = rig.agenda.now();
  user.go(1);
  rig.agenda.run();
  ASSERT_EQ(user.ended.size(), 1U);
  EXPECT_TRUE(user.ended[0].first.ok());
  // poll of the idle core, then: 250 submit + 2 store; doorbell 40
  const Time begin = start + core(75);
  EXPECT_EQ(user.ended[0].first.submitted, begin + core(252));
  EXPECT_EQ(user.submitted_at, begin + core(292));
  // posted write, drive, CQE; idle poll; driver poll + one line of entries + one entry
  EXPECT_EQ(user.ended[0].second, begin + core(292) + 300ns + 50us + core(75) + core(75 + 150) + 200ns);
  EXPECT_EQ(rig.drives[0]->sq_doorbells, 1U + 4U + 2U * 16U);  // Identify three times, Set Features, 16 queue pairs
  EXPECT_TRUE(rig.broken().empty());
}

TEST(NvmeDriver, CycleCostsAreKnobs) {
  Config c;
  c.submit_cycles = 1000;
  c.poll_cycles = 2000;
  c.completion_cycles = 3000;
  Rig rig{c};
  rig.bring_up();
  User user{rig};
  const Time start = rig.agenda.now();
  user.go(1);
  rig.agenda.run();
  EXPECT_EQ(user.ended[0].second, start + core(75) + core(1042) + 300ns + 50us + core(75) + core(5000) + 200ns);
}

TEST(NvmeDriver, OneDoorbellPerBatchAndDrive) {
  Rig rig{{}, 2};
  rig.bring_up();
  const std::uint64_t before = rig.drives[0]->sq_doorbells;
  User user{rig};
  user.go(64);
  rig.agenda.run();
  EXPECT_EQ(rig.drives[0]->sq_doorbells - before, 1U);
  EXPECT_EQ(rig.drives[0]->seen.size(), 64U);
  EXPECT_EQ(user.ended.size(), 64U);
}

TEST(NvmeDriver, QueuesWrapManyTimes) {
  Config c;
  c.queue_entries = 8;
  Rig rig{c};
  rig.bring_up();
  User user{rig};
  user.again = 1000;
  user.go(5);
  rig.agenda.run();
  EXPECT_EQ(user.ended.size(), 1005U);
  EXPECT_EQ(rig.drives[0]->bad, 0U);
  EXPECT_EQ(rig.driver->in_flight(), 0U);
  EXPECT_TRUE(rig.broken().empty());
}

TEST(NvmeDriver, FullQueueWaitsInSoftwareInOrder) {
  Config c;
  c.queue_entries = 8;
  Rig rig{c};
  rig.bring_up();
  User user{rig};
  user.go(20);
  rig.agenda.run_until(rig.agenda.now() + 40us);
  EXPECT_EQ(rig.drives[0]->seen.size(), 7U);  // entries - 1
  EXPECT_EQ(rig.driver->queued(), 13U);
  EXPECT_TRUE(rig.broken().empty());
  rig.agenda.run();
  ASSERT_EQ(user.ended.size(), 20U);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(rig.drives[0]->seen[i].slba(), i);
  EXPECT_EQ(rig.counter("queue_full"), 13U);
  EXPECT_EQ(rig.driver->queued(), 0U);
}

TEST(NvmeDriver, PrpsOfEveryShape) {
  for (const unsigned mpsmax : {4U, 0U}) {
    Rig rig;
    rig.data = true;
    rig.drives[0]->mpsmax = mpsmax;
    rig.bring_up();
    for (const auto& [offset, blocks] :
         std::vector<std::pair<std::uint64_t, std::uint32_t>>{{0, 1}, {0, 16}, {4096, 16}, {0, 32}, {0, 256}, {8192, 250}}) {
      std::vector<unsigned char> bytes(blocks * 4096ULL), back(bytes.size());
      for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(mix64(i / 64 + offset + blocks));
      rig.memory.write(bus::staging_base + offset, bytes);
      User user{rig};
      user.command = {.kind = Kind::write, .lba = 1000, .blocks = blocks, .buffer = bus::staging_base + offset};
      user.go(1);
      rig.agenda.run();
      user.command.kind = Kind::read;
      user.command.buffer = bus::staging_base + (64U << 20U) + offset;
      user.go(1);
      rig.agenda.run();
      rig.memory.read(user.command.buffer, back);
      EXPECT_EQ(back, bytes) << "page shift " << mpsmax << " offset " << offset << " blocks " << blocks;
      ASSERT_EQ(user.ended.size(), 2U);
    }
    EXPECT_EQ(rig.drives[0]->bad, 0U);
  }
}

TEST(NvmeDriver, ErrorsAreData) {
  Rig rig;
  rig.drives[0]->fail[5] = nvme::Status::unrecovered_read_error;
  rig.bring_up();
  User user{rig};
  user.command.lba = 5;
  user.go(1);
  rig.agenda.run();
  user.command.lba = 1U << 20U;
  user.go(1);
  rig.agenda.run();
  ASSERT_EQ(user.ended.size(), 2U);
  EXPECT_EQ(user.ended[0].first.status, nvme::Status::unrecovered_read_error);
  EXPECT_EQ(user.ended[1].first.status, nvme::Status::lba_out_of_range);
  EXPECT_EQ(rig.counter("errors"), 2U);
}

TEST(NvmeDriver, LateAndLostCommandsAreCountedOnce) {
  Config c;
  c.command_timeout = 40us;  // the drive takes 50
  Rig rig{c};
  rig.bring_up();
  User user{rig};
  user.go(3);
  rig.agenda.run();
  EXPECT_EQ(rig.driver->late(rig.agenda.now()), 3U);
  rig.drives[0]->hold = true;
  user.go(2);
  rig.agenda.run();
  const Time t = rig.agenda.now();
  EXPECT_EQ(rig.driver->late(t + 30us), 3U);
  EXPECT_EQ(rig.driver->late(t + 50us), 5U);
  Stall stall;
  stall.about("firmware");
  rig.driver->explain(stall);
  ASSERT_EQ(stall.lines().size(), 1U);
  EXPECT_EQ(stall.lines()[0], "firmware: 2 commands wait for a completion of drive 0");
  EXPECT_TRUE(rig.broken().empty());
}

TEST(NvmeDriver, EncryptionWritesTheFramesDescriptorFirst) {
  Config c;
  c.encrypt = true;
  c.key_slot = 3;
  Rig rig{c};
  rig.bring_up();
  User user{rig};
  user.command = {.kind = Kind::write, .lba = 77, .blocks = 256, .buffer = bus::staging_base + (9U << 20U)};
  user.go(1);
  rig.agenda.run();
  ASSERT_EQ(rig.crypto.size(), 1U);
  EXPECT_EQ(rig.crypto[0].address, bus::crypto_base + 16 * 9);
  EXPECT_EQ(rig.crypto[0].size, 16U);
  std::uint64_t lba = 0;
  std::uint32_t words[2];
  std::memcpy(&lba, rig.crypto[0].bytes.data(), 8);
  std::memcpy(words, rig.crypto[0].bytes.data() + 8, 8);
  EXPECT_EQ(lba, 77U);
  EXPECT_EQ(words[0], 3U);
  EXPECT_EQ(words[1], 1U);
  EXPECT_LT(rig.crypto[0].at + rig.mmio_latency, rig.drives[0]->rung.back());
}

TEST(NvmeDriver, FlushAndDeallocate) {
  Rig rig;
  rig.bring_up();
  User user{rig};
  user.command = {.kind = Kind::flush};
  user.go(1);
  user.command = {.kind = Kind::deallocate, .lba = 512, .blocks = 256};
  user.go(1);
  rig.agenda.run();
  ASSERT_EQ(rig.drives[0]->seen.size(), 2U);
  // both tasks ran with the later command
  const nvme::Sqe& sqe = rig.drives[0]->seen[1];
  EXPECT_EQ(sqe.opcode, 9);
  EXPECT_EQ(sqe.cdw10, 0U);
  EXPECT_EQ(sqe.cdw11, nvme::dsm_deallocate);
  nvme::DsmRange range;
  rig.memory.read(sqe.prp1, {reinterpret_cast<unsigned char*>(&range), sizeof range});
  EXPECT_EQ(range.slba, 512U);
  EXPECT_EQ(range.length, 256U);
}

TEST(NvmeDriver, SixteenCoresShareADriveFairly) {
  Rig rig;
  rig.drives[0]->service = 500ns;
  rig.bring_up();
  std::vector<std::unique_ptr<User>> users;
  const Time start = rig.agenda.now();
  for (std::uint32_t c = 0; c < 16; ++c) {
    users.push_back(std::make_unique<User>(rig));
    users.back()->again = 1'000'000;
    users.back()->go(8, c);
  }
  rig.agenda.run_until(start + 10ms);
  std::uint64_t least = ~0ULL, most = 0, all = 0;
  for (const auto& u : users) {
    least = std::min<std::uint64_t>(least, u->ended.size());
    most = std::max<std::uint64_t>(most, u->ended.size());
    all += u->ended.size();
  }
  EXPECT_LE(most - least, 8U);
  EXPECT_NEAR(static_cast<double>(all), 20'000.0, 200.0);  // one per 500 ns
  EXPECT_TRUE(rig.broken().empty());
}

TEST(NvmeDriver, MoreFirmwareCoresThanCoresIsTheUsersMistake) {
  cores::Config few;
  few.count = 8;
  EXPECT_THROW((Rig{Config{}, 1, few}), UserErrors);
}

TEST(NvmeDriver, PageAndLargestCommandAreKnobs) {
  Config c;
  c.page = 16_KiB;
  c.max_command = 256_KiB;
  c.frame = 256_KiB;
  Rig rig{c};
  rig.bring_up();
  EXPECT_EQ(rig.driver->drive(0).page, 16_KiB);
  EXPECT_EQ(nvme::Cc{rig.drives[0]->cc}.mps(), 2U);
  EXPECT_EQ(rig.driver->max_transfer(), 256_KiB);
}

TEST(NvmeDriver, ReadyPollDelaysBringUp) {
  const auto booted = [](Duration pause) {
    Config c;
    c.cores = 1;
    c.ready_poll = pause;
    Rig rig{c};
    rig.driver->bring_up(Time{}, {});
    rig.agenda.run();
    return rig.agenda.now();
  };
  // Ready 25 us after CC.EN: with a long pause the second look comes one pause after the first.
  const Duration later = booted(5ms) - booted(1ms);
  EXPECT_EQ(later, 4ms);
}

TEST(NvmeDriver, PollBatchBoundsOnePoll) {
  const auto polls = [](std::uint32_t batch) {
    Config c;
    c.poll_batch = batch;
    Rig rig{c};
    rig.bring_up();
    const std::uint64_t before = rig.counter("polls");
    User user{rig};
    user.go(64);  // all complete at one moment
    rig.agenda.run();
    EXPECT_EQ(user.ended.size(), 64U);
    return rig.counter("polls") - before;
  };
  EXPECT_EQ(polls(128), 1U);
  EXPECT_EQ(polls(16), 5U);  // the last finds nothing
}

TEST(NvmeDriver, CostsLittleHostTime) {
  Rig rig;
  rig.bring_up();
  User user{rig};
  user.command.blocks = 256;
  user.again = 300'000;
  const auto begin = std::chrono::steady_clock::now();
  user.go(64);
  rig.agenda.run();
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%lld ns per 1 MiB command, fake drive included\n", static_cast<long long>(ns) / static_cast<long long>(user.ended.size()));
  EXPECT_EQ(user.ended.size(), 300'064U);
}

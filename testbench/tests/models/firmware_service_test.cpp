// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "models/firmware_rig.h"

using namespace firmware_rig;
using fabric::Opcode;

namespace {

Duration core(std::uint64_t n) { return cycles(n, 1'700_MHz); }

std::vector<unsigned char> content(std::uint64_t key, std::uint64_t size) {
  std::vector<unsigned char> bytes(size);
  for (std::uint64_t i = 0; i + 8 <= size; i += 8) {
    const std::uint64_t word = mix64(key * 1'000'003 + i);
    std::memcpy(&bytes[i], &word, 8);
  }
  return bytes;
}

Config one_core() {
  Config c;
  c.cores = 1;
  return c;
}

}  // namespace

TEST(KvService, StoresAndRetrievesRealBytesOverManyDrives) {
  Config c = one_core();
  c.window = 4;
  c.frames = 8;
  Rig rig{c, 3};
  rig.data = true;
  rig.bring_up();
  ASSERT_TRUE(rig.service->serving());
  const std::vector<std::uint64_t> sizes{1, 4096, (1U << 20U), (1U << 20U) + 1, (10U << 20U) + 12'345};
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    rig.client.write(k << 32U, content(k, sizes[k]));
    rig.capsule(Opcode::store, k, {sizes[k]}, 100 + k, rig.agenda.now(), k << 32U);
  }
  rig.agenda.run();
  for (std::size_t k = 0; k < sizes.size(); ++k) rig.capsule(Opcode::retrieve, k, 16_MiB, 200 + k, rig.agenda.now(), (k + 100) << 32U);
  rig.agenda.run();
  ASSERT_EQ(rig.responses.size(), 10U);
  for (const auto& r : rig.responses) {
    EXPECT_EQ(r.status, 0U);
    EXPECT_EQ(r.size, sizes[r.command % 100]);
  }
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    std::vector<unsigned char> back(sizes[k]);
    rig.client.read((k + 100) << 32U, back);
    EXPECT_EQ(back, content(k, sizes[k])) << "object " << k;
  }
  EXPECT_EQ(rig.service->staging().available(), 8U);
  EXPECT_EQ(rig.service->in_flight(), 0U);
  EXPECT_TRUE(rig.broken().empty()) << rig.broken().front();
}

TEST(KvService, OneSmallRetrieveToThePicosecond) {
  Rig rig{one_core()};
  rig.bring_up();
  rig.capsule(Opcode::store, 1, 1_MiB, 1, rig.agenda.now());
  rig.agenda.run();
  rig.agenda.advance_to(Time{2s});
  rig.capsule(Opcode::retrieve, 1, 1_MiB, 2, rig.agenda.now());
  rig.agenda.run();
  ASSERT_EQ(rig.responses.size(), 2U);
  // idle poll · poll 75, capsule, parse 200, lookup 100, bucket, entry, plan 50, submit 250, PRP list of 15 entries 2 x 2, SQE 2, doorbell
  // 40
  const Duration in = core(75) + core(75 + 200 + 100 + 50 + 250 + 4 + 2 + 40) + 3 * 200ns;
  // write to the drive, drive, idle poll, poll 75 + entry 150 (line), rdma 100 + register 40, response 100 + register 40
  const Duration out = 300ns + 50us + core(75) + core(75 + 150 + 140 + 140) + 200ns + 300ns;
  EXPECT_EQ(rig.responses[1].at, Time{2s} + in + out);
  EXPECT_EQ(rig.broken().size(), 0U);
}

TEST(KvService, CyclesOfEachStepAreKnobs) {
  const auto time_of = [](Config c) {
    c.cores = 1;
    Rig rig{c};
    rig.bring_up();
    rig.capsule(Opcode::store, 1, 1_MiB, 1, rig.agenda.now());
    rig.agenda.run();
    rig.agenda.advance_to(Time{2s});
    rig.capsule(Opcode::retrieve, 1, 1_MiB, 2, rig.agenda.now());
    rig.agenda.run();
    return rig.responses.at(1).at - Time{2s};
  };
  const Duration base = time_of({});
  for (const auto& [member, times] : std::vector<std::pair<std::uint32_t Config::*, std::int64_t>>{{&Config::parse_cycles, 1},
                                                                                                   {&Config::lookup_cycles, 1},
                                                                                                   {&Config::plan_cycles, 1},
                                                                                                   {&Config::rdma_cycles, 2},
                                                                                                   {&Config::submit_cycles, 1},
                                                                                                   {&Config::completion_cycles, 1},
                                                                                                   {&Config::poll_cycles, 2}}) {
    Config c;
    c.*member += 17'000;  // 10 us
    EXPECT_EQ(time_of(c) - base, times * 10us);
  }
  Config c;
  c.rdma_completion_cycles += 17'000;  // after the response: nobody waits for it
  EXPECT_EQ(time_of(c), base);
}

TEST(KvService, MissExistRemoveAndBadRequests) {
  Rig rig{one_core()};
  rig.bring_up();
  const auto ask = [&](Opcode op, std::uint64_t key, Bytes size) {
    rig.capsule(op, key, size, 7, rig.agenda.now());
    rig.agenda.run();
    return static_cast<KvStatus>(rig.responses.back().status);
  };
  EXPECT_EQ(ask(Opcode::retrieve, 1, 1_MiB), KvStatus::key_not_found);
  EXPECT_EQ(ask(Opcode::exist, 1, {}), KvStatus::key_not_found);
  EXPECT_EQ(ask(Opcode::remove, 1, {}), KvStatus::key_not_found);
  EXPECT_EQ(ask(Opcode::store, 1, {}), KvStatus::invalid_value_size);
  EXPECT_EQ(ask(Opcode::store, 1, 2_MiB), KvStatus::ok);
  EXPECT_EQ(ask(Opcode::exist, 1, {}), KvStatus::ok);
  EXPECT_EQ(rig.responses.back().size, 2U << 20U);
  EXPECT_EQ(ask(Opcode::retrieve, 1, 1_MiB), KvStatus::invalid_value_size);  // the client's buffer is too small
  EXPECT_EQ(ask(Opcode::retrieve, 1, 2_MiB), KvStatus::ok);
  EXPECT_EQ(ask(Opcode::remove, 1, {}), KvStatus::ok);
  EXPECT_EQ(ask(Opcode::retrieve, 1, 2_MiB), KvStatus::key_not_found);
  EXPECT_EQ(ask(Opcode::none, 1, {}), KvStatus::invalid_opcode);
  EXPECT_TRUE(rig.broken().empty());
}

TEST(KvService, DeviceAndNetworkErrorsAnswerAndReleaseEverything) {
  Rig rig{one_core()};
  rig.bring_up();
  rig.capsule(Opcode::store, 1, 3_MiB, 1, rig.agenda.now());
  rig.agenda.run();
  rig.drives[0]->fail[256] = nvme::Status::unrecovered_read_error;  // its second extent
  rig.capsule(Opcode::retrieve, 1, 3_MiB, 2, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.responses.back().status, static_cast<std::uint16_t>(KvStatus::unrecovered_error));
  rig.fail_rdma = true;
  rig.capsule(Opcode::store, 2, 3_MiB, 3, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.responses.back().status, static_cast<std::uint16_t>(KvStatus::data_transfer_error));
  EXPECT_EQ(rig.service->store()->objects(), 1U);
  EXPECT_EQ(rig.service->store()->bytes(), 3_MiB);  // the failed store left nothing
  EXPECT_EQ(rig.service->staging().available(), 4096U);
  EXPECT_EQ(rig.service->in_flight(), 0U);
  EXPECT_TRUE(rig.broken().empty());
}

TEST(KvService, FewFramesStreamLargeObjectsWithoutDeadlock) {
  Config c = one_core();
  c.frames = 8;
  c.window = 4;
  Rig rig{c, 2};
  rig.bring_up();
  for (std::uint64_t k = 0; k < 6; ++k) rig.capsule(Opcode::store, k, 40_MiB, k, rig.agenda.now());
  rig.agenda.run();
  for (std::uint64_t k = 0; k < 6; ++k) rig.capsule(Opcode::retrieve, k, 40_MiB, 10 + k, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.responses.size(), 12U);
  EXPECT_GT(rig.counter("frame_waits"), 50U);
  EXPECT_TRUE(rig.broken().empty());
}

TEST(KvService, WindowsOverlapFlashAndNetwork) {
  const auto time_of = [](std::uint32_t window, std::uint32_t windows) {
    Config c = one_core();
    c.window = window;
    c.windows = windows;
    Rig rig{c};
    rig.nic_latency = 50us;
    rig.bring_up();
    rig.capsule(Opcode::store, 1, 64_MiB, 1, rig.agenda.now());
    rig.agenda.run();
    rig.agenda.advance_to(Time{2s});
    rig.capsule(Opcode::retrieve, 1, 64_MiB, 2, rig.agenda.now());
    rig.agenda.run();
    return to_us(rig.responses.at(1).at - Time{2s});
  };
  const double one = time_of(16, 1), two = time_of(16, 2), four = time_of(16, 4), wide = time_of(64, 1);
  EXPECT_NEAR(one, 4 * 50 + 3 * 50, 35);  // read, write out, read, ...
  EXPECT_LT(two, 0.65 * one);             // two at a time
  EXPECT_LT(four, 0.6 * two);
  EXPECT_LT(wide, 0.6 * two);
}

TEST(KvService, ConcurrentStoresOfOneKeyAreRefusedAndOverwriteReplaces) {
  Rig rig{one_core()};
  rig.bring_up();
  rig.capsule(Opcode::store, 1, 1_MiB, 1, rig.agenda.now());
  rig.capsule(Opcode::store, 1, 1_MiB, 2, rig.agenda.now());
  rig.agenda.run();
  ASSERT_EQ(rig.responses.size(), 2U);
  EXPECT_EQ(rig.responses[0].command, 2U);
  EXPECT_EQ(rig.responses[0].status, static_cast<std::uint16_t>(KvStatus::key_exists));
  EXPECT_EQ(rig.responses[1].status, 0U);
  rig.capsule(Opcode::store, 1, 2_MiB, 3, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.responses[2].status, 0U);
  EXPECT_EQ(rig.service->store()->bytes(), 2_MiB);
}

TEST(KvService, DeallocateTellsTheDriveAboutRemovedObjects) {
  for (const bool deallocate : {false, true}) {
    Config c = one_core();
    c.deallocate = deallocate;
    Rig rig{c, 2};
    rig.bring_up();
    rig.capsule(Opcode::store, 1, 5_MiB, 1, rig.agenda.now());
    rig.agenda.run();
    const std::size_t before = rig.drives[0]->seen.size() + rig.drives[1]->seen.size();
    rig.capsule(Opcode::remove, 1, {}, 2, rig.agenda.now());
    rig.agenda.run();
    EXPECT_EQ(rig.drives[0]->seen.size() + rig.drives[1]->seen.size() - before, deallocate ? 5U : 0U);
    EXPECT_EQ(rig.service->store()->extents().used(0), 0U);
    EXPECT_TRUE(rig.broken().empty());
  }
}

TEST(KvService, CapacityEvictsAndFrameMustSuitTheDrives) {
  Config c = one_core();
  c.drive_capacity = 8_MiB;
  Rig rig{c};
  rig.bring_up();
  for (std::uint64_t k = 0; k < 9; ++k) {
    rig.capsule(Opcode::store, k, 1_MiB, k, rig.agenda.now());
    rig.agenda.run();
  }
  EXPECT_EQ(rig.service->store()->evictions(), 1U);
  rig.capsule(Opcode::exist, 0, {}, 20, rig.agenda.now());
  rig.agenda.run();
  EXPECT_EQ(rig.responses.back().status, static_cast<std::uint16_t>(KvStatus::key_not_found));

  Rig small{one_core()};
  small.drives[0]->mdts = 5;
  small.bring_up();
  ASSERT_EQ(small.errors.list.size(), 1U);
  EXPECT_EQ(small.errors.list[0], "drive 0: firmware.frame is larger than its maximum transfer of 131072 B");
  EXPECT_FALSE(small.service->serving());
}

TEST(KvService, StagesPartitionEveryRequest) {
  Config c = one_core();
  c.frames = 4;
  c.window = 4;
  Rig rig{c};
  rig.bring_up();
  for (std::uint64_t k = 0; k < 4; ++k) rig.capsule(Opcode::store, k, 8_MiB, k, rig.agenda.now());
  rig.agenda.run();
  for (std::uint64_t k = 0; k < 4; ++k) rig.capsule(Opcode::retrieve, k, 8_MiB, k, rig.agenda.now());
  rig.agenda.run();
  EXPECT_TRUE(rig.broken().empty());  // the sum law is among them
  EXPECT_GE(rig.service->stage_total(Stage::completion), static_cast<Wide>(Duration{8 * 50us}.count()));
  EXPECT_GE(rig.service->stage_total(Stage::staging_wait), static_cast<Wide>(Duration{100us}.count()));
}

TEST(KvService, TheRingIsToldWhatHasBeenRead) {
  Config c = one_core();
  c.receive_entries = 8;
  Rig rig{c};
  rig.bring_up();
  for (std::uint64_t i = 1; i <= 100; ++i) {
    rig.capsule(Opcode::exist, i, {}, i, rig.agenda.now());
    rig.agenda.run();
    EXPECT_LE(rig.nic[0].sent - rig.nic[0].told, 2U);  // a quarter of the ring
  }
  EXPECT_EQ(rig.responses.size(), 100U);
}

TEST(KvService, RandomStressOverFourCoresKeepsAllLaws) {
  Config c;
  c.cores = 4;
  c.frames = 64;
  c.window = 4;
  c.drive_capacity = 100_MiB;
  c.deallocate = true;
  Rig rig{c, 3};
  rig.bring_up();
  Random random{11, "stress"};
  std::uint64_t sent = 0;
  for (int round = 0; round < 400; ++round) {
    for (int i = 0; i < 10; ++i) {
      const std::uint64_t key = random.below(60);
      const Opcode op = std::array{Opcode::store, Opcode::retrieve, Opcode::retrieve, Opcode::remove}[random.below(4)];
      rig.capsule(op, key, op == Opcode::store ? Bytes{1 + random.below(12U << 20U)} : 12_MiB, ++sent, rig.agenda.now(), 0,
                  random.below(4));
    }
    rig.agenda.run_until(rig.agenda.now() + Duration{static_cast<std::int64_t>(random.below(400'000'000))});
    ASSERT_TRUE(rig.broken().empty()) << rig.broken().front();
  }
  rig.agenda.run();
  EXPECT_EQ(rig.responses.size(), sent);
  EXPECT_EQ(rig.service->in_flight(), 0U);
  EXPECT_EQ(rig.service->staging().available(), 64U);
  EXPECT_EQ(rig.drives[0]->bad + rig.drives[1]->bad + rig.drives[2]->bad, 0U);
  EXPECT_TRUE(rig.broken().empty());
}

TEST(KvService, CostsLittleHostTime) {
  Rig rig{one_core(), 9};
  rig.bring_up();
  for (std::uint64_t k = 0; k < 64; ++k) rig.capsule(Opcode::store, k, 16_MiB, k, rig.agenda.now());
  rig.agenda.run();
  const auto begin = std::chrono::steady_clock::now();
  for (int round = 0; round < 200; ++round) {
    for (std::uint64_t k = 0; k < 64; ++k) rig.capsule(Opcode::retrieve, k, 16_MiB, k, rig.agenda.now());
    rig.agenda.run();
  }
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%lld ns per MiB retrieved, fake drive and NIC included\n", static_cast<long long>(ns) / (200 * 64 * 16));
  EXPECT_EQ(rig.responses.size(), 64U + 200U * 64U);
}

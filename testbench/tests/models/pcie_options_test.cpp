// SPDX-License-Identifier: Apache-2.0
// Framing, exact flits, DLLPs, retimers, replay buffer and L0p: closed forms, and a second way to count.
#include "base/random.h"
#include "models/pcie_rig.h"

using namespace flashpath;
using namespace flashpath::pcie;
using namespace flashpath::test::pcie_rig;

TEST(PcieOptions, PrefixesOhcAndEcrcAreBytesOfEveryTlp) {
  const auto wires = [](const Config& c) {
    const Wire w{c};
    return std::array{w.write(0, 4_KiB).wire.count, w.read(0, 4_KiB).wire.count, w.completion(0, 4_KiB).wire.count};
  };
  const Config five{.generation = 5, .mps = 256_B}, six{.mps = 256_B};
  const auto base5 = wires(five), base6 = wires(six);
  Config c = five;
  c.prefix = 8_B;
  c.ecrc = true;
  EXPECT_EQ(wires(c), (std::array{base5[0] + 16 * 12, base5[1] + 8 * 12, base5[2] + 16 * 12}));
  c = six;
  c.ohc = 8_B;
  EXPECT_EQ(wires(c), (std::array{base6[0] + 16 * 8, base6[1] + 8 * 8, base6[2] + 16 * 8}));
  c.ecrc = true;
  EXPECT_EQ(wires(c), (std::array{base6[0] + 16 * 12, base6[1] + 8 * 12, base6[2] + 16 * 12}));
}

TEST(PcieOptions, UnalignedRequestsCarryTheirByteEnables) {
  const Wire six{Config{.mps = 256_B}}, five{Config{.generation = 5, .mps = 256_B}};
  EXPECT_EQ(six.write(0, 4_B).wire, 20_B);                        // a doorbell needs none
  EXPECT_EQ(six.write(2, 2_B).wire, 22_B);                        // one TLP: one OHC-A1
  EXPECT_EQ(six.write(2, 1024_B).wire, 1024_B + 4 * 16_B + 8_B);  // the first of it and the last
  EXPECT_EQ(six.write(0, 1023_B).wire, 1023_B + 4 * 16_B + 4_B);
  EXPECT_EQ(six.read(1, 2_B).wire, 20_B);
  EXPECT_EQ(six.completion(2, 2_B).wire, 18_B);              // lower address not a multiple of 4: OHC-A5
  EXPECT_EQ(five.write(2, 1024_B).wire, 1024_B + 4 * 24_B);  // a field of the header
  EXPECT_EQ(five.completion(0, 0_B).wire, 20_B);
}

TEST(PcieOptions, RetimersAddTheirLatency) {
  for (const std::uint32_t n : {0U, 1U, 2U}) {
    Config c = gen5();
    c.retimers = n;
    c.retimer_latency = 30ns;
    Rig rig{c};
    Burst& b = rig.post(4_KiB);
    rig.agenda.run();
    EXPECT_EQ(b.out.last, zero + 284'375_ps + 40ns + n * 30ns);
  }
}

TEST(PcieOptions, TagBitsBoundTheTags) {
  const auto mistakes = [](Config c) {
    UserErrors errors;
    c.check("pcie", errors);
    return errors.list;
  };
  for (const auto& [bits, most] : {std::pair{5U, 32U}, {8U, 256U}, {10U, 768U}, {14U, 15872U}}) {
    EXPECT_TRUE(mistakes({.tags = most, .tag_bits = bits}).empty()) << bits;
    if (most != 15872) { EXPECT_EQ(mistakes({.tags = most + 1, .tag_bits = bits}).size(), 1U) << bits; }
  }
  EXPECT_EQ(mistakes({.tags = 1, .tag_bits = 7}).front(), "pcie.tag_bits: must be 5, 8, 10 or 14");
  EXPECT_EQ(mistakes({.generation = 5, .tag_bits = 14}).front(), "pcie.tag_bits = 14: only in flit mode (generation = 6)");
  EXPECT_EQ(mistakes({.tags = 800}).front(), "pcie.tags = 800: 10-bit tags leave 768; raise tag_bits or lower tags");
}

TEST(PcieOptions, WhatDoesNotFitTogetherIsRefusedAllAtOnce) {
  UserErrors errors;
  Config c{.generation = 5,
           .ohc = 6_B,
           .packing = Packing::exact,
           .shared_headers = 4,
           .relaxed_ordering = true,
           .nak = Nak::selective,
           .l0p_lanes = 4};
  c.check("pcie", errors);
  EXPECT_EQ(errors.list.size(), 9U);
  UserErrors messages;
  Config{.generation = 5, .forwarding = Forwarding::store_and_forward, .fber = 1e-9}.check("pcie", messages);
  EXPECT_EQ(messages.list.size(), 1U);
}

// Flit after flit, byte after byte: when may the next byte be filled, and when is the flit with the last one complete?
TEST(PcieOptions, ExactPackingAgreesWithAWalkOverTheFlits) {
  for (const std::uint32_t lanes : {1U, 4U, 16U}) {
    Config c{.generation = 6, .lanes = lanes, .flit_overhead = 0, .latency = 50ns, .fec_latency = 2ns, .packing = Packing::exact};
    c.posted_data = 16_MiB;
    c.posted_headers = 65536;
    Rig rig{c};
    const double flit = 32000.0 / lanes;  // ps
    Random random{lanes, "flits"};
    Time t = zero;
    std::vector<Burst*> all;
    for (int i = 0; i < 2000; ++i) {
      t += Duration{static_cast<std::int64_t>(random.below(3) == 0 ? 0 : random.below(300'000))};
      rig.agenda.run_until(t);
      all.push_back(&rig.post(Bytes{4 * (1 + random.below(1024))}, t, 4096 * random.below(64)));
    }
    rig.agenda.run();
    std::uint64_t next = 0;  // byte of TLPs
    const auto begins = [&](std::uint64_t n) { return static_cast<double>(n / 236) * flit + static_cast<double>(n % 236) * flit / 256; };
    for (const Burst* b : all) {
      const double start = static_cast<double>((b->start - zero).count());
      auto k = static_cast<std::uint64_t>(start / flit);
      std::uint64_t byte = k * 236;
      for (std::uint64_t d = 0; d <= 59; ++d, byte += 4)
        if (begins(byte) >= start - 1.5) break;
      byte = std::max(byte, next);
      const std::uint64_t end = byte + b->load.wire.count;
      const std::uint64_t first = byte + std::min<std::uint64_t>(528, b->load.wire.count);
      const auto complete = [&](std::uint64_t n) { return static_cast<double>((n - 1) / 236 + 1) * flit; };
      ASSERT_NEAR(static_cast<double>((b->out.first - zero).count()), complete(first) + 52'000, 2.0) << lanes;
      ASSERT_NEAR(static_cast<double>((b->out.last - zero).count()), complete(end) + 52'000, 2.0) << lanes;
      next = end;
    }
    EXPECT_EQ(rig.laws(), std::vector<std::string>{});
  }
}

TEST(PcieOptions, ExactPackingAloneByHand) {
  Config c{.generation = 6, .lanes = 4, .flit_overhead = 0, .latency = 50ns, .fec_latency = 2ns, .packing = Packing::exact};
  Rig rig{c};
  // 4 KiB in 8 TLPs of 528 B: 4224 B are 17.9 flits of 8 ns. The first TLP ends in the third flit.
  Burst& b = rig.post(4_KiB);
  Burst& c2 = rig.post(64_B);  // 80 B more: 12 of them in the 18th flit, the rest in the 19th
  rig.agenda.run();
  EXPECT_EQ(b.out.first, zero + 24ns + 52ns);
  EXPECT_EQ(b.out.last, zero + 144ns + 52ns);
  EXPECT_EQ(c2.out.last, zero + 152ns + 52ns);
  // Offered 1 ps after a flit's last byte of TLPs has begun: the next flit.
  Burst& d = rig.post(16_B, zero + 8us + 7'344_ps);
  rig.agenda.run();
  EXPECT_EQ(d.out.first, zero + 8us + 16ns + 52ns);
}

TEST(PcieOptions, ExactPackingReachesThePublishedRates) {
  constexpr double rates[3][3] = {{26.22, 27.76, 28.61}, {52.4, 55.5, 57.2}, {104.9, 111.1, 114.4}};
  for (unsigned width = 0; width < 3; ++width) {
    for (unsigned column = 0; column < 3; ++column) {
      Config c{.lanes = 4U << width, .mps = Bytes{128U << column}, .flit_overhead = 0, .packing = Packing::exact};
      c.posted_headers = 1024;
      Rig rig{c};
      for (unsigned i = 0; i < 64; ++i) rig.post(16_KiB, zero, i * 16384);
      rig.agenda.run();
      const Duration span = rig.ups.back()->out.first - rig.ups.front()->out.first;
      EXPECT_NEAR(63 * 16384 / to_seconds(span) * 1e-9 / rates[width][column], 1.0, 0.005) << width << " " << column;
    }
  }
}

TEST(PcieOptions, CountedDllpsTakeTheOtherWaysIdleTimeFirst) {
  Config c = gen5();
  c.dllps = Dllps::counted;
  c.ack_tlps = 4;
  c.update_fc_tlps = 2;
  c.skp_blocks = 100'000;  // next to none
  Rig rig{c};
  // 64 KiB up: 256 TLPs bring 64 ACKs and 128 UpdateFCs, 1536 B: 97.5 ns and a little of the line down.
  rig.post(64_KiB);
  Burst& soon = rig.make(Kind::posted, 0, 4_KiB, {zero, zero});
  rig.link.down.offer(soon, zero);
  rig.agenda.run();
  const Duration alone = rig.wire.time(soon.load.wire), dllps = rig.wire.time(1536_B);
  EXPECT_EQ(soon.sent, zero + alone + dllps);
  EXPECT_EQ(rig.count("dllps"), 192U + 12U);  // the 16 TLPs down bring 4 ACKs and 8 UpdateFCs
  EXPECT_EQ(rig.count("dllp_time"), static_cast<std::uint64_t>(dllps.count()));
  const Time then = zero + 100us;
  rig.agenda.run_until(then);
  rig.post(64_KiB, then);
  Burst& late = rig.make(Kind::posted, 0, 4_KiB, {then + 1us, then + 1us});
  rig.agenda.run_until(then + 1us);
  rig.link.down.offer(late, then + 1us);
  rig.agenda.run();
  EXPECT_EQ(late.sent, then + 1us + alone);  // the line had time for them
}

TEST(PcieOptions, CountedDllpsCostMoreTheMoreThereAre) {
  const auto rate = [](std::uint32_t ack, std::uint32_t update, std::uint32_t skp) {
    Config c = gen5();
    c.mps = 128_B;
    c.dllps = Dllps::counted;
    c.ack_tlps = ack;
    c.update_fc_tlps = update;
    c.skp_blocks = skp;
    c.posted_headers = 4096;
    Rig rig{c};
    for (unsigned i = 0; i < 64; ++i) {
      rig.post(16_KiB);
      rig.link.down.offer(rig.make(Kind::posted, 0, 16_KiB, {zero, zero}), zero);
    }
    rig.agenda.run();
    return 64 * 16384 / to_seconds(rig.ups.back()->out.last - zero) * 1e-9;
  };
  // Both ways busy: a DLLP of 8 B per TLP of 152 B each, twice.
  EXPECT_NEAR(rate(1, 1, 100'000) / rate(64, 64, 100'000), (152 + 16.0 / 64) / (152 + 16), 0.01);
  EXPECT_NEAR(rate(1, 64, 100'000) / rate(64, 64, 100'000), (152 + 16.0 / 64) / (152 + 8.125), 0.01);
  EXPECT_NEAR(rate(64, 64, 99) / rate(64, 64, 100'000), 0.99, 0.0005);
}

TEST(PcieOptions, ReplayBufferBoundsTheRate) {
  Config c{.flit_overhead = 0, .replay_round_trip = 400ns, .replay_buffer = 2_KiB};
  Rig rig{c};
  for (unsigned i = 0; i < 64; ++i) rig.post(4_KiB);  // 4224 B: 825 ns at 2 KiB per 400 ns
  rig.agenda.run();
  for (unsigned i = 0; i < 64; ++i) EXPECT_EQ(rig.ups[i]->start, zero + i * 825ns);
  c.replay_buffer = 12_KiB;  // rate x round trip: 11.8 kB
  Rig enough{c};
  for (unsigned i = 0; i < 64; ++i) enough.post(4_KiB);
  enough.agenda.run();
  EXPECT_EQ(enough.ups[1]->start, zero + enough.wire.time(4224_B));
}

TEST(PcieOptions, L0pWakesInTheTimeItTakes) {
  Config c{.generation = 6, .lanes = 16, .flit_overhead = 0, .latency = 50ns, .l0p_lanes = 4, .l0p_idle = 10us, .l0p_up = 1us};
  Rig rig{c};
  const auto at = [&](Time t, Bytes size) -> Burst& {
    rig.agenda.run_until(t);
    return rig.post(size, t);
  };
  const Duration full = rig.wire.time(4224_B);
  EXPECT_EQ(at(zero, 4_KiB).sent, zero + full);  // the link comes up wide
  const Time last = zero + full;
  Burst& awake = at(last + 10us - 1_ps, 4_KiB);
  EXPECT_EQ(awake.sent, awake.start + full);  // a picosecond before the lanes rest
  Burst& asleep = at(awake.sent + 10us, 4_KiB);
  EXPECT_EQ(asleep.sent, asleep.start + 4 * full);  // a quarter of the lanes, within l0p_up
  Burst& long_one = at(asleep.sent + 10us, 1_MiB);
  const Duration mib = rig.wire.time(long_one.load.wire);
  EXPECT_EQ(long_one.sent, long_one.start + 1us + mib - 250ns);  // a quarter of a microsecond's worth in the first
  rig.agenda.run();
  const Time end = long_one.sent + 60us;
  rig.agenda.run_until(end);
  rig.link.finish(end);
  EXPECT_EQ(rig.count("entries"), 2U);
  EXPECT_EQ(rig.count("narrow"), static_cast<std::uint64_t>((2us + 50us).count() * 1'000'000 + 0));
  EXPECT_EQ(rig.count("lane_time"), 16U * static_cast<std::uint64_t>((end - zero).count()) - 12U * rig.count("narrow"));
}

TEST(PcieOptions, L0pIdleAndUpAct) {
  const auto rested = [](Duration idle, Duration up) {
    Config c{.lanes = 16, .l0p_lanes = 1, .l0p_idle = idle, .l0p_up = up};
    Rig rig{c};
    for (int i = 0; i < 100; ++i) {
      const Time t = zero + i * 5us;
      rig.agenda.run_until(t);
      rig.post(64_KiB, t);
    }
    rig.agenda.run();
    rig.link.finish(zero + 500us);
    return std::pair{rig.count("narrow"), rig.ups.back()->out.last - rig.ups.back()->start};
  };
  const auto usual = rested(1us, 500ns);
  EXPECT_GT(usual.first, rested(3us, 500ns).first);
  EXPECT_EQ(rested(6us, 500ns).first, 0U);
  EXPECT_GT(rested(1us, 2us).second, usual.second);
}

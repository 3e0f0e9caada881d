// SPDX-License-Identifier: Apache-2.0
#include "crypto/crypto_part.h"

#include <numeric>

#include "base/random.h"
#include "bus/address_map.h"
#include "bus_bench.h"
#include "dram/dram_part.h"

namespace flashpath {
namespace {

using crypto::AesXts;
using crypto::Way;
using Buffer = std::vector<unsigned char>;
constexpr Time at(Duration d) { return Time{} + d; }
constexpr std::uint64_t frame(std::uint64_t n) { return bus::staging_base + (n << 20U); }
constexpr std::uint64_t key_address(std::uint64_t slot) { return bus::crypto_base + bus::crypto_size / 2 + 128 * slot; }

/// Two links in front of the engine, memory directly behind it, a core at its registers. Key slot 5 is set; frame 1 is
/// encrypted with it from LBA 1000 on, frame 2 from LBA 77 on; frame 3 names a slot without a key.
struct CryptoBench : test::Bench {
  explicit CryptoBench(crypto::Config c = {}) : Bench{1ms, true}, engine{"crypto", environment, c, 2} {
    link.port.socket.bind(link_checker.in);
    link_checker.out.bind(engine.in(0));
    other.port.socket.bind(other_checker.in);
    other_checker.out.bind(engine.in(1));
    engine.out().bind(out_checker.in);
    out_checker.out.bind(memory.in());
    core.port.socket.bind(engine.regs());
    link.master = other.master = Master::drive;
    key.resize(64);
    std::iota(key.begin(), key.end(), static_cast<unsigned char>(1));
    core.write(key_address(5), key, at(0ns));
    entry(1, {.first_lba = 1000, .key_slot = 5, .flags = 1});
    entry(2, {.first_lba = 77, .key_slot = 5, .flags = 1});
    entry(3, {.first_lba = 0, .key_slot = 6, .flags = 1});
    oracle.set_key(0, std::span<const unsigned char, 64>{key.data(), 64});
    run(at(1us));
  }
  ~CryptoBench() {
    for (auto* c : {&link_checker, &other_checker, &out_checker}) {
      c->finish();
      for (const auto& v : c->violations()) ADD_FAILURE() << v;
    }
    test::expect_lawful(engine, agenda.now());
    EXPECT_EQ(link.pool.outstanding() + other.pool.outstanding(), 0U);
  }
  void entry(std::uint64_t n, crypto::FrameEntry e) {
    Buffer bytes(sizeof e);
    std::memcpy(bytes.data(), &e, sizeof e);
    core.write(bus::crypto_base + 16 * n, bytes, at(1ns));
  }
  Buffer pattern(std::size_t n) {
    Buffer b(n);
    for (auto& x : b) x = static_cast<unsigned char>(random.next());
    return b;
  }
  Buffer stored(std::uint64_t address, std::size_t n) {
    Buffer b(n);
    memory.memory().read(address, b);
    return b;
  }
  Random random{2, "crypto"};
  crypto::ModelEngine engine;
  AesXts oracle{1};
  Buffer key;
  test::Initiator link{"link", agenda}, other{"other", agenda}, core{"core", agenda};
  dram::ModelDram memory{"dram", environment, dram::Config{}};
  checks::ProtocolChecker link_checker{"link_checker"}, other_checker{"other_checker"}, out_checker{"out_checker"};
};

TEST(CryptoPart, DecryptsWritesAndLeavesTheInitiatorsBufferAlone) {
  CryptoBench b;
  const Buffer sent = b.pattern(8192);
  const auto w = b.link.write(frame(1) + 4096, sent, at(2us));
  const auto plain = b.link.write(frame(0), sent, at(3us));
  b.run();
  Buffer expected = sent;
  ASSERT_TRUE(b.oracle.blocks(Way::decrypt, 0, 1001, 0, expected));
  EXPECT_EQ(b.stored(frame(1) + 4096, 8192), expected);
  EXPECT_EQ(b.link[w].bytes, sent);
  EXPECT_EQ(b.stored(frame(0), 8192), sent) << "bit 0 is clear";
  EXPECT_EQ(b.link[plain].status, tlm::TLM_OK_RESPONSE);
}

TEST(CryptoPart, EncryptsReads) {
  CryptoBench b;
  const Buffer plain = b.pattern(12288);
  b.memory.memory().write(frame(2), plain);
  const auto r = b.link.read(frame(2) + 16, Bytes{12288 - 16}, at(2us));
  b.run();
  Buffer expected = plain;
  ASSERT_TRUE(b.oracle.blocks(Way::encrypt, 0, 77, 0, expected));
  EXPECT_EQ(b.link[r].bytes, Buffer(expected.begin() + 16, expected.end()));
  EXPECT_EQ(b.stored(frame(2), 12288), plain);
}

TEST(CryptoPart, PiecesOfOneTransferUseTheirOwnFrames) {
  CryptoBench b;
  const Buffer sent = b.pattern(16384);
  b.link.write(frame(1) - 4096, Buffer(sent.begin(), sent.begin() + 8192), at(2us));  // frame 0 plain, frame 1
  b.link.write(frame(2) - 4096, Buffer(sent.begin() + 8192, sent.end()), at(3us));    // frame 1's end, frame 2
  b.run();
  Buffer expected = sent;
  ASSERT_TRUE(b.oracle.blocks(Way::decrypt, 0, 1000, 0, std::span{expected}.subspan(4096, 4096)));
  ASSERT_TRUE(b.oracle.blocks(Way::decrypt, 0, 1000 + 255, 0, std::span{expected}.subspan(8192, 4096)));
  ASSERT_TRUE(b.oracle.blocks(Way::decrypt, 0, 77, 0, std::span{expected}.subspan(12288, 4096)));
  EXPECT_EQ(b.stored(frame(1) - 4096, 8192), Buffer(expected.begin(), expected.begin() + 8192));
  EXPECT_EQ(b.stored(frame(2) - 4096, 8192), Buffer(expected.begin() + 8192, expected.end()));
}

TEST(CryptoPart, ErrorsAreAnswered) {
  CryptoBench b;
  const auto no_key = b.link.write(frame(3), Buffer(4096), at(2us));
  const auto ragged = b.link.write(frame(1) + 8, Buffer(16), at(2us));
  const auto key_read = b.core.access(tlm::TLM_READ_COMMAND, key_address(5), 64_B, at(2us), Buffer(64, 0xff));
  const auto no_slot = b.core.write(key_address(1024), b.key, at(2us));
  const auto odd = b.core.write(key_address(5) + 8, b.key, at(2us));
  const auto equal = b.core.write(key_address(7), Buffer(64, 3), at(2us));
  const auto far = b.core.write(bus::crypto_base + 16 * 16384, Buffer(16), at(2us));
  const auto half = b.core.write(bus::crypto_base, Buffer(8), at(2us));
  const auto entry = b.core.read(bus::crypto_base + 16, 16_B, at(2us));
  b.run();
  EXPECT_EQ(b.link[no_key].status, tlm::TLM_GENERIC_ERROR_RESPONSE);
  EXPECT_EQ(b.link[ragged].status, tlm::TLM_GENERIC_ERROR_RESPONSE);
  EXPECT_EQ(b.core[key_read].bytes, Buffer(64, 0)) << "keys cannot be read";
  EXPECT_EQ(b.core[key_read].at, at(2us + 20ns));
  EXPECT_EQ(b.core[no_slot].status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(b.core[odd].status, tlm::TLM_BURST_ERROR_RESPONSE);
  EXPECT_EQ(b.core[equal].status, tlm::TLM_GENERIC_ERROR_RESPONSE);
  EXPECT_EQ(b.core[far].status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(b.core[half].status, tlm::TLM_BURST_ERROR_RESPONSE);
  EXPECT_EQ(b.core[entry].bytes[0], 1000 % 256);
  EXPECT_EQ(b.memory.memory().pages(), 0U);
}

/// A completion entry (bypass) that comes with the last byte of its data is visible no earlier than the data.
TEST(CryptoPart, BypassNeverOvertakesDataOfItsDrive) {
  CryptoBench b;
  const auto data = b.link.access(tlm::TLM_WRITE_COMMAND, frame(1), 1_MiB, at(2us), {}, 50us);
  const auto cqe = b.link.write(bus::control_base, Buffer(16, 1), at(52us));
  const auto same_time_other_drive = b.other.write(bus::control_base + 64, Buffer(16, 2), at(52us));
  b.run();
  const Duration granule = 64_B / b.memory.timing().rate();
  EXPECT_EQ(b.link[data].at, at(52us + 45ns + 60ns + 10ns) + granule);
  EXPECT_GE(b.link[cqe].at, b.link[data].at);
  EXPECT_LE(b.link[cqe].at, b.link[data].at + granule);
  EXPECT_EQ(b.other[same_time_other_drive].at, at(52us + 10ns + 60ns + 10ns) + granule) << "another link's bypass has its own time";
}

TEST(CryptoPart, SaturatesAtTheLanesSumInBothDirections) {
  crypto::Config c;
  c.lanes = 2;  // 32 GB/s: narrower than memory
  c.outstanding = 256;
  CryptoBench b{c};
  for (int i = 0; i < 64; ++i) {
    b.link.access(tlm::TLM_WRITE_COMMAND, frame(1), 1_MiB, at(2us));
    b.other.access(tlm::TLM_READ_COMMAND, frame(2), 1_MiB, at(2us));
  }
  b.run();
  const Duration ideal = 64 * (1_MiB / 32_GBps);
  for (auto* m : {&b.link, &b.other}) {
    EXPECT_EQ(m->done, 64U);
    const Duration took = std::max(m->answers[63].at, m->answers[63].stream.last) - at(2us);
    EXPECT_GE(took, ideal);
    EXPECT_LE(took, ideal + ideal / 100);
  }
}

TEST(CryptoPart, OutstandingBoundsWhatIsInside) {
  crypto::Config c;
  c.outstanding = 2;
  CryptoBench b{c};
  for (int i = 0; i < 3; ++i) b.link.write(frame(1), Buffer(4096), at(2us));
  b.run();
  EXPECT_EQ(b.link[1].accepted, at(2us));
  EXPECT_EQ(b.link[2].accepted, crypto::Timing{c}.crypt({at(2us), at(2us)}, 4_KiB).first) << "when memory takes the first";
}

TEST(CryptoPart, RandomStressKeepsBytesAndLaws) {
  CryptoBench b;
  Buffer image(4U << 20U);  // frames 0 to 3 as memory should be; frame 3 refuses
  std::vector<std::pair<std::size_t, Buffer>> reads;
  Time now = at(2us);
  for (int i = 0; i < 400; ++i) {
    now += 20us;  // apart, so that the order is known
    const std::uint64_t offset = 16 * b.random.below((3U << 20U) / 16 - 2048);
    const std::size_t size = 16 * (1 + b.random.below(1024));
    auto& m = b.random.below(2) == 0 ? b.link : b.other;
    Buffer bytes = b.pattern(size);
    const auto transform = [&](Way way, Buffer& data) {
      for (std::size_t p = 0; p < size;) {
        const std::uint64_t in_frame = (offset + p) % (1U << 20U);
        const std::size_t part = std::min<std::size_t>(size - p, (1U << 20U) - in_frame);
        const std::uint64_t n = (offset + p) >> 20U;
        if (n == 1 || n == 2) { ASSERT_TRUE(b.oracle.blocks(way, 0, n == 1 ? 1000 : 77, in_frame, std::span{data}.subspan(p, part))); }
        p += part;
      }
    };
    if (b.random.below(2) == 0) {
      m.write(frame(0) + offset, bytes, now);
      transform(Way::decrypt, bytes);
      std::copy(bytes.begin(), bytes.end(), image.begin() + static_cast<std::ptrdiff_t>(offset));
    } else {
      const auto r = m.read(frame(0) + offset, Bytes{size}, now);
      b.run(now + 19us);
      Buffer expected(image.begin() + static_cast<std::ptrdiff_t>(offset), image.begin() + static_cast<std::ptrdiff_t>(offset + size));
      transform(Way::encrypt, expected);
      ASSERT_EQ(m[r].bytes, expected) << i;
    }
  }
  b.run();
  EXPECT_EQ(b.link.done + b.other.done, 400U);
}

}  // namespace
}  // namespace flashpath

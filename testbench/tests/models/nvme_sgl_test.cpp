// SPDX-License-Identifier: Apache-2.0
// Scatter gather lists, NVMe 2.0 §4.1.2: every kind of descriptor carries its bytes, every mistake has its status, and no chain is endless.
#include <functional>
#include <string_view>

#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;
constexpr std::uint64_t list_at = 0x3000'0000;

using enum SglType;
SglDescriptor block(std::uint64_t address, std::uint32_t length) { return SglDescriptor::make(data_block, address, length); }

Sqe sgl(IoOpcode op, std::uint64_t slba, std::uint32_t blocks, const SglDescriptor& d) {
  Sqe sqe = Host::rw(op, slba, blocks, 0);
  sqe.flags = 0x40;
  std::memcpy(&sqe.prp1, &d, sizeof d);
  return sqe;
}

/// A segment of these descriptors at `at`.
SglDescriptor chain(Host& host, SglType type, std::uint64_t at, const std::vector<SglDescriptor>& descriptors) {
  host.memory.write(at, descriptors.data(), descriptors.size() * sizeof(SglDescriptor));
  return SglDescriptor::make(type, at, static_cast<std::uint32_t>(descriptors.size() * sizeof(SglDescriptor)));
}

struct NvmeSgl : ::testing::Test {
  NvmeSgl() {
    host.bring_up();
    for (std::uint64_t i = 0; i < 16 * 4096 / 8; ++i) {
      const std::uint64_t word = mix64(i);
      host.flash.write(i * 8, &word, 8);
    }
  }
  /// Bytes [from, from + size) of the drive, as they should be.
  std::vector<unsigned char> drive(std::uint64_t from, std::size_t size) {
    std::vector<unsigned char> bytes(size);
    host.flash.read(from, bytes.data(), size);
    return bytes;
  }
  std::vector<unsigned char> memory(std::uint64_t from, std::size_t size) {
    std::vector<unsigned char> bytes(size);
    host.memory.read(from, bytes.data(), size);
    return bytes;
  }
  Host host{Host::quick(), true};
};

TEST_F(NvmeSgl, IsAnnounced) {
  const auto id = host.memory.at<IdentifyController>(0x40000);
  EXPECT_EQ(id.sgls & 3U, 1U);
  EXPECT_EQ((id.sgls >> 16U) & 1U, 1U);  // bit bucket
}

TEST_F(NvmeSgl, OneBlockInTheCommandTakesThePathOfOnePrp) {
  const Time begin = host.agenda.now();
  EXPECT_EQ(host.io(sgl(IoOpcode::read, 1, 4, block(data_at + 3, 4 * 4096))).code(), Status::success);  // any alignment
  EXPECT_EQ(host.sent.back().sent - begin, 1us + 800ns + 3us + 50us + 1us + 300ns);
  EXPECT_EQ(memory(data_at + 3, 4 * 4096), drive(4096, 4 * 4096));
  EXPECT_EQ(host.controller.statistics().sgl_segments.value, 0U);
}

TEST_F(NvmeSgl, AChainOfSegmentsInPiecesOfOddSizes) {
  const SglDescriptor last = chain(host, last_segment, list_at + 0x1008, {block(data_at + 0x9000, 4096 - 100), block(data_at + 0x7001, 7)});
  const SglDescriptor second = chain(host, SglType::segment, list_at + 0x800, {block(data_at + 0x5000, 93), block(0, 0), last});
  const SglDescriptor first = chain(host, SglType::segment, list_at, {block(data_at, 4096), second});
  host.read_time = 400ns;
  const Time begin = host.agenda.now();
  EXPECT_EQ(host.io(sgl(IoOpcode::read, 2, 2, first)).code(), Status::success);
  // three segments, one after the other, are longer than the flash; nothing else changes
  EXPECT_EQ(host.sent.back().sent - begin, 1us + 800ns + 3us + 3 * 1us + 1us + 300ns);
  EXPECT_EQ(host.controller.statistics().sgl_segments.value, 3U);
  const auto want = drive(8192, 8192);
  EXPECT_TRUE(std::equal(want.begin(), want.begin() + 4096, memory(data_at, 4096).begin()));
  EXPECT_TRUE(std::equal(want.begin() + 4096, want.begin() + 4189, memory(data_at + 0x5000, 93).begin()));
  EXPECT_TRUE(std::equal(want.begin() + 4189, want.begin() + 8185, memory(data_at + 0x9000, 3996).begin()));
  EXPECT_TRUE(std::equal(want.begin() + 8185, want.end(), memory(data_at + 0x7001, 7).begin()));
  // and the same memory written back elsewhere
  EXPECT_EQ(host.io(sgl(IoOpcode::write, 100, 2, first)).code(), Status::success);
  EXPECT_EQ(drive(100 * 4096, 8192), want);
  host.expect_laws();
}

TEST_F(NvmeSgl, ABitBucketSwallowsReadsAndGivesNothingToWrites) {
  const std::vector<unsigned char> before = memory(data_at + 0x10000, 8192);
  const SglDescriptor middle =
      chain(host, last_segment, list_at, {block(data_at, 512), SglDescriptor::make(bit_bucket, 0, 7000), block(data_at + 512, 680)});
  host.dma_bytes = 0;
  EXPECT_EQ(host.io(sgl(IoOpcode::read, 4, 2, middle)).code(), Status::success);
  EXPECT_EQ(host.dma_bytes, 64U + 48U + 512U + 680U + 16U);  // SQE, segment, data, CQE
  const auto want = drive(4 * 4096, 8192);
  const auto got = memory(data_at, 1192);
  EXPECT_TRUE(std::equal(want.begin(), want.begin() + 512, got.begin()));
  EXPECT_TRUE(std::equal(want.begin() + 7512, want.end(), got.begin() + 512));
  EXPECT_EQ(memory(data_at + 0x10000, 8192), before);
  // everything into the bucket: still a read, with a time and an end
  EXPECT_EQ(host.io(sgl(IoOpcode::read, 4, 2, SglDescriptor::make(bit_bucket, 0, 8192))).code(), Status::success);
  EXPECT_EQ(host.controller.statistics().read_dropped.value, 7000U + 8192U);
  // of a write its length does not count
  EXPECT_EQ(host.io(sgl(IoOpcode::write, 4, 2, middle)).code(), Status::data_sgl_length_invalid);
  const SglDescriptor whole = chain(host, last_segment, list_at, {SglDescriptor::make(bit_bucket, 0, 7000), block(data_at, 8192)});
  EXPECT_EQ(host.io(sgl(IoOpcode::write, 4, 2, whole)).code(), Status::success);
  EXPECT_EQ(drive(4 * 4096, 8192), memory(data_at, 8192));
  host.expect_laws();
}

TEST_F(NvmeSgl, ManyCommandsAtOnceEachGetTheirOwnBytes) {
  HostQueue& q = host.queues[1];
  for (std::uint32_t i = 0; i < 16; ++i) {
    std::vector<SglDescriptor> pieces;
    for (std::uint32_t k = 0; k < 512; ++k) pieces.push_back(block(data_at + i * 0x10000 + (511 - k) * 16, 8));  // backwards, with gaps
    Sqe sqe = sgl(IoOpcode::read, i, 1, chain(host, last_segment, list_at + i * 0x4000, pieces));
    sqe.cid = static_cast<std::uint16_t>(i);
    host.put(q, sqe);
  }
  host.ring(q);
  host.agenda.run();
  EXPECT_EQ(host.poll(q).size(), 16U);
  for (std::uint64_t i = 0; i < 16; ++i) {
    for (std::uint64_t k = 0; k < 512; ++k) {
      ASSERT_EQ(host.memory.at<std::uint64_t>(data_at + i * 0x10000 + (511 - k) * 16), mix64(i * 512 + k)) << i << " " << k;
    }
  }
  EXPECT_EQ(host.controller.statistics().sgl_segments.value, 16U * 2U);  // 8 KiB of descriptors, read in pieces of 4 KiB
  host.expect_laws();
}

TEST_F(NvmeSgl, EveryMistakeHasItsStatus) {
  const SglDescriptor good = block(data_at, 4096);
  const auto of = [](SglType type, std::uint64_t address, std::uint32_t length, unsigned subtype = 0) {
    SglDescriptor d = SglDescriptor::make(type, address, length);
    d.identifier = static_cast<std::uint8_t>(d.identifier | subtype);
    return d;
  };
  const std::uint64_t far = list_at + 0x8000;
  const SglDescriptor inner = chain(host, last_segment, far, {good});
  const auto listed = [&](SglType type, const std::vector<SglDescriptor>& d) { return chain(host, type, list_at, d); };
  struct Case {
    const char* what;
    Status status;
    std::function<SglDescriptor()> make;
  };
  const std::vector<Case> cases{
      {"§4.1.2.1 keyed", Status::sgl_type_invalid, [&] { return of(keyed_data_block, data_at, 4096); }},
      {"§4.1.2.1 transport", Status::sgl_type_invalid, [&] { return of(transport_data_block, data_at, 4096); }},
      {"§4.1.2.1 reserved", Status::sgl_type_invalid, [&] { return of(static_cast<SglType>(7), data_at, 4096); }},
      {"§4.1.2.1 vendor", Status::sgl_type_invalid, [&] { return of(static_cast<SglType>(15), data_at, 4096); }},
      {"§4.1.2.1 offset subtype", Status::sgl_type_invalid, [&] { return of(data_block, 0, 4096, 1); }},
      {"§4.1.2.1 segment, offset subtype", Status::sgl_type_invalid, [&] { return of(last_segment, far, 16, 1); }},
      {"§4.1.2 keyed inside a segment", Status::sgl_type_invalid,
       [&] { return listed(last_segment, {of(keyed_data_block, data_at, 4096)}); }},
      {"§4.1.2 too short", Status::data_sgl_length_invalid, [&] { return block(data_at, 4095); }},
      {"§4.1.2 too long", Status::data_sgl_length_invalid, [&] { return block(data_at, 4097); }},
      {"§4.1.2 longest", Status::data_sgl_length_invalid, [&] { return block(data_at, 0xffff'ffffU); }},
      {"§4.1.2 nothing", Status::data_sgl_length_invalid, [&] { return block(data_at, 0); }},
      {"§4.1.2 too long in the list", Status::data_sgl_length_invalid,
       [&] {
         return listed(last_segment, {good, block(data_at, 1)});
       }},
      {"§4.1.2 empty segment", Status::invalid_sgl_segment, [&] { return of(SglType::segment, far, 0); }},
      {"§4.1.2 half a descriptor", Status::invalid_sgl_segment, [&] { return of(last_segment, far, 24); }},
      {"§4.1.2 unaligned segment", Status::invalid_sgl_segment, [&] { return of(last_segment, far + 4, 16); }},
      {"§4.1.2 segment in the last segment", Status::invalid_sgl_segment, [&] { return listed(last_segment, {inner}); }},
      {"§4.1.2 no pointer at the end", Status::invalid_sgl_segment, [&] { return listed(SglType::segment, {good}); }},
      {"§4.1.2 pointer not at the end", Status::invalid_sgl_count,
       [&] {
         return listed(SglType::segment, {inner, good});
       }},
      {"a loop", Status::invalid_sgl_count, [&] { return listed(SglType::segment, {of(SglType::segment, list_at, 16)}); }},
      {"a segment of 4 GiB of nothing", Status::invalid_sgl_count, [&] { return of(last_segment, 0x5000'0000, 0xffff'fff0U); }},
      {"unmapped segment", Status::data_transfer_error, [&] { return of(last_segment, unmapped, 16); }},
      {"segment across the end of memory", Status::data_transfer_error, [&] { return of(last_segment, unmapped - 16, 32); }},
      {"segment at the end of all addresses", Status::data_transfer_error, [&] { return of(last_segment, ~0ULL - 7, 16); }},
      {"unmapped data", Status::data_transfer_error, [&] { return block(unmapped, 4096); }},
  };
  for (const Case& c : cases) {
    for (const IoOpcode op : {IoOpcode::read, IoOpcode::write, IoOpcode::compare}) {
      const Status want = c.status;
      EXPECT_EQ(host.io(sgl(op, 0, 1, c.make())).code(), want) << c.what << " " << static_cast<int>(op);
    }
  }
  EXPECT_EQ(host.io(sgl(IoOpcode::read, 0, 1, good)).code(), Status::success);
  Sqe admin{.opcode = 0x06, .flags = 0x40, .prp1 = 0x40000, .cdw10 = 1};  // §3.3.3.1: PRPs only in admin commands over PCIe
  EXPECT_EQ(host.admin_command(admin).code(), Status::invalid_field);
  EXPECT_TRUE(host.controller.idle());
  host.expect_laws();
}

TEST(NvmeSglLimits, TheLimitOnDescriptorsShows) {
  for (const std::uint32_t limit : {16U, 17U}) {
    Config config = Host::quick();
    config.sgl_descriptors = limit;
    Host host{config};
    host.bring_up();
    const std::vector<SglDescriptor> sixteen(16, block(data_at, 256));  // and the command's own
    const Status want = limit == 17 ? Status::success : Status::invalid_sgl_count;
    EXPECT_EQ(host.io(sgl(IoOpcode::read, 0, 1, chain(host, last_segment, list_at, sixteen))).code(), want);
  }
}

}  // namespace
}  // namespace flashpath::nvme::test

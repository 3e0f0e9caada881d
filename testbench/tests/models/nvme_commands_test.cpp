// SPDX-License-Identifier: Apache-2.0
// Compare, Verify, Write Zeroes, Write Uncorrectable, Copy (NVM Command Set 1.0 §3.2): their times, their bytes, their mistakes.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;
constexpr std::uint64_t list_at = 0x3000'0000;
constexpr Duration inside = 1us + 800ns + 3us;  // fetch, front end, latency
constexpr Duration completion = 300ns;

Duration time_of(Host& host, Sqe sqe, Status want = Status::success) {
  const Time begin = host.agenda.now();
  EXPECT_EQ(host.io(sqe).code(), want);
  return host.sent.back().sent - begin;
}

Sqe copy(std::uint64_t to, std::uint32_t ranges, std::uint32_t format = 0) {
  return {.opcode = 0x19, .nsid = 1, .prp1 = list_at, .cdw10 = static_cast<std::uint32_t>(to), .cdw12 = (ranges - 1) | format << 8U};
}

void put_ranges(Host& host, const std::vector<std::pair<std::uint64_t, std::uint32_t>>& ranges, std::size_t stride = 32) {
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const CopyRange range{.slba = ranges[i].first, .nlb = static_cast<std::uint16_t>(ranges[i].second - 1)};
    host.memory.write(list_at + i * stride, &range, sizeof range);
  }
}

void fill(Memory& memory, std::uint64_t at, std::size_t size, std::uint64_t seed) {
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = mix64(seed + i);
    memory.write(at + i, &word, 8);
  }
}

std::vector<unsigned char> bytes(Memory& memory, std::uint64_t at, std::size_t size) {
  std::vector<unsigned char> b(size);
  memory.read(at, b.data(), size);
  return b;
}

TEST(NvmeCompare, IsAReadWhoseDataComeFromTheHost) {
  Host host;
  host.bring_up();
  EXPECT_EQ(time_of(host, Host::rw(IoOpcode::compare, 0, 1, data_at)), inside + 50us + 1us + completion);
  EXPECT_FALSE(host.data_dmas().back().write);
  host.dma_tail = 7us;  // compared when the last byte is here; the SQE has a tail, too
  EXPECT_EQ(time_of(host, Host::rw(IoOpcode::compare, 0, 1, data_at)), inside + 7us + 50us + 1us + 7us + completion);
  EXPECT_EQ(host.requests.back().kind, ftl::RequestKind::read);
  host.expect_laws();
}

TEST(NvmeCompare, FindsOneWrongBit) {
  Host host{Host::quick(), true};
  host.bring_up();
  fill(host.flash, 0, 256 * 4096, 1);
  fill(host.memory, data_at, 256 * 4096, 1);
  Sqe sqe = Host::rw(IoOpcode::compare, 0, 256, 0);
  host.describe(sqe, data_at, 256 * 4096, list_at);
  EXPECT_EQ(host.io(sqe).code(), Status::success);
  for (const std::uint64_t at : {0ULL, 65535ULL, 65536ULL, 256ULL * 4096 - 1}) {
    auto byte = host.memory.at<unsigned char>(data_at + at);
    byte ^= 0x10U;
    host.memory.write(data_at + at, &byte, 1);
    EXPECT_EQ(host.io(sqe).code(), Status::compare_failure) << at;
    byte ^= 0x10U;
    host.memory.write(data_at + at, &byte, 1);
  }
  EXPECT_EQ(host.io(sqe).code(), Status::success);
  host.bad_address = data_at + 0x10000;
  EXPECT_EQ(host.io(sqe).code(), Status::data_transfer_error);
  host.bad_address = ~std::uint64_t{0};
  host.ftl_status = ftl::RequestStatus::uncorrectable;
  EXPECT_EQ(host.io(sqe).code(), Status::unrecovered_read_error);
  host.expect_laws();
}

TEST(NvmeVerify, ReadsTheFlashAndMovesNothing) {
  Host host;
  host.bring_up();
  host.dmas.clear();
  Sqe sqe = Host::rw(IoOpcode::verify, 0, 256, unmapped + 1);  // the pointer is not looked at
  EXPECT_EQ(time_of(host, sqe), inside + 50us + completion);
  EXPECT_TRUE(host.data_dmas().empty());
  EXPECT_EQ(host.controller.statistics().kept.value, 256U * 4096U);
  sqe.cdw12 = 256;
  EXPECT_EQ(host.io(sqe).code(), Status::invalid_field);  // beyond MDTS, which is VSL, too
  host.ftl_status = ftl::RequestStatus::uncorrectable;
  sqe.cdw12 = 0;
  EXPECT_EQ(host.io(sqe).code(), Status::unrecovered_read_error);
  host.expect_laws();
}

TEST(NvmeWriteZeroes, WithDeallocateOnlyTheEdgesAreProgrammed) {
  Config config = Host::quick();
  config.lba = 512_B;
  config.read_chunk = 64_KiB;
  Host host{config, true};
  host.bring_up();
  const std::vector<unsigned char> ones(64 * 512, 1);
  host.flash.write(0, ones.data(), ones.size());
  Sqe sqe = Host::rw(IoOpcode::write_zeroes, 3, 40, 0);  // bytes 1536 to 22016: units 1 to 4 are whole
  sqe.cdw12 |= zeroes_deallocate;
  EXPECT_EQ(host.io(sqe).code(), Status::success);
  using Seen = std::tuple<ftl::RequestKind, std::uint64_t, std::uint64_t>;
  std::vector<Seen> seen;
  for (const auto& r : host.requests) seen.emplace_back(r.kind, r.address.count, r.size.count);
  std::ranges::sort(seen, {}, [](const Seen& s) { return std::get<1>(s); });
  EXPECT_EQ(seen,
            (std::vector<Seen>{
                {ftl::RequestKind::write, 1536, 2560}, {ftl::RequestKind::trim, 4096, 16384}, {ftl::RequestKind::write, 20480, 1536}}));
  EXPECT_EQ(host.flash.at<unsigned char>(1535), 1);
  EXPECT_EQ(host.flash.at<unsigned char>(1536), 0);
  EXPECT_EQ(host.flash.at<unsigned char>(22015), 0);
  EXPECT_EQ(host.flash.at<unsigned char>(22016), 1);
  host.requests.clear();
  sqe.cdw12 = (sqe.cdw12 & ~zeroes_deallocate);
  EXPECT_EQ(host.io(sqe).code(), Status::success);
  for (const auto& r : host.requests) EXPECT_EQ(r.kind, ftl::RequestKind::write);
  host.requests.clear();  // whole units only: nothing is programmed; a unit of 16 KiB: only what it covers
  sqe = Host::rw(IoOpcode::write_zeroes, 32, 64, 0);
  sqe.cdw12 |= zeroes_deallocate;
  EXPECT_EQ(host.io(sqe).code(), Status::success);
  ASSERT_EQ(host.requests.size(), 1U);
  EXPECT_EQ(host.requests[0].kind, ftl::RequestKind::trim);
  host.controller.media({.unit = 64_KiB});
  host.requests.clear();
  EXPECT_EQ(host.io(sqe).code(), Status::success);
  ASSERT_EQ(host.requests.size(), 1U);
  EXPECT_EQ(host.requests[0].kind, ftl::RequestKind::write);
  host.expect_laws();
}

TEST(NvmeWriteUncorrectable, MarksUntilItIsWrittenOrDeallocated) {
  Host host;
  host.bring_up();
  const auto read = [&](std::uint64_t lba, std::uint32_t n, IoOpcode op = IoOpcode::read) {
    return host.io(Host::rw(op, lba, n, data_at, data_at + 4096)).code();
  };
  const std::size_t before = host.requests.size();
  EXPECT_EQ(host.io(Host::rw(IoOpcode::write_uncorrectable, 10, 3, 0)).code(), Status::success);
  EXPECT_EQ(host.requests.size(), before);
  EXPECT_EQ(read(9, 1), Status::success);
  EXPECT_EQ(read(9, 2), Status::unrecovered_read_error);
  EXPECT_EQ(read(12, 2), Status::unrecovered_read_error);
  EXPECT_EQ(read(13, 1), Status::success);
  EXPECT_EQ(read(11, 1, IoOpcode::verify), Status::unrecovered_read_error);
  EXPECT_EQ(read(11, 1, IoOpcode::compare), Status::unrecovered_read_error);
  put_ranges(host, {{20, 2}, {11, 1}, {30, 1}});
  const Cqe copied = host.io(copy(100, 3));
  EXPECT_EQ(copied.code(), Status::unrecovered_read_error);
  EXPECT_EQ(copied.dw0, 1U);  // the second range
  EXPECT_EQ(read(11, 1, IoOpcode::write), Status::success);
  EXPECT_EQ(read(11, 1), Status::success);
  EXPECT_EQ(read(10, 1), Status::unrecovered_read_error);
  const DsmRange range{.context = 0, .length = 1, .slba = 10};
  host.memory.write(data_at, &range, sizeof range);
  EXPECT_EQ(host.io({.opcode = 0x09, .nsid = 1, .prp1 = data_at, .cdw11 = dsm_deallocate}).code(), Status::success);
  EXPECT_EQ(read(10, 2), Status::success);
  EXPECT_EQ(read(12, 1), Status::unrecovered_read_error);
  EXPECT_EQ(host.admin_command({.opcode = 0x80, .nsid = 1}).code(), Status::success);
  EXPECT_EQ(read(12, 1), Status::success);
  EXPECT_EQ(host.io(Host::rw(IoOpcode::write_uncorrectable, 262143, 2, 0)).code(), Status::lba_out_of_range);
  host.expect_laws();
}

TEST(NvmeUncorrectable, IsASetOfBytes) {
  Uncorrectable set;
  std::vector<bool> oracle(256);
  Random random{5, "uncorrectable"};
  for (int i = 0; i < 4000; ++i) {
    const std::uint64_t a = random.below(256), b = a + random.below(256 - a) + 1;
    const auto kind = random.below(3);
    if (kind == 0) set.mark(a, b);
    if (kind == 1) set.clear(a, b);
    if (kind < 2) std::fill(oracle.begin() + static_cast<std::ptrdiff_t>(a), oracle.begin() + static_cast<std::ptrdiff_t>(b), kind == 0);
    const bool any = std::find(oracle.begin() + static_cast<std::ptrdiff_t>(a), oracle.begin() + static_cast<std::ptrdiff_t>(b), true) !=
                     oracle.begin() + static_cast<std::ptrdiff_t>(b);
    ASSERT_EQ(set.overlaps(a, b), any) << i;
    std::size_t runs = 0;
    for (std::size_t k = 0; k < 256; ++k) runs += oracle[k] && (k == 0 || !oracle[k - 1]) ? 1U : 0U;
    ASSERT_EQ(set.ranges(), runs);
  }
}

TEST(NvmeCopy, AloneTakesItsClosedFormAndLeavesTheLinkAlone) {
  Host host;
  host.bring_up();
  put_ranges(host, {{0, 64}});
  host.dma_bytes = 0;
  EXPECT_EQ(time_of(host, copy(1024, 1)), inside + 1us + 50us + 5us + completion);
  EXPECT_EQ(host.dma_bytes, 64U + 32U + 16U);  // SQE, range, CQE
  EXPECT_EQ(host.controller.statistics().kept.value, 64U * 4096U);
  host.expect_laws();
}

TEST(NvmeCopy, CarriesItsBytesFromAnywhereToAnywhere) {
  for (const std::size_t stride : {32U, 40U}) {
    Config config = Host::quick();
    config.staging = 256_KiB;
    Host host{config, true};
    host.bring_up();
    host.jitter = true;
    fill(host.flash, 0, 1024 * 4096, 9);
    put_ranges(host, {{3, 200}, {900, 1}, {500, 70}}, stride);
    EXPECT_EQ(host.io(copy(2001, 3, stride == 40 ? 1 : 0)).code(), Status::success);
    EXPECT_EQ(bytes(host.flash, 2001 * 4096, 200 * 4096), bytes(host.flash, 3 * 4096, 200 * 4096));
    EXPECT_EQ(bytes(host.flash, 2201 * 4096, 4096), bytes(host.flash, 900 * 4096, 4096));
    EXPECT_EQ(bytes(host.flash, 2202 * 4096, 70 * 4096), bytes(host.flash, 500 * 4096, 70 * 4096));
    EXPECT_EQ(host.flash.at<std::uint64_t>(2272 * 4096), 0U);
    EXPECT_EQ(host.flash.at<std::uint64_t>(2001 * 4096 - 8), 0U);
    host.expect_laws();
  }
}

TEST(NvmeCopy, WaitsForTheStagingWindowLikeAWrite) {
  Config config = Host::quick();
  config.staging = 256_KiB;
  Host host{config};
  host.bring_up();
  put_ranges(host, {{0, 256}});
  // four pieces of 256 KiB, one at a time: each holds the window from its read until the FTL has taken it
  EXPECT_EQ(time_of(host, copy(1024, 1)), inside + 1us + 4 * (50us + 1us) + 4us + completion);
}

TEST(NvmeCopy, EveryMistakeHasItsStatus) {
  Config config = Host::quick();
  config.copy_ranges = 4;
  Host host{config};
  host.bring_up();
  const auto code = [&](const Sqe& sqe) { return host.io(sqe).code(); };
  put_ranges(host, {{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}});
  EXPECT_EQ(code(copy(1000, 4)), Status::success);
  EXPECT_EQ(code(copy(1000, 5)), Status::command_size_limit_exceeded);  // §3.2.2: MSRC
  EXPECT_EQ(code(copy(1000, 1, 2)), Status::invalid_field);             // §3.2.2: descriptor format
  EXPECT_EQ(code(copy(262143, 2)), Status::lba_out_of_range);           // destination
  put_ranges(host, {{0, 1}, {1, 257}});
  EXPECT_EQ(code(copy(1000, 2)), Status::command_size_limit_exceeded);  // MSSRL
  EXPECT_EQ(code(copy(1000, 1)), Status::success);
  put_ranges(host, {{0, 1}, {262143, 2}});
  const Cqe outside = host.io(copy(1000, 2));
  EXPECT_EQ(outside.code(), Status::lba_out_of_range);
  EXPECT_EQ(outside.dw0, 1U);
  Sqe sqe = copy(1000, 1);
  sqe.prp1 = unmapped;
  EXPECT_EQ(code(sqe), Status::data_transfer_error);
  host.ftl_status = ftl::RequestStatus::uncorrectable;
  EXPECT_EQ(code(copy(1000, 1)), Status::unrecovered_read_error);
  EXPECT_EQ(host.controller.statistics().handed_on.value, 4U * 4096U + 4096U);
  host.expect_laws();
}

/// §3.4.2 fused: refused. §3.2: commands that the namespace does not know.
TEST(NvmeCommands, FusedAndUnknownOnesAreRefused) {
  Host host;
  host.bring_up();
  for (const unsigned fuse : {1U, 2U, 3U}) {
    Sqe sqe = Host::rw(IoOpcode::compare, 0, 1, data_at);
    sqe.flags = static_cast<std::uint8_t>(fuse);
    EXPECT_EQ(host.io(sqe).code(), Status::invalid_field) << fuse;
  }
  const std::set<unsigned> known{0, 1, 2, 4, 5, 8, 9, 0x0c, 0x19};
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    if (known.contains(opcode)) continue;
    EXPECT_EQ(host.io({.opcode = static_cast<std::uint8_t>(opcode), .nsid = 1}).code(), Status::invalid_opcode) << opcode;
  }
  for (const unsigned opcode : known) {
    if (opcode == 0) continue;  // Flush may be for all namespaces
    for (const std::uint32_t nsid : {0U, 0xffff'fffeU, 0xffff'ffffU}) {
      EXPECT_EQ(host.io({.opcode = static_cast<std::uint8_t>(opcode), .nsid = nsid}).code(), Status::invalid_namespace) << opcode;
    }
    // Base 2.0 §3.2.1.4: an identifier that could be a namespace's, but is inactive.
    EXPECT_EQ(host.io({.opcode = static_cast<std::uint8_t>(opcode), .nsid = 2}).code(), Status::invalid_field) << opcode;
  }
  host.expect_laws();
}

/// Whatever goes wrong with a read, nothing is sent: buffers of other commands stay inside.
TEST(NvmeCommands, AFailedReadSendsNothing) {
  Host host{Host::quick(), true};
  host.bring_up();
  fill(host.memory, data_at, 4096, 77);  // somebody else's data go through the controller's buffers
  EXPECT_EQ(host.io(Host::rw(IoOpcode::write, 0, 1, data_at)).code(), Status::success);
  EXPECT_EQ(host.io(Host::rw(IoOpcode::write_uncorrectable, 1, 1, 0)).code(), Status::success);
  const std::uint64_t crooked = data_at + 0x8008;
  host.memory.write(list_at, &crooked, 8);
  struct Case {
    const char* what;
    Sqe sqe;
    Status status;
  };
  const std::uint64_t to = data_at + 0x8000;
  Sqe keyed = Host::rw(IoOpcode::read, 0, 1, to);
  keyed.flags = 0x40;
  keyed.prp2 = 0x40ULL << 56U | 4096;
  Sqe other = Host::rw(IoOpcode::read, 0, 1, to);
  other.nsid = 2;
  const std::vector<Case> cases{
      {"Base 2.0 §4.1.1: PRP1 not on a dword", Host::rw(IoOpcode::read, 0, 1, to + 1), Status::prp_offset_invalid},
      {"Base 2.0 §4.1.1: PRP2 with an offset", Host::rw(IoOpcode::read, 0, 2, to, to + 8), Status::prp_offset_invalid},
      {"Base 2.0 §4.1.1: an entry with an offset", Host::rw(IoOpcode::read, 0, 3, to, list_at), Status::prp_offset_invalid},
      {"Base 2.0 §4.1.1: a list in no memory", Host::rw(IoOpcode::read, 0, 3, to, unmapped), Status::data_transfer_error},
      {"Base 2.0 §4.1.2: a keyed descriptor", keyed, Status::sgl_type_invalid},
      {"NVM 1.0 §3.2.4: beyond the end", Host::rw(IoOpcode::read, 262144, 1, to), Status::lba_out_of_range},
      {"NVM 1.0 §3.2.4: across the end", Host::rw(IoOpcode::read, 262143, 2, to, to + 4096), Status::lba_out_of_range},
      {"Base 2.0 §5.17.2.1: beyond MDTS", Host::rw(IoOpcode::read, 0, 257, to, list_at), Status::invalid_field},
      {"Base 2.0 §3.2.1.4: an inactive namespace", other, Status::invalid_field},
      {"NVM 1.0 §3.2.7: uncorrectable", Host::rw(IoOpcode::read, 1, 1, to), Status::unrecovered_read_error}};
  for (const Case& c : cases) {
    host.dmas.clear();
    EXPECT_EQ(host.io(c.sqe).code(), c.status) << c.what;
    for (const auto& d : host.data_dmas()) EXPECT_FALSE(d.write) << c.what;
  }
  EXPECT_EQ(bytes(host.memory, to, 3 * 4096), std::vector<unsigned char>(3 * 4096, 0));
  host.expect_laws();
}

}  // namespace
}  // namespace flashpath::nvme::test

// SPDX-License-Identifier: Apache-2.0
// Reads and writes: closed forms to the picosecond, data pointers of every shape, bytes that arrive.
#include "nvme_host.h"

namespace flashpath::nvme::test {
namespace {

constexpr std::uint64_t data_at = 0x4000'0000;
constexpr std::uint64_t list_at = 0x3000'0000;

/// From doorbell to CQE sent, as the driver would see it without the last link crossing.
Duration latency_of(Host& host, Sqe sqe) {
  const Time rung = host.agenda.now();
  const std::size_t before = host.sent.size();
  EXPECT_EQ(host.io(sqe).code(), Status::success);
  EXPECT_EQ(host.sent.size(), before + 1);
  const Duration total = host.sent.back().sent - rung;
  EXPECT_EQ(host.done.back().journey.total(), total);
  return total;
}

TEST(NvmeIo, AloneAReadTakesItsClosedForm) {
  Host host;
  host.bring_up();
  const Duration expected = 1us + 800ns + 3us + 50us + 1us + 300ns;  // fetch, front end, latency, flash, chunk, completion
  EXPECT_EQ(latency_of(host, Host::rw(IoOpcode::read, 0, 1, data_at)), expected);
  const Journey& j = host.done.back().journey;
  EXPECT_EQ(j[Stage::sq_wait], Duration{});
  EXPECT_EQ(j[Stage::fetch], 1us);
  EXPECT_EQ(j[Stage::control], 3800ns);
  EXPECT_EQ(j[Stage::sense], 50us);
  EXPECT_EQ(j[Stage::link], 1us);
  EXPECT_EQ(j[Stage::completion], 300ns);

  Sqe large = Host::rw(IoOpcode::read, 0, 256, 0);
  host.describe(large, data_at, (1_MiB).count, list_at);
  EXPECT_EQ(latency_of(host, large), expected);  // the list comes while flash works

  host.read_time = 400ns;  // now the list is the longer of the two
  EXPECT_EQ(latency_of(host, large), 1us + 800ns + 3us + 1us + 1us + 300ns);
  host.expect_laws();
}

TEST(NvmeIo, AReadIsSentFromItsFirstByteOnAndEndsWithItsLast) {
  Host host;
  host.stream_time = 20us;
  host.bring_up();
  EXPECT_EQ(latency_of(host, Host::rw(IoOpcode::read, 0, 1, data_at)), 1us + 800ns + 3us + 50us + 20us + 300ns);
  ASSERT_EQ(host.data_dmas().size(), 2U);  // identify and this one
  const auto seen = host.data_dmas().back();
  EXPECT_EQ(seen.stream.first, seen.at);
  EXPECT_EQ(seen.stream.last, seen.at + 20us);
  host.stream_time = 999'999_ps;  // shorter than the link: hidden, to the picosecond
  EXPECT_EQ(latency_of(host, Host::rw(IoOpcode::read, 0, 1, data_at)), 1us + 800ns + 3us + 50us + 1us + 300ns);
  host.stream_time = 1'000'001_ps;
  EXPECT_EQ(latency_of(host, Host::rw(IoOpcode::read, 0, 1, data_at)), 1us + 800ns + 3us + 50us + 1'000'001_ps + 300ns);
}

TEST(NvmeIo, AloneAWriteTakesItsClosedForm) {
  Host host;
  host.bring_up();
  const Duration small = 1us + 800ns + 3us + 1us + 5us + 300ns;  // fetch, front end, latency, data, FTL, completion
  EXPECT_EQ(latency_of(host, Host::rw(IoOpcode::write, 0, 1, data_at)), small);
  Sqe large = Host::rw(IoOpcode::write, 0, 256, 0);
  host.describe(large, data_at, (1_MiB).count, list_at);
  EXPECT_EQ(latency_of(host, large), small + 1us);  // nothing can be asked for before the list is here
  host.dma_tail = 7us;                              // the FTL gets a chunk with its last byte; SQE and list have tails too
  EXPECT_EQ(latency_of(host, large), small + 1us + 3 * 7us);
  host.expect_laws();
}

TEST(NvmeIo, EveryTimeInTheConfigurationShows) {
  const auto read_with = [](auto change) {
    Config config = Host::quick();
    change(config);
    Host host{config};
    host.bring_up();
    const Duration r = latency_of(host, Host::rw(IoOpcode::read, 0, 1, data_at));
    const Duration w = latency_of(host, Host::rw(IoOpcode::write, 0, 1, data_at));
    return std::pair{r, w};
  };
  const auto [r, w] = read_with([](Config&) {});
  const auto later = [base_read = r, base_write = w](Duration read, Duration write) {
    return std::pair{base_read + read, base_write + write};
  };
  EXPECT_EQ(read_with([](Config& c) { c.command_time += 7ns; }), later(7ns, 7ns));
  EXPECT_EQ(read_with([](Config& c) { c.read_latency += 7ns; }), later(7ns, 0ns));
  EXPECT_EQ(read_with([](Config& c) { c.write_latency += 7ns; }), later(0ns, 7ns));
  EXPECT_EQ(read_with([](Config& c) { c.completion_latency += 7ns; }), later(7ns, 7ns));
  EXPECT_EQ(read_with([](Config& c) { c.admin_latency += 7ns; }), later(0ns, 0ns));
}

TEST(NvmeIo, ChunksAreAlignedOnTheDriveAndJoinedInMemory) {
  Host host;
  host.bring_up();
  host.dmas.clear();
  Sqe sqe = Host::rw(IoOpcode::read, 15, 33, 0);  // 60 KiB into the first 64 KiB chunk, 132 KiB long
  host.describe(sqe, data_at + 512, 33 * 4096, list_at);
  EXPECT_EQ(host.io(sqe).code(), Status::success);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> chunks;
  for (const auto& r : host.requests) chunks.emplace_back(r.address.count, r.size.count);
  EXPECT_EQ(chunks, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{61440, 4096}, {65536, 65536}, {131072, 65536}}));
  std::vector<std::pair<std::uint64_t, std::uint64_t>> bursts;
  for (const auto& d : host.data_dmas()) bursts.emplace_back(d.address - data_at, d.size.count);
  EXPECT_EQ(bursts, (std::vector<std::pair<std::uint64_t, std::uint64_t>>{{512, 4096}, {4608, 65536}, {70144, 65536}}));
}

/// Writes `length` bytes by one data pointer, reads them back by another, and compares.
void round_trip(Host& host, Sqe write, Sqe read, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& from,
                const std::vector<std::pair<std::uint64_t, std::uint64_t>>& to) {
  std::vector<unsigned char> bytes;
  for (const auto& [address, length] : from) {
    std::vector<unsigned char> part(length);
    for (auto& b : part) b = static_cast<unsigned char>(host.random.next());
    host.memory.write(address, part.data(), length);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  ASSERT_EQ(host.io(write).code(), Status::success);
  ASSERT_EQ(host.io(read).code(), Status::success);
  std::vector<unsigned char> got;
  for (const auto& [address, length] : to) {
    std::vector<unsigned char> part(length);
    host.memory.read(address, part.data(), length);
    got.insert(got.end(), part.begin(), part.end());
  }
  EXPECT_EQ(got, bytes);
  host.expect_laws();
  EXPECT_EQ(host.controller.inside(), 0U);
}

TEST(NvmeIo, EveryShapeOfDataPointerCarriesItsBytes) {
  Host host{Host::quick(), true};
  host.bring_up();
  // one page → an offset into the first page, second page
  round_trip(host, Host::rw(IoOpcode::write, 3, 1, data_at), Host::rw(IoOpcode::read, 3, 1, data_at + 0x10100, data_at + 0x20000),
             {{data_at, 4096}}, {{data_at + 0x10100, 0xf00}, {data_at + 0x20000, 0x100}});
  // two pages apart → a list of three with an offset
  const std::array<std::uint64_t, 2> list{data_at + 0x50000, data_at + 0x42000};
  host.memory.write(list_at + 0x18, list.data(), 16);
  round_trip(host, Host::rw(IoOpcode::write, 100, 2, data_at + 0x3000, data_at + 0x1000),
             Host::rw(IoOpcode::read, 100, 2, data_at + 0x40004, list_at + 0x18), {{data_at + 0x3000, 4096}, {data_at + 0x1000, 4096}},
             {{data_at + 0x40004, 4092}, {data_at + 0x50000, 4096}, {data_at + 0x42000, 4}});
  // a chained list: two entries before the end of its page, then on; pages in descending order, so that nothing joins
  std::vector<std::pair<std::uint64_t, std::uint64_t>> pages;
  for (std::uint64_t i = 0; i < 256; ++i) pages.emplace_back(data_at + 0x90'0000 - i * 0x2000, 4096);
  const std::uint64_t first_list = list_at + 0x1000 - 3 * 8;
  const std::uint64_t next_list = list_at + 0x8000;
  std::vector<std::uint64_t> entries{pages[1].first, pages[2].first, next_list};
  host.memory.write(first_list, entries.data(), 24);
  entries.clear();
  for (std::size_t i = 3; i < pages.size(); ++i) entries.push_back(pages[i].first);
  host.memory.write(next_list, entries.data(), entries.size() * 8);
  Sqe flat = Host::rw(IoOpcode::read, 1000, 256, 0);
  host.describe(flat, data_at + 0x800'0000, (1_MiB).count, list_at + 0x10000);
  round_trip(host, Host::rw(IoOpcode::write, 1000, 256, pages[0].first, first_list), flat, pages, {{data_at + 0x800'0000, (1_MiB).count}});
  EXPECT_EQ(host.controller.statistics().prp_lists.value, 1U + 2U + 1U);
}

TEST(NvmeIo, AListThatBeginsInTheLastSlotOfItsPageIsOnlyAPointer) {
  Host host{Host::quick(), true};
  host.bring_up();
  const std::uint64_t next = list_at + 0x4000;
  host.memory.write(list_at + 0xff8, &next, 8);
  const std::array<std::uint64_t, 2> entries{data_at + 0x1000, data_at + 0x2000};
  host.memory.write(next, entries.data(), 16);
  Sqe flat = Host::rw(IoOpcode::read, 0, 3, 0);
  host.describe(flat, data_at + 0x8000, 3 * 4096, list_at);
  round_trip(host, Host::rw(IoOpcode::write, 0, 3, data_at, list_at + 0xff8), flat, {{data_at, 3 * 4096}}, {{data_at + 0x8000, 3 * 4096}});
}

TEST(NvmeIo, LargePagesTakeFewerEntries) {
  Host host{Host::quick(), true};
  host.enable(32, 4);  // 64 KiB pages
  host.create(1, 64, 64);
  const std::array<std::uint64_t, 2> entries{data_at + 0x10'0000, data_at + 0x30'0000};
  host.memory.write(list_at, entries.data(), 16);
  round_trip(host, Host::rw(IoOpcode::write, 0, 48, data_at, list_at), Host::rw(IoOpcode::read, 0, 16, data_at + 0x100'0000),
             {{data_at, 65536}}, {{data_at + 0x100'0000, 65536}});
  EXPECT_EQ(host.controller.statistics().bytes_written.value, 48U * 4096U);
}

TEST(NvmeIo, WriteZeroesAndDeallocate) {
  Host host{Host::quick(), true};
  host.bring_up();
  const std::vector<unsigned char> ones(8192, 1);
  host.flash.write(40960, ones.data(), ones.size());
  EXPECT_EQ(host.io(Host::rw(IoOpcode::write_zeroes, 10, 1, 0)).code(), Status::success);
  EXPECT_EQ(host.flash.at<std::uint64_t>(40960), 0U);
  EXPECT_EQ(host.flash.at<std::uint64_t>(45056), 0x0101010101010101U);
  host.requests.clear();
  const std::array<DsmRange, 2> ranges{DsmRange{.context = 0, .length = 5, .slba = 7}, DsmRange{.context = 0, .length = 1, .slba = 262143}};
  host.memory.write(data_at + 4096 - 16, ranges.data(), 32);
  Sqe trim{.opcode = 0x09, .nsid = 1, .prp1 = data_at + 4096 - 16, .prp2 = data_at + 4096, .cdw10 = 1, .cdw11 = dsm_deallocate};
  EXPECT_EQ(host.io(trim).code(), Status::success);
  ASSERT_EQ(host.requests.size(), 2U);
  EXPECT_EQ(host.requests[0].kind, ftl::RequestKind::trim);
  EXPECT_EQ(host.requests[0].address, Bytes{7 * 4096});
  EXPECT_EQ(host.requests[0].size, Bytes{5 * 4096});
  EXPECT_EQ(host.requests[1].address, Bytes{262143ULL * 4096});
  trim.cdw11 = 0;  // a hint
  EXPECT_EQ(host.io(trim).code(), Status::success);
  EXPECT_EQ(host.requests.size(), 2U);
  EXPECT_EQ(host.io({.opcode = 0x00, .nsid = 0xffff'ffff}).code(), Status::success);
  EXPECT_EQ(host.requests.back().kind, ftl::RequestKind::flush);
}

TEST(NvmeIo, EveryMistakeHasItsStatus) {
  Host host;
  host.bring_up();
  const auto code = [&](Sqe sqe) { return host.io(sqe).code(); };
  Sqe good = Host::rw(IoOpcode::read, 0, 1, data_at);
  EXPECT_EQ(code(good), Status::success);
  const auto with = [&](auto change) {
    Sqe sqe = good;
    change(sqe);
    return host.io(sqe);
  };
  EXPECT_EQ(with([](Sqe& s) { s.opcode = 0x7f; }).code(), Status::invalid_opcode);
  EXPECT_TRUE(with([](Sqe& s) { s.opcode = 0x7f; }).dnr());
  EXPECT_EQ(with([](Sqe& s) { s.nsid = 0; }).code(), Status::invalid_namespace);
  EXPECT_EQ(with([](Sqe& s) { s.nsid = 33; }).code(), Status::invalid_namespace);
  EXPECT_EQ(with([](Sqe& s) { s.nsid = 2; }).code(), Status::invalid_field);  // inactive
  EXPECT_EQ(with([](Sqe& s) { s.nsid = 0xffff'ffff; }).code(), Status::invalid_namespace);
  EXPECT_EQ(with([](Sqe& s) { s.flags = 0xc0; }).code(), Status::invalid_field);  // PSDT 11b
  EXPECT_EQ(with([](Sqe& s) { s.flags = 0x01; }).code(), Status::invalid_field);  // fused
  EXPECT_EQ(with([](Sqe& s) { s.cdw12 = 256; }).code(), Status::invalid_field);   // 257 blocks: beyond MDTS
  EXPECT_EQ(with([](Sqe& s) { s.cdw10 = 262144; }).code(), Status::lba_out_of_range);
  EXPECT_EQ(with([](Sqe& s) { s.cdw10 = 262143; }).code(), Status::success);  // the last block
  EXPECT_EQ(with([](Sqe& s) { s.cdw10 = 262143, s.cdw12 = 1, s.prp2 = 0x1000; }).code(), Status::lba_out_of_range);
  EXPECT_EQ(with([](Sqe& s) { s.cdw10 = s.cdw11 = 0xffff'ffff; }).code(), Status::lba_out_of_range);
  EXPECT_EQ(with([](Sqe& s) { s.prp1 += 2; }).code(), Status::prp_offset_invalid);
  EXPECT_EQ(with([](Sqe& s) { s.prp1 += 4, s.prp2 = 0x5004; }).code(), Status::prp_offset_invalid);
  EXPECT_EQ(with([](Sqe& s) { s.cdw12 = 7, s.prp2 = 0x5004; }).code(), Status::prp_offset_invalid);  // a list, not qword-aligned
  const std::uint64_t crooked = data_at + 8;
  host.memory.write(list_at + 8, &crooked, 8);
  EXPECT_EQ(with([](Sqe& s) { s.cdw12 = 2, s.prp2 = list_at; }).code(), Status::prp_offset_invalid);  // in the list
  EXPECT_EQ(with([](Sqe& s) { s.cdw12 = 2, s.prp2 = unmapped; }).code(), Status::data_transfer_error);
  EXPECT_EQ(with([](Sqe& s) { s.prp1 = unmapped; }).code(), Status::data_transfer_error);
  EXPECT_EQ(with([](Sqe& s) { s.opcode = 1, s.prp1 = unmapped; }).code(), Status::data_transfer_error);
  EXPECT_EQ(with([](Sqe& s) { s.opcode = 9, s.prp1 = unmapped; }).code(), Status::data_transfer_error);
  host.ftl_status = ftl::RequestStatus::uncorrectable;
  EXPECT_EQ(code(good), Status::unrecovered_read_error);
  host.ftl_status = ftl::RequestStatus::write_fault;
  EXPECT_EQ(with([](Sqe& s) { s.opcode = 1; }).code(), Status::write_fault);
  EXPECT_EQ(host.io({.opcode = 0, .nsid = 1}).code(), Status::write_fault);
  host.ftl_status = ftl::RequestStatus::ok;
  EXPECT_EQ(code(good), Status::success);
  EXPECT_EQ(host.controller.statistics().media_errors.value, 3U);
  host.expect_laws();
}

TEST(NvmeIo, OneBadPieceEndsTheCommandOnceAndReturnsEverything) {
  for (const IoOpcode opcode : {IoOpcode::read, IoOpcode::write}) {
    Config config = Host::quick();
    config.staging = 256_KiB;
    Host host{config, true};
    host.bring_up();
    Sqe sqe = Host::rw(opcode, 0, 256, 0);
    host.describe(sqe, data_at, (1_MiB).count, list_at);
    host.bad_address = data_at + (opcode == IoOpcode::read ? 0x30000 : 0x40000);
    EXPECT_EQ(host.io(sqe).code(), Status::data_transfer_error);
    EXPECT_EQ(host.io(Host::rw(IoOpcode::read, 0, 1, data_at)).code(), Status::success);
    host.expect_laws();
  }
}

TEST(NvmeIo, AFullWriteBufferStopsWritesAtTheStagingWindowAndNeverReads) {
  Config config = Host::quick();
  config.staging = 512_KiB;
  Host host{config};
  host.bring_up();
  host.write_accept = 10ms;
  for (int i = 0; i < 4; ++i) {
    Sqe sqe = Host::rw(IoOpcode::write, static_cast<std::uint64_t>(i) * 256, 256, 0);
    host.describe(sqe, data_at, (1_MiB).count, list_at);
    host.put(host.queues[1], sqe);
  }
  host.put(host.queues[1], Host::rw(IoOpcode::read, 0, 1, data_at));
  host.ring(host.queues[1]);
  const Time begin = host.agenda.now();
  host.agenda.run_until(begin + 9ms);
  EXPECT_EQ(host.controller.statistics().asked.value, (512_KiB).count);
  EXPECT_EQ(host.poll(host.queues[1]).size(), 1U);  // the read
  Stall stall;
  host.controller.explain(stall);
  EXPECT_FALSE(stall.lines().empty());
  host.agenda.run();
  EXPECT_EQ(host.poll(host.queues[1]).size(), 4U);
  EXPECT_GE(host.agenda.now() - begin, 8 * 10ms);  // sixteen chunks, two at a time
  EXPECT_LT(host.agenda.now() - begin, 8 * 10ms + 100us);
  host.expect_laws();
}

TEST(NvmeIo, DataDmaIsLimitedPerDirection) {
  Config config = Host::quick();
  config.dma_outstanding = 2;
  Host host{config};
  host.bring_up();
  Sqe sqe = Host::rw(IoOpcode::read, 0, 256, 0);
  host.describe(sqe, data_at, (1_MiB).count, list_at);
  EXPECT_EQ(latency_of(host, sqe), 1us + 800ns + 3us + 50us + 8 * 1us + 300ns);  // sixteen chunks, two at a time
  EXPECT_EQ(host.done.back().journey[Stage::link_wait], 7us);
}

TEST(NvmeIo, ScatteredPagesShareTheirChunksStream) {
  Host host;
  host.stream_time = 10us;
  host.bring_up();
  host.dmas.clear();
  const std::array<std::uint64_t, 3> pages{data_at + 0x20000, data_at + 0x10000, data_at + 0x30000};
  host.memory.write(list_at, pages.data(), 24);
  EXPECT_EQ(host.io(Host::rw(IoOpcode::read, 0, 4, data_at, list_at)).code(), Status::success);
  const auto seen = host.data_dmas();
  ASSERT_EQ(seen.size(), 4U);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)].stream.last, seen[0].at + (i + 1) * 2500ns);
}

TEST(NvmeIo, TheLastByteEndsACommandEvenIfItsChunkWasAnsweredFirst) {
  Host host;
  host.first_stream = 30us;
  host.bring_up();
  EXPECT_EQ(latency_of(host, Host::rw(IoOpcode::read, 15, 2, data_at, data_at + 4096)), 1us + 800ns + 3us + 50us + 1us + 300ns);
  Sqe sqe = Host::rw(IoOpcode::read, 0, 17, 0);
  host.describe(sqe, data_at, 17 * 4096, list_at);
  EXPECT_EQ(latency_of(host, sqe), 1us + 800ns + 3us + 50us + 30us + 300ns);
  EXPECT_EQ(host.done.back().journey[Stage::link], 30us);
}

TEST(NvmeIo, PlacementTravelsToTheFtl) {
  Host host;
  host.bring_up();
  Sqe sqe = Host::rw(IoOpcode::write, 0, 1, data_at);
  host.io(sqe);
  EXPECT_EQ(host.requests.back().stream_id, 0);
  sqe.cdw12 |= 1U << 20U;
  sqe.cdw13 = 5U << 16U;
  host.io(sqe);
  EXPECT_EQ(host.requests.back().stream_id, 5);
  host.controller.media({.handles = 6});
  sqe.cdw12 += 1U << 20U;  // data placement: the handle must be there
  host.io(sqe);
  EXPECT_EQ(host.requests.back().stream_id, 5);
  sqe.cdw13 = 6U << 16U;
  EXPECT_EQ(host.io(sqe).code(), Status::success);
  EXPECT_EQ(host.requests.back().stream_id, 0);
  EXPECT_EQ(host.controller.statistics().invalid_placements.value, 1U);
  sqe.cdw12 += 1U << 20U;
  EXPECT_EQ(host.io(sqe).code(), Status::invalid_field);
}

}  // namespace
}  // namespace flashpath::nvme::test

// SPDX-License-Identifier: Apache-2.0
// A drive stepped from outside, and the smallest host in front of it.
#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"
#include "client/polled_host.h"
#include "client/server.h"

using namespace flashpath;
using namespace flashpath::client;

namespace {

DriveConfig small() {
  DriveConfig c;
  c.nand.channels = 2;
  c.nand.dies_per_channel = 2;
  c.nand.blocks_per_plane = 24;
  c.nand.wordlines_per_block = 64;
  c.geometry = {.channels = 2,
                .dies = 4,
                .planes = c.nand.planes,
                .blocks_per_plane = 24,
                .wordlines_per_block = 64,
                .bits_per_cell = 3,
                .page = c.nand.page};
  c.ftl.capacity = 256_MiB;
  c.ftl.mapping_unit = 16_KiB;
  return c;
}

nvme::Sqe rw(bool write, std::uint64_t slba, std::uint32_t blocks) {
  return {.opcode = static_cast<std::uint8_t>(write ? 1 : 2), .nsid = 1, .cdw10 = static_cast<std::uint32_t>(slba), .cdw12 = blocks - 1};
}

std::vector<unsigned char> noise(std::size_t size, std::uint64_t seed) {
  Random random{seed, "noise"};
  std::vector<unsigned char> out(size);
  for (auto& b : out) b = static_cast<unsigned char>(random.below(256));
  return out;
}

void expect_laws(PolledHost& host) {
  Laws laws;
  host.drive().check(laws);
  for (const auto& broken : laws.broken()) ADD_FAILURE() << broken;
  EXPECT_GT(laws.checked(), 10U);
}

}  // namespace

TEST(BareDrive, WhatIsWrittenIsReadThroughListsOfAnyLength) {
  DriveConfig c = small();
  c.nvme.mdts = 4_MiB;  // a chain of lists: 1,023 entries behind the first page
  PolledHost host{c};
  ASSERT_TRUE(host.bring_up());
  const std::uint64_t lba = c.nvme.lba.count;
  std::uint64_t at = 0;
  for (const std::uint64_t size :
       {std::uint64_t{4096}, std::uint64_t{8192}, std::uint64_t{12288}, 513 * std::uint64_t{4096}, std::uint64_t{4} << 20U}) {
    auto data = noise(size, size);
    const auto blocks = static_cast<std::uint32_t>(size / lba);
    EXPECT_EQ(host.run(rw(true, at, blocks), false, data).cqe.code(), nvme::Status::success) << size;
    std::vector<unsigned char> back(size);
    EXPECT_EQ(host.run(rw(false, at, blocks), false, back).cqe.code(), nvme::Status::success) << size;
    EXPECT_TRUE(back == data) << size;
    at += blocks;
  }
  expect_laws(host);
}

TEST(BareDrive, InHowManyStepsTimePassesDoesNotMatter) {
  // The same four commands, driven event by event and in steps of a fixed length; each ends at the same moment.
  const auto ends = [](Duration step) {
    std::vector<unsigned char> memory(1U << 20U);
    struct Client {
      std::vector<unsigned char>& memory;
      std::vector<Time> completions{};
      BareDrive* drive = nullptr;
      bool dma(std::uint64_t address, unsigned char* bytes, std::size_t size, bool write) {
        if (address + size > memory.size()) return false;
        if (write) std::memcpy(memory.data() + address, bytes, size);
        else std::memcpy(bytes, memory.data() + address, size);
        return true;
      }
      void message(std::uint64_t address, std::uint32_t data, Time now) {
        EXPECT_EQ(address, 0xfee0'0000U);
        EXPECT_EQ(data, 33U);
        completions.push_back(now);
      }
    } client{memory};
    BareDrive drive{small(), BareDrive::Dma::to<&Client::dma>(&client)};
    drive.on_message(pcie::Msix::Message::to<&Client::message>(&client));
    drive.write_register(nvme::NvmeFunction::table_offset, 8, 0xfee0'0000);
    drive.write_register(nvme::NvmeFunction::table_offset + 8, 8, 33);
    drive.write_config(pcie::ConfigSpace::msix + 2, 2, 0x8000);
    const auto run_to = [&](Time end) {
      if (step == Duration{}) {
        while (drive.next_event() <= end) drive.run_until(drive.next_event());
      } else {
        while (drive.now() + step < end) drive.run_until(drive.now() + step);
      }
      drive.run_until(end);
    };
    drive.write_register(0x24, 4, 0x001f001f);
    drive.write_register(0x28, 8, 0x1000);
    drive.write_register(0x30, 8, 0x2000);
    drive.write_register(0x14, 4, nvme::Cc::make(true).raw);
    run_to(Time{std::chrono::seconds{1}});
    EXPECT_EQ(drive.read_register(0x1c, 4) & 1U, 1U);
    for (std::uint16_t i = 0; i < 4; ++i) {
      const nvme::Sqe identify{.opcode = 6, .cid = i, .prp1 = 0x10000, .cdw10 = 1};
      std::memcpy(memory.data() + 0x1000 + i * sizeof identify, &identify, sizeof identify);
      drive.write_register(nvme::sq_tail_doorbell(0), 4, i + 1U);
      run_to(Time{std::chrono::seconds{1} + (i + 1) * std::chrono::microseconds{7}});
    }
    run_to(Time{std::chrono::seconds{2}});
    return client.completions;
  };
  const std::vector<Time> by_event = ends(Duration{});
  ASSERT_EQ(by_event.size(), 4U);
  EXPECT_EQ(by_event, ends(std::chrono::nanoseconds{333'333}));
  EXPECT_EQ(by_event, ends(std::chrono::milliseconds{50}));
}

TEST(PolledHost, ACommandThatNeverEndsIsGivenUpAndTheDriveWorksAgain) {
  PolledHost host{small()};
  ASSERT_TRUE(host.bring_up());
  const auto event_request = host.run({.opcode = 0x0c}, true, {}, {}, std::chrono::milliseconds{5});
  EXPECT_FALSE(event_request.answered);
  std::vector<unsigned char> identify(4096);
  EXPECT_EQ(host.run({.opcode = 6, .cdw10 = 1}, true, identify).cqe.code(), nvme::Status::success);
  EXPECT_EQ(identify[514 - 2], 0x66);  // SQES of 64 bytes
  expect_laws(host);
}

TEST(ShellServer, AnswersAsTheKernelWould) {
  PolledHost host{small()};
  ASSERT_TRUE(host.bring_up());
  client::Server server{host, "", nullptr};
  std::vector<unsigned char> data, metadata;
  const Answer shape = server.answer({.ask = Ask::shape, .nsid = 1}, data, metadata);
  EXPECT_EQ(shape.result & 0xffffffffU, small().nvme.lba.count);
  EXPECT_EQ(shape.result2 * (shape.result & 0xffffffffU), small().ftl.capacity.count);
  EXPECT_EQ(server.answer({.ask = Ask::shape, .nsid = 31}, data, metadata).error, ENXIO);
  const Answer unknown = server.answer({.ask = Ask::io, .opcode = 0x7e, .nsid = 1}, data, metadata);
  EXPECT_EQ(unknown.error, 0);
  EXPECT_EQ(unknown.status & 0x7ffU, 0x001U);  // Invalid Command Opcode
  EXPECT_EQ(server.answer({.ask = Ask::reset}, data, metadata).error, 0);
  EXPECT_EQ(server.answer({.ask = static_cast<Ask>(77)}, data, metadata).error, EINVAL);
  data.assign(4096, 0);
  const Answer identify = server.answer({.ask = Ask::admin, .opcode = 6, .cdw10 = 1, .data_size = 4096}, data, metadata);
  EXPECT_EQ(identify.status, 0U);
  EXPECT_EQ(identify.data_size, 4096U);
  EXPECT_NE(std::string(reinterpret_cast<const char*>(data.data()) + 24, 9), std::string(9, '\0'));
}

// SPDX-License-Identifier: Apache-2.0
// What fuzzing has found worth keeping, and inputs of fixed seeds, in the fuzzer's world: nothing may go wrong (fuzz/world.h).
// And that the world's judges do speak up when something does.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/world.h"

namespace flashpath::fuzz {
namespace {

/// Reads and writes that the input completed.
std::uint64_t expect_sound(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  Input input{bytes};
  World world{input};
  for (const std::string& line : world.run()) ADD_FAILURE() << name << ": " << line;
  return world.seen();
}

TEST(NvmeCorpus, NothingGoesWrong) {
  std::size_t found = 0;
  std::uint64_t seen = 0;
  for (const auto& file : std::filesystem::directory_iterator(FLASHPATH_SOURCE "/testbench/fuzz/corpus")) {
    std::ifstream in(file.path(), std::ios::binary);
    seen += expect_sound({std::istreambuf_iterator<char>(in), {}}, file.path().filename().string());
    ++found;
  }
  EXPECT_GE(found, 20U);
  EXPECT_GE(seen, 1000U);  // the fuzzer gets as far as data
}

TEST(NvmeCorpus, NorWithInputsOfFixedSeeds) {
  std::uint64_t seen = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    Random random{seed, "corpus"};
    std::vector<std::uint8_t> bytes(64 + random.below(2000));
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random.below(256));
    bytes[0] &= 0xdfU;  // begins with a drive that is up
    seen += expect_sound(bytes, "seed " + std::to_string(seed));
    ASSERT_FALSE(HasFailure()) << seed;
  }
  EXPECT_GE(seen, 2000U);
}

// ---- the witness ----

struct Observed {
  Witness witness;
  nvme::DmaRequest dma;
  void access(nvme::DmaRequest::Purpose purpose, bool write, std::uint64_t address, std::uint64_t size, void* bytes = nullptr) {
    dma.purpose = purpose;
    dma.write = write;
    dma.address = address;
    dma.size = {size};
    dma.bytes = static_cast<unsigned char*>(bytes);
    witness.begins(dma);
    if (!write) witness.read(dma, 1);
  }
  void fetch(nvme::Sqe sqe) { access(nvme::DmaRequest::Purpose::sqe_fetch, false, 0x10000, sizeof sqe, &sqe); }
  void complete(std::uint16_t cid) {
    nvme::Cqe cqe;
    cqe.sqid = 1;
    cqe.cid = cid;
    cqe.status = nvme::status_phase;
    access(nvme::DmaRequest::Purpose::cqe, true, 0x20000 + slot++ * sizeof cqe, sizeof cqe, &cqe);
  }
  std::uint64_t slot = 0;
  Observed() { witness.enabled(0x003f003f, 0x10000, 0x20000, 4096); }
};

TEST(NvmeWitness, KnowsWhatACommandNamed) {
  using Purpose = nvme::DmaRequest::Purpose;
  Observed o;
  o.fetch({.opcode = 0x02, .cid = 7, .prp1 = 0x40800, .prp2 = 0x50000});
  o.access(Purpose::data, true, 0x40800, 2048);
  o.access(Purpose::data, true, 0x50000, 4096);
  EXPECT_TRUE(o.witness.wrong.empty());
  o.access(Purpose::data, true, 0x407ff, 1);  // before it
  EXPECT_EQ(o.witness.wrong.size(), 1U);
  o.access(Purpose::data, true, 0x40800, 2049);  // beyond the page
  EXPECT_EQ(o.witness.wrong.size(), 2U);
  o.access(Purpose::data, false, 0x50000, 4);  // a read command takes nothing from the host
  EXPECT_EQ(o.witness.wrong.size(), 3U);
  std::uint64_t list[2] = {0x60000, 0x70000};
  o.access(Purpose::prp_list, false, 0x50000, sizeof list, list);
  o.access(Purpose::data, true, 0x70000, 4096);
  EXPECT_EQ(o.witness.wrong.size(), 3U);
  o.complete(7);
  EXPECT_EQ(o.witness.open(), 0U);
  o.access(Purpose::data, true, 0x70000, 4);  // it is the host's again
  EXPECT_EQ(o.witness.wrong.size(), 4U);
}

TEST(NvmeWitness, KnowsQueuesAndCompletions) {
  using Purpose = nvme::DmaRequest::Purpose;
  Observed o;
  nvme::Sqe sqe[2] = {{.opcode = 0x00, .cid = 1}, {.opcode = 0x00, .cid = 9}};
  o.access(Purpose::sqe_fetch, false, 0x10000 + 63 * 64, 64, sqe);
  EXPECT_TRUE(o.witness.wrong.empty());
  o.access(Purpose::sqe_fetch, false, 0x10000 + 63 * 64, 128, sqe);
  EXPECT_EQ(o.witness.wrong.size(), 1U);
  o.complete(2);  // never fetched
  EXPECT_EQ(o.witness.wrong.size(), 2U);
  o.complete(1);
  o.complete(1);  // fetched twice, above
  EXPECT_EQ(o.witness.wrong.size(), 2U);
  o.complete(1);  // once too often
  EXPECT_EQ(o.witness.wrong.size(), 3U);
  o.fetch({.opcode = 0x00, .cid = 5});
  o.slot += 1;  // leaves one out
  o.complete(5);
  EXPECT_EQ(o.witness.wrong.size(), 4U);
}

}  // namespace
}  // namespace flashpath::fuzz

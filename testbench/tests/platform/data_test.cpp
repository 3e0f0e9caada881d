// SPDX-License-Identifier: Apache-2.0
// Data mode: real bytes from the host to the cells and back. At rest they are ciphertext; what is damaged is found.
#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <set>

#include "base/random.h"
#include "firmware/io_spec.h"
#include "platform/bench.h"

namespace flashpath::test {
namespace {

using firmware::JobSpec;
using firmware::Rw;
using Unit = std::array<unsigned char, 4096>;

Settings data_mode(bool encrypt) {
  return {"data=true",
          encrypt ? "firmware.encrypt=true" : "firmware.encrypt=false",
          "nand.channels=4",
          "nand.dies_per_channel=2",
          "nand.blocks_per_plane=64",
          "ftl.capacity=32GiB",
          "ftl.write_buffer=8MiB"};
}

JobSpec verified(Rw rw, Bytes size, std::uint64_t ios) {
  JobSpec s;
  s.rw = rw;
  s.bs = 16_KiB;
  s.iodepth = 16;
  s.size = size;
  s.number_ios = ios;
  s.verify = true;
  return s;
}

/// Every 4 KiB that the flash holds, page by page.
template <class Visit>
void for_each_unit(Rig& rig, Visit visit) {
  const nand::Geometry g{rig.platform.config().nand};
  std::vector<unsigned char> page(g.page().count);
  for (std::uint16_t die = 0; die < g.dies(); ++die) {
    for (std::uint32_t block = 0; block < g.blocks(); ++block) {
      for (std::uint8_t plane = 0; plane < g.planes(); ++plane) {
        const std::uint32_t written = rig.cells(0).next_wordline({die}, {block}, plane);
        for (std::uint32_t p = 0; p < written * g.bits(); ++p) {
          nand::Op op;
          op.die = {die};
          op.block = {block};
          op.page = {p};
          op.plane = plane;
          op.size = g.page();
          op.data = page.data();
          rig.cells(0).read(op);
          for (std::size_t at = 0; at < page.size(); at += sizeof(Unit)) {
            Unit unit;
            std::memcpy(unit.data(), page.data() + at, sizeof unit);
            visit(unit);
          }
        }
      }
    }
  }
}

/// Rewrites every block that holds data, with `damage` done to each of its pages: cells can only be programmed after an erase.
template <class Damage>
std::uint64_t damage_cells(Rig& rig, Damage damage) {
  const nand::Geometry g{rig.platform.config().nand};
  std::uint64_t pages = 0;
  const auto planes = static_cast<std::uint8_t>(g.planes());
  for (std::uint16_t die = 0; die < g.dies(); ++die) {
    for (std::uint32_t block = 0; block < g.blocks(); ++block) {
      const std::uint32_t written = rig.cells(0).next_wordline({die}, {block}, 0);
      if (written == 0) continue;
      std::vector<std::vector<unsigned char>> wordlines;
      nand::Op op;
      op.die = {die};
      op.block = {block};
      op.planes = planes;
      for (std::uint32_t w = 0; w < written; ++w) {
        auto& bytes = wordlines.emplace_back(g.wordline_bytes(planes).count);
        for (std::uint32_t type = 0; type < g.bits(); ++type) {
          op.kind = nand::OpKind::read;
          op.page = g.page_of({w}, type);
          op.size = g.page() * planes;
          op.data = bytes.data() + type * op.size.count;
          rig.cells(0).read(op);
        }
        for (std::size_t at = 0; at < bytes.size(); at += g.page().count) {
          damage(bytes.data() + at);
          ++pages;
        }
      }
      op.kind = nand::OpKind::erase;
      EXPECT_EQ(rig.cells(0).erase(op), nand::OpStatus::ok);
      for (std::uint32_t w = 0; w < written; ++w) {
        op.kind = nand::OpKind::program;
        op.page = g.page_of({w}, 0);
        op.size = g.wordline_bytes(planes);
        op.data = wordlines[w].data();
        EXPECT_EQ(rig.cells(0).program(op), nand::OpStatus::ok);
      }
    }
  }
  return pages;
}

/// AES-256-XTS of one data unit by OpenSSL; tweak = LBA, little-endian (IEEE 1619-2018 §5.1).
Unit openssl_xts(const std::array<unsigned char, 64>& key, std::uint64_t lba, const Unit& plain) {
  std::array<unsigned char, 16> tweak{};
  for (unsigned i = 0; i < 8; ++i) tweak[i] = static_cast<unsigned char>(lba >> (8 * i));
  Unit out{};
  int n = 0;
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  EXPECT_EQ(EVP_EncryptInit_ex(context, EVP_aes_256_xts(), nullptr, key.data(), tweak.data()), 1);
  EXPECT_EQ(EVP_EncryptUpdate(context, out.data(), &n, plain.data(), static_cast<int>(plain.size())), 1);
  EXPECT_EQ(n, static_cast<int>(plain.size()));
  EVP_CIPHER_CTX_free(context);
  return out;
}

Unit pattern(std::uint64_t lba, std::uint64_t generation) {
  Unit unit;
  for (std::uint64_t at = 0; at < unit.size(); at += 8) {
    const std::uint64_t word = firmware::pattern_word(lba * unit.size() + at, 0, generation);
    std::memcpy(unit.data() + at, &word, 8);
  }
  return unit;
}

TEST(PlatformData, EveryByteOfAMixedEncryptedJobComesBack) {
  Rig rig{"single-drive", data_mode(true)};
  JobSpec spec = verified(Rw::randrw, 24_MiB, 6000);
  auto& r = rig.job(spec);
  EXPECT_EQ(r.verify_errors, 0U);
  EXPECT_EQ(r.errors, 0U);
  EXPECT_EQ(r.read().ios + r.write().ios, 6000U);
  // Blocks never written are not checked: less than the reads, but most of them.
  EXPECT_GT(r.verified, r.read().ios / 2);
  EXPECT_LE(r.verified, r.read().ios);
  EXPECT_GE(rig.count("crypto", "decrypted"), r.read().bytes.count);
  EXPECT_GE(rig.count("crypto", "encrypted"), r.write().bytes.count);
  rig.expect_sound({"client", "fabric_mem"});
}

TEST(PlatformData, AtRestThereIsCiphertextOnly) {
  Rig rig{"single-drive", data_mode(true)};
  const Bytes size = 6_MiB;  // 32 whole program units of 192 KiB
  auto& r = rig.job(verified(Rw::write, size, size / 16_KiB));
  EXPECT_EQ(r.write().bytes, size);
  Random random{rig.platform.config().general.seed, "firmware.key"};
  std::array<unsigned char, 64> key{};
  for (auto& byte : key) byte = static_cast<unsigned char>(random.next());
  std::set<Unit> at_rest;
  for_each_unit(rig, [&](const Unit& u) { at_rest.insert(u); });
  EXPECT_EQ(at_rest.size(), size / 4_KiB);
  for (std::uint64_t lba = 0; lba < size / 4_KiB; ++lba) {
    const Unit plain = pattern(lba, 1);
    ASSERT_TRUE(at_rest.contains(openssl_xts(key, lba, plain))) << "LBA " << lba;
    ASSERT_FALSE(at_rest.contains(plain)) << "LBA " << lba;
    ASSERT_FALSE(at_rest.contains(openssl_xts(key, lba + 1, plain))) << "LBA " << lba << " under its neighbour's tweak";
  }
}

TEST(PlatformData, WithoutEncryptionAtRestThereIsWhatWasWritten) {
  Rig rig{"single-drive", data_mode(false)};
  const Bytes size = 6_MiB;
  rig.job(verified(Rw::write, size, size / 16_KiB));
  std::set<Unit> at_rest;
  for_each_unit(rig, [&](const Unit& u) { at_rest.insert(u); });
  EXPECT_EQ(at_rest.size(), size / 4_KiB);
  for (std::uint64_t lba = 0; lba < size / 4_KiB; ++lba) ASSERT_TRUE(at_rest.contains(pattern(lba, 1))) << "LBA " << lba;
}

TEST(PlatformData, VerifyFindsDamage) {
  Rig rig{"single-drive", data_mode(true)};
  JobSpec spec = verified(Rw::randrw, 24_MiB, 6000);
  rig.add(spec);
  rig.jobs().start(rig.platform.now());
  auto& r = rig.jobs().result(0);
  while (r.read().ios + r.write().ios < 3000) rig.platform.run_until(rig.platform.now() + 10us);
  EXPECT_EQ(r.verify_errors, 0U);
  const std::uint64_t verified_before = r.verified;
  // One bit of every 4 KiB in the cells.
  const std::uint64_t pages = damage_cells(rig, [](unsigned char* page) {
    for (std::size_t at = 0; at < 16'384; at += 4096) page[at + 1234] ^= 0x10U;
  });
  EXPECT_GE(pages, 1000U);
  rig.platform.run_until(never);
  EXPECT_GE(r.verify_errors, 200U);
  EXPECT_LE(r.verify_errors, r.verified - verified_before);
}

TEST(PlatformData, ObjectsComeBackByteByByte) {
  Rig rig{"bf4-icms", {"data=true", "drives=3", "firmware.frame=64KiB", "crypto.frame_size=64KiB"}};
  const Bytes size{250'000};  // not a multiple of anything
  rig.move(true, 0, 200, size, 32);
  EXPECT_EQ(rig.objects.good(), 200U);
  rig.move(false, 0, 200, size, 32);
  EXPECT_EQ(rig.objects.good(), 200U);
  EXPECT_EQ(rig.client.wrong_bytes(), 0U);
  EXPECT_EQ(rig.client.verified_bytes(), 200 * size.count);
  EXPECT_EQ(counter({&rig.client}, "client", "bytes_out"), 200 * size.count);
  rig.expect_sound();
}

TEST(PlatformData, OneDamagedByteOfAnObjectIsOneWrongByte) {
  Settings settings = data_mode(false);
  settings.emplace_back("ftl.flush_programs=true");
  Rig rig{"single-drive", settings};
  const Bytes size = 3_MiB;  // 16 whole program units
  rig.move(true, 0, 1, size, 1);
  bool once = true;
  damage_cells(rig, [&](unsigned char* page) {
    if (once) page[77] ^= 0x01U;
    once = false;
  });
  rig.move(false, 0, 1, size, 1);
  EXPECT_EQ(rig.client.wrong_bytes(), 1U);
  EXPECT_EQ(rig.client.verified_bytes(), size.count);
  Laws laws;
  rig.client.check(laws, rig.platform.now());
  EXPECT_EQ(laws.broken().size(), 1U);
}

TEST(PlatformData, OneDamagedByteOfCiphertextIsOneWrongBlock) {
  Rig rig{"single-drive", data_mode(true)};
  const Bytes size = 3_MiB;
  rig.move(true, 0, 1, size, 1);
  bool once = true;
  damage_cells(rig, [&](unsigned char* page) {
    if (once) page[77] ^= 0x01U;
    once = false;
  });
  rig.move(false, 0, 1, size, 1);
  EXPECT_GE(rig.client.wrong_bytes(), 10U);  // XTS: all 16 bytes change, each is right by chance once in 256
  EXPECT_LE(rig.client.wrong_bytes(), 16U);
}

TEST(PlatformData, DataModeTakesTheTimesOfTimingMode) {
  struct Result {
    Time end;
    std::uint64_t digest;
  };
  const auto run = [](bool data) {
    return in_child([=] {
      Rig rig{"bf4-icms", {data ? "data=true" : "data=false", "drives=3"}};
      rig.move(true, 0, 20, 3_MiB, 4);
      rig.move(false, 0, 20, 3_MiB, 4);
      return Result{rig.platform.now(), rig.digest()};
    });
  };
  const Result timing = run(false), data = run(true);
  EXPECT_EQ(timing.end, data.end);
  EXPECT_EQ(timing.digest, data.digest);
}

/// Protection information made on the way in and checked on the way out, of every write and read; blocks of 512 B and 4 KiB.
TEST(PlatformData, ProtectedBlocksComeBackAndDamagedOnesAreFound) {
  for (const char* lba : {"nvme.lba=512B", "nvme.lba=4KiB"}) {
    in_child([&]() -> double {
      Settings settings = data_mode(false);
      settings.insert(settings.end(), {lba, "nvme.metadata=8B", "nvme.protection=type1"});
      Rig rig{"single-drive", settings};
      auto& r = rig.job(verified(Rw::randrw, 32_MiB, 8000));
      EXPECT_EQ(r.errors, 0U);
      EXPECT_EQ(r.verify_errors, 0U);
      EXPECT_GT(r.verified, 1000U);
      rig.expect_sound({"client", "fabric_mem", "bus_crypto"});
      return 0;
    });
  }
}

}  // namespace
}  // namespace flashpath::test

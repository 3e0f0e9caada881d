// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "crypto/aes_xts.h"
#include "crypto/crypto_model.h"
#include "crypto/frame_table.h"

namespace flashpath {
namespace {

using crypto::AesXts;
using crypto::Config;
using crypto::Tweak;
using crypto::Way;
using Buffer = std::vector<unsigned char>;

Buffer from_hex(const std::string& hex) {
  Buffer out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out.push_back(static_cast<unsigned char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

Buffer random_bytes(Random& random, std::size_t n) {
  Buffer out(n);
  for (auto& b : out) b = static_cast<unsigned char>(random.next());
  return out;
}

std::span<const unsigned char, 64> key_of(const Buffer& key) { return std::span<const unsigned char, 64>{key.data(), 64}; }

/// IEEE 1619-2018 Annex B, vector 10: XTS-AES-256, data unit sequence number ff.
TEST(AesXts, Ieee1619Vector10) {
  const Buffer key = from_hex(
      "2718281828459045235360287471352662497757247093699959574966967627"
      "3141592653589793238462643383279502884197169399375105820974944592");
  AesXts xts{1};
  ASSERT_TRUE(xts.set_key(0, key_of(key)));
  Buffer data(512);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<unsigned char>(i);
  const Buffer plain = data;
  Tweak tweak{};
  tweak[0] = 0xff;
  ASSERT_TRUE(xts.unit(Way::encrypt, 0, tweak, data));
  EXPECT_EQ(Buffer(data.begin(), data.begin() + 32), from_hex("1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b"));
  ASSERT_TRUE(xts.unit(Way::decrypt, 0, tweak, data));
  EXPECT_EQ(data, plain);
}

TEST(AesXts, Wycheproof) {
  const std::filesystem::path path = std::filesystem::path{FLASHPATH_SHARED} / "vectors/aes_xts_test.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path << " (set FLASHPATH_SHARED)";
  std::ifstream file{path};
  const auto doc = nlohmann::json::parse(file);
  AesXts xts{1};
  int run = 0;
  for (const auto& group : doc["testGroups"]) {
    if (group["keySize"] != 512) continue;
    for (const auto& test : group["tests"]) {
      const Buffer key = from_hex(test["key"]), iv = from_hex(test["iv"]), ct = from_hex(test["ct"]);
      Buffer data = from_hex(test["msg"]);
      const Buffer msg = data;
      Tweak tweak{};
      std::copy_n(iv.begin(), std::min<std::size_t>(iv.size(), 16), tweak.begin());
      ASSERT_TRUE(xts.set_key(0, key_of(key)));
      ASSERT_TRUE(xts.unit(Way::encrypt, 0, tweak, data)) << test["tcId"];
      EXPECT_EQ(data == ct, test["result"] == "valid") << test["tcId"];
      ASSERT_TRUE(xts.unit(Way::decrypt, 0, tweak, data));
      EXPECT_EQ(data, msg) << test["tcId"];
      ++run;
    }
  }
  EXPECT_GE(run, 40);
}

/// Every LBA on its own, with a fresh context.
Buffer one_shot(const Buffer& key, std::uint64_t lba, Buffer data) {
  for (std::size_t at = 0; at < data.size(); at += 4096, ++lba) {
    unsigned char iv[16]{};
    for (unsigned i = 0; i < 8; ++i) iv[i] = static_cast<unsigned char>(lba >> (8 * i));
    EVP_CIPHER_CTX* c = EVP_CIPHER_CTX_new();
    int n = 0;
    EXPECT_EQ(EVP_EncryptInit_ex(c, EVP_aes_256_xts(), nullptr, key.data(), iv), 1);
    EXPECT_EQ(EVP_EncryptUpdate(c, data.data() + at, &n, data.data() + at, 4096), 1);
    EVP_CIPHER_CTX_free(c);
  }
  return data;
}

TEST(AesXts, AnyCutAtBlocksEqualsTheWhole) {
  Random random{5, "xts"};
  AesXts xts{3};
  const Buffer key = random_bytes(random, 64), other = random_bytes(random, 64);
  ASSERT_TRUE(xts.set_key(2, key_of(key)));
  ASSERT_TRUE(xts.set_key(1, key_of(other)));
  for (int round = 0; round < 50; ++round) {
    const std::uint64_t lba = random.next();
    const Buffer plain = random_bytes(random, 4 * 4096);
    const Buffer sealed = one_shot(key, lba, plain);
    Buffer data = plain;
    for (std::size_t at = 0; at < data.size();) {
      const std::size_t part = std::min<std::size_t>(data.size() - at, 16 * (1 + random.below(600)));
      ASSERT_TRUE(xts.blocks(Way::encrypt, 2, lba, at, std::span{data}.subspan(at, part)));
      at += part;
    }
    ASSERT_EQ(data, sealed);
    ASSERT_TRUE(xts.blocks(Way::decrypt, 2, lba, 0, data));
    ASSERT_EQ(data, plain);
  }
}

TEST(AesXts, RefusesWhatIsNoKeyOrNoBlock) {
  AesXts xts{2};
  Random random{6, "bad"};
  Buffer key = random_bytes(random, 64), data(32);
  EXPECT_FALSE(xts.has_key(0));
  EXPECT_FALSE(xts.blocks(Way::encrypt, 0, 0, 0, data));
  EXPECT_FALSE(xts.set_key(2, key_of(key))) << "no such slot";
  ASSERT_TRUE(xts.set_key(1, key_of(key)));
  EXPECT_FALSE(xts.blocks(Way::encrypt, 1, 0, 8, data));
  EXPECT_FALSE(xts.blocks(Way::encrypt, 1, 0, 0, std::span{data}.first(17)));
  std::copy_n(key.begin(), 32, key.begin() + 32);
  EXPECT_FALSE(xts.set_key(1, key_of(key))) << "equal halves";
}

TEST(CryptoFrames, PiecesPerFrame) {
  crypto::FrameTable t{0x10000, 8_KiB, 4};
  t[1] = {.first_lba = 100, .key_slot = 7, .flags = 1};
  t[3] = {.first_lba = 300, .key_slot = 8, .flags = 3};
  std::vector<crypto::Piece> seen;
  const auto collect = [&](const crypto::Piece& p) {
    seen.push_back(p);
    return true;
  };
  EXPECT_TRUE(t.pieces(0x10000 - 4096, Bytes{4096 + 5 * 8192}, collect));  // from before the table to behind it
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].begin, 4096U + 8192);
  EXPECT_EQ(seen[0].size, 8192U);
  EXPECT_EQ(seen[0].entry->first_lba, 100U);
  EXPECT_EQ(seen[1].begin, 4096U + 3 * 8192);
  seen.clear();
  EXPECT_TRUE(t.pieces(0x10000 + 8192 + 4096, 8_KiB, collect));  // half of frame 1, half of frame 2
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].offset, 4096U);
  EXPECT_EQ(seen[0].size, 4096U);
  seen.clear();
  EXPECT_TRUE(t.pieces(0, 64_KiB, collect));
  EXPECT_TRUE(t.pieces(~std::uint64_t{0} - 15, 16_B, collect));
  EXPECT_TRUE(seen.empty());
}

TEST(CryptoModel, AloneOneUnitUsesOneLane) {
  crypto::Timing t{Config{}};  // 8 lanes of 16 GB/s: 256 ns a unit on one, 32 ns of all
  const Stream s = t.crypt({Time{} + 1ns, Time{} + 1ns}, 4_KiB);
  EXPECT_EQ(s.first, Time{} + 1ns + 45ns);
  EXPECT_EQ(s.last, Time{} + 1ns + 256ns + 45ns);
  EXPECT_EQ(t.free_at(), Time{} + 33ns);
}

TEST(CryptoModel, SixtyFourDeepMovesTheLanesSum) {
  crypto::Timing t{Config{}};
  Stream s{};
  for (int i = 0; i < 64; ++i) s = t.crypt({Time{}, Time{}}, 1_MiB);
  EXPECT_EQ(s.last, Time{} + 64 * (1_MiB / 128_GBps) + 45ns);
}

TEST(CryptoModel, SlowStreamsPassWithTheDepthOnly) {
  crypto::Timing t{Config{}};
  const Stream s = t.crypt({Time{} + 1us, Time{} + 80us}, 1_MiB);
  EXPECT_EQ(s.first, Time{} + 1us + 45ns);
  EXPECT_EQ(s.last, Time{} + 80us + 45ns);
}

TEST(CryptoModel, EveryKnob) {
  Config c;
  c.lanes = 1;
  c.clock = 2_GHz;
  c.pipeline_cycles = 30;
  c.bypass_latency = 3ns;
  crypto::Timing t{c};
  EXPECT_EQ(t.crypt({}, 8_KiB).last, Time{} + 256ns + 15ns);
  EXPECT_EQ(t.free_at(), Time{} + 256ns);
  EXPECT_EQ(t.bypass({Time{} + 1ns, Time{} + 2ns}).last, Time{} + 5ns);
}

TEST(CryptoOrder, NothingPassesItsData) {
  crypto::Timing t{Config{}};
  crypto::Order order;
  const Stream in{Time{} + 0ns, Time{} + 500ns};
  const Stream data = order.place(in, t.crypt(in, 4_KiB));
  EXPECT_EQ(data.last, Time{} + 545ns);
  const auto control = [&](Duration at) { return order.place({Time{} + at, Time{} + at}, t.bypass({Time{} + at, Time{} + at})).first; };
  EXPECT_EQ(control(200ns), Time{} + 245ns) << "behind the bytes that came before it, not behind those to come";
  EXPECT_EQ(control(500ns), Time{} + 545ns) << "with the last byte: not before it";
  EXPECT_EQ(control(534ns), Time{} + 545ns);
  EXPECT_EQ(control(536ns), Time{} + 546ns) << "free again: its own bypass";
}

TEST(CryptoOrder, OutputIsMonotoneUnderRandomTraffic) {
  crypto::Timing t{Config{}};
  crypto::Order order;
  Random random{8, "order"};
  Time now{}, last_first{}, last_last{}, in_last{};
  for (int i = 0; i < 20'000; ++i) {
    now += Duration{static_cast<std::int64_t>(random.below(60'000))};
    const bool data = random.below(2) == 0;
    const Stream in{now, data ? now + Duration{static_cast<std::int64_t>(random.below(400'000))} : now};
    const Stream out = order.place(in, data ? t.crypt(in, Bytes{16 * (1 + random.below(512))}) : t.bypass(in));
    ASSERT_GE(out.first, last_first);
    if (now >= in_last) { ASSERT_GE(out.first, last_last); }
    ASSERT_GE(out.last, out.first);
    last_first = out.first;
    if (in.last >= in_last || now >= in_last) {
      last_last = out.last;
      in_last = in.last;
    }
  }
}

}  // namespace
}  // namespace flashpath

// SPDX-License-Identifier: Apache-2.0
// A saved drive: what comes back, what is refused, and that nothing in a file can hurt.
#include "ftl/image.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "models/ftl_bench.h"

using namespace flashpath;
using namespace flashpath::ftl;
using namespace flashpath::ftl::test;

namespace {
namespace fs = std::filesystem;

class FtlImage : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "flashpath_image_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const char* name = "drive.img") const { return (folder_ / name).string(); }

  static std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  static void write(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
  void save(const Drive& drive) const {
    ImageWriter out{path()};
    drive.model.save(out);
    ASSERT_TRUE(out.finish()) << out.error();
    EXPECT_FALSE(fs::exists(path() + ".part"));
  }
  Config with_image() const {
    Config c = small_config();
    c.image = path();
    return c;
  }
  static std::vector<std::string> mistakes(const Config& c, const Geometry& g = small_geometry()) {
    try {
      const Drive drive{c, g};
    } catch (const UserErrors& e) { return e.list; }
    return {};
  }
  fs::path folder_;
};

/// Writes and trims of 1 to 8 units all over, some at a time.
void mixed(Drive& drive, std::uint64_t count, std::uint64_t seed) {
  Random random{seed, "mixed"};
  const std::uint64_t units = drive.model.mapping().units();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t n = 1 + random.below(8), at = random.below(units - n);
    drive.submit(random.below(10) == 0 ? RequestKind::trim : RequestKind::write, at * 4096, n * 4096);
    if (i % 16 == 15) drive.agenda.run();
  }
  drive.agenda.run();
  drive.ios.clear();
}
void rest(Drive& drive) {
  drive.model.pad_all(drive.agenda.now());
  drive.agenda.run();
  ASSERT_TRUE(drive.model.idle());
}
void expect_same(const FtlModel& a, const FtlModel& b) {
  ASSERT_EQ(a.mapping().units(), b.mapping().units());
  EXPECT_EQ(a.mapping().mapped(), b.mapping().mapped());
  EXPECT_EQ(a.free_superblocks(), b.free_superblocks());
  for (std::uint64_t u = 0; u < a.mapping().units(); ++u) ASSERT_EQ(a.mapping().at(u), b.mapping().at(u)) << u;
  for (std::uint32_t s = 0; s < a.layout().superblocks(); ++s) {
    ASSERT_EQ(a.superblock(s).state, b.superblock(s).state) << s;
    ASSERT_EQ(a.superblock(s).valid, b.superblock(s).valid) << s;
    ASSERT_EQ(a.superblock(s).erases, b.superblock(s).erases) << s;
  }
}
}  // namespace

TEST_F(FtlImage, TheLoadedDriveGoesOnLikeTheSavedOne) {
  for (const Precondition start : {Precondition::none, Precondition::sequential, Precondition::random}) {
    Config c = small_config();
    c.precondition = start;
    Drive saved{c};
    mixed(saved, 4000, 1);
    rest(saved);
    save(saved);
    Drive loaded{with_image()};
    expect_same(saved.model, loaded.model);
    loaded.expect_laws();
    const Counts before = saved.model.counts();
    EXPECT_GT(before.gc_victims, 10U);
    mixed(saved, 2000, 2);
    mixed(loaded, 2000, 2);
    loaded.expect_laws();
    const Counts &a = saved.model.counts(), &b = loaded.model.counts();
    EXPECT_EQ(a.gc_moved - before.gc_moved, b.gc_moved);
    EXPECT_EQ(a.flash_erases - before.flash_erases, b.flash_erases);
    EXPECT_EQ(a.flash_programmed - before.flash_programmed, b.flash_programmed);
    expect_same(saved.model, loaded.model);
  }
}

TEST_F(FtlImage, AnUntouchedDriveInSteadyStateIsSmall) {
  Config c = small_config();
  c.precondition = Precondition::random;
  const Drive drive{c};
  save(drive);
  EXPECT_LT(fs::file_size(path()), 1000U);
  const Drive loaded{with_image()};
  expect_same(drive.model, loaded.model);
}

TEST_F(FtlImage, EveryMismatchIsNamed) {
  Drive drive;
  rest(drive);
  save(drive);
  Config c = with_image();
  Geometry g = small_geometry();
  EXPECT_TRUE(mistakes(c).empty());
  c.capacity = 20_MiB;
  g.blocks_per_plane = 41;
  g.wordlines_per_block = 9;
  const auto list = mistakes(c, g);
  ASSERT_EQ(list.size(), 3U);
  EXPECT_NE(list[0].find("blocks per plane: 40 in the image, 41 in this drive"), std::string::npos) << list[0];
  EXPECT_NE(list[2].find("capacity"), std::string::npos) << list[2];

  c = with_image();
  c.precondition = Precondition::random;
  ASSERT_EQ(mistakes(c).size(), 1U);
  c = with_image();
  c.image = path("no such file");
  ASSERT_EQ(mistakes(c).size(), 1U);
  EXPECT_NE(mistakes(c)[0].find("cannot be read"), std::string::npos);
  c.image = folder_.string();
  EXPECT_EQ(mistakes(c).size(), 1U);
}

TEST_F(FtlImage, WhatIsNotAnImageIsRefused) {
  Drive drive;
  mixed(drive, 300, 1);
  rest(drive);
  save(drive);
  const std::string good = bytes_of(path());
  for (std::size_t n = 0; n < good.size(); n += n < 64 ? 1 : 97) {  // cut off anywhere
    write(path(), good.substr(0, n));
    ASSERT_EQ(mistakes(with_image()).size(), 1U) << n;
  }
  for (std::size_t n = 0; n < good.size(); n += n < 64 ? 1 : 97) {  // one bit anywhere (12 .. 15 mean nothing)
    std::string bad = good;
    bad[n] = static_cast<char>(bad[n] ^ 4);
    write(path(), bad);
    ASSERT_EQ(mistakes(with_image()).size(), n >= 12 && n < 16 ? 0U : 1U) << n;
  }
  write(path(), good + "x");
  EXPECT_NE(mistakes(with_image()).at(0).find("damaged"), std::string::npos);
  std::string other = good;
  other[8] = 99;
  write(path(), other);
  EXPECT_NE(mistakes(with_image()).at(0).find("version 99"), std::string::npos);
}

/// Bodies that say something else, under a checksum that fits: refused, or a drive whose laws hold.
TEST_F(FtlImage, NoBodyBreaksTheDrive) {
  Config c = small_config();
  c.precondition = Precondition::random;
  Drive drive{c};
  mixed(drive, 30, 1);
  rest(drive);
  save(drive);
  const std::string good = bytes_of(path()).substr(32);
  Random random{1, "hostile"};
  std::uint64_t refused = 0, taken = 0;
  for (int i = 0; i < 1200; ++i) {
    std::string body = good;
    if (i < 300) body[20 + random.below(200)] = static_cast<char>(random.below(128));  // superblocks nobody has written to since
    for (std::uint64_t n = i < 300 ? 0 : 1 + random.below(3); n != 0; --n) {
      const std::uint64_t at = random.below(2) == 0 ? random.below(std::min<std::uint64_t>(body.size(), 600)) : random.below(body.size());
      switch (random.below(3)) {
        case 0: body[at] = static_cast<char>(random.next()); break;
        case 1: body.erase(at, 1 + random.below(4)); break;
        default: body.insert(at, 1 + random.below(4), static_cast<char>(random.next())); break;
      }
    }
    ImageWriter out{path()};
    for (const char b : body) out.put_raw(static_cast<unsigned char>(b));
    ASSERT_TRUE(out.finish());
    try {
      Drive loaded{with_image()};
      ++taken;
      loaded.expect_laws();
      mixed(loaded, 50, 3);
      loaded.expect_laws();
    } catch (const UserErrors& e) {
      ++refused;
      ASSERT_FALSE(e.list.empty());
    }
  }
  EXPECT_GT(refused, 900U);
  EXPECT_GT(taken, 0U);  // the wear of a superblock, say
}

// SPDX-License-Identifier: Apache-2.0
// Objects through the whole platform: what placement handles and deallocation do to write amplification, what two copies cost and save.
#include "base/random.h"
#include "platform/bench.h"

namespace flashpath::test {
namespace {

/// A cache under load: clients load objects drawn at random and store what they miss.
class Churn final : public serving::StoreClient {
 public:
  Churn(host::FabricClient& client, std::uint64_t keys, Bytes size) : client_{client}, keys_{keys}, size_{size} {}
  void start(std::uint64_t clients, std::uint64_t stores, Time now) {
    left_ = stores;
    for (std::uint64_t i = 0; i < clients; ++i) draw(now);
  }
  void on_load_done(Time now, std::uint64_t key, bool hit) override {
    if (hit) {
      ++hits;
      return draw(now);
    }
    if (left_ == 0) return;
    --left_;
    client_.store(now, Objects::key(key), size_, 0, *this, key);
  }
  void on_store_done(Time now, std::uint64_t, bool ok) override {
    kept += ok ? 1U : 0U;
    draw(now);
  }
  void on_evicted(Time, const serving::ObjectKey&) override {}
  std::uint64_t hits = 0, kept = 0;

 private:
  void draw(Time now) {
    if (left_ == 0) return;
    const std::uint64_t key = random_.below(keys_);
    client_.load(now, Objects::key(key), size_, 0, *this, key);
  }
  host::FabricClient& client_;
  std::uint64_t keys_, left_ = 0;
  Bytes size_;
  Random random_{5, "churn"};
};

/// Reclaim units of 6 MiB (four dies), 100 of them; the store has 78.
Settings small_drive(const Settings& more) {
  Settings s{"nand.channels=2",   "nand.dies_per_channel=2",     "nand.planes=1",       "nand.wordlines_per_block=32",
             "nand.page=16KiB",   "nand.blocks_per_plane=100",   "ftl.capacity=468MiB", "ftl.gc_low=2",
             "ftl.gc_high=3",     "ftl.write_buffer=4MiB",       "ftl.write_streams=8", "firmware.frame=256KiB",
             "firmware.window=4", "firmware.placement_handles=8"};
  s.insert(s.end(), more.begin(), more.end());
  return s;
}

/// 6 MiB objects, 110 keys, eight clients: about three drive writes after the first. Least recently used goes, so objects die in another
/// order than they were written in, and several are written at a time.
double amplification(const Settings& more) {
  return in_child([&] {
    Rig rig{"single-drive", small_drive(more)};
    Churn churn{rig.client, 110, 6_MiB};
    churn.start(8, 320, rig.platform.now());
    rig.platform.run_until(never);
    EXPECT_GT(churn.hits, 300U);
    EXPECT_GT(churn.kept, 250U);
    rig.expect_sound({"bus_crypto"});
    const auto count = [&](const char* name) { return static_cast<double>(rig.count("ftl", name)); };
    return (count("placed") + count("gc_moved")) / count("placed");
  });
}

TEST(PlatformPlacement, ObjectsOnReclaimUnitsOfTheirOwnDieWhole) {
  const double mixed = amplification({});
  const double object = amplification({"firmware.placement=object"});
  const double ahead = amplification({"firmware.deallocate=true", "firmware.evict_ahead=10"});
  const double both = amplification({"firmware.placement=object", "firmware.deallocate=true", "firmware.evict_ahead=10"});
  std::printf("write amplification: %.3f mixed, %.3f deallocated ahead, %.3f a handle per object, %.3f both\n", mixed, ahead, object, both);
  EXPECT_GT(mixed, 1.15);
  EXPECT_LT(ahead, mixed - 0.1);
  EXPECT_LT(object, 1.01);
  EXPECT_LT(both, 1.01);
}

/// More stores at a time than handles: reclaim units are shared again.
TEST(PlatformPlacement, HandlesAreForAsManyObjectsAtATime) {
  const double eight = amplification({"firmware.placement=object"});
  const double two = amplification({"firmware.placement=object", "firmware.placement_handles=2"});
  std::printf("write amplification: %.3f with eight handles, %.3f with two\n", eight, two);
  EXPECT_GT(two, eight + 0.05);
}

TEST(PlatformPlacement, MistakesAreNamed) {
  try {
    platform::load("single-drive", {}, {"firmware.placement=object", "ftl.write_streams=2", "firmware.redundancy=mirror"});
    ADD_FAILURE() << "accepted";
  } catch (const UserErrors& errors) {
    std::string text;
    for (const auto& e : errors.list) text += e + "\n";
    EXPECT_NE(text.find("firmware.placement_handles = 4, but ftl.write_streams = 2"), std::string::npos) << text;
    EXPECT_NE(text.find("needs two drives"), std::string::npos) << text;
  }
}

/// Two copies: no object is lost with a drive, every byte is right, and writes are half as fast where flash bounds them.
TEST(PlatformMirror, KeepsEveryObjectAndCostsTheWriteBandwidthTwice) {
  struct Outcome {
    std::uint64_t written, good, lost;
    double store_s;
  };
  const auto run = [](const char* redundancy, bool data) {
    return in_child([&] {
      Rig rig{
          "single-drive",
          {"drives=2", "nand.channels=2", "nand.dies_per_channel=2", "nand.blocks_per_plane=64", "ftl.capacity=8GiB",
           "ftl.write_buffer=4MiB", "firmware.drive_loss_time=1ms", "faults=drive:1@20s", redundancy, data ? "data=true" : "data=false"}};
      const std::uint64_t n = data ? 8 : 48;
      const Time begin = rig.platform.now();
      rig.objects.start(true, 0, n, 8_MiB, 8, begin);
      while (!rig.objects.finished()) rig.platform.run_until(rig.platform.now() + 1ms);
      EXPECT_EQ(rig.objects.good(), n);
      Outcome o{.written = rig.count("firmware", "bytes_written"), .good = 0, .lost = 0, .store_s = to_seconds(rig.platform.now() - begin)};
      rig.platform.run_until(rig.ready + 21s);
      rig.move(false, 0, n, 8_MiB, 8);
      o.good = rig.objects.good();
      o.lost = rig.count("firmware", "lost");
      EXPECT_EQ(rig.client.wrong_bytes(), 0U);
      if (data) { EXPECT_EQ(rig.client.verified_bytes(), o.good * (8U << 20U)); }
      rig.expect_sound(o.good == 0 ? Settings{"bus_crypto", "drive0_read", "drive1_read"} : Settings{"bus_crypto", "drive1_read"});
      return o;
    });
  };
  const Outcome one = run("firmware.redundancy=none", false), two = run("firmware.redundancy=mirror", false);
  EXPECT_EQ(one.lost, 48U);
  EXPECT_EQ(one.good, 0U);
  EXPECT_EQ(two.lost, 0U);
  EXPECT_EQ(two.good, 48U);
  EXPECT_EQ(one.written, 48U * 8U << 20U);
  EXPECT_EQ(two.written, 2 * one.written);
  EXPECT_NEAR(two.store_s / one.store_s, 2.0, 0.15);
  EXPECT_EQ(run("firmware.redundancy=mirror", true).good, 8U);
}

}  // namespace
}  // namespace flashpath::test

// SPDX-License-Identifier: Apache-2.0
// The links of a whole platform: order kept, seen by a checker that knows no model; retrain, errors, translation, L0p.
#include "platform/bench.h"

namespace flashpath::test {
namespace {

using firmware::JobSpec;
using firmware::Rw;

JobSpec mixed(Rw rw = Rw::randrw) {
  JobSpec s;
  s.rw = rw;
  s.bs = 16_KiB;
  s.iodepth = 64;
  s.numjobs = 2;
  s.size = 64_MiB;
  s.number_ios = 1500;
  return s;
}

struct Result {
  double mean, p999;
  std::uint64_t errors, digest;
};
Result run(const Settings& settings, Rw rw = Rw::randread, std::uint32_t iodepth = 64) {
  return in_child([&] {
    Settings all{"ftl.precondition=sequential", "pcie.generation=6"};
    all.insert(all.end(), settings.begin(), settings.end());
    Rig rig{"single-drive", all};
    JobSpec spec = mixed(rw);
    spec.bs = 4_KiB;
    spec.iodepth = iodepth;
    auto& r = rig.job(spec);
    rig.expect_sound(rw == Rw::randread ? std::vector<std::string>{"client", "fabric_mem", "bus_crypto", "drive0_write"}
                                        : std::vector<std::string>{"client", "fabric_mem", "bus_crypto"});
    const auto& lat = r.direction[rw == Rw::randread ? 0 : 1].lat;
    return Result{lat.mean(), static_cast<double>(lat.percentile(999'000).count()), r.errors, rig.digest()};
  });
}

TEST(PlatformPcie, EveryLinkIsWatchedAndKeepsOrder) {
  in_child([] {
    Rig rig{"bf4-icms", {"drives=3"}};
    rig.job(mixed());
    rig.move(true, 0, 12, 5_MiB, 8);
    rig.move(false, 0, 12, 5_MiB, 8);
    rig.expect_sound();
    EXPECT_EQ(rig.orders().size(), 3U * (rig.platform.config().general.pcie_switch ? 3U : 2U));
    for (const auto& order : rig.orders()) {
      EXPECT_GT(order->posted(), 100U);
      EXPECT_GT(order->others(), 100U);
    }
    return 0;
  });
}

TEST(PlatformPcie, ARetrainDelaysAndLosesNothing) {
  const Result without = run({}), with = run({"faults=link:0@100us", "pcie.retrain_time=5ms"});
  EXPECT_EQ(with.errors, 0U);
  EXPECT_LT(without.p999, 2e9);
  EXPECT_GT(with.p999, 4.9e9);  // ps
}

TEST(PlatformPcie, ErrorsShowInTheTail) {
  const Result none = run({}), some = run({"pcie.fber=1e-4", "pcie.replay_round_trip=5us", "pcie.replay_timeout=5us"});
  EXPECT_GT(some.mean, none.mean + 2e4);
  EXPECT_GT(some.p999, none.p999);
  EXPECT_EQ(some.errors, 0U);
}

TEST(PlatformPcie, WalksShowInEveryReadThatMisses) {
  const Result none = run({}, Rw::randread, 1);
  const Result iommu = run({"pcie.translation=iommu", "pcie.translation_entries=1", "pcie.walk_latency=5us"}, Rw::randread, 1);
  const Result cached = run({"pcie.translation=iommu", "pcie.translation_entries=4096", "pcie.walk_latency=5us"}, Rw::randread, 1);
  const Result ats = run({"pcie.translation=ats", "pcie.translation_entries=1", "pcie.walk_latency=5us"}, Rw::randread, 1);
  EXPECT_GT(iommu.mean, none.mean + 9e6);  // the entry's fetch and the data, at least
  EXPECT_LT(cached.mean, none.mean + 1e6);
  EXPECT_GT(ats.mean, iommu.mean);  // and the link twice
}

TEST(PlatformPcie, SleepingLanesCostTime) {
  const Result none = run({}, Rw::randread, 1),
               narrow = run({"pcie.l0p_lanes=1", "pcie.l0p_idle=5us", "pcie.l0p_up=10us"}, Rw::randread, 1);
  EXPECT_GT(narrow.mean, none.mean + 3e5);
}

TEST(PlatformPcie, RulesThatNeverApplyChangeNothing) {
  const Result strict = run({}), rules = run({"pcie.ordering=rules"});
  EXPECT_EQ(strict.mean, rules.mean);
  EXPECT_EQ(strict.p999, rules.p999);
}

}  // namespace
}  // namespace flashpath::test

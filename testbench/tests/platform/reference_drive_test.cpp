// SPDX-License-Identifier: Apache-2.0
// The preset mqsim-tlc8 against MQSim's own results on the same drive: single commands to the nanosecond, each of them; queues by the
// published request streams, which name every address (FLASHPATH_SHARED; skipped without).
#include <filesystem>

#include "platform/bench.h"
#include "replay/line_source.h"
#include "replay/request_list.h"

namespace flashpath::test {
namespace {

using firmware::JobSpec;
using firmware::Rw;

struct Latencies {
  std::vector<Duration> all;
  void add(const firmware::Ended& e) {
    EXPECT_TRUE(e.ok);
    all.push_back(e.done - e.created);
  }
  double mean() const {
    double sum = 0;
    for (const Duration d : all) sum += static_cast<double>(d.count());
    return sum / static_cast<double>(all.size()) * 1e-3;
  }
  double percentile(double p) {
    std::ranges::sort(all);
    return static_cast<double>(all[static_cast<std::size_t>(p * static_cast<double>(all.size()))].count()) * 1e-3;
  }
};

Latencies run(Rig& rig, const JobSpec& spec) {
  Latencies l;
  rig.jobs().on_each(Delegate<void(const firmware::Ended&)>::to<&Latencies::add>(&l));
  rig.job(spec);
  rig.jobs().on_each({});
  return l;
}

// The terms, in ns: doorbells 2 + 2, request for the entry 2, entry 6, command and address, tR + 20, data off the die at 2 GB/s, data
// over the link in TLPs of 128 + 28 bytes at 16 GB/s, completion 2. The first command of a run has no head doorbell before it.
TEST(ReferenceDrive, SingleCommandsToTheNanosecond) {
  Rig rig{"mqsim-tlc8"};
  struct Case {
    Rw rw;
    Bytes bs;
    Duration expected;
  };
  const Case cases[] = {
      // First, so that two planes of a die agree in page number.
      {Rw::randread, 1_MiB, 12ns + 940ns + 50'020ns + 8 * 8'192ns + 79'872ns + 2ns},
      {Rw::randread, 4_KiB, 12ns + 290ns + 50'020ns + 2'048ns + 312ns + 2ns},
      {Rw::randread, 16_KiB, 12ns + 290ns + 50'020ns + 8'192ns + 1'248ns + 2ns},
      {Rw::randwrite, 16_KiB, 12ns + 2ns + 1'248ns + 361ns + 8'192ns + 600us + 2ns},
  };
  const Duration published[] = {196'382ns, 52'684ns, 59'764ns, 609'817ns};
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(cases[i].expected, published[i]);
    JobSpec spec;
    spec.rw = cases[i].rw;
    spec.bs = cases[i].bs;
    spec.number_ios = 500;
    const Latencies l = run(rig, spec);
    ASSERT_EQ(l.all.size(), 500U);
    EXPECT_EQ(l.all.front(), published[i] - 2ns);
    for (std::size_t k = 1; k < l.all.size(); ++k) EXPECT_EQ(l.all[k], published[i]) << "command " << k;
  }
  rig.expect_sound({"client_", "fabric_mem", "bus_crypto"});
}

/// Random pages, 64 in flight: operations of a die share commands, and no page is programmed before an older one of its block.
TEST(ReferenceDrive, RandomWritesAtDepth64AllSucceed) {
  Rig rig{"mqsim-tlc8"};
  JobSpec spec;
  spec.rw = Rw::randwrite;
  spec.bs = 16_KiB;
  spec.iodepth = 64;
  spec.number_ios = 20'000;
  EXPECT_EQ(rig.job(spec).errors, 0U);
  EXPECT_EQ(rig.count("nand", "failed"), 0U);
}

/// Sixteen requests of 128 KiB in flight: each die has four of their pages, on its four planes, and programs what waits in one go.
TEST(ReferenceDrive, PublishedStreams) {
  const std::filesystem::path folder = std::filesystem::path{FLASHPATH_SHARED} / "reference/peers/requests";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no " << folder << " (set FLASHPATH_SHARED)";
  struct Case {
    const char* file;
    std::uint32_t depth;
    double mean, p99;  // allowed difference
  };
  for (const Case c : {Case{"W1_4k_randread_qd1", 1, 0, 0}, Case{"W12_1m_randread_qd1", 1, 0, 0},
                       Case{"W3_16k_randread_qd128", 128, 0.05, 0.10}, Case{"W5_128k_seqwrite_qd16", 16, 0.05, 0.10}}) {
    SCOPED_TRACE(c.file);
    const std::string path = (folder / (std::string{c.file} + ".csv.gz")).string();
    const replay::RequestList list = replay::read_requests(path);
    Latencies published;
    replay::LineSource lines{path};
    for (std::string_view line; lines.next(line);) {
      unsigned long long submitted = 0, completed = 0;
      if (std::sscanf(std::string{line}.c_str(), "%*c,%*u,%*u,%llu,%llu", &submitted, &completed) == 2)
        published.all.push_back(Duration{static_cast<std::int64_t>(1000 * (completed - submitted))});
    }
    ASSERT_EQ(published.all.size(), list.requests.size());
    struct Result {
      double mean, p99;
      std::uint64_t different;
    };
    const Result mine = in_child([&]() -> Result {
      Rig rig{"mqsim-tlc8"};
      JobSpec spec;
      spec.requests = &list.requests;
      spec.bs = list.largest;
      spec.iodepth = c.depth;
      Latencies l = run(rig, spec);
      EXPECT_EQ(l.all.size(), list.requests.size());
      std::uint64_t different = 0;
      for (std::size_t i = 0; i < l.all.size(); ++i) different += l.all[i] != published.all[i] ? 1U : 0U;
      return {l.mean(), l.percentile(0.99), different};
    });
    const double mean = published.mean(), p99 = published.percentile(0.99);
    std::printf("%s: mean %.1f ns (published %.1f, %+.2f %%), p99 %.0f (%.0f, %+.2f %%)\n", c.file, mine.mean, mean,
                100 * (mine.mean / mean - 1), mine.p99, p99, 100 * (mine.p99 / p99 - 1));
    if (c.depth == 1) { EXPECT_EQ(mine.different, 0U) << "of the published latencies"; }
    EXPECT_NEAR(mine.mean, mean, c.mean * mean);
    EXPECT_NEAR(mine.p99, p99, c.p99 * p99);
  }
}

/// The same drive with a link that streams, and pieces that are sent as they come: what a single large read gains.
TEST(ReferenceDrive, StreamingHidesTheFlashBehindTheLink) {
  const auto latency = [](const Settings& settings) {
    return in_child([&]() -> double {
      Rig rig{"mqsim-tlc8", settings};
      JobSpec spec;
      spec.rw = Rw::randread;
      spec.bs = 1_MiB;
      spec.number_ios = 20;
      return run(rig, spec).mean();
    });
  };
  const double stored = latency({});
  const double pieces = latency({"nvme.read_chunk=16KiB", "nand.independent_plane_reads=true"});
  const double streamed = latency({"nvme.read_chunk=16KiB", "nand.independent_plane_reads=true", "pcie.forwarding=cut_through"});
  std::printf("1 MiB read: one message %.0f ns, a message per page %.0f ns, streamed %.0f ns\n", stored, pieces, streamed);
  EXPECT_NEAR(stored, 196'382, 0.2);  // the first of the 20 has 2 ns less
  EXPECT_LT(pieces, 0.75 * stored);
  EXPECT_LT(streamed, 1.02 * pieces);
}

}  // namespace
}  // namespace flashpath::test

// SPDX-License-Identifier: Apache-2.0
// A cluster, its calendar and a store without a device, and what came out.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/agenda.h"
#include "serving/cluster.h"
#include "serving/flow_store.h"
#include "serving/support.h"

namespace flashpath::serving_test {

using namespace flashpath::literals;
using namespace flashpath::serving;

/// One instance, no caches of its own: everything comes from the store. No fixed costs.
inline ServingConfig bare() {
  ServingConfig config;
  config.instances = 1;
  config.g1 = config.g2 = 0_B;
  config.prefill_overhead = config.decode_overhead = 0_ps;
  config.max_loads = 1U << 20U;
  return config;
}

/// One 16 MiB object takes exactly 1 ms.
inline constexpr Rate object_per_ms{16'777'216'000};

class Trial {
 public:
  explicit Trial(const ServingConfig& config, bool with_store = true, const FlowStore::Shape& shape = {object_per_ms, object_per_ms})
      : store{agenda, shape}, cluster{agenda, config, with_store ? &store : nullptr} {
    cluster.on_finished([this](const RequestRecord& r) { records.push_back(r); });
  }

  /// Replays to the end and holds the laws.
  void play(const replay::Log& log) {
    cluster.replay(log, agenda.now());
    agenda.run();
    EXPECT_TRUE(cluster.done());
    EXPECT_EQ(broken(), "");
  }
  std::string broken() {
    Laws laws;
    cluster.check(laws, agenda.now());
    EXPECT_GT(laws.checked(), 9U);
    std::string all;
    for (const std::string& law : laws.broken()) all += law + "\n";
    return all;
  }
  /// Of a request by the line of its log.
  const RequestRecord& of(std::uint32_t line) const {
    for (const RequestRecord& r : records)
      if (r.line == line) return r;
    ADD_FAILURE() << "request " << line << " has not finished";
    return records.front();
  }

  Agenda agenda;
  FlowStore store;
  Cluster cluster;
  std::vector<RequestRecord> records;
};

}  // namespace flashpath::serving_test

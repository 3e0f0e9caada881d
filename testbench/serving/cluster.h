// SPDX-License-Identifier: Apache-2.0
// The serving model: requests of a log, from arrival to last token, on instances that share one flash tier.
//
//   arrive ─► route ─► match prefix ─┬─ G1 (free) ──────────────┐
//             (prefix − load)        ├─ G2 (instance's pipe) ───┼─► prefill, one at a time,  ─► first ─► decode, ─► last
//                                    ├─ G3.5 (Store, objects,  ─┘   layer group by layer group   token    batched    token
//                                    │        in layer order)              │
//                                    └─ rest: computed                     └─► new blocks to G1, G2 and the Store
//
//   ttft = queue + overhead + b + (G-1)·max(b, c) + c     with G layer groups, b to load and c to compute each
//   step = overhead + roofline(batch, context); a newcomer joins at the next step
//
// Rules. Match: the leading run of ids, each from the nearest tier that has it; at least one token is computed.
// What matched stays usable for the request (pinned); the match is extended when its prefill begins.
// Loads start at arrival, in layer order, a window at a time, before the request's turn. Group n is computed when
// it is loaded and group n-1 is computed; the head of the queue keeps its place while it waits. A missed load
// cuts the hit there: the rest is computed, with what the groups already done had skipped. G1 and G2 take a
// request's blocks when its prefill ends, tail first; G2 holds what G1 does. Stores follow each group computed; what
// a miss showed to be gone is stored again after the last group.
// Not modelled: prefill and decode disturbing each other (as if disaggregated), memory of running requests
// (g1 is what is left for the cache), decoded blocks entering a cache (logs have no ids), failures of instances.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <span>
#include <vector>

#include "base/agenda.h"
#include "base/laws.h"
#include "base/timeline.h"
#include "replay/log.h"
#include "serving/directory.h"
#include "serving/lru_cache.h"
#include "serving/objects.h"
#include "serving/roofline.h"
#include "serving/serving_config.h"
#include "serving/serving_stats.h"
#include "serving/store.h"

namespace flashpath::serving {

class Cluster final : public StoreClient {
 public:
  /// Throws UserErrors if the configuration is not possible. `store` may be null: no flash tier.
  Cluster(Agenda& agenda, const ServingConfig& config, Store* store);

  /// Posts the arrivals of a log, which must outlive the replay; `begin` is the moment of its first stamp.
  void replay(const replay::Log& log, Time begin = Time{});
  /// Called with every finished request, in order of finishing.
  void on_finished(std::function<void(const RequestRecord&)> callback) { finished_ = std::move(callback); }

  /// All requests have arrived and finished, and every load and store has been answered.
  bool done() const {
    return next_ == end_ && requests_.inside() == 0 && loads_.inside() == 0 && stores_.inside() == 0 && stores_waiting_ == 0;
  }
  std::uint64_t in_flight() const { return requests_.inside(); }
  std::uint64_t loads_in_flight() const { return loads_.inside(); }
  std::uint64_t stores_in_flight() const { return stores_.inside(); }

  const ServingStats& stats() const { return stats_; }
  stats::Group& group() { return stats_.group; }
  const ObjectLayout& layout() const { return layout_; }
  const Roofline& roofline() const { return roofline_; }
  std::uint64_t stored_blocks() const { return directory_.blocks(); }

  /// What must be true at any moment; more of it once done().
  void check(Laws& laws, Time now) const;
  /// Who waits for whom, if nothing is scheduled.
  void describe(Stall& stall) const;

  void on_load_done(Time now, std::uint64_t tag, bool hit) override;
  void on_store_done(Time now, std::uint64_t tag, bool ok) override;
  void on_evicted(Time now, const ObjectKey& key) override;

 private:
  enum class Tier : std::uint8_t { g1, g2, g35 };
  using Slot = std::uint32_t;
  static constexpr Slot none = ~Slot{0};

  /// A request on its way. Slots are reused, and with them their arrays.
  struct Active {
    const replay::Request* request = nullptr;
    std::span<const std::uint64_t> ids;
    Time arrival{}, ready{}, first_token{};
    std::uint32_t instance = 0;
    bool finished = false;
    // the plan
    std::vector<Tier> tiers;   // of the matched blocks
    std::uint32_t lead = 0;    // how many of them still count
    std::uint64_t queued = 0;  // tokens to compute, as the router sees it
    Time g2_start{};
    Duration g2_total{};
    // loads: object o is group o % G of the block that load_blocks[o / G] names
    std::vector<std::uint32_t> load_blocks;
    std::size_t load_begin = 0;            // where the part begins that is being issued, group by group
    std::vector<std::uint32_t> remaining;  // per group, of the blocks that still count
    std::vector<std::uint8_t> arrived;
    std::vector<Time> asked;
    std::uint64_t issued = 0, loads_out = 0;
    // prefill
    std::uint32_t group = 0;
    bool started = false, waiting = false, computing = false, missed = false;
    Duration whole{}, debt{}, queue{}, prefill{}, load_wait{};
    // stores: numbered like loads, by store_blocks
    std::vector<std::uint32_t> store_blocks;
    std::vector<Time> sent;
    std::uint64_t stores_left = 0;
    RequestRecord record;
  };

  struct Decoding {
    std::uint64_t last_step;
    std::uint64_t order;
    Slot slot;
    std::uint64_t context;
    bool operator>(const Decoding& o) const { return last_step != o.last_step ? last_step > o.last_step : order > o.order; }
  };
  struct StoreJob {
    Slot slot;
    std::uint32_t group;
    std::uint32_t next, end;  // of the request's store_blocks
  };
  struct Instance {
    Instance(std::uint64_t g1_blocks, std::uint64_t g2_blocks) : g1{g1_blocks}, g2{g2_blocks} {}
    LruCache<> g1, g2;
    Server g2_pipe;
    std::uint64_t in_flight = 0, queued_tokens = 0;
    std::deque<Slot> prefill_queue;
    Slot prefilling = none;
    Time prefill_since{};
    std::deque<StoreJob> store_jobs;
    std::uint64_t stores_out = 0;
    // decode: `steps` had been made at `since`, and one is made every `step`
    std::priority_queue<Decoding, std::vector<Decoding>, std::greater<>> batch;
    std::deque<Slot> decode_queue;
    std::uint64_t steps = 0, context = 0, generation = 0;
    Time since{}, boundary = never;
    Duration step{};
  };

  // cluster.cpp: arrival, routing, matching, loading
  void arrive(Time now);
  std::uint32_t route(std::span<const std::uint64_t> ids) const;
  Slot take_slot();
  void release_if_over(Slot slot);
  void match(Time now, Slot slot);
  void issue_loads(Time now, Slot slot);
  void cut(Slot slot, std::uint32_t lead);
  std::uint64_t cached_tokens(const Active& a) const;
  // cluster_prefill.cpp: prefill and write-through
  void start_prefill(Time now, std::uint32_t instance);
  void next_group(Time now, Slot slot);
  void group_done(Time now, std::uint64_t slot);
  void prefill_done(Time now, Slot slot);
  void fill_caches(const Active& a);
  void count_hits(Active& a);
  void plan_stores(Slot slot);
  void queue_stores(Slot slot, std::uint32_t group, std::uint32_t begin);
  void issue_stores(Time now, std::uint32_t instance);
  Duration share(Duration whole, std::uint32_t groups) const;
  // cluster_decode.cpp: decode, finish, laws
  void join_batch(Time now, Slot slot);
  void post_boundary(Time at, std::uint32_t instance);
  void batch_boundary(Time now, std::uint64_t instance, std::uint64_t generation);
  void finish(Time now, Slot slot);

  static std::uint64_t tag_of(Slot slot, std::uint64_t object) { return std::uint64_t{slot} << 32U | object; }

  Agenda& agenda_;
  ServingConfig config_;
  Store* store_;
  Roofline roofline_;
  ObjectLayout layout_;
  bool load_;
  ServingStats stats_;
  std::vector<Instance> instances_;
  Directory directory_;
  std::deque<Active> active_;  // stable addresses
  std::vector<Slot> free_;
  const replay::Log* log_ = nullptr;
  Time begin_{};
  std::size_t next_ = 0, end_ = 0;
  std::uint64_t order_ = 0, stores_waiting_ = 0;
  Flow requests_, loads_, stores_;
  std::function<void(const RequestRecord&)> finished_;
};

}  // namespace flashpath::serving

// SPDX-License-Identifier: Apache-2.0
// Prefill, layer group by layer group, and what it leaves behind: blocks in G1 and G2, objects for the flash tier.
#include <algorithm>

#include "base/error.h"
#include "serving/cluster.h"

namespace flashpath::serving {

/// The time of the first `groups` layer groups: divided from the whole, so that all of them are exactly the whole.
Duration Cluster::share(Duration whole, std::uint32_t groups) const {
  return Duration{static_cast<std::int64_t>(static_cast<Wide>(whole.count()) * groups / layout_.groups())};
}

void Cluster::start_prefill(Time now, std::uint32_t instance) {
  Instance& in = instances_[instance];
  if (in.prefill_queue.empty()) return;
  const Slot slot = in.prefill_queue.front();
  in.prefill_queue.pop_front();
  in.prefilling = slot;
  in.prefill_since = now;
  Active& a = active_[slot];
  match(now, slot);
  a.started = true;
  a.queue = now - a.arrival;
  a.prefill = config_.prefill_overhead;
  a.ready = now + config_.prefill_overhead;
  a.whole = roofline_.prefill(a.request->input_tokens, cached_tokens(a));
  next_group(now, slot);
}

/// Computes the next group, or waits for its loads.
void Cluster::next_group(Time now, Slot slot) {
  Active& a = active_[slot];
  a.waiting = a.remaining[a.group] != 0;
  if (a.waiting) return;
  const Time start = std::max({now, a.ready, a.g2_start + share(a.g2_total, a.group + 1)});
  const Duration compute = share(a.whole, a.group + 1) - share(a.whole, a.group) + a.debt;
  a.debt = Duration{};
  a.load_wait += start - a.ready;
  a.prefill += compute;
  a.computing = true;
  agenda_.post<&Cluster::group_done>(start + compute, this, slot);
}

void Cluster::group_done(Time now, std::uint64_t which) {
  const auto slot = static_cast<Slot>(which);
  Active& a = active_[slot];
  a.computing = false;
  a.ready = now;
  if (store_ != nullptr && config_.write_through) {
    if (a.group == 0) plan_stores(slot);
    queue_stores(slot, a.group, 0);
    if (a.missed && a.group + 1 == layout_.groups()) {
      const auto begin = static_cast<std::uint32_t>(a.store_blocks.size());
      plan_stores(slot);
      for (std::uint32_t g = 0; g < layout_.groups(); ++g) queue_stores(slot, g, begin);
    }
    issue_stores(now, a.instance);
  }
  if (++a.group < layout_.groups()) next_group(now, slot);
  else prefill_done(now, slot);
}

/// Every block of the prompt that the flash tier neither holds nor is being sent.
void Cluster::plan_stores(Slot slot) {
  Active& a = active_[slot];
  const std::size_t before = a.store_blocks.size();
  for (std::uint32_t i = 0; i < a.ids.size(); ++i)
    if (directory_.begin(layout_.block_key(a.ids[i]))) a.store_blocks.push_back(i);
  a.stores_left += (a.store_blocks.size() - before) * layout_.groups();
  a.sent.resize(a.store_blocks.size() * layout_.groups());
}

/// One layer group of the blocks from `begin` on.
void Cluster::queue_stores(Slot slot, std::uint32_t group, std::uint32_t begin) {
  const Active& a = active_[slot];
  const auto end = static_cast<std::uint32_t>(a.store_blocks.size());
  if (begin == end) return;
  instances_[a.instance].store_jobs.push_back({slot, group, begin, end});
  stores_waiting_ += end - begin;
}

void Cluster::issue_stores(Time now, std::uint32_t instance) {
  Instance& in = instances_[instance];
  while (in.stores_out < config_.max_stores && !in.store_jobs.empty()) {
    StoreJob& first = in.store_jobs.front();
    const Slot slot = first.slot;
    const std::uint32_t group = first.group;
    const std::uint32_t index = first.next++;
    if (first.next == first.end) in.store_jobs.pop_front();
    Active& a = active_[slot];
    const std::uint64_t object = std::uint64_t{index} * layout_.groups() + group;
    a.sent[object] = now;
    ++in.stores_out;
    --stores_waiting_;
    stores_.enter(now);
    stats_.most_stores = std::max(stats_.most_stores, stores_.inside());
    stats_.g35.written += layout_.object();
    store_->store(now, layout_.key(layout_.block_key(a.ids[a.store_blocks[index]]), group), layout_.object(), instance, *this,
                  tag_of(slot, object));
  }
}

void Cluster::on_store_done(Time now, std::uint64_t tag, bool ok) {
  const auto slot = static_cast<Slot>(tag >> 32U);
  const std::uint64_t object = tag & 0xffffffffU;
  Active& a = active_[slot];
  const std::uint32_t instance = a.instance;
  directory_.answered(layout_.block_key(a.ids[a.store_blocks[object / layout_.groups()]]), ok);
  stores_.leave(now, a.sent[object]);
  stats_.store_latency.add(now - a.sent[object]);
  ++(ok ? stats_.stores_kept : stats_.stores_refused);
  --a.stores_left;
  --instances_[instance].stores_out;
  release_if_over(slot);
  issue_stores(now, instance);
}

void Cluster::prefill_done(Time now, Slot slot) {
  Active& a = active_[slot];
  Instance& in = instances_[a.instance];
  stats_.prefill += now - in.prefill_since;
  stats_.load_wait += a.load_wait;
  stats_.queue.add(a.queue);
  stats_.ttft.add(now - a.arrival);
  invariant(now - a.arrival == a.queue + a.prefill + a.load_wait, "the parts of a time to first token do not add up", "serving", now);
  in.queued_tokens -= a.queued;
  a.first_token = now;
  count_hits(a);
  fill_caches(a);
  in.prefilling = none;
  join_batch(now, slot);
  start_prefill(now, a.instance);
}

void Cluster::count_hits(Active& a) {
  const std::uint64_t cached = cached_tokens(a);
  const std::uint64_t block_tokens = config_.block_tokens;
  for (std::uint32_t i = 0; i < a.lead; ++i) {
    const std::uint64_t begin = std::min(i * block_tokens, cached);
    const std::uint64_t tokens = std::min((i + 1) * block_tokens, cached) - begin;
    TierStats& tier = a.tiers[i] == Tier::g1 ? stats_.g1 : a.tiers[i] == Tier::g2 ? stats_.g2 : stats_.g35;
    ++tier.blocks;
    tier.tokens += tokens;
    (a.tiers[i] == Tier::g1 ? a.record.g1_tokens : a.tiers[i] == Tier::g2 ? a.record.g2_tokens : a.record.g35_tokens) += tokens;
  }
  stats_.input_tokens += a.request->input_tokens;
  stats_.computed_tokens += a.request->input_tokens - cached;
}

/// Tail first, so that the head of the prompt, which others share, is the last to go.
void Cluster::fill_caches(const Active& a) {
  Instance& in = instances_[a.instance];
  for (std::size_t i = a.ids.size(); i-- > 0;) {
    if (in.g1.capacity() != 0 && !in.g1.touch(a.ids[i]).present) stats_.g1.written += layout_.block();
    if (in.g2.capacity() != 0 && !in.g2.touch(a.ids[i]).present) stats_.g2.written += layout_.block();
  }
  std::uint64_t used = 0;
  for (std::uint32_t i = 0; i < a.lead; ++i) used += a.tiers[i] == Tier::g1 ? 1U : 0U;
  stats_.g1.read += used * layout_.block();
}

}  // namespace flashpath::serving

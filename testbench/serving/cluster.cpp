// SPDX-License-Identifier: Apache-2.0
// Arrival, routing, matching and loading. Prefill and stores are in cluster_prefill.cpp, decode in cluster_decode.cpp.
#include "serving/cluster.h"

#include <algorithm>

#include "base/error.h"

namespace flashpath::serving {
namespace {

ServingConfig checked(const ServingConfig& config) {
  UserErrors errors;
  config.check("serving", errors);
  errors.raise_if_any();
  return config;
}

}  // namespace

Cluster::Cluster(Agenda& agenda, const ServingConfig& config, Store* store)
    : agenda_{agenda},
      config_{checked(config)},
      store_{store},
      roofline_{find_model(config.model), find_accelerator(config.accelerator), find_dtype(config.dtype), find_dtype(config.kv_dtype)},
      layout_{roofline_.model(), find_dtype(config.kv_dtype), config.block_tokens, config.object_bytes},
      load_{store != nullptr && config.load_policy == "always"},
      directory_{layout_.groups()} {
  stats_.prefill.servers = config_.instances;
  instances_.reserve(config_.instances);
  for (std::uint32_t i = 0; i < config_.instances; ++i) instances_.emplace_back(config_.g1 / layout_.block(), config_.g2 / layout_.block());
  if (store_ != nullptr) store_->watch(*this);
}

void Cluster::replay(const replay::Log& log, Time begin) {
  invariant(done(), "a replay was started while another one runs", "serving");
  if (log.block_tokens != config_.block_tokens)
    throw UserErrors{"serving.block_tokens = " + std::to_string(config_.block_tokens) + ": the log's blocks have " +
                     std::to_string(log.block_tokens)};
  log_ = &log;
  begin_ = begin;
  next_ = 0;
  end_ = log.requests.size();
  if (end_ != 0) agenda_.post<&Cluster::arrive>(begin_ + log.requests.front().arrival, this);
}

void Cluster::arrive(Time now) {
  const replay::Request& request = log_->requests[next_++];
  if (next_ != end_) agenda_.post<&Cluster::arrive>(begin_ + log_->requests[next_].arrival, this);
  ++stats_.arrived;
  stats_.blocks += request.blocks;
  requests_.enter(now);
  const Slot slot = take_slot();
  Active& a = active_[slot];
  a.request = &request;
  a.ids = log_->blocks(request);
  a.arrival = now;
  a.instance = route(a.ids);
  Instance& in = instances_[a.instance];
  ++in.in_flight;
  a.g2_start = now;
  a.remaining.assign(layout_.groups(), 0);
  match(now, slot);
  in.prefill_queue.push_back(slot);
  if (in.prefilling == none) start_prefill(now, a.instance);
}

/// Most matched blocks, less the work that already waits there; then the fewest requests, then the lowest number.
std::uint32_t Cluster::route(std::span<const std::uint64_t> ids) const {
  if (instances_.size() == 1) return 0;
  std::uint32_t best = 0;
  std::int64_t best_score = 0;
  for (std::uint32_t i = 0; i < instances_.size(); ++i) {
    const Instance& in = instances_[i];
    std::size_t matched = 0;
    while (matched < ids.size() && (in.g1.contains(ids[matched]) || in.g2.contains(ids[matched]))) ++matched;
    const std::uint64_t load = in.queued_tokens / config_.block_tokens + in.in_flight * config_.route_penalty;
    const std::int64_t score = static_cast<std::int64_t>(matched) - static_cast<std::int64_t>(load);
    if (i != 0 && (score < best_score || (score == best_score && in.in_flight >= instances_[best].in_flight))) continue;
    best = i;
    best_score = score;
  }
  return best;
}

Cluster::Slot Cluster::take_slot() {
  if (free_.empty()) {
    active_.emplace_back();
    return static_cast<Slot>(active_.size() - 1);
  }
  const Slot slot = free_.back();
  free_.pop_back();
  Active& a = active_[slot];
  a.finished = a.started = a.waiting = a.computing = a.missed = false;
  a.tiers.clear();
  a.load_blocks.clear();
  a.arrived.clear();
  a.asked.clear();
  a.store_blocks.clear();
  a.sent.clear();
  a.issued = a.load_begin = a.queued = 0;
  a.lead = a.group = 0;
  a.whole = a.debt = a.queue = a.prefill = a.load_wait = a.g2_total = Duration{};
  a.record = {};
  return slot;
}

/// A slot is free when the request has finished and the store owes it nothing.
void Cluster::release_if_over(Slot slot) {
  Active& a = active_[slot];
  if (!a.finished || a.loads_out != 0 || a.stores_left != 0) return;
  a.finished = false;
  free_.push_back(slot);
}

/// Tokens that need no computing: those of the leading blocks, but never the last token of the prompt.
std::uint64_t Cluster::cached_tokens(const Active& a) const {
  return std::min<std::uint64_t>(std::uint64_t{config_.block_tokens} * a.lead, a.request->input_tokens - 1U);
}

/// Extends the match of a request by what can be had now: at its arrival from nothing, and once more when its
/// prefill begins, since the request before it in the queue may have been the turn before in the conversation.
void Cluster::match(Time now, Slot slot) {
  Active& a = active_[slot];
  Instance& in = instances_[a.instance];
  if (a.lead != a.tiers.size()) return;  // a miss has cut it
  const std::size_t loads_before = a.load_blocks.size();
  const bool may_load = load_ && a.issued == (loads_before - a.load_begin) * layout_.groups();
  std::uint64_t from_g2 = 0;
  for (auto i = static_cast<std::uint32_t>(a.tiers.size()); i < a.ids.size(); ++i) {
    if (in.g1.contains(a.ids[i])) {
      a.tiers.push_back(Tier::g1);
    } else if (in.g2.contains(a.ids[i])) {
      a.tiers.push_back(Tier::g2);
      ++from_g2;
    } else if (may_load && directory_.stored(layout_.block_key(a.ids[i]))) {
      a.tiers.push_back(Tier::g35);
      a.load_blocks.push_back(i);
    } else {
      break;
    }
  }
  a.lead = static_cast<std::uint32_t>(a.tiers.size());
  const std::uint64_t queued = a.request->input_tokens - cached_tokens(a);
  in.queued_tokens += queued;
  in.queued_tokens -= a.queued;
  a.queued = queued;
  if (from_g2 != 0) {
    const Bytes bytes = from_g2 * layout_.block();
    stats_.g2.read += bytes;
    const Duration busy = bytes / config_.g2_bandwidth;
    const Time accepted = in.g2_pipe.serve(now, busy).accepted;
    if (a.g2_start + a.g2_total <= now) {
      a.g2_start = accepted;
      a.g2_total = busy;
    } else {
      a.g2_total = accepted + busy - a.g2_start;
    }
  }
  if (a.load_blocks.size() == loads_before) return;
  a.load_begin = loads_before;
  a.issued = 0;
  a.arrived.resize(a.load_blocks.size() * layout_.groups(), 0);
  a.asked.resize(a.arrived.size());
  for (std::uint32_t& missing : a.remaining) missing += static_cast<std::uint32_t>(a.load_blocks.size() - loads_before);
  issue_loads(now, slot);
}

void Cluster::issue_loads(Time now, Slot slot) {
  Active& a = active_[slot];
  const std::uint64_t blocks = a.load_blocks.size() - a.load_begin;
  while (a.loads_out < config_.max_loads && a.issued < blocks * layout_.groups()) {
    const std::uint64_t index = a.load_begin + a.issued % blocks;
    const auto group = static_cast<std::uint32_t>(a.issued / blocks);
    ++a.issued;
    const std::uint32_t block = a.load_blocks[index];
    if (block >= a.lead) continue;  // a miss has cut the hit before it
    const std::uint64_t object = index * layout_.groups() + group;
    a.asked[object] = now;
    ++a.loads_out;
    loads_.enter(now);
    stats_.most_loads = std::max(stats_.most_loads, loads_.inside());
    store_->load(now, layout_.key(layout_.block_key(a.ids[block]), group), layout_.object(), a.instance, *this, tag_of(slot, object));
  }
}

void Cluster::on_load_done(Time now, std::uint64_t tag, bool hit) {
  const auto slot = static_cast<Slot>(tag >> 32U);
  const std::uint64_t object = tag & 0xffffffffU;
  Active& a = active_[slot];
  const std::uint32_t block = a.load_blocks[object / layout_.groups()];
  --a.loads_out;
  loads_.leave(now, a.asked[object]);
  if (hit) {
    ++stats_.loads_hit;
    stats_.g35.read += layout_.object();
    stats_.load_latency.add(now - a.asked[object]);
    a.arrived[object] = 1;
    if (block < a.lead) --a.remaining[object % layout_.groups()];
  } else {
    ++stats_.loads_missed;
    directory_.lost(layout_.block_key(a.ids[block]));
    if (block < a.lead) cut(slot, block);
  }
  issue_loads(now, slot);
  if (a.waiting && a.remaining[a.group] == 0) next_group(now, slot);
  release_if_over(slot);
}

/// The hit ends at `lead` now: what comes after is computed, in the layers already done too.
void Cluster::cut(Slot slot, std::uint32_t lead) {
  Active& a = active_[slot];
  const std::uint64_t before = cached_tokens(a);
  a.lead = lead;
  if (!a.missed) ++stats_.recomputed;
  a.missed = true;
  const std::uint64_t more = before - cached_tokens(a);
  a.queued += more;
  instances_[a.instance].queued_tokens += more;
  for (std::uint32_t g = 0; g < layout_.groups(); ++g) {
    std::uint32_t missing = 0;
    for (std::size_t i = 0; i < a.load_blocks.size() && a.load_blocks[i] < lead; ++i)
      missing += a.arrived[i * layout_.groups() + g] == 0 ? 1U : 0U;
    a.remaining[g] = missing;
  }
  if (!a.started) return;
  const Duration whole = roofline_.prefill(a.request->input_tokens, cached_tokens(a));
  const std::uint32_t computed = a.group + (a.computing ? 1U : 0U);
  a.debt += share(whole, computed) - share(a.whole, computed);
  a.whole = whole;
}

void Cluster::on_evicted(Time /*now*/, const ObjectKey& key) {
  ++stats_.evictions;
  directory_.lost(key.high);
}

}  // namespace flashpath::serving

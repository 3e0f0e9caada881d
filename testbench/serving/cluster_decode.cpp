// SPDX-License-Identifier: Apache-2.0
// Decode: a batch makes one token each per step. One event per change of the batch, none per token.
//
//   since                              boundary
//     |--step--|--step--|--step--|--step--|      the batch, and with it the step, is constant in between
//                    ^ a newcomer joins at the next step: the boundary moves forward to it
//
// A request counts with its mean context, input + output/2, from joining to leaving: the sum over its life is
// that of the growing context, and the step is constant between changes.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "serving/cluster.h"

namespace flashpath::serving {

void Cluster::join_batch(Time now, Slot slot) {
  const Active& a = active_[slot];
  if (a.request->output_tokens <= 1) {  // the first token was the last
    finish(now, slot);
    return;
  }
  Instance& in = instances_[a.instance];
  in.decode_queue.push_back(slot);
  if (in.batch.empty()) {
    if (in.boundary != now) post_boundary(now, a.instance);
    return;
  }
  if (in.batch.size() >= config_.max_batch) return;
  const auto made = ceil_div(static_cast<std::uint64_t>((now - in.since).count()), static_cast<std::uint64_t>(in.step.count()));
  const Time next = in.since + static_cast<std::int64_t>(made) * in.step;
  if (next < in.boundary) post_boundary(next, a.instance);
}

void Cluster::post_boundary(Time at, std::uint32_t instance) {
  Instance& in = instances_[instance];
  in.boundary = at;
  agenda_.post<&Cluster::batch_boundary>(at, this, instance, ++in.generation);
}

void Cluster::batch_boundary(Time now, std::uint64_t instance, std::uint64_t generation) {
  Instance& in = instances_[instance];
  if (generation != in.generation) return;  // the boundary has moved
  ++stats_.decode_segments;
  if (!in.batch.empty()) in.steps += static_cast<std::uint64_t>((now - in.since) / in.step);
  in.since = now;
  in.boundary = never;
  while (!in.batch.empty() && in.batch.top().last_step <= in.steps) {
    const Decoding d = in.batch.top();
    in.batch.pop();
    in.context -= d.context;
    finish(now, d.slot);
  }
  while (in.batch.size() < config_.max_batch && !in.decode_queue.empty()) {
    const Slot slot = in.decode_queue.front();
    in.decode_queue.pop_front();
    const replay::Request& r = *active_[slot].request;
    const std::uint64_t context = r.input_tokens + r.output_tokens / 2U;
    in.batch.push({in.steps + r.output_tokens - 1U, order_++, slot, context});
    in.context += context;
  }
  if (in.batch.empty()) return;
  in.step = config_.decode_overhead + roofline_.decode_step(in.batch.size(), in.context);
  post_boundary(now + static_cast<std::int64_t>(in.batch.top().last_step - in.steps) * in.step, static_cast<std::uint32_t>(instance));
}

void Cluster::finish(Time now, Slot slot) {
  Active& a = active_[slot];
  --instances_[a.instance].in_flight;
  requests_.leave(now, a.arrival);
  ++stats_.finished;
  stats_.output_tokens += a.request->output_tokens;
  stats_.e2e.add(now - a.arrival);
  RequestRecord& r = a.record;
  if (a.request->output_tokens > 1) {
    r.tpot = (now - a.first_token) / static_cast<std::int64_t>(a.request->output_tokens - 1U);
    stats_.tpot.add(r.tpot);
  }
  r.line = a.request->line;
  r.instance = a.instance;
  r.arrival = a.arrival;
  r.input_tokens = a.request->input_tokens;
  r.output_tokens = a.request->output_tokens;
  r.queue = a.queue;
  r.prefill = a.prefill;
  r.load_wait = a.load_wait;
  r.ttft = a.first_token - a.arrival;
  r.e2e = now - a.arrival;
  if (finished_) finished_(r);
  a.finished = true;
  release_if_over(slot);
}

void Cluster::check(Laws& laws, Time now) const {
  laws.about("serving");
  const std::uint64_t object = layout_.object().count;
  laws.equal("requests arrived", stats_.arrived.value, "finished + in flight", stats_.finished.value + requests_.inside());
  laws.equal("loads asked", loads_.entered(), "hit + missed + in flight",
             stats_.loads_hit.value + stats_.loads_missed.value + loads_.inside());
  laws.equal("stores sent", stores_.entered(), "kept + refused + in flight",
             stats_.stores_kept.value + stats_.stores_refused.value + stores_.inside());
  laws.equal("bytes loaded", stats_.g35.read.value, "objects loaded x size", Wide{stats_.loads_hit.value} * object);
  laws.equal("bytes stored", stats_.g35.written.value, "objects sent x size", Wide{stores_.entered()} * object);
  laws.equal("tokens of prompts", stats_.input_tokens.value, "computed + found in g1, g2 and g35",
             Wide{stats_.computed_tokens.value} + stats_.g1.tokens.value + stats_.g2.tokens.value + stats_.g35.tokens.value);
  laws.expect(stats_.prefill.utilisation(now - begin_) <= 1.0, "prefill was busy for longer than there was time");
  requests_.check(laws, "requests", now);
  loads_.check(laws, "loads", now);
  stores_.check(laws, "stores", now);
  if (!done()) return;
  std::uint64_t left = 0;
  for (const Instance& in : instances_)
    left += in.in_flight + in.queued_tokens + in.prefill_queue.size() + in.store_jobs.size() + in.stores_out + in.batch.size() +
            in.decode_queue.size() + in.context;
  laws.equal("work left on the instances", left, "none, all being done", 0);
  laws.equal("slots in use", active_.size(), "slots free", free_.size());
}

void Cluster::describe(Stall& stall) const {
  stall.about("serving");
  std::uint64_t queued = 0, decoding = 0, loading = 0;
  for (const Instance& in : instances_) {
    queued += in.prefill_queue.size();
    decoding += in.decode_queue.size();
    loading += in.prefilling != none && active_[in.prefilling].waiting ? 1U : 0U;
  }
  stall.waits(end_ - next_, "requests", "their arrival");
  stall.waits(queued, "requests", "prefill of the one before");
  stall.waits(loading, "prefills", "loads from the flash tier");
  stall.waits(loads_.inside(), "loads", "the flash tier");
  stall.waits(decoding, "requests", "a place in a decode batch");
  stall.waits(stores_.inside(), "stores", "the flash tier");
  stall.waits(stores_waiting_, "stores", "a place in the instance's window of stores");
}

std::string RequestRecord::csv_header() {
  return "line,instance,arrival_us,input_tokens,output_tokens,g1_tokens,g2_tokens,g35_tokens,queue_us,prefill_us,load_wait_us,ttft_us,tpot_"
         "us,e2e_us";
}

std::string RequestRecord::csv() const {
  const auto us = [](Duration d) { return fmt::format("{}.{:06}", d.count() / 1'000'000, d.count() % 1'000'000); };
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{}", line, instance, us(arrival.time_since_epoch()), input_tokens,
                     output_tokens, g1_tokens, g2_tokens, g35_tokens, us(queue), us(prefill), us(load_wait), us(ttft), us(tpot), us(e2e));
}

}  // namespace flashpath::serving

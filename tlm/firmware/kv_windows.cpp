// SPDX-License-Identifier: Apache-2.0
// The data of a request, window by window: frames, flash, network.
#include <algorithm>

#include "firmware/kv_service.h"

namespace flashpath::firmware {

using cores::CoreContext;
using cores::Task;

std::uint32_t KvService::take_window() {
  if (free_windows_.empty()) {
    free_windows_.push_back(static_cast<std::uint32_t>(windows_.size()));
    windows_.push_back(std::make_unique<Window>());
    windows_.back()->frames.reserve(config_.window);
  }
  const std::uint32_t w = free_windows_.back();
  free_windows_.pop_back();
  return w;
}

/// Object bytes before extent `extent`; the last extent may be short.
std::uint64_t KvService::bytes_before(const Request& request, std::uint64_t extent) const {
  return std::min(request.size, extent * config_.frame.count);
}

/// On to the object's next extent.
void KvService::next(Place& p) const {
  const std::uint32_t after = store_->extents().after(p.drive, p.epoch);
  p.slab = store_->extents().next(p.drive, p.slab);
  if (p.mirror != none) p.mirror = store_->extents().next(after, p.mirror);
  p.drive = after;
}

/// Starts as many windows as may be in flight and have frames.
void KvService::advance(CoreContext& ctx, std::uint32_t r) {
  Request& request = *requests_[r];
  while (request.windows < config_.windows && request.planned < request.extents && !request.waiting && request.status == KvStatus::ok) {
    const std::uint32_t w = take_window();
    Window& window = *windows_[w];
    window.request = r;
    window.first = request.planned;
    window.extents = static_cast<std::uint32_t>(std::min<std::uint64_t>(config_.window, request.extents - request.planned));
    window.failed = false;
    window.frames.clear();
    window.drive = request.drive;
    window.slab = request.slab;
    window.mirror = request.mirror;
    request.planned += window.extents;
    ++request.windows;
    Place place{request.drive, request.slab, request.mirror, request.epoch};
    for (std::uint32_t i = 0; i < window.extents; ++i) next(place);
    request.drive = place.drive;
    request.slab = place.slab;
    request.mirror = place.mirror;
    ctx.cycles(config_.plan_cycles);
    journey(request).mark(Stage::firmware, ctx.now());
    if (!staging_.take(window.extents, w, ctx.now(), window.frames)) {
      request.waiting = true;
      return;
    }
    launch(ctx, w);
  }
}

void KvService::granted(std::uint64_t w, std::span<const std::uint32_t> frames, Time now) {
  Window& window = *windows_[w];
  window.frames.assign(frames.begin(), frames.end());
  journey(*requests_[window.request]).mark(Stage::staging_wait, now);
  cores_.submit(cores::CoreId{requests_[window.request]->core}, Task::of<&KvService::resume>(this, w), now);
}

void KvService::resume(CoreContext& ctx, std::uint64_t w) {
  const std::uint32_t r = windows_[w]->request;
  Request& request = *requests_[r];
  journey(request).mark(Stage::core_wait, ctx.now());
  request.waiting = false;
  if (request.status == KvStatus::ok) {
    launch(ctx, static_cast<std::uint32_t>(w));
    advance(ctx, r);
  } else {  // it failed meanwhile
    windows_[w]->failed = true;
    window_done(ctx, static_cast<std::uint32_t>(w));
  }
  tell_drives(ctx);
  driver_.ring(ctx);
}

void KvService::launch(CoreContext& ctx, std::uint32_t w) {
  const bool storing = requests_[windows_[w]->request]->capsule.opcode == fabric::Opcode::store;
  if (storing) network(ctx, w, fabric::WorkOp::rdma_read);
  else flash(ctx, w, Kind::read);
}

namespace {
// A command's tag: its window below, the extent within it, whether it is the second copy's, and whether the other one has failed.
constexpr unsigned extent_shift = 32, copy_bit = 62, again_bit = 63;
}  // namespace

/// Extent i of the window, to or from one of its copies.
void KvService::command(CoreContext& ctx, std::uint32_t w, std::uint32_t i, const Place& place, Kind kind, unsigned copy, bool again) {
  const Window& window = *windows_[w];
  const Request& request = *requests_[window.request];
  const std::uint32_t drive = copy == 0 ? place.drive : store_->extents().after(place.drive, place.epoch);
  const std::uint64_t lba = driver_.drive(drive).lba.count;
  const std::uint64_t bytes = bytes_before(request, window.first + i + 1) - bytes_before(request, window.first + i);
  driver_.submit(ctx, {.kind = kind,
                       .drive = drive,
                       .lba = (copy == 0 ? place.slab : place.mirror) * (config_.frame.count / lba),
                       .blocks = static_cast<std::uint32_t>(ceil_div(bytes, lba)),
                       .buffer = staging_.address_of(window.frames[i]),
                       .done = Done::to<&KvService::flash_done>(this),
                       .tag = w | std::uint64_t{i} << extent_shift | std::uint64_t{copy} << copy_bit | std::uint64_t{again} << again_bit,
                       .handle = request.handle});
}

/// One NVMe command per extent; writes: and copy.
void KvService::flash(CoreContext& ctx, std::uint32_t w, Kind kind) {
  Window& window = *windows_[w];
  Place place{window.drive, window.slab, window.mirror, requests_[window.request]->epoch};
  const bool mirrored = window.mirror != none;
  window.remaining = kind == Kind::write && mirrored ? 2 * window.extents : window.extents;
  for (std::uint32_t i = 0; i < window.extents; ++i, next(place)) {
    const bool other = kind == Kind::read && mirrored && store_->extents().lost(place.drive);
    if (other) ++other_copy_;
    command(ctx, w, i, place, kind, other ? 1 : 0);
    if (kind == Kind::write && mirrored) command(ctx, w, i, place, kind, 1);
  }
}

/// A write to a lost drive leaves the other copy; whether that is enough is seen when the object is committed.
bool KvService::excused(const Completed& completed) const {
  const Window& window = *windows_[static_cast<std::uint32_t>(completed.tag)];
  return window.mirror != none && requests_[window.request]->capsule.opcode == fabric::Opcode::store &&
         store_->extents().lost(completed.drive);
}

/// A failed read is tried once more from the other copy, if that is there.
bool KvService::read_other_copy(CoreContext& ctx, const Completed& completed) {
  const auto w = static_cast<std::uint32_t>(completed.tag);
  const Window& window = *windows_[w];
  const Request& request = *requests_[window.request];
  const bool again = (completed.tag >> again_bit) != 0;
  if (window.mirror == none || again || request.capsule.opcode != fabric::Opcode::retrieve || request.status != KvStatus::ok) return false;
  const auto i = static_cast<std::uint32_t>(completed.tag >> extent_shift & 0x3fffffffU);
  const auto copy = static_cast<unsigned>(completed.tag >> copy_bit & 1U);
  Place place{window.drive, window.slab, window.mirror, request.epoch};
  for (std::uint32_t k = 0; k < i; ++k) next(place);
  if (store_->extents().lost(copy == 1 ? place.drive : store_->extents().after(place.drive, place.epoch))) return false;
  ++other_copy_;
  command(ctx, w, i, place, Kind::read, 1 - copy, true);
  return true;
}

void KvService::flash_done(CoreContext& ctx, const Completed& completed) {
  const auto w = static_cast<std::uint32_t>(completed.tag);
  Window& window = *windows_[w];
  Request& request = *requests_[window.request];
  if (!completed.ok() && !excused(completed)) {
    if (read_other_copy(ctx, completed)) return;
    window.failed = true;
    request.status = KvStatus::unrecovered_error;
  }
  if (--window.remaining != 0) return;

  Journey& trip = journey(request);  // the last command of the window is its critical path
  trip.mark(Stage::firmware, completed.submitted);
  if (drive_journey_) {
    if (const Journey* inside = drive_journey_(completed.drive, completed.qid, completed.cid); inside != nullptr) {
      trip.mark(Stage::submit, inside->begin());
      Time at = inside->begin();
      for (std::size_t s = 0; s < stage_count; ++s) trip.mark(static_cast<Stage>(s), at += (*inside)[static_cast<Stage>(s)]);
    }
  }
  trip.mark(Stage::completion, ctx.now());

  if (request.capsule.opcode == fabric::Opcode::retrieve && !window.failed) {
    network(ctx, w, fabric::WorkOp::rdma_write);
    request.moved += window.extents;
    if (request.moved == request.extents && request.status == KvStatus::ok) respond(ctx, window.request);
    return;
  }
  window_done(ctx, w);
}

void KvService::post(CoreContext& ctx, const fabric::WorkRequest& wr) {
  ctx.post_value(bus::nic_base + ctx.core().value * fabric::reg::page_size + fabric::reg::work_request, wr);
  ++work_requests_;
}

/// One work request per run of frames with consecutive numbers.
void KvService::network(CoreContext& ctx, std::uint32_t w, fabric::WorkOp op) {
  Window& window = *windows_[w];
  Request& request = *requests_[window.request];
  window.remaining = 0;
  for (std::uint32_t i = 0; i < window.extents;) {
    std::uint32_t end = i + 1;
    while (end < window.extents && window.frames[end] == window.frames[end - 1] + 1) ++end;
    fabric::WorkRequest wr;
    wr.op = op;
    wr.flags = fabric::signalled;
    wr.connection = request.capsule.connection;
    wr.local = staging_.address_of(window.frames[i]);
    const std::uint64_t from = bytes_before(request, window.first + i);
    wr.remote = request.capsule.remote + from;
    wr.length = bytes_before(request, window.first + end) - from;
    wr.wr_id = w;
    wr.trace = request.capsule.trace;
    ctx.cycles(config_.rdma_cycles);
    journey(request).mark(Stage::firmware, ctx.now());
    post(ctx, wr);
    ++window.remaining;
    i = end;
  }
}

void KvService::network_done(CoreContext& ctx, const fabric::Completion& completion) {
  const auto w = static_cast<std::uint32_t>(completion.wr_id);
  if (completion.status != fabric::WorkStatus::ok) ++rdma_errors_;
  if (completion.op == fabric::WorkOp::send) return;  // only a failed response completes: nobody is left to tell
  Window& window = *windows_[w];
  Request& request = *requests_[window.request];
  if (completion.status != fabric::WorkStatus::ok) {
    window.failed = true;
    if (!request.answered) request.status = KvStatus::data_transfer_error;
  }
  if (--window.remaining != 0) return;
  if (request.capsule.opcode == fabric::Opcode::store) {
    journey(request).mark(Stage::fabric, ctx.now());
    if (!window.failed && request.status == KvStatus::ok) return flash(ctx, w, Kind::write);
  }
  window_done(ctx, w);
}

/// Its frames are free again; goes on with the request, answers it, or lets it go.
void KvService::window_done(CoreContext& ctx, std::uint32_t w) {
  Window& window = *windows_[w];
  const std::uint32_t r = window.request;
  Request& request = *requests_[r];
  if (request.capsule.opcode == fabric::Opcode::store) request.moved += window.extents;
  --request.windows;
  free_windows_.push_back(w);
  staging_.give(window.frames, ctx.now());
  if (request.answered) {
    if (request.windows == 0) retire(ctx, r);
    return;
  }
  if (request.status != KvStatus::ok) {
    if (request.windows == 0) respond(ctx, r);
    return;
  }
  if (request.capsule.opcode == fabric::Opcode::store && request.moved == request.extents) return respond(ctx, r);
  advance(ctx, r);
}

}  // namespace flashpath::firmware

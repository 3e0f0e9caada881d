// SPDX-License-Identifier: Apache-2.0
// Capsules, look-up, responses. Windows of data: kv_windows.cpp.
#include "firmware/kv_service.h"

#include <algorithm>
#include <cstring>

namespace flashpath::firmware {

using cores::CoreContext;
using cores::Task;
using stats::Unit;

KvService::KvService(const Config& config, cores::Model& cores, Driver& driver, ControlMemory& memory, stats::Group& group,
                     fabric::Journeys* journeys)
    : config_{config},
      cores_{cores},
      driver_{driver},
      journeys_{journeys},
      rings_(config.cores),
      staging_{config, group, Staging::Granted::to<&KvService::granted>(this)},
      handles_{config},
      requests_in_{group, "requests", Unit::count, "capsules taken"},
      responses_{group, "responses", Unit::count, "responses posted"},
      hits_{group, "hits", Unit::count, "retrieves that found their key"},
      misses_{group, "misses", Unit::count, "retrieves that did not"},
      stored_{group, "stored", Unit::count, "objects stored"},
      refused_{group, "refused", Unit::count, "stores refused: exists, no space, bad size"},
      failed_{group, "failed", Unit::count, "requests answered with a device or network error"},
      evicted_{group, "evicted", Unit::count, "objects evicted"},
      lost_{group, "lost", Unit::count, "objects lost with a drive"},
      lost_bytes_{group, "lost_bytes", Unit::byte, "their bytes"},
      degraded_{group, "degraded", Unit::count, "mirrored objects left with one copy of a part when a drive was lost"},
      other_copy_{group, "other_copy", Unit::count, "extents read from their second copy, or once more from the other one"},
      deallocated_{group, "deallocated", Unit::count, "extents the drives were told of"},
      bytes_out_{group, "bytes_out", Unit::byte, "object bytes retrieved"},
      bytes_in_{group, "bytes_in", Unit::byte, "object bytes stored"},
      work_requests_{group, "work_requests", Unit::count, "work requests posted to the NIC"},
      rdma_errors_{group, "rdma_errors", Unit::count, "work requests that failed"},
      retrieve_{group, "retrieve", "successful retrieve: capsule taken to response posted"},
      store_time_{group, "store", "successful store: capsule taken to response posted"} {
  receive_bytes_ = config.receive_entries * sizeof(fabric::Capsule);
  stride_ = align_up(receive_bytes_ + config.completion_entries * sizeof(fabric::Completion), 4096);
  base_ = memory.take(stride_ * config.cores, 4096);
  for (std::uint32_t core = 0; core < config.cores; ++core) {
    rings_[core].receive = base_ + core * stride_;
    rings_[core].completion = rings_[core].receive + receive_bytes_;
  }
  for (std::size_t s = 0; s < stage_count; ++s) {
    stage_counters_.push_back(std::make_unique<stats::Counter>(group, name_of(static_cast<Stage>(s)), Unit::picosecond,
                                                               "time of answered requests in this stage"));
  }
}

void KvService::start(CoreContext& ctx, UserErrors& errors) {
  std::vector<std::uint64_t> slabs;
  for (std::uint32_t d = 0; d < driver_.drives(); ++d) {
    const DriveInfo& info = driver_.drive(d);
    const std::string drive = "drive " + std::to_string(d) + ": ";
    if (!info.ready) {
      errors.add(drive + info.failure);
      continue;
    }
    if (config_.frame > info.max_transfer)
      errors.add(drive + "firmware.frame is larger than its maximum transfer of " + std::to_string(info.max_transfer.count) + " B");
    if (config_.frame % info.lba != Bytes{0}) errors.add(drive + "firmware.frame is not a multiple of its block");
    const Bytes all = info.blocks * info.lba;
    slabs.push_back((config_.drive_capacity.count == 0 ? all : std::min(all, config_.drive_capacity)) / config_.frame);
    if (slabs.back() == 0)
      errors.add(drive + "the store's part of it is smaller than one frame of " + print(config_.frame) +
                 ": raise firmware.drive_capacity or ftl.capacity");
  }
  if (!errors.empty()) return;
  store_.emplace(config_, slabs, config_.deallocate ? KvStore::Freed::to<&KvService::freed>(this) : KvStore::Freed{});
  serving_cores_ = driver_.cores_ready();
  cores_.use(serving_cores_);
  for (std::uint32_t core = 0; core < serving_cores_; ++core)
    cores_.submit(cores::CoreId{core}, Task::of<&KvService::announce>(this, core), ctx.now());
}

void KvService::announce(CoreContext& ctx, std::uint64_t core) {
  const std::uint64_t page = bus::nic_base + core * fabric::reg::page_size;
  ctx.post_value(page + fabric::reg::completion_base, rings_[core].completion);
  ctx.post_value(page + fabric::reg::completion_entries, std::uint64_t{config_.completion_entries});
  ctx.post_value(page + fabric::reg::receive_base, rings_[core].receive);
  ctx.post_value(page + fabric::reg::receive_entries, std::uint64_t{config_.receive_entries});
  ++announced_;
}

void KvService::written(std::uint64_t address, Time now) {
  const std::uint64_t core = (address - base_) / stride_;
  CoreRings& ring = rings_[core];
  const bool receive = address < ring.completion;
  ++(receive ? ring.receive_unseen : ring.completion_unseen);
  bool& pending = receive ? ring.receive_poll : ring.completion_poll;
  if (pending) return;
  pending = true;
  const cores::CoreId id{static_cast<std::uint32_t>(core)};
  if (receive) cores_.submit(id, Task::of<&KvService::poll_receive>(this, core), now);
  else cores_.submit(id, Task::of<&KvService::poll_completion>(this, core), now);
}

std::uint32_t KvService::take_request() {
  if (free_requests_.empty()) {
    free_requests_.push_back(static_cast<std::uint32_t>(requests_.size()));
    requests_.push_back(std::make_unique<Request>());
  }
  const std::uint32_t r = free_requests_.back();
  free_requests_.pop_back();
  return r;
}

void KvService::poll_receive(CoreContext& ctx, std::uint64_t core) {
  CoreRings& ring = rings_[core];
  ring.receive_poll = false;
  ctx.cycles(config_.poll_cycles);
  for (std::uint64_t n = std::min<std::uint64_t>(ring.receive_unseen, config_.poll_batch); n > 0; --n) {
    const std::uint32_t r = take_request();
    Request& request = *requests_[r];
    const Time found = ctx.now();
    ctx.load_value(ring.receive + (ring.received % config_.receive_entries) * sizeof(fabric::Capsule), request.capsule);
    if (request.capsule.sequence != static_cast<std::uint32_t>(ring.received + 1)) {
      free_requests_.push_back(r);
      break;
    }
    ++ring.received;
    --ring.receive_unseen;
    ++requests_in_;
    flow_.enter(ctx.begin());
    request.core = static_cast<std::uint32_t>(core);
    request.object = KvStore::none;
    request.handle = Handles::none;
    request.status = KvStatus::ok;
    request.answered = request.waiting = false;
    request.size = request.extents = request.planned = request.moved = 0;
    request.windows = 0;
    request.begun = ctx.begin();
    request.own = Journey{ctx.begin()};
    journey(request).mark(Stage::core_wait, found);
    handle(ctx, r);
  }
  if (ring.received - ring.received_told >= std::max(1U, config_.receive_entries / 4)) {
    ring.received_told = ring.received;
    ctx.post_value(bus::nic_base + core * fabric::reg::page_size + fabric::reg::receive_consumed, ring.received);
  }
  tell_drives(ctx);
  driver_.ring(ctx);
  if (ring.receive_unseen != 0 && !ring.receive_poll) {
    ring.receive_poll = true;
    cores_.submit(ctx.core(), Task::of<&KvService::poll_receive>(this, core), ctx.now());
  }
}

void KvService::poll_completion(CoreContext& ctx, std::uint64_t core) {
  CoreRings& ring = rings_[core];
  ring.completion_poll = false;
  ctx.cycles(config_.poll_cycles);
  for (std::uint64_t n = std::min<std::uint64_t>(ring.completion_unseen, config_.poll_batch); n > 0; --n) {
    fabric::Completion completion;
    ctx.load_value(ring.completion + (ring.completed % config_.completion_entries) * sizeof completion, completion);
    if (completion.sequence != static_cast<std::uint32_t>(ring.completed + 1)) break;
    ++ring.completed;
    --ring.completion_unseen;
    ctx.cycles(config_.rdma_completion_cycles);
    network_done(ctx, completion);
  }
  if (ring.completed - ring.completed_told >= std::max(1U, config_.completion_entries / 4)) {
    ring.completed_told = ring.completed;
    ctx.post_value(bus::nic_base + core * fabric::reg::page_size + fabric::reg::completion_consumed, ring.completed);
  }
  tell_drives(ctx);
  driver_.ring(ctx);
  if (ring.completion_unseen != 0 && !ring.completion_poll) {
    ring.completion_poll = true;
    cores_.submit(ctx.core(), Task::of<&KvService::poll_completion>(this, core), ctx.now());
  }
}

void KvService::handle(CoreContext& ctx, std::uint32_t r) {
  Request& request = *requests_[r];
  ctx.cycles(config_.parse_cycles + config_.lookup_cycles);
  ctx.touch(store_->bucket_address(request.capsule.key), 64_B);
  const ObjectId object = store_->find(request.capsule.key);
  if (object != KvStore::none) ctx.touch(store_->entry_address(object), 64_B);
  const auto answer = [&](KvStatus status) {
    request.status = status;
    respond(ctx, r);
  };
  switch (request.capsule.opcode) {
    case fabric::Opcode::retrieve: return retrieve(ctx, r, object);
    case fabric::Opcode::store: return store_object(ctx, r);
    case fabric::Opcode::exist:
      if (object != KvStore::none) request.size = store_->size_of(object).count;
      return answer(object == KvStore::none ? KvStatus::key_not_found : KvStatus::ok);
    case fabric::Opcode::remove: return answer(store_->remove(request.capsule.key) ? KvStatus::ok : KvStatus::key_not_found);
    default: return answer(KvStatus::invalid_opcode);
  }
}

void KvService::retrieve(CoreContext& ctx, std::uint32_t r, ObjectId object) {
  Request& request = *requests_[r];
  if (object == KvStore::none) {
    ++misses_;
    request.status = KvStatus::key_not_found;
    return respond(ctx, r);
  }
  ++hits_;
  request.size = store_->size_of(object).count;
  if (request.capsule.size < request.size) {
    request.status = KvStatus::invalid_value_size;
    return respond(ctx, r);
  }
  store_->pin(object);
  request.object = object;
  request.extents = store_->extents_of(object);
  request.drive = store_->drive_of(object);
  request.epoch = store_->epoch_of(object);
  request.slab = store_->first_slab(object);
  request.mirror = store_->mirror_slab(object);
  advance(ctx, r);
}

void KvService::store_object(CoreContext& ctx, std::uint32_t r) {
  Request& request = *requests_[r];
  const StoreResult result = store_->begin_store(request.capsule.key, {request.capsule.size}, request.object);
  evicted_.value = store_->evictions();
  if (result != StoreResult::ok) {
    ++refused_;
    request.object = KvStore::none;
    request.status = result == StoreResult::exists     ? KvStatus::key_exists
                     : result == StoreResult::no_space ? KvStatus::no_space
                                                       : KvStatus::invalid_value_size;
    return respond(ctx, r);
  }
  request.size = request.capsule.size;
  request.extents = store_->extents_of(request.object);
  request.drive = store_->drive_of(request.object);
  request.epoch = store_->epoch_of(request.object);
  request.slab = store_->first_slab(request.object);
  request.mirror = store_->mirror_slab(request.object);
  request.handle = handles_.take(request.capsule.connection);
  advance(ctx, r);
}

Journey& KvService::journey(Request& request) {
  Journey* kept = journeys_ != nullptr ? journeys_->find(request.capsule.trace) : nullptr;
  return kept != nullptr ? *kept : request.own;
}

void KvService::respond(CoreContext& ctx, std::uint32_t r) {
  Request& request = *requests_[r];
  request.answered = true;
  const bool storing = request.capsule.opcode == fabric::Opcode::store;
  if (storing && request.object != KvStore::none && request.status == KvStatus::ok && !store_->intact(request.object))
    request.status = KvStatus::unrecovered_error;  // written, and lost before the rest was
  if (request.object != KvStore::none && request.status == KvStatus::ok) {
    if (storing) {
      store_->commit(request.object);
      std::array<unsigned char, 64> line{};
      ctx.store(store_->entry_address(request.object), line);
      ++stored_;
      bytes_in_ += request.size;
      request.object = KvStore::none;
    } else {
      bytes_out_ += request.size;
    }
  }
  ctx.cycles(config_.rdma_cycles);
  fabric::WorkRequest wr;
  wr.op = fabric::WorkOp::send;
  wr.status = static_cast<std::uint16_t>(request.status);
  wr.connection = request.capsule.connection;
  wr.command = request.capsule.command;
  wr.size = request.size;
  wr.trace = request.capsule.trace;
  Journey& trip = journey(request);
  trip.mark(Stage::firmware, ctx.now());
  const Time start = trip.begin();
  for (std::size_t s = 0; s < stage_count; ++s) {
    const Duration d = trip[static_cast<Stage>(s)];
    stages_[s] += static_cast<Wide>(d.count());
    *stage_counters_[s] += d;
  }
  total_ += static_cast<Wide>((trip.at() - start).count());
  if (request.status == KvStatus::ok && request.size != 0 && request.capsule.opcode != fabric::Opcode::exist)
    (storing ? store_time_ : retrieve_).add(ctx.now() - request.begun);
  if (request.status == KvStatus::unrecovered_error || request.status == KvStatus::data_transfer_error) ++failed_;
  post(ctx, wr);
  ++responses_;
  request.capsule.trace = 0;  // the NIC has it back
  if (request.windows == 0) retire(ctx, r);
}

/// Nothing is left of the request: its object is let go, its place is free.
void KvService::retire(CoreContext& ctx, std::uint32_t r) {
  Request& request = *requests_[r];
  if (request.object != KvStore::none) {
    if (request.capsule.opcode == fabric::Opcode::store) store_->abort(request.object);
    else store_->unpin(request.object);
  }
  handles_.give(request.handle);
  flow_.leave(ctx.begin(), request.begun);
  free_requests_.push_back(r);
}

void KvService::drive_lost(std::uint32_t drive, Time now) {
  if (!store_) return;
  if (store_->extents().lost(drive)) return;
  const std::uint64_t objects = store_->lost(), degraded = store_->degraded();
  const Bytes bytes = store_->lost_bytes();
  store_->lose(drive);
  losses_.push_back({drive, now, store_->lost() - objects, store_->lost_bytes() - bytes, store_->degraded() - degraded});
  lost_.value = store_->lost();
  lost_bytes_.value = store_->lost_bytes().count;
  degraded_.value = store_->degraded();
}

bool KvService::freed(ObjectId object) {
  to_tell_.push_back(object);
  return true;
}

/// One Dataset Management command per extent (and copy) of each object that has left.
void KvService::tell_drives(CoreContext& ctx) {
  while (!to_tell_.empty()) {
    const ObjectId object = to_tell_.back();
    to_tell_.pop_back();
    if (free_leaving_.empty()) {
      free_leaving_.push_back(static_cast<std::uint32_t>(leaving_.size()));
      leaving_.emplace_back();
    }
    const std::uint32_t index = free_leaving_.back();
    free_leaving_.pop_back();
    const std::uint64_t n = store_->extents_of(object);
    Place place{store_->drive_of(object), store_->first_slab(object), store_->mirror_slab(object), store_->epoch_of(object)};
    leaving_[index] = {object, place.mirror == none ? n : 2 * n};
    const auto tell = [&](std::uint32_t drive, std::uint32_t slab) {
      const auto blocks = static_cast<std::uint32_t>(config_.frame / driver_.drive(drive).lba);
      ++deallocated_;
      driver_.submit(ctx, {.kind = Kind::deallocate,
                           .drive = drive,
                           .lba = std::uint64_t{slab} * blocks,
                           .blocks = blocks,
                           .done = Done::to<&KvService::deallocated>(this),
                           .tag = index});
    };
    for (std::uint64_t i = 0; i < n; ++i, next(place)) {
      tell(place.drive, place.slab);
      if (place.mirror != none) tell(store_->extents().after(place.drive, place.epoch), place.mirror);
    }
  }
}

void KvService::deallocated(CoreContext&, const Completed& completed) {
  Leaving& leaving = leaving_[completed.tag];  // a refusal changes nothing: the space is only not told
  if (--leaving.remaining != 0) return;
  store_->deallocated(leaving.object);
  free_leaving_.push_back(static_cast<std::uint32_t>(completed.tag));
}

void KvService::check(Laws& laws, Time now) const {
  laws.equal("capsules taken", requests_in_.value, "retired + in flight", flow_.left() + (requests_.size() - free_requests_.size()));
  laws.expect(responses_.value <= requests_in_.value, "more responses than requests");
  Wide sum = 0;
  for (const Wide s : stages_) sum += s;
  laws.equal("stages of all answered requests (ps)", sum, "their time (ps)", total_);
  flow_.check(laws, "requests", now);
  staging_.check(laws);
  if (store_) store_->check(laws);
}

void KvService::explain(Stall& stall) const {
  stall.waits(flow_.inside(), "object requests", "drives, network or frames");
  staging_.explain(stall);
}

}  // namespace flashpath::firmware

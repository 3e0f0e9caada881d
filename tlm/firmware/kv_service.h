// SPDX-License-Identifier: Apache-2.0
// The object service: capsules in, data through staging frames, responses out. One instance, run by all serving cores.
//
//   retrieve  capsule ─ parse, look up ─▶ window of frames ─▶ NVMe reads ─(all there)─▶ RDMA writes, frames back when done
//                                          … next windows …                      after the last one is posted: response
//   store     capsule ─ parse, admit ─▶ window of frames ─▶ RDMA reads ─(all there)─▶ NVMe writes ─▶ frames back
//                                          … next windows …                      when all is written: commit, response
//
// A window is `window` frames; an object has up to `windows` of them in flight, so that a large object needs few frames
// and overlaps flash with network. Frames are granted first come, first served. A request waits for at most one window
// of frames and gives back what it has without waiting, so frames cannot deadlock. Frames with consecutive numbers move
// by one work request. An RDMA write's response follows it on the same connection, in order, so it is posted at once.
// The core is the one whose receive ring the NIC chose (fabric::core_of); its own queue pairs are used.
// Cycles per request: poll + parse + lookup (+ 1 or 2 loads) + plan per window + per extent the driver's + rdma per work request.
// Races: work is handled in the order in which polls find it; of two stores of one key the second is refused.
// Mirrored objects (redundancy): a window's writes go to both drives and are done when both are; reads go to the first copy, to the
// second if that drive is lost, and once more to the other copy if they fail. A write that only a lost drive refused is no failure.
// Not modelled: other retries of failed commands, tenants, admission by popularity.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "fabric/journeys.h"
#include "fabric/work_request.h"
#include "firmware/handles.h"
#include "firmware/kv_store.h"
#include "firmware/nvme_driver.h"
#include "firmware/staging.h"

namespace flashpath::firmware {

/// Status of a response: NVMe Key Value Command Set 1.0, figure "Status Code"; SCT << 8 | SC.
enum class KvStatus : std::uint16_t {
  ok = 0x000,
  invalid_opcode = 0x001,
  data_transfer_error = 0x004,
  no_space = 0x081,
  invalid_value_size = 0x085,
  key_not_found = 0x087,
  unrecovered_error = 0x088,
  key_exists = 0x089,
};

class KvService {
 public:
  /// A finished NVMe command's journey inside the drive, or nullptr; valid until the next call.
  using DriveJourney = Delegate<const Journey*(std::uint32_t drive, std::uint16_t qid, std::uint16_t cid)>;

  KvService(const Config& config, cores::Model& cores, Driver& driver, ControlMemory& memory, stats::Group& group,
            fabric::Journeys* journeys);

  /// A write to [base, base + size) is a capsule or a NIC completion: call written().
  std::uint64_t watch_base() const { return base_; }
  Bytes watch_size() const { return {stride_ * config_.cores}; }
  void written(std::uint64_t address, Time now);

  /// After the driver's bring-up: lays out the drives and gives the NIC its rings. Mistakes go to `errors`.
  void start(cores::CoreContext& ctx, UserErrors& errors);
  /// All cores' rings have been announced to the NIC.
  bool serving() const { return serving_cores_ != 0 && announced_ == serving_cores_; }
  void drive_journey(DriveJourney source) { drive_journey_ = source; }

  /// The driver has given this drive up.
  void drive_lost(std::uint32_t drive, Time now);
  /// What went with each lost drive, in order.
  struct Loss {
    std::uint32_t drive;
    Time at;
    std::uint64_t objects;
    Bytes bytes;
    std::uint64_t degraded;
  };
  const std::vector<Loss>& losses() const { return losses_; }

  Staging& staging() { return staging_; }
  KvStore* store() { return store_ ? &*store_ : nullptr; }
  std::uint64_t in_flight() const { return flow_.inside(); }
  /// Time of all answered requests by stage; sums exactly to the time they took.
  Wide stage_total(Stage stage) const { return stages_[static_cast<std::size_t>(stage)]; }

  void check(Laws& laws, Time now) const;
  void explain(Stall& stall) const;

 private:
  static constexpr std::uint32_t none = 0xffffffffU;
  struct Request {
    fabric::Capsule capsule;
    std::uint32_t core = 0;
    ObjectId object = KvStore::none;
    KvStatus status = KvStatus::ok;
    bool answered = false, waiting = false;
    std::uint64_t size = 0, extents = 0;
    std::uint64_t planned = 0, moved = 0;  // extents given to windows; extents whose data has moved on
    std::uint32_t drive = 0, slab = 0;     // of extent `planned`
    std::uint32_t mirror = none;           // slab of its second copy, on the drive after that
    std::uint16_t handle = Handles::none;  // of a store
    std::uint8_t epoch = 0;                // of the extents
    std::uint32_t windows = 0;             // in flight
    Time begun{};
    Journey own;  // where the NIC keeps none
    std::uint32_t next_free = none;
  };
  struct Window {
    std::uint32_t request = 0;
    std::uint64_t first = 0;  // extent
    std::uint32_t extents = 0, remaining = 0;
    std::uint32_t drive = 0, slab = 0, mirror = none;  // of its first extent
    bool failed = false;
    std::vector<std::uint32_t> frames;
  };
  struct CoreRings {
    std::uint64_t receive = 0, completion = 0;  // addresses
    std::uint64_t received = 0, completed = 0;  // entries read
    std::uint64_t received_told = 0, completed_told = 0;
    std::uint64_t receive_unseen = 0, completion_unseen = 0;
    bool receive_poll = false, completion_poll = false;
  };
  struct Leaving {
    ObjectId object = KvStore::none;
    std::uint64_t remaining = 0;
  };

  void announce(cores::CoreContext& ctx, std::uint64_t core);
  void poll_receive(cores::CoreContext& ctx, std::uint64_t core);
  void poll_completion(cores::CoreContext& ctx, std::uint64_t core);
  void handle(cores::CoreContext& ctx, std::uint32_t r);
  void retrieve(cores::CoreContext& ctx, std::uint32_t r, ObjectId object);
  void store_object(cores::CoreContext& ctx, std::uint32_t r);
  void respond(cores::CoreContext& ctx, std::uint32_t r);
  void retire(cores::CoreContext& ctx, std::uint32_t r);
  void tell_drives(cores::CoreContext& ctx);
  bool freed(ObjectId object);
  void deallocated(cores::CoreContext& ctx, const Completed& completed);

  // kv_windows.cpp
  void advance(cores::CoreContext& ctx, std::uint32_t r);
  void granted(std::uint64_t window, std::span<const std::uint32_t> frames, Time now);
  void resume(cores::CoreContext& ctx, std::uint64_t window);
  void launch(cores::CoreContext& ctx, std::uint32_t w);
  /// Where an extent of an object lies: on `drive`, and with a second copy on the next one.
  struct Place {
    std::uint32_t drive, slab, mirror;
    std::uint8_t epoch;
  };
  void next(Place& place) const;
  void flash(cores::CoreContext& ctx, std::uint32_t w, Kind kind);
  void command(cores::CoreContext& ctx, std::uint32_t w, std::uint32_t i, const Place& place, Kind kind, unsigned copy, bool again = false);
  bool excused(const Completed& completed) const;
  bool read_other_copy(cores::CoreContext& ctx, const Completed& completed);
  void network(cores::CoreContext& ctx, std::uint32_t w, fabric::WorkOp op);
  void flash_done(cores::CoreContext& ctx, const Completed& completed);
  void network_done(cores::CoreContext& ctx, const fabric::Completion& completion);
  void window_done(cores::CoreContext& ctx, std::uint32_t w);
  std::uint64_t bytes_before(const Request& request, std::uint64_t extent) const;
  void post(cores::CoreContext& ctx, const fabric::WorkRequest& wr);
  Journey& journey(Request& request);

  std::uint32_t take_request();
  std::uint32_t take_window();

  Config config_;
  cores::Model& cores_;
  Driver& driver_;
  fabric::Journeys* journeys_;
  DriveJourney drive_journey_;
  std::uint64_t base_ = 0, stride_ = 0, receive_bytes_ = 0;
  std::vector<CoreRings> rings_;
  std::uint32_t serving_cores_ = 0, announced_ = 0;
  Staging staging_;
  std::optional<KvStore> store_;
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<std::unique_ptr<Window>> windows_;
  std::vector<std::uint32_t> free_requests_, free_windows_;
  std::vector<Leaving> leaving_;
  std::vector<std::uint32_t> free_leaving_;
  std::vector<ObjectId> to_tell_;
  std::vector<Loss> losses_;
  Handles handles_;
  Flow flow_;
  std::array<Wide, stage_count> stages_{};
  Wide total_ = 0;

  stats::Counter requests_in_;
  stats::Counter responses_;
  stats::Counter hits_;
  stats::Counter misses_;
  stats::Counter stored_;
  stats::Counter refused_;
  stats::Counter failed_;
  stats::Counter evicted_;
  stats::Counter lost_;
  stats::Counter lost_bytes_;
  stats::Counter degraded_;
  stats::Counter other_copy_;
  stats::Counter deallocated_;
  stats::Counter bytes_out_;
  stats::Counter bytes_in_;
  stats::Counter work_requests_;
  stats::Counter rdma_errors_;
  stats::Histogram retrieve_;
  stats::Histogram store_time_;
  std::vector<std::unique_ptr<stats::Counter>> stage_counters_;
};

}  // namespace flashpath::firmware

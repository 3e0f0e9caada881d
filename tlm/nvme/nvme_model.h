// SPDX-License-Identifier: Apache-2.0
// An NVMe 2.0 controller at register level, NVM command set, memory-based transport. Function and timing.
//
//   doorbell ▶ [SQ] ▶ arbiter ▶ SQE fetch (DMA) ▶ [front ends] ▶ read:  FTL ▶ DMA write ┐
//                                                                 ▶ write: staging ▶ DMA read ▶ FTL ├▶ CQE (DMA write)
//                                                                 ▶ admin, flush, DSM               ┘
// Alone (D: a DMA round trip, F: the FTL's answer, c: command_time, l: latency of its kind, e: completion_latency)
//   read   doorbell ▶ CQE sent = D(fetch) + c + l + max(F, D(PRP list)) + D(chunk) + e
//   write  doorbell ▶ CQE sent = D(fetch) + c + l + D(PRP list) + D(chunk) + F + e
// Under load: engines / command_time commands a second; `contexts` commands inside (Little's law does the rest).
//
// Streams: a read's chunk is written to the host from its first byte on (stream.first); a write's chunk goes to the
// FTL when its last byte is here (stream.last). A DMA is done at max(its response, its stream.last).
//
// Races (same picosecond): doorbells first, then arbitration (Priority::decide), so that simultaneous doorbells are
// served in round-robin order; a command that enters the data phase joins the write FIFO in order of its PRPs' arrival.
// A queue has at most one fetch under way; a queue whose completion queue has a backlog is not fetched from.
//
// Reset: commands inside finish what is under way and post nothing; CSTS.RDY falls when all of it is back.
// Queue memory that answers an error sets CSTS.CFS; data and PRP lists that do end the command with Data Transfer Error.
//
// Data pointers (PRPs, SGLs) become pieces of host memory, Command::segments. Reads, Compare and Verify share a path: the FTL answers, then
// data go to the host, are compared with the host's (DMA read), or checked only. Writes, Write Zeroes and Copy share another: staging, FTL.
//
// Not modelled: fused commands, PMR. DTYPE 1 passes DSPEC on as the write's stream, DTYPE 2 if it names a placement handle.
#pragma once
#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/agenda.h"
#include "base/delegate.h"
#include "base/laws.h"
#include "base/ring.h"
#include "base/sparse_memory.h"
#include "base/stats.h"
#include "nvme/coalescer.h"
#include "nvme/events.h"
#include "nvme/features.h"
#include "nvme/namespaces.h"
#include "nvme/nvme_config.h"
#include "nvme/nvme_pi.h"
#include "nvme/nvme_state.h"
#include "nvme/nvme_stats.h"
#include "nvme/self_test.h"
#include "nvme/smart.h"
#include "nvme/spec_log.h"
#include "nvme/uncorrectable.h"

namespace flashpath::nvme {

/// What the controller calls. Answers come back through ControllerModel's dma_done, ftl_accepted and ftl_answered,
/// now or later; each call may come from inside the delegate.
struct Outside {
  Delegate<void(DmaRequest&, Time)> dma;
  Delegate<void(ftl::Request&, Time)> ftl;
  /// How the flash is doing; unset: well.
  Delegate<ftl::Health()> health;
  /// MSI-X vector, after its CQE was written; unset: the host polls.
  Delegate<void(std::uint16_t, Time)> interrupt;
  /// (SQ id, CID, journey from doorbell to CQE sent), just before the CQE leaves.
  Delegate<void(std::uint16_t, std::uint16_t, const Journey&)> command_done;
};

/// What the FTL behind the controller is like.
struct Media {
  Bytes unit = 4_KiB;         ///< deallocated as a whole
  std::uint32_t handles = 1;  ///< placement handles
  Bytes reclaim_unit{};       ///< what is erased as a whole, without parity
  bool persistent = false;    ///< collected data of different handles stay apart
};

class ControllerModel {
 public:
  /// `capacity` is what the namespace offers, a multiple of the LBA size. `data_mode`: user data carries bytes.
  ControllerModel(Agenda& agenda, const Config& config, Bytes capacity, bool data_mode, std::string serial, stats::Group& group);
  ControllerModel(const ControllerModel&) = delete;
  ControllerModel& operator=(const ControllerModel&) = delete;

  Outside outside;
  void media(const Media& media) { media_ = media; }

  /// Register access; `offset` in BAR0, `size` in bytes. Naturally aligned accesses of 4 and 8 bytes are served;
  /// any other read answers 0, any other write is ignored, as are unknown offsets.
  std::uint64_t mmio_read(std::uint64_t offset, unsigned size) const;
  void mmio_write(std::uint64_t offset, unsigned size, std::uint64_t value, Time now);

  /// The controller memory buffer through BAR0: any size and alignment inside it.
  bool in_cmb(std::uint64_t offset, std::uint64_t size) const;
  void cmb_write(std::uint64_t offset, const unsigned char* bytes, std::uint64_t size);
  void cmb_read(std::uint64_t offset, unsigned char* bytes, std::uint64_t size) const;

  void dma_done(DmaRequest& request, Time now);
  /// A write, trim or flush was taken off our hands: its staging is free.
  void ftl_accepted(ftl::Request& request, Time now);
  void ftl_answered(ftl::Request& request, Time now);

  void check(Laws& laws, Time now) const;
  void explain(Stall& stall) const;

  const Statistics& statistics() const { return stats_; }
  std::uint64_t inside() const { return flow_.inside(); }
  /// The drive dies, for good.
  void fail(Time now);
  void function_reset(Time now);
  /// The flash's health is another, or may be.
  void health_changed(Time now);
  void finish(Time now);
  void set_temperature(std::uint32_t kelvin, Time now);
  bool idle() const;  ///< nothing inside and nothing borrowed

 private:
  static constexpr std::uint32_t admin_contexts = 8;
  static constexpr std::uint32_t async_event_limit = 4;
  static constexpr std::uint32_t abort_limit = 4;
  static constexpr std::size_t error_log_entries = 64;
  static constexpr std::uint64_t keep_alive_unit_ms = 1000;
  static constexpr Duration keep_alive_unit = 1s;
  static constexpr std::uint32_t csts_rdy = 1U;
  static constexpr std::uint32_t csts_cfs = 1U << 1U;
  static constexpr std::uint32_t csts_nssro = 1U << 4U;
  static constexpr std::uint32_t csts_shst_occurring = 1U << 2U;
  static constexpr std::uint32_t csts_shst_complete = 2U << 2U;

  // nvme_model.cpp: registers, doorbells, enable, reset, shutdown
  std::uint32_t read32(std::uint64_t offset) const;
  void write32(std::uint64_t offset, std::uint32_t value, Time now);
  void write_cc(Cc value, Time now);
  void enable(Time now);
  void became_ready(Time now, std::uint64_t epoch);
  void reset(Time now);
  void drained(Time now);
  void shutdown(bool normal, Time now);
  void subsystem_reset(Time now);
  void doorbell(std::uint64_t offset, std::uint32_t value, Time now);
  void tail_is(std::uint16_t qid, std::uint32_t value, Time now);
  void head_is(std::uint16_t qid, std::uint32_t value, Time now);
  void bad_doorbell(std::uint32_t qid, AsyncErrorInfo info, Time now);
  void fatal(Time now);
  void abandon_all(Time now);
  void log_error(const Command* command, Status status, std::uint16_t sq);
  void raise_event(AsyncEventType type, std::uint8_t info, LogPage page, Time now);
  void deliver_events(Time now);

  // nvme_queues.cpp: arbitration, fetch, completion
  void wake_arbiter(Time now);
  void arbitrate(Time now);
  std::uint32_t fetchable(const SubmissionQueue& sq, std::uint16_t id, std::uint32_t limit) const;
  void fetch(std::uint16_t id, std::uint32_t count, Time now);
  void unblock(CompletionQueue& cq);
  SubmissionQueue& grow_sq(std::uint32_t id);
  CompletionQueue& grow_cq(std::uint32_t id);
  void mark_ready(std::uint16_t sq);
  void fetch_done(DmaRequest& dma, Time now);
  void fetch_arrived(Time now, std::uint64_t fetch);
  void sq_deleted(std::uint16_t id, Time now);
  Command& enter(std::uint16_t sq, const Sqe& sqe, Time rung, Time now);
  void leave(Command& command, Time now);
  void process(Time now, std::uint64_t command);
  void release(Command& command, Time now);
  void complete(Time now, std::uint64_t command);
  void post(Command& command, Time now);
  void cqe_done(DmaRequest& dma, Time now);
  void account(Command& command, Time now);

  // nvme_io.cpp: the NVM command set
  void execute_io(Command& command, Time now);
  bool block_range(Command& command, bool limited);
  void take_ranges(Command& command, std::uint64_t size, Time now);
  void read(Command& command, Direction direction, Work work, Time now);
  void read_chunks(Command& command, Time now);
  void write(Command& command, Time now);
  void io_ranges(Command& command, Time now);
  void trim_ranges(Command& command, Time now);
  bool place(Command& command);
  void write_zeroes(Command& command, Time now);

  // nvme_kv.cpp: the key value command set
  void execute_kv(Command& command, Time now);
  void kv_looked_up(Time now, std::uint64_t command);
  void kv_begin(Command& command, Time now);
  void kv_finish(Command& command, Time now);
  KvSpace& kv_space(const Namespace& ns);

  // nvme_copy.cpp: inside the drive
  void copy_ranges(Command& command, Time now);
  std::uint64_t copy_piece(const Command& command) const;
  void copy_read(Chunk& chunk, Time now);
  void copy_answered(Chunk& chunk, Time now);
  bool copy_metadata(Chunk& chunk);
  /// MSSRL: blocks of one source range.
  std::uint64_t copy_range_limit(std::uint64_t lba) const { return std::min<std::uint64_t>(config_.mdts.count / lba, 65535); }
  void copy_failed(Command& command, std::uint64_t offset);

  // nvme_protected.cpp: metadata and protection information; Compare and Verify
  bool protect(Command& command, bool moves);
  void load_metadata(const Command& command, std::uint64_t address, std::uint64_t size, std::vector<unsigned char>& to) const;
  void store_metadata(const Command& command, std::uint64_t address, std::uint64_t size, const unsigned char* from);
  void forget_metadata(std::uint64_t address, std::uint64_t size);
  bool check_read(Chunk& chunk);
  bool check_write(Chunk& chunk);
  void deliver(Chunk& chunk, Time now);
  void compare(Chunk& chunk, Time now);
  void move_metadata(Chunk& chunk, bool to_host, Time now);
  unsigned char* host_view(Chunk& chunk, bool to_host, std::uint64_t& begin, std::uint64_t& end);
  void protection_error(Command& command, Status status);
  void simple_request(Command& command, ftl::RequestKind kind, std::uint64_t begin, std::uint64_t size, Time now);

  // nvme_prp.cpp: data pointers
  void begin_data(Command& command, Time now);
  void begin_prps(Command& command, Time now, std::uint64_t room = 0);
  void walk_prps(Command& command, Time now, std::uint64_t room = 0);
  void describe(Command& command, std::uint64_t address, std::uint64_t length);
  void fetch_list(Command& command, std::uint64_t address, Time now);
  void list_done(DmaRequest& dma, Time now);
  void list_arrived(Time now, std::uint64_t command);
  void prps_complete(Command& command, Time now);
  void send_list(Command& command, std::uint64_t address, Time now);

  // nvme_cmb.cpp
  std::uint32_t cmb_register(std::uint64_t offset) const;
  void set_cmbmsc(std::uint64_t value);
  bool cmb_access(DmaRequest& dma, Time now);
  void cmb_done(Time now, std::uint64_t dma);
  /// Every access to memory outside the controller, as its addresses say.
  void access(DmaRequest& dma, Time now) {
    if (cmb_active_) [[unlikely]] {
      if (cmb_access(dma, now)) return;
    }
    outside.dma(dma, now);
  }

  // nvme_sgl.cpp: the other data pointers
  void begin_sgl(Command& command, Time now);
  bool add_descriptor(Command& command, const SglDescriptor& descriptor);
  bool begin_segment(Command& command, const SglDescriptor& descriptor);
  void fetch_segment(Command& command, Time now);
  void segment_arrived(Command& command, Time now);
  void sgl_complete(Command& command, Time now);

  // nvme_data.cpp: chunks, staging, DMA
  Chunk& new_chunk(Command& command, ftl::RequestKind kind, std::uint64_t offset, std::uint64_t size);
  void move(Chunk& chunk, bool to_host, Time now);
  void piece_done(Chunk& chunk, Time now);
  void read_answered(Chunk& chunk, Time now);
  void send_waiting(Command& command, Time now);
  void pump_writes(Time now);
  void write_arrived(Time now, std::uint64_t chunk);
  void drop_staged(Chunk& chunk, Time now);
  void finish_chunk(Chunk& chunk, Time now);
  void transfer_control(Command& command, Time now);
  void issue(DmaRequest& dma, Time now);
  void start(DmaRequest& dma, Time now);
  void drain_dma(Time now, bool write);
  void free_slot(Time now, bool write);
  void settle_slots(Time now);
  void wake_slots();
  void slots_free(Time now);
  void data_done(DmaRequest& dma, Time now);
  static void fail(Command& command, Status status);
  void ended_by(Command& command, Journey& journey, Time end, Stage stage);

  // nvme_admin.cpp, nvme_identify.cpp
  void execute_admin(Command& command, Time now);
  void identify(Command& command, Time now);
  void identify_data(Command& command);
  template <class Counts>
  void ns_list(Command& command, Counts counts) const;
  IdentifyKvNamespace identify_kv(const Namespace& ns) const;
  std::vector<unsigned char> ns_descriptors(const Namespace& ns) const;
  void log_page(Command& command, Time now);
  void create_cq(Command& command);
  void create_sq(Command& command);
  void delete_cq(Command& command);
  void delete_sq(Command& command, Time now);
  void take_from_host(Command& command, std::size_t size, Time now);
  void control_arrived(Command& command, Time now);
  void async_event_request(Command& command, Time now);

  // nvme_features.cpp
  void set_feature(Command& command, Time now);
  void get_feature(Command& command, Time now);
  bool feature_scope(Command& command, const FeatureTraits& traits, bool setting);
  void apply_feature(Feature feature, Time now);
  void feature_data(Command& command, Time now);
  void keep_alive(Time now);
  void keep_alive_over(Time now, std::uint64_t serial);

  // nvme_interrupts.cpp
  void completed_in_memory(std::uint16_t cq, Time now);
  void coalescing_over(Time now, std::uint64_t vector_and_epoch, std::uint64_t serial);
  void signal(std::uint16_t vector, Time now);
  void interrupt_later(Time now, std::uint64_t vector);

  // nvme_shadow.cpp
  void doorbell_buffers(Command& command, Time now);
  void look_at_shadow(std::size_t index, Time now);
  bool has_queue(std::size_t doorbell) const;
  void forget_shadow(std::size_t doorbell);
  void move_shadow(Shadow& shadow, bool to_event_index, Time now);
  void shadow_done(DmaRequest& dma, Time now);
  void shadow_arrived(Time now, std::uint64_t index);

  // nvme_abort.cpp
  void abort(Command& command, Time now);
  void aborted(Command& victim, Time now);

  // nvme_maintenance.cpp
  void device_self_test(Command& command, Time now);
  void self_test_over(Time now, std::uint64_t number);
  void firmware_download(Command& command, Time now);
  void firmware_commit(Command& command);
  std::vector<unsigned char> fdp_configurations() const;
  std::vector<unsigned char> fdp_usage() const;
  std::vector<unsigned char> fdp_statistics() const;

  // nvme_format.cpp
  void format_nvm(Command& command, Time now);
  void take_namespaces(Command& command, Namespace* ns, Time now);
  bool taken(const Command& io) const;
  void unmap_namespaces(Time now);
  void unmapped(Time now);

  // nvme_namespaces.cpp
  bool known_namespace(Command& command);
  void namespace_management(Command& command, Time now);
  void create_namespace(Command& command);
  void namespace_attachment(Command& command, Time now);
  void attach(Command& command, Time now);
  void namespace_changed(std::uint32_t id, Time now);

  void answer_with(Command& command, std::size_t size, Time now);
  IdentifyController identify_controller() const;
  IdentifyNamespace identify_namespace(const Namespace* ns, std::size_t format) const;
  ftl::Health health() const { return outside.health ? outside.health() : ftl::Health{}; }
  HostCounts host_counts(Time now) const;

  Agenda& agenda_;
  const Config config_;
  Media media_;
  Uncorrectable uncorrectable_;
  SparseMemory metadata_;  // data mode: inverted, so that what was never written reads as all ones: nothing to check
  const Bytes capacity_;
  const bool data_mode_;
  const std::string serial_;
  Statistics stats_;
  Flow flow_;

  static constexpr std::uint64_t cmb_offset = std::uint64_t{8} << 20U;  // behind the doorbells
  std::vector<unsigned char> cmb_;
  std::uint64_t cmbmsc_ = 0;
  bool cmb_active_ = false;
  Server cmb_port_;

  // registers
  Cap cap_{};
  Cc cc_{};
  std::uint32_t csts_ = 0;
  std::uint32_t intms_ = 0;
  std::uint32_t aqa_ = 0;
  std::uint64_t asq_ = 0;
  std::uint64_t acq_ = 0;
  std::uint64_t epoch_ = 0;  // enables and resets so far
  bool dead_ = false;        // the drive has failed
  bool running_ = false;     // enabled, ready, not shut down, no fatal error
  bool resetting_ = false;
  std::uint64_t shutdowns_ = 0;  // an answer to an older one is ignored
  bool shut_down_ = false;       // CC.SHN was set: nothing more is fetched
  Bytes page_{4096};             // CC.MPS, latched at enable

  // queues
  std::vector<SubmissionQueue> sqs_;
  std::vector<CompletionQueue> cqs_;
  Arbiter arbiter_;  // SQs with entries to fetch and no fetch under way
  std::uint32_t fetches_ = 0;
  std::uint32_t reserved_ = 0;                    // contexts for entries being fetched
  std::uint32_t posting_ = 0;                     // completion entries on their way
  Time arbiter_at_ = never;                       // when arbitrate() is posted for
  std::array<std::uint32_t, 2> free_contexts_{};  // I/O, admin
  std::uint32_t burst_ = 1;

  // inside
  Pool<Command> commands_;
  Pool<Chunk> chunks_;
  Pool<DmaRequest> dmas_;
  Pool<Fetch> fetch_pool_;
  Command* newest_ = nullptr;
  std::vector<Server> engines_;
  std::size_t next_engine_ = 0;
  Fifo<Command> writes_;
  Bytes staged_{};
  bool pumping_ = false;
  std::array<Fifo<DmaRequest>, 2> dma_queue_;
  std::array<std::uint32_t, 2> dma_under_way_{};
  std::array<bool, 2> draining_{};
  Ring<Time> leaving_;      // announced ends of data writes, in order
  Time slot_wake_ = never;  // when slots_free() is posted for
  std::vector<std::unique_ptr<unsigned char[]>> buffers_;
  std::vector<unsigned char*> free_buffers_;
  Bytes waiting_for_prps_{};
  Bytes moving_{};  // read data between FTL and host memory
  Bytes staged_not_sent_{};

  // admin state
  Namespaces namespaces_;
  struct Taking {
    Command* command = nullptr;  // under way, or waiting for I/O commands that came before it
    Namespace* ns = nullptr;     // null: all
    std::uint32_t waits = 0;     // how many of those; 0: the FTL is at it
    std::uint32_t pieces = 0;    // its answers still to come
  } taking_;
  std::vector<std::unique_ptr<KvSpace>> kv_spaces_;  // by namespace; null: empty, or none
  Server kv_index_;
  std::set<std::uint32_t> changed_namespaces_;  // since the log was read
  Fifo<Command> async_requests_;
  Events events_;
  Smart smart_;
  std::uint8_t warned_ = 0;  // warnings the host has been told of, or will be
  std::uint64_t io_inside_ = 0;
  Time io_since_{};
  Duration io_busy_{};
  std::vector<ErrorEntry> errors_;  // ring, newest at error_count_ - 1
  std::uint64_t error_count_ = 0;
  Features features_;
  Timestamp timestamp_;
  std::array<std::uint8_t, 3> host_behavior_{};  // ACRE, ETDAS, LBAFEE
  SelfTest self_test_;
  FirmwareSlots firmware_;
  std::uint8_t telemetry_generation_ = 0;
  Coalescer coalescer_;
  std::vector<Shadow> shadows_;  // by doorbell number
  bool shadowing_ = false;
  std::uint64_t shadow_base_ = 0, event_base_ = 0;
  std::uint32_t shadow_dmas_ = 0;
  std::uint32_t aborts_ = 0;             // that wait for their victim to leave
  std::uint64_t keep_alive_serial_ = 0;  // an older timer is not heard
  bool queues_negotiable_ = true;
};

}  // namespace flashpath::nvme

// SPDX-License-Identifier: Apache-2.0
// The DPU's RDMA port: clients' messages on one side, DMA to memory and registers on the other.
//
//   client_in ─▶ propagation + nic_latency ─▶ [ wire in ] ─▶ engine ─┬─ capsule ───▶ receive ring of core hash(key) ─▶ mem
//                                                                    └─ read_data ─▶ bursts ──────────▶ mem ─▶ completion ring
//   regs ─▶ engine + nic_latency ─┬─ send, rdma_read ─────────────────▶ [ wire out ] ─▶ propagation ─▶ client_out
//                                 └─ rdma_write ─▶ bursts from mem ───▶ [ wire out ] ─▶ propagation ─▶ client_out, at the last byte
//
// Alone: capsule, client to mem:   propagation + nic_latency + 146 B / rate + 1 / message_rate
//        rdma_write of one burst:  1 / message_rate + nic_latency + (mem's first byte) + wire / rate + propagation
// Completions: send, rdma_write when the acknowledgement is back (2 x propagation after the last byte left);
// rdma_read when the last byte is visible in memory.
//
// Order: work requests of one connection start in order; a send or rdma_read goes out when every rdma_write before it on
// that connection has left. Different connections share the wire burst by burst, round robin.
// Back-pressure: a receive buffer full of what memory has not taken stops the wire in; `receive_queue` messages later client_in
// withholds END_REQ. Memory that does not answer, or a client that withholds END_REQ, stops the wire out.
// Races: same moment, the order of the calls; a freed buffer is used before anything that arrives then.
// Errors are data: a malformed message answers TLM_GENERIC_ERROR_RESPONSE, a malformed work request a completion with
// bad_request, a failed memory access a completion with memory_error.
#pragma once
#include <deque>
#include <vector>

#include "base/slots.h"
#include "fabric/fabric_model.h"
#include "fabric/journeys.h"
#include "fabric/message_extension.h"
#include "fabric/work_request.h"
#include "kernel/initiator_port.h"
#include "kernel/part.h"
#include "kernel/target_port.h"

namespace flashpath::fabric {

/// What every network port looks like from outside.
class Port : public Part {
 public:
  using Part::Part;
  using ClientInSocket = tlm_utils::simple_target_socket<SplitPort>;
  using InitiatorSocket = tlm_utils::simple_initiator_socket<InitiatorPort>;
  using RegisterSocket = tlm_utils::simple_target_socket<TargetPort>;

  virtual ClientInSocket& client_in() = 0;
  virtual InitiatorSocket& client_out() = 0;
  virtual InitiatorSocket& mem() = 0;
  virtual RegisterSocket& regs() = 0;
  /// Journeys of requests whose capsules lie in memory, by Capsule::trace. A capsule's journey is marked up to its DMA write;
  /// whoever sees the slot marks Stage::dram.
  virtual Journeys& journeys() = 0;
};

class ModelPort final : public Port {
 public:
  ModelPort(const sc_core::sc_module_name& name, Environment& environment, const Config& config);

  ClientInSocket& client_in() override { return client_in_.socket; }
  InitiatorSocket& client_out() override { return client_out_.socket; }
  InitiatorSocket& mem() override { return mem_.socket; }
  RegisterSocket& regs() override { return regs_.socket; }
  Journeys& journeys() override { return journeys_; }

  void check(Laws& laws, Time now) const override;
  void explain(Stall& stall) const override;
  void finish(Time now) override;

 private:
  struct Work {  // a work request until its completion and its message are done
    WorkRequest request;
    std::uint32_t core = 0;
    std::uint64_t issued = 0, done = 0;  // bytes asked of memory, or on the wire in; bytes left, or visible
    WorkStatus status{};
    bool answered = false;    // rdma_read: its data has come
    unsigned uses = 0;        // completion, message
    Payload* data = nullptr;  // rdma_read: the message with its data
    Time data_entered{};
    Journey journey;
    Time entered{};
    std::uint64_t tag = 0;             // rdma_read: its read_tag
    std::vector<unsigned char> bytes;  // data mode: what is read from memory for the client
  };
  struct Burst {  // a DMA access for a work request
    Work* work = nullptr;
    std::uint64_t offset = 0;
    Bytes size{};
    Stream stream{};
    bool ready = false;
  };
  struct Entry {  // a slot of a ring on its way to memory
    Capsule capsule;
    Completion completion;
    Payload* message = nullptr;  // the capsule's, answered when it is in memory
    Time entered{};
    Journey journey;
  };
  struct Ring {
    std::uint64_t base = 0, entries = 0, consumed = 0, produced = 0;
    std::deque<Entry*> waiting;
  };
  struct Core {
    Ring receive, completion;
  };
  struct Connection {
    std::deque<Work*> waiting;
    bool issuing = false;      // one rdma_write at a time asks memory
    std::uint32_t unsent = 0;  // rdma_writes that have not left completely
    bool blocked = false;      // its next request is an rdma_read, and too many are outstanding
    Time small_until{};        // its last send or rdma_read is off the wire
  };
  struct Incoming {  // a read_data message not yet wholly off the wire
    Work* work = nullptr;
    Time ready{};
  };
  enum class Access : std::uint64_t { capsule, completion, receive, transmit };

  // registers
  Window serve_register(Payload& payload, Time at);
  Time take_work(std::uint32_t core, const WorkRequest& request, Time at);
  std::uint64_t* register_of(std::uint32_t core, std::uint64_t offset);
  void registers_changed(Time now, std::uint64_t core);
  // receive
  void message_arrived(Payload& payload, Time now);
  void reject(Payload& payload, Time now);
  void capsule_arrived(Payload& payload, const Message& message, Time now);
  void capsule_in(Time now, std::uint64_t entry);
  void data_arrived(Payload& payload, const Message& message, Time now);
  void schedule_receive(Time at);
  void receive(Time now);
  void send_burst(Time now, std::uint64_t burst);
  void burst_visible(Burst& burst, Payload& payload, Time now);
  void message_done(Payload& message, Time entered, Time now);
  void room_in_queue(Time now);
  // transmit
  void work_ready(Time now, std::uint64_t work);
  void advance(std::uint32_t connection, Time now);
  void issue(Time now);
  void burst_read(Burst& burst, Payload& payload, Time now);
  void burst_left(Time now, std::uint64_t burst);
  void send_small(Work& work, Time now);
  void deliver(Time now, std::uint64_t work);
  void acknowledged(Time now, std::uint64_t work);
  void delivered(Payload& message, Time now);
  void client_took(Payload&, Time now) { issue(now); }
  void finish_read(Work& work, Time now);
  // rings and memory
  void complete(Work& work, Time now);
  void drop(Work& work, Time now);
  void put(Ring& ring, Entry& entry, Time now);
  void write_entry(Ring& ring, Entry& entry, Time now);
  void drain(Ring& ring, Time now);
  void memory_answered(Payload& payload, Time now);
  bool data_mode() const { return environment_.data_mode; }

  Config config_;
  Direction in_, out_;
  Journeys journeys_;
  SplitPort client_in_;
  InitiatorPort client_out_, mem_;
  TargetPort regs_;
  PayloadPool<> pool_;
  MessagePool messages_;
  std::vector<Core> cores_;
  std::vector<std::uint32_t> receivers_;  // cores with a receive ring
  std::vector<Connection> connections_;
  Slots<Work> works_;
  Slots<Burst> bursts_;
  Slots<Entry> entries_;

  std::deque<Incoming> incoming_;  // read_data not yet wholly off the wire
  std::deque<Payload*> held_;      // messages not accepted yet
  std::uint32_t queued_ = 0;       // messages accepted and not yet handed to memory
  Bytes receive_used_{};
  bool receiving_ = false;  // a receive() is scheduled
  bool receive_full_ = false;
  bool issuing_ = false;  // inside issue()

  std::deque<Work*> active_;     // rdma_writes asking memory, round robin
  std::deque<Burst*> transmit_;  // asked of memory, in order
  Bytes transmit_used_{};
  std::vector<Work*> reads_;  // by read_tag - 1
  std::vector<std::uint64_t> free_reads_;
  std::deque<std::uint32_t> blocked_;  // connections that wait to send an rdma_read

  Flow messages_flow_, work_flow_;
  Bytes data_stored_{}, data_read_{};

  stats::Counter capsules_{stats, "capsules", stats::Unit::count, "capsules received"};
  stats::Counter rejected_{stats, "rejected", stats::Unit::count, "malformed messages and work requests"};
  stats::Counter sends_{stats, "sends", stats::Unit::count, "responses sent"};
  stats::Counter rdma_reads_{stats, "rdma_reads", stats::Unit::count, "RDMA reads"};
  stats::Counter rdma_writes_{stats, "rdma_writes", stats::Unit::count, "RDMA writes"};
  stats::Counter bytes_in_{stats, "bytes_in", stats::Unit::byte, "object data from clients"};
  stats::Counter bytes_out_{stats, "bytes_out", stats::Unit::byte, "object data to clients"};
  stats::Counter ring_full_{stats, "ring_full", stats::Unit::count, "ring entries that had to wait for software"};
  stats::Counter paused_{stats, "paused", stats::Unit::count, "times the wire in stopped for a full receive buffer"};
  stats::Busy in_busy_{stats, "in_busy", 1, "wire from the clients"};
  stats::Busy out_busy_{stats, "out_busy", 1, "wire to the clients"};
  stats::Histogram work_latency_{stats, "work_latency", "work request taken to completion"};
};

}  // namespace flashpath::fabric

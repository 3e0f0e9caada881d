// SPDX-License-Identifier: Apache-2.0
// A pcie::Link between sockets: what a link and a switch's uplink have in common.
//
//   from_device[i] ──▶ up ──▶ to_host        DMA of devices; its completions come back down
//   to_device[i]  ◀── down ◀── from_host     MMIO; its completions come back up
//
// A posted burst (TLM WRITE) is taken off the caller's hands (END_REQ) when the serialiser starts it, and answered when its last
// byte has left: the caller may then reuse its buffer. It travels on as a payload of our own, sent at the first byte's arrival.
// Where a payload carries bytes they are copied when the serialiser starts it, once; otherwise nothing is copied.
// Since posted, it is answered OK whatever becomes of it; failures further on are counted (`posted_errors`).
// A non-posted one (TLM READ) is accepted at once (it may have to wait for tags), handed on when its first request arrives, and
// answered at the arrival of the first byte of its completions, with transfer.stream. A failure comes back as a completion without data.
// The payload itself is handed on; one without memory manager (from b_transport) is replaced by one of ours that shows to the
// same bytes.
// Journey: link_wait until the serialiser starts, link until the first byte arrives; whoever uses the last byte marks link up to stream.last.
// Options: translation of addresses before the link (ats) or behind it (iommu), in order; a completion timeout, for which a read goes on
// as a payload of our own; traffic from device to device that leaves the uplink alone.
// Refused at once: byte enables (TLM_BYTE_ENABLE_ERROR), commands that neither read nor write, no data.
#pragma once
#include <memory>
#include <vector>

#include "kernel/initiator_port.h"
#include "kernel/part.h"
#include "kernel/split_port.h"
#include "pcie/link_model.h"
#include "pcie/translation_model.h"

namespace flashpath::pcie {

class Crossing {
 public:
  struct Shape {
    std::uint32_t devices = 1;
    bool decode = false;      ///< a switch: to_device by BAR
    Duration extra{};         ///< added to the latency of the link
    std::uint32_t tags = 0;   ///< 0: not limited here
    bool name_drive = false;  ///< stamp transfers from the device with Master::drive and `drive`
    std::uint16_t drive = 0;
    std::string name = "link";  ///< of its random streams
    Arbitration arbitration = Arbitration::fifo;
    std::vector<std::uint32_t> shares = {};
    bool peers = false;  ///< a device's access to another's BAR goes there directly, `extra` later
  };
  /// To be built inside a module's constructor: its sockets belong to that module.
  Crossing(Environment& environment, stats::Group& stats, const Config& config, const Shape& shape);
  /// Trains again: nothing starts for retrain_time.
  void retrain(Time now);

  tlm::tlm_target_socket<>& from_device(std::uint32_t i) { return devices_[i]->in.socket; }
  tlm::tlm_initiator_socket<>& to_device(std::uint32_t i) { return devices_[i]->out.socket; }
  tlm::tlm_target_socket<>& from_host() { return host_.in.socket; }
  tlm::tlm_initiator_socket<>& to_host() { return host_.out.socket; }

  void check(Laws& laws, Time now) const;
  void explain(Stall& stall) const;
  void finish(Time now) { link.finish(now); }

  Link link;

 private:
  struct Hop;
  struct Side {
    Side(Crossing& crossing, Agenda& agenda, const char* in_name, const char* out_name, bool host);
    void arrived(Payload& payload, Time now) { crossing.arrived(*this, payload, now); }
    void accepted(Payload&, Time now) { crossing.accepted(*this, now); }
    void send(Hop& hop, Time now);
    void responded(Payload& payload, Time now) { crossing.responded(payload, now); }
    Crossing& crossing;
    bool host;
    std::uint16_t index = 0;
    SplitPort in;
    InitiatorPort out;
    Ring<Hop*> sent;  // not yet accepted, in order: the payload's own `hop` may be the next router's by then
  };
  /// A burst and what belongs to it.
  struct Hop : Burst {
    Side* from = nullptr;
    Payload* asked = nullptr;    // of the caller; nullptr once answered
    Payload* sent_on = nullptr;  // to the next stage
    void* found = nullptr;       // Transfer::hop of a payload handed on
    std::uint8_t users = 0;
    bool early = false;        // posted: taken off the caller's hands before it starts
    Side* peer = nullptr;      // goes there, not over the link
    std::uint64_t serial = 0;  // with a completion timeout: which use of this hop
    std::vector<unsigned char> bytes;
  };

  void arrived(Side& side, Payload& payload, Time now);
  static Hop& hop_of(Payload& payload);
  void depart(Hop& hop);
  void started(Burst& burst, Time at);
  void delivered(Burst& burst, Time now);
  void sent(Burst& burst, Time now);
  void answer_posted(Hop& hop, Time at);
  void accepted(Side& side, Time now);
  void responded(Payload& payload, Time now);
  void returned(Hop& hop, Time now);
  void return_data(Hop& hop, Time now, Stream stream, bool ok);
  void enter(Hop& hop, Time now);
  void entered_later(Time now, std::uint64_t hop);
  void hand_on(Hop& hop, Time now);
  void handed_later(Time now, std::uint64_t hop);
  bool to_peer(Hop& hop, Time now);
  void peer_arrives(Time now, std::uint64_t hop);
  void peer_returns(Time now, std::uint64_t hop);
  void watch(Hop& hop, Time now);
  void timed_out(Time now, std::uint64_t hop, std::uint64_t serial);
  void let_go(Hop& hop);
  Direction& way(const Side& from) { return from.host ? link.down : link.up; }
  Hop& take();

  Agenda& agenda_;
  bool messages_;
  Shape shape_;
  PayloadPool<> pool_;
  Side host_;
  std::vector<std::unique_ptr<Side>> devices_;
  std::vector<std::unique_ptr<Hop>> hops_;
  std::vector<Hop*> free_;
  std::uint64_t posted_in_ = 0, posted_answered_ = 0, reads_in_ = 0, reads_answered_ = 0;
  std::uint64_t posted_inside_ = 0, reads_inside_ = 0;
  stats::Counter refused_;
  stats::Counter posted_errors_;
  stats::Counter unsupported_;

  // What the configuration asks for beyond that; unset otherwise.
  struct Extras {
    Extras(const Config& config, const Shape& shape, stats::Group& parent);
    bool named, ats, peers;
    Duration timeout;
    std::unique_ptr<TranslationCache> translation;
    stats::Group group;
    std::unique_ptr<stats::Counter> timeouts, late, peer_payload, peer_reads;
    std::uint64_t serial = 0;
    bool relaxed;
  };
  std::unique_ptr<Extras> extras_;
  std::unique_ptr<stats::Counter> retrains_;
  stats::Group& stats_;
};

}  // namespace flashpath::pcie

// SPDX-License-Identifier: Apache-2.0
// The DPU's interconnect: masters on one side, address windows on the other.
//
// A request crosses in `latency` and then queues, first-come-first-served, for its target while that withholds END_REQ; the
// response crosses back in `latency`. A master's request is taken off its hands at once while fewer than `outstanding` of
// its requests wait inside, else when one of them has been taken by its target. Same moment: the order of the calls.
// b_transport passes straight through (both latencies annotated, no limit of bandwidth) and never waits.
// Addresses stay absolute. What lies not wholly in one window open to the master answers TLM_ADDRESS_ERROR_RESPONSE.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bus/bus_model.h"
#include "kernel/initiator_port.h"
#include "kernel/part.h"
#include "kernel/split_port.h"

namespace flashpath::bus {

/// The bit of a kind of master in a window's mask.
constexpr std::uint32_t allow(Master kind) { return 1U << static_cast<unsigned>(kind); }
inline constexpr std::uint32_t allow_all = allow(Master::core) | allow(Master::nic) | allow(Master::drive) | allow(Master::debug);

/// What every interconnect looks like from outside. Everything is added before the simulation starts.
class Bus : public Part {
 public:
  using Part::Part;
  using InSocket = tlm_utils::simple_target_socket<SplitPort>;
  using OutSocket = tlm_utils::simple_initiator_socket<InitiatorPort>;

  /// A socket for a master of this kind. Transfers that say themselves who they are (master != none) keep that; others
  /// are given `kind` and `source`.
  virtual InSocket& add_master(std::string_view name, Master kind, std::uint16_t source) = 0;
  /// A socket for a target with its first window. Overlapping windows are an invariant failure.
  virtual OutSocket& add_target(std::string_view name, std::uint64_t base, Bytes size, std::uint32_t allowed) = 0;
  /// A further window of a target added before.
  virtual void add_window(std::string_view target, std::uint64_t base, Bytes size, std::uint32_t allowed) = 0;
};

class ModelBus final : public Bus {
 public:
  ModelBus(const sc_core::sc_module_name& name, Environment& environment, const Config& config);

  InSocket& add_master(std::string_view name, Master kind, std::uint16_t source) override;
  OutSocket& add_target(std::string_view name, std::uint64_t base, Bytes size, std::uint32_t allowed) override;
  void add_window(std::string_view target, std::uint64_t base, Bytes size, std::uint32_t allowed) override;

  void check(Laws& laws, Time now) const override;
  void explain(Stall& stall) const override;

  /// Accesses of the master that were refused: no window, or not one of its.
  std::uint64_t refused(std::string_view master) const;

 private:
  struct MasterSide;
  // Sides are modules of their own, since they are added after the bus is built: sockets need a parent.
  struct TargetSide : sc_core::sc_module {
    TargetSide(const sc_core::sc_module_name& module, ModelBus& bus, std::string_view label);
    void accepted(Payload& payload, Time now);
    void responded(Payload& payload, Time now) { bus.responded(payload, now); }
    ModelBus& bus;
    std::string label;
    Ring<MasterSide*> sent;  // whose requests wait for END_REQ, in order
    InitiatorPort port;
  };
  struct MasterSide : sc_core::sc_module {
    MasterSide(const sc_core::sc_module_name& module, ModelBus& bus, std::string_view label, Master kind, std::uint16_t source);
    void arrived(Payload& payload, Time now) { bus.arrived(*this, payload, now); }
    Time loose(Payload& payload, Time at) { return bus.loose(*this, payload, at); }
    ModelBus& bus;
    std::string label;
    Master kind;
    std::uint16_t source;
    std::uint32_t inside = 0;  // requests no target has taken yet
    Ring<Payload*> held;       // arrived, not yet accepted
    Time answered{};           // the last answer given or announced
    SplitPort port;
    stats::Group stats;
    stats::Counter requests{stats, "requests", stats::Unit::count, "requests"};
    stats::Counter bytes{stats, "bytes", stats::Unit::byte, "bytes read and written"};
    stats::Counter refused{stats, "refused", stats::Unit::count, "answered with an address error"};
  };
  struct Crossing {  // a payload between its two sides
    Payload* payload = nullptr;
    MasterSide* master = nullptr;
    TargetSide* target = nullptr;
    void* hop = nullptr;  // as it was found
    Time entered{};
  };

  const AddressWindow* decode(MasterSide& master, Payload& payload);
  void arrived(MasterSide& master, Payload& payload, Time now);
  Time loose(MasterSide& master, Payload& payload, Time at);
  void responded(Payload& payload, Time now);
  void respond(Time now, std::uint64_t crossing);
  void taken(MasterSide& master, Time now);
  Crossing& take();

  Config config_;
  Decoder decoder_;
  Timing timing_;
  std::vector<std::unique_ptr<MasterSide>> masters_;
  std::vector<std::unique_ptr<TargetSide>> targets_;
  std::vector<std::unique_ptr<Crossing>> crossings_;
  std::vector<Crossing*> free_;
  Flow flow_;
  std::uint64_t loose_ = 0;
  Bytes bytes_forwarded_{}, bytes_refused_{};
  stats::Histogram latency_{stats, "latency", "request in to response out, four-phase requests"};
};

}  // namespace flashpath::bus

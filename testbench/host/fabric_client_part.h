// SPDX-License-Identifier: Apache-2.0
// The serving machines' side of the network: turns loads and stores of objects into RDMA messages to the DPU.
//
//   load   capsule(retrieve) ──▶ … ◀── write_data, write_data, … ◀── response
//   store  capsule(store) ──▶ … ◀── read_request, … ; read_data ──▶ … ◀── response
//
// One connection (queue pair) per serving instance and parallel stream. Not modelled: the machines' own NICs and links; several
// of them together are faster than the DPU's port, which is where messages queue (fabric).
// In data mode an object's bytes follow from its key and offset, so that what comes back can be checked byte by byte.
#pragma once
#include <functional>
#include <vector>

#include "fabric/message_extension.h"
#include "kernel/initiator_port.h"
#include "kernel/part.h"
#include "kernel/split_port.h"
#include "serving/store.h"

namespace flashpath::host {

class FabricClient final : public Part, public serving::Store {
 public:
  FabricClient(const sc_core::sc_module_name& name, Environment& environment, std::uint32_t connections_per_instance = 16,
               std::uint32_t connections = 4096);

  tlm::tlm_initiator_socket<>& out() { return out_.socket; }
  tlm::tlm_target_socket<>& in() { return in_.socket; }

  void load(Time now, const serving::ObjectKey& key, Bytes size, std::uint32_t instance, serving::StoreClient& client,
            std::uint64_t tag) override;
  void store(Time now, const serving::ObjectKey& key, Bytes size, std::uint32_t instance, serving::StoreClient& client,
             std::uint64_t tag) override;

  std::uint64_t in_flight() const { return flow_.inside(); }
  std::uint64_t completed() const { return flow_.left(); }
  /// Bytes of loaded objects that were not what had been stored (data mode).
  std::uint64_t wrong_bytes() const { return wrong_; }
  std::uint64_t verified_bytes() const { return verified_; }
  const stats::Histogram& load_latency() const { return load_latency_; }
  const stats::Histogram& store_latency() const { return store_latency_; }

  void check(Laws& laws, Time now) const override;
  void explain(Stall& stall) const override;

 private:
  struct Command {
    serving::StoreClient* client = nullptr;
    std::uint64_t tag = 0;
    serving::ObjectKey key{};
    Bytes size{};
    Bytes moved{};
    Time entered{};
    std::uint32_t connection = 0;
    bool is_store = false;
    bool busy = false;
  };
  static constexpr unsigned offset_bits = 40;  // of a message's `remote`: command above, offset in its buffer below

  void submit(Time now, const serving::ObjectKey& key, Bytes size, std::uint32_t instance, serving::StoreClient& client, std::uint64_t tag,
              bool is_store);
  void arrived(Payload& payload, Time now);
  void answered(Payload& payload, Time now);
  void send_data(const fabric::Message& request, Time now);
  void take_data(const Payload& payload, const fabric::Message& message);
  void finish_command(const fabric::Message& response, Time now);
  void send(Payload& payload, const fabric::Message& message, Time now);

  std::uint32_t per_instance_, connections_;
  InitiatorPort out_;
  SplitPort in_;
  fabric::MessagePool pool_;
  std::vector<Command> commands_;
  std::vector<std::uint64_t> free_;
  std::vector<std::uint32_t> next_connection_;  // by instance
  std::vector<std::vector<unsigned char>> buffers_, free_buffers_;
  Flow flow_;
  std::uint64_t wrong_ = 0, verified_ = 0, strays_ = 0;

  stats::Counter loads_{stats, "loads", stats::Unit::count, "objects asked for"};
  stats::Counter stores_{stats, "stores", stats::Unit::count, "objects sent"};
  stats::Counter misses_{stats, "misses", stats::Unit::count, "objects the DPU did not have"};
  stats::Counter failures_{stats, "failures", stats::Unit::count, "other failures the DPU answered"};
  stats::Counter bytes_in_{stats, "bytes_in", stats::Unit::byte, "object data from the DPU"};
  stats::Counter bytes_out_{stats, "bytes_out", stats::Unit::byte, "object data to the DPU"};
  stats::Histogram load_latency_{stats, "load_latency", "one object, capsule sent to response"};
  stats::Histogram store_latency_{stats, "store_latency", "one object, capsule sent to response"};
};

}  // namespace flashpath::host

// SPDX-License-Identifier: Apache-2.0
// The cores behind one socket: loads and stores by b_transport (memory is a timeline: it answers with a delay and
// never waits), register accesses by the four-phase protocol, in order.
#pragma once
#include "cores/cores_model.h"
#include "kernel/initiator_port.h"
#include "kernel/part.h"

namespace flashpath::cores {

class Cores : public Part, private Memory {
 public:
  Cores(const sc_core::sc_module_name& name, Environment& environment, const Config& config);

  /// To the bus: DRAM, and registers of drives, NIC and crypto engine.
  tlm_utils::simple_initiator_socket<InitiatorPort>& mem() { return port_.socket; }
  Model& model() { return model_; }
  void submit(CoreId core, const Task& task, Time now) { model_.submit(core, task, now); }

  /// Loads, stores and register writes that nobody answered (data of the guest, not an error of ours).
  std::uint64_t failed() const { return failed_.value; }

  void check(Laws& laws, Time now) const override;
  void explain(Stall& stall) const override;

 private:
  struct Access {  // one register access on its way
    std::array<unsigned char, 64> bytes{};
    Task then{};
    CoreId core{};
    std::uint64_t address = 0;
    std::uint32_t size = 0;
    bool read = false;
  };
  Duration load(CoreId core, std::uint64_t address, std::span<unsigned char> into, Time at) override;
  Duration touch(CoreId core, std::uint64_t address, Bytes size, Time at) override;
  void store(CoreId core, std::uint64_t address, std::span<const unsigned char> bytes, Time at) override;
  void post(CoreId core, std::uint64_t address, std::span<const unsigned char> bytes, Time at) override;
  void read_register(CoreId core, std::uint64_t address, unsigned bytes, Task then, Time at) override;
  Duration access(CoreId core, tlm::tlm_command command, std::uint64_t address, Bytes size, unsigned char* data, Time at);
  Access& take();
  void leave(Time now, std::uint64_t access);
  void responded(Payload& payload, Time now);

  InitiatorPort port_;
  PayloadPool<> pool_;
  std::vector<std::unique_ptr<Access>> accesses_;
  std::vector<Access*> free_;
  std::uint64_t sent_ = 0, answered_ = 0;
  stats::Counter failed_;
  Model model_;
};

}  // namespace flashpath::cores

// SPDX-License-Identifier: Apache-2.0
// An NVMe controller as a part: a register window for the host, a DMA port into its memory, two ports to the FTL.
#pragma once
#include <string>

#include "ftl/ftl_command.h"
#include "kernel/initiator_port.h"
#include "kernel/part.h"
#include "kernel/target_port.h"
#include "nvme/nvme_function.h"

namespace flashpath::nvme {

/// What every controller looks like from outside, whatever it is made of. Transport-neutral: the register window and
/// DMA are the same behind PCIe and behind any other PCI function adapter.
class Controller : public Part {
 public:
  using Part::Part;
  /// BAR0: reads and writes of registers and doorbells. Only the offset in the window (16 MiB) counts.
  virtual tlm::tlm_target_socket<>& bar() = 0;
  /// Host memory, and MSI-X messages (writes of four bytes): control structures carry bytes always, user data only in data mode. Errors come back as responses.
  virtual tlm::tlm_initiator_socket<>& dma() = 0;
  /// FtlCommand payloads. READ.
  virtual tlm::tlm_initiator_socket<>& ftl_read() = 0;
  /// FtlCommand payloads: write, trim and flush. WRITE.
  virtual tlm::tlm_initiator_socket<>& ftl_write() = 0;
  /// Configuration space: 1, 2 or 4 bytes inside a dword. Boot software has placed BAR 0 and switched memory space and bus master on.
  virtual std::uint32_t cfg_read(std::uint32_t offset, unsigned bytes) = 0;
  virtual void cfg_write(std::uint32_t offset, unsigned bytes, std::uint32_t value, Time now) = 0;
  /// Whom to ask about the flash's health, for the SMART log; and: it may be another now.
  virtual void on_health(Delegate<ftl::Health()> health) = 0;
  virtual void health_changed(Time now) = 0;
  /// What the flash translation layer behind it is like; before anything runs.
  virtual void media(const Media& media) = 0;
  /// The drive dies: nothing is answered any more, its registers read as all ones.
  virtual void fail(Time now) = 0;
  /// Who wants the journeys of I/O commands (SQ id, CID, doorbell to CQE sent), called before the CQE can be seen.
  virtual void on_command_done(Delegate<void(std::uint16_t, std::uint16_t, const Journey&)> done) = 0;
};

/// The controller as a model.
class ModelController final : public Controller, private Asker<ftl::Request> {
 public:
  /// `drive` numbers the drive (Transfer::source); `capacity` is what the FTL offers.
  ModelController(const sc_core::sc_module_name& name, Environment& environment, const Config& config, Bytes capacity, std::uint16_t drive);

  tlm::tlm_target_socket<>& bar() override { return bar_.socket; }
  tlm::tlm_initiator_socket<>& dma() override { return dma_.socket; }
  tlm::tlm_initiator_socket<>& ftl_read() override { return ftl_read_.socket; }
  tlm::tlm_initiator_socket<>& ftl_write() override { return ftl_write_.socket; }
  std::uint32_t cfg_read(std::uint32_t offset, unsigned bytes) override { return function_.cfg_read(offset, bytes); }
  void cfg_write(std::uint32_t offset, unsigned bytes, std::uint32_t value, Time now) override {
    function_.cfg_write(offset, bytes, value, now);
  }
  void on_command_done(Delegate<void(std::uint16_t, std::uint16_t, const Journey&)> done) override { model_.outside.command_done = done; }

  void on_health(Delegate<ftl::Health()> health) override { model_.outside.health = health; }
  void health_changed(Time now) override { model_.health_changed(now); }
  void media(const Media& media) override { model_.media(media); }
  void fail(Time now) override { model_.fail(now); }
  void finish(Time now) override { model_.finish(now); }
  void check(Laws& laws, Time now) const override;
  void explain(Stall& stall) const override { model_.explain(stall); }

  const ControllerModel& model() const { return model_; }
  const NvmeFunction& function() const { return function_; }

 private:
  struct Message : DmaRequest {
    std::uint32_t value = 0;
    Message* next = nullptr;
  };
  Window serve_register(Payload& payload, Time at);
  void send_dma(DmaRequest& request, Time now);
  void send_message(std::uint64_t address, std::uint32_t data, Time now);
  void dma_responded(Payload& payload, Time now);
  void send_ftl(ftl::Request& request, Time now);
  void ftl_write_accepted(Payload& payload, Time now);
  void ftl_responded(Payload& payload, Time now);
  void reply(ftl::Request& request, Time now) override { model_.ftl_answered(request, now); }

  const Duration register_latency_;
  const std::uint16_t drive_;
  ControllerModel model_;
  NvmeFunction function_;
  Pool<Message> messages_;
  PayloadPool<> dma_pool_;
  PayloadPool<ftl::FtlCommand> ftl_pool_;
  TargetPort bar_;
  InitiatorPort dma_;
  InitiatorPort ftl_read_;
  InitiatorPort ftl_write_;
  Taker<ftl::Request>* ftl_ = nullptr;  // takes reads without a payload
  bool ftl_sought_ = false;
};

}  // namespace flashpath::nvme

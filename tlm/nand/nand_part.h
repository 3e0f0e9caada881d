// SPDX-License-Identifier: Apache-2.0
// The flash of one drive behind a socket: the contract, and the model that fulfils it.
#pragma once
#include "kernel/part.h"
#include "kernel/split_port.h"
#include "nand/array_model.h"
#include "nand/flash_command.h"

namespace flashpath::nand {

/// What every flash array looks like from outside. Each payload carries a FlashCommand. It is accepted at once (the command queue
/// is the caller's to bound) and answered at op.stream.first (read) or at its end (program, erase), with transfer.stream and
/// transfer.journey set from the op. The result is op.status; a TLM error only says that no such operation exists:
///   TLM_ADDRESS_ERROR_RESPONSE          no such die, plane, block or page
///   TLM_BURST_ERROR_RESPONSE            size or offset beyond the pages named, not a wordline, or not the payload's length
///   TLM_COMMAND_ERROR_RESPONSE          a read that is not a READ, a program or erase that is not a WRITE
///   TLM_GENERIC_ERROR_RESPONSE          no FlashCommand
class Array : public Part {
 public:
  using Part::Part;
  virtual tlm_utils::simple_target_socket<SplitPort>& in() = 0;
  virtual const Geometry& geometry() const = 0;
  /// A drive that starts in use: the block's first `wordlines`, in all planes, are programmed already.
  virtual void precondition(DieId die, BlockId block, std::uint32_t wordlines) = 0;
  /// The block is bad in some plane: from the factory, or grown (a program or erase of it has failed). Not to be programmed or erased.
  virtual bool bad(DieId, BlockId) const { return false; }
  /// These planes (a bit each) of the die die: operations on them take their time and fail, with op.dead set.
  virtual void fail(DieId die, std::uint32_t planes) = 0;
};

class ModelArray final : public Array, private Taker<Op> {
 public:
  ModelArray(const sc_core::sc_module_name& name, Environment& environment, const Config& config);

  tlm_utils::simple_target_socket<SplitPort>& in() override { return port_.socket; }
  const Geometry& geometry() const override { return model_.geometry(); }
  void precondition(DieId die, BlockId block, std::uint32_t wordlines) override { model_.precondition(die, block, wordlines); }
  bool bad(DieId die, BlockId block) const override { return model_.bad(die, block); }
  void fail(DieId die, std::uint32_t planes) override { model_.fail(die, planes); }
  const ArrayModel& model() const { return model_; }

  void check(Laws& laws, Time now) const override;
  void explain(Stall& stall) const override;
  void finish(Time now) override { model_.finish(now); }

 private:
  void arrived(Payload& payload, Time now);
  bool take(Op& op, Time now) override;
  void answered(Op& op, Time now);
  tlm::tlm_response_status judge(const Payload& payload, const FlashCommand* command) const;

  SplitPort port_;
  ArrayModel model_;
  Asker<Op>* asker_ = nullptr;  // of operations without a payload
  stats::Counter refused_;
};

}  // namespace flashpath::nand

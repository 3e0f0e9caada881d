// SPDX-License-Identifier: Apache-2.0
// The sockets of an FTL, whatever model stands behind them: requests in, their answers out, flash operations there and back.
#pragma once
#include "ftl/ftl_command.h"
#include "kernel/initiator_port.h"
#include "kernel/part.h"
#include "kernel/split_port.h"
#include "nand/flash_command.h"

namespace flashpath::ftl {

class FtlSockets : private Taker<Request>, private Asker<nand::Op> {
 public:
  using Submit = Delegate<void(Request&, Time)>;
  using FlashAnswered = Delegate<void(nand::Op&, Time)>;
  /// To be built inside a module's constructor: the sockets belong to that module.
  FtlSockets(Agenda& agenda, Submit submit, FlashAnswered flash_answered);

  // What the model calls.
  void accepted(Request& request, Time now);
  void answered(Request& request, Time now);
  void issue(nand::Op& op, Time now);

  void check(Laws& laws) const;
  void explain(Stall& stall) const;

  SplitPort read, write;
  InitiatorPort flash;

 private:
  void arrived(Payload& payload, Time now);
  void flash_responded(Payload& payload, Time now);
  bool take(Request& request, Time now) override;
  void reply(nand::Op& op, Time now) override { flash_answered_(op, now); }

  PayloadPool<nand::FlashCommand> pool_;
  Submit submit_;
  FlashAnswered flash_answered_;
  Asker<Request>* asker_ = nullptr;   // of reads without a payload
  Taker<nand::Op>* array_ = nullptr;  // takes operations without one
  bool array_sought_ = false;
};

}  // namespace flashpath::ftl

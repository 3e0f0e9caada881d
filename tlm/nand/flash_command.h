// SPDX-License-Identifier: Apache-2.0
// How a NAND operation crosses a TLM-2.0 socket: an extension beside the generic payload.
// The payload's command is READ for read, WRITE for program and erase; its length is the operation's size (at least 1).
#pragma once
#include <tlm>

#include "nand/nand_op.h"

namespace flashpath::nand {

struct FlashCommand : tlm::tlm_extension<FlashCommand> {
  Op op;
  tlm::tlm_extension_base* clone() const override { return new FlashCommand(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override { op = static_cast<const FlashCommand&>(other).op; }
  void free() override {}  // lives inside its pool's payload
};

}  // namespace flashpath::nand

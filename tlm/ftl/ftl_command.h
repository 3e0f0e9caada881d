// SPDX-License-Identifier: Apache-2.0
// How an FTL request crosses a TLM-2.0 socket. READ for read; WRITE for write, trim, flush and format (length at least 1).
#pragma once
#include <tlm>

#include "ftl/ftl_request.h"

namespace flashpath::ftl {

struct FtlCommand : tlm::tlm_extension<FtlCommand> {
  Request request;
  tlm::tlm_extension_base* clone() const override { return new FtlCommand(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override { request = static_cast<const FtlCommand&>(other).request; }
  void free() override {}  // lives inside its pool's payload
};

}  // namespace flashpath::ftl

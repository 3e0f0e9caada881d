// SPDX-License-Identifier: Apache-2.0
#include "kernel/short_cut.h"

#include <map>

namespace flashpath {
namespace {
std::map<const void*, Responder*>& offers() {
  static std::map<const void*, Responder*> all;
  return all;
}
}  // namespace

void Responder::offer(sc_core::sc_export<tlm::tlm_fw_transport_if<>>& socket, Responder* responder) {
  const void* const interface = socket.operator->();  // what an initiator bound to it calls; a simple socket's own operator leads back
  if (responder != nullptr) offers()[interface] = responder;
  else offers().erase(interface);
}

Responder* Responder::behind(const void* interface) {
  const auto found = offers().find(interface);
  return !enabled || found == offers().end() ? nullptr : found->second;
}

}  // namespace flashpath

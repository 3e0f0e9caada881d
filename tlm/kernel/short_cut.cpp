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

void Responder::offer(const void* interface, Responder* responder) {
  if (responder != nullptr) offers()[interface] = responder;
  else offers().erase(interface);
}

Responder* Responder::behind(const void* interface) {
  const auto found = offers().find(interface);
  return !enabled || found == offers().end() ? nullptr : found->second;
}

}  // namespace flashpath

// SPDX-License-Identifier: Apache-2.0
#include "kernel/transfer.h"

namespace flashpath {

Transfer& transfer_of(Payload& payload) {
  Transfer* t = payload.get_extension<Transfer>();
  if (t == nullptr) {
    t = new Transfer;  // freed with the payload
    payload.set_extension(t);
  }
  return *t;
}

unsigned char* no_bytes(std::size_t at_least) {
  // Grows by replacement; old areas stay alive, since payloads in flight may still show to them.
  static std::vector<std::unique_ptr<unsigned char[]>> areas;
  static std::size_t size = 0;
  if (at_least > size || areas.empty()) {
    size = std::max<std::size_t>(at_least, std::size_t{4} << 20U);
    areas.push_back(std::make_unique<unsigned char[]>(size));
  }
  return areas.back().get();
}

}  // namespace flashpath

// SPDX-License-Identifier: Apache-2.0
#include "kernel/transfer.h"

namespace flashpath {

Transfer& attach_transfer(Payload& payload) {
  Transfer* t = payload.get_extension<Transfer>();
  if (t == nullptr) {
    t = new Transfer;  // freed with the payload
    payload.set_extension(t);
  }
  return *t;
}

/// Grows by replacement; old areas stay alive, since payloads in flight may still show to them.
void Scratch::grow(std::size_t at_least) {
  static std::vector<std::unique_ptr<unsigned char[]>> areas;
  size = std::max<std::size_t>(at_least, std::size_t{4} << 20U);
  areas.push_back(std::make_unique<unsigned char[]>(size));
  area = areas.back().get();
}

}  // namespace flashpath

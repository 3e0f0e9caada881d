// SPDX-License-Identifier: Apache-2.0
#include "serving/objects.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"

namespace flashpath::serving {

std::array<std::byte, 16> ObjectKey::bytes() const {
  std::array<std::byte, 16> out{};
  for (std::size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<std::byte>(high >> (56U - 8U * i));
    out[8 + i] = static_cast<std::byte>(low >> (56U - 8U * i));
  }
  return out;
}

ObjectKey ObjectKey::from(const std::array<std::byte, 16>& bytes) {
  ObjectKey key;
  for (std::size_t i = 0; i < 8; ++i) {
    key.high = key.high << 8U | static_cast<std::uint64_t>(bytes[i]);
    key.low = key.low << 8U | static_cast<std::uint64_t>(bytes[8 + i]);
  }
  return key;
}

ObjectLayout::ObjectLayout(const Model& model, DType kv, std::uint32_t block_tokens, Bytes target) {
  const Bytes layer = block_tokens * model.kv_per_token_layer(kv);
  Wide best_large = 0, best_small = 1;  // the larger of object and target over the smaller
  for (std::uint32_t layers = 1; layers <= model.layers; ++layers) {
    if (model.layers % layers != 0) continue;
    const Wide large = std::max((layers * layer).count, target.count);
    const Wide small = std::min((layers * layer).count, target.count);
    if (best_large == 0 || large * best_small < best_large * small) {
      best_large = large;
      best_small = small;
      layers_per_object_ = layers;
    }
  }
  groups_ = model.layers / layers_per_object_;
  object_ = layers_per_object_ * layer;
  name_space_ = hash_text(fmt::format("{}/{}/{}x{}", model.name, name_of(kv), block_tokens, layers_per_object_)) >> 16U;
}

std::uint64_t ObjectLayout::block_key(std::uint64_t block_id) const { return mix64(block_id + mix64(name_space_)); }

}  // namespace flashpath::serving

// SPDX-License-Identifier: Apache-2.0
// How a block of KV cache is cut into the objects that the flash tier stores, and what they are called.
//
//   block (512 tokens)   layers 0 ........................ L-1
//   objects              [ group 0 ][ group 1 ] ... [ group G-1 ]      equal: layers/object divides the layers
//   key (16 bytes)       [ 64 bits: block, mixed ][ 48 bits: model, format, cut ][ 16 bits: group ]
//
// Layer groups let prefill of the first layers run while later ones are still loading. Every id counts as one
// full block, the last of a prompt too: bytes = bytes per block x blocks.
// The key is a bijection of (block, group) for one model, so two objects never share one.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>

#include "serving/models.h"

namespace flashpath::serving {

struct ObjectKey {
  std::uint64_t high = 0;  ///< the block
  std::uint64_t low = 0;   ///< the model and the layer group
  constexpr auto operator<=>(const ObjectKey&) const = default;
  /// As on the wire, most significant byte first.
  std::array<std::byte, 16> bytes() const;
  static ObjectKey from(const std::array<std::byte, 16>& bytes);
};

class ObjectLayout {
 public:
  /// Objects as near as possible (as a ratio) to `target`.
  ObjectLayout(const Model& model, DType kv, std::uint32_t block_tokens, Bytes target);

  std::uint32_t groups() const { return groups_; }
  std::uint32_t layers_per_object() const { return layers_per_object_; }
  Bytes object() const { return object_; }
  Bytes block() const { return groups_ * object_; }

  /// The name of a block, the same in every object of it.
  std::uint64_t block_key(std::uint64_t block_id) const;
  ObjectKey key(std::uint64_t block_key, std::uint32_t group) const { return {block_key, name_space_ << 16U | group}; }

 private:
  std::uint32_t groups_ = 1, layers_per_object_ = 1;
  Bytes object_;
  std::uint64_t name_space_;
};

}  // namespace flashpath::serving

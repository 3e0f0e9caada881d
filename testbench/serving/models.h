// SPDX-License-Identifier: Apache-2.0
// Language models, as far as a KV cache can tell them apart: the shapes from each model's public config.json,
// and everything else by formula.
//
//   grouped-query attention   KV bytes/token = 2 · layers · kv_heads · head_dim · bytes
//   latent attention (MLA)    KV bytes/token = layers · (kv_lora_rank + rope_dim) · bytes, one copy
//   attention FLOP            2 · layers · heads · (qk_dim + v_dim) per pair of tokens (= 4 · L · H · d_h if equal)
//
// Not modelled: windowed and compressed attention (their bytes per token depend on the context), tokenizers,
// the split over ranks (an instance is one machine), weights quantised differently from the arithmetic.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/units.h"

namespace flashpath::serving {

enum class DType : std::uint8_t { bf16, fp8 };
std::string_view name_of(DType dtype);
constexpr std::uint64_t bytes_of(DType dtype) { return dtype == DType::bf16 ? 2 : 1; }
/// Throws UserErrors naming the known ones.
DType find_dtype(std::string_view name);

struct Model {
  std::string_view name;
  std::uint32_t layers;
  std::uint32_t hidden;
  std::uint32_t heads;  ///< of queries
  std::uint32_t kv_heads;
  std::uint32_t head_dim;    ///< of keys and values
  std::uint32_t qk_dim;      ///< per head in prefill; head_dim unless MLA
  std::uint32_t v_dim;       ///< per head in prefill
  std::uint32_t latent_dim;  ///< MLA: kv_lora_rank + qk_rope_head_dim; 0: none
  double parameters;         ///< total
  double active;             ///< used per token
  std::string_view source;

  constexpr bool latent() const { return latent_dim != 0; }
  /// One layer's keys and values of one token.
  constexpr Bytes kv_per_token_layer(DType kv) const {
    return {(latent() ? latent_dim : std::uint64_t{2} * kv_heads * head_dim) * bytes_of(kv)};
  }
  constexpr Bytes kv_per_token(DType kv) const { return layers * kv_per_token_layer(kv); }
  constexpr Bytes weights(DType dtype) const { return {static_cast<std::uint64_t>(parameters) * bytes_of(dtype)}; }
};

std::span<const Model> models();
/// Throws UserErrors with the nearest name and the list of all.
const Model& find_model(std::string_view name);

}  // namespace flashpath::serving

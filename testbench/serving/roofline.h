// SPDX-License-Identifier: Apache-2.0
// How long an instance computes: two equations.
//
//   prefill of n tokens, p of them cached
//     F = 2 · P_active · (n-p)  +  2 · L · H · (d_qk + d_v) · (n-p) · (p + (n-p)/2)      [= 4·L·H·d_h·… if equal]
//     T = F / (peak · MFU)
//   one decode step of a batch of B, with C tokens of context altogether
//     T = max( (2 · P_active · B + 2 · L · H · (d_qk + d_v) · C) / (peak · MFU),
//              (weights + C · kv) / (bandwidth · efficiency) )
//
// Floating point ends here: each result becomes a Duration once, rounded up to the picosecond.
// Not modelled: fixed costs per launch or step (the cluster adds them), experts that stay cold in a small batch
// (all weights are read), kernels that change with the shape.
#pragma once
#include <cstdint>

#include "base/units.h"
#include "serving/accelerators.h"
#include "serving/models.h"

namespace flashpath::serving {

class Roofline {
 public:
  Roofline(const Model& model, const Accelerator& accelerator, DType dtype, DType kv)
      : model_{&model}, accelerator_{&accelerator}, dtype_{dtype}, kv_{kv} {}

  const Model& model() const { return *model_; }
  const Accelerator& accelerator() const { return *accelerator_; }

  double prefill_flop(std::uint64_t tokens, std::uint64_t cached) const;
  Duration prefill(std::uint64_t tokens, std::uint64_t cached) const;
  /// One of `layers` equal shares of it; rounded up, so L of them are never shorter than the whole.
  Duration prefill_layer(std::uint64_t tokens, std::uint64_t cached) const;
  Duration decode_step(std::uint64_t batch, std::uint64_t context_tokens) const;

  /// Loading `cached` tokens faster than this beats computing them: their KV bytes / their prefill time.
  Rate break_even(std::uint64_t cached) const;

 private:
  double attention_flop_per_pair() const { return 2.0 * model_->layers * model_->heads * (model_->qk_dim + model_->v_dim); }

  const Model* model_;
  const Accelerator* accelerator_;
  DType dtype_, kv_;
};

/// Mooncake (FAST'25), Eq. 2: reuse pays above G·2·d·s / (gqa·(a·p·d + b·d²)) bytes per second, with a = 4, b = 22
/// for Llama-3; G the peak in FLOP/s (as the paper takes it), d the hidden size, s bytes per value, gqa queries per key head.
Rate mooncake_break_even(double flops, std::uint64_t hidden, std::uint64_t gqa, std::uint64_t value_bytes, std::uint64_t cached);

/// A KV cache of `layers` equal parts loaded while the layers before are computed; per layer b to load, c to compute:
/// b + (L-1)·max(b, c) + c.
constexpr Duration overlapped(std::uint64_t layers, Duration load, Duration compute) {
  return load + static_cast<std::int64_t>(layers - 1) * (load > compute ? load : compute) + compute;
}

}  // namespace flashpath::serving

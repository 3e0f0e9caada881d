// SPDX-License-Identifier: Apache-2.0
#include "serving/roofline.h"

#include <algorithm>
#include <cmath>

namespace flashpath::serving {
namespace {
Duration from_seconds(double seconds) { return Duration{static_cast<std::int64_t>(std::ceil(seconds * 1e12))}; }
Rate to_rate(double bytes_per_second) { return {static_cast<std::uint64_t>(std::llround(bytes_per_second))}; }
}  // namespace

double Roofline::prefill_flop(std::uint64_t tokens, std::uint64_t cached) const {
  const auto fresh = static_cast<double>(tokens - cached);
  const double mean_context = static_cast<double>(cached) + fresh / 2.0;
  return 2.0 * model_->active * fresh + attention_flop_per_pair() * fresh * mean_context;
}

Duration Roofline::prefill(std::uint64_t tokens, std::uint64_t cached) const {
  return from_seconds(prefill_flop(tokens, cached) / (accelerator_->peak(dtype_) * accelerator_->mfu));
}

Duration Roofline::prefill_layer(std::uint64_t tokens, std::uint64_t cached) const {
  const auto whole = static_cast<std::uint64_t>(prefill(tokens, cached).count());
  return Duration{static_cast<std::int64_t>(ceil_div(whole, model_->layers))};
}

Duration Roofline::decode_step(std::uint64_t batch, std::uint64_t context_tokens) const {
  const double flop = 2.0 * model_->active * static_cast<double>(batch) + attention_flop_per_pair() * static_cast<double>(context_tokens);
  const double bytes = static_cast<double>(model_->weights(dtype_).count) +
                       static_cast<double>(context_tokens) * static_cast<double>(model_->kv_per_token(kv_).count);
  const double compute = flop / (accelerator_->peak(dtype_) * accelerator_->mfu);
  const double memory = bytes / (static_cast<double>(accelerator_->bandwidth().bytes_per_second) * accelerator_->bandwidth_efficiency);
  return from_seconds(std::max(compute, memory));
}

Rate Roofline::break_even(std::uint64_t cached) const {
  const double seconds = prefill_flop(cached, 0) / (accelerator_->peak(dtype_) * accelerator_->mfu);
  return to_rate(static_cast<double>((cached * model_->kv_per_token(kv_)).count) / seconds);
}

Rate mooncake_break_even(double flops, std::uint64_t hidden, std::uint64_t gqa, std::uint64_t value_bytes, std::uint64_t cached) {
  const auto d = static_cast<double>(hidden);
  const double work = static_cast<double>(gqa) * (4.0 * static_cast<double>(cached) * d + 22.0 * d * d);
  return to_rate(flops * 2.0 * d * static_cast<double>(value_bytes) / work);
}

}  // namespace flashpath::serving

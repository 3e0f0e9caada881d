// SPDX-License-Identifier: Apache-2.0
// The two equations against published arithmetic, each within the rounding of what is printed.
#include "serving/roofline.h"

#include "serving/support.h"

namespace flashpath::serving_test {
namespace {

using namespace flashpath::literals;
using namespace flashpath::serving;

Roofline on(const char* model, const char* accelerator, DType dtype = DType::bf16) {
  return {find_model(model), find_accelerator(accelerator), dtype, DType::bf16};
}
double gigabytes(Rate r) { return static_cast<double>(r.bytes_per_second) * 1e-9; }

TEST(Roofline, vast_twenty_times) {
  // Llama-3 405B, 128 K of context: 1.77e17 FLOP in 56 s on 8 x H100 at 40 %; 67.6 GB through 2 x 100 GbE in 2.7 s; 20.6 x.
  const Roofline r = on("llama-3.1-405b", "8xh100");
  EXPECT_NEAR(r.prefill_flop(131'072, 0), 1.77e17, 0.005e17);
  EXPECT_NEAR(to_seconds(r.prefill(131'072, 0)), 56.0, 0.5);
  const Bytes kv = 131'072 * r.model().kv_per_token(DType::bf16);
  EXPECT_NEAR(static_cast<double>(kv.count), 67.6e9, 0.05e9);
  const Duration load = kv / 200_Gbps;
  EXPECT_NEAR(to_seconds(load), 2.7, 0.05);
  EXPECT_NEAR(to_seconds(r.prefill(131'072, 0)) / to_seconds(load), 20.6, 0.15);
}

TEST(Roofline, mooncake_equation_two) {
  EXPECT_NEAR(gigabytes(mooncake_break_even(find_accelerator("8xa800").peak(DType::bf16), 8192, 8, 2, 8192)), 5.86, 0.005);
  EXPECT_NEAR(gigabytes(mooncake_break_even(find_accelerator("8xh800").peak(DType::bf16), 8192, 8, 2, 8192)), 18.6, 0.05);
  const double rubin = find_accelerator("rubin").peak(DType::fp8) * 0.40;  // 17.5 PFLOP/s at 40 %, per GPU
  EXPECT_NEAR(gigabytes(mooncake_break_even(rubin, 8192, 8, 2, 8'192)), 16.4, 0.05);
  EXPECT_NEAR(gigabytes(mooncake_break_even(rubin, 8192, 8, 2, 32'768)), 11.2, 0.05);
  EXPECT_NEAR(gigabytes(mooncake_break_even(rubin, 8192, 8, 2, 131'072)), 5.0, 0.05);
  EXPECT_NEAR(gigabytes(mooncake_break_even(rubin, 8192, 8, 2, 1'048'576)), 0.8, 0.05);
}

TEST(Roofline, break_even_is_bytes_over_recompute_time) {
  // 70B bf16 on 8 x A800 prefills about 9.8 k tokens/s (short prompts, MFU 0.536): 3.2 GB/s.
  const Roofline r = on("llama-3.1-70b", "8xa800");
  EXPECT_NEAR(1024.0 / to_seconds(r.prefill(1024, 0)), 9'400.0, 500.0);
  EXPECT_NEAR(gigabytes(r.break_even(1024)), 3.1, 0.15);
  EXPECT_LT(r.break_even(131'072), r.break_even(8192)) << "attention makes long prefixes dearer to compute";
}

TEST(Roofline, prefill_is_additive_over_a_cut) {
  // F(n, 0) = F(p, 0) + F(n, p): the attention of the second part sees the first.
  const Roofline r = on("qwen3-32b", "h100");
  for (const std::uint64_t p : {1U, 511U, 4096U, 9999U})
    EXPECT_NEAR(r.prefill_flop(10'000, 0), r.prefill_flop(p, 0) + r.prefill_flop(10'000, p), 1e-9 * r.prefill_flop(10'000, 0));
  // By hand: 2 P n + 4 L H d n n/2.
  EXPECT_DOUBLE_EQ(r.prefill_flop(1000, 0), 2 * 32.8e9 * 1000 + 4.0 * 64 * 64 * 128 * 1000 * 500);
  EXPECT_GE(64 * r.prefill_layer(1000, 0), r.prefill(1000, 0));
  EXPECT_LT(64 * r.prefill_layer(1000, 0), r.prefill(1000, 0) + 64_ps);
}

TEST(Roofline, decode_is_bound_by_memory_then_by_arithmetic) {
  const Roofline r = on("llama-3.1-70b", "8xh100");
  const double weights = 2 * 70.6e9, bandwidth = 8 * 3350e9 * 0.80;
  EXPECT_NEAR(to_seconds(r.decode_step(1, 1000)), (weights + 1000 * 327'680.0) / bandwidth, 1e-11);
  EXPECT_NEAR(to_seconds(r.decode_step(8192, 0)), 2 * 70.6e9 * 8192 / (8 * 989e12 * 0.40), 1e-11);
  EXPECT_GT(r.decode_step(2, 1000), r.decode_step(1, 999) - 1_ps);
  EXPECT_LT(on("llama-3.1-70b", "8xh100", DType::fp8).decode_step(1, 0), r.decode_step(1, 0)) << "half the weights";
}

TEST(Roofline, cacheblend_layers_are_balanced) {
  // CacheBlend, section 9: 4 K context, one layer loads in 16 ms (7B) and 4 ms (70B) from the same disk: 4.2 GB/s.
  const auto load = [](const char* model) {
    return to_seconds((4096 * find_model(model).kv_per_token_layer(DType::bf16)) / Rate{4'200'000'000});
  };
  EXPECT_NEAR(load("llama-2-7b"), 0.016, 0.0005);
  EXPECT_NEAR(load("llama-3.1-70b"), 0.004, 0.0005);
}

TEST(Roofline, overlap_of_layers) {
  static_assert(overlapped(1, 3us, 5us) == 8us);
  static_assert(overlapped(80, 3us, 5us) == 3us + 79 * 5us + 5us);
  static_assert(overlapped(80, 5us, 3us) == 5us + 79 * 5us + 3us);
}

}  // namespace
}  // namespace flashpath::serving_test

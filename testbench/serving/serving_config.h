// SPDX-License-Identifier: Apache-2.0
// The serving machines in front of the flash tier: which model, how many, and what each can hold.
#pragma once
#include <cstdint>
#include <string>
#include <tuple>

#include "base/config.h"
#include "base/units.h"

namespace flashpath::serving {
using namespace flashpath::literals;

struct ServingConfig {
  std::string model = "llama-3.1-70b";
  std::string dtype = "bf16";
  std::string kv_dtype = "bf16";
  std::string accelerator = "8xh100";
  std::uint32_t instances = 4;
  std::uint32_t block_tokens = 512;
  Bytes g1 = 400_GB;
  Bytes g2 = 1_TB;
  Rate g2_bandwidth = 64_GBps;
  Bytes object_bytes = 16_MiB;
  std::uint32_t max_batch = 256;
  std::uint32_t max_loads = 64;
  std::uint32_t max_stores = 64;
  std::uint32_t route_penalty = 4;
  std::string load_policy = "always";
  bool write_through = true;
  Duration prefill_overhead = 10ms;
  Duration decode_overhead = 1ms;

  static constexpr auto schema() {
    using C = ServingConfig;
    return std::tuple{
        Field{"model", &C::model, "language model (see serving/models.cpp)", Known::assumed,
              "the usual yardstick: 320 KiB of KV per token"},
        Field{"dtype", &C::dtype, "format of weights and arithmetic: bf16 or fp8", Known::assumed, "as published"},
        Field{"kv_dtype", &C::kv_dtype, "format of keys and values: bf16 or fp8", Known::assumed, "as published"},
        Field{"accelerator", &C::accelerator, "one instance's accelerators (see serving/accelerators.cpp)", Known::assumed,
              "a common node"},
        Field{"instances", &C::instances, "serving instances", Known::assumed, "a small cluster", Range{1U, 1024U}},
        Field{"block_tokens", &C::block_tokens, "tokens per block id of the log", Known::spec, "Mooncake logs: 512", Range{1U, 65536U}},
        Field{"g1", &C::g1, "KV cache in accelerator memory, per instance; 0: none", Known::assumed,
              "640 GB of 8 x H100, less 141 GB of weights and working memory", Range{0_B, 100_TB}},
        Field{"g2", &C::g2, "KV cache in host memory, per instance; 0: none", Known::assumed,
              "1 TB: Mooncake, FAST'25, section 5.3 (3 M tokens)", Range{0_B, 100_TB}},
        Field{"g2_bandwidth", &C::g2_bandwidth, "host to accelerator, per instance", Known::spec,
              "PCIe Gen5 x16, one direction: 64 GB/s nominal", Range{1_MBps, 10'000_GBps}},
        Field{"object_bytes", &C::object_bytes, "target size of one stored object, a layer group of a block", Known::measured,
              "LMCache table 1: about 16 MB saturates 8 x 400 Gbit/s", Range{4_KiB, 64_GB}},
        Field{"max_batch", &C::max_batch, "requests decoding at once, per instance", Known::assumed, "vLLM's default max_num_seqs",
              Range{1U, 65536U}},
        Field{"max_loads", &C::max_loads, "objects a request may have in flight from the flash tier", Known::assumed,
              "64 x 16 MiB covers 1 GiB of window", Range{1U, 1U << 20U}},
        Field{"max_stores", &C::max_stores, "objects an instance may have in flight to the flash tier", Known::assumed, "as max_loads",
              Range{1U, 1U << 20U}},
        Field{"route_penalty", &C::route_penalty, "blocks of prefix that one request in flight outweighs", Known::assumed,
              "without, a shared system prompt sends all to one instance", Range{0U, 1U << 20U}},
        Field{"load_policy", &C::load_policy, "always: load what the flash tier has; never: recompute", Known::assumed,
              "the question under study"},
        Field{"write_through", &C::write_through, "store new blocks to the flash tier after prefill", Known::spec,
              "KVBM and LMCache write through"},
        Field{"prefill_overhead", &C::prefill_overhead, "fixed cost of a prefill", Known::assumed,
              "between 1 ms (vLLM 0.19, host) and 26 ms (intercept of Dynamo's early mocker)", Range{0_ps, 10s}},
        Field{"decode_overhead", &C::decode_overhead, "fixed cost of a decode step", Known::measured,
              "vLLM 0.19 on RTX PRO 6000: host time of about 1 ms", Range{0_ps, 1s}},
    };
  }
  void check(const std::string& where, UserErrors& errors) const;
};

}  // namespace flashpath::serving

// SPDX-License-Identifier: Apache-2.0
#include "serving/models.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "base/config.h"
#include "base/error.h"

namespace flashpath::serving {
namespace {

// name, layers, hidden, heads, kv heads, head dim, qk, v, latent, parameters, active, source
constexpr std::array<Model, 14> table = {{
    {"llama-3.1-8b", 32, 4096, 32, 8, 128, 128, 128, 0, 8.03e9, 8.03e9, "config.json; model card 8.03B"},
    {"llama-3.1-70b", 80, 8192, 64, 8, 128, 128, 128, 0, 70.6e9, 70.6e9, "config.json; model card 70.6B; Llama-3-70B and 3.3-70B alike"},
    {"llama-3.1-405b", 126, 16384, 128, 8, 128, 128, 128, 0, 405.9e9, 405.9e9, "config.json; model card 405B"},
    {"qwen3-8b", 36, 4096, 32, 8, 128, 128, 128, 0, 8.2e9, 8.2e9, "config.json; model card 8.2B"},
    {"qwen3-32b", 64, 5120, 64, 8, 128, 128, 128, 0, 32.8e9, 32.8e9, "config.json; model card 32.8B"},
    {"qwen2.5-72b", 80, 8192, 64, 8, 128, 128, 128, 0, 72.7e9, 72.7e9, "config.json; model card 72.7B"},
    {"qwen3-235b-a22b", 94, 4096, 64, 4, 128, 128, 128, 0, 235e9, 22e9, "config.json; model card 235B, 22B active"},
    {"qwen3-coder-480b-a35b", 62, 6144, 96, 8, 128, 128, 128, 0, 480e9, 35e9, "config.json; model card 480B, 35B active"},
    {"mistral-large-2", 88, 12288, 96, 8, 128, 128, 128, 0, 123e9, 123e9, "config.json; model card 123B"},
    {"mixtral-8x22b", 56, 6144, 48, 8, 128, 128, 128, 0, 141e9, 39e9, "config.json; announcement 141B, 39B active"},
    {"glm-4.5", 92, 5120, 96, 8, 128, 128, 128, 0, 355e9, 32e9, "config.json; model card 355B, 32B active"},
    {"deepseek-v3", 61, 7168, 128, 128, 128, 192, 128, 576, 671e9, 37e9, "arXiv 2412.19437 section 4.2: kv_lora 512 + rope 64; R1 alike"},
    {"kimi-k2", 61, 7168, 64, 64, 128, 192, 128, 576, 1040e9, 32e9, "config.json; model card 1.04T, 32B active; MLA as DeepSeek-V3"},
    {"llama-2-7b", 32, 4096, 32, 32, 128, 128, 128, 0, 6.74e9, 6.74e9, "config.json; arXiv 2307.09288; every head has its own keys"},
}};

}  // namespace

std::string_view name_of(DType dtype) { return dtype == DType::bf16 ? "bf16" : "fp8"; }

DType find_dtype(std::string_view name) {
  if (name == "bf16") return DType::bf16;
  if (name == "fp8") return DType::fp8;
  throw UserErrors{fmt::format("\"{}\": not a number format that the serving model knows; known: bf16, fp8", name)};
}

std::span<const Model> models() { return table; }

const Model& find_model(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Model& m : table) {
    if (m.name == name) return m;
    names.push_back(m.name);
  }
  const std::string near = nearest(name, names);
  throw UserErrors{fmt::format("\"{}\": no such model{}; known: {}", name, near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near),
                               fmt::join(names, ", "))};
}

}  // namespace flashpath::serving

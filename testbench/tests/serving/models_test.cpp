// SPDX-License-Identifier: Apache-2.0
// Shapes against the published bytes per token, names against misspelling, objects against arithmetic.
#include "serving/models.h"

#include <set>

#include "serving/accelerators.h"
#include "serving/objects.h"
#include "serving/serving_config.h"
#include "serving/support.h"

namespace flashpath::serving_test {
namespace {

using namespace flashpath::literals;
using namespace flashpath::serving;

TEST(Models, kv_bytes_per_token_by_the_formula) {
  const std::pair<const char*, std::uint64_t> published[] = {
      {"llama-3.1-8b", 131'072},    {"llama-3.1-70b", 327'680}, {"qwen2.5-72b", 327'680},     {"llama-3.1-405b", 516'096},
      {"qwen3-32b", 262'144},       {"qwen3-8b", 147'456},      {"qwen3-235b-a22b", 192'512}, {"qwen3-coder-480b-a35b", 253'952},
      {"mistral-large-2", 360'448}, {"mixtral-8x22b", 229'376}, {"glm-4.5", 376'832},         {"deepseek-v3", 70'272},
      {"kimi-k2", 70'272},          {"llama-2-7b", 524'288},
  };
  for (const auto& [name, bytes] : published) {
    EXPECT_EQ(find_model(name).kv_per_token(DType::bf16).count, bytes) << name;
    EXPECT_EQ(find_model(name).kv_per_token(DType::fp8).count, bytes / 2) << name;
  }
  EXPECT_EQ(std::size(published), models().size()) << "every model has its published value here";
  // CacheBlend's per-layer sizes for 4,096 tokens: 67 MB (7B, all heads) and 16.8 MB (70B, grouped).
  EXPECT_NEAR(static_cast<double>((4096 * find_model("llama-2-7b").kv_per_token_layer(DType::bf16)).count), 67e6, 0.2e6);
  EXPECT_NEAR(static_cast<double>((4096 * find_model("llama-3.1-70b").kv_per_token_layer(DType::bf16)).count), 16.8e6, 0.05e6);
}

TEST(Models, unknown_names_are_told_with_the_nearest) {
  const std::string message = errors_of([] { find_model("llama-3.1-70"); });
  EXPECT_TRUE(contains(message, "\"llama-3.1-70\": no such model; did you mean \"llama-3.1-70b\"?")) << message;
  EXPECT_TRUE(contains(message, "deepseek-v3")) << "the list of all: " << message;
  const std::string other = errors_of([] { find_accelerator("8xh10"); });
  EXPECT_TRUE(contains(other, "no such accelerator; did you mean \"8xh100\"?")) << other;
  EXPECT_TRUE(contains(errors_of([] { find_dtype("int4"); }), "known: bf16, fp8"));
}

TEST(Accelerators, physical_bounds) {
  for (const Accelerator& a : accelerators()) {
    EXPECT_GE(a.fp8_flops, a.bf16_flops) << a.name;
    EXPECT_GT(a.mfu, 0.3) << a.name;
    EXPECT_LT(a.mfu, 0.6) << a.name;
    EXPECT_GE(a.bandwidth_efficiency, 0.70) << a.name;
    EXPECT_LE(a.bandwidth_efficiency, 0.86) << a.name;
    EXPECT_FALSE(a.source.empty());
  }
  EXPECT_EQ(find_accelerator("8xh200").memory(), 1128_GB);
}

TEST(Objects, divide_the_layers_and_come_near_the_target) {
  struct Case {
    const char* model;
    std::uint32_t layers, groups;
    Bytes object;
  };
  for (const Case& c : {Case{"llama-3.1-70b", 8, 10, 16_MiB}, Case{"llama-3.1-8b", 8, 4, 16_MiB}, Case{"llama-3.1-405b", 9, 14, 18_MiB},
                        Case{"deepseek-v3", 61, 1, 35'979'264_B}}) {
    const ObjectLayout layout{find_model(c.model), DType::bf16, 512, 16_MiB};
    EXPECT_EQ(layout.layers_per_object(), c.layers) << c.model;
    EXPECT_EQ(layout.groups(), c.groups) << c.model;
    EXPECT_EQ(layout.object(), c.object) << c.model;
    EXPECT_EQ(layout.block(), 512 * find_model(c.model).kv_per_token(DType::bf16)) << c.model;
  }
  EXPECT_EQ((ObjectLayout{find_model("llama-3.1-70b"), DType::bf16, 512, 4_KiB}.layers_per_object()), 1U);
  EXPECT_EQ((ObjectLayout{find_model("llama-3.1-70b"), DType::bf16, 512, 64_GB}.groups()), 1U);
}

TEST(Objects, keys_never_meet) {
  const ObjectLayout bf16{find_model("llama-3.1-70b"), DType::bf16, 512, 16_MiB};
  const ObjectLayout fp8{find_model("llama-3.1-70b"), DType::fp8, 512, 8_MiB};
  const ObjectLayout other{find_model("qwen2.5-72b"), DType::bf16, 512, 16_MiB};
  std::set<ObjectKey> keys;
  for (const ObjectLayout* layout : {&bf16, &fp8, &other})
    for (std::uint64_t block = 0; block < 1000; ++block)
      for (std::uint32_t group = 0; group < layout->groups(); ++group) keys.insert(layout->key(layout->block_key(block), group));
  EXPECT_EQ(keys.size(), 1000U * (bf16.groups() + fp8.groups() + other.groups()));
  const ObjectKey key = bf16.key(bf16.block_key(46), 3);
  EXPECT_EQ(ObjectKey::from(key.bytes()), key);
  EXPECT_EQ(static_cast<unsigned>(key.bytes()[15]), 3U) << "most significant byte first: the group comes last";
}

TEST(ServingConfig, every_mistake_is_told) {
  UserErrors errors;
  ServingConfig{}.check("serving", errors);
  EXPECT_TRUE(errors.empty()) << errors.what();
  const auto told = [](const ServingConfig& config) {
    UserErrors list;
    config.check("serving", list);
    std::string all;
    for (const std::string& m : list.list) all += m + "\n";
    return all;
  };
  const std::string names = told({.model = "llama", .dtype = "int8", .accelerator = "tpu", .load_policy = "sometimes"});
  for (const char* part : {"serving.model = \"llama\": no such model", "serving.dtype = \"int8\"", "serving.accelerator = \"tpu\"",
                           "serving.load_policy = \"sometimes\": expected always or never"})
    EXPECT_TRUE(contains(names, part)) << names;
  EXPECT_TRUE(
      contains(told({.g1 = 500_GB, .g2 = 2_TB}), "serving.g1 = 500 GB: with 141 GB of weights it does not fit the 640 GB of 8xh100"));
  EXPECT_TRUE(contains(told({.g1 = 400_GB, .g2 = 100_GB}), "smaller than g1"));
  EXPECT_TRUE(contains(told({.g1 = 1_MiB}), "smaller than one block of 167772160 bytes"));
}

}  // namespace
}  // namespace flashpath::serving_test

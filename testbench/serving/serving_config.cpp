// SPDX-License-Identifier: Apache-2.0
#include "serving/serving_config.h"

#include <fmt/format.h>

#include "serving/accelerators.h"
#include "serving/models.h"

namespace flashpath::serving {
namespace {

/// Runs a look-up that throws, and puts where it was in front of its message.
template <class Find>
auto found(const std::string& where, UserErrors& errors, Find find) -> decltype(find()) {
  try {
    return find();
  } catch (const UserErrors& e) {
    for (const std::string& message : e.list) errors.add(fmt::format("{} = {}", where, message));
  }
  return {};
}

}  // namespace

void ServingConfig::check(const std::string& where, UserErrors& errors) const {
  const std::size_t before = errors.list.size();
  const Model* m = found(where + ".model", errors, [&] { return &find_model(model); });
  const Accelerator* a = found(where + ".accelerator", errors, [&] { return &find_accelerator(accelerator); });
  const DType weights = found(where + ".dtype", errors, [&] { return find_dtype(dtype); });
  const DType kv = found(where + ".kv_dtype", errors, [&] { return find_dtype(kv_dtype); });
  if (load_policy != "always" && load_policy != "never")
    errors.add(fmt::format("{}.load_policy = \"{}\": expected always or never", where, load_policy));
  if (g2.count != 0 && g2 < g1)
    errors.add(fmt::format("{}.g2 = {} GB: smaller than g1 = {} GB, but g2 holds all that g1 does", where, g2.count / 1'000'000'000,
                           g1.count / 1'000'000'000));
  if (errors.list.size() != before) return;
  if (m->weights(weights) + g1 > a->memory())
    errors.add(fmt::format("{}.g1 = {} GB: with {} GB of weights it does not fit the {} GB of {}", where, g1.count / 1'000'000'000,
                           m->weights(weights).count / 1'000'000'000, a->memory().count / 1'000'000'000, a->name));
  const Bytes block = block_tokens * m->kv_per_token(kv);
  if (g1.count != 0 && g1 < block)
    errors.add(fmt::format("{}.g1 = {} bytes: smaller than one block of {} bytes", where, g1.count, block.count));
  if (g2.count != 0 && g2 < block)
    errors.add(fmt::format("{}.g2 = {} bytes: smaller than one block of {} bytes", where, g2.count, block.count));
}

}  // namespace flashpath::serving

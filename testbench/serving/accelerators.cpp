// SPDX-License-Identifier: Apache-2.0
#include "serving/accelerators.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/error.h"

namespace flashpath::serving {
namespace {
using namespace flashpath::literals;

// MFU 0.536: 8 x A800 with LLaMA3-70B, Mooncake (FAST'25). 0.40: middle of the 35-55 % seen elsewhere (assumed).
// Bandwidth efficiency 0.80: inside the 0.70-0.85 usual for decode (assumed); 0.86 measured on an RTX 4090.
constexpr double mooncake_mfu = 0.536;
constexpr double usual_mfu = 0.40;
constexpr double usual_bandwidth = 0.80;

constexpr std::array<Accelerator, 11> table = {{
    {"8xa100", 8, 312e12, 312e12, 2039_GBps, 80_GB, mooncake_mfu, usual_bandwidth,
     "NVIDIA A100 80GB SXM datasheet; no fp8; MFU as 8 x A800"},
    {"8xa800", 8, 312e12, 312e12, 2039_GBps, 80_GB, mooncake_mfu, usual_bandwidth,
     "NVIDIA A800: A100 with less NVLink; MFU from Mooncake, FAST'25"},
    {"h100", 1, 989e12, 1979e12, 3350_GBps, 80_GB, usual_mfu, usual_bandwidth, "NVIDIA H100 SXM datasheet, dense"},
    {"8xh100", 8, 989e12, 1979e12, 3350_GBps, 80_GB, usual_mfu, usual_bandwidth, "NVIDIA H100 SXM datasheet, dense"},
    {"8xh800", 8, 989e12, 1979e12, 3350_GBps, 80_GB, usual_mfu, usual_bandwidth, "H100 with less NVLink"},
    {"h200", 1, 989e12, 1979e12, 4800_GBps, 141_GB, usual_mfu, usual_bandwidth, "NVIDIA H200 SXM datasheet, dense"},
    {"8xh200", 8, 989e12, 1979e12, 4800_GBps, 141_GB, usual_mfu, usual_bandwidth, "NVIDIA H200 SXM datasheet, dense"},
    {"b200", 1, 2250e12, 4500e12, 8000_GBps, 192_GB, usual_mfu, usual_bandwidth,
     "NVIDIA HGX B200 datasheet, dense (180 GB usable in a DGX)"},
    {"8xb200", 8, 2250e12, 4500e12, 8000_GBps, 192_GB, usual_mfu, usual_bandwidth,
     "NVIDIA HGX B200 datasheet, dense (180 GB usable in a DGX)"},
    {"rubin", 1, 8750e12, 17500e12, 22000_GBps, 288_GB, usual_mfu, usual_bandwidth,
     "NVIDIA Rubin announcement: 288 GB HBM4, 22 TB/s, 35 PFLOPS NVFP4 training; fp8 half of it, bf16 a quarter (assumed)"},
    {"8xrubin", 8, 8750e12, 17500e12, 22000_GBps, 288_GB, usual_mfu, usual_bandwidth, "as rubin"},
}};

}  // namespace

std::span<const Accelerator> accelerators() { return table; }

const Accelerator& find_accelerator(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Accelerator& a : table) {
    if (a.name == name) return a;
    names.push_back(a.name);
  }
  const std::string near = nearest(name, names);
  throw UserErrors{fmt::format("\"{}\": no such accelerator{}; known: {}", name,
                               near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near), fmt::join(names, ", "))};
}

}  // namespace flashpath::serving

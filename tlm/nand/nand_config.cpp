// SPDX-License-Identifier: Apache-2.0
#include "nand/nand_config.h"

namespace flashpath::nand {

std::string_view name_of(ProgramUnit unit) { return unit == ProgramUnit::wordline ? "wordline" : "page"; }
std::span<const ProgramUnit> all_of(const ProgramUnit*) {
  static constexpr std::array all{ProgramUnit::wordline, ProgramUnit::page};
  return all;
}

std::string_view name_of(ChannelPolicy policy) { return policy == ChannelPolicy::commands_first ? "commands_first" : "data_first"; }
std::span<const ChannelPolicy> all_of(const ChannelPolicy*) {
  static constexpr std::array all{ChannelPolicy::commands_first, ChannelPolicy::data_first};
  return all;
}

std::string_view name_of(DiePolicy policy) {
  switch (policy) {
    case DiePolicy::reads_first: return "reads_first";
    case DiePolicy::host_first: return "host_first";
    case DiePolicy::fifo: break;
  }
  return "fifo";
}
std::span<const DiePolicy> all_of(const DiePolicy*) {
  static constexpr std::array all{DiePolicy::reads_first, DiePolicy::host_first, DiePolicy::fifo};
  return all;
}

}  // namespace flashpath::nand

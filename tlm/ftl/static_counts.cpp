// SPDX-License-Identifier: Apache-2.0
#include "ftl/static_model.h"

namespace flashpath::ftl {

using U = stats::Unit;
StaticCounts::StaticCounts(stats::Group& g)
    : host_read{g, "host_read", U::byte, "answered from flash"},
      host_written{g, "host_written", U::byte, "programmed and answered, or on their way"},
      flash_read{g, "flash_read", U::byte, "asked of the flash"},
      flash_programmed{g, "flash_programmed", U::byte, "given to the flash; / host_written: write amplification"},
      flash_reads{g, "flash_reads", U::count, "read operations"},
      flash_programs{g, "flash_programs", U::count, "program operations"},
      flash_erases{g, "flash_erases", U::count, "erase operations"},
      gc_moved{g, "gc_moved", U::byte, "copied by garbage collection"},
      gc_victims{g, "gc_victims", U::count, "blocks (of one plane) collected"},
      unmapped_read{g, "never_written_read", U::byte, "read from the static place of pages that were never written"},
      rewrites{g, "rewrites", U::count, "pages written in part"},
      trimmed{g, "trimmed", U::count, "pages deallocated"},
      failures{g, "failures", U::count, "flash operations that failed"},
      page_wait{g, "page_wait", U::picosecond, "reads and writes, for a write or move of their page, summed"},
      plane_wait{g, "plane_wait", U::picosecond, "writes, for free blocks of their plane, summed"} {}

}  // namespace flashpath::ftl

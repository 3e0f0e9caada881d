// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace flashpath {

void invariant_failed(std::string_view what, std::string_view path, Time at) {
  std::fprintf(stderr, "flashpath: internal error: %.*s", static_cast<int>(what.size()), what.data());
  if (!path.empty()) std::fprintf(stderr, "\n  in module %.*s", static_cast<int>(path.size()), path.data());
  if (at != never) std::fprintf(stderr, "\n  at simulated time %lld ps", static_cast<long long>(at.time_since_epoch().count()));
  std::fprintf(stderr, "\n  This is a bug in flashpath; please report it with the command line.\n");
  std::fflush(stderr);
  std::abort();
}

}  // namespace flashpath

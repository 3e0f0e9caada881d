#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configures and builds one CMake preset (default: release). Quiet when all goes well; the log is shown when not.
#   scripts/build.sh [preset] [cmake --build arguments …]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
[ $# -gt 0 ] && shift
log=build/$preset.log
mkdir -p build
say() { echo "build: $*"; }
fail() { tail -n 40 "$log" >&2; echo "build: failed; the whole log is $log" >&2; exit 1; }
if [ ! -f "build/$preset/build.ninja" ]; then
  say "configuring preset '$preset'"
  cmake --preset "$preset" >"$log" 2>&1 || fail
fi
say "compiling (the first time takes minutes; later builds take seconds)"
started=$SECONDS
cmake --build --preset "$preset" "$@" >"$log" 2>&1 || fail
say "done in $((SECONDS - started)) s"

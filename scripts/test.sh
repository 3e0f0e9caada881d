#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The second command: installs what is missing, builds, and runs every test.
#   scripts/test.sh [preset] [ctest arguments …]      e.g. scripts/test.sh asan -R nand
# Tests that take minutes carry the label `long` and are left out; run them with: scripts/test.sh release -L long
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
[ $# -gt 0 ] && shift
scripts/setup.sh
scripts/build.sh "$preset"
if [ $# -eq 0 ]; then set -- -LE long; fi
# SystemC's coroutines move between stacks, which this check of the address sanitizer takes for a mistake.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=0}
exec ctest --test-dir "build/$preset" --output-on-failure -j "$(nproc)" "$@"

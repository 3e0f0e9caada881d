#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The first command: installs what is missing, builds, replays the bundled sample log through the whole platform
# and says where the results are. Further arguments go to `flashpath replay`, e.g.
#   scripts/demo.sh --model llama-3.1-8b --set drives=4
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh
scripts/build.sh release --target flashpath
out=${FLASHPATH_OUT:-out/demo}
build/release/flashpath replay traces/samples/conversation_small.jsonl --platform bf4-icms --out "$out" --force "$@"
echo
echo "Results: $out/result.json (everything), $out/requests.csv (one line per request)."
echo "Next:    build/release/flashpath --help, docs/tutorial.md"

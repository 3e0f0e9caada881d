#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Format and lint: what a reviewer should not have to say. Needs what scripts/setup.sh --ci installs.
#   scripts/check.sh          say what is wrong (exit 1 if anything is)
#   scripts/check.sh --fix    format every source in place
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
wrong() { echo "check: $*" >&2; status=1; }
for tool in git clang-format shellcheck; do
  command -v $tool >/dev/null || { echo "check: $tool is missing; run scripts/setup.sh --ci" >&2; exit 1; }
done
# In a container the checkout may belong to another user, which git refuses by itself.
git() { command git -c safe.directory='*' "$@"; }
# Files in the index that somebody has deleted or not added yet are his business, not ours.
tracked() { git ls-files "$@" | while read -r file; do [ ! -f "$file" ] || echo "$file"; done; }

mapfile -t sources < <(tracked '*.h' '*.cpp')
[ ${#sources[@]} -gt 0 ] || { echo "check: no sources: is this a git checkout?" >&2; exit 1; }
if [ "${1:-}" = --fix ]; then clang-format -i "${sources[@]}"; exit 0; fi

unformatted=$(clang-format --dry-run "${sources[@]}" 2>&1 | sed -n 's/^\([^:]*\):[0-9]*:.*clang-format-violations.*/\1/p' | sort -u)
[ -z "$unformatted" ] || wrong "not formatted (scripts/check.sh --fix does it):" "$unformatted"

mapfile -t shell < <(tracked '*.sh' .ci/run)
shellcheck "${shell[@]}" || wrong "shellcheck: see above"

for file in "${sources[@]}"; do
  [ "$(head -n 1 "$file")" = "// SPDX-License-Identifier: Apache-2.0" ] || wrong "$file: the first line must be the SPDX line"
  lines=$(wc -l <"$file")
  [ "$lines" -lt 500 ] || wrong "$file: $lines lines; a file has fewer than 500"
done

# Models do not know SystemC: their CMake target does not link it, and no header may slip in either.
mapfile -t models < <(tracked 'tlm/*.h' 'tlm/*.cpp' | grep -vE '_part\.|_command\.h|_extension\.h|fabric/message\.h|/kernel/|/platform/')
found=$(grep -lE '#include [<"](systemc|tlm|kernel/)' "${models[@]}" || true)
[ -z "$found" ] || wrong "models that include SystemC:" "$found"

# Nothing unfinished, and no path of somebody's machine. Spelt so that this file does not find itself.
mapfile -t texts < <(tracked '*.h' '*.cpp' '*.sh' '*.py' '*.md' '*.toml' '*.cmake' '*CMakeLists.txt' '*.yml' .ci/run)
found=$(grep -nE '\bT[O]DO\b|\bF[I]XME\b|\bX[X]X\b|(^|[[:space:]"(=])/(home|Users|work)/|data bo{2}k' "${texts[@]}" || true)
[ -z "$found" ] || { echo "$found" >&2; wrong "unfinished, or from somebody's machine: see above"; }

# docs/parameters.md is printed by the program. Checked when the program is there and newer than its sources.
program=build/release/flashpath
if [ -x $program ] && [ -f docs/parameters.md ]; then
  if [ -n "$(find tlm testbench -name '*config*' -newer $program -print -quit)" ]; then
    echo "check: docs/parameters.md not compared: $program is older than the sources"
  elif ! $program parameters | diff -q - docs/parameters.md >/dev/null; then
    wrong "docs/parameters.md is out of date: $program parameters > docs/parameters.md"
  fi
fi
[ $status -ne 0 ] || echo "check: ${#sources[@]} sources, all as they should be"
exit $status

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Format and lint: what a reviewer should not have to say. `scripts/check.sh --fix` formats in place.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
mapfile -t sources < <(git ls-files '*.h' '*.cpp')
if [ "${1:-}" = --fix ]; then clang-format -i "${sources[@]}"; exit 0; fi
clang-format --dry-run --Werror "${sources[@]}" || { echo "check: format with scripts/check.sh --fix" >&2; status=1; }
mapfile -t shell < <(git ls-files '*.sh' .ci/run)
shellcheck "${shell[@]}" || status=1
for file in "${sources[@]}"; do
  head -n 1 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || { echo "check: $file: the first line must be the SPDX line" >&2; status=1; }
done
# Models do not know SystemC: the CMake target does not link it, and no header may slip in either.
mapfile -t models < <(git ls-files 'tlm/*.h' 'tlm/*.cpp' | grep -vE '_part\.|_command\.h|fabric/message\.h|/kernel/|/platform/')
if grep -lE '#include <(systemc|tlm)' "${models[@]}"; then
  echo "check: the files above are models, and include SystemC" >&2
  status=1
fi
exit $status

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every ```sh block of docs/tutorial.md with the given program; each must exit with 0.
#   scripts/run_tutorial.sh [path of flashpath]      default: build/release/flashpath
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
program=$(realpath "${1:-$root/build/release/flashpath}")
[ -x "$program" ] || { echo "run_tutorial: $program: no such program" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$program" "$work/bin/flashpath"
ln -s "$root/traces" "$work/traces"
export PATH="$work/bin:$PATH"
awk -v dir="$work" '/^```sh$/ { inside = 1; file = sprintf("%s/block%02d.sh", dir, ++n); next }
                    /^```/    { inside = 0 }
                    inside    { print > file }' "$root/docs/tutorial.md"
cd "$work"
blocks=(block*.sh)
[ -f "${blocks[0]}" ] || { echo "run_tutorial: no sh block in docs/tutorial.md" >&2; exit 1; }
for block in "${blocks[@]}"; do
  if ! bash -e "$block" >output 2>&1; then
    echo "run_tutorial: failed:" >&2
    cat "$block" output >&2
    exit 1
  fi
done
echo "run_tutorial: ${#blocks[@]} blocks"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Searches for a host that breaks a drive: libFuzzer with address and undefined-behaviour sanitizers (docs/fuzzing.md). Builds what it
# needs first (clang; about a minute). What it finds goes to build/fuzz/found, what it learns to build/fuzz/corpus.
#   scripts/fuzz.sh --minutes N      search for N minutes (default 5)
#   scripts/fuzz.sh --runs N         N executions from seed 1: the same ones every time (continuous integration)
#   scripts/fuzz.sh FILE …           run the inputs again
#   scripts/fuzz.sh --keep           write what was learnt, reduced, into testbench/fuzz/corpus
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "fuzz: $*" >&2; exit 1; }
minutes=5 runs=0 keep=no inputs=()
while [ $# -gt 0 ]; do
  case "$1" in
    --minutes) minutes=${2:-}; [[ "$minutes" =~ ^[0-9]+$ ]] || fail "--minutes takes a whole number"; shift ;;
    --runs) runs=${2:-}; [[ "$runs" =~ ^[1-9][0-9]*$ ]] || fail "--runs takes a whole number above 0"; shift ;;
    --keep) keep=yes ;;
    -h|--help) sed -n '3,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) fail "unknown option '$1'; try --help" ;;
    *) [ -f "$1" ] || fail "no such input: $1"; inputs+=("$1") ;;
  esac
  shift
done
command -v clang++ >/dev/null || fail "clang++ is missing; run scripts/setup.sh --ci"
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz >/dev/null
cmake --build build/fuzz --target nvme_fuzz >build/fuzz/build.log 2>&1 || { tail -n 30 build/fuzz/build.log >&2; fail "the build failed"; }
target=build/fuzz/testbench/fuzz/nvme_fuzz
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0}
mkdir -p build/fuzz/corpus build/fuzz/found
if [ ${#inputs[@]} -gt 0 ]; then exec "$target" "${inputs[@]}"; fi
if [ "$keep" = yes ]; then
  reduced=$(mktemp -d)
  trap 'rm -rf "$reduced"' EXIT
  "$target" -merge=1 -max_len=1024 "$reduced" testbench/fuzz/corpus build/fuzz/corpus >/dev/null 2>&1
  # The smallest inputs first, up to the size that the repository carries.
  rm -f testbench/fuzz/corpus/*
  total=0
  while read -r size file; do
    total=$((total + size))
    [ $total -le 250000 ] || break
    cp "$file" testbench/fuzz/corpus/
  done < <(find "$reduced" -type f -printf '%s %p\n' | sort -n)
  echo "fuzz: $(find testbench/fuzz/corpus -type f | wc -l) inputs kept"
  exit 0
fi
limit=(-max_total_time=$((minutes * 60)))
learnt=build/fuzz/corpus
if [ "$runs" != 0 ]; then  # nothing learnt before counts
  limit=(-seed=1 "-runs=$runs")
  learnt=$(mktemp -d)
  trap 'rm -rf "$learnt"' EXIT
fi
"$target" "${limit[@]}" -max_len=1024 -timeout=60 -rss_limit_mb=2048 -artifact_prefix=build/fuzz/found/ \
  -print_final_stats=1 "$learnt" testbench/fuzz/corpus >build/fuzz/log 2>&1 || { tail -n 40 build/fuzz/log >&2; fail "something was found: see build/fuzz/found"; }
grep -E '^Done|^stat::' build/fuzz/log

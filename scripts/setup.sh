#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure everything that building and testing needs is installed. Says what it installs before it does;
# touches nothing, and needs no network, when all is there.
#   scripts/setup.sh            to build, run and test
#   scripts/setup.sh --check    only say what is missing (exit 1 if anything is)
#   scripts/setup.sh --ci       also what the format and lint checks need
set -euo pipefail

packages=(g++ cmake ninja-build ccache lld pkg-config libsystemc-dev libgtest-dev libssl-dev libtomlplusplus-dev
  nlohmann-json3-dev libsimdjson-dev libzstd-dev zlib1g-dev libcli11-dev libfmt-dev zstd gzip python3)
ci_packages=(nvme-cli libnvme-dev clang clang-format clang-tidy shellcheck git)

fail() { echo "setup: $*" >&2; exit 1; }

check_only=no
for argument in "$@"; do
  case "$argument" in
    --check) check_only=yes ;;
    --ci) packages+=("${ci_packages[@]}") ;;
    -h|--help) sed -n '3,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) fail "unknown option '$argument'; try --help" ;;
  esac
done

command -v dpkg-query >/dev/null || fail "this is not a Debian system (no dpkg-query); install by hand: ${packages[*]}"
missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$check_only" = yes ]; then echo "missing: ${missing[*]}"; exit 1; fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || fail "needs root to install: ${missing[*]} (run as root, or install sudo)"
  as_root=(sudo)
fi
echo "setup: installing from Debian: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
install() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! install >"$log" 2>&1; then
  "${as_root[@]}" apt-get update -qq >>"$log" 2>&1 || { tail -n 3 "$log" >&2; fail "apt-get update failed: no network? missing: ${missing[*]}"; }
  install >>"$log" 2>&1 || { tail -n 3 "$log" >&2; fail "apt-get could not install: ${missing[*]}"; }
fi
echo "setup: done"

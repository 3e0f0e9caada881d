#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the studies of scripts/studies/*.toml and writes docs/studies/. scripts/studies.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 scripts/studies.py "$@"

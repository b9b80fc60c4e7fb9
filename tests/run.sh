#!/bin/sh
# Every check there is: style, types, the direction of imports, then all tests, the slow ones and a
# short run under fire too. The long runs have commands of their own (tests/chaos, tests/bench,
# tests/core/invariants: each has a README).
# Arguments go to pytest: sh tests/run.sh -k topics
set -eu
cd "$(dirname "$0")/.."
. deploy/setup.sh

failed=''
check() {
  name=$1
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  "$@" || failed="$failed $name"
}

check style ruff check .
check format ruff format --check .
check types mypy
check imports lint-imports --no-logo
check tests python -m pytest "$@"

if [ -n "$failed" ]; then
  printf '\nfailed:%s\n' "$failed"
  exit 1
fi
printf '\nall checks hold\n'

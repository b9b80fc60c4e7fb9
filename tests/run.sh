#!/bin/sh
# Every check there is: style, types, the direction of imports, then all tests, the slow ones and a
# short run under fire too. The long runs have commands of their own (tests/chaos, tests/bench,
# tests/core/invariants: each has a README).
#
#   sh tests/run.sh --quick      style, types, imports, and what is quick and needs no Kafka
#   sh tests/run.sh -k topics    arguments go to pytest
#   sh tests/run.sh --all-parts  fails where a program is absent that deploy/parts.sh brings
#
# Python alone is enough. Tests that want another program (promtool, kustomize, …) are run where it
# is; the last line names those absent, and how many tests were not run for them.
#
# Test files run in four processes (BYLINE_TEST_PROCESSES) side by side, for most tests wait most of
# the time; tests/conftest.py says how.
set -eu
cd "$(dirname "$0")/.."
. deploy/setup.sh

quick=''
if [ "${1:-}" = --quick ]; then
  quick=yes
  shift
fi

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
parts=$(mktemp)
trap 'rm -f "$parts"' EXIT
set -- --parts-line="$parts" --dist loadscope --no-loadscope-reorder "$@"
if [ "$quick" ]; then
  # Nothing waits here: as many processes as there are processors.
  processes=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
else
  processes=4
fi
set -- --numprocesses "${BYLINE_TEST_PROCESSES:-$processes}" "$@"
if [ "$quick" ]; then
  check tests python -m pytest -m 'not kafka and not slow' "$@"
else
  check tests python -m pytest "$@"
fi

if [ -n "$failed" ]; then
  printf '\nfailed:%s\n' "$failed"
else
  printf '\nall checks hold\n'
fi
cat "$parts"
[ -z "$failed" ]

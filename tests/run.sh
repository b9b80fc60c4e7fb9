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
# Test files run in six processes side by side, for most tests wait most of the time, and in fewer on
# a slow machine (tests/support/side_by_side.py; BYLINE_TEST_PROCESSES). tests/conftest.py says how.
# Types and imports are checked beside the tests, and what they say is shown after them. Last come
# the tests that bound the time of a worker (`alone`), with the machine for themselves.
set -eu
cd "$(dirname "$0")/.."
. deploy/setup.sh

quick=''
if [ "${1:-}" = --quick ]; then
  quick=yes
  shift
fi

failed='' beside=''
work=$(mktemp -d)
# shellcheck disable=SC2086
trap 'for it in $beside; do kill "${it#*:}" 2>/dev/null || :; done; rm -rf "$work"' EXIT
check() {
  name=$1
  shift
  printf '\n== %s: %s\n' "$name" "$*"
  "$@" || failed="$failed $name"
}

# The same beside the tests; `shown` waits for it.
check_beside() {
  name=$1
  shift
  {
    printf '\n== %s: %s\n' "$name" "$*"
    exec "$@"
  } >"$work/$name" 2>&1 &
  beside="$beside $name:$!"
}

# Arguments may name none of them (5: pytest has run no test).
alone() {
  python -m pytest -m alone "$@" --numprocesses 0 --parts-line="$work/parts-alone" || [ $? -eq 5 ]
}

shown() {
  for it in $beside; do
    wait "${it#*:}" || failed="$failed ${it%%:*}"
    cat "$work/${it%%:*}"
  done
  beside=''
}

if [ -n "${BYLINE_TEST_PROCESSES:-}" ]; then
  processes=$BYLINE_TEST_PROCESSES
elif [ "$quick" ]; then
  # Nothing waits there: as many processes as there are processors.
  processes=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
else
  # Before anything is beside it.
  processes=$(python -m tests.support.side_by_side)
fi

check style ruff check .
check format ruff format --check .
check_beside types mypy
check_beside imports lint-imports --no-logo
set -- --parts-line="$work/parts" --dist loadscope --no-loadscope-reorder "$@"
if [ -z "$quick" ]; then
  # Beside each other: Java writes its cache, and in a new tree one Python compiles the test files,
  # which all test processes would compile for themselves otherwise.
  compiling=''
  if [ ! -d tests/__pycache__ ]; then
    python -m pytest --collect-only -q >/dev/null 2>&1 &
    compiling=$!
  fi
  printf '\n== classes: python -m tests.support.loaded_classes\n'
  python -m tests.support.loaded_classes || echo 'tests run without it'
  # A file that cannot be collected is told by the tests.
  [ -z "$compiling" ] || wait "$compiling" || :
fi
set -- --numprocesses "$processes" "$@"
if [ "$quick" ]; then
  BYLINE_TEST_LIVES=${BYLINE_TEST_LIVES:-5}
  export BYLINE_TEST_LIVES
  check tests python -m pytest -m 'not kafka and not slow' "$@"
else
  check tests python -m pytest -m 'not alone' "$@"
fi
shown
if [ -z "$quick" ]; then
  # What bounds a time of a worker, when nothing else takes the processors from it.
  check alone alone "$@"
fi

if [ -n "$failed" ]; then
  printf '\nfailed:%s\n' "$failed"
else
  printf '\nall checks hold\n'
fi
cat "$work/parts"
[ -z "$failed" ]

#!/bin/sh
# Builds the compiled part (streams/kafka/columns.py says what it is for) in this checkout. Workers
# that are started here use it from then on, and so does a wheel that is built here.
#
#   sh deploy/compile.sh            build it; needs a C compiler (cc) and what deploy/setup.sh needs
#   sh deploy/compile.sh --remove   go back to the pure code
set -eu
cd "$(dirname "$0")/.."

CYTHON=3.3.1
source=streams/kafka/_columns.pyx

rm -f streams/kafka/_columns.*.so
[ "${1:-}" != --remove ] || exit 0
command -v cc >/dev/null || {
  echo 'compile: a C compiler is needed (apt-get install gcc)' >&2
  exit 1
}
. deploy/setup.sh
folder=$VIRTUAL_ENV/cython
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$VIRTUAL_ENV/bin/python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
  "cython==$CYTHON"
"$folder/bin/cython" -3 "$source" --output-file "$work/columns.c"
paths=$("$VIRTUAL_ENV/bin/python" -c 'import sysconfig
print(sysconfig.get_path("include"), "streams/kafka/_columns" + sysconfig.get_config_var("EXT_SUFFIX"))')
cc -O2 -shared -fPIC -I"${paths%% *}" "$work/columns.c" -o "$work/columns.so"
mv "$work/columns.so" "${paths#* }"
"$VIRTUAL_ENV/bin/python" -c 'from streams.kafka import _columns'
echo "compile: built ${paths#* }"

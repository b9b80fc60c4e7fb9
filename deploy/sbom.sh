#!/bin/sh
# The wheel, and beside it what it is made of: a CycloneDX list of all that an environment gets from
# requirements-runtime.lock, each with version and hashes. Run it where deploy/setup.sh was run.
#
#   sh deploy/sbom.sh DIR      DIR/byline-VERSION-py3-none-any.whl, unless one is there already, and
#                              DIR/byline-VERSION.cdx.json; prints the SHA-256 of both
#
#   BYLINE_PYTHON   the Python of .venv, default: the first on the path
set -eu
if [ $# != 1 ]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
python=${BYLINE_PYTHON:-python}

wheel=$(find "$folder" -name 'byline-*.whl' | head -n 1)
if [ -z "$wheel" ]; then
  BYLINE_PYTHON=$("$python" -c 'import sys; print(sys.executable)') sh deploy/image.sh wheel "$folder"
  wheel=$(find "$folder" -name 'byline-*.whl' | head -n 1)
fi
list=${wheel%-py3-none-any.whl}.cdx.json
"$python" -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
  --spec-version 1.6 --output-format JSON --output-file "$list" requirements-runtime.lock
cd "$folder"
sha256sum "${wheel##*/}" "${list##*/}"

#!/bin/sh
# The two steps that the image is made of, from the checkout's folder or a copy of it. The image does
# them (deploy/Containerfile) and so does tests/deploy/test_wheel.py: POSIX sh and Python 3.11 only.
#
#   sh deploy/image.sh wheel DIR          build the wheel into DIR, by the pinned hatchling
#   sh deploy/image.sh install ENV DIR    make the environment ENV anew: what requirements-runtime.lock
#                                         pins, by hash and as wheels, then the wheel in DIR
#
#   BYLINE_PYTHON   which Python makes them, default python3.11
set -eu
cd "$(dirname "$0")/.."
python=${BYLINE_PYTHON:-python3.11}
pip='-m pip --quiet --disable-pip-version-check --no-cache-dir'

# The part of requirements.lock that builds a wheel.
wheel() {
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  awk '/^[^ #]/ { wanted = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } wanted' \
    requirements.lock >"$work/builder.lock"
  "$python" -m venv "$work/builder"
  # shellcheck disable=SC2086
  "$work/builder/bin/python" $pip install --require-hashes --only-binary :all: \
    --requirement "$work/builder.lock"
  "$work/builder/bin/python" -m hatchling build --target wheel --directory "$1" >/dev/null
}

# Without pip at the end: nothing is installed into it any more.
install_into() {
  "$python" -m venv --clear "$1"
  # shellcheck disable=SC2086
  "$1/bin/python" $pip install --require-hashes --only-binary :all: \
    --requirement requirements-runtime.lock
  # shellcheck disable=SC2086
  "$1/bin/python" $pip install --no-deps --no-index "$2"/byline-*.whl
  # shellcheck disable=SC2086
  "$1/bin/python" $pip uninstall --yes pip setuptools
}

case "${1:-} $#" in
  'wheel 2') wheel "$2" ;;
  'install 3') install_into "$2" "$3" ;;
  *)
    sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

# Everything the project needs, in a virtual environment of this checkout: source it from the
# checkout's folder (deploy/demo.sh and tests/run.sh do) or run it. POSIX sh; needs Python 3.11 only.
#
#   BYLINE_VENV    where the environment is, default .venv
#   BYLINE_PYTHON  which Python makes it, default the first 3.11 on the PATH
#
# What is installed is what requirements.lock pins, by hash. A second run takes no time.

case "$0" in
  */setup.sh | setup.sh) cd "$(dirname "$0")/.." ;;
esac

byline_say() { printf 'byline: %s\n' "$*" >&2; }

byline_is_python() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null
}

byline_find_python() {
  for candidate in "${BYLINE_PYTHON:-python3.11}" python3.11 /usr/bin/python3.11 python3 python; do
    if byline_is_python "$candidate"; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  byline_say 'Python 3.11 with its venv module is needed and was not found on the PATH.'
  byline_say 'Install it (Debian, Ubuntu: apt-get install python3.11 python3.11-venv; anywhere: pyenv'
  byline_say 'install 3.11) or name one that is elsewhere: BYLINE_PYTHON=/path/to/python3.11'
  return 1
}

# What the environment has to be for this lock, this checkout and this place.
byline_wanted() {
  "$byline_venv/bin/python" - "$byline_venv" <<'PYTHON'
import hashlib, os, sys
files = b"".join(open(name, "rb").read() for name in ("requirements.lock", "pyproject.toml"))
print(hashlib.sha256(files).hexdigest(), os.getcwd(), sys.argv[1])
PYTHON
}

# uv by pip, held to the hash in the lock; everything else by uv, which is quicker by far.
byline_install() {
  byline_say 'installing what requirements.lock pins (a minute at the first time)'
  if ! "$byline_venv/bin/python" -m pip --version >/dev/null 2>&1; then
    "$byline_venv/bin/python" -m ensurepip >/dev/null || return 1
  fi
  byline_uv_lock=$(mktemp) || return 1
  awk '/^[^ #]/ { wanted = /^uv==/ } wanted' requirements.lock >"$byline_uv_lock"
  "$byline_venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --requirement "$byline_uv_lock" || { rm -f "$byline_uv_lock"; return 1; }
  rm -f "$byline_uv_lock"
  "$byline_venv/bin/uv" pip install --quiet --python "$byline_venv/bin/python" \
    --require-hashes --requirement requirements.lock || return 1
  "$byline_venv/bin/uv" pip install --quiet --python "$byline_venv/bin/python" \
    --no-deps --no-build-isolation --editable . || return 1
}

byline_setup() {
  if [ ! -f requirements.lock ]; then
    byline_say "there is no requirements.lock in $(pwd): run this from the checkout's folder"
    return 1
  fi
  case "${BYLINE_VENV:-.venv}" in
    /*) byline_venv=$BYLINE_VENV ;;
    *) byline_venv=$(pwd)/${BYLINE_VENV:-.venv} ;;
  esac
  byline_stamp=$byline_venv/.byline-setup
  # An environment that was copied from elsewhere has scripts that point there.
  if [ -f "$byline_stamp" ] && ! grep -q " $byline_venv\$" "$byline_stamp"; then
    rm -rf "$byline_venv"
  fi
  if ! byline_is_python "$byline_venv/bin/python"; then
    byline_python=$(byline_find_python) || return 1
    byline_say "making $byline_venv with $byline_python"
    "$byline_python" -m venv --clear "$byline_venv" || return 1
  fi
  byline_wants=$(byline_wanted) || return 1
  if [ ! -f "$byline_stamp" ] || [ "$(cat "$byline_stamp")" != "$byline_wants" ]; then
    byline_install || {
      byline_say 'the packages could not be installed; see above. Is the package index reachable?'
      return 1
    }
    printf '%s\n' "$byline_wants" >"$byline_stamp"
  fi
  # Many containers forbid compiled modules to be kept; each process would compile all of them anew.
  unset PYTHONDONTWRITEBYTECODE
  VIRTUAL_ENV=$byline_venv
  PATH=$byline_venv/bin:$PATH
  export VIRTUAL_ENV PATH
}

byline_setup || exit 1

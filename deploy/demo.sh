#!/bin/sh
# The whole of Byline on this machine: a real Kafka, two workers, a day on seven platforms.
# Needs Python 3.11 and nothing else; options are those of `byline demo --help`.
set -eu
cd "$(dirname "$0")/.."
. deploy/setup.sh
exec byline demo "$@"

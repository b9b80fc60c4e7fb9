"""The ceilings: programs of others that read the topics and do nothing with them.

kcat (librdkafka) and Kafka's own perf test are brought by `sh deploy/parts.sh`; the reader of
franz-go is built here where there is a Go.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.bench.java import cache_folder
from tests.support.parts import found

PERF_TEST = "kafka-consumer-perf-test.sh"
FRANZ = Path(__file__).parent / "peers" / "franz"
GO_HOME = Path("/usr/local/go/bin")
"""Where Go lies that was installed as go.dev says."""
GO_FLAGS = "-mod=readonly -buildvcs=false"


def perf_test() -> str | None:
    """The path of Kafka's perf test, beside the console consumer; None where there is none."""
    tools = found("kafka-tools")
    beside = Path(tools).with_name(PERF_TEST) if tools else None
    return str(beside) if beside is not None and beside.is_file() else None


def kcat_why_not() -> str | None:
    """Why kcat is left out; None when it is not."""
    return None if found("kcat") else "no kcat here (sh deploy/parts.sh kcat)"


def perf_test_why_not() -> str | None:
    """Why Kafka's perf test is left out; None when it is not."""
    return None if perf_test() else f"no {PERF_TEST} here (sh deploy/parts.sh kafka-tools)"


def franz_why_not() -> str | None:
    """Why franz-go is left out; None when it is not."""
    return None if _go() else "no Go here (go), so that it cannot be built"


def _go() -> str | None:
    return shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", ""), str(GO_HOME)]))


def franz() -> list[str]:
    """To run the reader of franz-go, which is built unless it is there already."""
    digest = hashlib.sha256()
    for name in ("main.go", "go.mod", "go.sum"):
        digest.update((FRANZ / name).read_bytes())
    program = cache_folder() / f"franz-{digest.hexdigest()[:12]}"
    if not program.is_file():
        go = _go()
        assert go is not None, franz_why_not()
        program.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "GOFLAGS": GO_FLAGS}
        subprocess.run(
            [go, "build", "-o", str(program), "."], cwd=FRANZ, env=environment, check=True
        )
    return [str(program)]


def tool(name: str) -> list[str]:
    """To run kcat or the perf test under the reader that tells its first and last record."""
    path = found("kcat") if name == "kcat" else perf_test()
    assert path is not None, name
    return [sys.executable, "-m", "tests.bench.peers.tool_reader", name, path]

"""Runs the programs of deploy/examples by the command that stands in each."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.local.jars import class_path
from tests.support.parts import found
from tests.worker.harness import ROOT, Estate

EXAMPLES = ROOT / "deploy" / "examples"
USAGE = re.compile(r"^(?:# |// )?((?:python|java|sh) .*localhost:9092.*)$", re.M)
LIMIT_SECONDS = 120


def usage(file: str) -> str:
    """The command that an example's first lines give."""
    (line,) = USAGE.findall((EXAMPLES / file).read_text())
    return str(line)


def command(file: str, estate: Estate, topic: str | None = None) -> str:
    """That command beside an estate: its broker, prefix and topic in place of the example's.

    Standard input, where the example reads a file, is the caller's.
    """
    line = usage(file).partition(" < ")[0].replace("localhost:9092", estate.bootstrap)
    if topic is not None:
        line = re.sub(r"byline\.[a-z-]+", estate.names.prefix + topic, line)
    return re.sub(r"byline\.(?= |$)", estate.names.prefix, line)


def environment(folder: Path) -> dict[str, str]:
    """With the programs of parts on the PATH, and the local Kafka's jars as a KAFKA_HOME."""
    libs = folder / "kafka" / "libs"
    libs.mkdir(parents=True, exist_ok=True)
    for jar in class_path():
        if not (libs / jar.name).exists():
            (libs / jar.name).symlink_to(jar)
    jdk = found("jdk")
    java = [str(Path(jdk).parent)] if jdk else []
    path = os.pathsep.join([*java, str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "KAFKA_HOME": str(folder / "kafka")}


def run(file: str, estate: Estate, topic: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run an example to its end with `text` as standard input."""
    return subprocess.run(
        ["sh", "-c", command(file, estate, topic)],
        cwd=EXAMPLES,
        env=environment(estate.folder),
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )


@contextmanager
def running(file: str, estate: Estate, topic: str | None = None) -> Iterator[Callable[[], str]]:
    """Run an example that goes on; what it has printed so far. It is killed at the end."""
    printed = estate.folder / f"{file}.out"
    with printed.open("a") as out:
        process = subprocess.Popen(
            ["sh", "-c", f"exec {command(file, estate, topic)}"],
            cwd=EXAMPLES,
            env=environment(estate.folder),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield printed.read_text
        finally:
            process.kill()
            process.wait()


def until(done: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Wait until something holds; AssertionError if it takes longer."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not {what} after {seconds:g} s"
        time.sleep(0.2)


__all__ = ["EXAMPLES", "command", "environment", "run", "running", "until", "usage"]

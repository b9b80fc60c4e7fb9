"""The Kafka Streams peer: its jars from packages, compiled where there is a javac."""

import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from streams.local.jars import java

ENDPOINT = "org.apache.kafka:kafka-streams:4.1.1+org.slf4j:slf4j-nop:1.7.36"
SOURCE = Path(__file__).parent / "peers" / "kstreams" / "InvitePolicy.java"
JAVA_RELEASE = "17"


def compiler() -> str | None:
    """A javac: JAVA_HOME's or the first on the PATH; None where there is no JDK."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("javac", path=f"{home}/bin") if home else None
    return found or shutil.which("javac")


def why_not() -> str | None:
    """Why Kafka Streams is left out; None when it is not."""
    return None if compiler() else "no JDK here (javac), so that it cannot be compiled"


@cache
def _jars() -> tuple[Path, ...]:
    import jgo

    return tuple(Path(jar.resolve()) for jar in jgo.resolve(ENDPOINT))


def cache_folder() -> Path:
    """Where what is built for the benchmark stays between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "byline-bench"


def build() -> str:
    """Compile the peer unless it is there already; its class path."""
    digest = hashlib.sha256(SOURCE.read_bytes() + ENDPOINT.encode()).hexdigest()[:12]
    classes = cache_folder() / f"kstreams-{digest}"
    jars = ":".join(map(str, _jars()))
    if not (classes / "InvitePolicy.class").is_file():
        javac = compiler()
        assert javac is not None, why_not()
        classes.mkdir(parents=True, exist_ok=True)
        command = [javac, "--release", JAVA_RELEASE, "-encoding", "UTF-8", "-cp", jars]
        subprocess.run([*command, "-d", str(classes), str(SOURCE)], check=True)
    return f"{classes}:{jars}"


def command(threads: int, kind: str) -> list[str]:
    """To run it on the same Java as the broker; `kind` is plain or floor."""
    flags = ["-Xmx1g", "-Dfile.encoding=UTF-8", "--enable-native-access=ALL-UNNAMED"]
    return [str(java()), *flags, "-cp", build(), "InvitePolicy", str(threads), kind]

"""The peers in Java: their jars from packages, compiled where there is a javac."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from streams.local.jars import java

PEERS = Path(__file__).parent / "peers"
JAVA_RELEASE = "17"


def compiler() -> str | None:
    """A javac: JAVA_HOME's or the first on the PATH; None where there is no JDK."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("javac", path=f"{home}/bin") if home else None
    return found or shutil.which("javac")


def why_not() -> str | None:
    """Why the peers in Java are left out; None when they are not."""
    return None if compiler() else "no JDK here (javac), so that it cannot be compiled"


def cache_folder() -> Path:
    """Where what is built for the benchmark stays between runs."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "byline-bench"


@dataclass(frozen=True)
class JavaPeer:
    """A program of one source file. `jars`: of Maven, with what they need; `flags`: for Java.

    `on_jdk`: it runs on the Java of the JDK; else on that of the broker.
    """

    source: Path
    jars: tuple[str, ...]
    flags: tuple[str, ...]
    on_jdk: bool = False

    def build(self) -> str:
        """Compile it unless it is there already; its class path."""
        endpoint = "+".join(self.jars)
        digest = hashlib.sha256(self.source.read_bytes() + endpoint.encode()).hexdigest()[:12]
        classes = cache_folder() / f"{self.source.parent.name}-{digest}"
        jars = ":".join(map(str, _resolved(endpoint)))
        if not (classes / f"{self.source.stem}.class").is_file():
            javac = compiler()
            assert javac is not None, why_not()
            classes.mkdir(parents=True, exist_ok=True)
            command = [javac, "--release", JAVA_RELEASE, "-encoding", "UTF-8", "-cp", jars]
            subprocess.run([*command, "-d", str(classes), str(self.source)], check=True)
        return f"{classes}:{jars}"

    def command(self, *arguments: str) -> list[str]:
        """To run it."""
        return [self._java(), *self.flags, "-cp", self.build(), self.source.stem, *arguments]

    def _java(self) -> str:
        javac = compiler()
        if self.on_jdk and javac is not None:
            return str(Path(javac).resolve().with_name("java"))
        return str(java())


@cache
def _resolved(endpoint: str) -> Sequence[Path]:
    import jgo

    return tuple(Path(jar.resolve()) for jar in jgo.resolve(endpoint))


KSTREAMS = JavaPeer(
    PEERS / "kstreams" / "InvitePolicy.java",
    ("org.apache.kafka:kafka-streams:4.1.1", "org.slf4j:slf4j-nop:1.7.36"),
    ("-Xmx1g", "-Dfile.encoding=UTF-8", "--enable-native-access=ALL-UNNAMED"),
)

_FLINK, _FLINK_KAFKA = "2.0.0", "4.0.0-2.0"
_OPEN = ("lang", "util", "util.concurrent", "nio", "net", "time")
FLINK = JavaPeer(
    PEERS / "flink" / "InviteJob.java",
    (
        *(
            f"org.apache.flink:flink-{name}:{_FLINK}"
            for name in (
                "clients",
                "streaming-java",
                "runtime",
                "statebackend-rocksdb",
                "connector-base",
            )
        ),
        f"org.apache.flink:flink-connector-kafka:{_FLINK_KAFKA}",
        "org.slf4j:slf4j-nop:1.7.36",
    ),
    (
        "-Xmx1g",
        "-Dfile.encoding=UTF-8",
        *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPEN),
    ),
    # Flink 2.0 is for Java 11 to 21, the broker's is newer.
    on_jdk=True,
)

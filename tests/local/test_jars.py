"""The jars: a wrong one is fetched anew, and a registry out of reach is said with the cure."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from streams.local import jars
from streams.local.errors import JarsUnresolvedError

COORDINATES = "org.example:thing:1.0"


class Registry:
    """Answers as jgo's context does: what it serves, into which folder."""

    def __init__(self, cache: Path, content: bytes | None) -> None:
        self.cached_path = cache / "thing-1.0.jar"
        self._content = content

    def project(self, group: str, artifact: str) -> "Registry":
        return self

    def at_version(self, version: str) -> "Registry":
        return self

    def artifact(self) -> "Registry":
        return self

    def resolve(self) -> Path:
        if not self.cached_path.exists():
            if self._content is None:
                raise ConnectionError("no route to host")
            self.cached_path.write_bytes(self._content)
        return self.cached_path


def fetch(registry: Any, content: bytes) -> Path:
    return jars._fetch(registry, COORDINATES, hashlib.sha256(content).hexdigest())


def test_half_a_jar_in_the_cache_is_fetched_anew(tmp_path: Path) -> None:
    (tmp_path / "thing-1.0.jar").write_bytes(b"who")
    assert fetch(Registry(tmp_path, b"whole"), b"whole").read_bytes() == b"whole"


def test_a_jar_of_another_digest_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(JarsUnresolvedError, match="its digest is not the pinned one"):
        fetch(Registry(tmp_path, b"forged"), b"whole")
    assert not (tmp_path / "thing-1.0.jar").exists()


def test_a_registry_out_of_reach_is_said_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(JarsUnresolvedError) as error:
        fetch(Registry(tmp_path, None), b"whole")
    assert str(error.value) == (
        "cannot get org.example:thing:1.0: no route to host. Kafka's jars come from the Maven"
        " repository, once: check that this machine reaches it (or bring its cache,"
        " ~/.m2/repository, from one that does) and run the same command again"
    )

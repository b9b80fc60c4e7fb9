"""Where a page is tried: a real Kafka, folders like those of a machine, and a shell.

/etc/byline, /var/lib/byline, kafka-1:9092 and the topics' names of a page are folders, a port and
names of this ground alone while a command runs, and are put back into what it printed.
"""

import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from schemas.topics import TOPICS, TopicNames
from streams.local.kafka import KafkaCluster
from tests.runbook import tools
from tests.runbook.units import Units
from tests.support import processes
from tests.worker.harness import ROOT, Estate
from tests.worker.policies import policy

KAFKA = "kafka-1:9092"
PARTITIONS = 4
LIMIT_SECONDS = 240
FOLDERS = ("/etc/byline", "/var/lib/byline")
_TOPICS = "|".join(topic.name for topic in TOPICS)
_NAMES = re.compile(rf"\bbyline((?:[.-](?:{_TOPICS})\b)|/index\.sqlite)")
_SHELL = re.compile(r"[|&;<>$*?]")
POLICIES = {"weibo": policy("weibo"), "douyin": policy("douyin", window="PT1S")}
"""On weibo nobody's time runs out, on douyin everybody's does after a second."""


class TypedLine(NamedTuple):
    """What came of a command."""

    code: int
    output: str


class Ground:
    """A context manager: topics of its own on a Kafka, and /etc/byline with policies and settings.

    `name`: six letters, as `byline` has, for the prefix and the application id.
    """

    def __init__(self, folder: Path, address: str, name: str) -> None:
        self.folder, self.address, self.name = folder, address, name
        self.etc, self.var = (folder / name.strip("/") for name in FOLDERS)
        self.home, self.bin = folder / "home", folder / "bin"
        for made in (self.etc / "policies", self.var, self.home, self.bin, folder / "log"):
            made.mkdir(parents=True)
        self.also: KafkaCluster | None = None
        """A cluster of this ground alone, once there is one."""
        self.hidden: dict[str, str] = {}
        """What else of this ground stands for what in a page."""
        self.units = Units(folder / "log", self.environment)

    def __enter__(self) -> Self:
        self.settings(
            BYLINE_APPLICATION_ID=self.name,
            BYLINE_TOPIC_PREFIX=f"{self.name}.",
            BYLINE_KAFKA_BOOTSTRAP_SERVERS=self.address,
            BYLINE_POLICIES=str(self.etc / "policies"),
        )
        for platform, text in POLICIES.items():
            (self.etc / f"policies/{platform}.yaml").write_text(text, encoding="utf-8")
        tools.put_into(self.bin)
        script = self.bin / "byline"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m streams "$@"\n')
        script.chmod(0o755)
        return self

    def __exit__(self, *_: object) -> None:
        self.units.close()
        if self.also is not None:
            self.also.stop()

    def settings(self, **named: str) -> None:
        """Add lines to /etc/byline/byline.env."""
        with (self.etc / "byline.env").open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in named.items())

    def environment(self) -> dict[str, str]:
        """What a unit or a person's shell has: the settings of byline.env."""
        lines = (self.etc / "byline.env").read_text().splitlines()
        named = dict(line.split("=", 1) for line in lines if line.startswith("BYLINE_"))
        inherited = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        return {
            **inherited,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "BYLINE_DATA_DIR": str(self.var / "index"),
            **named,
        }

    def estate(self) -> Estate:
        """The same topics for what producers and notifiers of others do."""
        names = TopicNames(f"{self.name}.", self.name)
        settings, address = (self.etc / "byline.env").read_text(), self.address
        if self.also is not None and self.also.bootstrap in settings:
            address = self.also.bootstrap
        return Estate(address, names, self.etc / "policies", self.home, PARTITIONS)

    def run(self, command: str) -> TypedLine:
        """Run a line of a page; what it printed stands as it would on the page's machine."""
        line = self._here(command)
        if line.startswith(("systemctl ", "journalctl ")):
            code, output = self.units.run(line)
        elif line.startswith("byline ") and not _SHELL.search(line):
            words = shlex.split(line)[1:]
            ran = processes.run(words, self.environment(), "", LIMIT_SECONDS, self.home)
            code, output = ran.returncode, ran.stdout + ran.stderr
        else:
            shell = subprocess.run(
                ["sh", "-c", line],
                env=self.environment(),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LIMIT_SECONDS,
                check=False,
            )
            code, output = shell.returncode, shell.stdout
        return TypedLine(code, self._there(output))

    def _pairs(self) -> Mapping[str, str]:
        folders = {str(self.folder / name.strip("/")): name for name in FOLDERS}
        return {**self.hidden, **folders, self.address: KAFKA}

    def _here(self, command: str) -> str:
        for real, shown in self._pairs().items():
            command = command.replace(shown, real)
        return _NAMES.sub(rf"{self.name}\1", command)

    def _there(self, output: str) -> str:
        for real, shown in self._pairs().items():
            output = output.replace(real, shown)
        output = output.replace(str(self.folder), "")
        # A short name of this machine may stand within the id of a topic.
        output = re.sub(rf"(?<!\w){re.escape(socket.gethostname())}(?!\w)", "host-1", output)
        output = output.replace(self.name, "byline")
        return "\n".join(line.rstrip() for line in output.splitlines()).strip("\n")

"""`byline doctor`: everything that an engineer would look at, in one go, each look by itself.

    seen = examine(settings, now=…, running=…)

The looks are those of other commands (`topics check`, `topics acl`, `topics blocked`, `cluster
check`, `policy check`), made side by side. None may hide another: one that breaks or takes too long
says so in its own row. Nothing is written but an empty file in the data folder, gone at once.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from streams.doctor import cluster, machine, proofs
from streams.doctor.looks import Finding, Look, Seen, Verdict, look_at, well
from streams.operate.account_states import States
from streams.operate.topics import DEFAULT_PARTITIONS
from streams.settings import SECRET_FIELDS, Settings, origins
from streams.settings_checks import secret_values

__all__ = ["LIMIT_SECONDS", "Doctor", "Finding", "Seen", "Verdict"]

LIMIT_SECONDS = 30.0
"""For each look; they are made side by side, in two rounds."""
MASK = "********"


class Doctor(NamedTuple):
    """Whom to look at, and as whom.

    `now`: this machine's clock in milliseconds UTC. `running`: what the partitions work under, and
    where that is known from. `role`: whose rights are asked for. `auditor`: the metrics of `byline
    audit --follow`.
    """

    settings: Settings
    now: Callable[[], int]
    running: Callable[[], tuple[str, States]]
    settings_file: Path | None = None
    role: str = "worker"
    auditor: str | None = None
    limit_seconds: float = LIMIT_SECONDS

    def examine(self) -> list[Seen]:
        """Make all looks; those that need a Kafka only where one is reached."""
        reached: list[cluster.Reached] = []

        def reach() -> list[Finding]:
            found = asyncio.run(cluster.reach(self.settings))
            reached.append(found)
            return found.findings

        seen = self._look_at([*self._here(), Look("Kafka", reach)])
        partitions = reached[0].partitions if reached else None
        count = partitions or self.settings.partitions or DEFAULT_PARTITIONS
        files = Look("open files", lambda: machine.open_files(count))
        there = self._there()
        audit = Look("last audit", lambda: proofs.last_audit(self.auditor, self.now()))
        if reached:
            return seen + self._look_at([files, *there, audit])
        missed = [Seen(look.name, (cluster.NOT_REACHED,), 0.0) for look in there]
        limit, audited = self._look_at([files, audit])
        return [*seen, limit, *missed, audited]

    def _look_at(self, looks: list[Look]) -> list[Seen]:
        return look_at(looks, self.limit_seconds, self._scrub)

    def _here(self) -> list[Look]:
        """What needs no Kafka."""
        settings = self.settings
        return [
            Look("settings", self._settings),
            Look("libraries", machine.libraries),
            Look("policies", lambda: machine.policies(settings, self.now())),
            Look("data folder", lambda: machine.data_folder(settings.data_dir.absolute())),
        ]

    def _there(self) -> list[Look]:
        """What is asked of Kafka."""
        settings = self.settings
        return [
            Look("rights", lambda: asyncio.run(cluster.rights(settings, self.role))),
            Look("topics", lambda: asyncio.run(cluster.topics_and_settings(settings))),
            Look("state", lambda: asyncio.run(cluster.state(settings))),
            Look("clock", lambda: asyncio.run(cluster.clock(settings, self.now))),
            Look(
                "open transactions",
                lambda: asyncio.run(cluster.transactions(settings, self.now())),
            ),
            Look(
                "policies that run",
                lambda: proofs.policies_against_running(settings, *self.running()),
            ),
        ]

    def _settings(self) -> Iterable[Finding]:
        """They are read by now: what is wrong with them ends a command before it begins."""
        given = sum(origin != "default" for origin in origins(self.settings_file).values())
        return [well(f"{given} of {len(origins(self.settings_file))} given, and they fit together")]

    def _scrub(self, text: str) -> str:
        """The text without any secret of the settings, whoever repeated it."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text

    def _secrets(self) -> set[str]:
        found = set(secret_values(self.settings, SECRET_FIELDS))
        url = self.settings.database
        if url is not None:
            with suppress(ArgumentError):
                found |= {str(make_url(url.get_secret_value()).password or "")}
        return found - {""}

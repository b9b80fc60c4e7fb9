"""`byline doctor`: makes all checks that an engineer would make, side by side.

    seen = Doctor(settings, now, running).examine()

A check is called a look. Most looks are those of other commands (`topics check`, `topics acl`,
`topics blocked`, `cluster check`, `policy check`). A look that breaks or takes too long says so in
its own row and does not stop the others. Nothing is written except an empty file in the data
folder, which is deleted at once.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from streams.doctor import cluster, decision_log, machine, proofs
from streams.doctor.looks import Finding, Look, Seen, Verdict, look_at, well
from streams.operate.account_states import States
from streams.operate.topics import DEFAULT_PARTITIONS
from streams.settings import SECRET_FIELDS, Settings, origins
from streams.settings_checks import secret_values

__all__ = ["LIMIT_SECONDS", "Doctor", "Finding", "Seen", "Verdict"]

LIMIT_SECONDS = 30.0
"""How long each look may take. They run side by side, in two rounds."""
MASK = "********"


class Doctor(NamedTuple):
    """All looks at one installation.

    `now`: returns this machine's clock (ms). `running`: returns a sentence on its source, what the
    partitions work under, and whether the source is behind. `role`: the role of `byline topics acl`
    whose rights are checked. `auditor`: the address of the metrics of `byline audit --follow`.
    """

    settings: Settings
    now: Callable[[], int]
    running: Callable[[], tuple[str, States, bool]]
    settings_file: Path | None = None
    role: str = "worker"
    auditor: str | None = None
    limit_seconds: float = LIMIT_SECONDS

    def examine(self) -> list[Seen]:
        """Makes all looks; those that need Kafka only if it answers."""
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
        """Returns the looks that need no Kafka."""
        settings = self.settings
        return [
            Look("settings", self._settings),
            Look("libraries", machine.libraries),
            Look("policies", lambda: machine.policies(settings, self.now())),
            Look("data folder", lambda: machine.data_folder(settings.data_dir.absolute())),
        ]

    def _there(self) -> list[Look]:
        """Returns the looks that need Kafka."""
        settings = self.settings
        return [
            Look("rights", lambda: asyncio.run(cluster.rights(settings, self.role))),
            Look("topics", lambda: asyncio.run(cluster.topics_and_settings(settings))),
            Look("state", lambda: asyncio.run(cluster.state(settings))),
            Look(
                "decision log", lambda: asyncio.run(decision_log.decision_log(settings, self.now()))
            ),
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
        """Counts the given settings. They are valid, else the command would have ended before."""
        given = sum(origin != "default" for origin in origins(self.settings_file).values())
        return [well(f"{given} of {len(origins(self.settings_file))} given, and they fit together")]

    def _scrub(self, text: str) -> str:
        """Returns a text with every secret of the settings masked."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, MASK)
        return text

    def _secrets(self) -> set[str]:
        found = set(secret_values(self.settings, SECRET_FIELDS))
        url = self.settings.database
        if url is not None:
            with suppress(ArgumentError):
                # The password as the driver decodes it, and as the address spells it.
                found |= {str(make_url(url.get_secret_value()).password or "")}
                found |= {urlsplit(url.get_secret_value()).password or ""}
        if self.auditor is not None:
            with suppress(ValueError):
                # As the address spells it, because errors print the address unchanged.
                found |= {urlsplit(self.auditor).password or ""}
        return found - {""}

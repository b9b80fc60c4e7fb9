"""Compares policy files with the policies that the partitions work under."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum, unique
from typing import Any

from streams.core.model.policy import Policy
from streams.operate.account_states import Part, States
from streams.operate.policy_diff import PolicyDifference, diff


@unique
class Runs(StrEnum):
    """How a platform's policy file relates to the policy that runs."""

    SAME = "same"
    PARTLY = "partly"
    NEWER = "newer"
    OTHER_TEXT = "other_text"
    OLDER = "older"
    NOWHERE = "nowhere"
    NO_FILE = "no_file"


SAYS: Mapping[Runs, str] = {
    Runs.SAME: "every partition works under this file",
    Runs.PARTLY: "some partitions work under another text, or have taken up none yet: are all"
    " workers started with this file?",
    Runs.NEWER: "the file is newer: it counts once the workers are started with it",
    Runs.OTHER_TEXT: "another text runs under this version: a worker would refuse the file; give it"
    " a higher version",
    Runs.OLDER: "a newer version runs: a worker would refuse the file",
    Runs.NOWHERE: "no partition works under any policy of it: start the workers with this file",
    Runs.NO_FILE: "it runs, and there is no file of it here: a worker without one refuses to start"
    " while lives are open; `mode: off` ends a platform",
}


@dataclass(frozen=True, slots=True)
class Under:
    """How many partitions work under this version and digest of a policy."""

    version: int
    digest: str
    partitions: int

    def text(self) -> str:
        """Returns the same as a cell of the printed table."""
        return f"{self.version} {self.digest[:12]} in {self.partitions}"


@dataclass(frozen=True, slots=True)
class RunningDifference:
    """One platform: the file's version and digest (None: there is no file), and what runs.

    `differences`: what the file would change; empty if the text that runs is not known.
    """

    platform: str
    version: int | None
    digest: str | None
    running: tuple[Under, ...]
    runs: Runs
    differences: tuple[PolicyDifference, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Returns the same as JSON of `byline policy check --running`."""
        plain = asdict(self) | {"differences": [it.as_dict() for it in self.differences]}
        return {**plain, "says": SAYS[self.runs]}


def compare(states: States, files: Mapping[str, Policy]) -> list[RunningDifference]:
    """Compares each platform that has a file or runs in a partition, in order of names."""
    parts = [states.part(number) for number in range(states.partition_count)]
    platforms = {name for part in parts for name in part.adopted} | set(files)
    return [_compared(name, files.get(name), parts) for name in sorted(platforms)]


def _compared(platform: str, file: Policy | None, parts: list[Part]) -> RunningDifference:
    counts: Counter[tuple[int, str]] = Counter()
    texts: dict[str, Policy] = {}
    for part in parts:
        adopted = part.adopted.get(platform)
        if adopted is None:
            continue
        counts[adopted.version, adopted.digest] += 1
        text = part.policies.get(platform)
        if text is not None:
            texts[adopted.digest] = text
    running = tuple(Under(*key, count) for key, count in sorted(counts.items()))
    if file is None:
        return RunningDifference(platform, None, None, running, Runs.NO_FILE)
    runs = _runs(file, running, len(parts))
    newest = texts.get(running[-1].digest) if running else None
    differences = tuple(diff(newest, file)) if newest is not None and runs is not Runs.SAME else ()
    return RunningDifference(platform, file.version, file.digest, running, runs, differences)


def _runs(file: Policy, running: tuple[Under, ...], partition_count: int) -> Runs:
    if not running:
        return Runs.NOWHERE
    mine = next((it for it in running if it.digest == file.digest), None)
    newest = max(it.version for it in running)
    if any(it.version == file.version and it.digest != file.digest for it in running):
        return Runs.OTHER_TEXT
    if newest > file.version:
        return Runs.OLDER
    if mine is None:
        return Runs.NEWER
    return Runs.SAME if mine.partitions == partition_count else Runs.PARTLY

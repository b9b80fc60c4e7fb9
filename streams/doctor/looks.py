"""Runs looks (checks) side by side, each within a time limit, and collects their findings."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from enum import StrEnum, unique
from typing import Any, NamedTuple

from streams.instance import InstanceError
from streams.operate.errors import NoRightError, OperateError
from streams.policies import PolicyFaults
from streams.settings import SettingsError
from streams.stop_worker import StopWorker

OURS_TO_EXPLAIN = (OperateError, StopWorker, PolicyFaults, SettingsError, InstanceError)
"""Errors whose message says what is wrong and what to do."""

Scrub = Callable[[str], str]
SEE_MORE = "look with a login that may see it, as an administrator's or an auditor's"
_OURS = "look again; if it stays, it is a fault of Byline"


@unique
class Verdict(StrEnum):
    """The verdict of a finding.

    `wrong`: somebody must act. `failed`: the look broke or took too long, which counts as not well.
    `unknown`: it cannot be known from here; `what_to_do` says how it can.
    """

    WELL = "well"
    WRONG = "wrong"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def is_well(self) -> bool:
        """Whether the verdict asks nobody to act: `well` or `unknown`."""
        return self in (Verdict.WELL, Verdict.UNKNOWN)


class Finding(NamedTuple):
    """One result of a check, and what a person must do about it; empty if nothing."""

    verdict: Verdict
    found: str
    what_to_do: str = ""


class Look(NamedTuple):
    """One check. `see` returns at least one finding; it may take long, raise an error, or hang."""

    name: str
    see: Callable[[], Iterable[Finding]]


class Seen(NamedTuple):
    """The findings of a look, and how many seconds it took."""

    look: str
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def is_well(self) -> bool:
        """Whether nobody has to act on any finding."""
        return all(it.verdict.is_well for it in self.findings)

    @property
    def is_unknown(self) -> bool:
        """Whether some of it cannot be known from here."""
        return any(it.verdict is Verdict.UNKNOWN for it in self.findings)

    def as_dicts(self) -> list[dict[str, Any]]:
        """Returns the findings as JSON objects of `byline doctor --json`."""
        rest = {"look": self.look, "seconds": round(self.seconds, 2)}
        return [{**rest, **it._asdict(), "verdict": str(it.verdict)} for it in self.findings]


def well(found: str) -> Finding:
    """Returns a finding that all is as it has to be."""
    return Finding(Verdict.WELL, found)


def wrong(found: str, what_to_do: str) -> Finding:
    """Returns a finding on which somebody must act."""
    return Finding(Verdict.WRONG, found, what_to_do)


def look_at(looks: Sequence[Look], limit_seconds: float, scrub: Scrub = str) -> list[Seen]:
    """Runs all these looks side by side, each within `limit_seconds`.

    One that hangs is left in its thread, which ends with the process. `scrub` masks secrets in
    every text.
    """
    began = time.monotonic()
    running = [(look, _started(look)) for look in looks]
    seen = []
    for look, (done, took) in running:
        findings = _found(done, began + limit_seconds - time.monotonic(), limit_seconds)
        clean = tuple(
            it._replace(found=scrub(it.found), what_to_do=scrub(it.what_to_do)) for it in findings
        )
        seen.append(Seen(look.name, clean, took[0] if took else limit_seconds))
    return seen


def _started(look: Look) -> tuple[Future[list[Finding]], list[float]]:
    """Starts a check in its own thread. When it ends, its duration (s) is appended to the list."""
    done: Future[list[Finding]] = Future()
    took: list[float] = []
    began = time.monotonic()

    def run() -> None:
        try:
            found = list(look.see())
        except BaseException as error:
            took.append(time.monotonic() - began)
            done.set_exception(error)
        else:
            took.append(time.monotonic() - began)
            done.set_result(found)

    threading.Thread(target=run, name=look.name, daemon=True).start()
    return done, took


def _found(
    done: Future[list[Finding]], left_seconds: float, limit_seconds: float
) -> Sequence[Finding]:
    if not wait([done], max(0.0, left_seconds)).done:
        return [
            Finding(
                Verdict.FAILED,
                f"no answer within {limit_seconds:g} s",
                "look again with a longer --within-seconds; is Kafka, or the disk, overloaded?",
            )
        ]
    error = done.exception()
    if error is None:
        return done.result() or [Finding(Verdict.FAILED, "the look found nothing", _OURS)]
    if isinstance(error, NoRightError):
        # The check `rights` reports whether the role should have this right.
        return [Finding(Verdict.UNKNOWN, str(error), SEE_MORE)]
    if isinstance(error, OURS_TO_EXPLAIN):
        lines = str(error).splitlines() or [f"the look broke: {type(error).__name__}"]
        return [Finding(Verdict.FAILED, line) for line in lines]
    words = f"the look broke: {type(error).__name__}: {error}".rstrip(": ")
    return [Finding(Verdict.FAILED, words, _OURS)]

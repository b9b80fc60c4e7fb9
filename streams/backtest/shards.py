"""Shards of a backtest: each runs a part of the accounts, and merging them gives the whole report.

An account belongs to the shard with the number that its key's partition would have, if there were
as many partitions as shards. Every shard reads the same files, but runs the core only on the rows
of its accounts. The events of an account depend on other accounts only through caps, guards and
refusals. So a shard applies no caps and guards. When shards are merged, the events are counted
against the caps, and the report says where a cap would have deferred some.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from streams.backtest.answers import AnswerModel
from streams.backtest.carried import Carried
from streams.backtest.figures import FORM as REPORT_FORM
from streams.backtest.run import Asked, Backtest
from streams.backtest.tally import AccountOutcome, Tally
from streams.core.model.policy import Policy
from streams.operate.errors import UsageError
from streams.operate.lines import read_bytes

FORM = "byline-backtest-shard/1"
_COUNTERS = (
    "funnel",
    "months",
    "months_by_phase_and_field",
    "reasons",
    "deferred",
    "guard_trips",
    "refused",
)
_OF_A_SHARD = ("kept_accounts", "kept_rows", "kept_labels", "long_labels", "labels")
"""The fields of Carried that each shard counts for its own accounts only."""


@dataclass(frozen=True)
class Merged:
    """The result of all shards. `against`: the second policy is to be compared with the first."""

    found: Backtest
    against: bool


def read_shard(text: str) -> tuple[int, int]:
    """Parses `K/N`: shard K (from 0) of N. Raises UsageError."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise UsageError(f"--shard {text}: write K/N, K from 0 to N - 1, as in 0/4")
    return int(number), int(count)


def shard_plain(found: Backtest, against: bool) -> dict[str, Any]:
    """Returns the result of a shard as JSON, for `merge`."""
    asked = found.asked
    assert asked.shard is not None
    carried = _plain(found.carried)
    return {
        "form": FORM,
        "shard": list(asked.shard),
        "run": {
            "readings": asked.readings,
            "labels": asked.labels,
            "words": asked.words,
            "model": None if asked.model is None else asdict(asked.model),
            "from": asked.start,
            "to": asked.end,
            "now": found.now,
            "against": against,
            "notes": list(asked.notes),
            "policies": [[it.name, it.policy.canonical.decode()] for it in found.tallies],
            "carried": {name: it for name, it in carried.items() if name not in _OF_A_SHARD},
            "near": found.near,
        },
        "carried": {name: carried[name] for name in _OF_A_SHARD},
        "crossings": found.crossings,
        "tallies": [_tally_plain(it) for it in found.tallies],
    }


def merge(paths: Sequence[Path]) -> Merged:
    """Merges the files of all shards of one run.

    Raises UsageError if a shard is missing, named twice, unreadable or of another run.
    """
    if not paths:
        raise UsageError("byline backtest merge: name the files of all shards")
    shards = [_read(path) for path in paths]
    first = shards[0]
    for path, it in zip(paths, shards, strict=True):
        if it["run"] != first["run"] or it["shard"][1] != first["shard"][1]:
            raise UsageError(
                f"{path} is not of the same run as {paths[0]}: policies, files, times and number of"
                " shards must be alike"
            )
    count = first["shard"][1]
    numbers = Counter(it["shard"][0] for it in shards)
    wrong = [number for number in range(count) if numbers[number] != 1]
    if wrong:
        what = "missing" if not numbers[wrong[0]] else "named twice"
        raise UsageError(f"shard {wrong[0]}/{count} is {what}")
    shards.sort(key=lambda it: it["shard"][0])
    try:
        return Merged(_whole(shards), first["run"]["against"])
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{paths[0]}: this version cannot merge these shards: a part of them has another form"
            f" ({type(error).__name__}: {error}); run all shards again with this version"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        plain = msgspec.json.decode(read_bytes(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not a shard of a backtest: it is no JSON ({error})") from None
    why = _no_shard(plain)
    if why is not None:
        raise UsageError(
            f"{path}: not a shard of a backtest: {why}; name files that `byline backtest …"
            " --shard K/N --json FILE` of this version wrote"
        )
    found: dict[str, Any] = plain
    return found


def _no_shard(plain: Any) -> str | None:
    """Returns why a JSON value is no shard of this version; None: it is one."""
    if not isinstance(plain, dict):
        return "it is no JSON object"
    form = plain.get("form")
    if form == REPORT_FORM:
        return "it is a whole report"
    if form != FORM:
        return "it has no form" if form is None else f"its form is {form!r}, not {FORM!r}"
    lacking = sorted({"shard", "run", "carried", "crossings", "tallies"} - plain.keys())
    if lacking:
        return f"it has no {lacking[0]!r}"
    number = plain["shard"]
    if not (
        isinstance(number, list)
        and len(number) == 2
        and all(type(it) is int for it in number)
        and 0 <= number[0] < number[1]
    ):
        return "its 'shard' is not a number and how many there are"
    kinds = {"run": dict, "carried": dict, "crossings": dict, "tallies": list}
    wrong = [name for name, kind in kinds.items() if not isinstance(plain[name], kind)]
    return f"its {wrong[0]!r} has another form" if wrong else None


def _whole(shards: Sequence[dict[str, Any]]) -> Backtest:
    run = shards[0]["run"]
    policies = [
        (name, msgspec.json.decode(text.encode(), type=Policy)) for name, text in run["policies"]
    ]
    tallies = [Tally(name, policy) for name, policy in policies]
    for number, tally in enumerate(tallies):
        for shard in shards:
            _add(tally, shard["tallies"][number])
    crossings: dict[str, list[int]] = {}
    for shard in shards:
        for platform, times in shard["crossings"].items():
            crossings.setdefault(platform, []).extend(times)
    asked = Asked(
        policies=policies,
        readings=run["readings"],
        labels=run["labels"],
        words=run["words"],
        model=None if run["model"] is None else AnswerModel(**run["model"]),
        start=run["from"],
        end=run["to"],
    )
    near = {name: [(step, n) for step, n in rows] for name, rows in run["near"].items()}
    return Backtest(
        asked,
        _carried(shards),
        tallies,
        run["now"],
        near,
        crossings,
        {},
        (*run["notes"], *_left_out(tallies)),
    )


def _carried(shards: Sequence[dict[str, Any]]) -> Carried:
    plain = dict(shards[0]["run"]["carried"])
    for name in ("refused", "refused_labels", "words"):
        plain[name] = Counter(plain[name])
    plain["days"] = {
        name: {int(day): n for day, n in days.items()} for name, days in plain["days"].items()
    }
    found = Carried(**plain)
    for shard in shards:
        own = shard["carried"]
        found.kept_accounts += own["kept_accounts"]
        found.kept_rows += own["kept_rows"]
        found.kept_labels += own["kept_labels"]
        found.long_labels += own.get("long_labels", 0)
        for platform, labels in own["labels"].items():
            found.labels.setdefault(platform, Counter()).update(labels)
    return found


def _plain(value: Any) -> Any:
    """Returns a value as it is after JSON: keys are texts."""
    return msgspec.json.decode(msgspec.json.encode(value))


def _tally_plain(tally: Tally) -> dict[str, Any]:
    plain: dict[str, Any] = {
        name: [[key, count] for key, count in sorted(getattr(tally, name).items())]
        for name in _COUNTERS
    }
    plain["busy"] = {name: sorted(counts.items()) for name, counts in tally.busy.items()}
    plain["accounts"] = [msgspec.to_builtins(it) for it in tally.accounts.values()]
    return plain


def _add(tally: Tally, plain: dict[str, Any]) -> None:
    for name in _COUNTERS:
        counter = getattr(tally, name)
        for key, count in plain[name]:
            counter[tuple(key) if isinstance(key, list) else key] += count
    for name, counts in plain["busy"].items():
        tally.busy[name].update(dict(map(tuple, counts)))
    for one in plain["accounts"]:
        account = msgspec.convert(one, AccountOutcome)
        tally.accounts[account.account_id] = account


def _left_out(tallies: Sequence[Tally]) -> tuple[str, ...]:
    """Returns sentences on what merged shards cannot show."""
    said = []
    for tally in tallies:
        policy = tally.policy
        if policy.guards is not None:
            said.append(f"the guards of {tally.name}: shards do not see each other's cases")
        if tally.refused:
            said.append(
                f"what refused words do to others under {tally.name}: the refusal guard counts in"
                " each shard alone"
            )
        caps = (policy.invitations_per_day, policy.throttles_per_hour)
        for (event, counts), cap in zip(tally.busy.items(), caps, strict=True):
            over = sum(n > cap for n in counts.values())
            if over:
                said.append(
                    f"the cap on {event} of {tally.name}: {over} windows hold more than {cap:,};"
                    " shards do not say who would have waited, a run in one does"
                )
    return tuple(said)

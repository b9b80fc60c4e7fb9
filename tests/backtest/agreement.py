"""Real readings: what a backtest says against what the offline oracle says, account by account.

    python -m tests.backtest.agreement reddit_subscribers taiwan_vtuber

The rules and the sets are those of tests/worker/test_real_data.py, where workers on a real Kafka
are held to the same oracle; here the clock is that of the readings, so cool-downs end. The oracle
looks at every account at every instant, which takes it minutes with the larger sets.

A set without labels gets one, stated for each account at its first reading.

The oracle goes by lines: a line's label, then its reading. A backtest, as a worker, reads what is
of one instant together, labels first. So of an account with two labels at one instant the oracle
may invite and cancel at that instant, where the backtest never invites: such accounts are apart.
"""

import csv
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from streams.backtest.run import Asked, run
from streams.policies import load_policy
from tests.oracle.fold import DATA, ReadingLine, Rules, fold, lines_of
from tests.worker.policies import policy
from tests.worker.test_real_data import SETS, STATED, labelled

Events = dict[str, list[tuple[str, str]]]


class Agreement(NamedTuple):
    """Events by account of both; the accounts with two labels at one instant; figures to print."""

    backtest: Events
    oracle: Events
    two_labels: set[str]
    figures: dict[str, Any]

    def differing(self) -> set[str]:
        """Accounts of which the two do not say the same."""
        keys = self.backtest.keys() | self.oracle.keys()
        return {key for key in keys if self.backtest.get(key) != self.oracle.get(key)}


def file_of(name: str) -> Path:
    """A real set."""
    return DATA / f"{name}.csv.gz"


def compared(name: str, folder: Path, file: Path | None = None) -> Agreement:
    """Both, over one set, or over another file in its shape."""
    read = file or file_of(name)
    lines, labels = labelled(list(lines_of(read))), None
    if any(line.category == STATED for line in lines):
        labels = folder / "labels.csv"
        _state_labels(lines, labels)
    covered = dict.fromkeys(sorted({it.category for it in lines if it.category}), "society")
    expected = fold(lines, Rules(lines=SETS[name], labels=covered, clock="observed"))
    policies = []
    for platform in sorted({line.platform for line in lines}):
        written = folder / f"{platform}.yaml"
        written.write_text(policy(platform, SETS[name], covered))
        policies.append((platform, load_policy(written)))
    events: Events = defaultdict(list)

    def watch(_: str, topic: str, key: bytes | None, value: bytes | None) -> None:
        if topic == "invitations":
            event = msgspec.json.decode(value or b"")
            events[(key or b"").decode()].append((event["event"], event["reason"]))

    # Neither words nor a model: nobody delivers, as in the oracle.
    asked = Asked(policies, str(read), labels=None if labels is None else str(labels))
    found = run(asked, folder / "work", watch=watch)
    seconds = {what: round(it, 2) for what, it in found.seconds.items()}
    figures = {
        "set": name,
        "readings": found.carried.rows,
        "accounts": found.carried.accounts,
        "looked_at": found.carried.kept_accounts,
        "rows_looked_at": found.carried.kept_rows,
        "invited": len(events),
        "oracle": len(expected.invited),
        "crossings": sum(map(sum, found.crossings.values())),
        "events": sum(map(len, events.values())),
        "seconds": seconds,
        "rows_a_second": round(found.carried.rows / sum(found.seconds.values())),
    }
    return Agreement(dict(events), expected.events, _two_labels(lines), figures)


def _state_labels(lines: list[ReadingLine], path: Path) -> None:
    first = {line.key: line for line in reversed(lines)}
    with path.open("w", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("observed_at", "platform", "account_id", "category"))
        for it in first.values():
            writer.writerow((it.observed_at.isoformat(), it.platform, it.account_id, STATED))


def _two_labels(lines: list[ReadingLine]) -> set[str]:
    labels: dict[tuple[str, object], set[str | None]] = defaultdict(set)
    for line in lines:
        labels[line.key, line.observed_at].add(line.category)
    return {key for (key, _), said in labels.items() if len(said) > 1}


def main() -> None:
    """Figures of the sets that are named, as JSON lines; exit 1 where the two differ."""
    wrong = False
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            found = compared(name, Path(folder))
        differing = found.differing()
        apart = len(differing & found.two_labels)
        wrong |= bool(differing - found.two_labels)
        print(json.dumps(found.figures | {"differing": len(differing), "of_two_labels": apart}))
    raise SystemExit(wrong)


if __name__ == "__main__":
    main()

"""Accounts of a demo, one in each state, as `byline explain` prints them.

    python -m tests.explain.demo --write

It plays `byline demo --keep`, reads it with `byline index`, and looks for an account in each state.
The states that the end of the demo's day leaves to nobody, accounts of our own are brought into by
hand. Writes demo.md, in English and in Chinese. `--demo FILE` asks one that was left running; the
file is what it said. Exit 1 where fewer than ten states are found.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL, Engine, select

from streams.cli.explain import printed
from streams.core.lifecycle import Eligibility, Invitation
from streams.core.model.account import Account, decode_account
from streams.explain.explanation import explain
from streams.explain.gather import from_index
from streams.explain.sentences import LANGUAGES
from streams.index import tables
from streams.index.database import open_engine, reading
from tests.index.questions import accounts, demo, run, send

PAGE = Path(__file__).with_name("demo.md")
ENOUGH, SECONDS = 10, 20.0
Is = Callable[[Account, int], bool]


def _live(state: Invitation) -> Is:
    return lambda it, _: it.live.state is state and it.shadow.state is Invitation.NONE


def _idle(it: Account) -> bool:
    return it.live.state is it.shadow.state is Invitation.NONE


def _cools(it: Account, now: int) -> bool:
    return _idle(it) and (it.live.cool_down_until or 0) > now


def _restricted(it: Account, _: int) -> bool:
    return bool(it.live.cycle and it.live.cycle.throttles)


STATES: dict[str, Is] = {
    "outside the rule": lambda it, now: (
        _idle(it)
        and it.eligibility is Eligibility.OUTSIDE
        and not (it.exempt or it.closed or _cools(it, now))
    ),
    "dwelling": lambda it, _: it.eligibility is Eligibility.DWELLING,
    "exempt": lambda it, _: it.exempt,
    "invited, without a receipt": _live(Invitation.INVITED),
    "undelivered": _live(Invitation.UNDELIVERED),
    "delivered, unanswered": lambda it, now: (
        _live(Invitation.DELIVERED)(it, now)
        and it.hold is None
        and it.eligibility is Eligibility.INSIDE
    ),
    "held": lambda it, _: it.hold is not None,
    "leaving": lambda it, _: it.eligibility is Eligibility.LEAVING,
    "refused": _live(Invitation.DECLINED),
    "restricted": _restricted,
    "agreed": _live(Invitation.GRANTED),
    "cooling down": _cools,
    "in shadow": lambda it, _: it.shadow.state is not Invitation.NONE,
}


def by_hand(environment: dict[str, str], who: dict[str, str]) -> None:
    """Of the accounts that wait for a receipt: one refuses while it is held, one is told just now.

    The demo's window is five seconds; a hold stops its clock.
    """
    events = run("byline events --kafka --json", environment).stdout
    issued = {}
    for line in events.splitlines():
        it = json.loads(line)
        if it["event"] == "invitation.issued":
            issued[it["account_id"]] = it["invitation_id"]
    refuses, told = (it.partition(":")[2] for it in who["bulk"].splitlines()[:2])
    hold = f"byline control hold wechat:{refuses} --actor op.1 --reason operator_request"
    assert run(hold, environment).returncode == 0
    for name in (refuses, told):
        given = {"invitation_id": issued[name], "outcome": "delivered"}
        send(environment, "notice-receipts", [name], **given)
    send(environment, "consent-answers", [refuses], answer="declined")


def told_in_each(engine: Engine, found: dict[str, list[str]]) -> None:
    """Add to `found` the lines on an account of each state that it lacks."""
    now = int(time.time() * 1000)
    rows = select(tables.states.c.key, tables.states.c.value).order_by(tables.states.c.key)
    with reading(engine) as connection:
        known = [
            (key, decode_account(bytes(value)))
            for key, value in connection.execute(rows)
            if key[0] not in "#~"
        ]
    for name, fits in STATES.items():
        if name in found:
            continue
        # Of several the one of which there is most to tell.
        fitting = [key for key, account in known if fits(account, now)]
        told = [explain(from_index(engine, key), now) for key in fitting[:20]]
        if told:
            most = max(told, key=lambda it: len(it.sections["timeline"]))
            lines = [f"\n## {name}"]
            for language in LANGUAGES:
                lines += ["", "```text", *printed(most, language), "```"]
            found[name] = lines


def page(found: dict[str, list[str]]) -> str:
    """All of it, in the order of STATES."""
    text = [
        "# Accounts of a demo, one in each state, explained",
        "",
        "What `byline explain` prints, in English and in Chinese, of accounts of a `byline demo`,",
        "whose day is seconds long. `python -m tests.explain.demo --write` plays one and writes",
        "this page. Into some states, in which the day leaves nobody, accounts are led by hand.",
    ]
    for name in STATES:
        text += found.get(name, [])
    return "\n".join(text) + "\n"


def main() -> int:
    """Print it, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--demo", type=Path)
    options = parser.parse_args()
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="byline-explained-") as name:
        folder = Path(name)
        settings, stop = demo(folder, options.demo)
        url = URL.create("sqlite", database=str(folder / "index.sqlite"))
        database = {"BYLINE_DATABASE": url.render_as_string()}
        environment = {**os.environ, **settings, **database, "BYLINE_DATA_DIR": str(folder / "d")}
        follows = subprocess.Popen(
            [sys.executable, "-m", "streams", "index", "--follow"], env=environment
        )
        try:
            who = accounts(environment)
            by_hand(environment, who)
            engine = open_engine(url)
            end = time.monotonic() + SECONDS
            while len(found) < len(STATES) and time.monotonic() < end:
                told_in_each(engine, found)
                time.sleep(0.5)
            engine.dispose()
        finally:
            follows.terminate()
            follows.wait(60)
            if options.demo is None:
                subprocess.run(shlex.split(stop), check=False)
    text = page(found)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)
    print(f"{len(found)} of {len(STATES)} states: {', '.join(found)}", file=sys.stderr)
    return 0 if len(found) >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())

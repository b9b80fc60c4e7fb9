"""An exhaustive walk: every interleaving of the inputs of one account, to a stated depth.

`python -m tests.core.invariants.walk --depth 4`. A state is what the partition keeps, the books of
the follower and the instant; one that was seen at no greater depth is not entered again. Each step
opens the partition anew, so that every one of them is a restart too.
"""

import argparse
import copy
import hashlib
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from schemas.enums import Mode
from streams.core.model.account import decode_account, encode
from streams.core.model.ids import invitation_id
from streams.core.model.policy import Policy
from tests.core.given import DAY, HOUR, MINUTE, policy, stability
from tests.core.invariants.follower import Follower
from tests.core.invariants.properties import InvariantBreach, check_step
from tests.core.invariants.world import WorldRun

KEY = "weibo:a"
RULE = policy(stability=stability(dwell=0, leave_after=DAY, cool_down=HOUR, max_age=30 * DAY))
Act = Callable[[WorldRun, int], None]


def _put(topic: str, **value: Any) -> Act:
    times = {"follower-counts": "observed_at", "category-changes": "observed_at"}
    field = times.get(topic, "occurred_at")

    def act(run: WorldRun, depth: int) -> None:
        whole = {"platform": "weibo", "account_id": "a", field: run.now, **value}
        if topic == "notice-receipts":
            number = _live_cycle(run)
            whole["invitation_id"] = invitation_id("weibo", "a", Mode.ENFORCE, number)
        run.put(topic, KEY, whole)

    return act


def _live_cycle(run: WorldRun) -> int:
    raw = run.memory.state["accounts"].get(KEY.encode())
    return decode_account(raw).live.cycle_number if raw else 1


def _change(word: str) -> Act:
    def act(run: WorldRun, depth: int) -> None:
        value = {"platform": "weibo", "account_id": "a", "change": word, "observed_at": run.now}
        run.put("account-changes", KEY, value)

    return act


def _control(command: str) -> Act:
    def act(run: WorldRun, depth: int) -> None:
        value: dict[str, Any] = {"platform": "weibo", "account_id": "a", "command": command}
        value |= {"control_id": f"{command}-{depth}", "actor": "op", "reason": "test"}
        value["issued_at"] = run.now
        if command == "extend":
            value["until"] = run.now + 5 * DAY
        if command == "hold":
            value["expires_at"] = run.now + 2 * DAY
        run.put("controls", KEY, value)

    return act


def _switch(name: str, on: bool) -> Act:
    def act(run: WorldRun, depth: int) -> None:
        value = {"scope": "*", "switch": name, "on": on, "actor": "op", "reason": "incident"}
        run.put("switches", f"*:{name}", {**value, "issued_at": run.now})

    return act


def _unlabel(run: WorldRun, depth: int) -> None:
    run.put("category-changes", KEY, None)


def _next_due(run: WorldRun, depth: int) -> None:
    due = run.partition.due()
    run.now = max(run.now + MINUTE, due or 0)
    run.run_timers()


def _oversleep(run: WorldRun, depth: int) -> None:
    """The worker stands still until after the next timer; inputs come first when it wakes."""
    run.now = max(run.now, run.partition.due() or 0) + MINUTE


ALPHABET: dict[str, Act] = {
    "above": _put("follower-counts", followers=1500),
    "between": _put("follower-counts", followers=950),
    "below": _put("follower-counts", followers=100),
    "label": _put("category-changes", category="财经"),
    "unlabel": _unlabel,
    "delivered": _put("notice-receipts", outcome="delivered"),
    "failed": _put("notice-receipts", outcome="failed"),
    "granted": _put("consent-answers", answer="granted"),
    "declined": _put("consent-answers", answer="declined"),
    "withdrawn": _put("consent-answers", answer="withdrawn"),
    **{
        word: _change(word)
        for word in ("exempted", "exemption_ended", "closed", "reopened", "owner_changed")
    },
    **{
        word: _control(word)
        for word in ("hold", "unhold", "appeal_opened", "appeal_upheld", "appeal_rejected")
    },
    **{word: _control(word) for word in ("lift", "extend", "reissue")},
    "adverse off": _switch("adverse_off", True),
    "adverse on": _switch("adverse_off", False),
    "next due": _next_due,
    "oversleep": _oversleep,
}
STARTS: dict[str, tuple[str, ...]] = {
    "unknown": (),
    "invited": ("label", "above"),
    "delivered": ("label", "above", "delivered"),
    "restricted": ("label", "above", "delivered", "next due", "next due"),
    "granted": ("label", "above", "granted"),
}


class WalkNode(NamedTuple):
    """Where a walk stands."""

    state: dict[str, dict[bytes, bytes]]
    offsets: dict[str, int]
    now: int
    follower: Follower
    path: tuple[str, ...]


class Walked(NamedTuple):
    """What a walk saw."""

    states: int
    transitions: int
    breaches: list[tuple[tuple[str, ...], InvariantBreach]]


def step(
    node: WalkNode | None, name: str, rule: Policy = RULE
) -> tuple[WalkNode, list[InvariantBreach]]:
    """Do one thing in a copy of a state; the new state and what it breached."""
    run = WorldRun(rule)
    follower = Follower()
    path: tuple[str, ...] = ()
    if node is not None:
        run.now, path = node.now, node.path
        run.memory.state.update({store: dict(kept) for store, kept in node.state.items()})
        run.offsets.update(node.offsets)
        run.open(rule)
        follower = copy.deepcopy(node.follower, {id(rule): rule})
    run.trace.clear()
    breaches: list[InvariantBreach] = []
    if not follower.policies:
        follower.policies = run.policies
    ALPHABET[name](run, len(path))
    for done in run.trace:
        check_step(follower, done, len(path), breaches)
    state = {store: dict(kept) for store, kept in run.memory.state.items()}
    return WalkNode(state, dict(run.offsets), run.now, follower, (*path, name)), breaches


def fingerprint(node: WalkNode) -> bytes:
    """A state without what only counts how it was reached."""
    digest = hashlib.blake2b(str(node.now).encode(), digest_size=16)
    for store, kept in sorted(node.state.items()):
        for key, raw in sorted(kept.items()):
            if key in (b"#chain", b"#policies"):
                continue
            if store == "accounts" and key[:1] != b"#":
                account = decode_account(raw)
                account.last_applied, account.controls = (-1, -1), ()
                raw = encode(account)
            digest.update(key + raw)
    for owner in node.follower.owners.values():
        digest.update(msgspec.json.encode(_books(owner), order="sorted"))
    return digest.digest()


def _books(owner: Any) -> dict[str, Any]:
    facts = {name: field for name, field in vars(owner.facts).items() if name != "control_ids"}
    cycles = [
        {name: field for name, field in vars(life.cycle).items() if name != "policy"}
        for life in owner.lives.values()
        if life.cycle is not None
    ]
    return {"facts": str(facts), "cycles": str(cycles), "answered": owner.answered}


def walk(start: tuple[str, ...], depth: int) -> Walked:
    """All paths of so many steps from the state that a path leads to."""
    node: WalkNode | None = None
    breaches: list[tuple[tuple[str, ...], InvariantBreach]] = []
    for name in start:
        node, found = step(node, name)
        breaches += [(node.path, breach) for breach in found]
    frontier: list[WalkNode | None] = [node]
    seen: set[bytes] = {fingerprint(node)} if node is not None else set()
    transitions = 0
    for _ in range(depth):
        reached: list[WalkNode | None] = []
        for place in frontier:
            for name in ALPHABET:
                after, found = step(place, name)
                transitions += 1
                breaches += [(after.path, breach) for breach in found]
                mark = fingerprint(after)
                if mark not in seen:
                    seen.add(mark)
                    reached.append(after)
        frontier = reached
    return Walked(len(seen), transitions, breaches)


def main() -> int:
    """Walk from every start; exit 1 when an invariant was breached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--start", choices=list(STARTS), action="append")
    options = parser.parse_args()
    broken = 0
    for name in options.start or STARTS:
        walked = walk(STARTS[name], options.depth)
        broken += len(walked.breaches)
        print(
            f"from {name}: depth {options.depth}, {walked.states} states, "
            f"{walked.transitions} transitions, {len(walked.breaches)} breaches",
            flush=True,
        )
        for path, breach in walked.breaches[:10]:
            print("  ", " > ".join(path), breach)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

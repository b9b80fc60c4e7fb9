"""The policies: what runs in how many partitions, its history, and each version in words."""

from functools import lru_cache
from threading import Lock
from typing import Any

import msgspec
from starlette.responses import Response

from streams.console.render import page
from streams.console.site import PageRefusal, PageRequest
from streams.core.model.policy import Policy
from streams.index.database import reading
from streams.index.fresh import freshness
from streams.index.history import Version, history, of_index
from streams.lives.telling import text
from streams.lives.verdict import Answered, compare
from streams.operate.audit.records import millis
from streams.operate.policy_diff import diff
from streams.operate.policy_show import show as shown


def show(asked: PageRequest) -> Response:
    """Shows every version that ever ran, the present ones apart."""
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        versions = history(*of_index(connection))
    values = {
        "running": [it for it in versions if it.running],
        "ended": [it for it in reversed(versions) if not it.running],
        "millis": millis,
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "policies.html", values)


def one(asked: PageRequest) -> Response:
    """Shows one version as it takes effect, and what it changed."""
    digest = asked.path("digest")
    with reading(asked.console.engine) as connection:
        fresh = freshness(connection)
        lines, texts = of_index(connection)
    policy = _decoded(texts.get(digest))
    if policy is None:
        raise PageRefusal(404, "error.policy")
    versions = history(lines, texts, policy.platform)
    mine = next((it for it in versions if it.digest == digest), None)
    chosen = asked.query("with")
    before = next((it for it in versions if it.digest == chosen), None)
    if chosen and before is None:
        raise PageRefusal(404, "error.policy")
    before = before or _before(versions, digest)
    previous = None if before is None else _decoded(texts.get(before.digest))
    changes = [] if previous is None else [it.as_dict() for it in diff(previous, policy)]
    answers = [] if previous is None or not chosen else _compared(previous, policy)
    values: dict[str, Any] = {
        "policy": shown(policy),
        "version": mine,
        "before": before,
        "changes": changes,
        "answers": answers,
        "examples": "\n".join(text(answers)),
        "others": [it for it in reversed(versions) if it.digest != digest],
        "millis": millis,
        "fresh": fresh,
        "late": fresh.late(asked.now),
    }
    return page(asked, "policy.html", values)


_ONE = Lock()


def _compared(before: Policy, after: Policy) -> list[Answered]:
    """Compares two policies by accounts; only once, and one pair at a time, since it takes long."""
    with _ONE:
        return _led(before.canonical, after.canonical)


@lru_cache(maxsize=64)
def _led(before: bytes, after: bytes) -> list[Answered]:
    one, other = (msgspec.json.decode(it, type=Policy) for it in (before, after))
    return compare(one, other)


def _decoded(text: bytes | None) -> Policy | None:
    try:
        return None if text is None else msgspec.json.decode(text, type=Policy)
    except (msgspec.MsgspecError, ValueError):
        return None


def _before(versions: list[Version], digest: str) -> Version | None:
    """Returns the version that ran before this one; None: there was none."""
    numbers = [number for number, it in enumerate(versions) if it.digest == digest]
    return versions[numbers[0] - 1] if numbers and numbers[0] > 0 else None

"""`closed` on the real stores: changelogs and disks forget the account, whatever is restarted."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rocksdict import AccessType, Options, Rdict

from schemas.records import Decision
from schemas.topics import CHANGELOGS, STORES
from tests.worker.commands import audited
from tests.worker.crowd import Crowd
from tests.worker.harness import Estate, utc_now
from tests.worker.policies import policy

pytestmark = pytest.mark.kafka

CLOSED, OPEN = b"weibo:a0", b"weibo:a1"
PSEUDONYM = b"~" + hashlib.sha256(CLOSED).hexdigest().encode()
ACCOUNTS, CATEGORIES = (bytes((number,)) for number in range(len(STORES)))
FOLLOWERS = 1_345_678
"""A count that is nothing else's number, to look for in what remains; lower than the one that the
crowd crosses with, for of two counts of one instant the lower counts.
"""


def on_disk(folder: Path) -> dict[bytes, bytes]:
    """Everything in the RocksDBs under a worker's folder; a byte for the store begins each key."""
    found: dict[bytes, bytes] = {}
    for path in folder.rglob("CURRENT"):
        database = Rdict(
            str(path.parent), Options(raw_mode=True), access_type=AccessType.read_only()
        )
        found |= dict(database.items())
        database.close()
    return found


def changelogs(estate: Estate) -> dict[str, list[tuple[bytes | None, bytes | None]]]:
    """Key and value of every record of both changelogs, in order."""
    names = [estate.names.of(topic) for topic in CHANGELOGS]
    found: dict[str, list[tuple[bytes | None, bytes | None]]] = {name: [] for name in names}
    for record in estate.read(names):
        found[record.topic].append((record.key, record.value))
    return found


def test_closed_purges_changelogs_and_disks_and_leaves_a_pseudonym(
    make_estate: Callable[..., Estate],
) -> None:
    estate = make_estate({"weibo": policy("weibo")}, partitions=1).start(1)
    crowd = Crowd(estate)
    with estate.follow("invitations") as next_record:
        for _ in range(2):
            account = crowd.crosses()
            crowd.say("follower-counts", account, followers=FOLLOWERS, observed_at=utc_now())
        for _ in range(4):
            crowd.hears(next_record(10.0))
    crowd.answers("a0", "granted")
    estate.drain()
    for written in changelogs(estate).values():
        assert dict(written)[CLOSED], "there is something to forget"
    crowd.say("account-changes", "a0", change="closed", observed_at=utc_now())
    estate.drain()
    crowd.say("follower-counts", "a0", followers=FOLLOWERS, observed_at=utc_now())
    crowd.say("category-changes", "a0", category="财经", observed_at=utc_now())
    crowd.answers("a0", "granted")
    estate.drain()
    for written in changelogs(estate).values():
        own = [value for key, value in written if key == CLOSED]
        assert own[-1] is None, "the last of the account is a tombstone"
        assert dict(written)[OPEN], "the other account is kept"
    worker = estate.workers[0]
    data = worker.folder / f"data-{worker.number}"
    for how in ("as it was", "disk kept", "disk wiped"):
        if how == "disk wiped":
            shutil.rmtree(data)
        if how != "as it was":
            worker.start()
            estate.wait_ready()
            estate.drain()
        assert worker.stop() == 0
        only_the_pseudonym(on_disk(data), how)
    the_log_knows_an_id_alone(estate)
    assert audited(estate) == []


def only_the_pseudonym(kept: dict[bytes, bytes], how: str) -> None:
    """Nothing is under the account's key or says it; little is under the key's digest."""
    whole = b"\n".join(part for entry in kept.items() for part in entry)
    assert CLOSED not in whole, how
    assert {ACCOUNTS + OPEN, CATEGORIES + OPEN, ACCOUNTS + PSEUDONYM} <= kept.keys(), how
    assert CATEGORIES + PSEUDONYM not in kept, how
    for text in (FOLLOWERS.to_bytes(4, "big"), "财经".encode()):
        assert text in kept[ACCOUNTS + OPEN], "what is kept is found like this"
        assert text not in kept[ACCOUNTS + PSEUDONYM], how


def the_log_knows_an_id_alone(estate: Estate) -> None:
    """The decisions on the account are of the published form, which names nobody but by the id."""
    own = [it.json for it in estate.read(["decisions"]) if it.json.get("account_id") == "a0"]
    assert [it["cause"]["topic"] for it in own if it["transitions"]][-1] == "account-changes"
    for decision in own:
        Decision.model_validate(decision)
    last = own[-1]["facts"]
    assert (last["closed"], last["followers"], last["label"]) == (True, None, None)

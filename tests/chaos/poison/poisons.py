"""The poisons: each is sent, puts some accounts in doubt, and is brought to an end by `byline`."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from confluent_kafka import Producer

from tests.chaos.poison.scene import PARTITIONS, Scene
from tests.engine import batches

MIB = 1024 * 1024
NOT_UTF8 = ((b"\xff\xfe", b"\x00"),)


@dataclass
class Waiting:
    """Accounts whose time to answer runs out while the poison works, by platform and partition."""

    keys: dict[tuple[str, int], str] = field(default_factory=dict)

    def of(self, platform: str = "", partition: int | None = None) -> list[str]:
        """Those of a platform (any) and a partition (any)."""
        return [
            key
            for (own, number), key in self.keys.items()
            if platform in ("", own) and partition in (None, number)
        ]


@dataclass(frozen=True)
class Poison:
    """`send` it; `doubted` are the accounts that it holds; `heal` by commands alone.

    `count`: how much of it. `read`: whether all inputs can be read to their ends under it.
    `everybody`: adverse events of all platforms are held. `time_seconds`: within which the poison
    has to be sent, for then the time to answer is over.
    """

    name: str
    send: Callable[[Scene, Waiting, int], None]
    count: int
    doubted: Callable[[Waiting], list[str]]
    heal: Callable[[Scene, Waiting], None]
    read: bool = True
    everybody: bool = False
    time_seconds: float = 40.0


def _raw(scene: Scene, topic: str, partition: int, batch: bytes, times: int = 1) -> None:
    full = scene.estate.names.prefix + topic
    batches.produce(scene.estate.bootstrap, full, partition, batch, times)


def _ago(milliseconds: float) -> str:
    return (datetime.now(UTC) - timedelta(milliseconds=milliseconds)).isoformat()


# ---- bytes -------------------------------------------------------------------------------------


def _headers(scene: Scene, waiting: Waiting, count: int) -> None:
    """A header whose name is no UTF-8, on every input, in records that say something."""
    now = _ago(0)
    for key in waiting.of():
        platform, account = key.split(":")
        partition = next(number for (_, number), one in waiting.keys.items() if one == key)
        value = {"platform": platform, "account_id": account}
        reading = {**value, "followers": 2_000_001, "observed_at": now}
        label = {**value, "category": "财经", "observed_at": now}
        for topic, word in (("follower-counts", reading), ("category-changes", label)):
            record = batches.record(0, key.encode(), json.dumps(word).encode(), NOT_UTF8 * count)
            _raw(scene, topic, partition, batches.batch([record]))
    switch = {"scope": "weibo", "switch": "invitations_off", "on": False, "actor": "op.2"}
    word = json.dumps({**switch, "reason": "test", "issued_at": now}).encode()
    record = batches.record(0, b"weibo:invitations_off", word, NOT_UTF8)
    _raw(scene, "switches", 0, batches.batch([record]))


def _bomb(topic: str, codec: str) -> Callable[[Scene, Waiting, int], None]:
    def send(scene: Scene, waiting: Waiting, count: int) -> None:
        """Batches that become so many MiB when they are unpacked."""
        for partition in range(PARTITIONS):
            record = batches.record(0, b"weibo:bomb", bytes(count * MIB), ())
            packed = batches.batch([record], codec)
            assert len(packed) < MIB
            _raw(scene, topic, partition, packed)

    return send


def _just_unpack(scene: Scene, waiting: Waiting, count: int) -> None:
    """So many batches in each partition that unpack to almost 16 MiB, all in one fetched answer."""
    packed = batches.batch([batches.record(0, b"weibo:bomb", bytes(16 * MIB - 100), ())], "zstd")
    with scene.frozen():
        for partition in range(PARTITIONS):
            _raw(scene, "notice-receipts", partition, packed, count)


def _without_end(scene: Scene, waiting: Waiting, count: int) -> None:
    """A batch of so many owners' words, in each partition, and none is one."""
    records = [batches.record(at, b"weibo:bomb", b"?", ()) for at in range(count)]
    packed = batches.batch(records, "zstd")
    assert len(packed) < MIB
    for partition in range(PARTITIONS):
        _raw(scene, "consent-answers", partition, packed)


def _deep(scene: Scene, waiting: Waiting, count: int) -> None:
    """An owner's word of so many brackets."""
    for key in _victim(waiting):
        scene.estate.put_raw("consent-answers", key, b"[" * count)
        scene.estate.put_raw("consent-answers", key, b'{"a":' * (count // 5) + b"1")


# ---- numbers -----------------------------------------------------------------------------------


def _bad(scene: Scene, waiting: Waiting, count: int) -> None:
    """Receipts of weibo that are none."""
    for number in range(count):
        scene.estate.put_raw("notice-receipts", f"weibo:bad{number}", b'{"platform":"weibo"')


def _switches(scene: Scene, waiting: Waiting, count: int) -> None:
    """A brake turned to and fro, at last on."""
    for number in range(count):
        word = {"scope": "weibo", "switch": "adverse_off", "on": number % 2 == (count - 1) % 2}
        more = {"actor": "op.2", "reason": "test", "issued_at": _ago(count - number)}
        scene.estate.put("switches", {**word, **more})


def _controls(scene: Scene, waiting: Waiting, count: int) -> None:
    """Holds and their ends, of one account, at last a hold."""
    (key,) = _victim(waiting)
    for number in range(count):
        command = ("hold", "unhold")[(count - 1 - number) % 2]
        word = {"control_id": f"storm-{number}", "command": command, "actor": "op.2"}
        scene.say(key, "controls", **word, reason="test", issued_at=_ago(count - number))


# ---- others ------------------------------------------------------------------------------------

_hanging: dict[int, Producer] = {}


def _transaction(scene: Scene, waiting: Waiting, count: int) -> None:
    """The consent desk begins a transaction of answers in one partition, and hangs."""
    producer = Producer(
        {
            "bootstrap.servers": scene.estate.bootstrap,
            "transactional.id": f"{scene.estate.names.application_id}-consent-desk",
            "transaction.timeout.ms": 600_000,
            "log_level": 0,
        }
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    topic = scene.estate.names.prefix + "consent-answers"
    for _ in range(count):
        producer.produce(topic, b"{}", b"weibo:nobody", partition=0)
    producer.flush(30)
    _hanging[id(scene)] = producer


def _ends(scene: Scene, waiting: Waiting) -> None:
    """It is named; then the desk is restarted, which ends it; nobody does anything here."""
    blocked = json.loads(scene.run("topics", "blocked", "--json", code=1))["blocked"]
    desk = f"{scene.estate.names.application_id}-consent-desk"
    assert [(one["partition"], one["transactional_id"]) for one in blocked] == [(0, desk)]
    named = f"producer {blocked[0]['producer_id']}, transactional id {desk}"
    log = scene.estate.workers[0].log
    scene.wait(lambda: named in log.read_text(), 30, "the worker names the producer")
    _hanging.pop(id(scene)).abort_transaction(30)
    scene.wait(lambda: not _blocked(scene), 20, "nothing is blocked")
    scene.run("topics", "blocked")


def _blocked(scene: Scene) -> bool:
    status = json.loads(scene.estate.workers[0].page("/readyz")[1])
    return bool(status["open_transactions"])


# ---- ways back ---------------------------------------------------------------------------------


def _nothing(scene: Scene, waiting: Waiting) -> None:
    """There is nothing to do; the verbs that read what was poisoned work."""
    assert scene.run("switch", "list") == "no brake is on\n"
    scene.run("worklist", "unclear")
    scene.run("worklist", "pending")


def _settle_refusals(reason: str, *scopes: str) -> Callable[[Scene, Waiting], None]:
    def heal(scene: Scene, waiting: Waiting) -> None:
        assert reason in scene.run("dead-letters", "list")
        listed = scene.run("switch", "list")
        assert "refusals_settled" in listed
        for scope in scopes:
            scene.operator("switch", "refusals-settled", "on", "--scope", scope)
        assert scene.run("switch", "list") == "no brake is on\n"

    return heal


def _settle_word(scene: Scene, waiting: Waiting) -> None:
    (key,) = _victim(waiting)
    assert key in scene.run("worklist", "unclear")
    scene.operator("control", "settle", key)


def _release_brake(scene: Scene, waiting: Waiting) -> None:
    assert "adverse_off" in scene.run("switch", "list")
    scene.operator("switch", "adverse-off", "off", "--scope", "weibo")
    assert scene.run("switch", "list") == "no brake is on\n"


def _unhold(scene: Scene, waiting: Waiting) -> None:
    (key,) = _victim(waiting)
    pending = json.loads(scene.run("worklist", "pending", "--json"))
    assert {one["account"]: one["waits_for"] for one in pending}[key] == ["hold"]
    scene.operator("control", "unhold", key)


def _victim(waiting: Waiting) -> list[str]:
    return waiting.of("weibo", 0)


def _nobody(waiting: Waiting) -> list[str]:
    return []


POISONS: tuple[Poison, ...] = (
    Poison("header bytes ff fe", _headers, 3, _nobody, _nothing),
    Poison("gzip bomb on readings", _bomb("follower-counts", "gzip"), 200, _nobody, _nothing),
    Poison(
        "zstd bomb on answers",
        _bomb("consent-answers", "zstd"),
        200,
        Waiting.of,
        _settle_refusals("unreadable_batch", "*"),
        everybody=True,
    ),
    Poison(
        "batches of almost 16 MiB",
        _just_unpack,
        120,
        lambda waiting: waiting.of("weibo"),
        _settle_refusals("too_large", "weibo"),
        time_seconds=60.0,
    ),
    Poison(
        "a batch of many records",
        _without_end,
        200_000,
        lambda waiting: waiting.of("weibo"),
        _settle_refusals("not_json", "weibo"),
        time_seconds=90.0,
    ),
    Poison("deep JSON", _deep, 60_000, _victim, _settle_word),
    Poison(
        "bad records",
        _bad,
        2_000,
        lambda waiting: waiting.of("weibo"),
        _settle_refusals("not_json", "weibo"),
    ),
    Poison(
        "foreign open transaction",
        _transaction,
        50,
        lambda waiting: waiting.of(partition=0),
        _ends,
        read=False,
    ),
    Poison(
        "switches",
        _switches,
        100_000,
        lambda waiting: waiting.of("weibo"),
        _release_brake,
        time_seconds=90.0,
    ),
    Poison("controls on one key", _controls, 100_000, _victim, _unhold, time_seconds=90.0),
)

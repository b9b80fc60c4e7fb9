"""By which command each right of `byline topics acl` is missed, and what that command stands on."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from confluent_kafka import Producer

from schemas.topics import INPUTS
from streams.operate.acl import Permission
from tests.cli.fault_ground import FaultGround, run

SAID = ("--actor", "op.1", "--reason", "incident")
CONSUMER = ("a consumer",)
"""No command of Byline: librdkafka's consumer, as those who act on the outputs have one."""
REFUSED = tuple(each.name for each in INPUTS)
EXPLAINED = ("explain", "weibo:a1", "--kafka")


@dataclass(frozen=True)
class RightTrial:
    """A right of one operation, and the command that has to miss it."""

    right: Permission
    words: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The command as the table has it."""
        if self.words == CONSUMER:
            return "a consumer of librdkafka"
        return f"`byline {' '.join(self.words).replace(' '.join(SAID), '…')}`"


def trials(on: FaultGround) -> Iterator[RightTrial]:
    """One for each operation of each right of each role, in the order in which they are printed."""
    for granted in on.rights:
        for operation in granted.operations:
            right = replace(granted, operations=(operation,))
            words, settings = _missed_by(on, right)
            yield RightTrial(right, words, settings)


def _missed_by(on: FaultGround, right: Permission) -> tuple[tuple[str, ...], dict[str, str]]:
    role, topic = right.role, right.name.removeprefix("byline.")
    (operation,) = right.operations
    if role == "worker":
        return ("worker",), {}
    if role == "console":
        return ("console", "--port", "0"), {"BYLINE_ROLES_FILE": str(on.folder / "roles")}
    if role == "administrator":
        return _of_administrator(right)
    if role == "redriver":
        return _of_redriver(right, topic)
    if role == "upkeeper":
        return _of_upkeeper(right, topic)
    if role == "indexer":
        return ("index",) if operation == "Read" else ("status",), {}
    if role == "auditor":
        own = {"byline-categories-changelog": ("cluster", "check")}
        by_explain = topic == "throttle-acks" or topic == "byline-accounts-changelog"
        return own.get(topic, EXPLAINED if by_explain else ("audit",)), {}
    if role == "operator":
        return _of_operator(topic, operation), {}
    return ("send", topic) if operation == "Write" else CONSUMER, {}


def _of_operator(topic: str, operation: str) -> tuple[str, ...]:
    if operation == "Write":
        turn = ("switch", "adverse-off", "on", "--scope", "weibo", *SAID)
        return turn if topic == "switches" else ("control", "hold", "weibo:a1", *SAID)
    return {
        "controls": ("control", "undo", "a-bulk", *SAID),
        "switches": ("switch", "list"),
        "dead-letters": ("dead-letters", "list", "--kafka"),
        "policies": ("worklist", "pending", "--kafka"),
        "byline-accounts-changelog": ("worklist", "pending", "--kafka"),
    }.get(topic, ("events", "--kafka"))


def _of_redriver(right: Permission, topic: str) -> tuple[tuple[str, ...], dict[str, str]]:
    known = any(topic == it.name for it in INPUTS)
    place = f"{topic if known else 'controls'}[0]@0"
    words = ("dead-letters", "redrive", place, "--yes", *SAID)
    # With a policy file of the platform nobody asks the topic of policies.
    return words, {"BYLINE_POLICIES": "/nowhere"} if topic == "policies" else {}


def _of_upkeeper(right: Permission, topic: str) -> tuple[tuple[str, ...], dict[str, str]]:
    (operation,) = right.operations
    if right.kind != "topic" or topic in REFUSED:
        # Of an input it may read, `reroute` has to say so before it looks for anything to move.
        words = () if (right.kind, operation) == ("topic", "Read") else ("--yes",)
        return ("cluster", "reroute", *words), {"BYLINE_PARTITIONS": "2"}
    if operation == "Describe":
        return ("cluster", "check"), {}
    return ("cluster", "rebuild", *(() if operation == "Read" else ("--yes",))), {}


def _of_administrator(right: Permission) -> tuple[tuple[str, ...], dict[str, str]]:
    if right.operations == ("AlterConfigs",):
        return ("topics", "apply"), {}
    if right.operations == ("Describe",):
        return ("topics", "create"), {}
    # Topics that are not there yet: those of another prefix, or of another application.
    elsewhere = {"byline.": "BYLINE_TOPIC_PREFIX", "byline-": "BYLINE_APPLICATION_ID"}
    values = {"byline.": "byline.other.", "byline-": "byline-other"}
    return ("topics", "create"), {elsewhere[right.name]: values[right.name]}


def prepare(on: FaultGround, topics: Iterable[str] = REFUSED) -> None:
    """Makes an index, a file of roles, and in each of these inputs a record that was refused.

    Raises RuntimeError if there can be no index.
    """
    (on.folder / "roles").write_text(f"{'0' * 64}  desk.1  operator\n")
    for topic in topics:
        refuse(on, topic)
    made = run(on, "indexer", {}, "index")
    if made.code:
        raise RuntimeError(made.sentence)
    # Kafka makes its topic of groups when it is first asked, and a worker waits five seconds here.
    run(on, "indexer", {}, "status")


def refuse(on: FaultGround, topic: str) -> int:
    """Puts a record into an input, and the dead letter that speaks of it; returns its offset."""
    sender = Producer({"bootstrap.servers": on.kafka.plain, "log_level": 0})
    offsets: list[int] = []
    sender.produce(
        f"byline.{topic}",
        b"{",
        b"weibo:a1",
        partition=0,
        on_delivery=lambda _, it: offsets.append(it.offset()),
    )
    sender.flush(20)
    (offset,) = offsets
    letter = {
        "topic": f"byline.{topic}",
        "partition": 0,
        "offset": offset,
        "reason": "not_json",
        "value_bytes": 1,
        "refused_at": "2026-01-01T00:00:00.000Z",
    }
    sender.produce("byline.dead-letters", json.dumps(letter), b"weibo:a1", partition=0)
    sender.flush(20)
    return offset

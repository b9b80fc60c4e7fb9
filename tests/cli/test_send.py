"""`byline send`: what goes, to which partition, and what is refused in which words."""

import asyncio
import contextlib
import functools
import gzip
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from confluent_kafka import Producer

from schemas.enums import Refused
from schemas.inputs import INPUT_MODELS
from streams.operate.send import partition_of
from streams.operate.send_check import CheckedLine, LineChecker, Rejection
from streams.settings import Settings
from tests.cli.conftest import Byline

NOW = 1_750_000_000.0
PLATFORMS = ("weibo", "douyin")
READING = {
    "platform": "weibo",
    "account_id": "a1",
    "followers": 600_000,
    "observed_at": "2025-06-15T15:00:00Z",
}
CONTROL = {
    "platform": "weibo",
    "account_id": "a1",
    "control_id": "c1",
    "command": "lift",
    "actor": "op.1",
    "reason": "appeal",
    "issued_at": "2025-06-15T15:00:00+08:00",
    "bulk_id": "b1",
}


def check(value: Any, name: str = "follower-counts", **options: bool) -> CheckedLine | Rejection:
    raw = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return LineChecker(name, PLATFORMS, NOW, **options).check(raw)  # type: ignore[arg-type]


def test_a_good_line_keeps_the_contracts_fields_alone() -> None:
    line = check({**READING, "cause": "organic", "colour": "red"})
    assert isinstance(line, CheckedLine)
    assert line.key == b"weibo:a1"
    assert json.loads(line.value or b"") == {**READING, "cause": "organic"}


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        (b"{", Refused.NOT_JSON, "this is not JSON at column 2"),
        (b'{"a": NaN}', Refused.NOT_JSON, "this is not JSON"),
        (b"\xff", Refused.NOT_JSON, "this is not JSON"),
        ([1], Refused.WRONG_TYPE, "a line is a JSON object"),
        (
            {**READING, "real_name": "王小明"},
            Refused.NAME_FIELD,
            "a field known to carry a person's name or number",
        ),
        ({"platform": "weibo"}, Refused.MISSING_FIELD, "account_id is missing"),
        (
            {**READING, "account_id": "王小明"},
            Refused.BAD_ID,
            "account_id is not an opaque id, ^[A-Za-z0-9._~-]{1,64}$",
        ),
        (
            {**READING, "platform": "zhihu"},
            Refused.UNKNOWN_PLATFORM,
            "there are policies for douyin, weibo only",
        ),
        (
            {**READING, "followers": -1},
            Refused.OUT_OF_RANGE,
            "followers: Input should be greater than or equal to 0",
        ),
        (
            {**READING, "followers": "600000"},
            Refused.WRONG_TYPE,
            "followers: Input should be a valid integer",
        ),
        (
            {**READING, "observed_at": "2025-06-15T15:00:00"},
            Refused.WRONG_TYPE,
            "observed_at: Value error, a time is a string in RFC 3339 with an offset",
        ),
        (
            {**READING, "observed_at": "2025-06-15T15:12:00Z"},
            Refused.TIME_AHEAD,
            "observed_at is over 300 s ahead of this machine's clock",
        ),
        ({**READING, "note": "x" * 65_536}, Refused.TOO_LARGE, "over 65536 bytes"),
    ],
)
def test_a_bad_line_is_refused_in_these_words(value: Any, reason: Refused, words: str) -> None:
    assert check(value) == Rejection(reason, words)


def test_a_bulk_needs_a_second_actor_when_approvals_are_required() -> None:
    assert isinstance(check(CONTROL, "controls"), CheckedLine)
    for command in ("unhold", "reissue", "settle", "appeal_rejected"):
        bulk = {**CONTROL, "command": command}
        for second in ({}, {"approved_by": "op.1"}, {"approved_by": "OP.1"}):
            refused = check({**bulk, **second}, "controls", require_approvals=True)
            assert isinstance(refused, Rejection)
            assert refused.reason is Refused.NOT_APPROVED
        approved = {**bulk, "approved_by": "op.2"}
        assert isinstance(check(approved, "controls", require_approvals=True), CheckedLine)


def test_a_bulk_that_protects_needs_nobody_else() -> None:
    for command in ("hold", "lift", "appeal_opened", "appeal_upheld"):
        bulk = {**CONTROL, "command": command}
        assert isinstance(check(bulk, "controls", require_approvals=True), CheckedLine)


def test_a_switch_may_be_for_all_platforms() -> None:
    value = {
        "scope": "*",
        "switch": "adverse_off",
        "on": True,
        "actor": "op.1",
        "reason": "incident",
        "issued_at": "2025-06-15T15:00:00Z",
    }
    line = check(value, "switches")
    assert isinstance(line, CheckedLine)
    assert line.key == b"*:adverse_off"


def test_an_acknowledgement_of_who_enforces_is_checked_too() -> None:
    ack = {
        "platform": "weibo",
        "account_id": "a1",
        "event_id": "e1",
        "outcome": "applied",
        "system": "recommender-1",
        "occurred_at": "2025-06-15T15:00:00Z",
    }
    line = check({**ack, "note": "x"}, "throttle-acks")
    assert isinstance(line, CheckedLine)
    assert (line.key, json.loads(line.value or b"")) == (b"weibo:a1", ack)
    refused = check({**ack, "outcome": "done"}, "throttle-acks")
    assert isinstance(refused, Rejection)
    assert refused.words.startswith("outcome: Input should be 'applied'")


def test_a_near_platform_is_named() -> None:
    refused = check({**READING, "platform": "weibbo"})
    assert isinstance(refused, Rejection)
    assert refused.words == "did you mean weibo? there are policies for douyin, weibo only"


def test_a_platform_is_taken_as_given_where_nobody_knows_any() -> None:
    raw = json.dumps({**READING, "platform": "zhihu"}).encode()
    assert isinstance(LineChecker("follower-counts", None, NOW).check(raw), CheckedLine)


def test_a_words_time_is_replaced_by_the_worker_and_so_not_refused_here() -> None:
    for issued_at in ("2025-06-15T16:12:00Z", "0001-01-01T00:00:00Z"):
        assert isinstance(check({**CONTROL, "issued_at": issued_at}, "controls"), CheckedLine)


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("follower-counts", {**READING, "observed_at": "2004-12-31T23:59:59Z"}, "observed_at"),
        ("controls", {**CONTROL, "command": "extend", "until": "1970-01-01T00:00:00Z"}, "until"),
        (
            "controls",
            {**CONTROL, "command": "hold", "expires_at": "1970-01-01T00:00:00Z"},
            "expires_at",
        ),
    ],
)
def test_a_date_before_2005_is_refused(name: str, value: dict[str, Any], field: str) -> None:
    words = f"{field} is before 2005: no date"
    assert check(value, name) == Rejection(Refused.TIME_BEFORE_2005, words)


def test_a_tombstone_has_a_key_and_nothing_else() -> None:
    value = {"platform": "weibo", "account_id": "a1"}
    assert check(value, "category-changes", tombstones=True) == CheckedLine(b"weibo:a1", None)


@pytest.mark.kafka
async def test_partitions_agree_with_the_java_clients_partitioner(on_kafka: Settings) -> None:
    """librdkafka's murmur2_random is the Java client's default; vectors beside it."""
    from streams.operate.topics import create

    assert [partition_of(key, 1000) for key in (b"21", b"foobar", b"abc")] == [
        (0x7FFFFFFF & hash_) % 1000 for hash_ in (-973932308, -790332482, 479470107)
    ]
    await create(on_kafka, 7)
    topic = on_kafka.topic_prefix + "controls"
    found: dict[bytes, int] = {}
    client = Producer(
        {
            "bootstrap.servers": on_kafka.kafka_bootstrap_servers,
            "partitioner": "murmur2_random",
        }
    )
    keys = [f"weibo:{number * 7919:x}".encode() for number in range(200)]
    for key in keys:
        client.produce(
            topic, b"x", key, on_delivery=lambda _, it: found.update({it.key(): it.partition()})
        )
    assert client.flush(20) == 0
    assert found == {key: partition_of(key, 7) for key in keys}


@pytest.mark.kafka
async def test_good_lines_arrive_and_bad_ones_are_named(on_kafka: Settings, tmp_path: Path) -> None:
    from streams.operate.send import send
    from streams.operate.topics import create

    await create(on_kafka, 4)
    lines = [json.dumps({**READING, "account_id": f"a{number}"}) for number in range(50)]
    lines[10] = "nonsense"
    lines[20] = ""
    file = tmp_path / "readings.jsonl.gz"
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    done = await send(on_kafka, "follower-counts", file, time.time())
    assert (done.count, [str(it) for it in done.refused]) == (
        48,
        [f"{file}:11: not_json: this is not JSON at column 1"],
    )
    records = await read_all(on_kafka.kafka_bootstrap_servers, done.topic, 4)
    assert len(records) == 48
    for partition, key, value in records:
        assert partition == partition_of(key, 4)
        assert key.decode() == f"weibo:{json.loads(value)['account_id']}"


async def read_all(bootstrap: str, topic: str, partitions: int) -> list[tuple[int, bytes, bytes]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        own = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(own)
        await consumer.seek_to_beginning(*own)
        ends = await consumer.end_offsets(own)
        found = []
        while len(found) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=5_000)).values():
                found += [(it.partition, it.key, it.value) for it in records]
        return found
    finally:
        await consumer.stop()


def test_a_dry_run_needs_no_kafka_and_exits_1_for_a_bad_line(
    byline: Byline, tmp_path: Path
) -> None:
    file = tmp_path / "readings.jsonl"
    file.write_text(json.dumps(READING) + "\n{}\n")
    answer = byline("send", "byline.follower-counts", str(file), "--dry-run")
    assert answer.code == 1
    assert answer.out == "1 would be sent to byline.follower-counts, 1 refused\n"
    assert answer.err == f"{file}:2: missing_field: platform is missing\n"
    found = json.loads(byline("send", "follower-counts", str(file), "--dry-run", "--json").out)
    assert found["refused"] == [
        {
            "file": str(file),
            "line": 2,
            "reason": "missing_field",
            "detail": "platform is missing",
        }
    ]


@pytest.mark.kafka
async def test_a_line_of_a_pipe_goes_out_at_once_and_an_interrupted_command_says_how_many_did(
    on_kafka: Settings,
) -> None:
    from streams.operate.topics import create

    await create(on_kafka, 2)
    words = (sys.executable, "-m", "streams", "send", "follower-counts", "-")
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
    # Who runs the tests in the background has Ctrl-C ignored, and a child inherits that.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    process = await asyncio.create_subprocess_exec(*words, **pipes, preexec_fn=heard)
    try:
        assert process.stdin is not None
        for number in range(3):
            value = READING if number < 2 else {}
            process.stdin.write(json.dumps(value).encode() + b"\n")
        await process.stdin.drain()
        topic = on_kafka.topic_prefix + "follower-counts"
        bootstrap = on_kafka.kafka_bootstrap_servers
        async with asyncio.timeout(60):
            while len(await read_all(bootstrap, topic, 2)) < 2:
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            out, err = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 130
    assert out.decode() == f"2 sent to {topic}, 1 refused\n"
    assert err.decode().splitlines() == [
        "stdin:3: missing_field: platform is missing",
        "interrupted after line 3 of stdin: the lines behind it were not sent; to send all of them"
        " again does no harm, what says the same counts once",
    ]


def test_a_line_longer_than_what_is_read_at_once_stays_whole(
    byline: Byline, tmp_path: Path
) -> None:
    file = tmp_path / "long.jsonl"
    file.write_text(json.dumps({**READING, "note": "x" * 300_000}) + "\n" + json.dumps(READING))
    answer = byline("send", "follower-counts", str(file), "--dry-run")
    assert answer.err.startswith(f"{file}:1: too_large")
    assert answer.out.startswith("1 would be sent")


def test_a_packed_file_that_is_cut_off_is_said_to_be(byline: Byline, tmp_path: Path) -> None:
    file = tmp_path / "cut.jsonl.gz"
    file.write_bytes(gzip.compress((json.dumps(READING) + "\n").encode() * 10)[:-12])
    answer = byline("send", "follower-counts", str(file), "--dry-run")
    assert (answer.code, answer.err.startswith(f"{file} cannot be read (")) == (2, True), answer


def test_a_bulk_from_a_pipe_names_the_line_that_is_no_account() -> None:
    words = (sys.executable, "-m", "streams", "control", "bulk", "-", "--command", "hold")
    said = ("--actor", "op.1", "--reason", "incident")
    done = subprocess.run(
        [*words, *said], input="# those\nweibo:a1\n\na2\n", text=True, capture_output=True
    )
    assert (done.returncode, done.stderr.startswith("stdin:4 is not platform:account_id")) == (
        2,
        True,
    )


@pytest.mark.kafka
async def test_a_bulk_names_the_line_of_an_account_that_is_refused(
    on_kafka: Settings, byline: Byline, tmp_path: Path
) -> None:
    from streams.operate.topics import create

    await create(on_kafka, 2)
    file = tmp_path / "crowd.txt"
    file.write_text("# those of the fault\n\nweibo:a1\nweibo:a b\n")
    said = ("--command", "hold", "--actor", "op.1", "--reason", "incident")
    answer = await asyncio.to_thread(byline, "control", "bulk", str(file), *said)
    assert answer.code == 1
    heading, *rows = answer.out.splitlines()
    assert heading.split()[0] == "line"
    assert [row.split()[0] for row in rows if "account_id" in row] == ["4"]


def test_wrong_use_is_said_and_exits_2(byline: Byline, tmp_path: Path) -> None:
    answer = byline("send", "decisions", "-")
    assert (answer.code, answer.err) == (
        2,
        f"decisions is not an input; there are {', '.join(INPUT_MODELS)}, throttle-acks\n",
    )
    answer = byline("send", "controls", str(tmp_path / "none"), "--dry-run")
    assert (answer.code, answer.err) == (
        2,
        f"{tmp_path / 'none'} cannot be read (No such file or directory)\n",
    )
    answer = byline("send", "controls", "-", "--tombstones", "--dry-run")
    assert (answer.code, answer.err) == (
        2,
        "--tombstones: a record of controls always has a value\n",
    )

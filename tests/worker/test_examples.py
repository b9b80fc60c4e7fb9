"""The programs that the pages for producers, notifiers, consumers and enforcing systems show.

Each is run by its own command beside one worker and a real Kafka, in the order of the data's way.
"""

import json
import re
import secrets
from collections.abc import Iterator

import pytest
from aiokafka.partitioner import murmur2
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat
from confluent_kafka import Producer

from schemas.inputs import ThrottleAck
from schemas.topics import TopicNames
from tests.conftest import RunningKafka
from tests.worker.commands import audited, byline
from tests.worker.examples import run, running, until
from tests.worker.harness import Estate, Out, utc_now
from tests.worker.policies import policy

pytestmark = pytest.mark.kafka
SENDERS = {
    "send_confluent.py": (),
    "send_aiokafka.py": (),
    "Send.java": ("jdk",),
    "send_kcat.sh": ("kcat",),
}
"""Examples that send, with the parts that each wants."""
ACCOUNTS = 12
THROTTLED = ("recommend-feed", "tips")


@pytest.fixture(scope="module")
def estate(kafka: RunningKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """One worker whose policy enforces, and gives owners three seconds to answer."""
    folder = tmp_path_factory.mktemp("examples")
    policies = folder / "policies"
    policies.mkdir()
    (policies / "weibo.yaml").write_text(policy("weibo", window="PT3S"), encoding="utf-8")
    word = secrets.token_hex(3)
    names = TopicNames(f"t-examples-{word}.", f"app-examples-{word}")
    made = Estate(kafka.bootstrap, names, policies, folder).create_topics().start(1)
    yield made
    made.stop()


def accounts(sender: str) -> list[str]:
    """The accounts that an example sends."""
    word = re.sub("[^a-z]", "", sender.lower())
    return [f"{word}-{number}" for number in range(ACCOUNTS)]


def lines(sender: str, **values: object) -> str:
    """A JSON line for each of those accounts; for kcat with the key before it."""
    values_of = [{"platform": "weibo", "account_id": it, **values} for it in accounts(sender)]
    raw = [json.dumps(it, ensure_ascii=False) for it in values_of]
    if sender == "send_kcat.sh":
        raw = [f"weibo:{it}\t{line}" for it, line in zip(accounts(sender), raw, strict=True)]
    return "".join(f"{line}\n" for line in raw)


def of(records: list[Out], name: str) -> dict[str, list[dict[str, object]]]:
    """The values of one event by account."""
    found: dict[str, list[dict[str, object]]] = {}
    for record in records:
        if record.json.get("event") == name:
            found.setdefault(record.json["account_id"], []).append(record.json)
    return found


@pytest.mark.parametrize(
    "sender",
    [pytest.param(it, marks=[pytest.mark.part(one) for one in SENDERS[it]]) for it in SENDERS],
)
def test_a_producer_sends_to_the_partition_of_each_key_and_invites(
    sender: str, estate: Estate
) -> None:
    for account in accounts(sender):
        label = {"platform": "weibo", "account_id": account, "category": "财经"}
        estate.put("category-changes", {**label, "observed_at": utc_now()})
    reading = lines(sender, followers=1_000_000, observed_at=utc_now())
    done = run(sender, estate, "follower-counts", reading)
    assert done.returncode == 0, done.stdout + done.stderr
    estate.drain()
    keys = {f"weibo:{it}".encode() for it in accounts(sender)}
    mine = [record for record in estate.read(["follower-counts"]) if record.key in keys]
    assert {record.key for record in mine} == keys
    assert len(mine) == len(keys), "each once"
    for record in mine:
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % estate.partitions
    assert estate.read(["dead-letters"]) == []
    issued = of(estate.read(["invitations"]), "invitation.issued")
    assert set(accounts(sender)) <= set(issued)


def test_the_notifier_confirms_issued_notices_alone(estate: Estate) -> None:
    issued = of(estate.read(["invitations"]), "invitation.issued")
    assert len(issued) >= 2 * ACCOUNTS
    with running("notify_confluent.py", estate) as printed:
        until(lambda: len(estate.read(["notice-receipts"])) >= len(issued), "all confirmed")
        estate.drain()
        until(
            lambda: len(of(estate.read(["invitations"]), "invitation.delivered")) == len(issued),
            "all delivered",
        )
    assert estate.read(["dead-letters"]) == []
    told = [line for line in printed().splitlines() if ": invitation." in line]
    assert len(told) == len(issued) == len(estate.read(["notice-receipts"]))
    assert all("invitation.issued" in line for line in told)


def test_the_enforcing_system_restricts_lifts_and_acknowledges_also_after_a_kill(
    estate: Estate,
) -> None:
    count = len(of(estate.read(["invitations"]), "invitation.issued"))
    applied = count * len(THROTTLED)

    def restricted() -> int:
        return sum(map(len, of(estate.read(["throttles"]), "throttle.applied").values()))

    until(lambda: restricted() == applied, "all restricted")
    with running("enforce_aiokafka.py", estate) as printed:
        until(lambda: len(estate.read(["throttle-acks"])) >= applied // 2, "half acknowledged")
    # Killed. The owners of one sender's accounts agree; then it goes on where it had committed.
    granted = lines("send_confluent.py", answer="granted", occurred_at=utc_now())
    assert run("send_confluent.py", estate, "consent-answers", granted).returncode == 0
    with running("enforce_aiokafka.py", estate) as printed:
        lifted = ACCOUNTS * len(THROTTLED)

        def acknowledged() -> bool:
            acks = {record.json["event_id"] for record in estate.read(["throttle-acks"])}
            return len(acks) == applied + lifted

        until(acknowledged, "all acknowledged")
    throttles = estate.read(["throttles"])
    wanted = {record.json["event_id"]: record.json["event"] for record in throttles}
    outcomes = {"applied": "throttle.applied", "lifted": "throttle.lifted"}
    for record in estate.read(["throttle-acks"]):
        ack = ThrottleAck.model_validate(record.json)
        assert wanted[ack.event_id] == outcomes[ack.outcome]
        assert record.key == f"weibo:{ack.account_id}".encode()
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % estate.partitions
    assert printed().count("lifted: tips of sendconfluentpy-") == ACCOUNTS


def test_the_cloudevents_sdk_reads_what_came_out_of_kafka(estate: Estate) -> None:
    records = estate.read(["invitations", "consents", "throttles"])
    for record in records:
        read = from_kafka(
            KafkaMessage(record.headers, record.key, record.value or b""), JSONFormat()
        )
        assert (read.get_id(), read.get_data()) == (record.json["event_id"], record.json)
    kinds = {record.json["event"] for record in records}
    assert {"invitation.issued", "consent.granted", "throttle.lifted"} <= kinds


@pytest.fixture(scope="module")
def never_happened(estate: Estate) -> str:
    """An event of a transaction that was aborted, in the middle of the topic of throttles."""
    producer = Producer({"bootstrap.servers": estate.bootstrap, "transactional.id": "aborted"})
    producer.init_transactions(30)
    producer.begin_transaction()
    value = {"event": "throttle.applied", "event_id": "never-happened", "sequence": 1}
    for partition in range(estate.partitions):
        topic = f"{estate.names.prefix}throttles"
        producer.produce(topic, json.dumps(value), "weibo:aborted", partition)
    producer.flush(30)
    producer.abort_transaction(30)
    assert len(estate.read(["throttles"], committed=False)) > len(estate.read(["throttles"]))
    return "never-happened"


@pytest.mark.part("jdk")
def test_kafkas_own_client_reads_what_happened_alone(estate: Estate, never_happened: str) -> None:
    wanted = {record.json["event_id"] for record in estate.read(["throttles"])}
    with running("Read.java", estate, "throttles") as printed:
        until(lambda: wanted <= set(printed().split()), "all read")
    assert never_happened not in printed()
    assert re.search(r"^weibo:\S+ throttle\.applied \d+ [0-9a-f]{32}$", printed(), re.M)


@pytest.mark.part("kcat")
def test_kcat_prints_what_happened_alone(estate: Estate, never_happened: str) -> None:
    done = run("read_kcat.sh", estate, "throttles")
    assert done.returncode == 0, done.stderr
    _prints_all(done.stdout, estate, never_happened)


@pytest.mark.part("kafka-tools")
def test_the_console_consumer_prints_what_happened_alone(
    estate: Estate, never_happened: str
) -> None:
    wanted = len(estate.read(["throttles"]))
    with running("read_console.sh", estate, "throttles") as printed:
        until(lambda: printed().count('"event_id":') >= wanted, "all printed")
    _prints_all(printed(), estate, never_happened)


def _prints_all(printed: str, estate: Estate, never_happened: str) -> None:
    for record in estate.read(["throttles"]):
        assert f'"event_id":"{record.json["event_id"]}"' in printed
    assert never_happened not in printed
    assert "ce_type" in printed
    assert "weibo:sendconfluentpy-0" in printed


def test_the_first_dead_letter_of_another_partitioner_says_the_setting_that_cures_it(
    estate: Estate,
) -> None:
    def send(word: str, **settings: str) -> None:
        producer = Producer({"bootstrap.servers": estate.bootstrap, **settings})
        for number in range(20):
            account = f"{word}-{number}"
            value = {"platform": "weibo", "account_id": account, "followers": 1_500_000}
            raw = json.dumps({**value, "observed_at": utc_now()})
            producer.produce(f"{estate.names.prefix}follower-counts", raw, f"weibo:{account}")
        producer.flush(30)
        estate.drain()

    send("default")
    letters = [record.json for record in estate.read(["dead-letters"])]
    assert {letter["reason"] for letter in letters} == {"wrong_partition"}
    assert len(letters) >= 5
    cure = re.search(r"librdkafka \(confluent-kafka, [^)]*\): (\S+)=(\w+)\.", letters[0]["cure"])
    assert cure is not None, letters[0]
    send("cured", **{cure[1]: cure[2]})
    assert len(estate.read(["dead-letters"])) == len(letters), "no more of them"
    listed = byline(estate, "dead-letters", "list")
    assert f"wrong_partition: {letters[0]['cure'][:40]}" in " ".join(listed.stdout.split())
    place = f"follower-counts[{letters[0]['partition']}]@{letters[0]['offset']}"
    assert "partitioner=murmur2_random" in byline(estate, "dead-letters", "show", place).stdout
    assert audited(estate) == []

"""Every refusal of a changed cluster, and the commands that lead out of it, as they are told."""

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.protocol.admin import DeleteTopicsResponse_v1
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from schemas.topics import TOPICS
from streams import rebuild as rebuilding
from streams.kafka.requests.metadata import view_topics
from streams.operate.errors import OperateError
from streams.processor import partitioner
from streams.settings import Settings
from streams.stop_worker import StopWorker
from tests.support.topic_settings import change_topic
from tests.worker.commands import audited, byline
from tests.worker.harness import Estate, utc_now
from tests.worker.policies import policy

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(600)]
Events = dict[str, list[dict[str, Any]]]


def admin(estate: Estate, call: Callable[[AIOKafkaAdminClient], Any]) -> Any:
    async def act() -> Any:
        client = AIOKafkaAdminClient(bootstrap_servers=estate.bootstrap)
        await client.start()
        try:
            return await call(client)
        finally:
            await client.close()

    return asyncio.run(act())


def delete_records(estate: Estate, topic: str, before: dict[int, int]) -> None:
    places = {TopicPartition(topic, n): RecordsToDelete(offset) for n, offset in before.items()}
    admin(estate, lambda client: client.delete_records(places, 10_000))


def cut(estate: Estate, changelog: str) -> None:
    """Retention takes the first record of each partition, as it would with `delete`."""
    for cleanup in ("delete", "compact"):
        admin(estate, lambda client, it=cleanup: change_topic(client, changelog, cleanup_policy=it))
        if cleanup == "delete":
            delete_records(estate, changelog, dict.fromkeys(range(estate.partitions), 1))


def refused(estate: Estate, *words: str) -> str:
    """Start a worker that ends with 2 within half a minute; all that it said."""
    worker = estate.workers[0].start()
    assert worker.process is not None
    assert worker.process.wait(90) == 2
    log = worker.log.read_text()
    said = [line for line in log.splitlines() if line.startswith("worker stops (2)")][-1]
    for word in words:
        assert word in said
    return said


def again(estate: Estate) -> None:
    estate.workers[0].start()
    estate.wait_ready()


def who(account: str) -> dict[str, str]:
    return {"platform": "douyin" if account == "restricted" else "weibo", "account_id": account}


def invite(estate: Estate, *accounts: str) -> None:
    for account in accounts:
        fact = {**who(account), "observed_at": utc_now()}
        estate.put("category-changes", {**fact, "category": "财经"})
        estate.put("follower-counts", {**fact, "followers": 1_500_000})


def say(estate: Estate, events: Events, account: str, topic: str, **value: str) -> None:
    key = f"{who(account)['platform']}:{account}"
    (issued, *_) = [e for e in events[key] if e["event"] == "invitation.issued"]
    about = {**who(account), "invitation_id": issued["invitation_id"], "occurred_at": utc_now()}
    estate.put(topic, {**about, **value})


@pytest.fixture
def lived(make_estate: Callable[..., Estate]) -> Estate:
    """A consent in force, a restriction and an open invitation; the worker has been stopped."""
    policies = {"weibo": policy("weibo"), "douyin": policy("douyin", window="PT1S")}
    estate = make_estate(policies, BYLINE_SESSION_TIMEOUT_SECONDS="6")
    estate.start()
    invite(estate, "granted", "restricted", "open")
    events = estate.wait_for(3)
    for account in ("granted", "restricted", "open"):
        say(estate, events, account, "notice-receipts", outcome="delivered")
    events = estate.wait_for(6)
    say(estate, events, "granted", "consent-answers", answer="granted")
    estate.wait_for(10)
    estate.drain()
    estate.workers[0].stop()
    return estate


def kinds(events: Events) -> dict[str, list[str]]:
    return {key.partition(":")[2]: [e["event"] for e in own] for key, own in events.items()}


LIVED = {
    "granted": ["invitation.issued", "invitation.delivered", "consent.granted"],
    "restricted": [
        "invitation.issued",
        "invitation.delivered",
        "invitation.expired",
        "throttle.applied",
        "throttle.applied",
    ],
    "open": ["invitation.issued", "invitation.delivered"],
}


def goes_on(estate: Estate, *, whole: bool = True) -> None:
    """The state is whole: nobody is asked again, and each account goes on where it was."""
    events = estate.events()
    invite(estate, "granted", "restricted", "open")
    say(estate, events, "restricted", "consent-answers", answer="granted")
    say(estate, events, "open", "consent-answers", answer="granted")
    estate.put(
        "consent-answers", {**who("granted"), "answer": "withdrawn", "occurred_at": utc_now()}
    )
    estate.wait_for(15)
    estate.drain()
    time.sleep(1)
    more = {
        "granted": ["consent.withdrawn"],
        "restricted": ["consent.granted", "throttle.lifted", "throttle.lifted"],
        "open": ["consent.granted"],
    }
    assert kinds(estate.events()) == {key: LIVED[key] + more[key] for key in LIVED}
    estate.workers[0].stop()
    if whole:
        assert audited(estate) == []


@pytest.mark.parametrize("source", ["disk", "replay"])
def test_given_a_changelog_cut_when_it_is_rebuilt_then_every_account_goes_on_where_it_was(
    lived: Estate, source: str
) -> None:
    assert kinds(lived.events()) == LIVED
    changelog = lived.names.changelog("accounts")
    cut(lived, changelog)
    if source == "replay":
        shutil.rmtree(lived.folder / "data-0")
    refused(lived, f"changelog {changelog}[", "begins at offset 1", "byline cluster rebuild")
    checked = byline(lived, "cluster", "check")
    assert checked.returncode == 1
    assert "begins at offset 1: state was deleted; `byline cluster rebuild`" in checked.stdout
    command = ("cluster", "rebuild", "--disk", str(lived.folder / "data-0"))
    planned = byline(lived, *command, "--json")
    assert planned.returncode == 0, planned.stderr
    found = json.loads(planned.stdout)
    assert {row["source"].partition(" ")[0] for row in found["partitions"]} - {"nothing"} == {
        source
    }
    refused(lived, "begins at offset 1")
    done = byline(lived, *command, "--yes")
    assert done.returncode == 0, done.stderr
    assert byline(lived, "cluster", "check").returncode == 0
    assert byline(lived, "topics", "check").returncode == 0
    again(lived)
    goes_on(lived)


@pytest.fixture
def here(lived: Estate, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of the estate, for a command in this process."""
    for name, value in lived.environment.items():
        if name.startswith("BYLINE_"):
            monkeypatch.setenv(name, value)
    return Settings()


def rebuilt(lived: Estate) -> subprocess.CompletedProcess[str]:
    """The command as it is told, at last."""
    done = byline(lived, "cluster", "rebuild", "--disk", str(lived.folder / "data-0"), "--yes")
    assert done.returncode == 0, done.stderr
    return done


def test_given_a_worker_that_decided_meanwhile_then_nothing_is_deleted_and_a_repeat_goes_on(
    lived: Estate, here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    disks = [lived.folder / "data-0"]
    write = rebuilding._write

    async def later(*arguments: Any) -> None:
        """Somebody starts a worker while the sources are read, and stops it again."""
        await asyncio.to_thread(again, lived)
        await asyncio.to_thread(invite, lived, "other")
        await asyncio.to_thread(lived.wait_for, 11)
        await asyncio.to_thread(lived.workers[0].stop)
        await write(*arguments)

    monkeypatch.setattr(rebuilding, "_write", later)
    before = ids(lived)
    with pytest.raises(StopWorker, match=r"has decided more in partition \d .*Nothing was changed"):
        asyncio.run(rebuilding.rebuild(here, disks, yes=True))
    assert ids(lived) == before
    rebuilt(lived)
    again(lived)
    lived.wait_for(11)
    lived.workers[0].stop()
    assert audited(lived) == []


def test_given_a_worker_that_nobody_sees_then_it_is_fenced_and_ends_before_anything_is_deleted(
    lived: Estate, here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    again(lived)
    lived.drain()

    async def sees_nobody(*_: Any) -> None:
        """As a coordinator that does not know of it, or one that joins a moment later."""

    monkeypatch.setattr(rebuilding, "refuse_members", sees_nobody)
    make_anew = rebuilding._make_anew
    ended: list[int] = []

    async def when_it_has_ended(*arguments: Any) -> dict[str, str]:
        await asyncio.to_thread(invite, lived, "other")
        process = lived.workers[0].process
        assert process is not None
        ended.append(await asyncio.to_thread(process.wait, 60))
        return await make_anew(*arguments)

    monkeypatch.setattr(rebuilding, "_make_anew", when_it_has_ended)
    asyncio.run(rebuilding.rebuild(here, [lived.folder / "data-0"], yes=True))
    assert ended == [70]
    again(lived)
    lived.wait_for(11)
    lived.workers[0].stop()
    assert audited(lived) == []


def test_given_one_of_two_changelogs_deleted_then_that_is_said_and_a_repeat_goes_on(
    lived: Estate, here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(lived, lived.names.changelog("accounts"))
    whole = AIOKafkaAdminClient.delete_topics
    disks = [lived.folder / "data-0"]
    accounts, categories = map(lived.names.changelog, ("accounts", "categories"))

    async def half(self: AIOKafkaAdminClient, topics: list[str]) -> Any:
        """The second one is not deleted: a controller that changes between the two."""
        await whole(self, topics[:1])
        codes = [(topic, 0 if topic == topics[0] else 41) for topic in topics]
        return DeleteTopicsResponse_v1(0, codes)

    async def neither(self: AIOKafkaAdminClient, topics: list[str]) -> Any:
        return DeleteTopicsResponse_v1(0, [(topic, 41) for topic in topics])

    monkeypatch.setattr(AIOKafkaAdminClient, "delete_topics", neither)
    with pytest.raises(OperateError, match=rf"^{accounts} \(NotCont.*is not\. Nothing was changed"):
        asyncio.run(rebuilding.rebuild(here, disks, yes=True))
    monkeypatch.setattr(AIOKafkaAdminClient, "delete_topics", half)
    broken = rf"{categories} .*It broke off: {accounts} deleted; .* 0, 1, 2, 3 not\. .* goes on"
    with pytest.raises(StopWorker, match=broken):
        asyncio.run(rebuilding.rebuild(here, disks, yes=True))
    refused(lived, "missing topics", accounts)
    rebuilt(lived)
    again(lived)
    goes_on(lived)


def test_given_a_command_that_ends_while_it_fills_then_no_worker_starts_and_a_repeat_goes_on(
    lived: Estate, here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the offsets of the group have expired: it commits them before it deletes."""
    cut(lived, lived.names.changelog("accounts"))
    forget_offsets(lived)
    fill = rebuilding._fill
    filled: list[int] = []

    async def dies(config: Any, spec: Any, source: Any, *arguments: Any) -> None:
        if len(filled) == 1:
            raise TimeoutError
        await fill(config, spec, source, *arguments)
        filled.append(source.partition)

    monkeypatch.setattr(rebuilding, "_fill", dies)
    with pytest.raises(StopWorker, match=r"partition 1 was not filled.* 0 filled, 1, 2, 3 not"):
        asyncio.run(rebuilding.rebuild(here, [lived.folder / "data-0"], yes=True))
    shutil.move(lived.folder / "data-0", lived.folder / "kept")
    refused(lived, "has no state, but group", "byline cluster rebuild")
    shutil.rmtree(lived.folder / "data-0")
    shutil.move(lived.folder / "kept", lived.folder / "data-0")
    rebuilt(lived)
    again(lived)
    goes_on(lived)


def forget_offsets(estate: Estate) -> None:
    """As Kafka does a week after the last worker has left."""
    client = AdminClient({"bootstrap.servers": estate.bootstrap})
    deadline = time.monotonic() + 30
    while True:
        (done,) = client.delete_consumer_groups([estate.names.application_id]).values()
        try:
            done.result(20)
            return
        except KafkaException:
            assert time.monotonic() < deadline
            time.sleep(1)


def ids(estate: Estate) -> dict[str, str]:
    """The topic ids of the changelogs."""
    logs = [estate.names.changelog(store) for store in ("accounts", "categories")]
    view = admin(estate, lambda client: view_topics(client._client, logs))
    return {name: topic.id for name, topic in view.topics.items()}


def forge(estate: Estate, store: str, key: str, value: bytes) -> None:
    """Somebody who is no worker writes into a changelog."""
    producer = Producer({"bootstrap.servers": estate.bootstrap})
    home = "weibo:open" if key.startswith("#") else key
    place = partitioner(estate.partitions)(home.encode())
    producer.produce(estate.names.changelog(store), value, key, partition=place)
    assert producer.flush(10) == 0


@pytest.mark.parametrize(
    ("store", "key", "what"),
    [
        ("accounts", "weibo:open", "an account or of the partition"),
        ("accounts", "#next", "its position"),
        ("categories", "weibo:other", "a label"),
    ],
)
def test_given_state_that_no_worker_wrote_when_it_is_rebuilt_then_every_account_goes_on(
    lived: Estate, store: str, key: str, what: str
) -> None:
    forge(lived, store, key, b"\xc1")
    if store == "categories":
        # A label is looked up when its account comes over the floor.
        reading = {"platform": "weibo", "account_id": "other", "observed_at": utc_now()}
        lived.put("follower-counts", {**reading, "followers": 1_500_000})
        lived.flush()
    said = refused(lived, f"has a record of {what} that no worker", "`byline cluster rebuild`")
    assert "`byline topics acl`" in said
    command = ("cluster", "rebuild", "--disk", str(lived.folder / "data-0"), "--yes")
    done = byline(lived, *command)
    assert done.returncode == 0, done.stderr
    again(lived)
    goes_on(lived)


def test_given_neither_disk_nor_inputs_then_what_is_lost_is_said_and_nothing_is_changed(
    lived: Estate,
) -> None:
    cut(lived, lived.names.changelog("accounts"))
    shutil.rmtree(lived.folder / "data-0")
    readings = lived.read(["account-changes", "consent-answers"])
    answers = {one.partition: one.offset + 1 for one in readings}
    delete_records(lived, lived.names.prefix + "consent-answers", answers)
    before = len(lived.read([lived.names.changelog("accounts")]))
    done = byline(lived, "cluster", "rebuild", "--yes", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    (lost,) = [row for row in found["partitions"] if row["source"] == "lost"]
    assert "not there any more" in lost["why"]
    assert found["lost"]["partitions"] == [lost["partition"]]
    assert found["lost"]["consents"] == 1
    assert len(lived.read([lived.names.changelog("accounts")])) == before
    assert "1 with a consent in force" in byline(lived, "cluster", "rebuild").stdout


def test_given_partitions_added_when_strays_are_rerouted_then_who_granted_is_not_restricted(
    make_estate: Callable[..., Estate],
) -> None:
    policies = {"weibo": policy("weibo", window="PT20S")}
    estate = make_estate(policies, BYLINE_SESSION_TIMEOUT_SECONDS="6")
    estate.start()
    accounts = [f"a{number}" for number in range(8)]
    invite(estate, *accounts)
    events = estate.wait_for(8)
    for account in accounts:
        say(estate, events, account, "notice-receipts", outcome="delivered")
    events = estate.wait_for(16)
    keyed = [estate.names.of(topic) for topic in TOPICS if not topic.single]
    more = {name: NewPartitions(total_count=8) for name in keyed}
    admin(estate, lambda client: client.create_partitions(more))
    # A new producer sees them, and hashes over eight.
    estate.flush()
    estate._producer = None
    for account in accounts:
        say(estate, events, account, "consent-answers", answer="granted")
    estate.flush()
    time.sleep(1)
    assert estate.workers[0].stop() == 0
    refused(estate, "BYLINE_PARTITIONS=4", "byline cluster reroute")
    estate.more_settings["BYLINE_PARTITIONS"] = "4"
    estate.workers[0].environment = estate.environment
    again(estate)
    time.sleep(22)
    state = json.loads(estate.workers[0].page("/readyz")[1])
    assert "byline cluster reroute" in state["cluster_changed"]
    assert not [e for own in estate.events().values() for e in own if "expired" in e["event"]]
    looked = byline(estate, "cluster", "reroute")
    assert (looked.returncode, "--yes moves it" in looked.stdout) == (1, True)
    moved = byline(estate, "cluster", "reroute", "--yes")
    assert moved.returncode == 0, moved.stderr
    assert byline(estate, "cluster", "reroute", "--yes").stdout.startswith("nothing lies in")
    estate.wait_for(24)
    estate.workers[0].stop()
    again(estate)
    assert json.loads(estate.workers[0].page("/readyz")[1])["cluster_changed"] is None
    time.sleep(3)
    ended = {key: [e["event"] for e in own][-1] for key, own in estate.events().items()}
    assert set(ended.values()) == {"consent.granted"}
    sent = byline(
        estate,
        "send",
        "consent-answers",
        "-",
        text=json.dumps({**who("a0"), "answer": "withdrawn", "occurred_at": utc_now()}),
    )
    assert sent.returncode == 0, sent.stderr
    estate.wait_for(25)
    estate.workers[0].stop()
    assert audited(estate) == []


def test_given_an_input_made_anew_when_it_is_accepted_as_told_then_work_goes_on(
    lived: Estate,
) -> None:
    name = lived.names.prefix + "consent-answers"
    admin(lived, lambda client: client.delete_topics([name]))
    refused(lived, f"missing topics: {name}", "byline topics create")
    assert byline(lived, "topics", "create").returncode == 0
    said = refused(lived, f"{name} was deleted and made anew")
    (words,) = re.findall(rf"`byline (cluster accept {re.escape(name)}=[\w-]+)`", said)
    assert f"byline {words}" in byline(lived, "cluster", "check").stdout
    assert "--yes writes it" in byline(lived, *words.split()).stdout
    refused(lived, "byline worker --favourable-only")
    done = byline(lived, *words.split(), "--yes")
    assert done.returncode == 0, done.stderr
    assert byline(lived, *words.split(), "--yes").stdout.startswith("accepted already")
    again(lived)
    # For the auditor the answer that went with the topic was never given.
    goes_on(lived, whole=False)


def test_given_another_application_id_then_one_goes_on_and_the_other_is_retired(
    make_estate: Callable[..., Estate], tmp_path: Path
) -> None:
    estate = make_estate({"weibo": policy("weibo")}, BYLINE_SESSION_TIMEOUT_SECONDS="6")
    estate.start()
    below = {**who("small"), "followers": 10, "observed_at": utc_now()}
    estate.put("follower-counts", below)
    estate.drain()
    estate.workers[0].stop()
    old = estate.names.application_id
    estate.more_settings["BYLINE_APPLICATION_ID"] = f"{old}-b"
    estate.workers[0].environment = estate.environment
    assert byline(estate, "topics", "create").returncode == 0
    refused(estate, f"application id {old} has worked on", f"BYLINE_APPLICATION_ID={old}")
    # The advice, both ways: the old one still works …
    estate.more_settings["BYLINE_APPLICATION_ID"] = old
    estate.workers[0].environment = estate.environment
    again(estate)
    refusing = dict(estate.environment) | {"BYLINE_APPLICATION_ID": f"{old}-b"}
    estate.more_settings["BYLINE_APPLICATION_ID"] = f"{old}-b"
    running = byline(estate, "cluster", "retire", old, "--yes")
    assert (running.returncode, "Stop them first" in running.stderr) == (2, True)
    estate.workers[0].stop()
    # … and the new one does when the old one is ended for good.
    assert "would be deleted" in byline(estate, "cluster", "retire", old).stdout
    refused_by = estate.workers[0]
    refused_by.environment = refusing
    refused(estate, f"application id {old} has worked on")
    assert byline(estate, "cluster", "retire", old, "--yes").returncode == 0
    again(estate)
    invite(estate, "open")
    estate.wait_for(1)
    assert refused_by.stop() == 0

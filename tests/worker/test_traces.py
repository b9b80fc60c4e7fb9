"""Spans of transactions: sent to a receiver of OTLP, and outside of everything that is hashed."""

import json
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer

from schemas.events import TRACEPARENT
from schemas.topics import DEAD_LETTERS, DECISIONS
from streams.settings import Settings, SettingsError, load
from streams.traces import TracesUnavailableError, open_traces
from tests.worker.commands import audited, byline
from tests.worker.crowd import Crowd
from tests.worker.harness import EVENT_TOPICS, Estate, Out, utc_now
from tests.worker.otlp import Receiver, named
from tests.worker.policies import policy

HOSTILE = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
NAME = "赵钱孙"
SECRET = b"a key that a message quotes"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening


def test_a_span_says_what_a_transaction_read_and_wrote(receiver: Receiver) -> None:
    traces = open_traces(receiver.endpoint, 1.0, "byline", "w-1", "0")
    span = traces.transaction(3, {"byline.controls": (5, 9)}, 2)
    span.wrote("byline.invitations", 3, 17, 2)
    span.committed()
    traces.close(5)
    (found,) = receiver.spans
    ((header, parent),) = span.headers
    assert (header, named(parent)) == (TRACEPARENT, found.ids)
    assert (found.name, found.status, found.parent_id) == ("transaction", 0, "")
    assert found.attributes["messaging.destination.partition.id"] == "3"
    assert found.attributes["byline.input.topics"] == ["byline.controls"]
    assert found.attributes["byline.input.first_offsets"] == [5]
    assert found.attributes["byline.input.next_offsets"] == [9]
    assert found.wrote() == {("byline.invitations", 3, 17), ("byline.invitations", 3, 18)}
    assert found.resource["service.name"] == "byline"
    assert found.resource["service.instance.id"] == "w-1"


def test_a_transaction_that_fails_is_an_error_and_its_message_is_not_told(
    receiver: Receiver,
) -> None:
    traces = open_traces(receiver.endpoint, 1.0, "byline", "w-1", "0")
    traces.transaction(0, {}, 0).failed(ValueError(f"under key {SECRET!r}"))
    traces.close(5)
    (found,) = receiver.spans
    assert found.status == 2
    assert found.attributes["error.type"] == "ValueError"
    assert SECRET not in found.raw


def test_what_is_not_sampled_is_not_sent_and_says_so(receiver: Receiver) -> None:
    traces = open_traces(receiver.endpoint, 0.0, "byline", "w-1", "0")
    span = traces.transaction(0, {}, 0)
    span.committed()
    traces.close(5)
    assert receiver.spans == []
    assert int(span.headers[0][1].rpartition(b"-")[2], 16) & 1 == 0


def test_attributes_are_bounded(receiver: Receiver) -> None:
    traces = open_traces(receiver.endpoint, 1.0, "byline", "w-1", "0")
    span = traces.transaction(0, {}, 0)
    for number in range(1_000):
        span.wrote("byline.invitations", number, 0, 1)
    span.committed()
    traces.close(5)
    assert len(receiver.spans[0].wrote()) == 16
    assert receiver.spans[0].attributes["messaging.batch.message_count"] == 1_000


def test_a_collector_that_does_not_answer_holds_a_stop_up_for_a_second_at_most() -> None:
    with Receiver(hangs=True) as hanging:
        traces = open_traces(hanging.endpoint, 1.0, "byline", "w-1", "0")
        traces.transaction(0, {}, 0).committed()
        began = time.monotonic()
        traces.close(1.0)
        assert time.monotonic() - began < 3


def test_without_the_extra_the_setting_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TracesUnavailableError, match=r"pip install '\.\[otel\]'"):
        open_traces("http://localhost:4318/v1/traces", 1.0, "byline", "w-1", "0")


@pytest.mark.parametrize(
    "endpoint", ["localhost:4318", "ftp://a/b", "http://user:secret@host/v1", "http://a b/"]
)
def test_an_endpoint_of_another_form_is_refused(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BYLINE_TRACES_ENDPOINT", endpoint)
    with pytest.raises(SettingsError, match=r"BYLINE_TRACES_ENDPOINT: .* URL without a user"):
        load()


def test_they_are_off_by_default() -> None:
    assert Settings().traces_endpoint is None


# ---- on a real Kafka -----------------------------------------------------------------------------


def _hostile(estate: Estate, topic: str, key: str, value: object) -> None:
    """An input with a traceparent, a tracestate and a name in its headers."""
    headers = [
        (TRACEPARENT, HOSTILE.encode()),
        ("tracestate", f"owner={NAME}".encode()),
        ("baggage", f"name={NAME}".encode()),
    ]
    producer = Producer({"bootstrap.servers": estate.bootstrap, "partitioner": "murmur2_random"})
    raw = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    producer.produce(estate.names.prefix + topic, key=key, value=raw, headers=headers)
    assert producer.flush(20) == 0


def _crosses(estate: Estate, account: str) -> None:
    who, now = {"platform": "weibo", "account_id": account}, utc_now()
    _hostile(
        estate,
        "category-changes",
        f"weibo:{account}",
        {**who, "category": "财经", "observed_at": now},
    )
    _hostile(
        estate,
        "follower-counts",
        f"weibo:{account}",
        {**who, "followers": 2_000_000, "observed_at": now},
    )


def _outputs(estate: Estate) -> list[Out]:
    return estate.read([*EVENT_TOPICS, DEAD_LETTERS.name])


def _replayed(estate: Estate) -> dict[str, object]:
    done = byline(estate, "replay", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.kafka
@pytest.mark.slow
def test_outputs_carry_their_transaction_and_nothing_that_is_hashed_or_replayed_changes(
    make_estate: Callable[..., Estate], receiver: Receiver
) -> None:
    on = {"BYLINE_TRACES_ENDPOINT": receiver.endpoint}
    estate = make_estate({"weibo": policy("weibo")}, partitions=2, **on).start(1)
    for number in range(4):
        _crosses(estate, f"a{number}")
    _hostile(estate, "controls", "weibo:a0", b"{]")
    estate.wait_for(4)
    estate.drain()
    traced = _outputs(estate)
    assert len(traced) >= 5
    wanted = {named(it.headers[TRACEPARENT]) for it in traced}
    spans = receiver.until(lambda spans: wanted <= {it.ids for it in spans})
    by_ids = {it.ids: it for it in spans}
    for it in traced:
        span = by_ids[named(it.headers[TRACEPARENT])]
        assert (estate.names.prefix + it.topic, it.partition, it.offset) in span.wrote()
        assert (span.status, span.parent_id) == (0, "")
    assert {span.resource["service.name"] for span in spans} == {estate.names.application_id}
    trace = HOSTILE.split("-")[1]
    written = b"".join(span.raw for span in spans) + repr(traced).encode()
    assert trace.encode() not in written
    assert bytes.fromhex(trace) not in written
    assert NAME.encode() not in written
    assert all(TRACEPARENT not in it.headers for it in estate.read([DECISIONS.name]))

    # The same life goes on in a worker without traces; replay and audit see no difference.
    before = _replayed(estate)
    (worker,) = estate.workers
    worker.stop()
    worker.environment = {
        name: value for name, value in worker.environment.items() if "TRACES" not in name
    }
    worker.start()
    estate.wait_ready()
    sent = len(receiver.spans)
    _crosses(estate, "a9")
    estate.wait_for(5)
    estate.drain()
    late = [it for it in _outputs(estate) if it not in traced]
    assert late
    assert all(TRACEPARENT not in it.headers for it in late)
    assert len(receiver.spans) == sent
    after = _replayed(estate)
    print({"with traces": before, "and without": after})
    assert audited(estate) == []


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize("point", ["after-begin", "after-futures-before-offsets"])
def test_a_transaction_that_is_not_committed_is_a_span_with_an_error(
    make_estate: Callable[..., Estate], receiver: Receiver, point: str
) -> None:
    more = {
        "BYLINE_TRACES_ENDPOINT": receiver.endpoint,
        "BYLINE_FAILPOINT": f"{point}:raise:2",
    }
    estate = make_estate({"weibo": policy("weibo")}, partitions=1, **more)
    worker, crowd = estate.start(1).workers[0], Crowd(estate)
    until = time.monotonic() + 60
    while worker.process is not None and worker.process.poll() is None:
        # One transaction may take all that is there: the second one needs more.
        assert time.monotonic() < until, "the failpoint was never reached"
        crowd.crosses()
        estate.flush()
        time.sleep(1)
    assert worker.ended(1) == 70
    failed = [
        it for it in receiver.until(lambda spans: any(it.status for it in spans)) if it.status
    ]
    assert [it.attributes["error.type"] for it in failed] == ["FailpointError"]

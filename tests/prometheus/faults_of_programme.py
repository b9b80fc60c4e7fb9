"""Faults of the programme under a real Prometheus: owners are not reached, heard or let go."""

import time

from tests.prometheus.faults import WatchedEstate, events_of, eventually
from tests.worker.crowd import Crowd
from tests.worker.harness import Estate, Out, utc_now

MANY = 25
"""Of notices: more than the 20 from which the rules look."""


def _invited(estate: Estate, crowd: Crowd, count: int) -> list[Out]:
    """So many more owners cross the line; their invitations."""
    found: list[Out] = []
    with estate.follow("invitations") as next_record:
        for _ in range(count):
            crowd.crosses()
        while len(found) < count:
            record = next_record(30.0)
            assert record is not None, f"{len(found)} of {count} were invited"
            if record.json["platform"] == crowd.platform:
                found.append(record)
    return found


def notices_reach_nobody(stage: WatchedEstate) -> None:
    """The notifier is silent; then it says that every notice bounced; then all is quiet."""
    crowd = Crowd(stage.estate, "xiaohongshu")
    invitations, began = _invited(stage.estate, crowd, MANY), time.monotonic()
    stage.watch.fires("BylineNoticesNotDelivered", 20, since=began)
    stage.watch.fires("BylineNoticesUnconfirmed", 20, since=began)
    for record in [*invitations, *_invited(stage.estate, crowd, MANY)]:
        crowd.hears(record, outcome="failed")
    began = time.monotonic()
    stage.watch.fires("BylineUndeliverable", 20, stage.estate.flush, began)
    stage.watch.fires("BylineGuardTripped", 20, since=began)
    for alert in ("NoticesNotDelivered", "NoticesUnconfirmed", "GuardTripped", "Undeliverable"):
        stage.watch.ends(f"Byline{alert}", 40)


def nobody_answers(stage: WatchedEstate) -> None:
    """A hundred owners were told, and none answers; then one does."""
    crowd = Crowd(stage.estate, "baidu")
    for record in _invited(stage.estate, crowd, 105):
        crowd.hears(record)
    stage.watch.fires("BylineAnswersSilent", 30, stage.estate.flush)
    crowd.answers("a0", "declined")
    stage.watch.ends("BylineAnswersSilent", 20, stage.estate.flush)


def a_lift_goes_out(stage: WatchedEstate) -> None:
    """An owner is lifted, and no system says that it did."""
    word = {"control_id": "c1", "command": "lift", "actor": "op", "reason": "test"}
    Crowd(stage.estate).say("controls", "a0", issued_at=utc_now(), **word)
    stage.estate.flush()
    eventually(lambda: len(events_of(stage.estate, "weibo:a0", "throttle.lifted")) == 2, "lifted")


def words_count_for_nothing(stage: WatchedEstate) -> None:
    """An old label, the answer of one whom nobody knows, a word of the year 2001; a trial."""
    weibo, bilibili = Crowd(stage.estate), Crowd(stage.estate, "bilibili")
    weibo.say("category-changes", "a0", category="财经", observed_at="2020-01-01T00:00:00Z")
    weibo.answers("nobody", "granted")
    bilibili.say("consent-answers", "a0", answer="granted", occurred_at="2001-01-01T00:00:00Z")
    trial = Crowd(stage.estate, "douyin")
    trial.count = 1
    trial.crosses()
    stage.estate.drain()


def a_lift_is_obeyed_at_last(stage: WatchedEstate) -> None:
    """The system acknowledges what it let lie."""
    stage.watch.fires("BylineUnacknowledged", 60)
    stage.watch.fires("BylineSystemSilent", 60)
    for event in events_of(stage.estate, "weibo:a0", "throttle.lifted"):
        ack = {"event_id": event["event_id"], "outcome": "lifted", "system": "feed"}
        Crowd(stage.estate).say("throttle-acks", "a0", occurred_at=utc_now(), **ack)
    stage.watch.ends("BylineUnacknowledged", 60, stage.estate.flush)
    stage.watch.ends("BylineSystemSilent", 60)

"""The cluster has changed: adverse events wait and clocks stand still until the next start."""

from streams.core.limits.cluster import MOST_STOPS, ClusterChange
from streams.core.model.instants import rfc3339
from tests.core.given import DAY, HOUR, MINUTE, PLATFORM, START, Day, policy
from tests.core.invariants.replay import recompute
from tests.core.invariants.world import WorldRun
from tests.core.states import ISSUED, WINDOW, begun, delivered, expired, lifted


def changed(day: Day) -> Day:
    """The engine sees it now."""
    day.partition.cluster_changed(day.now)
    return day


def restarted(day: Day) -> Day:
    """The next start, after somebody has looked."""
    day.open(policy())
    return day.run_timers()


def test_from_then_on_nothing_adverse_is_decided() -> None:
    day = changed(begun())
    assert day.wait(HOUR).said() == []
    assert day.account().deferred == "invitation.issued:cluster_changed"
    day = changed(expired())
    assert day.wait(5 * DAY).said() == [], "no renewal"


def test_favourable_events_flow() -> None:
    day = changed(expired())
    assert day.answer("granted").said() == ["granted in_time", *lifted("granted")]
    day = changed(expired())
    assert day.wait(20 * DAY).said() == lifted("ended")


def test_after_the_next_start_what_waited_is_decided_anew() -> None:
    day = changed(begun()).wait(2 * HOUR)
    assert restarted(day).said() == [ISSUED]


def test_the_clock_of_the_answer_stops_until_the_next_start() -> None:
    day = changed(delivered().wait(DAY)).wait(10 * DAY)
    assert day.said() == []
    assert restarted(day).said() == ["extended pause"]
    assert day.events[-1]["deadline_at"] == rfc3339(START + HOUR + MINUTE + WINDOW + 10 * DAY)
    assert restarted(day).said() == [], "and runs on"
    assert day.wait(2 * DAY).said()[:2] == ["reminded reminder", "expired no_answer"]


def test_the_transaction_that_notes_it_says_so() -> None:
    day = changed(delivered()).wait(WINDOW)
    day.control("extend", until=rfc3339(START + 30 * DAY))
    logged = day.decisions[-1]
    assert logged["kind"] == "transaction"
    assert logged["cluster_changed"] == rfc3339(START + HOUR + MINUTE)
    day.open(policy())
    day.reads(1600)
    assert "cluster_changed" not in day.decisions[-1]


def test_seen_again_it_is_the_same_change() -> None:
    day = changed(delivered())
    since = day.partition._cluster.since
    changed(day.wait(HOUR))
    assert day.partition._cluster.since == since


def test_what_is_kept_of_past_changes_is_bounded() -> None:
    cluster = ClusterChange()
    for number in range(MOST_STOPS + 50):
        cluster.change(number * 10)
        cluster.restart(number * 10 + 1)
    assert len(cluster.past) == MOST_STOPS
    assert (cluster.past[0][0], cluster.past[-1][1]) == (0, 10 * (MOST_STOPS + 49) + 1)


def test_replay_follows_a_change_and_rounds_before_the_topics_were_looked_at() -> None:
    given = policy()
    run = WorldRun(given, sealed_after=2)
    for name in ("a", "b", "c"):
        who = {"platform": PLATFORM, "account_id": name}
        for topic, more in (
            ("category-changes", {"category": "财经"}),
            ("follower-counts", {"followers": 1500}),
        ):
            run.put(topic, f"{PLATFORM}:{name}", {**who, **more, "observed_at": run.now})
        run.wait(MINUTE)
    run.now += HOUR
    run.partition.run_timers(run.memory, run.now, run.now - MINUTE, 1000, favourable_only=True)
    run.partition.run_timers(run.memory, run.now, run.now, 1)
    run._record("fire", run.now, "", "", None)
    run.now += MINUTE
    run.partition.cluster_changed(run.now)
    run.run_timers()
    run.now += HOUR
    run.open()
    run.run_timers()
    run.before_commit()
    issued = [value for topic, _, value, _ in run.memory.raw if topic == "invitations"]
    assert len(issued) == 3
    log = [value for topic, _, value, _ in run.memory.raw if topic == "decisions" and value]
    assert recompute(run.records, log, {given.digest: given}) == run.memory.raw

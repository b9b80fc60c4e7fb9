"""The demo's own checks, each shown failing on a hand-made day; its script, seed and policies."""

import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from schemas.inputs import INPUT_MODELS
from schemas.topics import TopicNames
from schemas.words import Event, Mode, Refused
from streams.local.demo import closing
from streams.local.demo.actors import Actors
from streams.local.demo.chance import Chance
from streams.local.demo.checks import CHECKS, run_checks
from streams.local.demo.display import Display
from streams.local.demo.evidence import Evidence
from streams.local.demo.expect import as_told
from streams.local.demo.garbage import PLANTED, garbage
from streams.local.demo.policies import Compressed, compress
from streams.local.demo.reading import Raw
from streams.local.demo.reading import seen as seen_of
from streams.local.demo.scenario import Day, plan
from streams.local.demo.script import Story
from streams.local.demo.stories import NAMED, PLATFORMS
from streams.local.demo.tally import Seen, Tally
from streams.policies import load_policies

SHIPPED = Path(__file__).parents[2] / "deploy" / "policies"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMES = TopicNames("byline.", "byline")
DIGEST = "0" * 64


def at(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def statement(deadline: float) -> dict[str, Any]:
    return {
        "ground": {
            "policy_version": 1,
            "policy_digest": DIGEST,
            "phase": "million",
            "line": 1_000_000,
            "notice_id": "n",
            "notice_version": "1",
            "impact_assessment": "demo",
        },
        "facts": {
            "followers_band": "1000000-4999999",
            "field": "finance",
            "field_source": "verified",
        },
        "delivered_at": at(1),
        "deadline_at": at(deadline),
        "answer": "none",
        "restriction": {
            "surface": "tips",
            "level": "limited",
            "effective_at": at(deadline),
            "review_at": at(8),
            "expires_at": at(11),
        },
        "automation": {
            "automated_detection": "Yes",
            "automated_decision": "AUTOMATED_DECISION_FULLY",
        },
        "redress": ["grant-consent"],
        "dsa": {
            "decision_visibility": [],
            "decision_monetary": "DECISION_MONETARY_OTHER",
            "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
            "account_type": None,
            "source_type": "SOURCE_VOLUNTARY",
            "puid": "t",
        },
    }


ISSUED = {
    "phase": "million",
    "line": 1_000_000,
    "field": "finance",
    "notice_id": "n",
    "notice_version": "1",
    "answer_window_seconds": 4,
    "answer_by": None,
    "surfaces_at_stake": ["tips"],
}
THROTTLE = {"throttle_id": "t", "surface": "tips"}
APPLIED = {
    **THROTTLE,
    "level": "limited",
    "effective_at": at(5),
    "review_at": at(8),
    "expires_at": at(11),
    "statement": statement(5),
}
MORE: dict[str, dict[str, Any]] = {
    "issued": ISSUED,
    "delivered": {"delivered_at": at(1), "deadline_at": at(5)},
    "undeliverable": {},
    "reminded": {"deadline_at": at(5)},
    "extended": {"deadline_at": at(7)},
    "expired": {"deadline_at": at(5)},
    "cancelled": {},
    "granted": {"notice_version": "1", "answered_at": at(2)},
    "declined": {"answered_at": at(2)},
    "withdrawn": {"answered_at": at(2)},
    "voided": {},
    "applied": APPLIED,
    "renewed": {**THROTTLE, "review_at": at(9)},
    "lifted": {**THROTTLE, "lifted_at": at(11)},
}
DEAD_LETTER = {
    "topic": "byline.controls",
    "partition": 0,
    "offset": 3,
    "timestamp": at(0),
    "reason": "not_json",
    "field": None,
    "value_digest": DIGEST,
    "value_bytes": 9,
    "refused_at": at(0),
}
EVENTS = {event.value.split(".")[1]: event for event in Event}
LIVES = {
    "1": "issued:over_line delivered:receipt reminded:reminder expired:no_answer "
    "applied:no_answer renewed:review lifted:ended",
    "2": "issued:over_line undeliverable:blocked issued:reissued delivered:receipt "
    "extended:pause declined:answer granted:answer withdrawn:answer",
    "3": "issued:over_line delivered:receipt granted:answer voided:closed",
    "4": "issued:over_line delivered:receipt cancelled:left",
}
SHADOW_LIFE = "issued:over_line delivered:projected cancelled:exempted"


def event(account: str, number: int, token: str, mode: str = "enforce") -> Seen:
    word, reason = token.split(":")
    kind = EVENTS[word]
    value = {
        "event_id": f"{account}-{mode}-{number}",
        "event": kind.value,
        "sequence": number,
        "platform": "weibo",
        "account_id": account,
        "cycle": 1,
        "invitation_id": f"i-{account}",
        "mode": mode,
        "policy_version": 1,
        "policy_digest": DIGEST,
        "decided_at": at(6),
        "reason": reason,
        **MORE[word],
    }
    family = {"invitation": "invitations", "consent": "consents", "throttle": "throttles"}
    shadow = "shadow." if mode == "shadow" else ""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": value["event_id"],
        "ce_source": "/byline/weibo",
        "ce_type": f"byline.{kind.value}.v1",
        "ce_time": value["decided_at"],
        "ce_subject": account,
        "content-type": "application/json",
    }
    topic = f"byline.{shadow}{family[kind.value.split('.')[0]]}"
    return Seen(topic, 0, number, f"weibo:{account}", value, headers)


def raw(topic: str, offset: int, value: Any, key: str = "weibo:1") -> Raw:
    return Raw(topic, 0, offset, key.encode(), json.dumps(value).encode(), ())


def chain(count: int) -> list[Raw]:
    records, previous = [], "0" * 64
    for number in range(1, count + 1):
        value = {
            "number": number,
            "partition": 0,
            "previous": previous,
            "kind": "policies",
            "now": at(0),
            "policies": {},
        }
        text = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        previous = hashlib.sha256(text).hexdigest()
        records.append(raw("byline.decisions", number, {**value, "hash": previous}))
    return records


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policies")


@pytest.fixture(scope="module")
def policies(folder: Path) -> dict[str, Compressed]:
    return compress(SHIPPED, folder, NOON.timestamp())


@pytest.fixture(scope="module")
def day(policies: dict[str, Compressed]) -> Day:
    return plan(policies, Chance(1))


@pytest.fixture
def good() -> Evidence:
    """A small day on which everything holds."""
    lives = [(account, "enforce", tokens.split()) for account, tokens in LIVES.items()]
    lives.append(("5", "shadow", SHADOW_LIFE.split()))
    events = [
        event(account, number, token, mode)
        for account, mode, tokens in lives
        for number, token in enumerate(tokens, start=1)
    ]
    stories = {
        f"weibo:{account}": Story(
            f"story-{account}",
            "weibo",
            "",
            (),
            live=tuple(tokens) if mode == "enforce" else (),
            shadow=tuple(tokens) if mode == "shadow" else (),
            account_id=account,
        )
        for account, mode, tokens in lives
    }
    stories["weibo:6"] = Story("exempt", "weibo", "", (), account_id="6")
    return Evidence(
        names=NAMES,
        stories=stories,
        events=events,
        dead_letters=[raw("byline.dead-letters", 0, DEAD_LETTER)],
        refusals={"not_json": 1},
        decisions=chain(4),
        texts=[("the log worker-1.log", b"ready"), ("/metrics", b"byline_x 1")],
        covered={"weibo": frozenset({"财经"})},
        labels={f"weibo:{account}": frozenset({"财经"}) for account in "12345"},
    )


def failing(evidence: Evidence) -> set[str]:
    return {check.statement for check in run_checks(evidence) if not check.passed}


def changed(evidence: Evidence, number: int, **values: Any) -> Evidence:
    """The evidence with other values in one event."""
    events = list(evidence.events)
    events[number] = replace(events[number], value={**events[number].value, **values})
    return replace(evidence, events=events)


def test_a_good_day_passes_every_check(good: Evidence) -> None:
    faults = [fault for check in run_checks(good) for fault in check.faults]
    assert faults == []
    assert failing(good) == set()


def test_an_empty_day_passes_no_check(good: Evidence) -> None:
    empty = replace(good, events=[], dead_letters=[], decisions=[], texts=[], stories={})
    assert len(failing(empty)) == len(CHECKS)


def early(evidence: Evidence) -> Evidence:
    """The fifth event of the first account is its restriction."""
    return changed(evidence, 4, effective_at=at(4.9))


def short(evidence: Evidence) -> Evidence:
    shorter = changed(evidence, 1, deadline_at=at(4))
    return changed(changed(shorter, 2, deadline_at=at(4)), 3, deadline_at=at(4))


def unheard(evidence: Evidence) -> Evidence:
    return replace(evidence, events=[*evidence.events[:1], *evidence.events[2:]])


def hurried(evidence: Evidence) -> Evidence:
    return changed(evidence, 2, deadline_at=at(5.5))


def before_the_date(evidence: Evidence) -> Evidence:
    return changed(evidence, 0, answer_by=at(30))


def without(evidence: Evidence, kind: Event) -> Evidence:
    return replace(evidence, events=[it for it in evidence.events if it.event != kind])


def twice(evidence: Evidence) -> Evidence:
    return replace(evidence, events=[*evidence.events, evidence.events[0]])


def gap(evidence: Evidence) -> Evidence:
    return changed(evidence, 6, sequence=8)


def exempt_touched(evidence: Evidence) -> Evidence:
    labels = {**evidence.labels, "weibo:6": frozenset({"财经"})}
    return replace(
        evidence, events=[*evidence.events, event("6", 1, "issued:over_line")], labels=labels
    )


def unlabelled_touched(evidence: Evidence) -> Evidence:
    return replace(evidence, labels={**evidence.labels, "weibo:1": frozenset({"玄学"})})


def shadow_on_live(evidence: Evidence) -> Evidence:
    return changed(evidence, 0, mode="shadow")


def wrong_reason(evidence: Evidence) -> Evidence:
    return changed(evidence, 0, reason="because")


def wrong_header(evidence: Evidence) -> Evidence:
    events = list(evidence.events)
    events[0] = replace(events[0], headers={**events[0].headers, "ce_type": "byline.x.v1"})
    return replace(evidence, events=events)


def garbage_kept(evidence: Evidence) -> Evidence:
    return replace(evidence, refusals={"not_json": 1, "too_large": 1})


def garbage_doubled(evidence: Evidence) -> Evidence:
    return replace(evidence, dead_letters=[*evidence.dead_letters] * 2)


def name_in_log(evidence: Evidence) -> Evidence:
    return replace(evidence, texts=[("the log", f"refused {PLANTED[0]}".encode())])


def name_escaped(evidence: Evidence) -> Evidence:
    return replace(evidence, texts=[("a record", json.dumps({"a": PLANTED[0]}).encode())])


def payload_copied(evidence: Evidence) -> Evidence:
    letter = {**DEAD_LETTER, "value": "the payload"}
    return replace(evidence, dead_letters=[raw("byline.dead-letters", 0, letter)])


def unknown_kind(evidence: Evidence) -> Evidence:
    return replace(evidence, decisions=[raw("byline.decisions", 1, {"kind": "rumour"})])


def chain_cut(evidence: Evidence) -> Evidence:
    return replace(evidence, decisions=[*evidence.decisions[:1], *evidence.decisions[2:]])


def chain_forged(evidence: Evidence) -> Evidence:
    value = {**evidence.decisions[3].json(), "kind": "transaction"}
    return replace(evidence, decisions=[*evidence.decisions[:3], raw("byline.decisions", 4, value)])


FAILURES: list[tuple[Callable[[Evidence], Evidence], str]] = [
    (early, "no restriction before its deadline"),
    (short, "no restriction before its deadline"),
    (unheard, "no restriction before its deadline"),
    (before_the_date, "no restriction before its deadline"),
    (hurried, "no restriction before its deadline"),
    (twice, "no event id twice"),
    (gap, "sequence rises by one per account and mode"),
    (exempt_touched, "exempt and unlabelled accounts untouched"),
    (unlabelled_touched, "exempt and unlabelled accounts untouched"),
    (lambda e: without(e, Event.CONSENT_VOIDED), "every event type seen"),
    (lambda e: without(e, Event.CONSENT_VOIDED), "every storyline ended as told"),
    (shadow_on_live, "shadow events only on shadow topics"),
    (wrong_reason, "values, keys and headers as the contract says"),
    (wrong_header, "values, keys and headers as the contract says"),
    (garbage_kept, "all garbage refused, each with its reason"),
    (garbage_doubled, "all garbage refused, each with its reason"),
    (name_in_log, "planted names found nowhere"),
    (name_escaped, "planted names found nowhere"),
    (payload_copied, "decisions and dead letters as the contract says"),
    (unknown_kind, "decisions and dead letters as the contract says"),
    (chain_cut, "the decisions' hash chain holds"),
    (chain_forged, "the decisions' hash chain holds"),
]


@pytest.mark.parametrize(("spoil", "statement"), FAILURES)
def test_a_spoilt_day_fails_its_check(
    good: Evidence, spoil: Callable[[Evidence], Evidence], statement: str
) -> None:
    assert statement in failing(spoil(good))


def test_every_check_is_shown_failing() -> None:
    assert {statement for _, statement in FAILURES} == {check[1] for check in CHECKS}


def test_the_order_in_which_partitions_are_read_does_not_matter(good: Evidence) -> None:
    events = list(good.events)
    random.Random(3).shuffle(events)
    assert failing(replace(good, events=events)) == set()


@pytest.mark.parametrize(
    ("expected", "tokens", "told"),
    [
        ((), [], True),
        ((), ["issued:over_line"], False),
        (("a:b", "c:d?", "e:f"), ["a:b", "e:f"], True),
        (("a:b", "c:d?", "e:f"), ["a:b", "c:d", "e:f"], True),
        (("a:b", "e:f"), ["a:b", "c:d", "e:f"], False),
        (("a:b", "e:f"), ["a:b", "a:b", "e:f", "e:f"], True),
        (("a:b", "e:f"), ["a:b"], False),
    ],
)
def test_a_story_is_told_in_order(expected: tuple[str, ...], tokens: list[str], told: bool) -> None:
    assert as_told(expected, tokens) is told


def test_every_event_type_has_a_named_storyline() -> None:
    told = {token.split(":")[0] for story in NAMED for token in story.live}
    assert told == set(EVENTS)


def test_only_what_a_late_worker_leaves_out_or_a_pause_adds_may_be_missing() -> None:
    optional = {token for story in NAMED for token in story.live if token.endswith("?")}
    assert optional == {"reminded:reminder?", "renewed:review?", "extended:pause?"}


def test_seven_platforms_play() -> None:
    assert sorted(PLATFORMS) == sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def test_the_compressed_policies_load_and_keep_labels_fields_and_surfaces(
    policies: dict[str, Compressed], folder: Path
) -> None:
    shipped = load_policies(SHIPPED, require_approvals=False)
    for platform, policy in load_policies(folder, require_approvals=True).items():
        assert policy.labels == shipped[platform].labels
        assert policy.exempt_labels == shipped[platform].exempt_labels
        assert policy.covered == shipped[platform].covered
        assert policy.consequence.surfaces is not None
        announced = shipped[platform].consequence.surfaces
        if announced is not None:
            assert set(policy.consequence.surfaces) == set(announced)
        assert policy.mode == (Mode.SHADOW if platform == "kuaishou" else Mode.ENFORCE)


def test_a_seed_is_a_day(policies: dict[str, Compressed], day: Day) -> None:
    assert plan(policies, Chance(1)) == day
    assert plan(policies, Chance(2)).stories.keys() != day.stories.keys()


def test_noise_stays_below_every_line(day: Day) -> None:
    assert max(noise.followers for noise in day.noise) < 500_000
    assert not {f"{it.platform}:{it.account_id}" for it in day.noise} & day.stories.keys()


def test_garbage_has_every_reason_that_a_demo_can_have() -> None:
    reasons = {item.reason for item in garbage(Chance(1), at(0), at(3600))}
    assert reasons == {*Refused, None} - {Refused.NOT_APPROVED}


def test_a_name_is_planted_in_accepted_and_in_refused_records() -> None:
    for accepted in (True, False):
        items = [it for it in garbage(Chance(1), at(0), at(1)) if (it.reason is None) == accepted]
        assert any(name.encode() in it.value for it in items for name in PLANTED)


def test_what_the_actors_send_is_what_the_contract_takes(
    policies: dict[str, Compressed], day: Day
) -> None:
    actors = Actors(
        None, NAMES, policies, day, (), Chance(1), Tally(), NOON.timestamp, NOON.timestamp(), 4
    )
    for key, story in day.stories.items():
        platform, _, account = key.partition(":")
        actors.saw(seen_of(raw("byline.invitations", 0, _told(platform, account), key)))
        for index, step in enumerate(story.steps):
            value = actors.compose(index, story, step.send, NOON.timestamp())
            if value is not None:
                INPUT_MODELS[step.send.topic].model_validate(value)


def _told(platform: str, account: str) -> dict[str, Any]:
    return {
        "event": "invitation.issued",
        "platform": platform,
        "account_id": account,
        "invitation_id": "i-1",
        "deadline_at": at(4),
    }


def test_the_pictures_can_be_drawn(good: Evidence) -> None:
    tally = Tally()
    for number, item in enumerate(good.events):
        tally.saw(number / 10, item, good.stories.get(item.key))
    for width in (80, 140):
        console = Console(width=width, height=40, record=True, file=io.StringIO())
        display = Display(console, tally, good.stories, {"weibo": "enforce"}, [], 28.0, 1)
        console.print(display.picture(3.0))
        closing.show(console, good, run_checks(good), ("weibo",), 40.0)
        text = console.export_text()
        assert "throttle.lifted" in text
        assert "✗" not in text


def test_the_summary_is_for_programs(good: Evidence) -> None:
    summary = closing.summary(good, run_checks(good), ("weibo",), {"seed": 1})
    assert json.loads(json.dumps(summary))["events"]["weibo"]["consent.voided"]["live"] == 1
    assert summary["passed"] is True


def left_behind(folder: Path) -> list[str]:
    """The demo's folders there, and processes that speak of it in command or settings."""
    found = [str(path) for path in folder.glob("byline-demo-*")]
    for process in psutil.process_iter(["cmdline", "environ"]):
        settings = process.info["environ"] or {}
        words = [*(process.info["cmdline"] or ()), settings.get("BYLINE_DATA_DIR", "")]
        found += [f"process {process.pid}" for word in words if str(folder) in word]
    return found


def command(*options: str) -> list[str]:
    return [sys.executable, "-u", "-m", "streams", "demo", *options]


@pytest.mark.slow
def test_the_demo_plays_on_a_real_kafka_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        command("--json"),
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["passed"] is True
    assert set(summary["events"]) == set(PLATFORMS)
    for event in Event:
        assert sum(counts[event.value]["live"] for counts in summary["events"].values()) > 0
    assert left_behind(tmp_path) == []


def hear_interrupts() -> None:
    """A shell's background jobs ignore SIGINT, and so would what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_tidies_up_when_it_is_stopped(tmp_path: Path, how: signal.Signals) -> None:
    with subprocess.Popen(
        command(),
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hear_interrupts,
    ) as demo:
        assert demo.stdout is not None
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if "topics" in line:
                break
        time.sleep(2)
        assert len(left_behind(tmp_path)) > 1, lines
        demo.send_signal(how)
        assert demo.wait(60) == 130
    assert left_behind(tmp_path) == []

"""The demo's script: its storylines, its seeded day, its garbage and its compressed policies."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.enums import Mode, Refused
from schemas.inputs import INPUT_MODELS
from streams.local.demo.actors import Actors
from streams.local.demo.chance import Chance
from streams.local.demo.day import PLANTED, PlannedDay, garbage, plan
from streams.local.demo.policies import ShortPolicy, compress
from streams.local.demo.script import EVENTS, Storyline, script
from streams.local.demo.tally import DemoTally, SeenEvent, as_told
from streams.policies import load_policies

NOON = 1_795_348_800.0
NOW, AHEAD = "2026-11-22T12:00:00.000Z", "2026-11-22T13:00:00.000Z"
SHIPPED = Path(__file__).parents[2] / "deploy" / "policies"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policies")


@pytest.fixture(scope="module")
def policies(folder: Path) -> dict[str, ShortPolicy]:
    return compress(SHIPPED, folder, NOON)


@pytest.fixture(scope="module")
def day(policies: dict[str, ShortPolicy]) -> PlannedDay:
    return plan(policies, Chance(1))


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


def test_every_event_type_has_a_named_storyline(day: PlannedDay) -> None:
    named = [story for story in day.stories.values() if story.named]
    assert {token.split(":")[0] for story in named for token in story.live} == set(EVENTS)


def test_only_what_a_late_worker_leaves_out_or_a_pause_adds_may_be_missing(day: PlannedDay) -> None:
    told = {token for story in day.stories.values() for token in story.live}
    optional = {token for token in told if token.endswith("?")}
    assert optional == {"reminded:reminder?", "renewed:review?", "extended:pause?"}


def test_seven_platforms_play() -> None:
    assert sorted(script().platforms) == sorted(path.stem for path in SHIPPED.glob("*.yaml"))
    assert script().stories.keys() == script().platforms.keys()


@pytest.mark.parametrize(
    ("does", "then", "words"),
    [
        ([{"at": 1, "folowers": 5}], [], "no step"),
        ([{"at": "isued+1", "answer": "granted"}], [], "no step"),
        ([{"at": "soon", "answer": "granted"}], [], "no step"),
        ([{"at": 1, "answer": "maybe"}], [], "answer"),
        ([{"at": 1, "followers": -5}], [], "followers"),
        ([{"at": 1, "command": "hold", "expire_at": "$now+1"}], [], "controls has no expire_at"),
        ([], ["issued:because"], "no event: issued:because"),
        ([], ["sent:over_line"], "no event: sent:over_line"),
    ],
)
def test_a_storyline_that_cannot_be_is_refused(
    does: list[dict[str, Any]], then: list[str], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        Storyline.model_validate({"name": "n", "platform": "weibo", "does": does, "live": then})


def test_an_unknown_key_of_a_storyline_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Storyline.model_validate({"name": "n", "platform": "weibo", "do": []})


def test_the_compressed_policies_load_and_keep_labels_fields_and_surfaces(
    policies: dict[str, ShortPolicy], folder: Path
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


@pytest.mark.slow
def test_a_seed_is_a_day(policies: dict[str, ShortPolicy], day: PlannedDay) -> None:
    assert plan(policies, Chance(1)) == day
    assert plan(policies, Chance(2)).stories.keys() != day.stories.keys()


def test_noise_stays_below_every_line(day: PlannedDay) -> None:
    assert max(noise.followers for noise in day.noise) < 500_000
    assert not {f"{it.platform}:{it.account_id}" for it in day.noise} & day.stories.keys()


def test_garbage_has_every_reason_that_a_demo_can_have() -> None:
    reasons = {item.reason for item in garbage(Chance(1), NOW, AHEAD)}
    left = {Refused.NOT_APPROVED, Refused.UNREADABLE_BATCH}
    assert reasons == {*Refused, None} - left


def test_a_name_is_planted_in_accepted_and_in_refused_records() -> None:
    for accepted in (True, False):
        items = [it for it in garbage(Chance(1), NOW, AHEAD) if (it.reason is None) == accepted]
        assert any(name.encode() in it.value for it in items for name in PLANTED)


def test_what_the_actors_send_is_what_the_contract_takes(day: PlannedDay) -> None:
    actors = Actors(None, day, (), DemoTally(), lambda: NOON, NOON)
    for key, story in day.stories.items():
        told = {"invitation_id": "i-1", "deadline_at": NOW}
        actors.saw(SeenEvent(key, told, "invitation.issued", "enforce", "issued:over_line"))
        for index, step in enumerate(story.does):
            value = actors.value(index, story, NOON)
            if value is not None:
                INPUT_MODELS[step.topic].model_validate(value)

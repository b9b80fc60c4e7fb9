"""The demo's script: its storylines, its seeded day, its garbage and its compressed policies."""

from pathlib import Path
from typing import Any

import pytest

from schemas.enums import Mode, Refused
from schemas.inputs import INPUT_MODELS
from streams.local.demo.actors import Actors
from streams.local.demo.chance import Chance
from streams.local.demo.expect import as_told
from streams.local.demo.garbage import PLANTED, garbage
from streams.local.demo.policies import Compressed, compress
from streams.local.demo.reading import seen as seen_of
from streams.local.demo.scenario import Day, plan
from streams.local.demo.stories import NAMED, PLATFORMS
from streams.local.demo.tally import Tally
from streams.policies import load_policies
from tests.local.good_day import EVENTS, NAMES, NOON, at, raw

SHIPPED = Path(__file__).parents[2] / "deploy" / "policies"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policies")


@pytest.fixture(scope="module")
def policies(folder: Path) -> dict[str, Compressed]:
    return compress(SHIPPED, folder, NOON.timestamp())


@pytest.fixture(scope="module")
def day(policies: dict[str, Compressed]) -> Day:
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
    left = {Refused.NOT_APPROVED, Refused.UNREADABLE_BATCH}
    assert reasons == {*Refused, None} - left


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

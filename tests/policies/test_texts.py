"""A text counts under its own digest alone, whatever was written into the topic of policies."""

import hashlib

import pytest

from streams.core.model.policy import Policy
from streams.operate.account_states import POLICIES, States
from streams.operate.audit.records import Record
from streams.policies.texts import PolicyTexts, fits, policy_of
from streams.replay.following import Replay
from streams.replay.recorded import PartitionEnvironment
from streams.replay.records import RecordsGoneError, RecordsInMemory
from tests.core.given import policy

MINE = policy()
KEY = MINE.digest.encode()
ALTERED = (b"", b"{}", b"\xff", b"nonsense", MINE.canonical + b" ")


def test_an_altered_text_does_not_take_the_place_of_the_true_one() -> None:
    for altered in ALTERED:
        assert not fits(MINE.digest, altered)
        texts = PolicyTexts()
        for offset, text in enumerate((MINE.canonical, altered, None)):
            texts.feed(0, offset, KEY, text)
        assert texts.known == {MINE.digest: MINE.canonical}
        assert texts.altered == ["policies[0]@1"]


def test_a_key_that_is_no_text_is_an_altered_record_and_no_error() -> None:
    texts = PolicyTexts()
    for key in (None, b"\xff", b""):
        texts.feed(0, 7, key, MINE.canonical)
    assert (texts.known, len(texts.altered)) == ({}, 3)


def test_what_runs_is_known_by_the_true_text_alone() -> None:
    for altered in ALTERED:
        states = States()
        states.feed(Record(POLICIES, 0, 1, 0, KEY, altered))
        assert states._policy(MINE.digest) is None
        states.feed(Record(POLICIES, 0, 0, 0, KEY, MINE.canonical))
        states.feed(Record(POLICIES, 0, 1, 0, KEY, altered))
        assert states._policy(MINE.digest) == MINE


def _shorter_window_than_a_reminder() -> bytes:
    window = MINE.notice.answer_window
    text = MINE.canonical.replace(f'"answer_window":{window}'.encode(), b'"answer_window":1')
    text = text.replace(b'"reminders":[]', b'"reminders":[5000]')
    assert text != MINE.canonical
    return text


def test_a_text_that_this_version_does_not_accept_is_a_sentence_in_a_replay() -> None:
    text = _shorter_window_than_a_reminder()
    digest = hashlib.sha256(text).hexdigest()
    with pytest.raises(ValueError, match="a reminder is within the window"):
        policy_of(text)
    environment = PartitionEnvironment({}, 1, lambda _: 0, False, str)
    replay = Replay(environment, 0, {"switches": RecordsInMemory([])}, {digest: text})
    with pytest.raises(RecordsGoneError, match=f"weibo under the digest {digest} is none that"):
        replay._policy("weibo", digest)


def test_a_policy_of_today_is_read_again_as_it_is() -> None:
    found: Policy = policy_of(MINE.canonical)
    assert found == MINE

"""A brake says what it covers and changes, when all have obeyed, and works without any of that."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.enums import Switch
from schemas.inputs import SwitchChange
from streams.operate.switch_reach import without_effect
from streams.operate.topics import create
from streams.settings import Settings
from streams.settings_checks import variable
from tests.cli.conftest import Byline

WHO = ("--actor", "op.1", "--reason", "incident")


def on(scope: str, switch: Switch, turned: bool = True) -> SwitchChange:
    value = {
        "scope": scope,
        "switch": switch,
        "on": turned,
        "actor": "op.9",
        "reason": "test",
        "issued_at": "2026-01-01T00:00:00Z",
    }
    return SwitchChange.model_validate_json(json.dumps(value))


ADVERSE, SETTLED = Switch.ADVERSE_OFF, Switch.REFUSALS_SETTLED


@pytest.mark.parametrize(
    ("scope", "switch", "turned", "before", "words"),
    [
        ("weibo", ADVERSE, True, [], []),
        ("weibo", ADVERSE, True, [on("weibo", ADVERSE)], ["it was on already, since 2026-01-01T"]),
        ("weibo", ADVERSE, True, [on("*", ADVERSE)], ["it was on for all already, since 2026"]),
        ("weibo", ADVERSE, False, [on("weibo", ADVERSE)], []),
        ("weibo", ADVERSE, False, [], ["it was not on for weibo: nothing changes"]),
        (
            "weibo",
            ADVERSE,
            False,
            [on("weibo", ADVERSE), on("*", ADVERSE)],
            ["it is still on for *, since 2026-01-01T00:00:00.000Z by op.9"],
        ),
        ("*", ADVERSE, False, [on("*", ADVERSE), on("weibo", ADVERSE)], ["still on for weibo"]),
        ("weibo", ADVERSE, True, [on("weibo", Switch.THROTTLES_OFF)], []),
        ("weibo", SETTLED, True, [], ["no refusal guard of weibo was tripped"]),
        ("weibo", SETTLED, True, [on("weibo", SETTLED, False)], []),
        ("*", SETTLED, True, [], ["no refusal guard was tripped"]),
    ],
)
def test_turning_what_changes_nothing_says_so(
    scope: str, switch: Switch, turned: bool, before: list[SwitchChange], words: list[str]
) -> None:
    found = list(without_effect(scope, switch, turned, before))
    assert len(found) == len(words), found
    assert all(word in said for word, said in zip(words, found, strict=True)), found


@pytest.mark.kafka
def test_a_brake_is_obeyed_by_all_or_says_who_has_not(
    on_kafka: Settings,
    byline: Byline,
    worker: Callable[[], Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    asyncio.run(create(on_kafka, 4, 1))
    turn = ("switch", "adverse-off", "on", "--scope", "weibo", *WHO)
    dry = byline(*turn, "--dry-run")
    assert (dry.code, "adverse_off would be on for weibo" in dry.out) == (0, True)
    assert "it covers 0 accounts whose state is kept" in dry.out
    assert json.loads(byline("switch", "list", "--json").out) == []
    nobody = byline(*turn, "--wait", "--within-seconds", "1")
    assert nobody.code == 1
    assert "4 of 4 partitions have not read it after 1 s (0, 1, 2, 3)" in nobody.err
    worker()
    # The files of this machine are of no use from here on: a brake needs none.
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "weibo.yaml").write_text("half a thought: [")
    late = byline("switch", "adverse-off", "off", "--scope", "weibo", *WHO, "--wait")
    assert (late.code, "all 4 partitions have obeyed, after" in late.out) == (0, True)
    monkeypatch.setenv(variable("policies"), str(tmp_path / "broken"))
    plain = json.loads(byline(*turn, "--wait", "--json").out)
    assert plain["obeyed"]["waiting"] == []
    assert plain["obeyed"]["partitions"] == 4
    assert plain["covers"] == {"tracked": 0, "invited": 0, "restricted": 0}
    again = byline(*turn)
    assert (again.code, "it was on already, since" in again.err) == (0, True)
    near = byline("switch", "adverse-off", "on", "--scope", "weibbo", *WHO)
    assert (near.code, "did you mean weibo?" in near.err) == (1, True)
    word = byline("switch", "adverse-of", "on", "--scope", "weibo", *WHO)
    assert (word.code, "Did you mean 'adverse-off'" in word.err) == (2, True)

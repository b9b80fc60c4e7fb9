"""Two policies over one history: what one alone does, what both do otherwise, and nothing."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.enums import Level, Mode, Surface
from streams.backtest import files, shards
from streams.backtest.against import DIFFERENCES, Change, as_plain, changes
from streams.backtest.figures import checked
from streams.backtest.report import report
from streams.core.model.policy import Policy, Restriction
from streams.settings_checks import variable
from tests.backtest.given import ReadingRow, backtested, csv_file, parquet_file, policy, rising
from tests.cli.conftest import Byline, byline, clean_environment
from tests.core.given import DAY, HOUR, MINUTE, START, rfc3339, stability

__all__ = ["byline", "clean_environment"]
SHIPPED = Path(__file__).parents[2] / "deploy" / "policies"
ISSUED = START + 7 * HOUR
APPLIED = ISSUED + MINUTE + 3 * DAY
"""When an account of `rising` is invited and restricted: over the line after six hours, a dwell of
one; told in a minute, three days to answer."""


def compared(
    folder: Path, before: Policy, after: Policy, accounts: int = 1, **asked: Any
) -> list[Change]:
    """What changes from one policy to another; both ways say as much."""
    rows = sorted(row for number in range(accounts) for row in rising(f"a{number}"))
    found, _ = backtested(folder, csv_file(folder / "r.csv", rows), before, after, **asked)
    a, b = found.tallies
    assert len(changes(a, b)) == len(changes(b, a))
    assert changes(a, a) == changes(b, b) == []
    return changes(a, b)


def consequence(**changed: Any) -> Policy:
    """The policy with a consequence that is changed."""
    return policy(version=2, consequence=replace(policy().consequence, **changed))


def surfaces(**changed: Restriction) -> Policy:
    """The policy with surfaces that are added or changed."""
    known = policy().consequence.surfaces
    assert known is not None
    more = {Surface[name]: it for name, it in changed.items()}
    return consequence(surfaces={**known, **more})


def window(days: int, **changed: Any) -> Policy:
    """The policy with so many days to answer."""
    return policy(notice=replace(policy().notice, answer_window=days * DAY, **changed))


SHADOW = policy(version=2, mode=Mode.SHADOW)


@pytest.mark.parametrize("for_real", ["p0", "p1"])
def test_what_is_for_real_under_one_and_in_shadow_under_the_other_is_a_change(
    tmp_path: Path, for_real: str
) -> None:
    pair = (SHADOW, policy()) if for_real == "p1" else (policy(), SHADOW)
    found = compared(tmp_path, *pair)
    assert [(it.what, it.under, it.mode, it.at, it.reason) for it in found] == [
        ("invited", for_real, "enforce", rfc3339(ISSUED), "over_line"),
        ("restricted", for_real, "enforce", rfc3339(APPLIED), "no_answer"),
    ]
    assert all("in shadow" in (it.instead or "") for it in found)


def test_what_only_a_trial_does_is_a_change_too_and_said_to_be_in_shadow(tmp_path: Path) -> None:
    never = policy(phases=(replace(policy().phases[0], starts_at=START + 400 * DAY),))
    found = compared(tmp_path, never, SHADOW)
    assert [(it.what, it.under, it.mode, it.instead) for it in found] == [
        ("invited", "p1", "shadow", None),
        ("restricted", "p1", "shadow", None),
    ]


def test_a_release_for_real_is_not_one_in_shadow(tmp_path: Path) -> None:
    found = compared(tmp_path, SHADOW, policy(), now=START + 40 * DAY)
    assert [(it.what, it.under, it.mode) for it in found] == [
        ("invited", "p1", "enforce"),
        ("restricted", "p1", "enforce"),
        ("released", "p1", "enforce"),
    ]


OTHERWISE: dict[str, tuple[Policy, Policy, int, tuple[str, ...], str]] = {
    "a stronger level": (
        policy(),
        surfaces(RECOMMEND_FEED=Restriction(Level.OFF, None)),
        12,
        ("level",),
        "recommend-feed: level limited → off",
    ),
    "one surface more": (
        policy(),
        surfaces(HOT_SEARCH=Restriction(Level.OFF, None)),
        12,
        ("surface",),
        f"hot-search: surface free → off until {rfc3339(APPLIED + 20 * DAY)} (enforce)",
    ),
    "one surface only in shadow": (
        policy(),
        surfaces(TIPS=Restriction(Level.OFF, Mode.SHADOW)),
        12,
        ("mode",),
        "tips: mode enforce → shadow",
    ),
    "a shorter restriction": (
        consequence(expires_after=14 * DAY),
        consequence(expires_after=7 * DAY),
        9,
        ("until",),
        f"recommend-feed, tips: until {rfc3339(APPLIED + 14 * DAY)} → {rfc3339(APPLIED + 7 * DAY)}",
    ),
    "a shorter restriction that ended": (
        consequence(expires_after=14 * DAY),
        consequence(expires_after=7 * DAY),
        40,
        ("at", "until"),
        f"released: at {rfc3339(APPLIED + 14 * DAY)} → {rfc3339(APPLIED + 7 * DAY)}",
    ),
    "less time to answer": (
        window(14),
        window(7),
        40,
        ("at", "deadline", "until"),
        f"restricted: at {rfc3339(APPLIED + 11 * DAY)} → {rfc3339(APPLIED + 4 * DAY)}",
    ),
    "less time to answer that has not ended": (
        window(14, reminders=()),
        window(7, reminders=()),
        6,
        ("deadline",),
        f"invited: deadline {rfc3339(APPLIED + 11 * DAY)} → {rfc3339(APPLIED + 4 * DAY)}",
    ),
    "a longer dwell": (
        policy(),
        policy(stability=stability(dwell=2 * HOUR)),
        12,
        ("at", "deadline", "until"),
        f"invited: at {rfc3339(ISSUED)} → {rfc3339(ISSUED + HOUR)}",
    ),
    "another phase": (
        policy(),
        policy(phases=(replace(policy().phases[0], name="second"),)),
        12,
        ("phase",),
        "invited: phase first → second",
    ),
    "another reminder": (
        window(3),
        window(3, reminders=(2 * DAY,)),
        12,
        ("events",),
        "last event: events throttle.renewed (review)",
    ),
}
"""Pairs of policies, the day on which the clock stops, what differs, and a part of the words."""


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_both_do_but_otherwise_is_a_change_of_its_own(tmp_path: Path, name: str) -> None:
    before, after, days, differs, words = OTHERWISE[name]
    end = START + days * DAY
    (it,) = compared(tmp_path, before, after, end=end, now=end)
    assert (it.what, it.under, it.account_id) == ("otherwise", "", "a0")
    assert it.differs == differs
    assert words in (it.instead or ""), it.instead
    assert set(it.differs) <= DIFFERENCES.keys()


def test_an_invitation_that_is_only_sooner_is_no_restriction_under_one_alone(
    tmp_path: Path,
) -> None:
    """The restriction is under one alone; what both have is told beside it, once an account."""
    end = START + 5 * DAY
    found = compared(tmp_path, window(3), window(7), accounts=2, end=end, now=end)
    assert [(it.what, it.under, it.account_id, it.differs) for it in found] == [
        ("restricted", "p0", "a0", ()),
        ("restricted", "p0", "a1", ()),
        ("otherwise", "", "a0", ("deadline",)),
        ("otherwise", "", "a1", ("deadline",)),
    ]


def test_policies_that_do_the_same_change_nothing(tmp_path: Path) -> None:
    more = {"surfaces": {**(policy().consequence.surfaces or {})}}
    assert compared(tmp_path, policy(), consequence(**more), now=START + 40 * DAY) == []


def test_the_json_keeps_its_form_and_counts_modes_and_differences_beside_it(tmp_path: Path) -> None:
    rows = rising("a0")
    found, _ = backtested(tmp_path, csv_file(tmp_path / "r.csv", rows), SHADOW, policy())
    a, b = found.tallies
    told = json.loads(json.dumps(as_plain(a, b, changes(a, b))))
    assert (told["a"], told["b"]) == ("p0", "p1")
    assert told["counts"] == [["invited", "p1", 1], ["restricted", "p1", 1]]
    assert told["counts_by_mode"] == [
        ["invited", "enforce", "p1", 1],
        ["restricted", "enforce", "p1", 1],
    ]
    assert told["differs"] == {}
    harder = surfaces(RECOMMEND_FEED=Restriction(Level.OFF, None))
    found, _ = backtested(tmp_path, csv_file(tmp_path / "r.csv", rows), policy(), harder)
    a, b = found.tallies
    found_changes = changes(a, b)
    told = json.loads(json.dumps(report(found) | {"against": as_plain(a, b, found_changes)}))
    assert told["against"]["counts"] == [["otherwise", "", 1]]
    assert told["against"]["differs"] == {"level": 1}
    (change,) = told["against"]["changes"]
    assert list(change)[:7] == list(files.CHANGE_COLUMNS)[:7]
    assert (change["mode"], change["differs"]) == ("enforce", ["level"])
    assert checked(told, "it is a report that can be kept")
    (row,) = csv.DictReader(files.changes_csv(found_changes).splitlines())
    assert (row["what"], row["under"]) == ("otherwise", "")
    assert "level limited → off" in row["instead"]


def test_merged_shards_say_the_same_of_two_policies_as_one_run(tmp_path: Path) -> None:
    rows = [row for number in range(9) for row in rising(f"a{number}")]
    rows.append(ReadingRow(3 * DAY, "low", 1_100))
    readings = parquet_file(tmp_path / "r.parquet", rows)
    pair = (SHADOW, replace(window(7), version=3))
    whole, _ = backtested(tmp_path, readings, *pair)
    paths = []
    for number in range(2):
        part, _ = backtested(tmp_path, readings, *pair, shard=(number, 2))
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(files.json_text(shards.shard_plain(part, against=True)))
    merged = shards.merge(paths).found
    assert merged.tallies[0].accounts == whole.tallies[0].accounts
    assert len(changes(*whole.tallies)) >= 18
    assert changes(*merged.tallies) == changes(*whole.tallies)


# ---- as a person meets it ----------------------------------------------------------------------

ENFORCEABLE = {"answer_window: null": "answer_window: P3D", "assessment: null": "assessment: pia-1"}
Said = tuple[str, dict[str, Any], str]


@pytest.fixture
def said(
    byline: Byline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Said]:
    """What the command says, writes as JSON and as a page, when a text of a policy is replaced."""
    monkeypatch.setenv(variable("data_dir"), str(tmp_path / "data"))
    text = (SHIPPED / "weibo.yaml").read_text()
    for missing, there in ENFORCEABLE.items():
        assert missing in text
        text = text.replace(missing, there)
    rows = [row._replace(followers=row.followers * 1000) for row in rising("a1", step=12 * HOUR)]
    readings = csv_file(tmp_path / "r.csv", rows)
    (tmp_path / "a.yaml").write_text(text)
    out = {name: tmp_path / f"out.{name}" for name in ("json", "html")}

    def run(before: str, after: str) -> Said:
        assert before in text
        (tmp_path / "b.yaml").write_text(text.replace(before, after))
        answer = byline(
            *("backtest", str(tmp_path / "a.yaml"), "--against", str(tmp_path / "b.yaml")),
            *("--readings", str(readings)),
            *(word for name, file in out.items() for word in (f"--{name}", str(file))),
        )
        assert answer.code == 0, answer.err
        told = json.loads(out["json"].read_text())["against"]
        return answer.out, told, out["html"].read_text()

    return run


@pytest.mark.parametrize(
    ("before", "after", "differs", "words"),
    [
        ("tips: limited", "tips: off", "level", "tips: level limited → off"),
        ("expires_after: P90D", "expires_after: P45D", "until", "tips: until"),
        ("    tips: limited\n", "    tips: limited\n    commerce: off\n", "surface", "commerce"),
    ],
)
def test_the_command_never_says_that_nothing_changes_when_a_restriction_does(
    said: Callable[[str, str], Said], before: str, after: str, differs: str, words: str
) -> None:
    text, told, page = said(before, after)
    assert "Nothing changes" not in text
    assert "Under both, but otherwise" in text
    assert re.search(r"^in all +1 *$", text, re.M)
    assert f"otherwise ({differs})" in text
    assert told["differs"] == {differs: 1}
    assert words in " ".join(text.split())
    assert "1 otherwise under both." in page
    assert f"<td>otherwise</td><td>{differs}</td><td>both</td><td>weibo:a1</td>" in page


def test_the_command_says_what_becomes_real(said: Callable[[str, str], Said]) -> None:
    text, told, page = said("version: 1\nmode: shadow", "version: 2\nmode: enforce")
    assert "Nothing changes" not in text
    assert ["restricted", "enforce", "b.yaml", 1] in told["counts_by_mode"]
    assert "restricted (enforce)" in text
    assert "<td>restricted</td><td>enforce</td><td>b.yaml</td>" in page


def test_the_command_says_that_nothing_changes_where_nothing_does(
    said: Callable[[str, str], Said],
) -> None:
    text, told, page = said("# Sina Weibo.", "# Weibo.")
    assert "Nothing changes from a.yaml to b.yaml." in text
    assert told["counts"] == told["changes"] == []
    assert "<p>Nothing changes.</p>" in page

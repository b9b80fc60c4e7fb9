"""`byline policy diff`: the verdict on two policies, and the account that shows it."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from time import process_time

import pytest
from typer.testing import CliRunner

from schemas.enums import Field
from streams.cli.program import program_of
from streams.core.model.policy import Phase, Policy
from streams.lives.account import led_again
from streams.lives.regions import representatives
from streams.lives.telling import in_words, markdown, text
from streams.lives.unled import Question
from streams.lives.verdict import CaseVerdict, Searched, compare, differences
from streams.policies import load_policies
from tests.core.given import DAY, START, policy
from tests.policies.given import SHIPPED, loaded, written
from tests.policies.pairs import family, judge_family

POLICY = program_of("policy")
INVITED, RESTRICTED, TIME = Question
ENFORCE = ("\nmode: shadow", "\nmode: enforce")
GUARDS = ("guards: {window: PT1H, minimum: 50, undelivered_ratio: 0.2}", "")
SAME, STRICTER, MILDER, NEITHER, OPEN = CaseVerdict

CHANGES = [
    ("P14D", "P13D", {RESTRICTED: STRICTER, TIME: STRICTER}),
    ("P14D", "P15D", {RESTRICTED: MILDER, TIME: MILDER}),
    ("followers: 500000", "followers: 499999", {INVITED: STRICTER, RESTRICTED: STRICTER}),
    ("[finance, law]", "[finance]", {INVITED: MILDER, RESTRICTED: MILDER}),
    ("法律: law", "法学: law", {INVITED: NEITHER, RESTRICTED: NEITHER}),
    ("dwell: PT24H", "dwell: PT25H", {INVITED: MILDER, RESTRICTED: NEITHER}),
    ("exit_ratio: 0.95", "exit_ratio: 0.96", {RESTRICTED: MILDER}),
    ("leave_after: P7D", "leave_after: P8D", {RESTRICTED: STRICTER}),
    ("on_fall_below: close", "on_fall_below: keep", {RESTRICTED: STRICTER}),
    ("cool_down: P30D", "cool_down: P31D", {INVITED: MILDER, RESTRICTED: MILDER}),
    ("max_age: P30D", "max_age: P10D", {INVITED: MILDER, RESTRICTED: MILDER}),
    ("recommend-feed: limited", "search: limited", {RESTRICTED: NEITHER}),
    ("[declined, no_answer]", "[declined]", {RESTRICTED: MILDER}),
    ("expires_after: P90D", "expires_after: P80D", {RESTRICTED: MILDER}),
    ("rollout_percent: 100", "rollout_percent: 50", {INVITED: MILDER, RESTRICTED: MILDER}),
    ("review_after: P30D", "review_after: P20D", {RESTRICTED: MILDER}),
]
"""Whose count is heard once is restricted only while the reading is not too old: so a shorter dwell
or window restricts more of them. A longer dwell may end when a lower phase has begun: its exit line
is lower, so some who would have left stay.
"""


def verdicts(a: Policy, b: Policy) -> dict[Question, CaseVerdict]:
    """What is not equivalent."""
    return {it.question: it.verdict for it in compare(a, b) if it.verdict is not SAME}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "wanted"), CHANGES, ids=[f"{it[0]} {it[1]}" for it in CHANGES]
)
def test_a_change_goes_this_way_and_its_example_shows_it(
    before: str, after: str, wanted: dict[Question, CaseVerdict], tmp_path: Path
) -> None:
    a, b = loaded(tmp_path, ENFORCE, GUARDS), loaded(tmp_path, ENFORCE, GUARDS, (before, after))
    answers = compare(a, b)
    assert {it.question: it.verdict for it in answers if it.verdict is not SAME} == wanted
    for answer in answers:
        for direction, example in ((1, answer.stricter), (-1, answer.milder)):
            if example is None:
                continue
            one = led_again(a, example.account, example.inputs, example.until)
            other = led_again(b, example.account, example.inputs_after, example.until)
            assert direction in dict(differences(one, other))[answer.question]
            assert example.shared or before.startswith("dwell")


@pytest.mark.slow
def test_going_back_goes_the_other_way(tmp_path: Path) -> None:
    a, b = loaded(tmp_path, ENFORCE), loaded(tmp_path, ENFORCE, ("P14D", "P13D"))
    assert verdicts(b, a) == {RESTRICTED: MILDER, TIME: MILDER}


@pytest.mark.slow
def test_enforce_instead_of_shadow_invites_and_restricts(tmp_path: Path) -> None:
    a, b = loaded(tmp_path), loaded(tmp_path, ENFORCE)
    assert verdicts(a, b) == {INVITED: STRICTER, RESTRICTED: STRICTER}


@pytest.mark.slow
def test_a_date_instead_of_a_window_is_milder_for_who_comes_early(tmp_path: Path) -> None:
    early = "from: 2023-12-22T00:00:00+08:00"
    dated = (early, f"{early}, answer_by: 2024-02-01T00:00:00+08:00")
    shorter = loaded(tmp_path, ENFORCE, dated, ("P14D", "P5D"))
    assert verdicts(loaded(tmp_path, ENFORCE), shorter)[TIME] == NEITHER


@pytest.mark.slow
def test_the_smallest_account_stands_at_the_line(tmp_path: Path) -> None:
    lower = ("followers: 500000", "followers: 400000")
    (invited, *_) = compare(loaded(tmp_path, ENFORCE), loaded(tmp_path, ENFORCE, lower))
    assert invited.milder is None
    assert invited.stricter is not None
    assert invited.stricter.account.followers == 400000
    assert in_words(invited.stricter.account).startswith("400000 followers and the label 法律")


@pytest.mark.slow
def test_random_pairs_agree_with_brute_force() -> None:
    """A sample of `python -m tests.policies.pairs`; see pairs.md."""
    result = judge_family((77, 5, 20))
    assert result["counts"]["pairs"] == 10
    assert result["contradictions"] == []


@pytest.mark.slow
def test_an_account_that_falls_before_a_later_phase_begins_is_a_region_of_its_own() -> None:
    """Brute force found it: a line of the first phase is left while the second has not begun."""
    relatives = family(1, 86)
    a, b = relatives[25], relatives[85]
    answers = {it.question: it.verdict for it in compare(a, b)}
    assert answers[RESTRICTED] is NEITHER


@pytest.mark.slow
def test_one_who_is_heard_once_may_refuse() -> None:
    """Brute force found it: where a refusal alone restricts, the age of the reading decides."""
    relatives = family(8, 4)
    answers = {it.question: it.verdict for it in compare(relatives[0], relatives[3])}
    assert answers[RESTRICTED] is STRICTER


@pytest.mark.slow
def test_one_who_is_lifted_in_shadow_may_be_restricted_by_a_later_phase() -> None:
    """Brute force found it: the cycle that is lifted need not be the one that restricts."""
    relatives = family(7, 43)
    answers = {it.question: it.verdict for it in compare(relatives[36], relatives[42])}
    assert answers[RESTRICTED] is NEITHER


@pytest.mark.slow
def test_any_two_shipped_policies_take_less_than_five_seconds() -> None:
    policies = load_policies(SHIPPED, require_approvals=False)
    for a, b in list(combinations(policies.values(), 2))[::7]:
        began = process_time()
        compare(a, b)
        assert process_time() - began < 5, (a.platform, b.platform)


@pytest.mark.slow
def test_what_is_told_names_before_and_after(tmp_path: Path) -> None:
    answers = compare(loaded(tmp_path, ENFORCE), loaded(tmp_path, ENFORCE, ("P14D", "P13D")))
    lines = list(text(answers))
    assert "how long they have: stricter" in lines
    assert any(line.startswith("    before: ") and "deadline_at" in line for line in lines)
    page = "\n".join(markdown("weibo 3 → 4", ["a change"], answers))
    assert "| how long they have | **stricter** |" in page


@pytest.mark.slow
def test_the_command_writes_text_json_and_markdown(tmp_path: Path) -> None:
    a = written(tmp_path, ENFORCE)
    (tmp_path / "new").mkdir()
    b = written(tmp_path / "new", ENFORCE, ("P14D", "P13D"))
    run = CliRunner().invoke
    assert "how long they have: stricter" in run(POLICY, ["policy", "diff", str(a), str(b)]).stdout
    answer = json.loads(run(POLICY, ["policy", "diff", str(a), str(b), "--json"]).stdout)
    verdict = answer["verdicts"][2]
    assert (verdict["question"], verdict["verdict"]) == ("how long they have", "stricter")
    assert verdict["examples"]["stricter"]["inputs"][0]["topic"] == "category-changes"
    page = run(
        program_of("policy"), ["policy", "diff", str(a), str(b), "--format", "markdown"]
    ).stdout
    assert page.startswith("### weibo 3 → weibo 3")


def many_phases(count: int, *, days_apart: int = 40, first: int = 0) -> tuple[Phase, ...]:
    """Phases one after the other, each with a lower line."""
    return tuple(
        Phase(
            f"phase-{it}", 1000 * (count - it), START + (first + it * days_apart) * DAY, None, None
        )
        for it in range(count)
    )


def test_a_search_that_is_cut_short_never_says_equivalent() -> None:
    """A cap alone differs: no account shows it, and not every region is tried."""
    a = policy(phases=many_phases(2))
    b = replace(a, throttles_per_hour=a.throttles_per_hour + 1)
    whole, cut = compare(a, b), compare(a, b, most=40)
    assert [it.verdict for it in whole] == [SAME, STRICTER, SAME]
    assert [it.verdict for it in cut] == [OPEN, OPEN, OPEN]
    assert all(it.searched.whole for it in whole)
    assert {it.searched for it in cut} == {Searched(40, whole[0].searched.regions)}
    told = list(text(cut))
    assert told[1] == "  no difference was found; whether there is one is not known"
    assert "  stricter for some; whether it is milder for others is not known" in told
    assert any(it.startswith("searched: 40 accounts of the ") for it in told)
    assert not any(it.startswith("searched") for it in text(whole))
    assert any(it.startswith("* searched: 40 accounts") for it in markdown("a", [], cut))


def test_a_life_that_is_cut_short_leaves_the_verdict_open(monkeypatch: pytest.MonkeyPatch) -> None:
    a = policy()
    b = replace(a, throttles_per_hour=a.throttles_per_hour + 1)
    monkeypatch.setattr("streams.lives.account.MOST_LOOKS", 2)
    answers = compare(a, b)
    assert [it.verdict for it in answers] == [OPEN, OPEN, OPEN]
    searched = answers[0].searched
    assert searched.accounts == searched.regions
    assert searched.cut > 0
    told = list(text(answers))
    assert any(it.startswith(f"{searched.cut:,} lives were followed only") for it in told)
    assert not any(it.startswith("searched") for it in told)


def test_what_a_search_that_is_cut_short_has_found_holds() -> None:
    a = policy(phases=many_phases(4))
    b = replace(a, labels={"财经": Field.FINANCE, "法学": Field.LAW})
    a = replace(a, labels={"财经": Field.FINANCE, "法律": Field.LAW})
    invited = compare(a, b, most=200)[0]
    assert not invited.searched.whole
    assert invited.verdict is NEITHER
    assert invited.stricter is not None
    assert invited.milder is not None


def test_accounts_of_a_search_that_is_cut_short_are_of_every_kind() -> None:
    a, b = policy(phases=many_phases(10)), policy(phases=many_phases(10, first=7))
    accounts, regions = representatives(a, b, 2_000)
    assert len(set(accounts)) == 2_000 < regions
    assert accounts == representatives(a, b, 2_000).accounts
    assert {it.followers for it in accounts} == set(a.lines)
    assert {(it.falls_to is None, it.heard_once, it.lifted, it.answer) for it in accounts} >= {
        (True, False, False, "silent"),
        (True, False, False, "declined"),
        (False, False, False, "silent"),
        (False, False, False, "declined"),
    }


def test_a_comparison_tells_how_far_it_is() -> None:
    a = policy(phases=many_phases(3))
    told: list[tuple[int, int]] = []
    compare(a, replace(a, rollout_percent=50), most=120, tell=lambda *it: told.append(it))
    assert told == [(0, 120), (50, 120), (100, 120)]


def test_the_command_says_how_many_accounts_it_tried(tmp_path: Path) -> None:
    a = written(tmp_path)
    (tmp_path / "new").mkdir()
    b = written(tmp_path / "new", ("2000}", "1999}"))
    words = ["policy", "diff", str(a), str(b), "--accounts", "10"]
    answer = json.loads(CliRunner().invoke(POLICY, [*words, "--json"]).stdout)
    assert {it["verdict"] for it in answer["verdicts"]} == {"not shown"}
    assert answer["verdicts"][0]["searched"]["accounts"] == 10
    assert answer["verdicts"][0]["searched"]["regions"] > 10
    assert "searched: 10 accounts of the " in CliRunner().invoke(POLICY, words).stdout
    assert CliRunner().invoke(POLICY, [*words[:-1], "0"]).exit_code == 2


def test_the_command_shows_its_progress_on_a_terminal_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "new").mkdir()
    a, b = written(tmp_path), written(tmp_path / "new", ("2000}", "1999}"))
    words = ["policy", "diff", str(a), str(b), "--accounts", "60", "--json"]
    assert CliRunner().invoke(POLICY, words).stderr == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = CliRunner().invoke(POLICY, words)
    assert "accounts compared" in shown.stderr
    assert json.loads(shown.stdout)["verdicts"]

"""Given a history, when a policy is led through it, then these events follow, and this is said."""

import os
import stat
from collections import Counter
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from schemas.enums import Mode
from streams.backtest import scan
from streams.backtest.against import changes
from streams.backtest.answers import AnswerModel, read_model
from streams.backtest.page import page
from streams.backtest.report import report
from streams.backtest.sentences import first_line, headline
from streams.core.model.ids import invitation_id
from streams.core.model.policy import Phase
from streams.operate.errors import UsageError
from tests.backtest.given import (
    UNKNOWN,
    ReadingRow,
    backtested,
    csv_file,
    events,
    json_file,
    parquet_file,
    policy,
    rising,
    words_of,
)
from tests.backtest.rates import PLATFORMS
from tests.core.given import DAY, HOUR, MINUTE, PLATFORM, START, rfc3339, stability


def test_an_account_over_the_line_is_invited_reminded_and_restricted_each_at_its_own_instant(
    tmp_path: Path,
) -> None:
    _, said = backtested(tmp_path, csv_file(tmp_path / "r.csv", rising("a1")))
    assert words_of(said) == [
        "a1 invitation.issued over_line",
        "a1 invitation.delivered receipt",
        "a1 invitation.reminded reminder",
        "a1 invitation.expired no_answer",
        "a1 throttle.applied recommend-feed no_answer",
        "a1 throttle.applied tips no_answer",
        "a1 throttle.renewed recommend-feed review",
        "a1 throttle.renewed tips review",
    ]
    times = [msgspec.json.decode(it.value or b"")["decided_at"] for it in events(said)]
    # Over the line with the second reading, six hours in; a dwell of an hour; then three days.
    issued = START + 7 * HOUR
    assert times[:4] == [
        rfc3339(issued),
        rfc3339(issued + MINUTE),
        rfc3339(issued + MINUTE + 2 * DAY),
        rfc3339(issued + MINUTE + 3 * DAY),
    ]


def test_a_policy_that_begins_after_the_history_is_said_to(tmp_path: Path) -> None:
    first = replace(policy().phases[0], starts_at=START + 400 * DAY)
    later = policy(phases=(first,))
    found, said = backtested(tmp_path, csv_file(tmp_path / "r.csv", rising("a1")), later)
    assert events(said) == []
    assert "begins on" in headline(report(found)["policies"][0])


def test_every_form_of_a_history_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = sorted([*rising("a1"), *rising("a2", step=HOUR * 7), ReadingRow(5, "a3", 3)])
    said = []
    for name in ("r.csv", "r.csv.gz"):
        said.append(backtested(tmp_path, csv_file(tmp_path / name, rows))[1])
    said.append(backtested(tmp_path, parquet_file(tmp_path / "r.parquet", rows))[1])
    names = ("observed_at", "platform", "account_id", "followers", "category")
    lines = [dict(zip(names, row.line(), strict=True)) for row in rows]
    said.append(backtested(tmp_path, json_file(tmp_path / "r.jsonl", lines))[1])
    (tmp_path / "parts").mkdir()
    for number, part in enumerate((rows[:7], rows[7:])):
        parquet_file(tmp_path / "parts" / f"{number}.parquet", part)
    said.append(backtested(tmp_path, tmp_path / "parts")[1])
    assert len(events(said[0])) > 8
    assert all(it == said[0] for it in said)


def test_labels_of_a_file_of_their_own_are_joined_to_the_accounts_that_matter(
    tmp_path: Path,
) -> None:
    rows = [
        row._replace(label="") for row in [*rising("a1"), *rising("a2"), ReadingRow(0, "a3", 5)]
    ]
    labels = [
        {"platform": PLATFORM, "account_id": account, "category": "财经", "observed_at": at}
        for account, at in (("a1", rfc3339(START)), ("a3", rfc3339(START)))
    ]
    found, said = backtested(
        tmp_path,
        csv_file(tmp_path / "r.csv", rows),
        labels=str(json_file(tmp_path / "l.jsonl", labels)),
    )
    assert {it.split()[0] for it in words_of(said)} == {"a1"}
    assert found.carried.labels == {PLATFORM: {"财经": 1}}


def test_words_of_a_file_take_the_place_of_the_model(tmp_path: Path) -> None:
    about = {"platform": PLATFORM, "account_id": "a1"}
    about["invitation_id"] = invitation_id(PLATFORM, "a1", Mode.ENFORCE, 1)
    words = [
        about | {"outcome": "delivered", "occurred_at": rfc3339(START + 8 * HOUR)},
        about | {"answer": "granted", "occurred_at": rfc3339(START + 9 * HOUR)},
    ]
    _, said = backtested(
        tmp_path,
        csv_file(tmp_path / "r.csv", rising("a1")),
        words=str(json_file(tmp_path / "w.jsonl", words)),
    )
    assert words_of(said) == [
        "a1 invitation.issued over_line",
        "a1 invitation.delivered receipt",
        "a1 consent.granted answer",
    ]


def test_policies_that_share_a_scan_say_what_each_says_alone(tmp_path: Path) -> None:
    rows = sorted([*rising("a1"), *(row._replace(platform="douyin") for row in rising("a2"))])
    readings = csv_file(tmp_path / "r.csv", rows)
    three = (
        policy(),
        policy(stability=stability(dwell=DAY)),
        policy(platform="douyin"),
    )
    _, together = backtested(tmp_path, readings, *three)
    for number, one in enumerate(three):
        _, alone = backtested(tmp_path, readings, one)
        own = [it._replace(policy="p0") for it in together if it.policy == f"p{number}"]
        assert own == alone


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("others", [3, 900])
def test_seven_platforms_beside_others_say_what_each_says_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: bool, others: int
) -> None:
    """One account id on all of them; `others` rows are of a platform that no policy knows."""
    monkeypatch.setattr(scan, "EXACT_ROWS", 5_000_000 if exact else 0)
    highs = (1000, 1400, 1501, 1800, 2000, 3000, 90_000)
    lines = dict(zip(PLATFORMS, highs, strict=True))
    rows = [row._replace(platform=name) for row in rising("a1") for name in lines]
    rows += [ReadingRow(HOUR * number, "a1", 5_000, platform="nowhere") for number in range(others)]
    readings = parquet_file(tmp_path / "r.parquet", sorted(rows))
    seven = [
        policy(platform=name, phases=(Phase("first", line, START - DAY, None, None),))
        for name, line in lines.items()
    ]
    found, together = backtested(tmp_path, readings, *seven)
    plain = report(found)
    sums: Counter[str] = Counter()
    for number, one in enumerate(seven):
        single, alone = backtested(tmp_path, readings, one, now=found.now)
        own = [it._replace(policy="p0") for it in together if it.policy == f"p{number}"]
        assert own == alone
        (expected,) = report(single)["policies"]
        assert plain["policies"][number] | {"policy": "p0"} == expected
        carried = report(single)["carried"]
        assert plain["carried"]["days"][one.platform] == carried["days"][one.platform]
        names = ("readings", "accounts", "accounts_that_matter", "readings_that_matter")
        sums.update({name: carried[name] for name in names})
    assert {name: plain["carried"][name] for name in sums} == dict(sums)
    assert plain["carried"]["left_out"] == {"unknown_platform": others}
    crossed = [it["upward_crossings"] for it in plain["policies"]]
    assert crossed == [{"1": 1}, {"1": 1}, {}, {}, {}, {}, {}]


def test_the_model_gives_the_stated_shares_and_the_same_ones_every_time(tmp_path: Path) -> None:
    rows = sorted(row for number in range(400) for row in rising(f"a{number}", days=2))
    readings = parquet_file(tmp_path / "r.parquet", rows)
    model = read_model("model:granted=0.6,declined=0.1,bounced=0.05,delay=PT1H,seed=3")
    found, said = backtested(tmp_path, readings, model=model, now=START + 30 * DAY)
    stages = found.tallies[0].stages()
    assert stages["invitation.issued"] == 400
    assert 8 <= stages["invitation.undeliverable"] <= 34
    assert 200 <= stages["consent.granted"] <= 260
    assert 20 <= stages["consent.declined"] <= 60
    assert backtested(tmp_path, readings, model=model, now=START + 30 * DAY)[1] == said
    other = replace(model, seed=4)
    assert backtested(tmp_path, readings, model=other, now=START + 30 * DAY)[1] != said
    assert "60.00% grant, 10.00% decline, 30.00% are silent" in report(found)["history"]["model"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model:granted=0.8,declined=0.3", "granted and declined together at most 1"),
        ("model:granted=nan", "shares are 0 to 1"),
        ("model:grated=1", "'grated=1': say each of"),
        ("model:delay=two", "delay=two: not a duration like P2D"),
        ("model:seed=x", "seed=x: not a number"),
    ],
)
def test_a_model_that_nobody_can_mean_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_model(text)


def test_line_one_says_what_the_data_can_carry(tmp_path: Path) -> None:
    rows = [*rising("a1", days=2), *rising("a2", days=2), ReadingRow(0, "a3", 5)]
    rows += [
        ReadingRow(9 * DAY, "a1", 1600, UNKNOWN),
        ReadingRow(9 * DAY, "b", 7, platform="nowhere"),
    ]
    rows += [ReadingRow(9 * DAY, "a1", -1), ReadingRow(-20 * 366 * DAY, "a1", 2000)]
    found, _ = backtested(tmp_path, csv_file(tmp_path / "r.csv", rows))
    assert first_line(report(found)) == (
        "The data carry 20 readings of 3 accounts, 2024-01-01 to 2024-01-10 (23 rows; left out:"
        " 1 bad_time, 1 out_of_range, 1 unknown_platform); 2 accounts with 19 readings matter to"
        " the policies; no reading on 2024-01-04 to 2024-01-09 (weibo); 1 unknown labels, by"
        " accounts: 钓鱼 (1)."
    )


def test_against_says_only_what_changes_with_its_first_reason_and_instant(tmp_path: Path) -> None:
    rows = sorted([*rising("a1"), *rising("b1", days=1)])
    readings = csv_file(tmp_path / "r.csv", rows)
    longer = policy(version=2, stability=stability(dwell=3 * DAY))
    found, _ = backtested(tmp_path, readings, policy(), longer, end=START + 2 * DAY)
    one, other = found.tallies
    assert [(it.what, it.under, it.account_id, it.at, it.reason) for it in changes(one, other)] == [
        ("invited", "p0", "a1", rfc3339(START + 7 * HOUR), "over_line"),
        ("invited", "p0", "b1", rfc3339(START + 7 * HOUR), "over_line"),
    ]
    assert changes(one, one) == []


def test_the_page_needs_nothing_from_outside_and_says_everything_in_text(tmp_path: Path) -> None:
    found, _ = backtested(tmp_path, csv_file(tmp_path / "<r>.csv", rising("a1")))
    text = page(report(found), found.tallies)
    assert "http" not in text.replace('http-equiv="Content-Security-Policy"', "")
    assert "<script" not in text
    assert "src=" not in text.replace("default-src", "").replace("style-src", "")
    assert "&lt;r&gt;.csv" in text
    assert "1 accounts invited" in text
    assert "<td>a1</td><td>recommend-feed</td><td>limited</td>" in text
    assert text.count("<svg") >= 5
    assert page(report(found), found.tallies) == text


def test_a_run_works_in_a_folder_of_its_owner_and_leaves_nothing_there(tmp_path: Path) -> None:
    backtested(tmp_path, csv_file(tmp_path / "r.csv", rising("a1")))
    assert stat.S_IMODE((tmp_path / "work").stat().st_mode) == 0o700
    assert os.listdir(tmp_path / "work") == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "r.csv",
            "observed_at,platform,account_id\n2024-01-01T00:00:00Z,weibo,a\n",
            "no column fo",
        ),
        ("r.csv", "observed_at,platform,account_id,followers\n", "no reading of weibo"),
        ("r.txt", "", "name a file that ends in .parquet, .csv"),
        ("r.jsonl", "{", "cannot be read"),
        ("r.parquet", "x", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_is_wrong(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=message) as raised:
        backtested(tmp_path, tmp_path / name)
    assert str(raised.value).startswith(f"--readings {tmp_path / name}: ")


def test_a_line_that_is_no_word_is_named(tmp_path: Path) -> None:
    words = json_file(tmp_path / "w.jsonl", [{"platform": PLATFORM, "account_id": "a1"}])
    with pytest.raises(UsageError, match="line 1 is no answer, receipt, control or account change"):
        backtested(tmp_path, csv_file(tmp_path / "r.csv", rising("a1")), words=str(words))


def test_nobody_answers_unless_it_is_said(tmp_path: Path) -> None:
    assert AnswerModel() == read_model("model")
    found, _ = backtested(tmp_path, csv_file(tmp_path / "r.csv", rising("a1")))
    assert found.tallies[0].stages()["consent.granted"] == 0

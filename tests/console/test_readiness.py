"""Shadow report and roll-out on pages: asked for once, worked out beside the console, kept."""

import html
import json
import re
import time
from pathlib import Path
from threading import Event

import pytest

from schemas.enums import Mode
from streams.console.aside import Aside, Chore, CommandEnd, CommandProcess
from streams.index import kept
from streams.index.database import reading
from streams.index.kept import KeptState, ReportKind
from tests.console.given import ConsoleGround, guard
from tests.console.test_pages import plain
from tests.core.given import DAY, policy
from tests.index.filled import filled
from tests.operate.recording import Tape, invited

SHADOW, ROLLOUT = "/policies/shadow", "/policies/rollout"


@pytest.fixture
def shadowed(tmp_path: Path) -> ConsoleGround:
    """Where a platform is in shadow, and a command really runs."""
    recorded = Tape(policy(mode=Mode.SHADOW))
    invited(recorded, "c1")
    recorded.wait(DAY).sealed()
    ground = ConsoleGround(filled(tmp_path, recorded), recorded.now, tmp_path)
    ground.runs_commands()
    return ground


def ask(ground: ConsoleGround, path: str, name: str = "numbers", **form: str) -> str:
    """Press the button, wait until it is worked out, and load the page again."""
    ground.now += 1_000
    browser = ground.signed_in(name)
    answer = browser.post(path, data={"guard": guard(browser.get(path)), **form})
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    ground.console.aside.wait()
    return browser.get(path).text


def newest(ground: ConsoleGround, kind: ReportKind) -> kept.KeptReport:
    with reading(ground.engine) as connection:
        (first, *_) = kept.listed(connection, kind)
        found = kept.find(connection, kind, first.id)
    assert found is not None
    return found


def test_the_shadow_report_is_what_the_command_says(shadowed: ConsoleGround) -> None:
    browser = shadowed.signed_in("numbers")
    assert "Nobody has asked for it yet" in browser.get(SHADOW).text
    page = ask(shadowed, SHADOW)
    it = newest(shadowed, ReportKind.SHADOW)
    assert (it.state, it.actor) == (KeptState.DONE, "numbers")
    (platform,) = json.loads(it.content or "")["platforms"]
    text = plain(page)
    assert f"{platform['platform']}: Version {platform['version']}" in text
    for step, count in platform["said"]["shadow"].items():
        if step in ("invited", "delivered"):
            assert re.search(rf"{step}\s*{count}", text), (step, count)
    assert platform["enforce"]["invited"] == 1
    assert "1 accounts invited" in text
    for note in platform["notes"]:
        assert note in text
    assert "numbers asked for it" in text


def test_a_roll_out_has_its_verdict(shadowed: ConsoleGround) -> None:
    page = ask(shadowed, ROLLOUT, **{"raise": "1"})
    assert shadowed.commands.asked == [["rollout", "status", "--json", "--raise"]]
    (platform,) = json.loads(newest(shadowed, ReportKind.ROLLOUT).content or "")["platforms"]
    # The recording is of another year, so the index is behind.
    assert platform["verdict"] == "hold"
    for why in platform["why"]:
        assert why in plain(page)
    assert "weibo: hold" in plain(page)


def test_what_failed_says_why_and_an_earlier_report_stays(ground: ConsoleGround) -> None:
    told = {"platforms": [], "as_of": None, "behind": 0}
    ground.commands.ran = CommandEnd(0, json.dumps(told), "")
    assert "Nothing is in shadow" in ask(ground, SHADOW)
    ground.commands.ran = CommandEnd(2, "", "the index is <b>away</b>")
    page = ask(ground, SHADOW)
    assert "could not be worked out" in page
    assert "the index is &lt;b&gt;away&lt;/b&gt;" in page
    assert "Nothing is in shadow" in page
    ground.commands.ran = CommandEnd(0, "", "")
    assert "wrote more than is kept" in ask(ground, SHADOW)


def test_one_of_a_kind_is_worked_out_at_a_time_and_a_lost_one_is_said_to_be(
    ground: ConsoleGround,
) -> None:
    begun = kept.begin(ground.engine, ReportKind.SHADOW, "", "desk.1", ground.now)
    assert begun is not None
    browser = ground.signed_in("numbers")
    page = browser.get(SHADOW).text
    assert "desk.1 asked for it" in page
    assert 'hx-trigger="every 3s"' in page
    assert ground.commands.asked == []
    ask(ground, SHADOW)
    assert ground.commands.asked == []
    kept.alive(ground.engine, begun, ground.now + 1)
    ground.now += kept.LOST_MS + 1
    page = browser.get(SHADOW).text
    assert "has given no sign since" in page
    assert "hx-trigger" not in page
    ask(ground, SHADOW)
    assert len(ground.commands.asked) == 1


def test_a_platform_that_is_none_is_refused_and_never_a_word_of_a_command(
    ground: ConsoleGround,
) -> None:
    browser = ground.signed_in("numbers")
    for path in (SHADOW, ROLLOUT):
        for platform in ("--backtest=/etc/passwd", "<img src=x>", "nowhere"):
            form = {"guard": guard(browser.get(path)), "platform": platform}
            answer = browser.post(path, data=form)
            assert answer.status_code == 400
            assert "<img" not in answer.text
    form = {"guard": guard(browser.get(SHADOW)), "backtest": "0" * 32}
    assert browser.post(SHADOW, data=form).status_code == 400
    assert ground.commands.asked == []


def test_what_is_hostile_in_a_report_is_escaped(ground: ConsoleGround) -> None:
    evil = "<img src=x onerror=alert(1)>"
    none = {"ever": 0, "at_the_end": 0}
    platform = {
        "platform": evil,
        "version": evil,
        "digest": evil,
        "mode": evil,
        "policy": "file",
        "said": {"shadow": None, "live": None, "surfaces": {evil: {"shadow": none}}},
        "enforce": {"refused": evil, "surfaces": {}, "unknown": evil},
        "notes": [evil],
        "backtests": [
            {
                "policy": evil,
                "differs": True,
                "why": [evil],
                "counts": [{"what": evil, "shadow": 0, "backtest": 1, "difference": -1}],
            }
        ],
    }
    told = {"platforms": [platform], "as_of": None}
    ground.commands.ran = CommandEnd(1, json.dumps(told), evil)
    page = ask(ground, SHADOW)
    assert "<img" not in page
    assert page.count(html.escape(evil)) >= 10


def test_the_newest_of_a_kind_are_kept(ground: ConsoleGround) -> None:
    told = {"platforms": [], "as_of": None, "behind": 0}
    ground.commands.ran = CommandEnd(0, json.dumps(told), "")
    for _ in range(kept.NEWEST + 2):
        ground.now += 60_000
        ask(ground, ROLLOUT)
    with reading(ground.engine) as connection:
        rows = kept.listed(connection, ReportKind.ROLLOUT)
    assert len(rows) == kept.NEWEST
    assert rows[0].made_at == ground.now


def test_a_command_is_ended_with_the_console(
    ground: ConsoleGround, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "streams.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.chdir(tmp_path)
    run = CommandProcess()
    aside = Aside(ground.engine, tmp_path, lambda: ground.now, run)
    began = time.monotonic()
    assert aside.begin(Chore(ReportKind.SHADOW, "", lambda _: []), "desk.1")
    time.sleep(0.5)
    aside.close()
    assert time.monotonic() - began < 30
    assert newest(ground, ReportKind.SHADOW).state is KeptState.WORKING
    assert not list(tmp_path.glob("aside-*"))


def test_a_long_command_gives_signs_of_life(
    ground: ConsoleGround, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.console.aside.BEAT_SECONDS", 0.2)
    (tmp_path / "streams.py").write_text("import time\ntime.sleep(1)\nprint('{}')\n")
    monkeypatch.chdir(tmp_path)
    beats: list[int] = []
    (tmp_path / "work").mkdir()
    ran = CommandProcess()([], tmp_path / "work", lambda: beats.append(1), Event())
    assert (ran.code, ran.said) == (0, "{}\n")
    assert beats

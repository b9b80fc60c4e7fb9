"""The seventeen questions of a night on call, asked of a demo: `python -m tests.index.questions`.

It plays `byline demo --keep`, follows it with an index, and asks each question as a person would:
the shipped program as a process of its own. Each answer has to hold the words that answer it.
Prints a table; `--write` keeps it in questions.md. Exit 1 where one has no answer. `--demo FILE`
asks one that was left running; the file is what it said.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = Path(__file__).with_name("questions.md")
EVENTS = "byline events --kafka --json"
SAID = "--actor op.1 --reason incident"
MEND = f"""#!{sys.executable}
import json, sys
it = json.load(sys.stdin)
it.setdefault("observed_at", sys.argv[1]) if "followers" in it else it.setdefault("actor", "op.1")
print(json.dumps(it))
"""


@dataclass(frozen=True, slots=True)
class IndexQuestion:
    """One question and a command that answers it: a pattern that its answer holds, its exit code.

    `text` empty: a second command for the same question.
    """

    number: int
    text: str
    command: str
    holds: str
    code: int = 0


@dataclass(frozen=True, slots=True)
class IndexAnswer:
    """What came of it: seconds of the whole command, the line that answers, whether one does."""

    question: IndexQuestion
    seconds: float
    line: str
    ok: bool


def questions(who: Mapping[str, str], folder: Path) -> list[IndexQuestion]:
    """All of them; `who`: an account in each state."""
    restricted, asked, day = who["restricted"], who["delivered"], who["day"]
    return [
        IndexQuestion(1, "Why was X invited?", f"byline explain {asked}", r"invitation is issued"),
        IndexQuestion(
            2, "Why was X restricted?", f"byline explain {restricted}", r"restriction begins"
        ),
        IndexQuestion(2, "", f"byline statement {restricted} --lang en", r"(?i)no answer|said no"),
        IndexQuestion(3, "What happens to X next, and when?", f"byline explain {asked}", r"clock"),
        IndexQuestion(
            4,
            "Who will be restricted in 24 hours, and what does each wait for?",
            "byline worklist pending --within-hours 24",
            r"\d+ pending",
        ),
        IndexQuestion(5, "How many, by platform, today?", "byline funnel", r"^restricted"),
        IndexQuestion(
            6, "Is it keeping up?", "byline status", r"^All inputs are read|the first waits for"
        ),
        IndexQuestion(6, "", "byline doctor", r"nothing is wrong"),
        IndexQuestion(
            7, "What was refused, and why?", "byline dead-letters list", r"\d+ dead letters"
        ),
        IndexQuestion(
            8,
            "Mend it and send it again.",
            "byline dead-letters redrive --refused-for missing_field"
            f" --through '{folder}/mend {day}' --actor op.1 --reason error_correction --yes",
            r"[1-9]\d* sent again",
        ),
        IndexQuestion(
            9,
            "What if weibo's line were 500,000, the window three days?",
            f"byline backtest {folder}/lower/weibo.yaml --readings kafka --labels kafka"
            f" --against {folder}/running/weibo.yaml",
            r"^(invited|restricted) +\d+ +\d+",
        ),
        IndexQuestion(
            10,
            "Stop everything adverse for weibo; undo.",
            f"byline switch adverse-off on --scope weibo {SAID} --wait",
            r"adverse",
        ),
        IndexQuestion(
            11, "Which switches are on, which guards tripped?", "byline status", r"adverse_off"
        ),
        IndexQuestion(11, "", "byline switch list", r"adverse_off"),
        IndexQuestion(
            10, "", f"byline switch adverse-off off --scope weibo {SAID} --wait", r"adverse"
        ),
        IndexQuestion(
            12,
            "Lift one account.",
            f"byline control lift {who['invited']} {SAID}",
            r"(?i)lift|sent",
        ),
        IndexQuestion(
            13,
            "Undo a bulk.",
            f"byline control bulk {folder}/bulk.txt --command hold --bulk-id night-1 {SAID} --yes",
            r"\d",
        ),
        IndexQuestion(13, "", f"byline control undo night-1 {SAID} --yes", r"\d"),
        IndexQuestion(
            14,
            "A policy changed: what, exactly?",
            f"byline policy diff {folder}/running/weibo.yaml {folder}/lower/weibo.yaml",
            r"^who is restricted: ",
        ),
        IndexQuestion(
            15,
            "Who approved which version, since when does it run?",
            "byline policy history",
            r"\d+ versions",
        ),
        IndexQuestion(15, "", "byline policy check --running", r"same"),
        IndexQuestion(
            16,
            "This month's numbers for the transparency report.",
            f"byline report --from {who['month']} --to {who['tomorrow']} --as csv",
            r"throttle\.applied",
        ),
        IndexQuestion(
            17,
            "A worker is in a crash loop: what do its logs say, what do I do?",
            f"env BYLINE_POLICIES={folder}/broken byline worker",
            r"weibo\.yaml:\d+",
            2,
        ),
        IndexQuestion(
            17, "", f"env BYLINE_POLICIES={folder}/broken byline doctor", r"weibo\.yaml:\d+", 1
        ),
    ]


def accounts(environment: Mapping[str, str]) -> dict[str, str]:
    """One that was restricted in the demo; and by hand, for a demo ends: invited ones, one told."""
    names = [f"night-{number}" for number in range(6)]
    send(environment, "category-changes", names, category="财经")
    time.sleep(2)
    send(environment, "follower-counts", names, followers=1_000_000)
    issued: dict[str, str] = {}
    while len(issued) < len(names):
        events = [json.loads(it) for it in run(EVENTS, environment).stdout.splitlines()]
        mine = [it for it in events if it["event"] == "invitation.issued"]
        issued = {it["account_id"]: it["invitation_id"] for it in mine if it["account_id"] in names}
    told = names[0]
    run(f"byline control hold wechat:{told} --actor op.1 --reason operator_request", environment)
    send(environment, "notice-receipts", [told], invitation_id=issued[told], outcome="delivered")
    throttled = [it for it in events if it["event"] == "throttle.applied"]
    live = next(it for it in throttled if it["mode"] == "enforce")
    return {
        "restricted": f"{live['platform']}:{live['account_id']}",
        "delivered": f"wechat:{told}",
        "invited": f"wechat:{names[1]}",
        "bulk": "\n".join(f"wechat:{it}" for it in names[2:5]),
    }


def send(environment: Mapping[str, str], topic: str, names: list[str], **more: object) -> None:
    """Inputs of now, as a person's lines."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    said = "occurred_at" if topic in ("notice-receipts", "consent-answers") else "observed_at"
    lines = [json.dumps({"platform": "wechat", "account_id": it, said: at, **more}) for it in names]
    done = run(f"byline send {topic}", environment, text="\n".join(lines))
    assert done.returncode == 0, done.stderr


def run(
    command: str, environment: Mapping[str, str], seconds: float = 180, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """As a person types it, from the folder of the project."""
    return subprocess.run(
        shlex.split(command.replace("byline ", f"{sys.executable} -m streams ", 1)),
        env=dict(environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        input=text,
    )


def ask(question: IndexQuestion, environment: Mapping[str, str]) -> IndexAnswer:
    """Run it and look for its answer."""
    began = time.monotonic()
    done = run(question.command, environment)
    seconds = time.monotonic() - began
    said = (done.stdout + done.stderr).splitlines()
    found = [it for it in said if re.search(question.holds, it)]
    ok = bool(found) and done.returncode == question.code
    if not ok:
        sys.stderr.write(f"{question.command}: {done.returncode}\n{done.stdout}{done.stderr}\n")
    return IndexAnswer(question, seconds, found[0].strip() if found else "–", ok)


def table(answers: Iterable[IndexAnswer], folder: Path) -> str:
    """The page."""
    load = os.getloadavg()[0]
    lines = [
        "# The seventeen questions of a night on call, asked of a demo",
        "",
        "`python -m tests.index.questions --write` plays `byline demo --keep`, follows it with an",
        "index, and asks. Seconds are those of the whole command, its start included (load average",
        f"{load:.0f} on two cores). The answer is the line that answers; there is more.",
        "",
        "| # | question | command | seconds | exit | answer |",
        "|---|---|---|---|---|---|",
    ]
    rows = [
        (
            it.question.number,
            it.question.text,
            f"`{_bare(it.question.command, folder)}`",
            f"{it.seconds:.1f}",
            it.question.code if it.ok else "**no**",
            _bare(it.line, folder)[:150].replace("|", "\\|"),
        )
        for it in answers
    ]
    rows.sort(key=lambda row: int(row[0]))
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _bare(text: str, folder: Path) -> str:
    return re.sub(r"\s+", " ", text.replace(f"{folder}/", "").replace(str(ROOT), "."))


def demo(folder: Path, said: Path | None) -> tuple[dict[str, str], str]:
    """Play it, unless one was left; the settings of its Kafka, and the command that ends it."""
    if said is None:
        environment = {**os.environ, "TMPDIR": str(folder), "COLUMNS": "300"}
        text = run("byline demo --keep", environment, 600).stdout
    else:
        text = said.read_text()
    stop = re.search(r"^\s*(sh \S+stop\.sh)", text, re.M)
    assert stop is not None, text
    found = dict(re.findall(r"export (BYLINE_\w+)=(\S+)", text))
    return found, stop[1]


def prepared(who: dict[str, str], folder: Path, policies: str) -> None:
    """Files that the commands need: a program that mends, a bulk, policies of which one is faulty.

    `running` has weibo's policy, `lower` the next version of it with half the lines and three days.
    """
    mend = folder / "mend"
    mend.write_text(MEND)
    mend.chmod(0o755)
    (folder / "bulk.txt").write_text(who["bulk"] + "\n")
    broken = folder / "broken"
    broken.mkdir()
    for it in Path(policies).glob("*.yaml"):
        text = it.read_text()
        it_is = it.name == "weibo.yaml"
        (broken / it.name).write_text(
            text.replace("exit_ratio: 0", "exit_ratio: 7") if it_is else text
        )
    text = (Path(policies) / "weibo.yaml").read_text()
    lower = re.sub(r"followers: (\d+)", lambda it: f"followers: {int(it[1]) // 2}", text)
    lower = re.sub(r"answer_window: \w+", "answer_window: P3D", lower)
    for name, content in (
        ("running", text),
        ("lower", re.sub(r"(?m)^version: 1$", "version: 2", lower)),
    ):
        (folder / name).mkdir()
        (folder / name / "weibo.yaml").write_text(content)
    today = datetime.now(UTC)
    who["day"] = (today - timedelta(minutes=1)).isoformat(timespec="seconds")
    who["month"] = today.replace(day=1).strftime("%Y-%m-01T00:00:00Z")
    who["tomorrow"] = (today + timedelta(days=1)).strftime("%Y-%m-%dT00:00:00Z")


def main() -> int:
    """Ask all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--demo", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="byline-questions-") as name:
        folder = Path(name)
        found, stop = demo(folder, options.demo)
        (folder / "data").mkdir(mode=0o700)
        environment = {**os.environ, **found, "BYLINE_DATA_DIR": str(folder / "data")}
        follows = subprocess.Popen(
            [sys.executable, "-m", "streams", "index", "--follow"], env=environment, cwd=ROOT
        )
        try:
            who = accounts(environment)
            prepared(who, folder, found["BYLINE_POLICIES"])
            time.sleep(10)
            answers = [ask(it, environment) for it in questions(who, folder)]
        finally:
            follows.terminate()
            follows.wait(60)
            if options.demo is None:
                subprocess.run(shlex.split(stop), check=False)
        page = table(answers, folder)
    if options.write:
        PAGE.write_text(page)
    print(page)
    return 0 if all(it.ok for it in answers) else 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.policies.pairs`: verdicts on random pairs of policies against brute force.

Policies come in families: one random policy and its relatives, each with one to three values drawn
anew. Every pair of a family is compared. Brute force leads random accounts, drawn without a look at
the regions, through the core under every policy: none may contradict a verdict, and each example
has to show its difference again when its inputs are replayed. Writes pairs.md. With `--keep FILE`
the result of each family is a line there, and a run that was stopped goes on after the last one.
"""

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from multiprocessing import Pool
from pathlib import Path
from typing import Any

from schemas.enums import Field, Level, Mode, Surface
from streams.core.model.policy import Consequence, Phase, Policy, Restriction
from streams.lives.account import Fate, ImaginedAccount, Put, fate, led_again
from streams.lives.regions import QUARTER
from streams.lives.unled import Question
from streams.lives.verdict import CaseVerdict, compare_led, differences
from tests.core.given import DAY, HOUR, SECOND, START
from tests.core.given import policy as base_policy

TABLE = Path(__file__).with_name("pairs.md")
LINES, FIELDS = (1000, 2000, 3000), (Field.FINANCE, Field.LAW, Field.HEALTH)
LABELS = {"财经": Field.FINANCE, "法律": Field.LAW, "医疗": Field.HEALTH}
MODES = (Mode.OFF, Mode.SHADOW, Mode.ENFORCE, Mode.ENFORCE, Mode.ENFORCE)
DATES = (START, START + 5 * DAY, START + 9 * DAY)
ALLOWED = {
    CaseVerdict.EQUIVALENT: set(),
    CaseVerdict.STRICTER: {1},
    CaseVerdict.MILDER: {-1},
    CaseVerdict.INCOMPARABLE: {1, -1},
}
"""The directions that an account may show under a verdict. No search here is cut short."""
MOST_REGIONS = 1_000_000


def phases(rng: random.Random) -> tuple[Phase, ...]:
    """One or two phases, the later one lower; now and then one without a date."""
    dates = sorted(rng.sample(DATES, rng.choice((1, 1, 2))))
    lines = sorted(rng.sample(LINES, len(dates)), reverse=True)
    found = []
    for number, (starts_at, line) in enumerate(zip(dates, lines, strict=True)):
        answer_by = starts_at + 12 * DAY if rng.random() < 0.25 else None
        mode = rng.choice((None, None, None, Mode.SHADOW))
        none = number and rng.random() < 0.2
        found.append(Phase(f"phase-{number}", line, None if none else starts_at, answer_by, mode))
    return tuple(found)


def surfaces(rng: random.Random) -> dict[Surface, Restriction]:
    """One or two surfaces, some with a mode of their own."""
    chosen = rng.sample((Surface.TIPS, Surface.COMMERCE, Surface.SEARCH), rng.choice((1, 2)))
    return {
        it: Restriction(rng.choice(list(Level)), rng.choice((None, None, Mode.SHADOW)))
        for it in sorted(chosen)
    }


def _stability(policy: Policy, **changes: Any) -> Policy:
    return replace(policy, stability=replace(policy.stability, **changes))


def _consequence(policy: Policy, **changes: Any) -> Policy:
    return replace(policy, consequence=replace(policy.consequence, **changes))


CHANGES: dict[str, Callable[[Policy, random.Random], Policy]] = {
    "mode": lambda it, rng: replace(it, mode=rng.choice(MODES)),
    "phases": lambda it, rng: replace(it, phases=phases(rng)),
    "covered": lambda it, rng: replace(
        it, covered=rng.choice((None, frozenset(rng.sample(FIELDS, 1)), frozenset(FIELDS[:2])))
    ),
    "labels": lambda it, rng: replace(
        it, labels=dict(rng.sample(sorted(LABELS.items()), rng.choice((1, 2, 3))))
    ),
    "dwell": lambda it, rng: _stability(it, dwell=rng.choice((0, DAY, 3 * DAY))),
    "exit_ratio": lambda it, rng: _stability(it, exit_ratio_ppm=rng.choice((900_000, 950_000))),
    "leave_after": lambda it, rng: _stability(it, leave_after=rng.choice((0, 2 * DAY, 5 * DAY))),
    "cool_down": lambda it, rng: _stability(it, cool_down=rng.choice((0, 4 * DAY))),
    "max_age": lambda it, rng: _stability(it, max_age=rng.choice((None, 2 * DAY, 30 * DAY))),
    "window": lambda it, rng: replace(
        it,
        notice=replace(it.notice, reminders=(), answer_window=rng.choice((3 * DAY, 7 * DAY))),
    ),
    "surfaces": lambda it, rng: _consequence(it, surfaces=surfaces(rng)),
    "on": lambda it, rng: _consequence(
        it, on=frozenset(rng.choice((("declined",), ("no_answer",), ("declined", "no_answer"))))
    ),
    "expires_after": lambda it, rng: _consequence(it, expires_after=rng.choice((20, 30)) * DAY),
    "keep": lambda it, rng: replace(it, keep_on_fall_below=rng.random() < 0.5),
    "rollout": lambda it, rng: replace(it, rollout_percent=rng.choice((0, 50, 100))),
}


def family(seed: int, size: int) -> list[Policy]:
    """A random policy and its relatives."""
    rng = random.Random(seed)
    parent = base_policy(covered=None, labels=dict(LABELS), exempt_labels=frozenset())
    parent = replace(parent, consequence=_without_reviews(parent.consequence))
    for change in CHANGES.values():
        parent = change(parent, rng)
    parent = replace(parent, mode=Mode.ENFORCE, rollout_percent=100)
    found = [parent]
    while len(found) < size:
        relative = parent
        for name in rng.sample(sorted(CHANGES), rng.choice((1, 1, 2, 3))):
            relative = CHANGES[name](relative, rng)
        found.append(relative)
    return found


def _without_reviews(consequence: Consequence) -> Consequence:
    return replace(consequence, review_after=20 * DAY)


def random_account(rng: random.Random) -> ImaginedAccount:
    """An account drawn without a look at any policy's regions."""
    since = rng.randint(START - 20 * DAY, START + 30 * DAY) // SECOND * SECOND
    if rng.random() < 0.5:
        since = rng.choice(DATES) + rng.randint(-14, 14) * DAY + rng.choice((-1, 0, 1)) * HOUR
    followers = rng.choice((rng.randint(800, 3500), *LINES, *(it - 1 for it in LINES)))
    kind = rng.choice(("steady", "steady", "falls", "falls", "heard once", "lifted"))
    falls = kind == "falls"
    return ImaginedAccount(
        f"r{rng.randint(1, 400)}",
        rng.choice((*LABELS, "别的")),
        followers,
        since,
        rng.choice(("silent", "declined")),
        falls_to=rng.randint(500, followers) if falls else None,
        falls_for=rng.choice((None, rng.randint(2, 8 * 86_400) * SECOND)) if falls else None,
        heard_once=kind == "heard once",
        lifted=kind == "lifted",
    )


class Remembered:
    """Leads each account once under each policy."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, ImaginedAccount, int], tuple[Fate, list[Put]]] = {}

    def __call__(
        self, policy: Policy, account: ImaginedAccount, until: int
    ) -> tuple[Fate, list[Put]]:
        """As `fate`."""
        key = (policy.digest, account, until)
        if key not in self.known:
            self.known[key] = fate(policy, account, until)
        return self.known[key]


def signs(one: Fate, other: Fate) -> dict[Question, set[int]]:
    """The directions of each question."""
    return dict(differences(one, other))


def judge_family(task: tuple[int, int, int]) -> dict[str, Any]:
    """Compares every pair of a family with brute force."""
    seed, size, accounts = task
    began = time.perf_counter()
    policies, fates = family(seed, size), Remembered()
    rng = random.Random(seed + 1)
    drawn = [random_account(rng) for _ in range(accounts)]
    until = -(-(START + 120 * DAY) // QUARTER) * QUARTER
    brute = [[fate(policy, account, until)[0] for account in drawn] for policy in policies]
    counts: Counter[str] = Counter()
    contradictions: list[str] = []
    for i, j in combinations(range(size), 2):
        counts["pairs"] += 1
        led = compare_led(policies[i], policies[j], fates, most=MOST_REGIONS)
        answers = {it.question: it for it in led}
        for question, answer in answers.items():
            counts[f"{question}/{answer.verdict}"] += 1
            for direction, example in ((1, answer.stricter), (-1, answer.milder)):
                if example is None:
                    continue
                counts["examples"] += 1
                counts["own inputs"] += not example.shared
                again = [
                    led_again(policy, example.account, inputs, example.until)
                    for policy, inputs in (
                        (policies[i], example.inputs),
                        (policies[j], example.inputs_after),
                    )
                ]
                if direction not in signs(*again)[question]:
                    contradictions.append(f"{seed}/{i}/{j}: an example of {question} is not real")
        for account, one, other in zip(drawn, brute[i], brute[j], strict=True):
            counts["accounts"] += 1
            for question, found in signs(one, other).items():
                counts[f"shown/{question}"] += bool(found)
                if not found <= ALLOWED[answers[question].verdict]:
                    verdict = answers[question].verdict
                    contradictions.append(
                        f"{seed}/{i}/{j}: {question} is {verdict}, but {found}: {account}"
                    )
    return {
        "seed": seed,
        "counts": dict(counts),
        "led": len(fates.known) + size * accounts,
        "contradictions": contradictions[:20],
        "contradicted": len(contradictions),
        "seconds": time.perf_counter() - began,
    }


def table(results: list[dict[str, Any]], size: int, accounts: int) -> str:
    """pairs.md."""
    counts: Counter[str] = Counter()
    for it in results:
        counts.update(it["counts"])
    wrong = [line for it in results for line in it["contradictions"]]
    contradicted = sum(it["contradicted"] for it in results)
    head = "| question | " + " | ".join(ALLOWED) + " | accounts that differ |"
    lines = [
        "# Verdicts of `byline policy diff` against brute force",
        "",
        "Made by `python -m tests.policies.pairs`: its first lines say how.",
        "",
        f"* seeds {', '.join(str(it['seed']) for it in results)}; {size} policies a family,"
        f" {accounts} random accounts a family",
        f"* {counts['pairs']:,} pairs, {counts['accounts']:,} comparisons of an account under two"
        f" policies, {sum(it['led'] for it in results):,} lives led through the core",
        f"* {counts['examples']:,} examples, each replayed under both policies; of them"
        f" {counts['own inputs']:,} in which each life needs inputs of its own",
        f"* {contradicted} contradictions",
        f"* {sum(it['seconds'] for it in results):.0f} s of one process",
        "",
        head,
        "|---" * 6 + "|",
    ]
    for question in Question:
        cells = [f"{counts[f'{question}/{it}']:,}" for it in ALLOWED]
        lines.append(f"| {question} | {' | '.join(cells)} | {counts[f'shown/{question}']:,} |")
    return "\n".join([*lines, *([""] if wrong else []), *(f"* {it}" for it in wrong)]) + "\n"


def main() -> None:
    """Judges families one after the other; what is done is written down each time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", type=int, default=10)
    parser.add_argument("--size", type=int, default=46)
    parser.add_argument("--accounts", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=TABLE)
    parser.add_argument("--keep", type=Path, help="results so far: size, accounts and core as now")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.families)
    keep: Path | None = options.keep
    results: list[dict[str, Any]] = []
    if keep is not None and keep.exists():
        results = [json.loads(line) for line in keep.read_text("utf-8").splitlines()]
    done = {it["seed"] for it in results}
    tasks = [(seed, options.size, options.accounts) for seed in seeds if seed not in done]
    with Pool(options.processes) as pool:
        for result in pool.imap(judge_family, tasks):
            results.append(result)
            if keep is not None:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(result, ensure_ascii=False) + "\n")
            options.out.write_text(table(results, options.size, options.accounts), "utf-8")
            print(json.dumps(result, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()

"""`tests/bench/run SCENARIO…`: measure, print, write JSON; `report` and `profile` beside it."""

import argparse
import dataclasses
import datetime
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from tests.bench import before_after, machine, profiling, report, steps, steps_cases
from tests.bench.contestants import CONTESTANTS, available
from tests.bench.gates import LINES, hold
from tests.bench.options import Options
from tests.bench.results import BenchRun, Results, read, together
from tests.bench.scenarios import (
    backlogs,
    capacity,
    deadline_storm,
    label_storm,
    latency,
    memory,
    recovery,
    skew,
    soak,
)
from tests.bench.site import Site
from tests.bench.table import show, show_gates

Scenario = Callable[[Site, Options], Iterator[BenchRun]]

SCENARIOS: dict[str, Scenario] = {
    "drain": backlogs.drains,
    "worst": backlogs.worst,
    "partitions": backlogs.partitions,
    "workers": backlogs.workers,
    "accounts": backlogs.accounts,
    "memory": memory.run,
    "recovery": recovery.run,
    "latency": latency.run,
    "deadline-storm": deadline_storm.run,
    "label-storm": label_storm.run,
    "skew": skew.run,
    "capacity": capacity.run,
    "soak": soak.run,
}
WITHOUT_GATES = ("workers", "label-storm", "skew", "capacity", "soak")
NEEDED = tuple(name for name in SCENARIOS if name not in WITHOUT_GATES)
GATE_PEERS = "byline,byline-2,kstreams,faust,raw-json,raw-msgspec"


def main(arguments: list[str] | None = None) -> int:
    """Parse and do; the exit code."""
    given = _parser().parse_args(arguments)
    # A run that is told to end takes its broker and its peers with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return int(given.do(given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="SCENARIO")
    every = {
        **{name: (name,) for name in SCENARIOS},
        "all": tuple(SCENARIOS),
        "needed": NEEDED,
    }
    for name, chosen in every.items():
        verb = verbs.add_parser(name, help=_help(name))
        verb.set_defaults(do=_measure, scenarios=chosen)
        default = GATE_PEERS if name == "needed" else ",".join(CONTESTANTS)
        _add_measuring(verb, default)
    sub = verbs.add_parser("before-after", help="two trees of the shipped code in alternate rounds")
    sub.set_defaults(do=_before_after)
    sub.add_argument("before", type=Path, help="a checkout of the code of before")
    sub.add_argument("--scenarios", default=",".join(before_after.SCENARIOS))
    sub.add_argument("--rounds", type=int, default=5)
    sub.add_argument("--scale", type=float, default=1.0)
    sub.add_argument("--json", type=Path)
    sub = verbs.add_parser("steps", help="the core's steps in two trees, without Kafka")
    sub.set_defaults(do=_steps)
    sub.add_argument("before", type=Path, help="a checkout of the code of before")
    sub.add_argument("--rounds", type=int, default=3)
    sub.add_argument("--cases", default="", help=f"comma between: {', '.join(steps_cases.TIMED)}")
    sub = verbs.add_parser("report", help="README.md and charts/ from results")
    sub.add_argument("results", nargs="*", type=Path)
    sub.set_defaults(do=_report)
    sub = verbs.add_parser("gates", help="hold results against issue 5; exit 1 if a line fails")
    sub.add_argument("results", nargs="+", type=Path)
    sub.add_argument("--gates", default=",".join(LINES), help="lines, comma between")
    sub.set_defaults(do=_gates)
    sub = verbs.add_parser("profile", help="where a worker's time goes, by py-spy")
    sub.add_argument("--scale", type=float, default=1.0)
    sub.add_argument("--tracked", action="store_true", help="the worst case instead of the drain")
    sub.add_argument("--out", type=Path, help="where to keep the folded stacks")
    sub.set_defaults(do=_profile)
    return parser


def _help(name: str) -> str:
    if name in SCENARIOS:
        return (SCENARIOS[name].__doc__ or "").strip().splitlines()[0]
    return "every scenario" if name == "all" else f"what --gates asks for: {', '.join(NEEDED)}"


def _add_measuring(verb: argparse.ArgumentParser, peers: str) -> None:
    verb.add_argument("--rounds", type=int, default=3, help="how often each takes its turn")
    verb.add_argument("--scale", type=float, default=1.0, help="of sizes; 0.01 is a smoke run")
    verb.add_argument("--peers", default=peers, help="comma between; those there are: %(default)s")
    verb.add_argument("--minutes", type=float, default=3.0, help="of the soak")
    verb.add_argument("--json", type=Path, help="where to write settings, machine and all figures")
    verb.add_argument(
        "--gates",
        nargs="?",
        const=",".join(LINES),
        help="exit 1 when a line of issue 5's must-show fails; lines, comma between",
    )


def _measure(given: argparse.Namespace) -> int:
    console = Console(width=None if sys.stdout.isatty() else 220)
    names = given.peers.split(",")
    unknown = set(names) - set(CONTESTANTS)
    if unknown:
        console.print(f"no such peer: {', '.join(unknown)}; there are {', '.join(CONTESTANTS)}")
        return 2
    options = Options(
        scale=given.scale,
        rounds=given.rounds,
        contestants=tuple(available(names, console.print)),
        minutes=given.minutes,
        say=lambda words: console.print(f"{_time()} {words}", highlight=False),
    )
    results = Results(
        settings={
            "scenarios": list(given.scenarios),
            "scale": given.scale,
            "rounds": given.rounds,
            "peers": [one.name for one in options.contestants],
            "minutes": given.minutes,
            "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
        machine=machine.facts(),
    )
    with Site() as site:
        for name in given.scenarios:
            for run in SCENARIOS[name](site, options):
                results.runs.append(run)
                options.say(_words(run))
                if given.json:
                    results.save(given.json)
    show(results, console)
    failed = any("failed" in run.figures for run in results.runs)
    wrong = any(run.verdict and not run.verdict.right for run in results.runs)
    if given.gates:
        return max(int(failed or wrong), _judge(results, given.gates, console))
    return int(failed or wrong)


def _before_after(given: argparse.Namespace) -> int:
    console = Console(width=None if sys.stdout.isatty() else 160)
    options = Options(
        scale=given.scale,
        rounds=given.rounds,
        contestants=(CONTESTANTS["byline"],),
        say=lambda words: console.print(f"{_time()} {words}", highlight=False),
    )
    results = Results(
        settings={
            "scenarios": given.scenarios.split(","),
            "scale": given.scale,
            "rounds": given.rounds,
            "peers": ["before", "after"],
            "began": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
        machine=machine.facts(),
    )
    chosen = {name: SCENARIOS[name] for name in given.scenarios.split(",")}
    with Site() as site:
        for run in before_after.runs(site, options, given.before.resolve(), chosen):
            results.runs.append(run)
            options.say(_words(run))
            if given.json:
                results.save(given.json)
    return int(not before_after.show(results, console))


def _steps(given: argparse.Namespace) -> int:
    console = Console(width=None if sys.stdout.isatty() else 160)
    cases = [case for case in given.cases.split(",") if case]
    unknown = set(cases) - set(steps_cases.TIMED)
    if unknown:
        console.print(f"no such case: {', '.join(sorted(unknown))}")
        return 2
    before = given.before.resolve()
    return int(not steps.compare(before, given.rounds, cases, console, console.print))


def _time() -> str:
    return datetime.datetime.now().strftime("%H:%M:%S")


def _words(run: BenchRun) -> str:
    """A run in a line, as it ends."""
    shown = {
        name: value
        for name, value in run.figures.items()
        if name not in ("failed", "began_at") and not isinstance(value, list)
    }
    words = " ".join(f"{name}={value}" for name, value in shown.items() if name != "verdict")
    right = run.verdict is None or run.verdict.right
    end = "" if right else f" WRONG {run.verdict}"
    if "failed" in run.figures:
        end = f" NOT FINISHED {run.figures['failed'].splitlines()[0][:200]}"
    return f"{run.scenario}, {run.case}, {run.peer}, round {run.round + 1}: {words}{end}"


def _judge(results: Results, lines: str, console: Console) -> int:
    outcomes = hold(results, tuple(lines.split(",")))
    show_gates(outcomes, console)
    fails = sorted({one.gate.line for one in outcomes if not one.holds})
    if fails:
        console.print(f"not shown: {', '.join(fails)}")
    return int(bool(fails))


def _report(given: argparse.Namespace) -> int:
    report.write(given.results)
    return 0


def _gates(given: argparse.Namespace) -> int:
    console = Console(width=None if sys.stdout.isatty() else 220)
    results = together([read(path) for path in given.results])
    return _judge(results, given.gates, console)


def _profile(given: argparse.Namespace) -> int:
    console = Console(width=None if sys.stdout.isatty() else 160)
    options = dataclasses.replace(Options(), scale=given.scale)
    with Site() as site:
        found = profiling.profile(site, options, tracked=given.tracked, out=given.out)
    profiling.show(found, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())

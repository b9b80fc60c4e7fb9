"""Measures the rates of backtests against the bare work of the libraries beneath, in one run.

    python -m tests.backtest.rates --rows 20000000 --rounds 3    # into rates.json beside this
    python -m tests.backtest.rates --goals FOLDER    # 100 M and 1 B readings: goals.json

Each measurement is a process of its own; what is compared takes turns. Files are made first, from
no person's data: one account in 200 is over the floor.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

SHIPPED = Path(__file__).parents[2] / "deploy" / "policies"
PLATFORMS = ("baidu", "bilibili", "douyin", "kuaishou", "wechat", "weibo", "xiaohongshu")
FLOOR = 475_000
_TEXT = "strftime({}, '%Y-%m-%dT%H:%M:%S.%gZ')"
BIG = 200
"""One account in so many is big."""
GATES = (
    ("backtest, Parquet", "DuckDB's semi-join in order, Parquet", 2.5),
    ("backtest, CSV.gz", "pyarrow's bare read, CSV.gz", 2.0),
    (
        "backtest, seven platforms, seven policies",
        "backtest, seven platforms, one policy",
        1.5,
    ),
    ("backtest, seven variants", "backtest, Parquet", 4.0),
)
"""Case, the case of the same round beside it, and how many times as long it may take."""


def make(path: Path, rows: int, *, platforms: int = 1, big: int = BIG) -> None:
    """Readings in order of time over 60 days; about 60 of each account."""
    accounts = max(rows // 60, 1000)
    names = ", ".join(f"'{name}'" for name in PLATFORMS)
    who = "'weibo'" if platforms == 1 else f"[{names}][1 + account % 7]"
    form = "(FORMAT parquet)" if path.suffix == ".parquet" else "(FORMAT csv, HEADER)"
    connection = duckdb.connect()
    connection.execute("SET threads = 2; SET TimeZone = 'UTC'; SET memory_limit = '2GB'")
    at = f"make_timestamp(1704067200000000 + i * {60 * 86_400_000_000 // rows})"
    at = f"{at} AT TIME ZONE 'UTC'" if path.suffix == ".parquet" else _TEXT.format(at)
    connection.execute(
        f"COPY (SELECT {at} AS observed_at, {who} AS platform, 'a' || account AS account_id,"
        f" (CASE WHEN account % {big} = 0 THEN 470000 + (hash(account) % 600000)::BIGINT"
        f" + 20000 * i // {rows} ELSE (hash(account) % 400000)::BIGINT END"
        " + (hash(i) % 500)::BIGINT)::BIGINT AS followers, '财经' AS category FROM (SELECT i,"
        f" (i * 2654435761) % {accounts} AS account FROM range({rows}) AS numbers(i)))"
        f" TO '{path}' {form}"
    )


def semi_join(path: str) -> int:
    """DuckDB's own: the rows of accounts that ever reach the floor, in order, taken out."""
    connection = duckdb.connect()
    connection.execute("SET threads = 2; SET memory_limit = '700MB'")
    reader = connection.sql(
        f"SELECT * FROM '{path}' SEMI JOIN (SELECT DISTINCT platform, account_id FROM '{path}'"
        f" WHERE followers >= {FLOOR}) USING (platform, account_id) ORDER BY observed_at"
    ).to_arrow_reader(20_000)
    return sum(batch.num_rows for batch in reader)


def bare_csv(path: str) -> int:
    """pyarrow's own reading of a gzipped CSV file, batch by batch."""
    from pyarrow import csv

    return sum(batch.num_rows for batch in csv.open_csv(path))


def backtest(path: str, policies: list[str]) -> int:
    """The command, as a person starts it."""
    from streams.cli import main

    try:
        main(["backtest", *policies, "--readings", path])
    except SystemExit as done:
        return int(done.code or 0)
    return 0


def measured(what: str, *words: str) -> dict[str, float]:
    """A process of its own: seconds, CPU seconds and its largest resident size in MB.

    On a machine that others use CPU seconds are what can be compared.
    """
    command = [sys.executable, "-m", "tests.backtest.rates", "--do", what, *words]
    began = time.monotonic()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {running.returncode}")
    seconds = time.monotonic() - began
    cpu = usage.ru_utime + usage.ru_stime
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "rss_mb": round(usage.ru_maxrss / 1024),
    }


def variants(folder: Path) -> list[str]:
    """Seven policies of one platform that differ in their dwell."""
    text, paths = (SHIPPED / "weibo.yaml").read_text(), []
    for hours in range(1, 8):
        path = folder / f"weibo-{hours}.yaml"
        path.write_text(text.replace("dwell: PT24H", f"dwell: PT{hours}H"))
        paths.append(str(path))
    return paths


def run(rows: int, rounds: int, folder: Path, out: Path) -> None:
    """All measurements, in turn."""
    weibo = str(SHIPPED / "weibo.yaml")
    seven = [str(SHIPPED / f"{name}.yaml") for name in PLATFORMS]
    one, many = folder / "one.parquet", folder / "seven.parquet"
    small, full = folder / "small.csv", folder / "full.parquet"
    make(one, rows)
    make(many, rows, platforms=7)
    make(small, rows // 4)
    make(full, rows // 40, big=1)
    subprocess.run(["gzip", "-1", "-f", str(small)], check=True)
    cases: dict[str, tuple[int, tuple[str, ...]]] = {
        "DuckDB's semi-join in order, Parquet": (rows, ("semi_join", str(one))),
        "backtest, Parquet": (rows, ("backtest", str(one), weibo)),
        "pyarrow's bare read, CSV.gz": (rows // 4, ("bare_csv", f"{small}.gz")),
        "backtest, CSV.gz": (rows // 4, ("backtest", f"{small}.gz", weibo)),
        "backtest, seven platforms, one policy": (rows, ("backtest", str(many), weibo)),
        "backtest, seven platforms, seven policies": (rows, ("backtest", str(many), *seven)),
        "backtest, seven variants": (rows, ("backtest", str(one), *variants(folder))),
        "backtest, every account passes": (rows // 40, ("backtest", str(full), weibo)),
    }
    measure(cases, rounds, rows, out)


def goals(folder: Path, rounds: int, out: Path) -> None:
    """The largest files there are goals for; those that lie in `folder` already are not made anew.

    They take some 20 GB. 100 M readings in Parquet should take 20 s, in CSV.gz 60 s, 1 B 240 s.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weibo, million = str(SHIPPED / "weibo.yaml"), 1_000_000
    cases: dict[str, tuple[int, tuple[str, ...]]] = {}
    for name, rows in (("m100.parquet", 100), ("m100.csv.gz", 100), ("b1.parquet", 1000)):
        path = folder / name
        if not path.exists():
            made = path.with_name(path.name.replace(".", "-made.", 1))
            make(made, rows * million)
            made.rename(path)
        cases[f"backtest, {name}"] = (rows * million, ("backtest", str(path), weibo))
    cases["DuckDB's semi-join in order, m100.parquet"] = (
        100 * million,
        ("semi_join", str(folder / "m100.parquet")),
    )
    measure(cases, rounds, 1000 * million, out)


def measure(
    cases: dict[str, tuple[int, tuple[str, ...]]], rounds: int, rows: int, out: Path
) -> None:
    """Measures all cases in turn; written after each round, so that an interruption keeps them."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, (_, words) in cases.items():
            found[name].append(measured(*words))
            print(name, found[name][-1], flush=True)
        write(out, rows, cases, found)
    for case, one in ratios(found).items():
        by_clock, by_cpu = one["seconds"], one["cpu_seconds"]
        print(f"{case} to {one['to']}, at most {one['most']}: {by_clock}, by CPU {by_cpu}")


def ratios(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Each gate by the clock and by the processor: the median of the rounds' ratios, and these."""
    table: dict[str, Any] = {}
    for case, base, most in GATES:
        if case in found and base in found:
            table[case] = {"to": base, "most": most}
            for what in ("seconds", "cpu_seconds"):
                every = [
                    round(one[what] / other[what], 2)
                    for one, other in zip(found[case], found[base], strict=True)
                ]
                table[case][what] = {"median": median(every), "rounds": every}
    return table


def write(out: Path, rows: int, cases: Any, found: dict[str, list[dict[str, float]]]) -> None:
    """Seconds of each round, median rate by the clock and by CPU, largest resident size; ratios."""
    table = {
        name: {
            "rows": cases[name][0],
            "seconds": [it["seconds"] for it in every],
            "cpu_seconds": [it["cpu_seconds"] for it in every],
            "rows_a_second": round(cases[name][0] / median(it["seconds"] for it in every)),
            "rows_a_cpu_second": round(cases[name][0] / median(it["cpu_seconds"] for it in every)),
            "rss_mb": max(it["rss_mb"] for it in every),
        }
        for name, every in found.items()
    }
    load = round(os.getloadavg()[0], 1)
    settings = {"rows": rows, "big": f"1 in {BIG}", "cores": os.cpu_count(), "load_at_end": load}
    kept = {"settings": settings, "cases": table, "ratios": ratios(found)}
    out.write_text(json.dumps(kept, indent=1) + "\n")


def main() -> None:
    """Arguments in the module's docstring; `--do` is one measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="default: rates.json or goals.json beside this")
    parser.add_argument("--goals", type=Path, help="a folder for 20 GB of files")
    parser.add_argument("--do", nargs="+")
    asked = parser.parse_args()
    name = "rates.json" if asked.goals is None else "goals.json"
    out = asked.out or Path(__file__).with_name(name)
    if asked.goals is not None:
        goals(asked.goals, asked.rounds, out)
        return
    if asked.do is None:
        with tempfile.TemporaryDirectory() as folder:
            run(asked.rows, asked.rounds, Path(folder), out)
        return
    what, path, *policies = asked.do
    if what == "backtest":
        raise SystemExit(backtest(path, policies))
    (semi_join if what == "semi_join" else bare_csv)(path)


if __name__ == "__main__":
    main()

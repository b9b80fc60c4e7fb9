"""Fifty people at once on an index of its full size: how soon each page comes, and the memory.

    python -m tests.console.load --database sqlite --folder DIR
    python -m tests.console.load --database postgresql --folder DIR --write

The index is that of `python -m tests.index.rates`, made here if DIR has none: of a million accounts
and ten million decisions. `byline console` is a process of its own; the people are this process, on
the same machine. Each has one stream of news open all the time, and asks for a page every five
seconds, chosen at random from MIX. Prints one line of JSON for each page and one for all; `--write`
puts them into a file beside this one, too. Exits 1 if any page failed or came too late.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from sqlalchemy import Engine, func, insert, select

from schemas.topics import CHANGELOGS
from streams.index import schema, tables
from streams.index.database import open_engine, reading, url_of, writing
from streams.settings import SettingsWithoutPolicies
from streams.settings_checks import variable
from tests.console.given import digest
from tests.index import grown, rates
from tests.index.asking import percentiles
from tests.support.postgresql import Server

MIX: dict[str, tuple[int, str]] = {
    "overview": (16, "/"),
    "overview, 30 days": (4, "/?days=30"),
    "account": (30, "/accounts/weibo:{account}"),
    "search by id": (6, "/accounts?q={account}"),
    "search by beginning": (4, "/accounts?q=weibo:{beginning}"),
    "work-list pending": (5, "/worklists/pending"),
    "work-list pending, 7 days": (2, "/worklists/pending?within=168&by=account"),
    "work-list undeliverable": (2, "/worklists/undeliverable"),
    "work-list unconfirmed": (2, "/worklists/unconfirmed"),
    "work-list unclear": (2, "/worklists/unclear"),
    "work-list appeals": (2, "/worklists/appeals"),
    "work-list unacknowledged": (2, "/worklists/unacknowledged"),
    "dead letters": (4, "/dead-letters"),
    "dead letters, all": (2, "/dead-letters?show=all"),
    "proposals": (3, "/proposals"),
    "policies": (3, "/policies"),
    "policy": (2, "/policies/{digest}"),
    "report, 7 days": (4, "/reports"),
    "report, 30 days": (2, "/reports?from={month}&to={today}"),
    "report, file": (1, "/reports/download?as=csv"),
    "accesses": (2, "/accesses"),
}
"""Page → how many of a hundred requests, and its path."""
EVERY_SECONDS = 5.0
WANTED = {"p50_ms": 80.0, "p95_ms": 250.0}
READY_SECONDS = 60.0


def person(number: int) -> str:
    """The actor's id; `token-of-` before it is the token."""
    return f"desk.{number}"


@dataclass
class LoadFound:
    """What the people saw: milliseconds by page, what failed, how often news came."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    faults: Counter[str] = field(default_factory=Counter)
    news: int = 0

    def lines(self) -> Iterator[dict[str, object]]:
        """One for each page, and one for all."""
        for name in MIX:
            if self.took[name]:
                yield {"page": name, "asked": len(self.took[name]), **_sums(self.took[name])}
        every = [it for took in self.took.values() for it in took]
        yield {"page": "all", "asked": len(every), **_sums(every)}


def _sums(took: list[float]) -> dict[str, float]:
    return percentiles(sorted(took))


@dataclass(frozen=True)
class People:
    """Those who look at the pages. `policy`: the digest of one that is in force."""

    address: str
    accounts: int
    seed: int
    end: float
    policy: str

    def path(self, path: str, rng: random.Random) -> str:
        """With something at random in its places."""
        account = grown.name_of(rng.randrange(self.accounts), self.seed)
        day = time.gmtime(time.time() - 30 * 86_400)
        return path.format(
            account=account,
            beginning=account[:4],
            digest=self.policy,
            month=time.strftime("%Y-%m-%d", day),
            today=time.strftime("%Y-%m-%d"),
        )

    async def look(self, number: int, found: LoadFound) -> None:
        """One person: signs in, listens, and asks for a page every five seconds."""
        rng = random.Random(f"{self.seed}:{number}")
        await asyncio.sleep(rng.uniform(0, EVERY_SECONDS))
        async with await entered(self.address, number) as client:
            listening = asyncio.create_task(self._listen(client, found))
            while time.monotonic() < self.end:
                began = time.monotonic()
                (name,) = rng.choices([*MIX], [it[0] for it in MIX.values()])
                try:
                    async with client.get(self.path(MIX[name][1], rng)) as answer:
                        await answer.read()
                        if answer.status != 200:
                            found.faults[f"{name}: {answer.status}"] += 1
                    found.took[name].append((time.monotonic() - began) * 1000)
                except (aiohttp.ClientError, TimeoutError) as error:
                    found.faults[f"{name}: {type(error).__name__}"] += 1
                await asyncio.sleep(max(0.0, began + EVERY_SECONDS - time.monotonic()))
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def _listen(self, client: aiohttp.ClientSession, found: LoadFound) -> None:
        endless = aiohttp.ClientTimeout(total=None, sock_read=60)
        try:
            async with client.get("/live", timeout=endless) as answer:
                if answer.status != 200:
                    found.faults[f"live: {answer.status}"] += 1
                async for line in answer.content:
                    found.news += line.startswith(b"event: news")
            found.faults["live: ended"] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            found.faults[f"live: {type(error).__name__}"] += 1


async def entered(address: str, number: int) -> aiohttp.ClientSession:
    """A browser in which this person is signed in."""
    jar = aiohttp.CookieJar(unsafe=True)
    client = aiohttp.ClientSession(address, cookie_jar=jar, timeout=aiohttp.ClientTimeout(30))
    async with client.get("/sign-in") as answer:
        guard = re.search(r'name="guard" value="([0-9a-f]{64})"', await answer.text())
    assert guard is not None
    form = {"guard": guard[1], "token": f"token-of-{person(number)}"}
    async with client.post("/sign-in", data=form, allow_redirects=False) as answer:
        assert answer.status == 303, answer.status
    return client


def as_indexed(engine: Engine, newest: int) -> str:
    """Marks the index as one that has read everything; returns the digest of a policy."""
    with writing(engine) as connection:
        if connection.scalar(select(func.count()).select_from(tables.positions)) == 0:
            about = {"topic": CHANGELOGS[0].name, "first_offset": 0, "unreadable": 0}
            connection.execute(
                insert(tables.positions),
                [{**about, "partition": it, "next_offset": 0} for it in range(grown.PARTITIONS)],
            )
        if connection.scalar(select(func.count()).select_from(tables.freshness)) == 0:
            fresh = {"id": 1, "as_of": newest, "behind": 0, "written_at": newest}
            connection.execute(insert(tables.freshness), fresh)
    with reading(engine) as connection:
        return str(connection.scalars(select(tables.policies.c.digest)).first())


class RunningConsole:
    """`byline console` as a person starts it; `memory` is what it takes, in MiB."""

    def __init__(self, process: "subprocess.Popen[bytes]", address: str) -> None:
        self._process, self.address = process, address

    @property
    def memory(self) -> int:
        """The resident set."""
        return self._status("VmRSS")

    @property
    def own_memory(self) -> int:
        """What of it is no file: nobody else has it, and the system cannot take it back."""
        return self._status("RssAnon")

    def _status(self, name: str) -> int:
        said = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(said.partition(f"{name}:")[2].split()[0]) // 1024

    @property
    def processor(self) -> float:
        """Seconds of a processor that it has used."""
        said = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(said[11]) + int(said[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def console(given: dict[str, object], folder: Path, people: int) -> Iterator[RunningConsole]:
    """The process; its output goes to a file in the folder."""
    roles, said = folder / "console.roles", folder / "console.said"
    held = "viewer,operator,auditor"
    lines = [f"{digest(f'token-of-{person(it)}')} {person(it)} {held}\n" for it in range(people)]
    roles.write_text("".join(lines))
    environment = {**os.environ, **{variable(name): str(it) for name, it in given.items()}}
    environment |= {variable("roles_file"): str(roles), "PYTHONUNBUFFERED": "1"}
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "streams", "console", "--port", "0"],
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        end = time.monotonic() + READY_SECONDS
        while (found := re.search(r"open (http://\S+:\d+)/", said.read_text())) is None:
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < end, said.read_text()
            time.sleep(0.05)
        yield RunningConsole(process, found[1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


async def looked(running: RunningConsole, people: People, count: int) -> tuple[LoadFound, int]:
    """Until the end; what they saw, and the most memory that the console took meanwhile."""
    found, most = LoadFound(), 0
    tasks = [asyncio.create_task(people.look(it, found)) for it in range(count)]
    while not all(it.done() for it in tasks):
        most = max(most, running.memory)
        await asyncio.wait(tasks, timeout=1.0)
    await asyncio.gather(*tasks)
    return found, most


def each_alone(running: RunningConsole, people: People, times: int) -> list[dict[str, object]]:
    """Every page some times, one after the other: what it takes where nobody else asks."""

    async def ask() -> list[dict[str, object]]:
        rng, lines = random.Random(people.seed), []
        async with await entered(people.address, 0) as client:
            for name, (_, path) in MIX.items():
                took, before = [], running.processor
                for _ in range(times):
                    began = time.monotonic()
                    async with client.get(people.path(path, rng)) as answer:
                        size = len(await answer.read())
                        assert answer.status == 200, (name, answer.status)
                    took.append((time.monotonic() - began) * 1000)
                used = (running.processor - before) * 1000 / times
                line = {"page": name, "bytes": size, "processor_ms": round(used, 1)}
                lines.append({**line, **_sums(took)})
        return lines

    return asyncio.run(ask())


def made(folder: Path, options: argparse.Namespace, settings: SettingsWithoutPolicies) -> int:
    """Make the index, unless it is there; the time (ms) of its newest records."""
    mark = folder / f"{options.database}.made"
    if not mark.exists():
        return rates.made(folder, settings, options)[1]
    engine = open_engine(url_of(settings))
    schema.bring_up(engine, int(time.time() * 1000))
    engine.dispose()
    return int(mark.read_text())


def run(options: argparse.Namespace) -> bool:
    """Whether every page came, and soon enough."""
    folder = Path(options.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    with ExitStack() as stack:
        given: dict[str, object] = {"data_dir": folder / "data"}
        if options.database == "postgresql":
            server = stack.enter_context(Server(folder / "postgresql", rates.TUNED))
            given["database"] = server.url
        settings = SettingsWithoutPolicies(**given)  # type: ignore[arg-type]
        newest = made(folder, options, settings)
        engine = open_engine(url_of(settings))
        policy = as_indexed(engine, newest)
        engine.dispose()
        running = stack.enter_context(console(given, folder, options.people))
        end = time.monotonic() + options.minutes * 60
        people = People(running.address, options.accounts, options.seed, end, policy)
        if options.alone:
            for line in each_alone(running, people, options.alone):
                print(json.dumps(line), flush=True)
            return True
        before, load = running.processor, os.getloadavg()[0]
        found, memory = asyncio.run(looked(running, people, options.people))
        lines = list(found.lines())
        about = {
            "database": options.database,
            "accounts": options.accounts,
            "people": options.people,
            "minutes": options.minutes,
            "errors": found.faults.total(),
            "faults": dict(found.faults),
            "news": found.news,
            "memory_mib": memory,
            "memory_at_the_end_mib": running.memory,
            "own_memory_at_the_end_mib": running.own_memory,
            "processor_share": round((running.processor - before) / (options.minutes * 60), 2),
            "nice": os.nice(0),
            "load_before": round(load, 1),
            "load": round(os.getloadavg()[0], 1),
        }
        for line in [*lines, about]:
            print(json.dumps(line), flush=True)
    if options.write:
        write(options.database, lines, about)
    every = lines[-1]
    return not found.faults and all(float(str(every[it])) < most for it, most in WANTED.items())


def write(database: str, lines: list[dict[str, object]], about: dict[str, object]) -> None:
    """Keep it beside this file, as a table."""
    says = [f"# Pages under load, {database}", ""]
    says += [f"Made by `python -m tests.console.load --database {database} --folder DIR --write`."]
    says += [
        "",
        "| page | asked | p50 ms | p95 ms | p99 ms | most ms |",
        "|---|---|---|---|---|---|",
    ]
    columns = ("page", "asked", "p50_ms", "p95_ms", "p99_ms", "most_ms")
    says += [f"| {' | '.join(str(it[name]) for name in columns)} |" for it in lines]
    says += ["", *(f"* {name}: {value}" for name, value in about.items()), ""]
    for name, most in WANTED.items():
        held = "held" if float(str(lines[-1][name])) < most else "missed"
        says.append(f"Wanted: `{name}` of all under {most:.0f}: {held}.")
    Path(__file__).with_name(f"load-{database}.md").write_text("\n".join(says) + "\n")


def main() -> None:
    """Print one line of JSON for each page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--folder", required=True, help="not below a private one")
    parser.add_argument("--accounts", type=int, default=1_000_000, help="of ten decisions each")
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--alone", type=int, default=0, help="each page so often, nothing else")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--seed", type=int, default=15)
    sys.exit(0 if run(parser.parse_args()) else 1)


if __name__ == "__main__":
    main()

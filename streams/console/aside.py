"""Works out what takes long, by the program's own commands in a process beside the console.

So the pages stay quick, its memory is given back, and the console says what the command line says.
One command runs at a time, with less of a claim on the processor than the pages have. The result
is kept in the index's database (`streams.index.kept`), where every console finds it.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread
from typing import NamedTuple

from sqlalchemy import Engine

from streams.index import kept
from streams.index.errors import DatabaseAway, IndexFault
from streams.index.kept import KeptState, ReportKind
from streams.log_events import event

BEAT_SECONDS = 5.0
LONGEST_SECONDS = 2 * 3_600
NICE = 10
SAID = (0, 1)
"""The exit codes with which a command has said what it was asked."""
_log = logging.getLogger("streams.console")


class Chore(NamedTuple):
    """What is to be worked out.

    `name`: what it is about. `words`: the command, from the path of a folder of its own. `files`:
    what lies in the folder, by name. `result`: the file in it that the command writes; None: the
    result is what it prints. `facts`: says what stands beside a result in a list; None: what the
    command said is wrong.
    """

    kind: ReportKind
    name: str
    words: Callable[[Path], Sequence[str]]
    files: Mapping[str, str] = {}
    result: str | None = None
    facts: Callable[[str], str] | None = None


class CommandEnd(NamedTuple):
    """How a command ended: its exit code, what it printed, and what it said is wrong."""

    code: int
    said: str
    faults: str


Beat = Callable[[], None]
"""Called every few seconds while a command runs or waits."""
RunCommand = Callable[[Sequence[str], Path, Beat, Event], CommandEnd]
"""Runs a command: its words, a folder, the beat, and what ends it early."""


class CommandProcess:
    """Runs `byline` in a process. `first`: options before the command's own words."""

    def __init__(self, first: Sequence[str] = (), environment: Mapping[str, str] | None = None):
        self._first, self._environment = tuple(first), environment

    def __call__(self, words: Sequence[str], folder: Path, beat: Beat, ending: Event) -> CommandEnd:
        """Runs one command to its end."""
        out, err = folder / "stdout", folder / "stderr"
        command = [sys.executable, "-m", "streams", *self._first, *words]
        with out.open("wb") as said, err.open("wb") as faults:
            process = subprocess.Popen(  # noqa: S603  our own program; platforms are of a list
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=faults,
                env=None if self._environment is None else dict(self._environment),
            )
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            began = last = time.monotonic()
            while process.poll() is None:
                now = time.monotonic()
                if ending.wait(0.1) or now - began > LONGEST_SECONDS:
                    process.kill()
                    process.wait()
                elif now - last > BEAT_SECONDS:
                    last = now
                    beat()
        return CommandEnd(process.returncode, _text(out), _text(err))


def _text(path: Path) -> str:
    if path.stat().st_size > kept.MOST_BYTES:
        return ""
    return path.read_text(encoding="utf-8", errors="replace")


class Aside:
    """Begins chores, and keeps what comes of them.

    `folder`: where each has a folder of its own while it runs. `clock`: the present time in ms.
    """

    def __init__(
        self, engine: Engine, folder: Path, clock: Callable[[], int], run: RunCommand
    ) -> None:
        self._engine, self._folder, self._clock, self._run = engine, folder, clock, run
        self._one, self._ending = Lock(), Event()
        self._threads: list[Thread] = []

    def begin(self, chore: Chore, actor: str) -> bool:
        """Begins a chore; returns False if one of its kind is being worked out already.

        Raises DatabaseAway and IndexFault.
        """
        name = kept.begin(self._engine, chore.kind, chore.name, actor, self._clock())
        if name is None:
            return False
        thread = Thread(target=self._work, args=(chore, name), daemon=True)
        self._threads = [it for it in self._threads if it.is_alive()] + [thread]
        thread.start()
        return True

    def wait(self) -> None:
        """Waits until all that was begun has ended."""
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """Ends what runs; it counts as lost."""
        self._ending.set()
        self.wait()

    def _work(self, chore: Chore, name: str) -> None:
        def beat() -> None:
            with suppress(DatabaseAway, IndexFault):
                kept.alive(self._engine, name, self._clock())

        while not self._one.acquire(timeout=BEAT_SECONDS):
            beat()
        try:
            state, says, content = self._worked(chore, beat)
        finally:
            self._one.release()
        if self._ending.is_set():
            return
        try:
            kept.finish(self._engine, name, state, says, content, self._clock())
        except (DatabaseAway, IndexFault) as error:
            _log.error("a report is lost: %s", error, extra=event("report_not_kept"))

    def _worked(self, chore: Chore, beat: Beat) -> tuple[KeptState, str, str | None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=self._folder, prefix="aside-") as made:
                folder = Path(made)
                for name, text in chore.files.items():
                    (folder / name).write_text(text, encoding="utf-8")
                ran = self._run(chore.words(folder), folder, beat, self._ending)
                said = ran.said
                if chore.result is not None:
                    path = folder / chore.result
                    said = _text(path) if path.exists() else ""
        except OSError as error:
            return KeptState.FAILED, f"{error.strerror} ({self._folder})", None
        if ran.code in SAID and said:
            return KeptState.DONE, ran.faults if chore.facts is None else chore.facts(said), said
        fallback = f"the command ended with {ran.code}, or wrote more than is kept"
        return KeptState.FAILED, ran.faults.strip() or fallback, None

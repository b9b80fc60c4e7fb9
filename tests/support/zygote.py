"""Starts programs by fork from a process that has imported them already.

A start of Python with all of Byline's imports costs 2.4 s of a processor, a fork next to nothing:
on a small machine that is the difference between fifty faults and five hundred. The child runs
the same program with its own arguments, environment, network, session and output, and ends as
Python ends. What needs another process image (libfaketime, the code of another version) is started
in the ordinary way, and so is what a test says about starting.
"""

import ctypes
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CLONE_NEWNET = 0x40000000
BYLINE = "byline"


@dataclass(frozen=True)
class ZygoteOrder:
    """What a child runs. `program`: `byline`, or the path of a script of Python.

    `input` is what it reads, `output` and `errors` the files that it appends to; `namespace` the
    name of its network, none for that of the tests. `mutation` names what tests/chaos breaks on
    purpose in this child alone, nothing for none.
    """

    program: str
    arguments: Sequence[str]
    environment: dict[str, str]
    output: str
    errors: str
    input: str = os.devnull
    folder: str = str(ROOT)
    namespace: str = ""
    mutation: str = ""


class Child:
    """A forked process, with as much of `subprocess.Popen` as the tests need."""

    def __init__(self, pid: int, ended: threading.Condition) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises `subprocess.TimeoutExpired`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._ended:
            while self.returncode is None:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
                self._ended.wait(left)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.returncode is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                # It has ended, and the zygote's word of it is still under way.
                return

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(signal.SIGKILL)


class Zygote:
    """The process that is forked; `start` is safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: dict[int, Child] = {}
        self._early: dict[int, int] = {}
        self._answers: list[int] = []
        self._told = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            bufsize=1,
        )
        threading.Thread(target=self._listen, name="zygote", daemon=True).start()

    def start(self, order: ZygoteOrder) -> Child:
        """Fork a child."""
        with self._lock, self._told:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(asdict(order)) + "\n")
            self._process.stdin.flush()
            while not self._answers:
                if not self._told.wait(300):
                    raise RuntimeError("the zygote does not answer")
            pid = self._answers.pop()
            child = Child(pid, self._told)
            if pid in self._early:
                child.returncode = self._early.pop(pid)
            else:
                self._children[pid] = child
            return child

    def close(self) -> None:
        """End it; its children have been ended before."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told: dict[str, Any] = json.loads(line)
            with self._told:
                if "started" in told:
                    self._answers.append(told["started"])
                elif told["ended"] in self._children:
                    self._children.pop(told["ended"]).returncode = told["code"]
                else:
                    self._early[told["ended"]] = told["code"]
                self._told.notify_all()


def _say(**what: int) -> None:
    os.write(1, (json.dumps(what) + "\n").encode())


def _reap(*_: object) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _say(ended=pid, code=os.waitstatus_to_exitcode(status))


def _become(order: ZygoteOrder) -> None:
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if order.namespace:
        space = os.open(f"/run/netns/{order.namespace}", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(space, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    output = os.open(order.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    errors = (
        output
        if order.errors == order.output
        else os.open(order.errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    )
    os.dup2(os.open(order.input, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environment)
    sys.argv = [order.program, *order.arguments]
    if order.mutation:
        from tests.chaos.breakages import BREAKAGES
        from tests.chaos.mutants import MUTATIONS

        {**MUTATIONS, **BREAKAGES}[order.mutation]()
    if order.program == BYLINE:
        from streams.cli import main

        main()
    else:
        runpy.run_path(order.program, run_name="__main__")


def serve() -> None:
    """Import everything, then fork at each order until the orders end."""
    import confluent_kafka  # noqa: F401
    import uvloop  # noqa: F401

    import streams.app
    import streams.cli
    import streams.engine.faust_app  # noqa: F401
    from streams.cli.program import program_of

    program_of()
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, _reap)
    for line in sys.stdin:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if pid == 0:
            # From here on the child is a program like any other: what it raises, it ends with.
            _become(ZygoteOrder(**json.loads(line)))
            return
        _say(started=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


if __name__ == "__main__":
    serve()

"""Starts workers by fork from a process that has imported them already.

A start of Python with all of Byline's imports costs 2.4 s of a processor, a fork next to nothing:
on a small machine that is the difference between fifty faults and five hundred. The child runs
the same `byline worker` with its own environment, network, session and output. What needs another
process image (libfaketime) is started in the ordinary way.
"""

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

from tests.chaos.grounds import ROOT

CLONE_NEWNET = 0x40000000


class Child:
    """A forked worker, with as much of `subprocess.Popen` as the supervisor needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self.returncode


class Zygote:
    """The process that is forked; `start` is safe for several threads."""

    def __init__(self, mutation: str = "") -> None:
        self._lock = threading.Lock()
        self._children: dict[int, Child] = {}
        self._early: dict[int, int] = {}
        self._answers: list[int] = []
        self._answered = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.zygote", mutation],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            bufsize=1,
        )
        threading.Thread(target=self._listen, name="zygote", daemon=True).start()

    def start(self, environment: dict[str, str], namespace: str, log: str) -> Child:
        """Fork a worker."""
        with self._lock, self._answered:
            assert self._process.stdin is not None
            order = {"environment": environment, "namespace": namespace, "log": log}
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            while not self._answers:
                if not self._answered.wait(60):
                    raise RuntimeError("the zygote does not answer")
            pid = self._answers.pop()
            child = Child(pid)
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
            with self._answered:
                if "started" in told:
                    self._answers.append(told["started"])
                    self._answered.notify_all()
                    continue
                child = self._children.pop(told["ended"], None)
                if child is None:
                    self._early[told["ended"]] = told["code"]
                else:
                    child.returncode = told["code"]


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


def _become_worker(order: dict[str, Any]) -> None:
    os.setsid()
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if order["namespace"]:
        space = os.open(f"/run/netns/{order['namespace']}", os.O_RDONLY)
        if ctypes.CDLL(None, use_errno=True).setns(space, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["byline", "worker"]
    from streams.cli import main

    main()


def serve() -> None:
    """Import everything, then fork at each order until the orders end."""
    import confluent_kafka  # noqa: F401
    import uvloop  # noqa: F401

    import streams.app
    import streams.cli
    import streams.cli.run  # noqa: F401

    if sys.argv[1]:
        from tests.chaos.breakages import BREAKAGES
        from tests.chaos.mutants import MUTATIONS

        {**MUTATIONS, **BREAKAGES}[sys.argv[1]]()
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, _reap)
    for line in sys.stdin:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if pid == 0:
            try:
                _become_worker(json.loads(line))
            except SystemExit as ended:
                os._exit(int(ended.code or 0) if not isinstance(ended.code, str) else 1)
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _say(started=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


if __name__ == "__main__":
    serve()

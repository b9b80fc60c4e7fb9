"""The way out of a process for its lines: a bounded queue, and a thread that writes it down.

A pipe that nobody reads fills up, and whoever writes to it stands still: a worker would stop
working because its log is not read. Here only the thread stands still.
"""

import io
import os
import threading
import time
from collections import deque
from collections.abc import Callable

MOST_LINES = 10_000
MOST_BYTES = 8 * 1024 * 1024


class Outlet:
    """Lines to a descriptor, in order; when too many wait, further ones are left out and counted.

    `left_out` makes the line that says how many. A descriptor that is gone takes nothing any more,
    and nobody is told: there is nowhere to tell it.
    """

    def __init__(self, descriptor: int) -> None:
        self.left_out: Callable[[int], str] = lambda count: f"{count} lines were not written\n"
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._missed = 0
        self._gone = False
        self._busy = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="outlet", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Queue a line with its end; returns at once."""
        raw = line.encode("utf-8", "replace")
        with self._changed:
            if self._gone:
                return
            if len(self._lines) >= MOST_LINES or self._bytes + len(raw) > MOST_BYTES:
                self._missed += 1
                return
            self._lines.append(raw)
            self._bytes += len(raw)
            self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Wait until all lines are written, at most so long; whether they are."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while (self._lines or self._busy) and not self._gone:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._lines:
                    self._changed.wait()
                line = self._lines.popleft()
                self._bytes -= len(line)
                self._busy = True
                missed, self._missed = self._missed, 0
            try:
                self._write(line)
                if missed:
                    self._write(self.left_out(missed).encode())
            except OSError:
                with self._changed:
                    self._gone = True
                    self._lines.clear()
                    self._changed.notify_all()
                return

    def _write(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                # Somebody made the descriptor non-blocking: it is shared with other processes.
                time.sleep(0.05)


class LineStream(io.TextIOBase):
    """Stands for standard output or error: what anybody prints goes to the outlet, line by line.

    What is written at once and ends with a line's end stays together. `shape` makes a line of it,
    given the instant (seconds) and the text.
    """

    def __init__(self, outlet: Outlet, shape: Callable[[float, str], str]) -> None:
        super().__init__()
        self._outlet = outlet
        self._shape = shape
        self._begun = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Keep what is no whole line yet, hand on what is."""
        whole, end, rest = (self._begun + text).rpartition("\n")
        self._begun = rest
        if end and whole.strip():
            self._outlet.put(self._shape(time.time(), whole + end))
        return len(text)

"""Writes the output lines of a process from a thread, through a bounded queue.

A pipe that nobody reads fills up and blocks its writer, so a worker would stop because nobody reads
its log. Here only the thread is blocked. It also waits while a disk is full or fails.
"""

import errno
import io
import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable

MOST_LINES = 10_000
MOST_BYTES = 8 * 1024 * 1024
RETRY_SECONDS = 1.0
GONE = frozenset({errno.EPIPE, errno.EBADF})
"""Errors after which a descriptor never takes anything again."""


class Outlet:
    """Writes lines to a file descriptor, in order; if too many wait, drops and counts new ones.

    `left_out` makes the line that reports the number of dropped lines, given the last write error
    meanwhile (None: there was none). After an error the rest of the line is tried again, so that a
    partly written line is completed. If the reader is gone, all further lines are dropped without a
    message.
    """

    def __init__(self, descriptor: int) -> None:
        self.left_out: Callable[[int, OSError | None], str] = lambda count, _: (
            f"{count} lines were not written\n"
        )
        self._descriptor = descriptor
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._missed = 0
        self._error: OSError | None = None
        self._gone = False
        self._busy = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="outlet", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Queues a line, which must end with a line feed, and returns at once."""
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
        """Waits until all lines are written, at most `seconds`. Returns whether they are."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while (self._lines or self._busy) and not self._gone:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def _run(self) -> None:
        if _ends_within_a_line(self._descriptor):
            with self._changed:
                self._lines.appendleft(b"\n")
                self._bytes += 1
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._lines:
                    self._changed.wait()
                line = self._lines.popleft()
                self._bytes -= len(line)
                self._busy = True
            try:
                self._write(line)
                self._tell_missed()
            except OSError:
                with self._changed:
                    self._gone = True
                    self._lines.clear()
                    self._changed.notify_all()
                return

    def _tell_missed(self) -> None:
        """Writes how many lines were dropped before the line that was just written."""
        with self._changed:
            missed, self._missed = self._missed, 0
            error, self._error = self._error, None
        if missed:
            self._write(self.left_out(missed, error).encode())

    def _write(self, line: bytes) -> None:
        """Writes a whole line, however long that takes. Raises OSError if the reader is gone."""
        view = memoryview(line)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                # The descriptor is shared, and another process may have made it non-blocking.
                time.sleep(0.05)
            except OSError as error:
                if error.errno in GONE:
                    raise
                # A full disk may have room again.
                self._error = error
                time.sleep(RETRY_SECONDS)


def _ends_within_a_line(descriptor: int) -> bool:
    """Whether it is a file whose last line is not whole: an earlier process met a full disk."""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        with open(f"/proc/self/fd/{descriptor}", "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        # The file is empty, or this process may not read it.
        return False


class LineStream(io.TextIOBase):
    """Replaces standard output or error: passes what is printed to an outlet, in whole lines.

    A text that is written at once and ends with a line feed is passed as one. `shape` formats it,
    given the time (seconds UTC) and the text.
    """

    def __init__(self, outlet: Outlet, shape: Callable[[float, str], str]) -> None:
        super().__init__()
        self._outlet = outlet
        self._shape = shape
        self._begun = ""

    def writable(self) -> bool:
        """Returns True."""
        return True

    def write(self, text: str) -> int:
        """Passes whole lines to the outlet, and keeps an unfinished line for later."""
        whole, end, rest = (self._begun + text).rpartition("\n")
        self._begun = rest
        if end and whole.strip():
            self._outlet.put(self._shape(time.time(), whole + end))
        return len(text)

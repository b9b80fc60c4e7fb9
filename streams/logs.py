"""Logging to standard error: lines for people or JSON for programs; never a value of a record.

All output of a process takes this way: log lines, warnings, what libraries print, the traceback of
a crash. A separate thread writes it, so that a reader who is slow or gone does not block the
process. Lines that find no room in the queue are counted and dropped; a full disk is tried again.
"""

import logging
import sys
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import msgspec
from pydantic import ValidationError

from streams.log_events import LIBRARY, LINES_LEFT_OUT, PRINTED, event
from streams.outlet import LineStream, Outlet

FLUSH_SECONDS = 2.0
_encode = msgspec.json.Encoder(enc_hook=str).encode
_log = logging.getLogger("streams.logs")


def _line(at: float, level: str, logger: str, event: str, message: str, traceback: str = "") -> str:
    line = {
        "at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": logger,
        "event": event,
        # A string that is not valid Unicode (a surrogate from a file's name) must not stop the log.
        "message": message.encode("utf-8", "replace").decode(),
    }
    if traceback:
        line["traceback"] = traceback.encode("utf-8", "replace").decode()
    return _encode(line).decode()


class PlainFormatter(logging.Formatter):
    """Formats a log record as text. A traceback says what is wrong, and never of which value."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  a name of the library
        """Returns the traceback without the values that pydantic repeats."""
        text, error = super().formatException(ei), ei[1]
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            # An error that is raised from itself is its own cause.
            seen.add(id(error))
            if isinstance(error, ValidationError):
                text = text.replace(str(error), _without_values(error))
            error = error.__cause__ or error.__context__
        return text


def _without_values(error: ValidationError) -> str:
    # Not where either: a field that nobody knows has a name which somebody else chose.
    said = (it["type"] for it in error.errors(include_input=False, include_context=False))
    return f"{error.title}: {', '.join(said)}"


class JsonFormatter(PlainFormatter):
    """Formats a log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the JSON with time, level, logger, event, message and traceback.

        The event is the stable name of the line (log_events.py).
        """
        traceback = self.formatException(record.exc_info) if record.exc_info else ""
        level = record.levelname.lower()
        event = getattr(record, "event", LIBRARY)
        return _line(record.created, level, record.name, event, record.getMessage(), traceback)


class OutletHandler(logging.Handler):
    """A log handler that queues lines for the outlet, which writes them in a thread."""

    def __init__(self, outlet: Outlet) -> None:
        super().__init__()
        self.outlet = outlet

    def emit(self, record: logging.LogRecord) -> None:
        """Queues a line; if it cannot be formatted, a line that says so."""
        try:
            text = self.format(record)
        except Exception as error:
            record.msg, record.args = f"a log line cannot be formatted: {error!r}", None
            record.exc_info = None
            text = self.format(record)
        self.outlet.put(text + "\n")

    def flush(self) -> None:
        """Waits until the queued lines are written, at most `FLUSH_SECONDS`."""
        self.outlet.drain(FLUSH_SECONDS)


_OUTLETS: dict[int, Outlet] = {}
"""The outlets by file descriptor; they live as long as the process."""


def configure(level: str, form: str) -> None:
    """Configures logging, stdout and stderr of this process.

    `level`: of Byline's own loggers; libraries log from `warning` on. `form`: `json` or `text`.
    """
    formatter: logging.Formatter = JsonFormatter()
    if form != "json":
        formatter = PlainFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler = OutletHandler(_outlet(2, formatter))
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("streams").setLevel(level.upper())
    logging.captureWarnings(True)
    as_json = form == "json"
    sys.stderr = sys.__stderr__ = _stream("stderr", handler.outlet, as_json)  # type: ignore[misc]
    out = _outlet(1, formatter)
    sys.stdout = sys.__stdout__ = _stream("stdout", out, as_json)  # type: ignore[misc]
    sys.excepthook = _uncaught


def _outlet(descriptor: int, formatter: logging.Formatter) -> Outlet:
    def left_out(count: int, error: OSError | None) -> str:
        words = "%d lines were not written: %s"
        why = "nobody read them in time" if error is None else f"the log failed ({error.strerror})"
        record = _log.makeRecord(_log.name, logging.WARNING, "", 0, words, (count, why), None)
        record.event = LINES_LEFT_OUT
        return formatter.format(record) + "\n"

    # Each outlet starts a thread, so none is made for a descriptor that has one.
    outlet = _OUTLETS.get(descriptor)
    if outlet is None:
        outlet = _OUTLETS[descriptor] = Outlet(descriptor)
    outlet.left_out = left_out
    return outlet


def _stream(name: str, outlet: Outlet, as_json: bool) -> Any:
    level = "error" if name == "stderr" else "info"

    def shaped(at: float, text: str) -> str:
        return _line(at, level, name, PRINTED, text.rstrip("\n")) + "\n" if as_json else text

    return LineStream(outlet, shaped)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Logs an exception that ends the process, as an entry like every other."""
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("streams").critical(
        "%s", error, exc_info=(kind, error, trace), extra=event("uncaught_error")
    )

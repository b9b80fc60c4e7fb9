"""Reads the roles file again when it changes, so that a removed person is signed out."""

import logging
from pathlib import Path
from threading import Lock

from streams.log_events import event
from streams.operate.errors import UsageError
from streams.serve.roles import Roles, read_roles

_log = logging.getLogger("streams.console")


class RoleFile:
    """Returns who may ask, as the file says now.

    Raises UsageError when it is made and the file cannot be used. A file that becomes unusable
    later lets nobody in until it is mended; the log says what is wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, Lock()
        self._seen = self._stamp()
        self._roles: Roles = read_roles(path)

    def __call__(self) -> Roles:
        """Returns the holders by their key."""
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                try:
                    self._roles = read_roles(self._path)
                except UsageError as error:
                    _log.error("nobody is let in: %s", error, extra=event("nobody_let_in"))
                    self._roles = {}
            return self._roles

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            it = self._path.stat()
        except OSError:
            return None
        return it.st_mtime_ns, it.st_size, it.st_ino

"""When to commit. Counts what one partition has applied; `now` (seconds) is an argument.

A transaction costs latency, not work, so it is made when something waits to be seen and what has
queued up meanwhile is gathered first; else when much is dirty, or after a second. A stretch without
effect may wait: state, outputs and position are lost together, and it replays to nothing.
"""

from streams.engine.config import EngineConfig


class CommitPolicyState:
    """What has been applied since the last commit."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._moved_at: float | None = None
        self._dirty_at: float | None = None
        self._waiting_since: float | None = None

    @property
    def moved(self) -> bool:
        """Whether the position has moved, or something was written, since the last commit."""
        return self._moved_at is not None

    def applied(self, waiting: bool, dirty: bool, now: float) -> None:
        """Note an applied batch. `waiting`: an output or dead letter should be visible soon."""
        if waiting and self._waiting_since is None:
            self._waiting_since = now
        if self._moved_at is None:
            self._moved_at = now
        if dirty and self._dirty_at is None:
            self._dirty_at = now

    def commit_due(self, more_queued: bool, dirty_records: int, size: int, now: float) -> bool:
        """Whether to commit now; `more_queued` inputs are gathered first, up to the limits."""
        config = self._config
        if self._moved_at is None:
            return False
        waiting = self._waiting_since
        if waiting is not None and (not more_queued or now - waiting >= config.gather_seconds):
            return True
        if size >= config.commit_bytes or dirty_records >= config.commit_records:
            return True
        return self.wait_seconds(now) <= 0

    def wait_seconds(self, now: float) -> float:
        """How long until a commit is due by time alone."""
        interval = self._config.commit_interval_seconds
        since = self._dirty_at if self._dirty_at is not None else self._moved_at
        return interval if since is None else since + interval - now

    def committed(self) -> None:
        """Note a commit: counting starts again."""
        self._moved_at = self._dirty_at = None
        self._waiting_since = None

"""Decides when a partition commits its transaction. Times are seconds of the monotonic clock.

A commit is due soon if consumers should see an output; inputs that are already queued join that
transaction. Else it is due when many changes have gathered, or after `commit_interval_seconds`.
Uncommitted work is not lost: after a crash, position and state go back together and the inputs are
read again. *Dirty* means that changes or outputs were written.
"""

from streams.engine.config import EngineConfig


class CommitPolicyState:
    """What one partition has applied since its last commit."""

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
        """Notes an applied step.

        `waiting`: it wrote an output that consumers should see soon. `dirty`: there are uncommitted
        changes or outputs.
        """
        if waiting and self._waiting_since is None:
            self._waiting_since = now
        if self._moved_at is None:
            self._moved_at = now
        if dirty and self._dirty_at is None:
            self._dirty_at = now

    def commit_due(self, more_queued: bool, dirty_records: int, size: int, now: float) -> bool:
        """Whether to commit now.

        `more_queued`: more inputs are queued; they are applied first, for up to `gather_seconds`.
        `dirty_records` and `size`: number and bytes of uncommitted changes and outputs.
        """
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
        """Returns the seconds until a commit is due by time alone; not positive if it is due."""
        interval = self._config.commit_interval_seconds
        since = self._dirty_at if self._dirty_at is not None else self._moved_at
        return interval if since is None else since + interval - now

    def committed(self) -> None:
        """Notes a commit: resets all."""
        self._moved_at = self._dirty_at = None
        self._waiting_since = None

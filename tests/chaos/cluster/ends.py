"""When the workers of a change ended, to a twentieth of a second."""

import threading
import time

from tests.chaos.cluster.ground import ClusterWorker


class AnsweredEnds:
    """Notes when each worker ends, from now until `close`."""

    def __init__(self, workers: list[ClusterWorker]) -> None:
        self._workers = workers
        self._ended: dict[int, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.wait(0.05):
            for number, worker in enumerate(self._workers):
                if worker.code is not None:
                    self._ended.setdefault(number, time.monotonic())

    @property
    def last_at(self) -> float | None:
        """When the last one ended (`time.monotonic()`); None while one runs."""
        ended = dict(self._ended)
        return max(ended.values()) if len(ended) == len(self._workers) else None

    def close(self) -> None:
        """Watch no more."""
        self._ending.set()
        self._thread.join()

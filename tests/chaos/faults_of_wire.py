"""Faults of what lies between a worker and its broker: single requests of a transaction."""

import time

from tests.chaos.schedule import ScheduledFault
from tests.chaos.striking import Striking

PATIENCE_SECONDS = 10.0


class WireFaults(Striking):
    """Mixed into `Faults`; each strikes the requests of some seconds."""

    def _wire(self, kind: str, fault: ScheduledFault) -> bool:
        between = self.site.between
        if between is None or not self._wire_lock.acquire(blocking=False):
            return False
        try:
            before = between.touched.total()
            between.strike(kind, f"{fault.number}-{kind}-{fault.seconds}")
            time.sleep(2 + 4 * fault.seconds)
            # On a busy machine a transaction may be long in coming.
            deadline = time.monotonic() + PATIENCE_SECONDS
            while between.touched.total() == before and time.monotonic() < deadline:
                time.sleep(0.1)
            between.calm()
            return between.touched.total() > before
        finally:
            self._wire_lock.release()

    def _wire_held(self, fault: ScheduledFault) -> bool:
        return self._wire("held", fault)

    def _wire_dropped(self, fault: ScheduledFault) -> bool:
        return self._wire("dropped", fault)

    def _wire_repeated(self, fault: ScheduledFault) -> bool:
        return self._wire("repeated", fault)

    def _wire_released_late(self, fault: ScheduledFault) -> bool:
        return self._wire("released late", fault)

    def _wire_reset(self, fault: ScheduledFault) -> bool:
        return self._wire("reset", fault)
